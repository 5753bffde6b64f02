/* Lists of features on the command line: to leave out of the attention (--without). */
#ifndef EXPERIMENTS_WITHOUT_H
#define EXPERIMENTS_WITHOUT_H

#include "osc.h"

typedef struct {
    uint32_t *feature;    /* [count], rising, osc_free */
    size_t    count;
} without_list;

/* True for "7,63": feature numbers and not the path of a record. */
bool without_is_list(const char *text);
/* "7,63" in any order, the value of --OPTION.  OSC_EINVAL for an empty item, OSC_EVALUE
 * for a feature that is not below `hidden`. */
osc_status without_parse(without_list *list, const char *option, const char *text, size_t hidden);

/* The value of --without: such a list, or the outlier features of the record at path `text` by the
 * default rule.  OSC_EVALUE also if the record has no outliers or is of a model that is
 * not `hidden` wide. */
osc_status without_read(without_list *list, const char *text, size_t hidden);

#endif
