/* Text in XML and HTML. */
#ifndef ANALYSES_MARKUP_H
#define ANALYSES_MARKUP_H

#include <stddef.h>
#include <stdio.h>

/* Writes the first `bytes` bytes of `text` so that they are text wherever they stand,
 * also between double or single quotes: markup is escaped, what is no character or not
 * allowed in XML is replaced. */
void markup_put(FILE *out, const char *text, size_t bytes);

/* A whole text. */
void markup_text(FILE *out, const char *text);

/* <name>text</name> */
void markup_element(FILE *out, const char *name, const char *text);

#endif
