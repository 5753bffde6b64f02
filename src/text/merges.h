/* The merges of a BPE tokenizer: which pair of tokens becomes which, and in what
 * order. */
#ifndef OSC_TEXT_MERGES_H
#define OSC_TEXT_MERGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/status.h"
#include "text/vocab.h"

enum { OSC_NO_MERGE = UINT32_MAX };

typedef struct {
    uint64_t pair;      /* left id << 32 | right id; UINT64_MAX: empty */
    uint32_t rank;      /* 0 merges first; OSC_NO_MERGE in an empty slot */
    int32_t  result;
} osc_merge;

typedef struct {
    osc_merge *slot;    /* hash table, at most half full */
    unsigned   shift;   /* 64 - log2(slots) */
    size_t     mask;    /* slots - 1 */
    uint32_t   count;
} osc_merges;

/* From the text of a merges.txt, or from the array in a tokenizer.json (strings
 * "a b" or pairs).  OSC_EFORMAT names the line or entry, also when it names a
 * token that `vocab` lacks.  Of a repeated pair the last rank counts. */
osc_status osc_merges_from_text(osc_merges **merges, const osc_vocab *vocab,
                                const char *text, size_t size);
osc_status osc_merges_from_json(osc_merges **merges, const osc_vocab *vocab, const json_t *list);
void osc_merges_free(osc_merges *merges);

static inline uint64_t osc_merges_pair(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

/* Where a pair is looked for first. */
static inline size_t osc_merges_slot(const osc_merges *merges, uint64_t pair)
{
    return (size_t)(pair * 0x9e3779b97f4a7c15u >> merges->shift);
}

/* The merge of two neighbours; its rank is OSC_NO_MERGE if there is none. */
static inline const osc_merge *osc_merges_find(const osc_merges *merges,
                                               int32_t left, int32_t right)
{
    uint64_t pair = osc_merges_pair(left, right);
    size_t i = osc_merges_slot(merges, pair);
    while (merges->slot[i].pair != pair && merges->slot[i].rank != OSC_NO_MERGE)
        i = (i + 1) & merges->mask;
    return &merges->slot[i];
}

#endif
