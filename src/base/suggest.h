/* "Did you mean ...": the nearest of a list of names. */
#ifndef OSC_BASE_SUGGEST_H
#define OSC_BASE_SUGGEST_H

#include <stddef.h>

/* The name with the smallest edit distance to `word` (insert, delete, replace,
 * swap of neighbours), or NULL if none is within a third of the word's length
 * (at least 2).  Words are cut at 63 bytes.  The result is one of `names`. */
const char *osc_nearest(const char *word, const char *const *names, size_t count);

#endif
