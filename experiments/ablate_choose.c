/* Which features are taken out, and what they become. */
#include <config.h>
#include "experiments/ablate.h"

#include <math.h>
#include <string.h>

#include "analyses/outliers.h"
#include "experiments/without.h"

#define DEFAULT_ALPHA 6.0

static unsigned all_points(const ablate_run *r)
{
    return r->options->points | 1u << OSC_AT_QKV_IN;
}

/* --- a record ------------------------------------------------------------------------ */

static osc_status check_record(const ablate_run *r, const osc_record *record)
{
    const osc_record_info *info = osc_record_get_info(record);
    if (info->hidden == osc_model_config(r->input.model)->hidden
        && strcmp(info->weights_sha256, r->result->weights) == 0)
        return OSC_OK;
    return osc_fail(OSC_EINVAL, "%s is a record of other weights (%s, SHA-256 %.16s...) than %s "
                    "has (%.16s...)", osc_record_path(record), info->model, info->weights_sha256,
                    osc_model_name(r->input.model), r->result->weights);
}

static osc_status take_list(ablate_run *r, const char *path)
{
    const outlier_options options = { .rule = FEATURE_RULE_DEFAULT, .all = true };
    outlier_result found;
    OSC_TRY(outliers_read(&found, path, &options));
    for (size_t i = 0; i < found.features.count; i++) {
        const feature_row *row = &found.features.row[i];
        r->candidates.reaches[row->feature] = true;
        r->candidates.outlier[row->feature] = row->outlier;
    }
    r->result->alpha = found.info.alpha;
    outliers_free(&found);
    return OSC_OK;
}

static void add_magnitudes(ablation_candidates *c, const osc_column_stats *stats, size_t layers)
{
    for (size_t l = 0; l < layers; l++)
        for (size_t f = 0; f < c->width; f++)
            c->magnitude[f] = fmaxf(c->magnitude[f], fmaxf(-stats[l].min[f], stats[l].max[f]));
}

/* Magnitudes at the points, as far as the record has them; *whole: it has all. */
static osc_status take_magnitudes(ablate_run *r, bool *whole, osc_record *record)
{
    *whole = (r->options->points & ~osc_record_points(record)) == 0;
    for (unsigned p = 0; p < OSC_POINT_COUNT && *whole; p++) {
        const osc_column_stats *stats;
        if ((r->options->points >> p & 1u) == 0)
            continue;
        OSC_TRY(osc_record_stats(record, (osc_point)p, &stats));
        add_magnitudes(&r->candidates, stats, r->result->layers);
    }
    return OSC_OK;
}

static osc_status read_record(ablate_run *r, bool *whole, const char *path)
{
    osc_record *record;
    OSC_TRY(osc_record_open(&record, path));
    osc_status status = check_record(r, record);
    if (status == OSC_OK)
        status = take_magnitudes(r, whole, record);
    osc_record_close(record);
    return status == OSC_OK ? take_list(r, path) : status;
}

/* --- what is known of the features ------------------------------------------------------ */

/* Magnitudes then are those of this text, whatever a record says. */
static osc_status observe(ablate_run *r)
{
    const ablate_options *o = r->options;
    ablation_candidates *c = &r->candidates;
    memset(c->magnitude, 0, c->width * sizeof *c->magnitude);
    if (o->record == NULL)
        r->result->alpha = o->alpha > 0 ? o->alpha : DEFAULT_ALPHA;
    OSC_TRY(ablate_observe(r, all_points(r), (float)r->result->alpha, o->record == NULL));
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if (o->points >> p & 1u)
            add_magnitudes(c, osc_observer_stats(r->observed, (osc_point)p, 0),
                           r->result->layers);
    return OSC_OK;
}

/* A record says which features are outliers; the rest may have to be measured first. */
static osc_status find_candidates(ablate_run *r)
{
    bool whole = false;
    OSC_TRY(ablation_candidates_allocate(&r->candidates,
                                         osc_model_config(r->input.model)->hidden));
    if (r->options->record != NULL)
        OSC_TRY(read_record(r, &whole, r->options->record));
    return whole && r->options->mode == ABLATION_ZERO ? OSC_OK : observe(r);
}

static osc_status take_features(ablate_run *r)
{
    const ablate_options *o = r->options;
    ablation *a = r->result;
    if (o->features != NULL) {
        without_list list;
        snprintf(a->chosen_by, sizeof a->chosen_by, "given on the command line");
        OSC_TRY(without_parse(&list, "features", o->features, r->candidates.width));
        osc_status status = ablation_take_given(a, &r->candidates, list.feature, list.count);
        osc_free(list.feature);
        return status;
    }
    if (o->top > 0) {
        snprintf(a->chosen_by, sizeof a->chosen_by, "of largest magnitude at the points");
        return ablation_take_largest(a, &r->candidates, o->top);
    }
    snprintf(a->chosen_by, sizeof a->chosen_by, "outliers by the default rule in %s",
             o->record != NULL ? o->record : "the same text");
    return ablation_take_outliers(a, &r->candidates);
}

/* --- what features become ------------------------------------------------------------- */

/* Means over all positions of the regular run, by block. */
static osc_status take_means(ablate_run *r)
{
    size_t width = r->candidates.width;
    const osc_corpus *corpus = r->input.corpus;
    double positions = (double)corpus->offset[corpus->count];
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++) {
        if ((all_points(r) >> p & 1u) == 0)
            continue;
        r->mean[p] = osc_alloc(r->result->layers, width * sizeof *r->mean[p]);
        if (r->mean[p] == NULL)
            return OSC_ENOMEM;
        for (size_t l = 0; l < r->result->layers; l++) {
            const osc_column_stats *stats = osc_observer_stats(r->observed, (osc_point)p, l);
            for (size_t f = 0; f < width; f++)
                r->mean[p][l * width + f] = (float)(stats->sum[f] / positions);
        }
    }
    return OSC_OK;
}

/* -------------------------------------------------------------------------------------- */

osc_status ablate_choose(ablate_run *r)
{
    OSC_TRY(find_candidates(r));
    OSC_TRY(take_features(r));
    if (r->result->features > 0)
        OSC_TRY(ablation_draw_sets(r->result, &r->candidates));
    return r->options->mode == ABLATION_MEAN ? take_means(r) : OSC_OK;
}
