/* Just enough UTF-8 to align tables and to keep hostile text out of them. */
#ifndef ANALYSES_UTF8_H
#define ANALYSES_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { UTF8_BAD = 0xfffd };   /* stands for bytes that are no character */

/* Reads the character at `*text`, which is not at its end, and moves past it; a
 * byte that starts no valid character gives UTF8_BAD and is passed alone. */
uint32_t utf8_next(const char **text);

/* Columns that a character takes on a terminal: 0 (combining), 1 or 2. */
size_t utf8_columns(uint32_t character);

/* The same, summed over a text as utf8_put would write it. */
size_t utf8_width(const char *text);

/* Writes a character; control characters, which could steer a terminal and which
 * XML forbids, are written as a space. */
void utf8_put(FILE *out, uint32_t character);

/* A copy that is valid UTF-8 (osc_free); NULL when out of memory. */
char *utf8_clean(const char *text);

#endif
