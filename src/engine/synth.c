#include <config.h>
#include "engine/synth.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/mix.h"
#include "base/spec.h"
#include "base/suggest.h"
#include "engine/rules.h"

static const char PREFIX[] = "synth:";
static const double DEVIATION = 0.02;      /* of the weights */
static const double MAGNITUDE_MOST = 1e4;  /* fp16 has room for the products */

enum { TITLE = 512, SETTINGS = 4 };
static const char *const settings[SETTINGS] = { "seed", "outliers", "magnitude", "dtype" };

typedef struct {
    const osc_preset *preset;
    size_t            seed, outliers;
    double            magnitude;
    osc_dtype         dtype;
    json_t           *config;         /* owned */
    char              title[TITLE];   /* all of the above as text */
} synth;

bool osc_synth_is(const char *path)
{
    return strncmp(path, PREFIX, sizeof PREFIX - 1) == 0;
}

/* --- the text ------------------------------------------------------------------ */

static osc_status find_preset(const osc_preset **preset, const char *name)
{
    const char *names[256];
    size_t count = 0;
    for (size_t a = 0; osc_archs[a] != NULL; a++) {
        const osc_preset *p = osc_archs[a]->presets;
        for (; p != NULL && p->name != NULL && count < sizeof names / sizeof *names; p++) {
            if (strcmp(p->name, name) == 0) {
                *preset = p;
                return OSC_OK;
            }
            names[count++] = p->name;
        }
    }
    const char *near = osc_nearest(name, names, count);
    return osc_fail(OSC_EINVAL, "synth: there is no model '%s' to imitate (%s '%s'?)", name,
                    near != NULL ? "did you mean" : "what about",
                    near != NULL ? near : names[0]);
}

static osc_status read_dtype(osc_dtype *dtype, const char *text)
{
    static const osc_dtype known[] = { OSC_F16, OSC_BF16, OSC_F32 };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(text, osc_dtype_name(known[i])) == 0) {
            *dtype = known[i];
            return OSC_OK;
        }
    }
    return osc_fail(OSC_EINVAL, "synth: dtype '%s' is not float16, bfloat16 or float32", text);
}

static osc_status read_setting(synth *s, const char *key, const char *value)
{
    if (strcmp(key, "seed") == 0)
        return osc_parse_size(&s->seed, "synth: seed", value, 0, INT64_MAX);
    if (strcmp(key, "outliers") == 0)
        return osc_parse_size(&s->outliers, "synth: outliers", value, 0, OSC_SYNTH_OUTLIERS);
    if (strcmp(key, "magnitude") == 0)
        return osc_parse_double(&s->magnitude, "synth: magnitude", value, 0.0, MAGNITUDE_MOST);
    return read_dtype(&s->dtype, value);
}

static bool is_setting(const char *key)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i], key) == 0)
            return true;
    return false;
}

static osc_status fail_unknown(const synth *s, const char *key)
{
    const char *names[64];
    size_t count = SETTINGS;
    memcpy(names, settings, sizeof settings);
    const char *name;
    json_t *value;
    json_object_foreach(s->config, name, value)
        if (json_is_integer(value) && count < sizeof names / sizeof *names)
            names[count++] = name;
    const char *near = osc_nearest(key, names, count);
    return osc_fail(OSC_EINVAL, "synth: '%s' is no setting and no number of %s's config.json%s%s%s",
                    key, s->preset->name, near != NULL ? " (did you mean '" : "",
                    near != NULL ? near : "", near != NULL ? "'?)" : "");
}

/* A number of config.json takes another value. */
static osc_status change_config(synth *s, const char *key, const char *value)
{
    size_t number;
    if (!json_is_integer(json_object_get(s->config, key)))
        return fail_unknown(s, key);
    OSC_TRY(osc_parse_size(&number, key, value, 0, INT32_MAX));
    if (json_object_set_new(s->config, key, json_integer((json_int_t)number)) != 0)
        return osc_fail(OSC_ENOMEM, "out of memory");
    return OSC_OK;
}

