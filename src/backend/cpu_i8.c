/* The table of int8 kernels, and what they share. */
#include <config.h>
#include "backend/cpu_i8.h"

#include <math.h>

#include "base/half.h"

#ifdef HAVE_X86_64
bool osc_cpu_i8_has_vnni(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
}

bool osc_cpu_i8_has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}
#endif

const osc_cpu_i8 *const osc_cpu_i8_kernels[] = {
#ifdef HAVE_X86_64
    &osc_cpu_i8_vnni,
    &osc_cpu_i8_avx2,
#endif
    &osc_cpu_i8_portable,
    NULL
};

const osc_cpu_i8 *osc_cpu_i8_choose(void)
{
    size_t i = 0;
    while (!osc_cpu_i8_kernels[i]->available())
        i++;
    return osc_cpu_i8_kernels[i];
}

const char *osc_cpu_codes_kernel(const osc_device *device)
{
    return device->i8->name;
}

size_t osc_cpu_i8_stride(size_t k)
{
    return (k + 63) / 64 * 64 + 64;
}

static float value_of(int32_t key)
{
    return osc_bits_to_float((uint32_t)osc_code_key((uint32_t)key));   /* its own inverse */
}

static osc_code_scale symmetric_scale(float low, float high)
{
    float most = -low > high ? -low : high;
    float scale = most > 0.0f ? 127.0f / most : 1.0f;
    /* below 3.7e-37 the scale would be infinite: counts as zero */
    return (osc_code_scale){ isinf(scale) ? 1.0f : scale, 0 };
}

static osc_code_scale zeropoint_scale(float low, float high)
{
    float width = high - low;
    float scale = 254.0f / (width > 0.0f ? width : 1.0f);
    if (isinf(scale))
        scale = 254.0f;
    double zero = -(double)rintf(scale * low) - 127.0;
    if (isinf(width) || !(fabs(zero) <= (double)INT32_MAX))
        return (osc_code_scale){ NAN, 0 };
    return (osc_code_scale){ scale, (int32_t)zero };
}

osc_code_scale osc_cpu_code_scale(int32_t low, int32_t high, bool zeropoint)
{
    float least = value_of(low), most = value_of(high);
    if (low > high)
        return (osc_code_scale){ 1.0f, 0 };
    if (!isfinite(least) || !isfinite(most))
        return (osc_code_scale){ NAN, 0 };
    return zeropoint ? zeropoint_scale(least, most) : symmetric_scale(least, most);
}
