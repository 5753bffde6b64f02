#include <config.h>
#include "analyses/ablation.h"

const char *const ablation_mode_names[ABLATION_MODE_COUNT] = {
    [ABLATION_ZERO] = "zero", [ABLATION_MEAN] = "mean",
};

const char *const ablation_pool_names[ABLATION_POOL_COUNT] = {
    [ABLATION_NEVER] = "never at alpha", [ABLATION_OTHERS] = "no outliers",
};

const char *ablation_points_text(char *text, size_t size, unsigned points)
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if ((points >> p & 1u) != 0 && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? "+" : "",
                                     osc_point_name((osc_point)p));
    return text;
}

osc_status ablation_allocate(ablation *a)
{
    size_t sets, cells, drawn, masses;
    a->steps = a->cumulative && a->features > 0 ? a->features : 1;
    if (__builtin_add_overflow(a->draws, 1, &sets) || __builtin_mul_overflow(sets, a->steps, &cells)
        || __builtin_add_overflow(cells, 1, &cells)
        || __builtin_mul_overflow(a->draws, a->features, &drawn)
        || __builtin_mul_overflow(cells, a->layers, &masses)
        || __builtin_mul_overflow(masses, 2, &masses))
        return osc_fail(OSC_ENOMEM, "out of memory: %zu draws of %zu features in %zu blocks",
                        a->draws, a->features, a->layers);
    a->feature = osc_alloc(a->features, sizeof *a->feature);
    a->magnitude = osc_alloc(a->features, sizeof *a->magnitude);
    a->drawn = osc_alloc(drawn, sizeof *a->drawn);
    a->cell = osc_alloc(cells, sizeof *a->cell);
    a->masses = osc_alloc(masses, sizeof *a->masses);
    if (a->feature == NULL || a->magnitude == NULL || a->drawn == NULL || a->cell == NULL
        || a->masses == NULL)
        return OSC_ENOMEM;
    for (size_t c = 0; c < cells; c++) {
        a->cell[c].top1 = a->masses + 2 * c * a->layers;
        a->cell[c].later = a->cell[c].top1 + a->layers;
    }
    return OSC_OK;
}

void ablation_free(ablation *a)
{
    osc_free(a->feature);
    osc_free(a->magnitude);
    osc_free(a->drawn);
    osc_free(a->cell);
    osc_free(a->masses);
    a->feature = a->drawn = NULL;
    a->magnitude = NULL;
    a->cell = NULL;
    a->masses = NULL;
}
