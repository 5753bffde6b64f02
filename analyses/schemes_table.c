/* Perplexities of schemes as tables. */
#include <config.h>
#include "analyses/schemes.h"

#include <math.h>
#include <string.h>

/* --- notes ------------------------------------------------------------------------ */

void schemes_note_protocol(table *t, const char *name, int32_t id)
{
    osc_protocol protocol;
    char bos[32] = "no bos";
    bool known = osc_protocol_parse(&protocol, name) == OSC_OK;
    if (known && protocol == OSC_TOKENS)
        snprintf(bos, sizeof bos, "as they are");
    else if (id == SCHEME_BOS_UNKNOWN)
        snprintf(bos, sizeof bos, "bos not recorded");
    else if (id >= 0)
        snprintf(bos, sizeof bos, "bos %d", (int)id);
    table_note(t, "protocol %s%s%s (%s)", name, known ? ": " : "",
               known ? osc_protocol_summary(protocol) : "", bos);
}

/* The corpora of several models may differ: each difference is told. */
static void add_notes(table *t, const scheme_cells *cells)
{
    const scheme_cell *last = NULL;
    for (size_t group = 0; group < cells->groups; group++) {
        size_t i = 0;
        while (cells->cell[i].group != group)
            i++;
        const scheme_cell *c = &cells->cell[i];
        if (last == NULL || strcmp(last->protocol, c->protocol) != 0 || last->bos != c->bos)
            schemes_note_protocol(t, c->protocol, c->bos);
        table_note(t, "%s: %zu sequence%s of at most %zu ids, %zu scored", c->model, c->sequences,
                   c->sequences == 1 ? "" : "s", c->length, c->scored);
        last = c;
    }
}

/* --- schemes x models: the paper's Table 1 ----------------------------------------- */

static const scheme_cell *find(const scheme_cells *cells, size_t group, const char *scheme)
{
    for (size_t i = 0; i < cells->count; i++)
        if (cells->cell[i].group == group
            && (scheme == NULL || strcmp(cells->cell[i].scheme, scheme) == 0))
            return &cells->cell[i];
    return NULL;
}

/* Is it the first cell of its scheme? */
static bool first_of(const scheme_cells *cells, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(cells->cell[i].scheme, cells->cell[index].scheme) == 0)
            return false;
    return true;
}

static osc_status create_matrix(table **t, const scheme_cells *cells, table_format format)
{
    size_t width = 1 + 2 * cells->groups;
    table_column *columns = osc_alloc(width, sizeof *columns);
    char (*names)[SCHEME_NAME + 16] = osc_alloc(width, sizeof *names);
    osc_status status = OSC_ENOMEM;
    if (columns != NULL && names != NULL) {
        columns[0] = (table_column){ "scheme", "", TABLE_LEFT, TABLE_ALWAYS };
        for (size_t i = 1; i < width; i++) {
            const char *model = find(cells, (i - 1) / 2, NULL)->model;
            if (format == TABLE_CSV)   /* every column of its own name */
                snprintf(names[i], sizeof names[i], "%s %s", model,
                         i % 2 == 1 ? "perplexity" : "relative");
            else
                snprintf(names[i], sizeof names[i], "%s", i % 2 == 1 ? model : "relative");
            columns[i] = (table_column){ names[i], "", TABLE_RIGHT, TABLE_ALWAYS };
        }
        status = table_create(t, NULL, columns, width);
    }
    osc_free(columns);
    osc_free(names);
    return status;
}

osc_status schemes_write_matrix(const scheme_cells *cells, table_format format, FILE *out)
{
    table *t;
    OSC_TRY(create_matrix(&t, cells, format));
    for (size_t i = 0; i < cells->count; i++) {
        if (!first_of(cells, i))
            continue;
        table_cell(t, "%s", cells->cell[i].scheme);
        for (size_t group = 0; group < cells->groups; group++) {
            const scheme_cell *c = find(cells, group, cells->cell[i].scheme);
            table_number(t, format, 4, c != NULL ? c->perplexity : NAN);
            table_number(t, format, 4, c != NULL ? c->relative : NAN);
        }
    }
    table_note(t, "Perplexity; relative: over that of scheme none.");
    add_notes(t, cells);
    osc_status status = table_write(t, format, out);
    table_free(t);
    return status;
}

/* --- threshold study ----------------------------------------------------------------- */

osc_status schemes_write_study(const scheme_cells *cells, table_format format, FILE *out)
{
    static const table_column columns[] = {
        { "model", "", TABLE_LEFT, TABLE_ALWAYS },
        { "scheme", "", TABLE_LEFT, TABLE_ALWAYS },
        { "threshold", "", TABLE_RIGHT, TABLE_DATA },
        { "perplexity", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "relative", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "columns in 16 bit", "%", TABLE_RIGHT, TABLE_ALWAYS },
        { "values in 16 bit", "%", TABLE_RIGHT, TABLE_ALWAYS },
    };
    table *t;
    OSC_TRY(table_create(&t, NULL, columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < cells->count; i++) {
        const scheme_cell *c = &cells->cell[i];
        table_cell(t, "%s", c->model);
        table_cell(t, "%s", c->scheme);
        if (isinf(c->threshold))
            table_cell(t, "inf");
        else
            table_number(t, format, 4, c->threshold);
        table_number(t, format, 4, c->perplexity);
        table_number(t, format, 4, c->relative);
        table_number(t, format, 3, 100 * c->columns);
        table_number(t, format, 3, 100 * c->values);
    }
    table_note(t, "Columns: mean over all calls of linear layers of the share of the input's "
               "columns kept out of int8; values: such values over all input values.");
    add_notes(t, cells);
    osc_status status = table_write(t, format, out);
    table_free(t);
    return status;
}
