/* Which features are taken out. */
#include <config.h>
#include "analyses/ablation.h"

#include <stdlib.h>

#include "analyses/rng.h"

osc_status ablation_candidates_allocate(ablation_candidates *c, size_t width)
{
    c->width = width;
    c->outlier = osc_alloc(width, sizeof *c->outlier);
    c->reaches = osc_alloc(width, sizeof *c->reaches);
    c->magnitude = osc_alloc(width, sizeof *c->magnitude);
    return c->outlier == NULL || c->reaches == NULL || c->magnitude == NULL ? OSC_ENOMEM : OSC_OK;
}

void ablation_candidates_free(ablation_candidates *c)
{
    osc_free(c->outlier);
    osc_free(c->reaches);
    osc_free(c->magnitude);
    *c = (ablation_candidates){ .width = 0 };
}

/* --- the chosen --------------------------------------------------------------------- */

typedef struct {
    uint32_t feature;
    float    magnitude;
} ranked;

static int largest_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->magnitude != y->magnitude)
        return x->magnitude < y->magnitude ? 1 : -1;
    return x->feature < y->feature ? -1 : x->feature > y->feature;
}

/* The `most` largest of the features that `wanted` marks (NULL: all). */
static osc_status take(ablation *a, const ablation_candidates *c, const bool *wanted, size_t most)
{
    ranked *list = osc_alloc(c->width, sizeof *list);
    if (list == NULL)
        return OSC_ENOMEM;
    size_t count = 0;
    for (size_t f = 0; f < c->width; f++)
        if (wanted == NULL || wanted[f])
            list[count++] = (ranked){ (uint32_t)f, c->magnitude[f] };
    if (count > 0)
        qsort(list, count, sizeof *list, largest_first);
    a->features = count < most ? count : most;
    if (a->features == 0)
        a->draws = 0;
    osc_status status = ablation_allocate(a);
    for (size_t i = 0; i < a->features && status == OSC_OK; i++) {
        a->feature[i] = list[i].feature;
        a->magnitude[i] = list[i].magnitude;
    }
    osc_free(list);
    return status;
}

osc_status ablation_take_outliers(ablation *a, const ablation_candidates *c)
{
    return take(a, c, c->outlier, c->width);
}

osc_status ablation_take_largest(ablation *a, const ablation_candidates *c, size_t count)
{
    if (count > c->width)
        return osc_fail(OSC_EVALUE, "%zu features to take out: the model is %zu wide", count,
                        c->width);
    return take(a, c, NULL, count);
}

osc_status ablation_take_given(ablation *a, const ablation_candidates *c, const uint32_t *feature,
                               size_t count)
{
    bool *wanted = osc_alloc(c->width, sizeof *wanted);
    osc_status status = wanted == NULL ? OSC_ENOMEM : OSC_OK;
    for (size_t i = 0; i < count && status == OSC_OK; i++) {
        if (feature[i] < c->width)
            wanted[feature[i]] = true;
        else
            status = osc_fail(OSC_EVALUE, "there is no feature %u: the model is %zu wide",
                              (unsigned)feature[i], c->width);
    }
    if (status == OSC_OK)
        status = take(a, c, wanted, c->width);
    osc_free(wanted);
    return status;
}

/* --- the control -------------------------------------------------------------------- */

static bool is_chosen(const ablation *a, size_t feature)
{
    for (size_t i = 0; i < a->features; i++)
        if (a->feature[i] == feature)
            return true;
    return false;
}

/* Features to draw from, rising, into `pool`; returns their number. */
static size_t fill_pool(uint32_t *pool, const ablation *a, const ablation_candidates *c,
                        const bool *excluded)
{
    size_t count = 0;
    for (size_t f = 0; f < c->width; f++)
        if (!excluded[f] && !is_chosen(a, f))
            pool[count++] = (uint32_t)f;
    return count;
}

/* Those that never reach alpha, if there are enough of them. */
static osc_status choose_pool(uint32_t *pool, ablation *a, const ablation_candidates *c)
{
    a->pool = ABLATION_NEVER;
    a->pool_size = fill_pool(pool, a, c, c->reaches);
    if (a->pool_size < a->features) {
        a->pool = ABLATION_OTHERS;
        a->pool_size = fill_pool(pool, a, c, c->outlier);
    }
    if (a->draws > 0 && a->pool_size < a->features)
        return osc_fail(OSC_EVALUE, "random sets of %zu features: only %zu are no outliers; "
                        "--draws 0 does without", a->features, a->pool_size);
    return OSC_OK;
}

/* The first `count` places of `pool` become a random sample of it, in random order. */
static void shuffle(uint32_t *pool, size_t size, size_t count, const gsl_rng *rng)
{
    for (size_t i = 0; i < count; i++) {
        size_t other = i + gsl_rng_uniform_int(rng, size - i);
        uint32_t feature = pool[i];
        pool[i] = pool[other];
        pool[other] = feature;
    }
}

static osc_status draw(ablation *a, uint32_t *pool)
{
    gsl_rng rng;
    OSC_TRY(rng_open(&rng, a->seed));
    for (size_t d = 0; d < a->draws; d++) {
        shuffle(pool, a->pool_size, a->features, &rng);
        for (size_t i = 0; i < a->features; i++)
            a->drawn[d * a->features + i] = pool[i];
    }
    rng_close(&rng);
    return OSC_OK;
}

osc_status ablation_draw_sets(ablation *a, const ablation_candidates *c)
{
    uint32_t *pool = osc_alloc(c->width, sizeof *pool);
    osc_status status = pool == NULL ? OSC_ENOMEM : choose_pool(pool, a, c);
    if (status == OSC_OK)
        status = draw(a, pool);
    osc_free(pool);
    return status;
}
