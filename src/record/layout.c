#include <config.h>
#include "record/layout.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Chunks hold about so many bytes: large enough for compression, small enough to
 * rewrite. */
enum { CHUNK_BYTES = 256 * 1024, EVENT_CHUNK = 16384 };

#define FIELD(member, kind, merging, description, units) \
    { #member, kind, offsetof(osc_column_stats, member), OSC_MERGE_##merging, description, units }
const osc_record_field osc_record_fields[OSC_RECORD_FIELDS] = {
    FIELD(min, OSC_H5_F32, MIN, "smallest value; +inf where nothing was seen", "activation"),
    FIELD(max, OSC_H5_F32, MAX, "largest value; -inf where nothing was seen", "activation"),
    FIELD(sum, OSC_H5_F64, ADD, "sum of the values", "activation"),
    FIELD(sumsq, OSC_H5_F64, ADD, "sum of the squares", "activation^2"),
    FIELD(sum4, OSC_H5_F64, ADD, "sum of the fourth powers", "activation^4"),
    FIELD(count_ge, OSC_H5_U64, ADD, "positions at which the magnitude is at least alpha",
          "positions"),
};

#define COLUMN(member, kind, description, units) \
    { #member, kind, offsetof(osc_record_event, member), description, units }
const osc_record_column osc_record_columns[OSC_RECORD_COLUMNS] = {
    COLUMN(sequence, OSC_H5_I32, "sequence of the corpus, from 0", "index"),
    COLUMN(position, OSC_H5_I32, "position in the sequence, from 0", "index"),
    COLUMN(layer, OSC_H5_I16, "block, from 0", "index"),
    COLUMN(point, OSC_H5_I8, "hook point: index into the group's attribute point_names", "index"),
    COLUMN(feature, OSC_H5_I32, "column of the tensor, from 0", "index"),
    COLUMN(value, OSC_H5_F32, "the value, at least alpha in magnitude", "activation"),
};

#define METRIC(group, name, kind, columns, fill, description, units) \
    { group, name, kind, columns, fill, description, units }
const osc_record_metric osc_record_metrics[OSC_RECORD_METRICS] = {
    [OSC_INF_NORM] = METRIC("modules", "inf_norm", OSC_H5_F32, OSC_OF_MODULE, NAN,
        "largest magnitude of the module's output", "activation"),
    [OSC_KURTOSIS] = METRIC("modules", "kurtosis", OSC_H5_F64, OSC_OF_MODULE, NAN,
        "kurtosis of the module's output, not in excess: mean((x - mean)^4) / (var^2 + 1e-6)", "1"),
    [OSC_RATIO] = METRIC("residual", "ratio", OSC_H5_F64, OSC_OF_STATE, NAN,
        "max|x| / median|x| over the features of a position, sum over the positions", "1"),
    [OSC_MEDIAN] = METRIC("residual", "median", OSC_H5_F32, OSC_OF_STATE, NAN,
        "median of |x| over positions and features (of two middle ones the lower)", "activation"),
    [OSC_TOP_VALUE] = METRIC("residual", "top", OSC_H5_F32, OSC_OF_TOP, NAN,
        "the values of the largest magnitudes, falling", "activation"),
    [OSC_TOP_POSITION] = METRIC("residual", "top_position", OSC_H5_I32, OSC_OF_TOP, -1,
        "their positions in the sequence", "index"),
    [OSC_TOP_FEATURE] = METRIC("residual", "top_feature", OSC_H5_I32, OSC_OF_TOP, -1,
        "their features", "index"),
};

/* --- sizes ------------------------------------------------------------------------ */

static unsigned block_modules(const osc_record_layout *layout)
{
    return layout->modules & ~(1u << OSC_AT_FINAL_NORM);
}

size_t osc_record_modules(const osc_record_layout *layout)
{
    return layout->layers * (size_t)__builtin_popcount(block_modules(layout))
         + (layout->modules >> OSC_AT_FINAL_NORM & 1u);
}

size_t osc_record_module_column(const osc_record_layout *layout, osc_point point, int layer)
{
    size_t each = (size_t)__builtin_popcount(block_modules(layout));
    if (layer < 0)
        return layout->layers * each;
    unsigned before = block_modules(layout) & ((1u << point) - 1u);
    return (size_t)layer * each + (size_t)__builtin_popcount(before);
}

size_t osc_record_metric_columns(const osc_record_layout *layout, osc_metric metric)
{
    size_t states = layout->layers + 1;
    switch (osc_record_metrics[metric].columns) {
    case OSC_OF_MODULE: return osc_record_modules(layout);
    case OSC_OF_STATE:  return states;
    default:            return states * OSC_RESIDUAL_TOP;
    }
}

/* --- names ------------------------------------------------------------------------ */

void osc_record_join(char text[OSC_RECORD_NAMES], unsigned bits)
{
    size_t used = 0;
    text[0] = '\0';
    for (int p = 0; p < OSC_POINT_COUNT; p++)
        if (bits >> p & 1u)
            used += (size_t)snprintf(text + used, OSC_RECORD_NAMES - used, "%s%s",
                                     used == 0 ? "" : "+", osc_point_name((osc_point)p));
}

static bool find_point(unsigned *bit, const char *name, size_t length)
{
    for (int p = 0; p < OSC_POINT_COUNT; p++) {
        const char *known = osc_point_name((osc_point)p);
        if (strlen(known) == length && memcmp(known, name, length) == 0) {
            *bit = 1u << p;
            return true;
        }
    }
    return false;
}

unsigned osc_record_in_blocks(void)
{
    unsigned bits = 0;
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        bits |= (unsigned)osc_point_in_block((osc_point)p) << p;
    return bits;
}

osc_status osc_record_split(unsigned *bits, const char *text, unsigned possible)
{
    unsigned found = 0;
    while (*text != '\0') {
        unsigned bit = 0;
        size_t length = strcspn(text, "+");
        if (!find_point(&bit, text, length) || (bit & ~possible) != 0)
            return osc_fail(OSC_EFORMAT, "'%.*s' is not a hook point of a block",
                            length > 60 ? 60 : (int)length, text);
        found |= bit;
        text += length + (text[length] == '+');
    }
    *bits = found;
    return OSC_OK;
}

unsigned osc_record_subset(unsigned track, unsigned subset)
{
    unsigned bits = 0;
    for (unsigned p = 0, number = 0; p < OSC_POINT_COUNT; p++)
        if (track >> p & 1u)
            bits |= (subset >> number++ & 1u) << p;
    return bits;
}

void osc_record_path_of(char path[OSC_RECORD_PATH], const char *group, const char *middle,
                        const char *name)
{
    snprintf(path, OSC_RECORD_PATH, "/%s/%s%s%s", group, middle, *name == '\0' ? "" : "/", name);
}

/* --- the list ----------------------------------------------------------------------- */

static size_t at_most(size_t n, size_t most)
{
    return n == 0 ? 1 : n < most ? n : most;
}

/* [rows, columns]; a few rows a chunk. */
static osc_record_dataset matrix(osc_h5_kind kind, size_t rows, size_t columns,
                                 const char *row_label, const char *column_label)
{
    osc_record_dataset dataset = { .kind = kind, .rank = 2, .dim = { rows, columns },
                                   .label = { row_label, column_label } };
    size_t across = at_most(columns, CHUNK_BYTES / osc_h5_size(kind));
    dataset.chunk[1] = across;
    dataset.chunk[0] = at_most(rows, at_most(CHUNK_BYTES / (across * osc_h5_size(kind)), 64));
    return dataset;
}

static osc_status each_stat(const osc_record_layout *layout, osc_point point,
                            osc_record_dataset_fn fn, void *user)
{
    const char *name = osc_point_name(point);
    for (size_t i = 0; i <= OSC_RECORD_FIELDS; i++) {
        static const osc_record_field absmax = { "absmax", OSC_H5_F32, 0, OSC_MERGE_MAX,
            "largest magnitude, max(|min|, |max|); 0 where nothing was seen", "activation" };
        const osc_record_field *field = i < OSC_RECORD_FIELDS ? &osc_record_fields[i] : &absmax;
        osc_record_dataset dataset = matrix(field->kind, layout->layers, layout->width[point],
                                            "layer", "feature");
        dataset.merging = field->merging;
        dataset.description = field->description;
        dataset.units = field->units;
        osc_record_path_of(dataset.path, "stats", name, field->name);
        OSC_TRY(fn(user, &dataset));
    }
    osc_record_dataset dataset = matrix(OSC_H5_U64, layout->layers, OSC_HISTOGRAM_BINS,
                                        "layer", "bin");
    dataset.description = "values of all features by magnitude: bin b has 2^(b-40) <= |x| < "
                          "2^(b-39), the first also all below, the last all above and NaN";
    dataset.units = "values";
    osc_record_path_of(dataset.path, "stats", name, "histogram");
    return fn(user, &dataset);
}

static osc_status each_position(const osc_record_layout *layout, unsigned points,
                                osc_record_dataset_fn fn, void *user)
{
    static const struct { const char *name, *description, *units; } counts[] = {
        { "any", "positions at which the feature reaches alpha in some block", "positions" },
        { "pairs", "(block, position) pairs at which the feature reaches alpha", "pairs" },
    };
    char joined[OSC_RECORD_NAMES];
    osc_record_join(joined, points);
    for (size_t i = 0; i < 2; i++) {
        osc_record_dataset dataset = {
            .kind = OSC_H5_U64, .rank = 1, .dim = { layout->hidden }, .label = { "feature" },
            .chunk = { at_most(layout->hidden, CHUNK_BYTES / 8) },
            .description = counts[i].description, .units = counts[i].units,
        };
        osc_record_path_of(dataset.path, "positions", joined, counts[i].name);
        OSC_TRY(fn(user, &dataset));
    }
    return OSC_OK;
}

static osc_status each_event(osc_record_dataset_fn fn, void *user)
{
    for (size_t i = 0; i < OSC_RECORD_COLUMNS; i++) {
        const osc_record_column *column = &osc_record_columns[i];
        osc_record_dataset dataset = {
            .kind = column->kind, .rank = 1, .chunk = { EVENT_CHUNK }, .label = { "event" },
            .growth = OSC_GROWS_BY_EVENT, .packed = true,
            .description = column->description, .units = column->units,
        };
        osc_record_path_of(dataset.path, "outliers", column->name, "");
        OSC_TRY(fn(user, &dataset));
    }
    return OSC_OK;
}

static osc_status each_sequence(const osc_record_layout *layout, osc_record_dataset_fn fn,
                                void *user)
{
    osc_record_dataset length = {
        .path = "/sequences/length", .kind = OSC_H5_I32, .rank = 1, .chunk = { EVENT_CHUNK },
        .label = { "sequence" }, .growth = OSC_GROWS_BY_SEQUENCE, .packed = true,
        .description = "ids of the sequence", .units = "ids",
    };
    OSC_TRY(fn(user, &length));
    osc_record_dataset tokens = matrix(OSC_H5_I32, 64, layout->length, "sequence", "position");
    tokens.dim[0] = 0;
    tokens.growth = OSC_GROWS_BY_SEQUENCE;
    tokens.packed = true;
    tokens.fill = -1;
    tokens.description = "token ids; -1 after the sequence's end";
    tokens.units = "id";
    osc_record_path_of(tokens.path, "sequences", "tokens", "");
    OSC_TRY(fn(user, &tokens));
    osc_record_dataset nll = matrix(OSC_H5_F64, 64, layout->length, "sequence", "position");
    nll.dim[0] = 0;
    nll.growth = OSC_GROWS_BY_SEQUENCE;
    nll.packed = true;
    nll.fill = NAN;
    nll.description = "negative log-likelihood of the id given those before it; 0 for the "
                      "first, NaN after the sequence's end";
    nll.units = "nats";
    osc_record_path_of(nll.path, "sequences", "nll", "");
    return fn(user, &nll);
}

static osc_status each_top1(const osc_record_layout *layout, osc_record_dataset_fn fn, void *user)
{
    osc_record_dataset mean = matrix(OSC_H5_F64, layout->layers, layout->heads, "layer", "head");
    mean.merging = OSC_MERGE_APART;
    osc_record_dataset sum = mean;
    mean.description = "largest attention probability, mean over the queries";
    mean.units = "probability";
    osc_record_path_of(mean.path, "attention", "top1", "");
    OSC_TRY(fn(user, &mean));
    sum.description = "largest attention probability, sum over the queries (attributes queries: "
                      "how many; first: how many of them at position 0, where it is 1)";
    sum.units = "probability";
    osc_record_path_of(sum.path, "attention", "top1_sum", "");
    return fn(user, &sum);
}

static osc_status each_without(const osc_record_layout *layout, osc_record_dataset_fn fn,
                               void *user)
{
    osc_record_dataset mean = matrix(OSC_H5_F64, layout->layers, layout->heads, "layer", "head");
    mean.merging = OSC_MERGE_APART;
    osc_record_dataset sum = mean, features = {
        .kind = OSC_H5_I32, .rank = 1, .dim = { layout->without }, .label = { "zeroed" },
        .chunk = { at_most(layout->without, CHUNK_BYTES / 4) }, .merging = OSC_MERGE_SAME,
        .description = "features zeroed at the attention's input for top1_without",
        .units = "index",
    };
    osc_record_path_of(features.path, "attention", "without", "");
    OSC_TRY(fn(user, &features));
    mean.description = "largest attention probability with the features in `without` zeroed at "
                       "the attention's input, in each block alone; mean over the queries";
    mean.units = sum.units = "probability";
    osc_record_path_of(mean.path, "attention", "top1_without", "");
    OSC_TRY(fn(user, &mean));
    sum.description = "the same, sum over the queries of top1_sum";
    osc_record_path_of(sum.path, "attention", "top1_without_sum", "");
    return fn(user, &sum);
}

static osc_status each_metric(const osc_record_layout *layout, osc_metric metric,
                               osc_record_dataset_fn fn, void *user)
{
    const osc_record_metric *of = &osc_record_metrics[metric];
    size_t columns = osc_record_metric_columns(layout, metric);
    osc_record_dataset dataset = matrix(of->kind, 64, columns, "sequence",
                                        of->columns == OSC_OF_MODULE ? "module" : "state");
    dataset.dim[0] = 0;
    if (of->columns == OSC_OF_TOP) {
        dataset.rank = 3;
        dataset.dim[1] = layout->layers + 1;
        dataset.dim[2] = dataset.chunk[2] = OSC_RESIDUAL_TOP;
        dataset.chunk[1] = at_most(dataset.dim[1], dataset.chunk[1] / OSC_RESIDUAL_TOP);
        dataset.label[2] = "rank";
    }
    dataset.growth = OSC_GROWS_BY_SEQUENCE;
    dataset.fill = of->fill;
    dataset.description = of->description;
    dataset.units = of->units;
    osc_record_path_of(dataset.path, of->group, of->name, "");
    return fn(user, &dataset);
}

static osc_status each_residual(const osc_record_layout *layout, osc_record_dataset_fn fn,
                                void *user)
{
    osc_record_dataset sumsq = matrix(OSC_H5_F64, layout->layers + 1, layout->hidden, "state",
                                      "feature");
    osc_record_dataset massive = matrix(OSC_H5_U64, layout->layers + 1, layout->hidden, "state",
                                        "feature");
    sumsq.description = "sum of the squares over all positions; state s enters block s, the last "
                        "leaves the last block";
    sumsq.units = "activation^2";
    osc_record_path_of(sumsq.path, "residual", "sumsq", "");
    OSC_TRY(fn(user, &sumsq));
    massive.description = "positions at which |x| > 100 and |x| >= 1000 times the median of |x| "
                          "over the sequence's state";
    massive.units = "positions";
    osc_record_path_of(massive.path, "residual", "massive", "");
    return fn(user, &massive);
}

static osc_status each_raw(const osc_record_layout *layout, osc_point point,
                           osc_record_dataset_fn fn, void *user)
{
    size_t width = layout->width[point], across = at_most(width, CHUNK_BYTES);
    osc_record_dataset dataset = {
        .kind = OSC_H5_F16, .rank = 4, .dim = { layout->layers, 0, layout->length, width },
        .chunk = { 1, 1, at_most(layout->length, at_most(CHUNK_BYTES / across, 4096)), across },
        .label = { "layer", "sequence", "position", "feature" },
        .growth = OSC_GROWS_BY_SEQUENCE, .growing = 1, .packed = true, .fill = NAN,
        .description = "every value, rounded to half precision; NaN after the sequence's end",
        .units = "activation",
    };
    osc_record_path_of(dataset.path, "raw", osc_point_name(point), "");
    return fn(user, &dataset);
}

osc_status osc_record_each(const osc_record_layout *layout, osc_record_dataset_fn fn, void *user)
{
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if (layout->points >> p & 1u)
            OSC_TRY(each_stat(layout, (osc_point)p, fn, user));
    unsigned tracked = (unsigned)__builtin_popcount(layout->track);
    for (unsigned subset = 1; subset < 1u << tracked; subset++)
        OSC_TRY(each_position(layout, osc_record_subset(layout->track, subset), fn, user));
    OSC_TRY(each_event(fn, user));
    OSC_TRY(each_sequence(layout, fn, user));
    if (layout->heads > 0)
        OSC_TRY(each_top1(layout, fn, user));
    if (layout->without > 0)
        OSC_TRY(each_without(layout, fn, user));
    if (layout->modules != 0) {
        for (size_t m = 0; m < OSC_RECORD_METRICS; m++)
            OSC_TRY(each_metric(layout, (osc_metric)m, fn, user));
        OSC_TRY(each_residual(layout, fn, user));
    }
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if (layout->raw >> p & 1u)
            OSC_TRY(each_raw(layout, (osc_point)p, fn, user));
    return OSC_OK;
}
