/* The lines of a text, numbered from 1. */
#ifndef OSC_TEXT_LINES_H
#define OSC_TEXT_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Start from { .rest = text, .end = text + size }. */
typedef struct {
    const char *text;     /* of the current line, without its newline */
    size_t      size;
    size_t      number;   /* of the current line, 0 before the first */
    const char *rest;     /* what follows it */
    const char *end;
} osc_lines;

/* Goes to the next line; false at the end of the text. */
bool osc_lines_next(osc_lines *lines);

/* Whether the current line has only blanks, tabs and a carriage return. */
bool osc_lines_blank(const osc_lines *lines);

/* Puts "line N: " in front of the recorded message. */
osc_status osc_lines_fail(const osc_lines *lines, osc_status status);

#endif
