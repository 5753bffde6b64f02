/* What decoders with pre-norm blocks have in common (GPT-2, GPT-J, BLOOM, Llama): their
 * differences are in the config. */
#ifndef OSC_ARCH_BLOCKS_H
#define OSC_ARCH_BLOCKS_H

#include "engine/steps.h"

/* Rows of the table of embeddings, and nothing else, are what the first block gets. */
osc_status osc_block_embed(osc_pass *pass);

/* A block: resid += attention(norm1(resid)), then resid += feed-forward(norm2(resid)).
 * In a parallel block the feed-forward layer reads norm1 of the resid that the attention
 * read, computed again, so that a hook at one branch does not reach the other. */
osc_status osc_block_pass(osc_pass *pass);

/* The last norm. */
osc_status osc_block_finish(osc_pass *pass);

#endif
