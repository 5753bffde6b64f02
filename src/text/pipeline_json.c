/* tokenizer.json's "normalizer" and "pre_tokenizer". */
#include <config.h>
#include "text/definition.h"

#include <string.h>


typedef struct {
    osc_steps    *steps;
    osc_alphabet *alphabet;
} target;

static osc_status append(const target *out, const osc_step *step)
{
    if (out->steps->count == OSC_MOST_STEPS)
        return osc_fail(OSC_EUNSUP, "has more than %d steps", OSC_MOST_STEPS);
    out->steps->step[out->steps->count++] = *step;
    return OSC_OK;
}

/* A string that a step puts in or looks for. */
static osc_status get_text(char out[OSC_STEP_TEXT], const json_t *object, const char *key)
{
    const char *text = "";
    OSC_TRY(osc_json_get_string(&text, object, key));
    size_t n = strlen(text);
    if (n == 0 || n >= OSC_STEP_TEXT)
        return osc_fail(OSC_EUNSUP, "\"%s\" of %zu bytes is not supported, only of 1 to %d", key, n,
                        OSC_STEP_TEXT - 1);
    memcpy(out, text, n + 1);
    return OSC_OK;
}

/* --- normalizers ---------------------------------------------------------------------- */

static osc_status read_prepend(const target *out, const json_t *object)
{
    osc_step step = { .kind = OSC_STEP_PREPEND };
    OSC_TRY(get_text(step.to, object, "prepend"));
    return append(out, &step);
}

osc_status osc_replace_from_json(osc_step *step, const json_t *object)
{
    const json_t *pattern = json_object_get(object, "pattern");
    *step = (osc_step){ .kind = OSC_STEP_REPLACE };
    if (json_object_get(pattern, "String") == NULL)
        return osc_fail(OSC_EUNSUP, "Replace: \"pattern\" is not a \"String\", which alone is "
                        "supported");
    OSC_TRY(get_text(step->from, pattern, "String"));
    return get_text(step->to, object, "content");
}

static osc_status read_replace(const target *out, const json_t *object)
{
    osc_step step;
    OSC_TRY(osc_replace_from_json(&step, object));
    return append(out, &step);
}

/* --- pre-tokenizers --------------------------------------------------------------------- */

static osc_status append_split(const target *out, osc_split *split)
{
    return append(out, &(osc_step){ .kind = OSC_STEP_SPLIT, .split = split });
}

static osc_status read_byte_level(const target *out, const json_t *object)
{
    bool regex = true, prefix = false;
    OSC_TRY(osc_json_get_bool(&regex, object, "use_regex"));
    OSC_TRY(osc_json_get_bool(&prefix, object, "add_prefix_space"));
    *out->alphabet = OSC_ALPHABET_BYTES;
    if (prefix)
        OSC_TRY(append(out, &(osc_step){ .kind = OSC_STEP_PREFIX, .to = " " }));
    return regex ? append_split(out, osc_split_gpt2) : OSC_OK;
}

static osc_status read_split(const target *out, const json_t *object)
{
    const char *pattern = NULL, *behavior = "";
    bool invert = false;
    OSC_TRY(osc_json_get_string(&pattern, json_object_get(object, "pattern"), "Regex"));
    OSC_TRY(osc_json_get_string(&behavior, object, "behavior"));
    OSC_TRY(osc_json_get_bool(&invert, object, "invert"));
    if (strcmp(behavior, "Isolated") != 0 || invert)
        return osc_fail(OSC_EUNSUP, "Split: behavior \"%.80s\"%s is not supported, only "
                        "\"Isolated\"", behavior, invert ? ", inverted," : "");
    osc_split *split = pattern == NULL ? NULL : osc_split_find(pattern);
    if (split == NULL)
        return osc_fail(OSC_EUNSUP, "Split: \"pattern\" is not one of those supported, the "
                        "\"Regex\" of GPT-2, BLOOM and Llama 3");
    return append_split(out, split);
}

static osc_status read_digits(const target *out, const json_t *object)
{
    bool individual = false;
    OSC_TRY(osc_json_get_bool(&individual, object, "individual_digits"));
    return append_split(out, individual ? osc_split_digits : osc_split_numbers);
}

