/* The tables of an ablation. */
#include <config.h>
#include "analyses/ablation.h"

#include <math.h>
#include <string.h>

#include "analyses/jsonout.h"

enum { LISTED_MOST = 10 };

/* "63 80 108", for people the first LISTED_MOST. */
static osc_status feature_cell(table *t, table_format format, const uint32_t *feature,
                               size_t count)
{
    size_t shown = format != TABLE_CSV && count > LISTED_MOST ? LISTED_MOST : count;
    size_t used = 0, size = 12 * shown + 16;
    char *text = osc_alloc(size, 1);
    if (text == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < shown; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%u", i > 0 ? " " : "",
                                 (unsigned)feature[i]);
    if (shown < count)
        snprintf(text + used, size - used, " ...");
    table_cell(t, "%s", text);
    osc_free(text);
    return OSC_OK;
}

/* --- the sets ------------------------------------------------------------------------ */

static const table_column set_columns[] = {
    { "model", "", TABLE_LEFT, TABLE_DATA },
    { "scheme", "", TABLE_LEFT, TABLE_DATA },
    { "taken out", "", TABLE_LEFT, TABLE_ALWAYS },
    { "number", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "features", "", TABLE_LEFT, TABLE_ALWAYS },
    { "perplexity", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "relative", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "nll", "", TABLE_RIGHT, TABLE_DATA },
    { "top-1", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "later top-1", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "mode", "", TABLE_LEFT, TABLE_DATA },
    { "points", "", TABLE_LEFT, TABLE_DATA },
    { "protocol", "", TABLE_LEFT, TABLE_DATA },
    { "sequences", "", TABLE_RIGHT, TABLE_DATA },
    { "sequence length", "", TABLE_RIGHT, TABLE_DATA },
    { "scored", "", TABLE_RIGHT, TABLE_DATA },
};

typedef struct {
    const ablation *a;
    table          *t;
    table_format    format;
} printing;

/* The columns behind the measures, which only data has. */
static void end_row(const printing *p)
{
    char points[128];
    table_cell(p->t, "%s", ablation_mode_names[p->a->mode]);
    table_cell(p->t, "%s", ablation_points_text(points, sizeof points, p->a->points));
    table_cell(p->t, "%s", osc_protocol_name(p->a->protocol));
    table_cell(p->t, "%zu", p->a->sequences);
    table_cell(p->t, "%zu", p->a->length);
    table_cell(p->t, "%zu", p->a->scored);
}

static void begin_row(const printing *p, const char *name, size_t number)
{
    table_cell(p->t, "%s", p->a->model);
    table_cell(p->t, "%s", p->a->scheme);
    table_cell(p->t, "%s", name);
    table_cell(p->t, "%zu", number);
}

static void measure_cells(const printing *p, double perplexity, double nll, double top1,
                          double later)
{
    table_number(p->t, p->format, 4, perplexity);
    table_number(p->t, p->format, 4, perplexity / ablation_baseline(p->a)->perplexity);
    table_number(p->t, p->format, 4, nll);
    table_number(p->t, p->format, 3, 100 * top1);
    table_number(p->t, p->format, 3, 100 * later);
    end_row(p);
}

static osc_status set_row(const printing *p, const char *name, size_t number,
                          const uint32_t *feature, const ablation_cell *cell)
{
    begin_row(p, name, number);
    OSC_TRY(feature_cell(p->t, p->format, feature, number));
    measure_cells(p, cell->perplexity, cell->nll,
                  ablation_value(p->a, cell, ABLATION_TOP1, ABLATION_ALL_BLOCKS),
                  ablation_value(p->a, cell, ABLATION_LATER, ABLATION_ALL_BLOCKS));
    return OSC_OK;
}

static void summary_row(const printing *p, const char *name, size_t step, double perplexity,
                        double top1, double later)
{
    begin_row(p, name, ablation_size(p->a, step));
    table_cell(p->t, "%s", "");
    measure_cells(p, perplexity, NAN, top1, later);
}

