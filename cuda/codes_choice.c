/* Which kernel multiplies codes, by measurement.  Few rows of a long K leave the kernels of
 * ours, which do not split K, without enough blocks; cuBLASLt splits it.  The table was
 * measured once, not here and now: a product has the same bits in every run.
 *
 *     cuda/bench.sh -b BUILD -p kernels > kernels.jsonl
 *     cuda/codes_measured.py kernels.jsonl > cuda/codes_measured.h */
#include <config.h>
#include "cuda/codes_choice.h"

#include <stdint.h>

/* Of OPT's layers: N = 4 K, K = 4 N, N = K. */
typedef enum { CODES_FC1, CODES_FC2, CODES_SQUARE } shape;

static const struct {
    size_t rows, rows_to;      /* first and last */
    shape  shape;
    size_t width, width_to;    /* the smaller of N and K */
    osc_cuda_codes_kernels kernel;
} faster[] = {
#include "cuda/codes_measured.h"
};

/* The next of the three by ratio. */
static shape shape_of(size_t n, size_t k)
{
    return n >= 2 * k ? CODES_FC1 : k >= 2 * n ? CODES_FC2 : CODES_SQUARE;
}

size_t osc_cuda_codes_choice(size_t rows, size_t n, size_t k, bool hopper)
{
    shape like = shape_of(n, k);
    size_t width = n < k ? n : k;
    for (size_t i = 0; hopper && i < sizeof faster / sizeof *faster; i++)
        if (faster[i].shape == like && rows >= faster[i].rows && rows <= faster[i].rows_to
            && width >= faster[i].width && width <= faster[i].width_to)
            return faster[i].kernel;
    return 0;
}
