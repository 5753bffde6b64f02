/* Whether the rows of a file of results were measured on what this run measures on. */
#ifndef EXPERIMENTS_AGREE_H
#define EXPERIMENTS_AGREE_H

#include "osc.h"

/* OSC_EINVAL, naming the file and both values, unless row[key] is `expected`; `what` is
 * what the key says. */
osc_status agree_on(const json_t *row, const char *path, const char *key, const char *what,
                    const char *expected);
osc_status agree_on_number(const json_t *row, const char *path, const char *key, const char *what,
                           long long expected);
/* Is row[key] this text? */
bool agree_text(const json_t *row, const char *key, const char *text);

/* Is it of this scheme with its options ("llm-int8:threshold=6")? */
bool agree_scheme(const json_t *row, const char *scheme);

#endif
