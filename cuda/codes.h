/* Products of codes on the device: what their files share.
 *
 * A linear layer is two kernels: one codes x (codes_x.cu, codes_known.cu), one multiplies
 * and applies scales, outlier columns, bias and activation to the sums while they are in
 * registers; for few rows one kernel does both.  Outlier columns are found on the
 * device, by the kernel that made x where it can (known.h); their list and count stay
 * there, and no call waits for the device.
 *
 * The list has no bound, but only the first CODES_SIDE columns are laid side by side
 * for the matrix units; those beyond are multiplied one by one where y is made. */
#ifndef OSC_CUDA_CODES_H
#define OSC_CUDA_CODES_H

#include "cuda/known.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CODES_ALIGN = 16,       /* K of codes is padded to it: 16-byte rows */
    CODES_PANEL = 32,       /* outputs whose codes are permuted, see osc_cuda_code_row */
    CODES_CHUNK = 16,       /* outlier columns of one matrix instruction */
    CODES_CHUNKS = 8,
    CODES_SIDE = CODES_CHUNK * CODES_CHUNKS,
    CODES_TOLD = 64,        /* bytes that CTAs of a multiprocessor tell the others */
    CODES_SLICE = 32 << 20, /* bytes of sums between cuBLASLt and codes_scale.cu, or of decoded
                               weights (codes_q8_many.cu) */
    FEW_ROWS = 8            /* most rows that codes_pair.cu and codes_few.cu multiply */
};

