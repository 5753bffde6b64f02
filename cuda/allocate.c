/* Memory of the device: what is in use, how much it was at most, and how much may be. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/known.h"

/* Room left for what a run allocates when its hooks are known: accumulators of an
 * observer, hits, scores. */
enum { SPARE = 1 << 30 };
/* Rows of an activation that fill a large GPU.  Products of values are fastest with fewer rows
 * where these are wide, as their inputs then stay in the L2 cache (docs/cuda-bench.md). */
enum { TOGETHER = 8192, TOGETHER_WIDE = 4096, VALUES = 1 << 24 };

typedef struct {
    void  *data;
    size_t bytes;
} piece;

struct osc_cuda_memory {
    piece *piece;
    size_t count, capacity;
    size_t used, peak, limit;   /* bytes; limit: SIZE_MAX if there is none */
};

osc_status osc_cuda_memory_open(osc_device *device)
{
    device->memory = osc_alloc(1, sizeof *device->memory);
    if (device->memory == NULL)
        return OSC_ENOMEM;
    device->memory->limit = SIZE_MAX;
    return OSC_OK;
}

void osc_cuda_memory_close(osc_device *device)
{
    if (device->memory != NULL)
        osc_free(device->memory->piece);
    osc_free(device->memory);
}

void osc_cuda_limit(osc_device *device, size_t bytes)
{
    device->memory->limit = bytes;
}

static size_t filling(const osc_coding *coding, size_t width)
{
    size_t rows = VALUES / width;
    if (coding->w != OSC_SHARE_NONE || rows > TOGETHER)
        return TOGETHER;
    return rows < TOGETHER_WIDE ? TOGETHER_WIDE : rows;
}

/* Activations of a block are about ten of [rows, width], those of width 4 H counted, of 16
 * bits: they are to take less than a tenth of the memory. */
size_t osc_cuda_together(const osc_device *device, const osc_coding *coding, size_t width)
{
    size_t free_bytes, all, rows = filling(coding, width);
    if (!osc_cuda_coding_joins(coding) || cudaMemGetInfo(&free_bytes, &all) != cudaSuccess)
        return 0;
    if (device->memory->limit < all)
        all = device->memory->limit;
    return all / 256 / width < rows ? all / 256 / width : rows;
}

void osc_cuda_part(osc_device *device, size_t rows)
{
    if (device->part != rows)
        osc_cuda_known_forget(device, NULL, 0);
    device->part = rows;
}

size_t osc_cuda_peak_bytes(const osc_device *device)
{
    return device->memory->peak;
}

static double mib(size_t bytes)
{
    return (double)bytes / 0x1p20;
}

static osc_status check_limit(const osc_device *device, size_t bytes)
{
    const struct osc_cuda_memory *m = device->memory;
    if (m->used <= m->limit && bytes <= m->limit - m->used)
        return OSC_OK;
    return osc_fail(OSC_ENOMEM, "CUDA: out of the memory allowed on GPU %d: %.1f MiB wanted, "
                    "%.1f of %.1f MiB are in use", device->index, mib(bytes), mib(m->used),
                    mib(m->limit));
}

static osc_status take(osc_device *device, void **data, size_t bytes)
{
    size_t free_bytes = 0, all = 0;
    cudaError_t error = cudaMalloc(data, bytes > 0 ? bytes : 1);
    if (error != cudaErrorMemoryAllocation) {
        OSC_CUDA_TRY(error, "allocating device memory");
        return OSC_OK;
    }
    cudaGetLastError();   /* not sticky, but would be reported by the next launch */
    cudaMemGetInfo(&free_bytes, &all);
    return osc_fail(OSC_ENOMEM, "CUDA: out of memory on GPU %d: %.1f MiB wanted, %.1f of "
                    "%.1f MiB are free", device->index, mib(bytes), mib(free_bytes), mib(all));
}

osc_status osc_cuda_alloc(osc_device *device, void **data, size_t bytes)
{
    struct osc_cuda_memory *m = device->memory;
    piece *grown = osc_grow(m->piece, &m->capacity, m->count + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    m->piece = grown;
    OSC_TRY(check_limit(device, bytes));
    OSC_TRY(take(device, data, bytes));
    m->piece[m->count++] = (piece){ *data, bytes };
    m->used += bytes;
    if (m->used > m->peak)
        m->peak = m->used;
    return OSC_OK;
}

void osc_cuda_release(osc_device *device, void *data)
{
    struct osc_cuda_memory *m = device->memory;
    for (size_t i = m->count; data != NULL && i-- > 0;) {
        if (m->piece[i].data != data)
            continue;
        m->used -= m->piece[i].bytes;
        m->piece[i] = m->piece[--m->count];
        break;
    }
    osc_cuda_known_forget(device, NULL, 0);
    cudaFree(data);       /* waits for work that uses it */
}

osc_status osc_cuda_own(osc_device *device, void **data, size_t bytes)
{
    void **grown = osc_grow(device->owned, &device->owned_capacity, device->owned_count + 1,
                            sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    device->owned = grown;
    OSC_TRY(osc_cuda_alloc(device, data, bytes));
    device->owned[device->owned_count++] = *data;
    device->planned += bytes;
    return OSC_OK;
}

bool osc_cuda_keeps(osc_device *device, size_t bytes)
{
    const struct osc_cuda_memory *m = device->memory;
    size_t free_bytes = 0, all = 0;
    size_t spare = SPARE + device->limits.tokens * device->limits.widest * sizeof(osc_hit);
    if (cudaMemGetInfo(&free_bytes, &all) != cudaSuccess)
        return false;
    if (m->used >= m->limit)
        return false;
    if (m->limit - m->used < free_bytes)
        free_bytes = m->limit - m->used;
    return free_bytes > spare && bytes < free_bytes - spare;
}
