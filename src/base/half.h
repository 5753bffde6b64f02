/* fp16 (IEEE binary16) and bf16 to float and back, one value at a time.
 * Runs of values are widened by the backend. */
#ifndef OSC_BASE_HALF_H
#define OSC_BASE_HALF_H

#include <stdint.h>
#include <string.h>

static inline float osc_bits_to_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t osc_float_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float osc_bf16_to_float(uint16_t h)
{
    return osc_bits_to_float((uint32_t)h << 16);
}

/* Exact for every fp16, subnormals, infinities and NaN payloads included. */
static inline float osc_f16_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t magnitude = h & 0x7fffu;
    if (magnitude >= 0x7c00u)                       /* infinity, NaN */
        return osc_bits_to_float(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
    if (magnitude >= 0x0400u)                       /* normal: rebias 15 -> 127 */
        return osc_bits_to_float(sign | ((magnitude << 13) + (112u << 23)));
    float value = (float)magnitude * 0x1p-24f;      /* subnormal or zero */
    return osc_bits_to_float(sign | osc_float_to_bits(value));
}

/* Round to nearest, ties to even; beyond 65504 becomes infinity; NaN stays NaN. */
static inline uint16_t osc_float_to_f16(float value)
{
    uint32_t bits = osc_float_to_bits(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return sign | 0x7e00u;
    if (magnitude >= 0x477ff000u)                   /* 65520 and more round to infinity */
        return sign | 0x7c00u;
    if (magnitude < 0x38800000u) {                  /* below 2^-14: adding 0.5 aligns and rounds */
        float aligned = osc_bits_to_float(magnitude) + 0.5f;
        return sign | (uint16_t)(osc_float_to_bits(aligned) - osc_float_to_bits(0.5f));
    }
    uint32_t odd = magnitude >> 13 & 1u;
    return sign | (uint16_t)((magnitude - (112u << 23) + 0xfffu + odd) >> 13);
}

/* Round to nearest, ties to even; overflow becomes infinity; NaN stays NaN. */
static inline uint16_t osc_float_to_bf16(float value)
{
    uint32_t bits = osc_float_to_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

#endif
