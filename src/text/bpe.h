/* Byte-pair encoding of one pre-token: adjacent tokens are merged, lowest rank
 * first and leftmost on a tie, until no pair has a merge. */
#ifndef OSC_TEXT_BPE_H
#define OSC_TEXT_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/model.h"
#include "text/tokenizer.h"

struct osc_bpe_symbol;

/* One caller's use of a model, with memory for long pieces that is kept from one
 * to the next; start from { .model = model }. */
typedef struct {
    const osc_bpe_model   *model;
    int32_t               *start;        /* the ids before merging */
    size_t                 starts;       /* capacity */
    struct osc_bpe_symbol *symbol;
    size_t                 symbols;      /* capacity */
    uint64_t              *heap;
    size_t                 heap_count;
    size_t                 heap_room;    /* capacity */
} osc_bpe;

/* Appends the ids of a piece of `size` bytes (at least 1; OSC_EUNSUP from 4 GiB), in an
 * alphabet of characters each spelled as it is. */
osc_status osc_bpe_encode(osc_bpe *bpe, osc_ids *ids, const uint8_t *piece, size_t size);
void osc_bpe_clear(osc_bpe *bpe);

#endif