static osc_status make_title(synth *s, const osc_spec *spec)
{
    int used = snprintf(s->title, TITLE, "%s%s,seed=%zu,outliers=%zu,magnitude=%.9g,dtype=%s",
                        PREFIX, s->preset->name, s->seed, s->outliers, s->magnitude,
                        osc_dtype_name(s->dtype));
    for (size_t i = 0; i < spec->count && used < TITLE; i++)
        if (!is_setting(spec->key[i]))
            used += snprintf(s->title + used, TITLE - (size_t)used, ",%s=%s", spec->key[i],
                             spec->value[i]);
    return used < TITLE ? OSC_OK : osc_fail(OSC_EINVAL, "synth: too many settings");
}

static osc_status read_pairs(synth *s, const osc_spec *spec)
{
    for (size_t i = 0; i < spec->count; i++)
        OSC_TRY(is_setting(spec->key[i]) ? read_setting(s, spec->key[i], spec->value[i])
                                         : change_config(s, spec->key[i], spec->value[i]));
    return make_title(s, spec);
}

/* s->config is owned by the caller, also after a failure. */
static osc_status parse(synth *s, const char *text)
{
    osc_spec spec;
    char copy[sizeof spec.text];
    *s = (synth){ .magnitude = 20.0, .dtype = OSC_F16 };
    if (snprintf(copy, sizeof copy, "%s", text + sizeof PREFIX - 1) >= (int)sizeof copy)
        return osc_fail(OSC_EINVAL, "synth: too many settings");
    char *comma = strchr(copy, ',');
    if (comma != NULL)
        *comma = ':';
    OSC_TRY(osc_spec_parse(&spec, copy));
    OSC_TRY(find_preset(&s->preset, spec.name));
    OSC_TRY(osc_json_parse(&s->config, s->preset->config, strlen(s->preset->config),
                           OSC_JSON_STRICT));
    if (json_object_set_new(s->config, "torch_dtype", json_string(osc_dtype_name(s->dtype))) != 0)
        return osc_fail(OSC_ENOMEM, "out of memory");
    return read_pairs(s, &spec);
}

/* --- the tensors ------------------------------------------------------------------ */

/* Features of a model `hidden` wide, in the order in which they are drawn. */
static size_t draw_features(uint32_t *feature, const synth *s, size_t hidden)
{
    size_t count = 0, wanted = s->outliers < hidden ? s->outliers : hidden;
    uint64_t key = osc_mix64(s->seed ^ 0x6f75746c69657273u);   /* "outliers" */
    for (uint64_t i = 0; count < wanted; i++) {
        uint32_t drawn = (uint32_t)(osc_random_at(key, i) % hidden);
        size_t j = 0;
        while (j < count && feature[j] != drawn)
            j++;
        if (j == count)
            feature[count++] = drawn;
    }
    return count;
}

typedef struct {
    osc_planted weight[OSC_SYNTH_OUTLIERS], bias[OSC_SYNTH_OUTLIERS];   /* of the norms */
    size_t      count;
} planting;

static void plant(planting *p, const synth *s, size_t hidden)
{
    uint32_t feature[OSC_SYNTH_OUTLIERS];
    p->count = draw_features(feature, s, hidden);
    for (size_t i = 0; i < p->count; i++) {
        double sign = osc_mix64(s->seed + i) & 1 ? 1.0 : -1.0;
        p->weight[i] = (osc_planted){ feature[i], (float)(s->magnitude / 5.0) };
        p->bias[i] = (osc_planted){ feature[i], (float)(sign * s->magnitude) };
    }
}

