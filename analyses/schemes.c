#include <config.h>
#include "analyses/schemes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyses/json_row.h"

osc_status schemes_add(scheme_cells *cells, const scheme_cell *cell)
{
    scheme_cell *grown = osc_grow(cells->cell, &cells->capacity, cells->count + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    cells->cell = grown;
    cells->cell[cells->count++] = *cell;
    return OSC_OK;
}

void schemes_free(scheme_cells *cells)
{
    osc_free(cells->cell);
    *cells = (scheme_cells){ .cell = NULL };
}

/* --- from JSON ------------------------------------------------------------------- */

bool schemes_are(const json_t *root)
{
    size_t i;
    json_t *row;
    json_array_foreach(root, i, row)
        if (!json_is_string(json_object_get(row, "scheme"))
            || json_object_get(row, "perplexity") == NULL
            || json_object_get(row, "nll") == NULL || json_object_get(row, "scored") == NULL)
            return false;
    return json_array_size(root) > 0;
}

static osc_status get_run(scheme_cell *cell, const json_t *row)
{
    double bos = cell->bos;
    OSC_TRY(json_row_text(cell->protocol, sizeof cell->protocol, row, "protocol"));
    OSC_TRY(json_row_text(cell->backend, sizeof cell->backend, row, "backend"));
    OSC_TRY(json_row_text(cell->model_sha256, sizeof cell->model_sha256, row, "model_sha256"));
    OSC_TRY(json_row_text(cell->tokenizer_sha256, sizeof cell->tokenizer_sha256, row,
                          "tokenizer_sha256"));
    OSC_TRY(json_row_text(cell->text_sha256, sizeof cell->text_sha256, row, "text_sha256"));
    OSC_TRY(osc_json_get_size(&cell->sequences, row, "sequences"));
    OSC_TRY(osc_json_get_size(&cell->length, row, "sequence_length"));
    OSC_TRY(osc_json_get_size(&cell->scored, row, "scored"));
    OSC_TRY(osc_json_get_double(&bos, row, "bos"));
    if (!(bos >= INT32_MIN && bos <= INT32_MAX && floor(bos) == bos))
        return osc_fail(OSC_EFORMAT, "\"bos\" is not an id");
    cell->bos = (int32_t)bos;
    return OSC_OK;
}

static osc_status parse_row(scheme_cell *cell, const json_t *row)
{
    OSC_TRY(json_row_text(cell->model, sizeof cell->model, row, "model"));
    OSC_TRY(json_row_scheme(cell->scheme, sizeof cell->scheme, row));
    OSC_TRY(get_run(cell, row));
    OSC_TRY(osc_json_get_double(&cell->nll, row, "nll"));
    OSC_TRY(osc_json_get_double(&cell->perplexity, row, "perplexity"));
    OSC_TRY(osc_json_get_double(&cell->columns, row, "columns_16bit"));
    OSC_TRY(osc_json_get_double(&cell->values, row, "values_16bit"));
    if (!isnan(cell->columns) && strcmp(cell->scheme, "none") != 0)
        cell->threshold = INFINITY;   /* which is null in JSON */
    return osc_json_get_double(&cell->threshold, row, "threshold");
}

osc_status schemes_parse(scheme_cells *cells, const json_t *root)
{
    size_t i, before = cells->count;
    json_t *row;
    json_array_foreach(root, i, row) {
        scheme_cell cell = { .bos = SCHEME_BOS_UNKNOWN, .nll = NAN, .perplexity = NAN,
                             .threshold = NAN, .columns = NAN, .values = NAN, .base = NAN,
                             .relative = NAN };
        char where[32];
        osc_status status = parse_row(&cell, row);
        snprintf(where, sizeof where, "row %zu", i + 1);
        if (status != OSC_OK)
            status = osc_fail_in(status, where);
        else
            status = schemes_add(cells, &cell);
        if (status != OSC_OK) {
            cells->count = before;
            return status;
        }
    }
    return OSC_OK;
}

/* --- groups ---------------------------------------------------------------------- */

/* Digests that are not recorded contradict nothing. */
static bool agree(const char *a, const char *b)
{
    return a[0] == '\0' || b[0] == '\0' || strcmp(a, b) == 0;
}

bool schemes_comparable(const scheme_cell *a, const scheme_cell *b)
{
    return strcmp(a->model, b->model) == 0 && strcmp(a->protocol, b->protocol) == 0
        && agree(a->model_sha256, b->model_sha256) && agree(a->text_sha256, b->text_sha256)
        && agree(a->tokenizer_sha256, b->tokenizer_sha256) && agree(a->backend, b->backend)
        && a->bos == b->bos && a->sequences == b->sequences && a->length == b->length
        && a->scored == b->scored;
}

/* Can cell number `index` be compared with all cells before it that are of this group? */
static bool fits(const scheme_cells *cells, size_t index, size_t group)
{
    bool all = true;
    for (size_t i = 0; i < index && all; i++)
        all = cells->cell[i].group != group
            || schemes_comparable(&cells->cell[i], &cells->cell[index]);
    return all;
}

void schemes_relate(scheme_cells *cells)
{
    cells->groups = 0;
    for (size_t i = 0; i < cells->count; i++) {
        size_t group = 0;
        while (group < cells->groups && !fits(cells, i, group))
            group++;
        cells->cell[i].group = group;
        cells->groups += group == cells->groups;
    }
    for (size_t i = 0; i < cells->count; i++) {
        scheme_cell *cell = &cells->cell[i];
        cell->base = NAN;
        for (size_t j = 0; j < cells->count && isnan(cell->base); j++)
            if (cells->cell[j].group == cell->group && strcmp(cells->cell[j].scheme, "none") == 0)
                cell->base = cells->cell[j].perplexity;
        cell->relative = cell->perplexity / cell->base;
    }
}

/* --- order ------------------------------------------------------------------------ */

/* Position in the table of schemes; what is not there comes behind. */
static size_t scheme_rank(const char *scheme)
{
    size_t i = 0, length = strcspn(scheme, ":");
    while (osc_schemes[i] != NULL && (strncmp(osc_schemes[i]->name, scheme, length) != 0
                                      || osc_schemes[i]->name[length] != '\0'))
        i++;
    return i;
}

static int by_group_and_scheme(const void *a, const void *b)
{
    const scheme_cell *x = a, *y = b;
    if (x->group != y->group) {
        double p = x->base, q = y->base;
        if (isnan(p) != isnan(q))
            return isnan(p) ? 1 : -1;
        if (p != q && !isnan(p))
            return p > q ? -1 : 1;
        return x->group < y->group ? -1 : 1;
    }
    size_t r = scheme_rank(x->scheme), t = scheme_rank(y->scheme);
    return r != t ? (r < t ? -1 : 1) : strcmp(x->scheme, y->scheme);
}

void schemes_sort(scheme_cells *cells)
{
    schemes_relate(cells);
    if (cells->count > 0)
        qsort(cells->cell, cells->count, sizeof *cells->cell, by_group_and_scheme);
    schemes_relate(cells);
}
