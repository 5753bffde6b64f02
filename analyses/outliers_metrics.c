/* The second table of `outliers`: measures that know no threshold of magnitude. */
#include <config.h>
#include "analyses/outliers.h"

#include <math.h>

static const table_column columns[] = {
    { "model", "", TABLE_LEFT, TABLE_ALWAYS },
    { "He kurtosis", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "max", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "MMR", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "max", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "inf-norm", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "of", "", TABLE_LEFT, TABLE_ALWAYS },
    { "kurtosis", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "max", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "massive", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "features", "", TABLE_LEFT, TABLE_ALWAYS },
    { "record", "", TABLE_LEFT, TABLE_DATA },
};

static void module_cell(table *t, const record_metrics *m)
{
    if (!m->recorded)
        table_cell(t, "-");
    else if (m->inf_norm_layer < 0)
        table_cell(t, "%s", osc_point_name(m->inf_norm_point));
    else
        table_cell(t, "blocks.%d.%s", m->inf_norm_layer, osc_point_name(m->inf_norm_point));
}

/* The first few, most scalars first. */
static void massive_cells(table *t, const record_metrics *m)
{
    enum { SHOWN = 4 };
    char list[128] = "-";
    size_t used = 0;
    for (size_t i = 0; i < m->massive_features && i < SHOWN; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%u", i == 0 ? "" : " ",
                                 (unsigned)m->massive_feature[i]);
    if (m->massive_features > SHOWN)
        snprintf(list + used, sizeof list - used, " ...");
    if (m->recorded)
        table_cell(t, "%llu", (unsigned long long)m->massive_count);
    else
        table_cell(t, "-");
    table_cell(t, "%s", list);
}

static void row(table *t, const outlier_result *r, table_format format)
{
    const record_metrics *m = &r->metrics;
    table_cell(t, "%s", r->model);
    table_number(t, format, 2, m->he_kurtosis_mean);
    table_number(t, format, 2, m->he_kurtosis_max);
    table_number(t, format, 2, m->mmr_mean);
    table_number(t, format, 2, m->mmr_max);
    table_number(t, format, 2, m->inf_norm);
    module_cell(t, m);
    table_number(t, format, 2, m->kurtosis_mean);
    table_number(t, format, 2, m->kurtosis_max);
    massive_cells(t, m);
    table_cell(t, "%s", r->path);
}

static void notes(table *t, const outlier_result *results, size_t count)
{
    table_note(t, "He kurtosis, MMR (max / median ratio): of the block inputs, mean and maximum "
               "over the blocks.");
    table_note(t, "Inf-norm: largest over the modules of max|x|, mean over the sequences; kurtosis: "
               "of the modules' outputs, mean and maximum.");
    table_note(t, "Massive: values of block outputs with |h| > 100 and >= 1000 median|h|, and the "
               "features with the most.");
    for (size_t i = 0; i < count; i++)
        if (!results[i].metrics.recorded)
            table_note(t, "%s: was recorded without these measures.", results[i].path);
}

osc_status outliers_write_metrics(const outlier_result *results, size_t count,
                                  table_format format, FILE *out)
{
    table *t;
    OSC_TRY(table_create(&t, NULL, columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < count; i++)
        row(t, &results[i], format);
    notes(t, results, count);
    osc_status status = table_write(t, format, out);
    table_free(t);
    return status;
}