static osc_status summary_rows(const printing *p, size_t step)
{
    const ablation *a = p->a;
    ablation_summary s[ABLATION_QUANTITY_COUNT];
    if (a->draws == 0)
        return OSC_OK;
    for (size_t q = 0; q < ABLATION_QUANTITY_COUNT; q++)
        OSC_TRY(ablation_summarize(&s[q], a, step, (ablation_quantity)q, ABLATION_ALL_BLOCKS));
    const ablation_summary *ppl = &s[ABLATION_PERPLEXITY], *top1 = &s[ABLATION_TOP1];
    const ablation_summary *later = &s[ABLATION_LATER];
    summary_row(p, "random: mean", step, ppl->mean, top1->mean, later->mean);
    summary_row(p, "random: standard deviation", step, ppl->sd, top1->sd, later->sd);
    summary_row(p, "random: mean, lower end", step, ppl->low, top1->low, later->low);
    summary_row(p, "random: mean, upper end", step, ppl->high, top1->high, later->high);
    return OSC_OK;
}

static osc_status step_rows(const printing *p, size_t step)
{
    const ablation *a = p->a;
    size_t number = ablation_size(a, step);
    OSC_TRY(set_row(p, "chosen", number, a->feature, ablation_chosen(a, step)));
    for (size_t d = 0; d < a->draws; d++) {
        char name[32];
        snprintf(name, sizeof name, "random %zu", d + 1);
        OSC_TRY(set_row(p, name, number, a->drawn + d * a->features, ablation_draw(a, d, step)));
    }
    return summary_rows(p, step);
}

static void pool_note(const printing *p)
{
    const ablation *a = p->a;
    if (a->features == 0)
        table_note(p->t, "There is no outlier feature, so nothing was taken out; --top K or "
                   "--features takes out others.");
    if (a->draws == 0)
        return;
    if (a->pool == ABLATION_NEVER)
        table_note(p->t, "Random: from the %zu features that reach %g nowhere; seed %llu.",
                   a->pool_size, a->alpha, (unsigned long long)a->seed);
    else
        table_note(p->t, "Random: from the %zu features that are no outliers, as too few never "
                   "reach %g; seed %llu.", a->pool_size, a->alpha, (unsigned long long)a->seed);
    table_note(p->t, "Ends: %.0f %% bootstrap confidence interval (BCa) of the mean of the draws.",
               100 * ABLATION_LEVEL);
}

static void set_notes(const printing *p)
{
    const ablation *a = p->a;
    char points[128], bos[32] = "no bos";
    if (a->bos >= 0)
        snprintf(bos, sizeof bos, "bos %d", (int)a->bos);
    if (a->protocol == OSC_TOKENS)
        snprintf(bos, sizeof bos, "as they are");
    table_note(p->t, "Chosen: %s.", a->chosen_by);
    table_note(p->t, "Perplexity: features %s at %s of every block, cascading.",
               a->mode == ABLATION_MEAN ? "replaced by their means" : "zeroed",
               ablation_points_text(points, sizeof points, a->points));
    table_note(p->t, "Top-1: largest attention probability, mean over blocks, heads and queries, "
               "features %s at that block's attention input alone; later: without the first "
               "query.", a->mode == ABLATION_MEAN ? "replaced" : "zeroed");
    pool_note(p);
    table_note(p->t, "protocol %s: %s (%s), %zu sequence%s of at most %zu ids, %zu scored; "
               "scheme %s", osc_protocol_name(a->protocol), osc_protocol_summary(a->protocol), bos,
               a->sequences, a->sequences == 1 ? "" : "s", a->length, a->scored, a->scheme);
}

static osc_status write_sets(const ablation *a, table_format format, FILE *out)
{
    char title[300];
    printing p = { .a = a, .format = format };
    snprintf(title, sizeof title, "%.255s without features", a->model);
    OSC_TRY(table_create(&p.t, title, set_columns, sizeof set_columns / sizeof *set_columns));
    osc_status status = set_row(&p, "nothing", 0, NULL, ablation_baseline(a));
    for (size_t s = format == TABLE_CSV ? 0 : a->steps - 1; s < a->steps && status == OSC_OK; s++)
        status = step_rows(&p, s);
    set_notes(&p);
    if (status == OSC_OK)
        status = table_write(p.t, format, out);
    table_free(p.t);
    return status;
}

/* --- steps --------------------------------------------------------------------------- */

static const table_column step_columns[] = {
    { "number", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "the last", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "magnitude", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "perplexity", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "random", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "sd", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "from", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "to", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "top-1", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "random", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "sd", "%", TABLE_RIGHT, TABLE_ALWAYS },
};

