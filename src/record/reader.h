/* An open record, for the files that read it. */
#ifndef OSC_RECORD_READER_H
#define OSC_RECORD_READER_H

#include "record/info.h"

struct osc_record {
    char              *path;
    osc_h5_file        file;
    osc_seal           seal;
    osc_record_head    head;
    osc_record_layout  layout;
    osc_column_stats  *stats[OSC_POINT_COUNT];         /* [layers] */
    uint64_t          *any[OSC_RECORD_SUBSETS], *pairs[OSC_RECORD_SUBSETS];   /* by subset */
    double            *top1;             /* means: all, later; and both without features */
    uint32_t          *without;          /* [layout.without] */
    osc_residual_stats *residual;        /* [layers + 1] */
};

/* Checks that every dataset of record->layout is there, of the right type and
 * shape, stored in this file, and no larger than the file can hold. */
osc_status osc_record_check(osc_record *record);
/* The widths of the recorded points and the number of features left out of the
 * attention, from the shapes of their datasets. */
osc_status osc_record_widths(osc_record *record);

/* /attention/top1_sum and its attributes; top1_without_sum if sums->without is not NULL. */
osc_status osc_record_top1_sums(osc_record *record, osc_top1_stats *sums);
/* /attention/without into record->without, NULL if there is none; checked. */
osc_status osc_record_features_without(osc_record *record);

#endif
