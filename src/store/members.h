/* Walks the members of a JSON object's text without building a tree of it: a
 * tree takes many times the text's size, and a hostile header has 100 MB.  The
 * walk is lexical; keys and values are handed out as slices for a JSON parser. */
#ifndef OSC_STORE_MEMBERS_H
#define OSC_STORE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { OSC_MEMBERS_DEPTH = 4 };   /* nested containers, the object itself being the first */

struct osc_members {
    const char *text;   /* borrowed */
    size_t      size;
    size_t      at;     /* next byte; once all members are read, the one after '}' */
};

struct osc_member {
    const char *key;     /* with its quotes */
    size_t      key_size;
    const char *value;   /* without space around it */
    size_t      value_size;
};

/* OSC_EFORMAT unless `text` begins with '{'. */
osc_status osc_members_start(struct osc_members *members, const char *text, size_t size);

/* The next member, or `*found` = false after the closing brace.  OSC_EFORMAT for
 * broken syntax between members and for values nested too deep; the syntax inside
 * keys and values is not looked at. */
osc_status osc_members_next(struct osc_members *members, struct osc_member *member, bool *found);

#endif