static osc_status dose_row(const printing *p, size_t step)
{
    const ablation *a = p->a;
    const ablation_cell *cell = ablation_chosen(a, step);
    ablation_summary ppl, top1;
    OSC_TRY(ablation_summarize(&ppl, a, step, ABLATION_PERPLEXITY, ABLATION_ALL_BLOCKS));
    OSC_TRY(ablation_summarize(&top1, a, step, ABLATION_TOP1, ABLATION_ALL_BLOCKS));
    table_cell(p->t, "%zu", ablation_size(a, step));
    table_cell(p->t, "%u", (unsigned)a->feature[step]);
    table_number(p->t, p->format, 2, (double)a->magnitude[step]);
    table_number(p->t, p->format, 4, cell->perplexity);
    table_number(p->t, p->format, 4, ppl.mean);
    table_number(p->t, p->format, 4, ppl.sd);
    table_number(p->t, p->format, 4, ppl.low);
    table_number(p->t, p->format, 4, ppl.high);
    table_number(p->t, p->format, 3,
                 100 * ablation_value(a, cell, ABLATION_TOP1, ABLATION_ALL_BLOCKS));
    table_number(p->t, p->format, 3, 100 * top1.mean);
    table_number(p->t, p->format, 3, 100 * top1.sd);
    return OSC_OK;
}

static osc_status write_steps(const ablation *a, table_format format, FILE *out)
{
    printing p = { .a = a, .format = format };
    osc_status status = OSC_OK;
    OSC_TRY(table_create(&p.t, "One more at a time, by falling magnitude", step_columns,
                         sizeof step_columns / sizeof *step_columns));
    for (size_t s = 0; s < a->steps && status == OSC_OK; s++)
        status = dose_row(&p, s);
    table_note(p.t, "Random: mean, standard deviation and confidence interval of %zu draws, each "
               "cut to as many features.", a->draws);
    if (status == OSC_OK)
        status = table_write(p.t, format, out);
    table_free(p.t);
    return status;
}

/* --- blocks -------------------------------------------------------------------------- */

static const table_column block_columns[] = {
    { "block", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "nothing", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "chosen", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "random", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "sd", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "later: nothing", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "chosen", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "random", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "sd", "%", TABLE_RIGHT, TABLE_ALWAYS },
};

static osc_status block_row(const printing *p, int block)
{
    const ablation *a = p->a;
    static const ablation_quantity both[] = { ABLATION_TOP1, ABLATION_LATER };
    size_t last = a->steps - 1;
    table_cell(p->t, "%d", block);
    for (size_t q = 0; q < 2; q++) {
        ablation_summary s;
        OSC_TRY(ablation_summarize(&s, a, last, both[q], block));
        table_number(p->t, p->format, 3,
                     100 * ablation_value(a, ablation_baseline(a), both[q], block));
        table_number(p->t, p->format, 3,
                     100 * ablation_value(a, ablation_chosen(a, last), both[q], block));
        table_number(p->t, p->format, 3, 100 * s.mean);
        table_number(p->t, p->format, 3, 100 * s.sd);
    }
    return OSC_OK;
}

static osc_status write_blocks(const ablation *a, table_format format, FILE *out)
{
    printing p = { .a = a, .format = format };
    osc_status status = OSC_OK;
    OSC_TRY(table_create(&p.t, "Attention top-1 mass by block", block_columns,
                         sizeof block_columns / sizeof *block_columns));
    for (size_t b = 0; b < a->layers && status == OSC_OK; b++)
        status = block_row(&p, (int)b);
    if (status == OSC_OK)
        status = table_write(p.t, format, out);
    table_free(p.t);
    return status;
}

/* -------------------------------------------------------------------------------------- */

osc_status ablation_write(const ablation *a, table_format format, FILE *out)
{
    if (format == TABLE_JSON)
        return json_out_write(ablation_json(a), out);
    OSC_TRY(write_sets(a, format, out));
    if (format == TABLE_CSV)
        return OSC_OK;
    if (a->cumulative && a->features > 0) {
        fputc('\n', out);
        OSC_TRY(write_steps(a, format, out));
    }
    fputc('\n', out);
    return write_blocks(a, format, out);
}
