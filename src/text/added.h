/* Added tokens: those that are looked for in a text before it is cut in any other way. */
#ifndef OSC_TEXT_ADDED_H
#define OSC_TEXT_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/chars.h"

typedef struct {
    int32_t id;
    bool    single_word;      /* only where no character of a word is next to it */
    bool    lstrip, rstrip;   /* it takes the white space on that side with it */
} osc_added_token;

/* A set of them; immutable once made. */
typedef struct osc_added osc_added;

osc_status osc_added_create(osc_added **added);
void osc_added_free(osc_added *added);

/* Adds a token that is spelled so in texts (`size` bytes, OSC_EUNSUP over 1000: the time
 * to look for it grows with them).  Of two spelled alike the later one counts; an empty
 * one is never found. */
osc_status osc_added_put(osc_added *added, const char *spelling, size_t size,
                         const osc_added_token *token);

/* One search through a text; start from { .added, .reader, .text, .size }. */
typedef struct {
    const osc_added *added;
    osc_char_reader *reader;
    const uint8_t   *text;
    size_t           size;
    size_t           at;      /* where it goes on */
    size_t           start;   /* of the token found last, stripped white space included */
    size_t           end;
    int32_t          id;
    size_t           space, space_end;   /* white space gone through last */
} osc_added_search;

/* Finds the next token, leftmost and of those the longest; false if there is none.  As in
 * the tokenizers package, if a token has taken white space in which the next one begins,
 * `start` is before the previous `end`, and if nothing is left for an lstrip one, its
 * `start` is not before its `end` and it does not count. */
bool osc_added_next(osc_added_search *search);

#endif
