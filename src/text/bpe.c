#include <config.h>
#include "text/bpe.h"

#include <string.h>

#include "base/alloc.h"
#include "text/utf8.h"

/* Up to so many bytes a scan for the lowest rank is faster than a heap. */
enum { SHORT = 64 };

/* --- short pieces: arrays ----------------------------------------------------- */

static osc_status append_all(osc_ids *ids, const int32_t *id, size_t count)
{
    if (ids->capacity - ids->count < count) {
        int32_t *larger = osc_grow(ids->id, &ids->capacity, ids->count + count, sizeof *larger);
        if (larger == NULL)
            return OSC_ENOMEM;
        ids->id = larger;
    }
    memcpy(ids->id + ids->count, id, count * sizeof *id);
    ids->count += count;
    return OSC_OK;
}

static size_t lowest(const uint32_t *rank, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        best = rank[i] < rank[best] ? i : best;
    return best;
}

/* Merges `n` tokens, at most SHORT, in place. */
static osc_status merge_short(const osc_bpe_model *model, osc_ids *ids, int32_t *id, size_t n)
{
    const osc_merges *merges = model->merges;
    int32_t result[SHORT];   /* result, rank: of merging token i with i + 1 */
    uint32_t rank[SHORT];
    for (size_t i = 1; i < n; i++) {
        const osc_merge *merge = osc_merges_find(merges, id[i - 1], id[i]);
        rank[i - 1] = merge->rank;
        result[i - 1] = merge->result;
    }
    while (n > 1) {
        size_t at = lowest(rank, n - 1);
        if (rank[at] == OSC_NO_MERGE)
            break;
        id[at] = result[at];
        n--;
        for (size_t i = at + 1; i < n; i++) {
            id[i] = id[i + 1];
            rank[i - 1] = rank[i];
            result[i - 1] = result[i];
        }
        for (size_t i = at > 0 ? at - 1 : 0; i <= at && i + 1 < n; i++) {
            const osc_merge *merge = osc_merges_find(merges, id[i], id[i + 1]);
            rank[i] = merge->rank;
            result[i] = merge->result;
        }
    }
    return append_all(ids, id, n);
}

/* --- long pieces: a linked list of tokens and a heap of the merges at hand -------- */

struct osc_bpe_symbol {
    uint32_t before, after;   /* neighbours, NONE at the ends */
    int32_t  id;
    int32_t  result;          /* of merging it with the next one */
    uint32_t rank;            /* of that merge; OSC_NO_MERGE if there is none, or once
                               * merged into the one before it */
};

/* Heap entries are rank << 32 | position, so that the least one is the next merge;
 * an entry is out of date if the token at the position has another rank by now. */
static const uint32_t NONE = UINT32_MAX;
enum { CHILDREN = 4 };   /* of a heap entry: half the depth, and half the cache misses, of 2 */

static osc_status push(osc_bpe *bpe, uint64_t entry)
{
    uint64_t *heap = bpe->heap;
    if (bpe->heap_count == bpe->heap_room) {
        heap = osc_grow(heap, &bpe->heap_room, bpe->heap_count + 1, sizeof *heap);
        if (heap == NULL)
            return OSC_ENOMEM;
        bpe->heap = heap;
    }
    size_t i = bpe->heap_count++;
    for (; i > 0 && entry < heap[(i - 1) / CHILDREN]; i = (i - 1) / CHILDREN)
        heap[i] = heap[(i - 1) / CHILDREN];
    heap[i] = entry;
    return OSC_OK;
}

static uint64_t pop(osc_bpe *bpe)
{
    uint64_t *heap = bpe->heap, top = heap[0];
    size_t n = --bpe->heap_count, i = 0;
    uint64_t last = heap[n];
    for (size_t first; (first = CHILDREN * i + 1) < n;) {
        size_t least = first, end = n - first < CHILDREN ? n : first + CHILDREN;
        for (size_t child = first + 1; child < end; child++)
            least = heap[child] < heap[least] ? child : least;
        if (last <= heap[least])
            break;
        heap[i] = heap[least];
        i = least;
    }
    heap[i] = last;
    return top;
}

/* Looks up the merge of the token at `at` with the next one. */
static osc_status propose(osc_bpe *bpe, uint32_t at)
{
    if (at == NONE)
        return OSC_OK;
    struct osc_bpe_symbol *symbol = &bpe->symbol[at];
    symbol->rank = OSC_NO_MERGE;
    if (symbol->after == NONE)
        return OSC_OK;
    const osc_merge *merge = osc_merges_find(bpe->model->merges, symbol->id,
                                             bpe->symbol[symbol->after].id);
    symbol->rank = merge->rank;
    symbol->result = merge->result;
    return merge->rank == OSC_NO_MERGE ? OSC_OK : push(bpe, (uint64_t)merge->rank << 32 | at);
}

static osc_status merge_all(osc_bpe *bpe)
{
    while (bpe->heap_count > 0) {
        uint64_t best = pop(bpe);
        uint32_t at = (uint32_t)best;
        struct osc_bpe_symbol *left = &bpe->symbol[at];
        if (left->rank != best >> 32)
            continue;
        struct osc_bpe_symbol *right = &bpe->symbol[left->after];
        left->id = left->result;
        left->after = right->after;
        right->rank = OSC_NO_MERGE;
        if (left->after != NONE)
            bpe->symbol[left->after].before = at;
        OSC_TRY(propose(bpe, left->before));
        OSC_TRY(propose(bpe, at));
    }
    return OSC_OK;
}

