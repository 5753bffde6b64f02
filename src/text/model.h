/* The tables that byte-pair encoding works with. */
#ifndef OSC_TEXT_MODEL_H
#define OSC_TEXT_MODEL_H

#include <stdbool.h>

#include "text/merges.h"
#include "text/vocab.h"

typedef struct {
    osc_vocab   *vocab;
    osc_merges  *merges;
    osc_alphabet alphabet;
    bool         ignore_merges;   /* a piece that is a token as a whole is not merged */
    bool         byte_fallback;   /* a character without a token becomes those of its bytes */
    int32_t      unknown;         /* id of one that has none; OSC_NO_TOKEN: it is left out */
    bool         fuse_unknown;    /* unknown ones in a row become one id */
} osc_bpe_model;

void osc_bpe_model_clear(osc_bpe_model *model);

#endif
