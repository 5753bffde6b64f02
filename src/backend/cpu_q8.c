/* Weights in blocks of 32 along K, llama.cpp's Q8_0: an fp16 scale max|w|/127 and 32
 * codes.  x stays float: a tile of w is decoded, then multiplied through cblas; few rows
 * multiply the blocks as they are. */
#include <config.h>
#include "backend/cpu_i8.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "base/half.h"

enum {
    BLOCK_BYTES = 2 + OSC_CODE_BLOCK,
    TILE = 128,              /* outputs decoded at a time */
    DEPTH = 512              /* columns decoded at a time: 256 KiB, fits any scratch */
};

static size_t row_bytes(size_t k)
{
    return (k + OSC_CODE_BLOCK - 1) / OSC_CODE_BLOCK * BLOCK_BYTES;
}

size_t osc_cpu_q8_bytes(size_t n, size_t k)
{
    return n * row_bytes(k);
}

/* A block with NaN or infinity in it gets a scale of NaN. */
static void code_block(unsigned char *block, const float *w, size_t count)
{
    int8_t q[OSC_CODE_BLOCK] = { 0 };
    float most = 0.0f;
    for (size_t i = 0; i < count; i++)
        most = !(fabsf(w[i]) <= most) ? fabsf(w[i]) : most;
    bool finite = isfinite(most);
    for (size_t i = 0; i < count; i++)
        finite = finite && isfinite(w[i]);
    float unit = most / 127.0f, inverse = unit > 0.0f ? 1.0f / unit : 0.0f;
    for (size_t i = 0; i < count && finite && isfinite(inverse); i++)
        q[i] = (int8_t)fmaxf(-127.0f, fminf(127.0f, rintf(w[i] * inverse)));
    uint16_t half = osc_float_to_f16(finite ? unit : NAN);
    memcpy(block, &half, sizeof half);
    memcpy(block + 2, q, sizeof q);
}

void osc_cpu_q8_code(void *row, const float *w, size_t k)
{
    unsigned char *block = row;
    for (size_t i = 0; i < k; i += OSC_CODE_BLOCK, block += BLOCK_BYTES)
        code_block(block, w + i, k - i < OSC_CODE_BLOCK ? k - i : OSC_CODE_BLOCK);
}

static void do_few(const osc_device *device, float *y, const float *x, const unsigned char *w,
                   size_t rows, size_t ldy, size_t n, size_t k)
{
    for (size_t j = 0; j < n; j++)
        for (size_t t = 0; t < rows; t++)
            y[t * ldy + j] = device->i8->loops->dot_blocks(x + t * k, w + j * row_bytes(k), k);
}

/* y[rows, j..j+n-1] = x w^T, decoding DEPTH columns after the other. */
static void do_tile(const osc_device *device, float *y, const float *x, const unsigned char *w,
                    size_t rows, size_t ldy, size_t n, size_t k)
{
    float *tile = osc_cpu_scratch(device);
    for (size_t i = 0; i < k; i += DEPTH) {
        size_t depth = k - i < DEPTH ? k - i : DEPTH;
        for (size_t j = 0; j < n; j++)
            device->i8->loops->blocks(tile + j * depth, w + j * row_bytes(k)
                                      + i / OSC_CODE_BLOCK * BLOCK_BYTES, depth);
        for (size_t t = 0; t < rows; t += CPU_TILE_ROWS) {
            size_t m = rows - t < CPU_TILE_ROWS ? rows - t : CPU_TILE_ROWS;
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)depth,
                        1.0f, x + t * k + i, (int)k, tile, (int)depth, i == 0 ? 0.0f : 1.0f,
                        y + t * ldy, (int)ldy);
        }
    }
}

void osc_cpu_q8_product(osc_device *device, float *y, const float *x, const void *w,
                        const float *bias, osc_act act, size_t rows, size_t n, size_t k)
{
#pragma omp parallel for num_threads(device->threads) schedule(dynamic)
    for (size_t j = 0; j < n; j += TILE) {
        size_t some = n - j < TILE ? n - j : TILE;
        (rows <= OSC_FEW_ROWS ? do_few : do_tile)(device, y + j, x, (const unsigned char *)w
                                                  + j * row_bytes(k), rows, n, some, k);
        if (bias != NULL || act != OSC_ACT_NONE)
            for (size_t t = 0; t < rows; t++)
                device->vec->bias_act(y + t * n + j, bias ? bias + j : NULL, act, some);
    }
}