/* Older files say add_prefix_space instead of prepend_scheme. */
static osc_status read_metaspace(const target *out, const json_t *object)
{
    static const struct { const char *name; osc_step_kind kind; } schemes[] = {
        { "always", OSC_STEP_PREFIX }, { "first", OSC_STEP_PREFIX_FIRST },
        { "never", OSC_STEP_REPLACE },
    };
    const char *scheme = "always";
    bool split = true, prefix = true;
    size_t i = 0;
    OSC_TRY(osc_json_get_bool(&prefix, object, "add_prefix_space"));
    scheme = prefix ? scheme : "never";
    OSC_TRY(osc_json_get_string(&scheme, object, "prepend_scheme"));
    OSC_TRY(osc_json_get_bool(&split, object, "split"));
    while (i < 3 && strcmp(scheme, schemes[i].name) != 0)
        i++;
    if (i == 3)
        return osc_fail(OSC_EUNSUP, "Metaspace: prepend_scheme \"%.80s\" is not supported, only "
                        "always, first and never", scheme);
    osc_step step = { .kind = OSC_STEP_REPLACE, .from = " " };
    OSC_TRY(get_text(step.to, object, "replacement"));
    OSC_TRY(append(out, &step));
    step.kind = schemes[i].kind;
    if (step.kind != OSC_STEP_REPLACE)
        OSC_TRY(append(out, &step));
    step.kind = OSC_STEP_SPLIT_BEFORE;
    strcpy(step.from, step.to);
    return split ? append(out, &step) : OSC_OK;
}

/* --- by type ---------------------------------------------------------------------------- */

typedef struct {
    const char *type;
    osc_status (*read)(const target *out, const json_t *object);
} step_type;

static const step_type normalizers[] = {
    { "Prepend", read_prepend }, { "Replace", read_replace }, { NULL, NULL },
};

static const step_type pre_tokenizers[] = {
    { "ByteLevel", read_byte_level }, { "Digits", read_digits }, { "Metaspace", read_metaspace },
    { "Split", read_split }, { NULL, NULL },
};

static osc_status unsupported(const char *type, const step_type *types)
{
    char names[80] = "";
    for (; types->type != NULL; types++) {
        strcat(names, types->type);
        strcat(names, ", ");
    }
    return osc_fail(OSC_EUNSUP, "type \"%.80s\" is not supported, only %sSequence of these", type,
                    names);
}

static osc_status read_one(const target *out, const json_t *object, const step_type *types)
{
    const char *type = "";
    const step_type *known = types;
    OSC_TRY(osc_json_get_string(&type, object, "type"));
    while (known->type != NULL && strcmp(known->type, type) != 0)
        known++;
    if (known->type == NULL)
        return unsupported(type, types);
    if (*out->alphabet == OSC_ALPHABET_BYTES)
        return osc_fail(OSC_EUNSUP, "%s after ByteLevel is not supported", type);
    return known->read(out, object);
}

/* One step, or the list of a Sequence. */
static osc_status read_all(const target *out, const json_t *object, const char *list,
                           const step_type *types)
{
    const char *type = "";
    size_t i;
    const json_t *item;
    if (!json_is_object(object))
        return osc_fail(OSC_EFORMAT, "is not an object");
    OSC_TRY(osc_json_get_string(&type, object, "type"));
    if (strcmp(type, "Sequence") != 0)
        return read_one(out, object, types);
    const json_t *items = json_object_get(object, list);
    if (!json_is_array(items))
        return osc_fail(OSC_EFORMAT, "\"%s\" is not a list", list);
    json_array_foreach(items, i, item)
        OSC_TRY(read_one(out, item, types));
    return OSC_OK;
}

osc_status osc_normalizer_from_json(osc_steps *steps, const json_t *normalizer)
{
    osc_alphabet alphabet = OSC_ALPHABET_CHARACTERS;
    target out = { .steps = steps, .alphabet = &alphabet };
    if (normalizer == NULL || json_is_null(normalizer))
        return OSC_OK;
    osc_status status = read_all(&out, normalizer, "normalizers", normalizers);
    return status == OSC_OK ? OSC_OK : osc_fail_in(status, "normalizer");
}

osc_status osc_pre_tokenizer_from_json(osc_steps *steps, osc_alphabet *alphabet,
                                       const json_t *pre)
{
    target out = { .steps = steps, .alphabet = alphabet };
    *alphabet = OSC_ALPHABET_CHARACTERS;
    if (pre == NULL || json_is_null(pre))
        return OSC_OK;
    osc_status status = read_all(&out, pre, "pretokenizers", pre_tokenizers);
    return status == OSC_OK ? OSC_OK : osc_fail_in(status, "pre_tokenizer");
}

bool osc_steps_are_gpt2(const osc_steps *normalizer, const osc_steps *pre)
{
    return normalizer->count == 0 && pre->count == 1 && pre->step[0].split == osc_split_gpt2;
}
