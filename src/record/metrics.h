/* Metrics of /modules and /residual, a row per sequence, waiting for a commit. */
#ifndef OSC_RECORD_METRICS_H
#define OSC_RECORD_METRICS_H

#include "record/layout.h"

typedef struct {
    void    *row[OSC_RECORD_METRICS];     /* [sequences waiting, columns of the metric] */
    size_t   room[OSC_RECORD_METRICS];    /* bytes */
    uint64_t count;                        /* summaries and states taken since the start */
} osc_metrics;

/* Of sequence number `index` of those waiting. */
osc_status osc_metrics_summary(osc_metrics *metrics, const osc_record_layout *layout,
                                osc_point point, int layer, size_t index,
                                const osc_summary *summary);
osc_status osc_metrics_residual(osc_metrics *metrics, const osc_record_layout *layout,
                                 size_t state, size_t index, const osc_residual *residual);

/* How many of them a run of one sequence gives. */
size_t osc_metrics_of_sequence(const osc_record_layout *layout);

/* Appends the rows of `count` sequences behind the `first` that the file has. */
osc_status osc_metrics_write(const osc_metrics *metrics, const osc_record_layout *layout,
                              const osc_h5_file *file, size_t first, size_t count);
/* Bytes of the row of one sequence. */
uint64_t osc_metrics_bytes(const osc_record_layout *layout);
void osc_metrics_free(osc_metrics *metrics);

#endif
