/* The value of --without: features to leave out of the attention. */
#ifndef EXPERIMENTS_WITHOUT_H
#define EXPERIMENTS_WITHOUT_H

#include "osc.h"

typedef struct {
    uint32_t *feature;    /* [count], rising, osc_free */
    size_t    count;
} without_list;

/* True for "7,63": feature numbers and not the path of a record. */
bool without_is_list(const char *text);
/* "7,63", in any order, or the outlier features of the record at path `text` by the
 * default rule.  OSC_EINVAL for an empty item, OSC_EVALUE if the record has no
 * outliers or is of a model that is not `hidden` wide, or a feature is not below it. */
osc_status without_read(without_list *list, const char *text, size_t hidden);

#endif
