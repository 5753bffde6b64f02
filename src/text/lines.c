#include <config.h>
#include "text/lines.h"

#include <stdio.h>
#include <string.h>

bool osc_lines_next(osc_lines *lines)
{
    if (lines->rest == lines->end)
        return false;
    const char *newline = memchr(lines->rest, '\n', (size_t)(lines->end - lines->rest));
    lines->text = lines->rest;
    lines->size = (size_t)((newline == NULL ? lines->end : newline) - lines->rest);
    lines->rest = newline == NULL ? lines->end : newline + 1;
    lines->number++;
    return true;
}

bool osc_lines_blank(const osc_lines *lines)
{
    for (size_t i = 0; i < lines->size; i++)
        if (memchr(" \t\r", lines->text[i], 3) == NULL)
            return false;
    return true;
}

osc_status osc_lines_fail(const osc_lines *lines, osc_status status)
{
    char place[32];
    snprintf(place, sizeof place, "line %zu", lines->number);
    return osc_fail_in(status, place);
}
