/* Mixed-precision decomposition (LLM.int8(), arXiv 2208.07339 section 3.2): columns of
 * x with outliers are multiplied in floating point, the rest as codes. */
#include <config.h>

#include <math.h>
#include <string.h>

#include "quant/coded.h"
#include "quant/columns.h"

static osc_status parse_rule(osc_remove *rule, const char *text)
{
    static const struct { const char *name; osc_remove rule; } rules[] = {
        { "absolute", OSC_REMOVE_ABSOLUTE }, { "ratio", OSC_REMOVE_RATIO },
        { "topk", OSC_REMOVE_TOP },
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(text, rules[i].name) == 0) {
            *rule = rules[i].rule;
            return OSC_OK;
        }
    }
    return osc_fail(OSC_EINVAL, "rule '%s': expected absolute, ratio or topk", text);
}

static osc_status parse_threshold(osc_coding *coding, const char *text)
{
    double threshold;
    if (coding->remove == OSC_REMOVE_TOP)
        return osc_parse_size(&coding->top, "threshold (with rule=topk a number of columns)", text,
                              0, OSC_CODES_WIDEST);
    OSC_TRY(osc_parse_double(&threshold, "threshold", text, 0.0, INFINITY));
    coding->threshold = (float)threshold;
    return OSC_OK;
}

static osc_status parse_weights(osc_coding *coding, const char *text)
{
    if (strcmp(text, "fp16") != 0 && strcmp(text, "int8") != 0)
        return osc_fail(OSC_EINVAL, "weights '%s': expected fp16 (as stored) or int8", text);
    coding->stored = strcmp(text, "fp16") == 0;
    return OSC_OK;
}

/* columns=FILE: the file is read through once now, for its errors. */
static osc_status fix_columns(osc_scheme_choice *choice, const osc_spec *spec, const char *file)
{
    if (osc_spec_get(spec, "rule") != NULL || osc_spec_get(spec, "threshold") != NULL)
        return osc_fail(OSC_EINVAL, "columns=%s fixes the columns: rule and threshold would have "
                        "no effect", file);
    if (strlen(file) >= sizeof choice->columns)
        return osc_fail(OSC_EINVAL, "columns: file name of more than %zu bytes",
                        sizeof choice->columns - 1);
    strcpy(choice->columns, file);
    choice->coding.remove = OSC_REMOVE_FIXED;
    return osc_columns_check(file);
}

static osc_status configure(osc_scheme_choice *choice, const osc_spec *spec)
{
    static const char *const keys[] = { "threshold", "rule", "weights", "columns" };
    OSC_TRY(osc_spec_only(spec, keys, sizeof keys / sizeof *keys));
    const char *threshold = osc_spec_get(spec, "threshold"), *rule = osc_spec_get(spec, "rule");
    const char *weights = osc_spec_get(spec, "weights"), *columns = osc_spec_get(spec, "columns");
    choice->coding = choice->scheme->coding;
    if (columns != NULL && strcmp(columns, "dynamic") != 0)
        OSC_TRY(fix_columns(choice, spec, columns));
    if (rule != NULL)
        OSC_TRY(parse_rule(&choice->coding.remove, rule));
    if (threshold != NULL)
        OSC_TRY(parse_threshold(&choice->coding, threshold));
    if (weights != NULL)
        OSC_TRY(parse_weights(&choice->coding, weights));
    return OSC_OK;
}

#define DECOMPOSED(id, title, text, ...) \
    const osc_scheme osc_scheme_##id = { \
        .name = title, .summary = text, \
        .coding = { .remove = OSC_REMOVE_ABSOLUTE, .threshold = 6.0f, .top = 6, .stored = true, \
                    __VA_ARGS__ }, \
        .configure = configure, .bytes = osc_coded_bytes, \
        .prepare = osc_coded_prepare, .apply = osc_coded_apply, .view = osc_coded_view, \
        .apply_several = osc_coded_apply_several, \
    }

DECOMPOSED(absmax_row_decomp, "absmax-row-decomp", "absmax-row, outlier columns in 16 bit",
           .x = OSC_SHARE_ROW, .w = OSC_SHARE_TENSOR);
DECOMPOSED(llm_int8, "llm-int8", "absmax-vector, outlier columns in 16 bit: LLM.int8()",
           .x = OSC_SHARE_ROW, .w = OSC_SHARE_ROW);
DECOMPOSED(llm_int8_zeropoint, "llm-int8-zeropoint",
           "zeropoint-vector, outlier columns in 16 bit",
           .x = OSC_SHARE_ROW, .w = OSC_SHARE_ROW, .zeropoint = true);