static osc_recipe block_recipe(const osc_rule *rule, const planting *p, size_t layers)
{
    osc_recipe r = { .constant = 0.0f };
    switch ((osc_block_slot)rule->slot) {
    case OSC_W_NORM1:
    case OSC_W_NORM2:
        r.constant = 1.0f;
        r.planted = p->weight;
        r.planted_count = p->count;
        break;
    case OSC_B_NORM1:
    case OSC_B_NORM2:
        r.planted = p->bias;
        r.planted_count = p->count;
        break;
    case OSC_W_OUT:
    case OSC_W_FC2:
        r.deviation = (float)(DEVIATION / sqrt(2.0 * (double)layers));
        break;
    default:
        if (rule->dim[1] != OSC_DIM_NONE)
            r.deviation = (float)DEVIATION;
    }
    return r;
}

static osc_recipe once_recipe(const osc_rule *rule)
{
    osc_recipe r = { .constant = rule->slot == OSC_W_FINAL_NORM ? 1.0f : 0.0f };
    if (rule->dim[1] != OSC_DIM_NONE)
        r.deviation = (float)DEVIATION;
    return r;
}

typedef struct {
    const osc_arch  *arch;
    const osc_config config;
    osc_recipe      *recipe;
    char           (*name)[OSC_RULE_NAME];
    size_t           count;
} tensors;

static void add(tensors *t, const osc_rule *rule, size_t layer, osc_recipe recipe)
{
    if (!osc_rule_holds(rule, &t->config))
        return;
    osc_rule_name(t->name[t->count], t->arch->prefix, rule, layer);
    recipe.name = t->name[t->count];
    recipe.ndim = osc_rule_shape(recipe.dim, rule, &t->config);
    t->recipe[t->count++] = recipe;
}

static size_t rules_in(const osc_rule *rule)
{
    size_t count = 0;
    while (rule[count].name != NULL)
        count++;
    return count;
}

static osc_status list(tensors *t, const planting *p)
{
    size_t layers = t->config.layers;
    size_t most = rules_in(t->arch->once) + layers * rules_in(t->arch->block);
    t->recipe = osc_alloc(most, sizeof *t->recipe);
    t->name = osc_alloc(most, sizeof *t->name);
    if (t->recipe == NULL || t->name == NULL)
        return OSC_ENOMEM;
    for (const osc_rule *rule = t->arch->once; rule->name != NULL; rule++)
        add(t, rule, 0, once_recipe(rule));
    for (size_t layer = 0; layer < layers; layer++)
        for (const osc_rule *rule = t->arch->block; rule->name != NULL; rule++)
            add(t, rule, layer, block_recipe(rule, p, layers));
    return OSC_OK;
}

static osc_status generate(osc_store **store, const synth *s)
{
    const osc_arch *arch;
    osc_config config;
    planting planted;
    OSC_TRY(osc_config_read(&config, &arch, s->config));
    plant(&planted, s, config.hidden);
    tensors t = { .arch = arch, .config = config };
    osc_status status = list(&t, &planted);
    if (status == OSC_OK)
        status = osc_store_generate(store, s->title, s->config, s->seed, s->dtype, t.recipe,
                                    t.count);
    osc_free(t.recipe);
    osc_free(t.name);
    return status;
}

osc_status osc_synth_store(osc_store **store, const char *text)
{
    synth s;
    osc_status status = parse(&s, text);
    if (status == OSC_OK)
        status = generate(store, &s);
    json_decref(s.config);
    return status;
}

static void sort(uint32_t *feature, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t moved = feature[i];
        size_t j = i;
        for (; j > 0 && feature[j - 1] > moved; j--)
            feature[j] = feature[j - 1];
        feature[j] = moved;
    }
}

size_t osc_synth_planted(uint32_t feature[OSC_SYNTH_OUTLIERS], const osc_model *model)
{
    synth s;
    size_t count = 0;
    const char *path = osc_store_path(osc_model_store(model));
    if (!osc_synth_is(path))
        return 0;
    if (parse(&s, path) == OSC_OK)
        count = draw_features(feature, &s, osc_model_config(model)->hidden);
    json_decref(s.config);
    sort(feature, count);
    return count;
}