static osc_status merge_long(osc_bpe *bpe, osc_ids *ids, const int32_t *id, size_t n)
{
    struct osc_bpe_symbol *symbol = osc_grow(bpe->symbol, &bpe->symbols, n, sizeof *symbol);
    if (symbol == NULL)
        return OSC_ENOMEM;
    bpe->symbol = symbol;
    bpe->heap_count = 0;
    for (uint32_t i = 0; i < n; i++)
        symbol[i] = (struct osc_bpe_symbol){
            .before = i == 0 ? NONE : i - 1, .after = i + 1 == n ? NONE : i + 1, .id = id[i] };
    for (uint32_t i = 0; i < n; i++)
        OSC_TRY(propose(bpe, i));
    OSC_TRY(merge_all(bpe));
    for (uint32_t i = 0; i != NONE; i = symbol[i].after)
        OSC_TRY(osc_ids_append(ids, symbol[i].id));
    return OSC_OK;
}

/* --- the tokens to start from ------------------------------------------------------ */

/* Writes the ids of a piece's bytes; returns how many. */
static size_t start_bytes(const osc_bpe_model *model, int32_t *id, const uint8_t *piece,
                          size_t size)
{
    for (size_t i = 0; i < size; i++)
        id[i] = model->vocab->byte_id[piece[i]];
    return size;
}

/* Whether each of the bytes has a token. */
static bool has_bytes(const osc_vocab *vocab, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (vocab->byte_id[bytes[i]] == OSC_NO_TOKEN)
            return false;
    return true;
}

/* The token of BPE's own vocabulary that is spelled so, or OSC_NO_TOKEN. */
static int32_t find_known(const osc_vocab *vocab, const char *spelling, size_t length)
{
    int32_t id = osc_vocab_find(vocab, spelling, length, "", 0);
    return id != OSC_NO_TOKEN && vocab->token[id].outside ? OSC_NO_TOKEN : id;
}

/* Writes the ids of a piece's characters, a byte that is not UTF-8 being one; at most as
 * many as it has bytes.  As in the tokenizers package the id of an unknown character
 * waits for the next one with a token of its own, so that bytes may overtake it. */
static size_t start_characters(const osc_bpe_model *model, int32_t *id, const uint8_t *piece,
                               size_t size)
{
    size_t count = 0, unknown = 0;   /* waiting ones, 1 if they are fused */
    for (size_t at = 0, n; at < size; at += n) {
        uint32_t character;
        if (osc_utf8_read(&character, &n, piece + at, size - at) != OSC_UTF8_WHOLE)
            n = 1;
        int32_t found = find_known(model->vocab, (const char *)piece + at, n);
        if (found == OSC_NO_TOKEN && model->byte_fallback &&
            has_bytes(model->vocab, piece + at, n)) {
            count += start_bytes(model, id + count, piece + at, n);
            continue;
        }
        bool flush = found != OSC_NO_TOKEN || !model->fuse_unknown;
        for (; flush && unknown > 0; unknown--)
            id[count++] = model->unknown;
        if (found != OSC_NO_TOKEN)
            id[count++] = found;
        else
            unknown = model->unknown != OSC_NO_TOKEN;
    }
    for (; unknown > 0; unknown--)
        id[count++] = model->unknown;
    return count;
}

static size_t start(const osc_bpe_model *model, int32_t *id, const uint8_t *piece, size_t size)
{
    return (model->alphabet == OSC_ALPHABET_BYTES ? start_bytes : start_characters)
           (model, id, piece, size);
}

/* --- both ------------------------------------------------------------------------ */

/* The token that the piece is as a whole, or OSC_NO_TOKEN. */
static osc_status find_whole(int32_t *id, const osc_bpe_model *model, const uint8_t *piece,
                             size_t size)
{
    const osc_vocab *vocab = model->vocab;
    if (model->alphabet == OSC_ALPHABET_CHARACTERS) {
        *id = find_known(vocab, (const char *)piece, size);
        return OSC_OK;
    }
    size_t length = 0;
    char *spelling = osc_alloc(size, 2);
    if (spelling == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < size; i++)
        length += osc_byte_spell(spelling + length, piece[i]);
    *id = find_known(vocab, spelling, length);
    osc_free(spelling);
    return OSC_OK;
}

static osc_status encode_long(osc_bpe *bpe, osc_ids *ids, const uint8_t *piece, size_t size)
{
    if (size >= NONE)
        return osc_fail(OSC_EUNSUP, "the text has a word of %zu bytes, at most %u are supported",
                        size, NONE - 1);
    int32_t *id = osc_grow(bpe->start, &bpe->starts, size, sizeof *id);
    if (id == NULL)
        return OSC_ENOMEM;
    bpe->start = id;
    size_t n = start(bpe->model, id, piece, size);
    return n == 0 ? OSC_OK : merge_long(bpe, ids, id, n);
}

osc_status osc_bpe_encode(osc_bpe *bpe, osc_ids *ids, const uint8_t *piece, size_t size)
{
    if (bpe->model->ignore_merges) {
        int32_t whole;
        OSC_TRY(find_whole(&whole, bpe->model, piece, size));
        if (whole != OSC_NO_TOKEN)
            return osc_ids_append(ids, whole);
    }
    if (size > SHORT)
        return encode_long(bpe, ids, piece, size);
    int32_t id[SHORT];
    size_t n = start(bpe->model, id, piece, size);
    return n == 0 ? OSC_OK : merge_short(bpe->model, ids, id, n);
}

void osc_bpe_clear(osc_bpe *bpe)
{
    osc_free(bpe->start);
    osc_free(bpe->symbol);
    osc_free(bpe->heap);
    *bpe = (osc_bpe){ .model = NULL };
}
