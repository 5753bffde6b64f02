/* The tables of `emergence`. */
#include <config.h>
#include "analyses/emergence.h"

#include <math.h>
#include <string.h>

#include "analyses/published.h"
#include "analyses/record_text.h"

/* --- points ------------------------------------------------------------------------------ */

enum { POINT_COLUMNS = EMERGENCE_QUANTITIES + 4 };

/* Of the quantities that the records have; returns the columns. */
static size_t fill_columns(table_column *column, const emergence_family *records)
{
    size_t n = 0;
    column[n++] = (table_column){ "model", "", TABLE_LEFT, TABLE_ALWAYS };
    for (size_t q = 0; q < EMERGENCE_QUANTITIES; q++) {
        const emergence_quantity_info *info = &emergence_quantities[q];
        if (emergence_known(records, (emergence_quantity)q))
            column[n++] = (table_column){ info->header, info->unit != NULL ? info->unit : "",
                                          TABLE_RIGHT, TABLE_ALWAYS };
    }
    column[n++] = (table_column){ "source", "", TABLE_LEFT, TABLE_DATA };
    column[n++] = (table_column){ "complete", "", TABLE_LEFT, TABLE_DATA };
    column[n++] = (table_column){ "record", "", TABLE_LEFT, TABLE_DATA };
    return n;
}

static void quantity_cell(table *t, table_format format, emergence_quantity q, double value)
{
    const emergence_quantity_info *info = &emergence_quantities[q];
    char text[32];
    if (q == EMERGENCE_PARAMETERS && format != TABLE_CSV)
        table_cell(t, "%s", record_parameters_text(text, sizeof text, (uint64_t)value));
    else
        table_number(t, format, info->decimals, info->unit != NULL ? 100 * value : value);
}

static void point_rows(table *t, const emergence_set *set, const emergence_family *family,
                       table_format format)
{
    bool published = family == &set->published;
    for (size_t i = 0; i < family->count; i++) {
        const emergence_point *p = &family->point[i];
        table_cell(t, "%s%s", p->name, published && format != TABLE_CSV ? ", published" : "");
        for (size_t q = 0; q < EMERGENCE_QUANTITIES; q++)
            if (emergence_known(&set->records, (emergence_quantity)q))
                quantity_cell(t, format, (emergence_quantity)q, p->value[q]);
        table_cell(t, "%s", published ? published_source : "record");
        table_cell(t, "%s", p->incomplete ? "no" : "yes");
        table_cell(t, "%s", published ? "" : set->result[i].path);
    }
}

static void add_note(void *user, const char *text)
{
    table_note(user, "%s", text);
}

static void note_points(table *t, const emergence_set *set)
{
    const outlier_result *first = &set->result[0];
    char text[512];
    if (emergence_alike(set)) {
        record_protocol_text(text, sizeof text, &first->info, first->protocol, first->scheme);
        table_note(t, "%s; alpha %g.", text, first->info.alpha);
    }
    table_note(t, "Outlier: |x| >= alpha %s.",
               outliers_rule_text(text, sizeof text, &set->options.outliers.rule, ">="));
    table_note(t, "Layers and positions: %s, 0 without outliers; median: of the most common "
               "outlier.", set->options.mean ? "mean over the outliers"
                                             : "of the most common outlier");
    if (emergence_known(&set->records, EMERGENCE_MMR))
        table_note(t, "%s", emergence_measures);
    if (set->published.count > 0)
        table_note(t, "Published: %s; in no statistic or curve of the records.",
                   published_source);
    emergence_cautions(set, add_note, t);
}

osc_status emergence_write_points(const emergence_set *set, table_format format, FILE *out)
{
    table *t;
    table_column columns[POINT_COLUMNS];
    size_t count = fill_columns(columns, &set->records);
    OSC_TRY(table_create(&t, NULL, columns, count));
    point_rows(t, set, &set->records, format);
    point_rows(t, set, &set->published, format);
    note_points(t, set);
    osc_status status = table_write(t, format, out);
    table_free(t);
    return status;
}

/* --- relations ----------------------------------------------------------------------------- */

static const table_column relation_columns[] = {
    { "relation", "", TABLE_LEFT, TABLE_ALWAYS },
    { "figure", "", TABLE_LEFT, TABLE_ALWAYS },
    { "source", "", TABLE_LEFT, TABLE_DATA },
    { "n", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "rho", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "p", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "by", "", TABLE_LEFT, TABLE_ALWAYS },
    { "least p", "", TABLE_RIGHT, TABLE_DATA },
    { "curve", "", TABLE_LEFT, TABLE_ALWAYS },
    { "parameters [95 % confidence]", "", TABLE_LEFT, TABLE_PEOPLE },
    { "midpoint or rate", "", TABLE_RIGHT, TABLE_DATA },
    { "low", "", TABLE_RIGHT, TABLE_DATA },
    { "high", "", TABLE_RIGHT, TABLE_DATA },
    { "slope or amplitude", "", TABLE_RIGHT, TABLE_DATA },
    { "low", "", TABLE_RIGHT, TABLE_DATA },
    { "high", "", TABLE_RIGHT, TABLE_DATA },
    { "ceiling", "", TABLE_RIGHT, TABLE_DATA },
    { "low", "", TABLE_RIGHT, TABLE_DATA },
    { "high", "", TABLE_RIGHT, TABLE_DATA },
    { "origin", "", TABLE_RIGHT, TABLE_DATA },
    { "residual", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "refused", "", TABLE_LEFT, TABLE_DATA },
};

static void p_cell(table *t, table_format format, double p)
{
    if (format != TABLE_CSV && p >= 0)
        table_cell(t, "%.2g", p);
    else
        table_number(t, format, 4, p);
}

