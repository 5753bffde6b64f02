/* The arithmetic of axes. */
#include <config.h>
#include "analyses/lineplot.h"

#include <math.h>

static void add_tick(lineplot_axis *axis, double value)
{
    if (axis->ticks < LINEPLOT_TICKS_MOST)
        axis->tick[axis->ticks++] = value;
}

/* The step of 1, 2 or 5 times a power of ten nearest above `least`. */
static double nice_step(double least)
{
    double power = pow(10, floor(log10(least)));
    double ratio = least / power;
    return power * (ratio <= 1.0000001 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10);
}

static void linear(lineplot_axis *axis, double low, double high, size_t about)
{
    double step = nice_step((high - low) / (double)about);
    double first = floor(low / step + 1e-9), last = ceil(high / step - 1e-9);
    axis->low = first * step;
    axis->high = last * step;
    for (double i = first; i <= last; i++)
        add_tick(axis, i * step);
}

/* Ticks at 1, 2 and 5 times powers of ten; at the powers alone where these are many. */
static void logarithmic(lineplot_axis *axis, double low, double high)
{
    static const double parts[] = { 1, 2, 5 };
    int first = (int)floor(log10(low)), last = (int)ceil(log10(high));
    int every = last - first > LINEPLOT_TICKS_MOST ? (last - first) / 8 : 1;
    axis->low = low;
    axis->high = high;
    for (int e = first; e <= last; e += every)
        for (int i = 0; i < (last - first > 3 ? 1 : 3); i++) {
            double tick = parts[i] * pow(10, e);
            if (tick >= low * 0.9999999 && tick <= high * 1.0000001)
                add_tick(axis, tick);
        }
}

lineplot_axis lineplot_axis_make(double low, double high, bool log, size_t about)
{
    lineplot_axis axis = { .log = log && low > 0 };
    if (!(high > low)) {          /* one value, or none */
        double some = low != 0 && isfinite(low) ? fabs(low) * 0.01 : 1;
        low = isfinite(low) ? low - some : 0;
        high = low + 2 * some;
    }
    if (axis.log)
        logarithmic(&axis, low / 1.05, high * 1.05);
    else
        linear(&axis, low, high, about);
    return axis;
}

lineplot_axis lineplot_axis_log(double low, double high, size_t about)
{
    lineplot_axis axis = lineplot_axis_make(low, high, true, about);
    for (int i = 0; axis.ticks < 3 && i < 4; i++) {
        low /= 1.5;
        high *= 1.5;
        axis = lineplot_axis_make(low, high, true, about);
    }
    return axis;
}

void lineplot_amount_text(char *text, size_t size, double value)
{
    static const char letters[] = "\0KMBT";
    size_t power = 0;
    for (; value >= 999.5 && power < 4; power++)
        value /= 1000;
    snprintf(text, size, "%.6g%.1s", value, &letters[power]);
}

double lineplot_axis_at(const lineplot_axis *axis, double value)
{
    if (axis->log)
        return log(value / axis->low) / log(axis->high / axis->low);
    return (value - axis->low) / (axis->high - axis->low);
}
