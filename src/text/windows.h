/* Sequences from documents, for the files that do it. */
#ifndef OSC_TEXT_WINDOWS_H
#define OSC_TEXT_WINDOWS_H

#include "text/corpus.h"

typedef struct {
    const osc_documents      *documents;
    const osc_tokenizer      *tokenizer;
    const osc_window_options *options;
} osc_window_job;

/* Fills in ids, offset, count, longest and tokens of a corpus. */
typedef osc_status osc_corpus_maker(osc_corpus *corpus, const osc_window_job *job);

/* Appends `bos` unless it is -1. */
osc_status osc_append_bos(osc_ids *ids, int32_t bos);

/* Cuts the ids into windows of `step`, `bos` (unless -1) in front of each; a last
 * one that is shorter counts from `least` ids (at least 1). */
osc_status osc_cut_windows(osc_corpus *corpus, const osc_ids *ids, size_t step, int32_t bos,
                           size_t least, size_t most);

/* The protocols of GPTQ's evaluation (datautils.py), see osc_protocol. */
osc_corpus_maker osc_make_gptq, osc_make_wikitext2, osc_make_c4, osc_make_c4_new;

#endif
