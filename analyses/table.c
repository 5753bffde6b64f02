#include <config.h>
#include "analyses/table.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "analyses/options.h"
#include "analyses/table_parts.h"

osc_status table_format_parse(table_format *format, const char *name)
{
    static const char *const names[TABLE_FORMAT_COUNT] = {
        [TABLE_TEXT] = "text", [TABLE_MD] = "md", [TABLE_CSV] = "csv",
        [TABLE_LATEX] = "latex", [TABLE_HTML] = "html", [TABLE_JSON] = "json",
    };
    size_t index;
    OSC_TRY(option_choice(&index, "--format", name, names, TABLE_FORMAT_COUNT));
    *format = (table_format)index;
    return OSC_OK;
}

static char *copy_of(const char *text)
{
    return osc_copy_string(text, strlen(text));
}

osc_status table_create(table **made, const char *title, const table_column *columns, size_t count)
{
    table *t = osc_alloc(1, sizeof *t);
    if (t == NULL)
        return OSC_ENOMEM;
    t->columns = osc_alloc(count, sizeof *t->columns);
    bool failed = t->columns == NULL;
    if (title != NULL)
        failed |= (t->title = copy_of(title)) == NULL;
    for (size_t i = 0; i < count && !failed; i++) {
        t->columns[i] = columns[i];
        t->columns[i].header = copy_of(columns[i].header);
        t->columns[i].unit = copy_of(columns[i].unit);
        t->width = i + 1;
        failed = t->columns[i].header == NULL || t->columns[i].unit == NULL;
    }
    if (failed) {
        table_free(t);
        return OSC_ENOMEM;
    }
    *made = t;
    return OSC_OK;
}

static void release(table_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        osc_free(strings->text[i]);
    osc_free(strings->text);
}

void table_free(table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->width; i++) {
        osc_free((void *)(uintptr_t)t->columns[i].header);
        osc_free((void *)(uintptr_t)t->columns[i].unit);
    }
    release(&t->cells);
    release(&t->notes);
    osc_free(t->columns);
    osc_free(t->title);
    osc_free(t);
}

/* Takes `text`, which may be NULL, whatever happens. */
static bool append(table_strings *strings, char *text)
{
    char **grown = text == NULL ? NULL : osc_grow(strings->text, &strings->capacity,
                                                  strings->count + 1, sizeof *grown);
    if (grown == NULL) {
        osc_free(text);
        return false;
    }
    strings->text = grown;
    strings->text[strings->count++] = text;
    return true;
}

__attribute__((format(printf, 1, 0)))
static char *print(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length < 0 ? NULL : osc_alloc((size_t)length + 1, 1);
    if (text != NULL)
        vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

void table_cell(table *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    t->failed |= !append(&t->cells, print(format, args));
    va_end(args);
}

void table_number(table *t, table_format format, int decimals, double value)
{
    if (!isfinite(value))
        table_cell(t, "%s", format == TABLE_CSV ? "" : "-");
    else if (format != TABLE_CSV)
        table_cell(t, "%.*f", decimals, value);
    else {
        char text[32];
        snprintf(text, sizeof text, "%.15g", value);
        table_cell(t, "%.*g", strtod(text, NULL) == value ? 15 : 17, value);
    }
}

void table_note(table *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    t->failed |= !append(&t->notes, print(format, args));
    va_end(args);
}
