#include <config.h>
#include "text/vocab.h"

#include <stdio.h>
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

/* The slot where `left` + `right` is looked for first. */
static size_t first_slot(const osc_vocab *vocab, const char *left, size_t left_length,
                         const char *right, size_t right_length)
{
    uint64_t h = hash(hash(0xcbf29ce484222325u, left, left_length), right, right_length);
    return (size_t)(h ^ h >> 32) & vocab->mask;
}

/* The slot that holds `left` + `right` or, if none does, the empty one for it. */
static size_t find_slot(const osc_vocab *vocab, const char *left, size_t left_length,
                        const char *right, size_t right_length)
{
    size_t first = first_slot(vocab, left, left_length, right, right_length);
    for (size_t i = first;; i = (i + 1) & vocab->mask) {
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

enum { SPREAD = 4 };   /* ids may leave so many gaps, or memory would not follow the file's size */

struct size {
    size_t tokens, largest;   /* largest id */
    size_t storage;           /* bytes that spellings and their bytes need */
};

/* Checks the ids of one object; `tokens` is set. */
static osc_status measure(struct size *size, json_t *ids)
{
    const char *key;
    json_t *value;
    json_object_foreach(ids, key, value) {
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id > INT32_MAX)
            return osc_fail(OSC_EFORMAT, "token \"%.80s\": its id is not a whole number "
                            "from 0 to 2147483647", key);
        if ((size_t)id / SPREAD >= size->tokens)
            return osc_fail(OSC_EFORMAT, "token \"%.80s\": id %lld is absurd for a vocabulary "
                            "of %zu tokens", key, (long long)id, size->tokens);
        size->largest = (size_t)id > size->largest ? (size_t)id : size->largest;
        size->storage += 2 * strlen(key) + 1;
    }
    return OSC_OK;
}

static osc_status reserve(osc_vocab *vocab, const struct size *size)
{
    size_t slots = 1024;
    while (slots < 2 * size->tokens)
        slots *= 2;
    vocab->size = size->largest + 1;
    vocab->mask = slots - 1;
    vocab->token = osc_alloc(vocab->size, sizeof *vocab->token);
    vocab->storage = osc_alloc(size->storage, 1);
    vocab->slot = osc_alloc(slots, sizeof *vocab->slot);
    if (vocab->token == NULL || vocab->storage == NULL || vocab->slot == NULL)
        return OSC_ENOMEM;
    memset(vocab->slot, 0xff, slots * sizeof *vocab->slot);   /* OSC_NO_TOKEN */
    return OSC_OK;
}

/* Enters a token into the hash table. */
static osc_status enter(osc_vocab *vocab, const osc_token *token, int32_t id)
{
    size_t first = first_slot(vocab, token->spelling, token->length, "", 0);
    size_t slot = find_slot(vocab, token->spelling, token->length, "", 0);
    if (((slot - first) & vocab->mask) > OSC_MOST_PROBES)
        return osc_fail(OSC_EFORMAT, "token \"%.80s\": more tokens share a hash than chance "
                        "allows", token->spelling);
    vocab->slot[slot] = id;
    return OSC_OK;
}

/* Enters the tokens of one object, their spellings from `*at` of the storage on. */
static osc_status fill(osc_vocab *vocab, char **at, json_t *ids, bool outside,
                       osc_alphabet alphabet)
{
    const char *key;
    json_t *value;
    bool bytes = alphabet == OSC_ALPHABET_BYTES;
    json_object_foreach(ids, key, value) {
        int32_t id = (int32_t)json_integer_value(value);
        osc_token *token = &vocab->token[id];
        if (token->spelling != NULL)
            return osc_fail(OSC_EFORMAT, "tokens \"%.80s\" and \"%.80s\" have the same id %d",
                            token->spelling, key, (int)id);
        token->length = strlen(key);
        token->spelling = memcpy(*at, key, token->length + 1);
        *at += token->length + 1;
        token->bytes = bytes ? *at : token->spelling;
        token->size = bytes ? decode(*at, key, token->length) : token->length;
        *at += bytes ? token->size : 0;
        token->outside = outside;
        OSC_TRY(enter(vocab, token, id));
    }
    return OSC_OK;
}

/* Of an alphabet of characters. */
static void find_spelled_bytes(osc_vocab *vocab)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char spelling[8];
        int n = snprintf(spelling, sizeof spelling, "<0x%02X>", byte);
        vocab->byte_id[byte] = osc_vocab_find(vocab, spelling, (size_t)n, "", 0);
    }
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

static osc_status build(osc_vocab *vocab, json_t *ids, json_t *outside, osc_alphabet alphabet)
{
    struct size size = { .tokens = json_object_size(ids) + json_object_size(outside) };
    OSC_TRY(measure(&size, ids));
    OSC_TRY(measure(&size, outside));
    OSC_TRY(reserve(vocab, &size));
    char *at = vocab->storage;
    OSC_TRY(fill(vocab, &at, ids, false, alphabet));
    OSC_TRY(fill(vocab, &at, outside, true, alphabet));
    if (alphabet == OSC_ALPHABET_BYTES)
        return find_bytes(vocab);
    find_spelled_bytes(vocab);
    return OSC_OK;
}

osc_status osc_vocab_create(osc_vocab **vocab, json_t *ids, json_t *outside,
                            osc_alphabet alphabet)
{
    if (!json_is_object(ids) || json_object_size(ids) == 0)
        return osc_fail(OSC_EFORMAT, "the vocabulary is not an object of tokens and ids");
    osc_vocab *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    osc_status status = build(made, ids, outside, alphabet);
    if (status != OSC_OK) {
        osc_vocab_free(made);
        return status;
    }
    *vocab = made;
    return OSC_OK;
}

osc_status osc_vocab_set_bytes(osc_vocab *vocab, int32_t id, const uint8_t *bytes, size_t size)
{
    char **more = osc_grow(vocab->more, &vocab->room, vocab->mores + 1, sizeof *more);
    if (more == NULL)
        return OSC_ENOMEM;
    vocab->more = more;
    char *copy = osc_copy_string((const char *)bytes, size);
    if (copy == NULL)
        return OSC_ENOMEM;
    more[vocab->mores++] = copy;
    vocab->token[id].bytes = copy;
    vocab->token[id].size = size;
    return OSC_OK;
}

void osc_vocab_free(osc_vocab *vocab)
{
    if (vocab == NULL)
        return;
    for (size_t i = 0; i < vocab->mores; i++)
        osc_free(vocab->more[i]);
    osc_free(vocab->more);
    osc_free(vocab->token);
    osc_free(vocab->storage);
    osc_free(vocab->slot);
    osc_free(vocab);
}