static void ranks_cells(table *t, table_format format, const ranks_result *r)
{
    const char *method = ranks_method_name(r->method);
    table_cell(t, "%zu", r->n);
    table_number(t, format, 3, r->rho);
    p_cell(t, format, r->p);
    table_cell(t, "%s", method != NULL ? method : "-");
    p_cell(t, format, r->least_p);
}

static void fit_cells(table *t, table_format format, const emergence_relation *r,
                      const fit_result *fit)
{
    char parameters[384];
    bool fitted = fit->refused[0] == '\0';
    const emergence_quantity_info *y = &emergence_quantities[r->y];
    table_cell(t, "%s", fitted ? fit_form_name(fit->form) : "none");
    table_cell(t, "%s", emergence_parameters_text(parameters, sizeof parameters, r, fit));
    for (size_t i = 0; i < FIT_PARAMETERS_MOST; i++) {
        bool known = fitted && i < fit->parameters;
        table_number(t, format, 4, known ? fit->value[i] : NAN);
        table_number(t, format, 4, known ? fit->low[i] : NAN);
        table_number(t, format, 4, known ? fit->high[i] : NAN);
    }
    table_number(t, format, 4, fitted ? fit->origin : NAN);
    if (format == TABLE_CSV || y->unit == NULL)
        table_number(t, format, 2, fitted ? fit->residual : NAN);
    else if (fitted)
        table_cell(t, "%.1f %s", 100 * fit->residual, y->unit);
    else
        table_cell(t, "-");
    table_cell(t, "%s", fit->refused);
}

static void relation_rows(table *t, const emergence_set *set, const emergence_family *family,
                          table_format format)
{
    bool published = family == &set->published;
    char text[64];
    for (size_t i = 0; i < EMERGENCE_RELATIONS; i++) {
        const emergence_relation *r = &emergence_relations[i];
        if (!emergence_relates(family, i))
            continue;
        table_cell(t, "%s%s", emergence_relation_text(text, sizeof text, r),
                   published && format != TABLE_CSV ? ", published" : "");
        table_cell(t, "%s", r->figure < 0 ? "" : emergence_figures[r->figure].number);
        table_cell(t, "%s", published ? published_source : "records");
        ranks_cells(t, format, &family->outcome[i].ranks);
        fit_cells(t, format, r, &family->outcome[i].fit);
    }
}

/* Why a relation has no correlation, or no curve; "" if it has, or is not shown. */
static const char *refusal(const emergence_family *family, size_t i, bool curve)
{
    const emergence_outcome *o = &family->outcome[i];
    return !emergence_relates(family, i) ? "" : curve ? o->fit.refused : o->ranks.refused;
}

/* "No curve: all values of y are equal (layers by parameters, ...)": a line per reason. */
static void note_refusals(table *t, const emergence_family *family, const char *whose,
                          bool curve)
{
    for (size_t i = 0; i < EMERGENCE_RELATIONS; i++) {
        char list[800] = "", name[64];
        const char *why = refusal(family, i, curve);
        size_t used = 0;
        bool first = why[0] != '\0';
        for (size_t j = 0; j < i; j++)
            first &= strcmp(refusal(family, j, curve), why) != 0;
        for (size_t j = i; j < EMERGENCE_RELATIONS && first && used < sizeof list; j++)
            if (strcmp(refusal(family, j, curve), why) == 0)
                used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", j > i ? ", " : "",
                                         emergence_relation_text(name, sizeof name,
                                                                 &emergence_relations[j]));
        if (first)
            table_note(t, "No %s%s: %s (%s).", curve ? "curve" : "rank correlation", whose, why,
                       list);
    }
}

/* Curves whose steepness may as well be none. */
static void note_flat(table *t, const emergence_family *family, const char *whose)
{
    char list[800] = "", name[64];
    size_t used = 0;
    for (size_t i = 0; i < EMERGENCE_RELATIONS && used < sizeof list; i++)
        if (fit_shows_nothing(&family->outcome[i].fit))
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "",
                                     emergence_relation_text(name, sizeof name,
                                                             &emergence_relations[i]));
    if (used > 0)
        table_note(t, "No rise is shown%s, the interval of the slope or rate holds 0: %s.", whose,
                   list);
}

/* What so few points can show at best. */
static void note_least_p(table *t, const emergence_family *family, const char *whose)
{
    const ranks_result *worst = NULL;
    for (size_t i = 0; i < EMERGENCE_RELATIONS; i++) {
        const ranks_result *r = &family->outcome[i].ranks;
        if (r->least_p > 0.05 && (worst == NULL || r->least_p > worst->least_p))
            worst = r;
    }
    if (worst != NULL)
        table_note(t, "%zu points%s can give no p below %.2g, whatever their order.", worst->n,
                   whose, worst->least_p);
}

static void note_family(table *t, const emergence_family *family, const char *whose)
{
    note_refusals(t, family, whose, false);
    note_refusals(t, family, whose, true);
    note_flat(t, family, whose);
    note_least_p(t, family, whose);
}

osc_status emergence_write_relations(const emergence_set *set, table_format format, FILE *out)
{
    table *t;
    OSC_TRY(table_create(&t, NULL, relation_columns,
                         sizeof relation_columns / sizeof *relation_columns));
    relation_rows(t, set, &set->records, format);
    if (set->published.count > 0)
        relation_rows(t, set, &set->published, format);
    table_note(t, "rho: Spearman's rank correlation; p: two-sided, over permutations; logistic: "
               "in log10 of the parameters; exponential: in perplexity, its amplitude at the "
               "lowest one; residual: standard deviation about the curve.");
    note_family(t, &set->records, "");
    if (set->published.count > 0)
        note_family(t, &set->published, " (published)");
    osc_status status = table_write(t, format, out);
    table_free(t);
    return status;
}