static inline size_t osc_cuda_round_up(size_t value, size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* Rows of codes of w are stored in an order that gives a thread of a matrix
 * instruction, which holds columns 8j + 2c and 8j + 2c + 1 (c: lane % 4), eight
 * neighbouring outputs: row 32g + 8j + 2c + e holds output 32g + 8c + 2j + e.  The
 * same function gives the output of a row. */
#ifdef __CUDACC__
__host__ __device__
#endif
static inline unsigned osc_cuda_code_row(unsigned output)
{
    return (output & ~31u) | (output >> 1 & 3u) << 3 | (output >> 3 & 3u) << 1 | (output & 1u);
}

/* A coded weight in device memory of codes_bytes(). */
typedef struct {
    float    *scale, *inverse;   /* [N], and 1 / scale */
    int32_t  *zero, *total;      /* [N] zero points, sums of codes; zeropoint only */
    uint32_t *columns;           /* OSC_REMOVE_FIXED: the count, then the columns [K] */
    uint16_t *stored;            /* [K, rows] as stored, in the device's type, or NULL */
    int8_t   *code;              /* [rows, stride] */
    size_t    rows, stride;      /* N and K padded */
    size_t    bytes;
} osc_cuda_weight;

osc_cuda_weight osc_cuda_code_weight(const void *memory, const osc_coding *coding, size_t n,
                                     size_t k);

/* Where CTAs of one kernel meet, how often each pair of buffers was used, and how often
 * CTAs told each other their columns; zero at first. */
typedef struct {
    unsigned arrived, epoch, calls[3], round;
} osc_cuda_meeting;

/* Scratch of a product: codes of x and all that belongs to them. */
typedef struct osc_cuda_codes {
    int8_t   *code;              /* [T, stride] */
    float    *scale, *inverse;   /* [T] */
    int32_t  *zero;              /* [T] */
    double   *kept;              /* [T] sum of (q - zero) over kept columns */
    float    *outliers;          /* [T] sum of x over removed columns */
    uint16_t *side_x;            /* [CODES_CHUNKS][T][CODES_CHUNK] removed columns of x */
    uint16_t *side_w;            /* [CODES_CHUNKS][rows][CODES_CHUNK] ... and of w */
    int32_t  *kept_w;            /* [N] sums of codes of w over kept columns */
    uint32_t *columns;           /* the count, then the removed columns [K], ascending */
    uint32_t *found;             /* two sets of bits of removed columns, then [2][K] peaks */
    int32_t  *range;             /* [2][2] extremes of the tensor, as keys */
    osc_cuda_meeting *meeting;
    void     *told;              /* 32 bytes for each CTA: its columns, and the round */
    int32_t  *range_w;           /* [2] the same of a weight that is being coded */
    int32_t  *slice;             /* CODES_SLICE bytes */
    size_t    rows, widest;
    size_t    shared;            /* bytes of shared memory of a multiprocessor */
    struct osc_cuda_igemm *igemm;   /* cuBLASLt's plans (codes_lt.c) */
} osc_cuda_codes;

/* One product.  Pointers are device memory; x and y are of the device's type. */
typedef struct osc_cuda_layer {
    void       *y;               /* [rows, n] */
    void       *plus;            /* [rows, n] or NULL, see osc_product; only for codes_pair.cu */
    const void *x;               /* [rows, k] */
    const void *bias;            /* [n] or NULL */
    osc_cuda_weight w;
    osc_coding  coding;
    osc_act     act;
    size_t      rows, n, k;
    int32_t    *sum;             /* [rows, n] or NULL: gets the sums of codes instead of y */
    osc_cuda_flags flags;        /* of y */
    osc_cuda_removed removed;    /* of x, if it is of several sequences and each has its own */
} osc_cuda_layer;

/* Kernels: `multiply` comes after osc_cuda_code_x, but where `codes` says that it
 * codes x itself. */
typedef struct {
    const char *name;
    bool      (*fits)(const osc_device *device, const osc_cuda_layer *p);
    osc_status (*multiply)(osc_device *device, const osc_cuda_layer *p);
    bool        codes, flags;    /* `flags`: heeds those of the layer */
    bool        joins;           /* takes several sequences that differ in removed columns */
} osc_cuda_kernel;

/* Usually best first, see codes_choice.h; in the order of CUDA_KERNELS; ends with NULL. */
extern const osc_cuda_kernel *const osc_cuda_kernels[];
const osc_cuda_kernel *osc_cuda_kernel_for(const osc_device *device, const osc_cuda_layer *p);
/* Codes x into device->codes; with `side` also what belongs to w. */
osc_status osc_cuda_code_x(osc_device *device, const osc_cuda_layer *p, bool side);
/* The ways to do that: codes_x.cu for any x; codes_known.cu for one whose removed columns
 * are known, and `side` alone where the codes are there already. */
osc_status osc_cuda_code_any_x(osc_device *device, const osc_cuda_layer *p, bool side);
bool osc_cuda_known_x_fits(const osc_cuda_layer *p);
osc_status osc_cuda_code_known_x(osc_device *device, const osc_cuda_layer *p,
                                 osc_cuda_removed removed, bool side);
osc_status osc_cuda_lay_side(osc_device *device, const osc_cuda_layer *p);

/* codes_w.cu: codes rows first .. first+rows-1 of a weight from [rows, k] values of
 * `dtype` in device memory.  `range` is NULL or the extremes of the whole tensor
 * (keys, device memory); *bad, in device memory, becomes the smallest index of an
 * element that is not finite. */
osc_status osc_cuda_code_w(osc_device *device, const osc_cuda_weight *w, const osc_coding *coding,
                           const void *values, osc_dtype dtype, size_t first, size_t rows,
                           size_t n, size_t k, const int32_t *range, unsigned long long *bad);
/* Extends range[2] by these values. */
osc_status osc_cuda_range_w(osc_device *device, int32_t *range, const void *values,
                            osc_dtype dtype, size_t count);

/* codes_q8.cu */
size_t osc_cuda_q8_bytes(size_t n, size_t k);
osc_status osc_cuda_q8_load(osc_device *device, void *dst, const void *values, osc_dtype dtype,
                            size_t first, size_t rows, size_t n, size_t k,
                            unsigned long long *bad);
osc_status osc_cuda_q8_multiply(osc_device *device, const osc_cuda_layer *p, const void *blocks);

/* codes_wgmma.cu, codes_pair.cu, codes_few.cu, codes_scale.cu */
bool osc_cuda_wgmma_fits(const osc_device *device, const osc_cuda_layer *p);
osc_status osc_cuda_wgmma_multiply(osc_device *device, const osc_cuda_layer *p);
bool osc_cuda_pair_fits(const osc_device *device, const osc_cuda_layer *p);
osc_status osc_cuda_pair_multiply(osc_device *device, const osc_cuda_layer *p);
/* Layers of the same x and coding in one kernel; each fits. */
osc_status osc_cuda_pair_multiply_several(osc_device *device, const osc_cuda_layer *layers,
                                          size_t count);
bool osc_cuda_few_fits(const osc_device *device, const osc_cuda_layer *p);
osc_status osc_cuda_few_multiply(osc_device *device, const osc_cuda_layer *p);
/* y from sums [rows, count] for rows first .. first+count-1 of codes of w. */
osc_status osc_cuda_scale_sums(osc_device *device, const osc_cuda_layer *p, const int32_t *sum,
                               size_t first, size_t count);

/* codes_lt.c */
bool osc_cuda_igemm_fits(const osc_device *device, const osc_cuda_layer *p);
osc_status osc_cuda_igemm_multiply(osc_device *device, const osc_cuda_layer *p);
void osc_cuda_igemm_close(osc_device *device);

#ifdef __cplusplus
}
#endif

#endif
