/* Rotary position embedding.  Angles are float as in transformers: frequency rounded,
 * times position, rounded. */
#include <config.h>
#include "backend/cpu.h"

#include <math.h>

/* cosine[i], sine[i] of the angle of pair i at position p. */
static void set_angles(float *cosine, float *sine, const osc_rotary *rotary, size_t p)
{
    for (size_t i = 0; i < rotary->dim / 2; i++) {
        double power = -2.0 * (double)i / (double)rotary->dim;
        float angle = (float)p * (float)pow((double)rotary->base, power);
        cosine[i] = cosf(angle);
        sine[i] = sinf(angle);
    }
}

static void turn(float *x, const float *cosine, const float *sine, const osc_rotary *rotary)
{
    size_t pairs = rotary->dim / 2;
    size_t step = rotary->neighbours ? 2 : 1, apart = rotary->neighbours ? 1 : pairs;
    for (size_t i = 0; i < pairs; i++) {
        float a = x[i * step], b = x[i * step + apart];
        x[i * step] = a * cosine[i] - b * sine[i];
        x[i * step + apart] = b * cosine[i] + a * sine[i];
    }
}

osc_status osc_cpu_rotate(osc_device *device, void *x, const osc_rotary *rotary, size_t rows,
                          size_t heads, size_t head_size)
{
    size_t tokens = rotary->tokens > 0 ? rotary->tokens : rows;
#pragma omp parallel for num_threads(device->threads) if (rows > 1)
    for (size_t t = 0; t < rows; t++) {
        float *cosine = osc_cpu_scratch(device), *sine = cosine + rotary->dim / 2;
        set_angles(cosine, sine, rotary, rotary->first + t % tokens);
        for (size_t h = 0; h < heads; h++)
            turn((float *)x + (t * heads + h) * head_size, cosine, sine, rotary);
    }
    return OSC_OK;
}
