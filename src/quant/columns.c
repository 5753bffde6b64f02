#include <config.h>
#include "quant/columns.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

enum { FILE_MOST = 64 << 20, COLUMN_MOST = 1 << 24 };

static const char *const inputs[] = { "qkv_in", "out_in", "fc1_in", "fc2_in" };

/* The list that is looked for; `input` is NULL when the file is only checked. */
typedef struct {
    const char *path, *input;
    size_t      layer, width;
    uint32_t   *columns;
    size_t      count, capacity;
    bool        found;
} list;

/* A decimal number at *text, which moves behind it. */
static bool number(size_t *value, char **text, size_t most)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    unsigned long long read = strtoull(*text, &end, 10);
    if (read > most)
        return false;
    *value = (size_t)read;
    *text = end;
    return true;
}

/* "blocks.N.input:" at *text, which moves behind the colon. */
static bool heading(size_t *layer, const char **input, char **text)
{
    static const char start[] = "blocks.";
    if (strncmp(*text, start, sizeof start - 1) != 0)
        return false;
    *text += sizeof start - 1;
    if (!number(layer, text, COLUMN_MOST) || *(*text)++ != '.')
        return false;
    char *colon = strchr(*text, ':');
    for (size_t i = 0; colon != NULL && i < sizeof inputs / sizeof *inputs; i++) {
        size_t length = (size_t)(colon - *text);
        if (length == strlen(inputs[i]) && memcmp(*text, inputs[i], length) == 0) {
            *input = inputs[i];
            *text = colon + 1;
            return true;
        }
    }
    return false;
}

static osc_status add(list *l, size_t column, size_t line)
{
    if (column >= l->width)
        return osc_fail(OSC_EFORMAT, "%s:%zu: column %zu, but blocks.%zu.%s has %zu columns",
                        l->path, line, column, l->layer, l->input, l->width);
    uint32_t *grown = osc_grow(l->columns, &l->capacity, l->count + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    l->columns = grown;
    l->columns[l->count++] = (uint32_t)column;
    return OSC_OK;
}

static osc_status read_line(list *l, char *text, size_t line)
{
    size_t layer, column;
    const char *input;
    text[strcspn(text, "#\r")] = '\0';
    text += strspn(text, " \t");
    if (*text == '\0')
        return OSC_OK;
    if (!heading(&layer, &input, &text))
        return osc_fail(OSC_EFORMAT, "%s:%zu: expected \"blocks.N.POINT: COLUMN ...\" with POINT "
                        "one of qkv_in, out_in, fc1_in, fc2_in", l->path, line);
    bool mine = l->input != NULL && layer == l->layer && strcmp(input, l->input) == 0;
    if (mine && l->found)
        return osc_fail(OSC_EFORMAT, "%s:%zu: a second line of blocks.%zu.%s", l->path, line,
                        layer, input);
    l->found = l->found || mine;
    for (text += strspn(text, " \t"); *text != '\0'; text += strspn(text, " \t")) {
        if (!number(&column, &text, COLUMN_MOST) || strchr(" \t", *text) == NULL)
            return osc_fail(OSC_EFORMAT, "%s:%zu: '%.20s' is not a column number", l->path, line,
                            text);
        if (mine)
            OSC_TRY(add(l, column, line));
    }
    return OSC_OK;
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static osc_status sort(list *l)
{
    if (l->count > 0)
        qsort(l->columns, l->count, sizeof *l->columns, ascending);
    for (size_t i = 1; i < l->count; i++)
        if (l->columns[i] == l->columns[i - 1])
            return osc_fail(OSC_EFORMAT, "%s: column %u is there twice in blocks.%zu.%s", l->path,
                            (unsigned)l->columns[i], l->layer, l->input);
    return OSC_OK;
}

static osc_status read_file(list *l)
{
    char *text;
    size_t size, line = 1;
    osc_status status = OSC_OK;
    OSC_TRY(osc_read_file(&text, &size, l->path, FILE_MOST));
    if (memchr(text, '\0', size) != NULL)
        status = osc_fail(OSC_EFORMAT, "%s: not a text file", l->path);
    for (char *at = text; status == OSC_OK && at != NULL; line++) {
        char *end = strchr(at, '\n');
        if (end != NULL)
            *end++ = '\0';
        status = read_line(l, at, line);
        at = end;
    }
    osc_free(text);
    return status == OSC_OK ? sort(l) : status;
}

osc_status osc_columns_check(const char *path)
{
    list l = { .path = path };
    return read_file(&l);
}

osc_status osc_columns_read(uint32_t **columns, size_t *count, const char *path, size_t layer,
                            const char *input, size_t width)
{
    list l = { .path = path, .input = input, .layer = layer, .width = width };
    osc_status status = read_file(&l);
    if (status != OSC_OK) {
        osc_free(l.columns);
        return status;
    }
    *columns = l.columns;
    *count = l.count;
    return OSC_OK;
}
