#include <config.h>
#include "experiments/without.h"

#include <stdlib.h>
#include <string.h>

#include "analyses/outliers.h"

bool without_is_list(const char *text)
{
    return strspn(text, "0123456789,") == strlen(text);
}

/* --- numbers ---------------------------------------------------------------------- */

static size_t count_items(const char *text)
{
    size_t items = 1;
    for (; *text != '\0'; text++)
        items += *text == ',';
    return items;
}

static osc_status parse_item(uint32_t *feature, const char *option, const char *text,
                             size_t length, size_t hidden)
{
    if (length == 0)
        return osc_fail(OSC_EINVAL, "--%s: a feature is missing: numbers are separated by "
                        "single commas", option);
    if (strspn(text, "0123456789") < length)
        return osc_fail(OSC_EINVAL, "--%s: '%.*s' is no feature number", option,
                        length > 30 ? 30 : (int)length, text);
    unsigned long long number = strtoull(text, NULL, 10);   /* saturates */
    if (number >= hidden)
        return osc_fail(OSC_EVALUE, "--%s: there is no feature %.*s: the model is %zu wide",
                        option, length > 30 ? 30 : (int)length, text, hidden);
    *feature = (uint32_t)number;
    return OSC_OK;
}

static osc_status parse_list(without_list *list, const char *option, const char *text,
                             size_t hidden)
{
    list->count = count_items(text);
    list->feature = osc_alloc(list->count, sizeof *list->feature);
    if (list->feature == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < list->count; i++) {
        size_t length = strcspn(text, ",");
        OSC_TRY(parse_item(&list->feature[i], option, text, length, hidden));
        text += length + (text[length] == ',');
    }
    return OSC_OK;
}

/* --- a record --------------------------------------------------------------------- */

static osc_status take_outliers(without_list *list, const outlier_result *result, size_t hidden)
{
    if (result->info.hidden != hidden)
        return osc_fail(OSC_EVALUE, "--without: %s is of a model (%s) of hidden size %zu, this one "
                        "has %zu", result->path, result->model, result->info.hidden, hidden);
    if (result->features.count == 0)
        return osc_fail(OSC_EVALUE, "--without: %s has no outlier features, there is nothing to "
                        "leave out; 'outliers --all' lists its largest, --without 1,2 names "
                        "features", result->path);
    list->feature = osc_alloc(result->features.count, sizeof *list->feature);
    if (list->feature == NULL)
        return OSC_ENOMEM;
    list->count = result->features.count;
    for (size_t i = 0; i < list->count; i++)
        list->feature[i] = (uint32_t)result->features.row[i].feature;
    return OSC_OK;
}

static osc_status read_record(without_list *list, const char *path, size_t hidden)
{
    outlier_options options = { .rule = FEATURE_RULE_DEFAULT };
    outlier_result result;
    osc_status status = outliers_read(&result, path, &options);
    if (status != OSC_OK)
        return osc_fail_in(status, "--without");
    status = take_outliers(list, &result, hidden);
    outliers_free(&result);
    return status;
}

/* ---------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void sort_unique(without_list *list)
{
    size_t kept = 0;
    qsort(list->feature, list->count, sizeof *list->feature, by_number);
    for (size_t i = 0; i < list->count; i++)
        if (i == 0 || list->feature[i] != list->feature[kept - 1])
            list->feature[kept++] = list->feature[i];
    list->count = kept;
}

/* Takes over what was read, or releases it. */
static osc_status finish(without_list *list, without_list *read, osc_status status)
{
    if (status != OSC_OK) {
        osc_free(read->feature);
        return status;
    }
    sort_unique(read);
    *list = *read;
    return OSC_OK;
}

osc_status without_parse(without_list *list, const char *option, const char *text, size_t hidden)
{
    without_list read = { NULL, 0 };
    return finish(list, &read, parse_list(&read, option, text, hidden));
}

osc_status without_read(without_list *list, const char *text, size_t hidden)
{
    without_list read = { NULL, 0 };
    if (without_is_list(text))
        return without_parse(list, "without", text, hidden);
    return finish(list, &read, read_record(&read, text, hidden));
}
