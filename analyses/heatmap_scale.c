/* The arithmetic of the heat map's axes, labels and colours. */
#include <config.h>
#include "analyses/heatmap.h"

/* 1, 2, 5, 10, ...: the step after `step`. */
static double next_step(double step, int index)
{
    return index % 3 == 1 ? step * 2.5 : step * 2;
}

double heatmap_scale(double most)
{
    double percent = most > 0 ? 0.01 : 100;
    for (int i = 0; percent < 100 * most && percent < 100; i++)
        percent = next_step(percent, i);
    return percent < 100 ? percent / 100 : 1;
}

size_t heatmap_tick_step(double unit, double least)
{
    double step = 1;
    for (int i = 0; step * unit < least && step < 1e15; i++)
        step = next_step(step, i);
    return (size_t)step;
}

/* Pool adjacent violators on the places less the gaps before them: in those terms
 * "at least `gap` apart" is "not descending". */
static void pool(double *place, size_t count, double gap)
{
    for (size_t i = 0; i < count; i++) {
        size_t first = i;
        double sum = place[i] - gap * (double)i;
        double mean = sum;
        while (first > 0 && place[first - 1] > mean) {
            double before = place[first - 1];      /* a whole pool has this value */
            size_t end = first;
            while (first > 0 && place[first - 1] == before)
                first--;
            sum += before * (double)(end - first);
            mean = sum / (double)(i + 1 - first);
        }
        for (size_t j = first; j <= i; j++)
            place[j] = mean;
    }
}

void heatmap_spread(double *place, size_t count, double gap, double lowest, double highest)
{
    pool(place, count, gap);
    double top = highest - gap * (double)(count > 0 ? count - 1 : 0);
    for (size_t i = 0; i < count; i++) {
        double p = place[i] > top ? top : place[i];
        place[i] = (p < lowest ? lowest : p) + gap * (double)i;
    }
}
