#include <config.h>
#include "text/vocab.h"

#include <string.h>

#include "base/alloc.h"

/* --- the byte alphabet: printable Latin-1 stands for itself, the 68 other bytes
 * in increasing order are U+0100 to U+0143 ------------------------------------- */

static bool stands_for_itself(uint32_t c)
{
    return (c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xff && c != 0xad);
}

size_t osc_byte_spell(char out[2], uint8_t byte)
{
    uint32_t c = byte;
    if (byte <= 0x20)
        c = 0x100u + byte;
    else if (byte == 0xad)
        c = 0x143;
    else if (!stands_for_itself(byte))
        c = 0x121u + byte - 0x7f;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    out[0] = (char)(0xc0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3f));
    return 2;
}

/* The byte that a character stands for, or -1. */
static int byte_of(uint32_t c)
{
    if (stands_for_itself(c))
        return (int)c;
    if (c >= 0x100 && c <= 0x120)
        return (int)c - 0x100;
    if (c >= 0x121 && c <= 0x142)
        return (int)c - 0x121 + 0x7f;
    return c == 0x143 ? 0xad : -1;
}

/* Writes the bytes that a spelling (valid UTF-8) stands for; returns how many. */
static size_t decode(char *out, const char *spelling, size_t length)
{
    size_t size = 0;
    for (size_t i = 0; i < length; i++) {
        uint32_t c = (uint8_t)spelling[i];
        if (c >= 0xc0 && c < 0xe0)
            c = (c & 0x1f) << 6 | ((uint8_t)spelling[++i] & 0x3f);
        else if (c >= 0x80)
            c = UINT32_MAX;          /* 3 or 4 bytes: beyond the alphabet */
        int byte = byte_of(c);
        if (byte < 0) {
            memcpy(out, spelling, length);
            return length;
        }
        out[size++] = (char)byte;
    }
    return size;
}

/* --- lookup by spelling ------------------------------------------------------- */

static uint64_t hash(uint64_t state, const char *text, size_t length)   /* FNV-1a */
{
    for (size_t i = 0; i < length; i++)
        state = (state ^ (uint8_t)text[i]) * 0x100000001b3u;
    return state;
}

/* The slot that holds `left` + `right` or, if none does, the empty one for it. */
static size_t find_slot(const osc_vocab *vocab, const char *left, size_t left_length,
                        const char *right, size_t right_length)
{
    uint64_t h = hash(hash(0xcbf29ce484222325u, left, left_length), right, right_length);
    for (size_t i = (size_t)(h ^ h >> 32) & vocab->mask;; i = (i + 1) & vocab->mask) {
        int32_t id = vocab->slot[i];
        if (id == OSC_NO_TOKEN)
            return i;
        const osc_token *token = &vocab->token[id];
        if (token->length == left_length + right_length &&
            memcmp(token->spelling, left, left_length) == 0 &&
            memcmp(token->spelling + left_length, right, right_length) == 0)
            return i;
    }
}

int32_t osc_vocab_find(const osc_vocab *vocab, const char *left, size_t left_length,
                       const char *right, size_t right_length)
{
    return vocab->slot[find_slot(vocab, left, left_length, right, right_length)];
}

/* --- construction ------------------------------------------------------------- */

enum { SPREAD = 16 };   /* ids may leave so many gaps, or memory would not follow the file's size */

/* Checks all ids; `*storage` is the bytes that spellings and their bytes need. */
static osc_status measure(size_t *largest, size_t *storage, json_t *ids)
{
    const char *key;
    json_t *value;
    size_t count = json_object_size(ids);
    *largest = *storage = 0;
    json_object_foreach(ids, key, value) {
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id > INT32_MAX)
            return osc_fail(OSC_EFORMAT, "token \"%.80s\": its id is not a whole number "
                            "from 0 to 2147483647", key);
        if ((size_t)id / SPREAD >= count)
            return osc_fail(OSC_EFORMAT, "token \"%.80s\": id %lld is absurd for a vocabulary "
                            "of %zu tokens", key, (long long)id, count);
        *largest = (size_t)id > *largest ? (size_t)id : *largest;
        *storage += 2 * strlen(key) + 1;
    }
    return OSC_OK;
}

static osc_status reserve(osc_vocab *vocab, size_t count, size_t storage)
{
    size_t slots = 1024;
    while (slots < 2 * count)
        slots *= 2;
    vocab->mask = slots - 1;
    vocab->token = osc_alloc(vocab->size, sizeof *vocab->token);
    vocab->storage = osc_alloc(storage, 1);
    vocab->slot = osc_alloc(slots, sizeof *vocab->slot);
    if (vocab->token == NULL || vocab->storage == NULL || vocab->slot == NULL)
        return OSC_ENOMEM;
    memset(vocab->slot, 0xff, slots * sizeof *vocab->slot);   /* OSC_NO_TOKEN */
    return OSC_OK;
}

static osc_status fill(osc_vocab *vocab, json_t *ids)
{
    const char *key;
    json_t *value;
    char *at = vocab->storage;
    json_object_foreach(ids, key, value) {
        int32_t id = (int32_t)json_integer_value(value);
        osc_token *token = &vocab->token[id];
        if (token->spelling != NULL)
            return osc_fail(OSC_EFORMAT, "tokens \"%.80s\" and \"%.80s\" have the same id %d",
                            token->spelling, key, (int)id);
        token->length = strlen(key);
        token->spelling = memcpy(at, key, token->length + 1);
        token->bytes = at += token->length + 1;
        token->size = decode(at, key, token->length);
        at += token->size;
        vocab->slot[find_slot(vocab, key, token->length, "", 0)] = id;
    }
    return OSC_OK;
}

static osc_status find_bytes(osc_vocab *vocab)
{
    for (int byte = 0; byte < 256; byte++) {
        char symbol[2];
        size_t n = osc_byte_spell(symbol, (uint8_t)byte);
        vocab->byte_id[byte] = osc_vocab_find(vocab, symbol, n, "", 0);
        if (vocab->byte_id[byte] == OSC_NO_TOKEN)
            return osc_fail(OSC_EFORMAT, "not a byte-level vocabulary: no token \"%.*s\" for "
                            "byte 0x%02x", (int)n, symbol, byte);
    }
    return OSC_OK;
}

osc_status osc_vocab_create(osc_vocab **vocab, json_t *ids)
{
    size_t largest, storage;
    if (!json_is_object(ids) || json_object_size(ids) == 0)
        return osc_fail(OSC_EFORMAT, "the vocabulary is not an object of tokens and ids");
    OSC_TRY(measure(&largest, &storage, ids));
    osc_vocab *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->size = largest + 1;
    osc_status status = reserve(made, json_object_size(ids), storage);
    if (status == OSC_OK)
        status = fill(made, ids);
    if (status == OSC_OK)
        status = find_bytes(made);
    if (status != OSC_OK) {
        osc_vocab_free(made);
        return status;
    }
    *vocab = made;
    return OSC_OK;
}

void osc_vocab_free(osc_vocab *vocab)
{
    if (vocab == NULL)
        return;
    osc_free(vocab->token);
    osc_free(vocab->storage);
    osc_free(vocab->slot);
    osc_free(vocab);
}
