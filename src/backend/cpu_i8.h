/* int8 products on the CPU.
 *
 * Codes of w are packed once: panels of I8_PANEL outputs; in a panel, for every
 * I8_STEP columns, the codes of output 0, of output 1, ...: one vector load gives
 * neighbouring outputs for the same columns.  Codes of x are rows.  What is beyond
 * N and K is 0.  Everything here gives the same bits on every processor: sums are
 * integers, and the float loops are compiled without contraction. */
#ifndef OSC_BACKEND_CPU_I8_H
#define OSC_BACKEND_CPU_I8_H

#include "backend/cpu.h"

enum {
    I8_PANEL = 64,         /* outputs packed together */
    I8_STEP = 4,           /* columns packed together */
    I8_GROUP = 48,         /* rows whose sums are held at once: 12 KiB */
    I8_TASK_ROWS = 240,    /* rows of one task: its y tile is 60 KiB */
    I8_BLOCK = 4096,       /* columns between two visits of the sums */
    I8_CHUNK = CPU_OUTLIERS    /* removed columns of w gathered at once: 32 KiB */
};

/* Scale and zero point of one set. */
typedef struct {
    float   scale;
    int32_t zero;
} osc_code_scale;

/* What one row of y is made of: x's side. */
typedef struct {
    float   inverse;       /* 1 / scale */
    int32_t zero;
    int64_t kept;          /* sum of (q - zero) over kept columns */
} osc_code_row;

/* ... and w's side, for the outputs of one panel. */
typedef struct {
    float   inverse[I8_PANEL];
    int32_t zero[I8_PANEL];
    int32_t kept[I8_PANEL];    /* sum of q over kept columns */
} osc_code_panel;

/* Loops that are compiled for several instruction sets. */
typedef struct {
    /* peak[j] = bits of the largest |x[r, j]| so far; NaN is passed over. */
    void (*peaks)(uint32_t *peak, const float *x, size_t rows, size_t stride, size_t width);
    /* Extends low..high, as keys (osc_code_key), by x[n]. */
    void (*range)(int32_t *low, int32_t *high, const float *x, size_t n);
    /* q[n] of finite x[n]; returns the sum of codes. */
    int32_t (*symmetric)(int8_t *q, const float *x, float scale, size_t n);
    int32_t (*zeropoint)(int8_t *q, const float *x, osc_code_scale scale, size_t n);
    /* y[n] = sum / (sx sw): one row of a panel. */
    void (*scale)(float *y, const int32_t *sum, const osc_code_row *row,
                  const osc_code_panel *panel, size_t n);
    /* The same with zero points: sum over kept columns of (qx - zx)(qw - zw) by its
     * expansion sum - zx (sum of qw) - zw (sum of (qx - zx)).  Zero points up to 2^16,
     * that is values up to 257 times their range from zero, leave every term exact in
     * double; beyond that it is rounded at 2^-53 of its largest term. */
    void (*scale_zero)(float *y, const int32_t *sum, const osc_code_row *row,
                       const osc_code_panel *panel, size_t n);
    /* y[n] += sum over i < count of x[i] w[i, n]; rows of w are I8_PANEL long. */
    void (*outer)(float *y, const float *x, const float *w, size_t count, size_t n);
    /* y[n] from Q8_0 blocks; n is a multiple of OSC_CODE_BLOCK but for the row's end. */
    void (*blocks)(float *y, const void *blocks, size_t n);
    /* The sum of x[i] w[i], w a row of Q8_0 blocks. */
    float (*dot_blocks)(const float *x, const void *blocks, size_t n);
} osc_cpu_i8_loops;

extern const osc_cpu_i8_loops osc_cpu_i8_loops_generic, osc_cpu_i8_loops_avx2,
                              osc_cpu_i8_loops_avx512;

typedef struct osc_cpu_i8 {
    const char *name;
    bool      (*available)(void);
    const osc_cpu_i8_loops *loops;
    /* sum[r, j] = sum over `steps` steps of columns of x[r, .] w[., j] for one panel;
     * rows of x are `stride` apart.  If `total` is NULL the product is added to
     * `sum`; else total[r] is the sum of all codes of row r of x, which a kernel that
     * shifts w to 0..255 takes away again (sums are modulo 2^32 on the way). */
    void      (*dot)(int32_t *sum, const int8_t *x, size_t stride, const int8_t *w, size_t steps,
                     size_t rows, const int32_t *total);
} osc_cpu_i8;

