#include <config.h>
#include "record/metrics.h"

#include <math.h>

#include "base/alloc.h"

/* Element `column` of sequence `index`; NULL when out of memory. */
static void *place(osc_metrics *metrics, const osc_record_layout *layout, osc_metric m,
                   size_t index, size_t column)
{
    size_t columns = osc_record_metric_columns(layout, m);
    size_t size = osc_h5_size(osc_record_metrics[m].kind), need = (index + 1) * columns * size;
    void *grown = osc_grow(metrics->row[m], &metrics->room[m], need, 1);
    if (grown == NULL)
        return NULL;
    metrics->row[m] = grown;
    return (char *)grown + (index * columns + column) * size;
}

osc_status osc_metrics_summary(osc_metrics *metrics, const osc_record_layout *layout,
                                osc_point point, int layer, size_t index,
                                const osc_summary *summary)
{
    size_t column = osc_record_module_column(layout, point, layer);
    float *inf_norm = place(metrics, layout, OSC_INF_NORM, index, column);
    double *kurtosis = place(metrics, layout, OSC_KURTOSIS, index, column);
    if (inf_norm == NULL || kurtosis == NULL)
        return OSC_ENOMEM;
    *inf_norm = summary->peak;
    *kurtosis = osc_summary_kurtosis(summary);
    metrics->count++;
    return OSC_OK;
}

osc_status osc_metrics_residual(osc_metrics *metrics, const osc_record_layout *layout,
                                 size_t state, size_t index, const osc_residual *residual)
{
    double *ratio = place(metrics, layout, OSC_RATIO, index, state);
    float *median = place(metrics, layout, OSC_MEDIAN, index, state);
    size_t first = state * OSC_RESIDUAL_TOP;
    float *value = place(metrics, layout, OSC_TOP_VALUE, index, first);
    int32_t *position = place(metrics, layout, OSC_TOP_POSITION, index, first);
    int32_t *feature = place(metrics, layout, OSC_TOP_FEATURE, index, first);
    if (ratio == NULL || median == NULL || value == NULL || position == NULL || feature == NULL)
        return OSC_ENOMEM;
    *ratio = residual->ratio;
    *median = residual->median;
    for (size_t t = 0; t < OSC_RESIDUAL_TOP; t++) {
        bool there = t < residual->tops;
        value[t] = there ? residual->top[t].value : NAN;
        position[t] = there ? (int32_t)residual->top[t].position : -1;
        feature[t] = there ? (int32_t)residual->top[t].feature : -1;
    }
    metrics->count++;
    return OSC_OK;
}

size_t osc_metrics_of_sequence(const osc_record_layout *layout)
{
    return layout->modules == 0 ? 0 : osc_record_modules(layout) + layout->layers + 1;
}

osc_status osc_metrics_write(const osc_metrics *metrics, const osc_record_layout *layout,
                              const osc_h5_file *file, size_t first, size_t count)
{
    for (size_t m = 0; m < OSC_RECORD_METRICS && count > 0; m++) {
        char path[OSC_RECORD_PATH];
        const osc_record_metric *of = &osc_record_metrics[m];
        hsize_t start[3] = { first, 0, 0 };
        hsize_t extent[3] = { count, osc_record_metric_columns(layout, (osc_metric)m), 1 };
        if (of->columns == OSC_OF_TOP) {
            extent[1] = layout->layers + 1;
            extent[2] = OSC_RESIDUAL_TOP;
        }
        osc_h5_block block = { start, extent };
        osc_record_path_of(path, of->group, of->name, "");
        OSC_TRY(osc_h5_extend(file, path, 0, first + count));
        OSC_TRY(osc_h5_write(file, path, of->kind, &block, metrics->row[m]));
    }
    return OSC_OK;
}

uint64_t osc_metrics_bytes(const osc_record_layout *layout)
{
    uint64_t bytes = 0;
    for (size_t m = 0; m < OSC_RECORD_METRICS && layout->modules != 0; m++)
        bytes += osc_record_metric_columns(layout, (osc_metric)m)
               * osc_h5_size(osc_record_metrics[m].kind);
    return bytes;
}

void osc_metrics_free(osc_metrics *metrics)
{
    for (size_t m = 0; m < OSC_RECORD_METRICS; m++)
        osc_free(metrics->row[m]);
    *metrics = (osc_metrics){ .count = 0 };
}
