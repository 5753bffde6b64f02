/* The int8 product in plain C. */
#include <config.h>
#include "backend/cpu_i8.h"

#include <string.h>

static bool available(void)
{
    return true;
}

static void dot(int32_t *sum, const int8_t *x, size_t stride, const int8_t *w, size_t steps,
                size_t rows, const int32_t *total)
{
    if (total != NULL)
        memset(sum, 0, rows * I8_PANEL * sizeof *sum);
    for (size_t r = 0; r < rows; r++) {
        const int8_t *a = x + r * stride, *b = w;
        for (size_t s = 0; s < steps; s++, a += I8_STEP, b += I8_STEP * I8_PANEL)
            for (size_t j = 0; j < I8_PANEL; j++)
                sum[r * I8_PANEL + j] += a[0] * b[4 * j] + a[1] * b[4 * j + 1]
                                       + a[2] * b[4 * j + 2] + a[3] * b[4 * j + 3];
    }
}

const osc_cpu_i8 osc_cpu_i8_portable = {
    .name = "portable",
    .available = available,
    .loops = &osc_cpu_i8_loops_generic,
    .dot = dot,
};
