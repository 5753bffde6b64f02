/* Which schemes are compared: --schemes, --scheme and --threshold. */
#include <config.h>
#include "experiments/compare.h"

#include <math.h>
#include <string.h>

/* --- thresholds ------------------------------------------------------------------- */

typedef struct {
    scheme_list *list;
    const char  *base;         /* scheme with its other options */
} study;

/* Seven digits: from + i * step must not show the step's rounding. */
static osc_status add_threshold(const study *s, double threshold)
{
    char text[384];
    snprintf(text, sizeof text, "%s%cthreshold=%.7g", s->base, strchr(s->base, ':') ? ',' : ':',
             threshold);
    return scheme_list_add(s->list, text, threshold);
}

static osc_status add_range(const study *s, const char *item)
{
    char part[3][128];
    double number[3];
    const char *at = item;
    for (int i = 0; i < 3; i++) {
        size_t length = strcspn(at, ":");
        memcpy(part[i], at, length);
        part[i][length] = '\0';
        at += length;
        if ((*at == ':') != (i < 2))
            return osc_fail(OSC_EINVAL, "'%s' is not FROM:TO:STEP", item);
        at += i < 2;
        OSC_TRY(osc_parse_double(&number[i], "threshold", part[i], 0.0, 1e30));
    }
    if (number[2] == 0 || number[1] < number[0]
        || (number[1] - number[0]) / number[2] > SCHEME_LIST_MOST)
        return osc_fail(OSC_EINVAL, "'%s': FROM <= TO, and at most %d steps", item,
                        SCHEME_LIST_MOST);
    size_t steps = (size_t)floor((number[1] - number[0]) / number[2] + 1e-9);
    for (size_t i = 0; i <= steps; i++)
        OSC_TRY(add_threshold(s, number[0] + (double)i * number[2]));
    return OSC_OK;
}

static osc_status add_item(void *user, const char *item)
{
    double threshold;
    if (strchr(item, ':') != NULL)
        return add_range(user, item);
    OSC_TRY(osc_parse_double(&threshold, "threshold", item, 0.0, INFINITY));
    return add_threshold(user, threshold);
}

static osc_status check_base(const char *base)
{
    osc_scheme_choice choice;
    osc_spec spec;
    OSC_TRY(osc_scheme_parse(&choice, base));
    OSC_TRY(osc_spec_parse(&spec, base));
    if (choice.coding.remove == OSC_REMOVE_NONE || choice.coding.remove == OSC_REMOVE_FIXED)
        return osc_fail(OSC_EINVAL, "--threshold: scheme %s has no threshold (absmax-row-decomp, "
                        "llm-int8 and llm-int8-zeropoint have)", base);
    if (osc_spec_get(&spec, "threshold") != NULL)
        return osc_fail(OSC_EINVAL, "--threshold: %s already says its threshold", base);
    return OSC_OK;
}

static osc_status add_study(scheme_list *list, const scheme_list *bases, const char *thresholds)
{
    OSC_TRY(scheme_list_add(list, "none", NAN));
    for (size_t i = 1; i < bases->count; i++) {
        study s = { .list = list, .base = bases->text[i] };
        OSC_TRY(check_base(s.base));
        OSC_TRY(scheme_list_each("threshold", thresholds, add_item, &s));
    }
    return OSC_OK;
}

/* --- all ---------------------------------------------------------------------------- */

static osc_status add_plain(scheme_list *list, const compare_options *o)
{
    bool nothing = o->names == NULL && o->schemes.count == 0;
    OSC_TRY(scheme_list_add(list, "none", NAN));
    if (nothing && o->thresholds != NULL)
        return scheme_list_add(list, "llm-int8", NAN);
    return scheme_list_add_options(list, nothing ? "all" : o->names, &o->schemes);
}

osc_status compare_choose(compare_options *o)
{
    scheme_list plain = { .text = NULL };
    osc_status status = add_plain(&plain, o);
    if (status == OSC_OK && o->thresholds != NULL) {
        status = add_study(&o->list, &plain, o->thresholds);
        scheme_list_free(&plain);
    } else {
        o->list = plain;
    }
    return status;
}