extern const osc_cpu_i8 osc_cpu_i8_vnni, osc_cpu_i8_avx2, osc_cpu_i8_portable;

/* Asked here and not in the kernels' files, which are compiled for what they ask. */
bool osc_cpu_i8_has_vnni(void);
bool osc_cpu_i8_has_avx2(void);

/* Best first; the last works everywhere and is the portable one; ends with NULL. */
extern const osc_cpu_i8 *const osc_cpu_i8_kernels[];
const osc_cpu_i8 *osc_cpu_i8_choose(void);

/* Order-preserving integers of floats: loops over them become vector code without
 * any promise about NaN, and both NaN and infinity show at the ends. */
static inline int32_t osc_code_key(uint32_t bits)
{
    return (int32_t)(bits ^ ((uint32_t)((int32_t)bits >> 31) & 0x7fffffffu));
}

/* The scale of a set whose smallest and largest keys are given; an empty set has
 * low > high. */
osc_code_scale osc_cpu_code_scale(int32_t low, int32_t high, bool zeropoint);

/* A coded weight in memory of codes_bytes(). */
typedef struct {
    osc_tensor stored;          /* for coding->stored */
    size_t     column_count;    /* fixed columns */
} osc_i8_head;

typedef struct {
    osc_i8_head *head;
    float       *scale;         /* [N] */
    int32_t     *zero, *total;  /* [N] zero points, sums of codes; zeropoint only */
    uint32_t    *columns;       /* [K], fixed columns only */
    int8_t      *code;
} osc_i8_weight;

osc_i8_weight osc_cpu_i8_weight(const void *memory, const osc_coding *coding, size_t n, size_t k);
/* Bytes of one panel. */
size_t osc_cpu_i8_panel(size_t k);
/* The code of output j of a panel at column i. */
static inline int8_t osc_cpu_i8_at(const int8_t *panel, size_t j, size_t i)
{
    return panel[(i / I8_STEP * I8_PANEL + j) * I8_STEP + i % I8_STEP];
}

/* Bytes from one row of codes of x to the next: whole cache lines, and never a
 * power of two, whose rows would share cache sets. */
size_t osc_cpu_i8_stride(size_t k);

/* Finds removed columns and codes x [rows, k] into device->coded. */
void osc_cpu_i8_code(osc_device *device, const float *x, const void *w, const osc_coding *coding,
                     size_t rows, size_t n, size_t k);

/* The product on what osc_cpu_i8_code left in device->coded. */
void osc_cpu_i8_product(osc_device *device, float *y, const float *x, const void *w,
                        const osc_coding *coding, const float *bias, osc_act act,
                        size_t rows, size_t n, size_t k);

/* One panel's side of the scales; `columns` are those removed. */
void osc_cpu_i8_open_panel(osc_code_panel *panel, const osc_i8_weight *w, const int8_t *code,
                           const osc_cpu_coded *x, bool zeropoint, size_t first, size_t count);
osc_code_row osc_cpu_i8_row(const osc_cpu_coded *x, size_t row, size_t k);
/* Blocks of OSC_SHARE_BLOCK (cpu_q8.c). */
size_t osc_cpu_q8_bytes(size_t n, size_t k);
void osc_cpu_q8_code(void *row, const float *w, size_t k);
void osc_cpu_q8_product(osc_device *device, float *y, const float *x, const void *w,
                        const float *bias, osc_act act, size_t rows, size_t n, size_t k);

/* The backend's members. */
const char *osc_cpu_codes_kernel(const osc_device *device);
size_t osc_cpu_codes_bytes(const osc_coding *coding, size_t n, size_t k);
osc_status osc_cpu_codes_load(osc_device *device, void *dst, const osc_coding *coding,
                              const osc_code_source *source, size_t *bad);
osc_status osc_cpu_codes_matmul(osc_device *device, void *y, const void *x, const void *w,
                                const osc_coding *coding, const void *bias, osc_act act,
                                size_t rows, size_t n, size_t k);
osc_status osc_cpu_codes_view(osc_device *device, osc_code_view *view, const void *x,
                              const void *w, const osc_coding *coding, size_t rows, size_t n,
                              size_t k);

#endif
