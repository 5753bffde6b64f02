/* What a tokenizer does to a text before byte-pair encoding: a list of steps, each of
 * which rewrites a piece of text or cuts it into smaller ones. */
#ifndef OSC_TEXT_PIPELINE_H
#define OSC_TEXT_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/chars.h"
#include "text/pretoken.h"

typedef enum {
    OSC_STEP_PREPEND,        /* `to` in front of a piece */
    OSC_STEP_PREFIX,         /* the same unless it begins with it */
    OSC_STEP_PREFIX_FIRST,   /* the same, but only where the text begins */
    OSC_STEP_REPLACE,        /* each `from` by `to` */
    OSC_STEP_SPLIT,          /* cut by a function */
    OSC_STEP_SPLIT_BEFORE    /* cut before each `from` */
} osc_step_kind;

enum { OSC_STEP_TEXT = 32, OSC_MOST_STEPS = 16 };

typedef struct {
    osc_step_kind kind;
    char          from[OSC_STEP_TEXT], to[OSC_STEP_TEXT];   /* not empty where used */
    osc_split    *split;
} osc_step;

typedef struct {
    osc_step step[OSC_MOST_STEPS];
    size_t   count;
} osc_steps;

/* A growing copy of a text. */
typedef struct {
    uint8_t *text;
    size_t   size, room;
} osc_rewritten;

/* Called with each piece that is left at the end of the steps (never empty). */
typedef osc_status osc_piece_taker(void *taker, const uint8_t *piece, size_t size);

/* One use of steps, with memory that is kept from one text to the next. */
typedef struct {
    const osc_steps *steps;
    osc_char_reader *reader;
    osc_piece_taker *take;
    void            *taker;
    const bool      *stop;      /* set by the taker: it wants no more pieces */
    osc_rewritten    rewritten[OSC_MOST_STEPS];
    size_t           most;      /* bytes that a piece may grow to */
} osc_pipeline;

/* Sends a piece of a text through all steps; `first`: the text begins with it.
 * OSC_EUNSUP if a step makes it absurdly long. */
osc_status osc_pipeline_run(osc_pipeline *pipeline, const uint8_t *piece, size_t size, bool first);
void osc_pipeline_clear(osc_pipeline *pipeline);

/* Rewrites a piece by steps that do not cut (a normalizer); the result is valid until the
 * pipeline's next use. */
osc_status osc_pipeline_rewrite(osc_pipeline *pipeline, const uint8_t **rewritten,
                                size_t *rewritten_size, const uint8_t *piece, size_t size);

#endif
