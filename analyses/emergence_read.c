#include <config.h>
#include "analyses/emergence.h"

#include <math.h>
#include <string.h>

#include "analyses/published.h"
#include "analyses/utf8.h"

enum { NAME_MOST = 36 };

/* --- points ----------------------------------------------------------------------------- */

static bool name_taken(const emergence_family *family, size_t before, const char *name)
{
    for (size_t i = 0; i < before; i++)
        if (strcmp(family->point[i].name, name) == 0)
            return true;
    return false;
}

/* Bytes of the first characters that take no more than `most`. */
static int start_of(const char *text, int most)
{
    const char *next = text;
    int length = 0;
    while (*next != '\0' && next - text <= most) {
        length = (int)(next - text);
        utf8_next(&next);
    }
    return next - text <= most ? (int)(next - text) : length;
}

/* The model's name, cut where it is long; " (2)" and so on behind it if an earlier point
 * has it. */
static void name_point(emergence_family *family, size_t i, const char *model)
{
    char *name = family->point[i].name;
    int length = start_of(model, NAME_MOST);
    const char *more = model[length] != '\0' ? "..." : "";
    snprintf(name, EMERGENCE_NAME, "%.*s%s", length, model, more);
    for (unsigned number = 2; name_taken(family, i, name); number++)
        snprintf(name, EMERGENCE_NAME, "%.*s%s (%u)", length, model, more, number);
}

static osc_status own_points(emergence_family *family, size_t count)
{
    family->point = osc_alloc(count, sizeof *family->point);
    family->count = count;
    return family->point == NULL ? OSC_ENOMEM : OSC_OK;
}

static osc_status take_records(emergence_set *set)
{
    OSC_TRY(own_points(&set->records, set->records.count));
    for (size_t i = 0; i < set->records.count; i++) {
        emergence_point *p = &set->records.point[i];
        p->incomplete = !set->result[i].info.complete;
        for (size_t q = 0; q < EMERGENCE_QUANTITIES; q++)
            p->value[q] = emergence_quantities[q].of_record(&set->result[i], &set->options);
        name_point(&set->records, i, set->result[i].model);
    }
    return OSC_OK;
}

static osc_status take_published(emergence_set *set)
{
    OSC_TRY(own_points(&set->published, PUBLISHED_MODELS));
    for (size_t i = 0; i < PUBLISHED_MODELS; i++) {
        emergence_point *p = &set->published.point[i];
        for (size_t q = 0; q < EMERGENCE_QUANTITIES; q++)
            p->value[q] = emergence_quantities[q].of_published == NULL ? NAN
                        : emergence_quantities[q].of_published(i);
        name_point(&set->published, i, published_models[i].model);
    }
    return OSC_OK;
}

/* --- relations --------------------------------------------------------------------------- */

/* Curves over parameters are curves over their logarithm. */
double emergence_abscissa(emergence_quantity x, double value)
{
    return emergence_quantities[x].log ? log10(value) : value;
}

static osc_status relate(emergence_family *family, size_t index, double *x, double *y,
                         uint64_t seed)
{
    const emergence_relation *relation = &emergence_relations[index];
    emergence_outcome *outcome = &family->outcome[index];
    size_t n = 0;
    for (size_t i = 0; i < family->count; i++) {
        const double *value = family->point[i].value;
        x[n] = emergence_abscissa(relation->x, value[relation->x]);
        y[n] = value[relation->y];
        n += isfinite(x[n]) && isfinite(y[n]);
    }
    OSC_TRY(ranks_spearman(&outcome->ranks, x, y, n, seed));
    return fit_curve(&outcome->fit, relation->form, x, y, n);
}

static osc_status relate_all(emergence_family *family, uint64_t seed)
{
    double *x = osc_alloc(family->count, sizeof *x), *y = osc_alloc(family->count, sizeof *y);
    osc_status status = x != NULL && y != NULL ? OSC_OK : OSC_ENOMEM;
    for (size_t i = 0; i < EMERGENCE_RELATIONS && status == OSC_OK; i++)
        status = relate(family, i, x, y, seed);
    osc_free(x);
    osc_free(y);
    return status;
}

/* --- records ---------------------------------------------------------------------------- */

static osc_status read_records(emergence_set *set, char *const *paths, size_t count)
{
    set->result = osc_alloc(count, sizeof *set->result);
    if (set->result == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        OSC_TRY(outliers_read(&set->result[i], paths[i], &set->options.outliers));
        set->result[i].order = i;
        set->records.count = i + 1;
    }
    outliers_sort(set->result, count, OUTLIERS_PERPLEXITY);
    return OSC_OK;
}

osc_status emergence_read(emergence_set *set, char *const *paths, size_t count,
                          const emergence_options *options)
{
    emergence_set made = { .options = *options };
    made.options.outliers.all = false;
    osc_status status = read_records(&made, paths, count);
    if (status == OSC_OK)
        status = take_records(&made);
    if (status == OSC_OK)
        status = relate_all(&made.records, options->seed);
    if (status == OSC_OK && options->published)
        status = take_published(&made);
    if (status == OSC_OK && options->published)
        status = relate_all(&made.published, options->seed);
    if (status == OSC_OK)
        *set = made;
    else
        emergence_free(&made);
    return status;
}

void emergence_free(emergence_set *set)
{
    for (size_t i = 0; i < set->records.count; i++)
        outliers_free(&set->result[i]);
    osc_free(set->result);
    osc_free(set->records.point);
    osc_free(set->published.point);
    *set = (emergence_set){ .result = NULL };
}
