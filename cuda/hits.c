/* What hits.h says. */
#include <config.h>
#include "cuda/hits.h"

#include "cuda/backend.h"
#include "cuda/watch.h"

osc_status osc_cuda_hits_open(osc_device *device)
{
    struct osc_cuda_hits *h = osc_alloc(1, sizeof *h);
    if (h == NULL)
        return OSC_ENOMEM;
    device->hits = h;
    for (size_t i = 0; i < CUDA_HIT_CALLS; i++)
        OSC_CUDA_TRY(cudaEventCreateWithFlags(&h->done[i], cudaEventDisableTiming),
                     "making an event");
    OSC_CUDA_TRY(cudaHostAlloc((void **)&h->ends, CUDA_HIT_CALLS * sizeof *h->ends,
                               cudaHostAllocMapped), "allocating mapped memory");
    OSC_CUDA_TRY(cudaMallocHost((void **)&h->host, CUDA_HITS_AT_ONCE * sizeof *h->host),
                 "allocating pinned memory");
    return osc_cuda_own(device, (void **)&h->filled, sizeof *h->filled);
}

void osc_cuda_hits_close(osc_device *device)
{
    struct osc_cuda_hits *h = device->hits;
    if (h == NULL)
        return;
    for (size_t i = 0; i < CUDA_HIT_CALLS; i++)
        if (h->done[i] != NULL)
            cudaEventDestroy(h->done[i]);
    cudaFree(h->hits);
    cudaFreeHost(h->ends);
    cudaFreeHost(h->host);
    osc_free(h);
}

static osc_status empty(osc_device *device)
{
    struct osc_cuda_hits *h = device->hits;
    h->calls = h->seen = 0;
    OSC_CUDA_TRY(cudaMemsetAsync(h->filled, 0, sizeof *h->filled, device->watch),
                 "emptying the hits");
    return OSC_OK;
}

/* Hits from .. to-1, which are on the host, to the routes of the calls they are from; *call
 * is that of the first of them, then of the last. */
static osc_status report_piece(osc_device *device, size_t *call, uint64_t from, uint64_t to)
{
    struct osc_cuda_hits *h = device->hits;
    const osc_hit *hits = h->host;
    while (from < to) {
        while (h->ends[*call] <= from)
            ++*call;
        uint64_t end = h->ends[*call] < to ? h->ends[*call] : to;
        OSC_TRY(h->route[*call].sink(&h->route[*call], hits, (size_t)(end - from)));
        hits += end - from;
        from = end;
    }
    return OSC_OK;
}

/* A copy brings the hits of as many calls as fit: most have few. */
static osc_status report_all(osc_device *device)
{
    struct osc_cuda_hits *h = device->hits;
    uint64_t all = h->ends[h->calls - 1];
    size_t call = 0;
    for (uint64_t from = 0, to; from < all; from = to) {
        to = all - from < CUDA_HITS_AT_ONCE ? all : from + CUDA_HITS_AT_ONCE;
        OSC_TRY(osc_cuda_get_stats(device, h->host, h->hits + from,
                                   (size_t)(to - from) * sizeof *h->hits));
        OSC_TRY(report_piece(device, &call, from, to));
    }
    return OSC_OK;
}

bool osc_cuda_hits_wait(const osc_device *device)
{
    return device->hits->calls > 0;
}

osc_status osc_cuda_hits_settle(osc_device *device, bool report)
{
    if (device->hits->calls == 0)
        return OSC_OK;
    osc_status status = report ? report_all(device) : OSC_OK;
    osc_status emptied = empty(device);
    return status == OSC_OK ? emptied : status;
}

/* Grows the buffer so that CUDA_HIT_LAG calls of `most` hits fit, one at least. */
static osc_status make_room(osc_device *device, size_t most)
{
    struct osc_cuda_hits *h = device->hits;
    OSC_TRY(osc_cuda_settle(device, true));
    OSC_TRY(osc_cuda_watch_wait(device));
    osc_cuda_release(device, h->hits);
    h->hits = NULL;
    h->capacity = 0;
    size_t capacity = CUDA_HIT_LAG * most;
    void *made;
    osc_status status = osc_cuda_alloc(device, &made, capacity * sizeof *h->hits);
    if (status == OSC_ENOMEM)
        status = osc_cuda_alloc(device, &made, (capacity = most) * sizeof *h->hits);
    if (status != OSC_OK)
        return status;
    h->hits = made;
    h->capacity = capacity;
    return empty(device);
}

/* Hits that the waiting calls can have written at most, as far as is known. */
static uint64_t bound(const struct osc_cuda_hits *h)
{
    uint64_t hits = h->seen == 0 ? 0 : h->ends[h->seen - 1];
    for (size_t i = h->seen; i < h->calls; i++)
        hits += h->most[i];
    return hits;
}

osc_status osc_cuda_hits_begin(osc_device *device, size_t most, uint64_t **end)
{
    struct osc_cuda_hits *h = device->hits;
    void *mapped;
    if (h->capacity < most)
        OSC_TRY(make_room(device, most));
    while (h->seen < h->calls && bound(h) + most > h->capacity) {
        OSC_CUDA_TRY(cudaEventSynchronize(h->done[h->seen]), "observing");
        h->seen++;
    }
    if (bound(h) + most > h->capacity || h->calls == CUDA_HIT_CALLS)
        OSC_TRY(osc_cuda_settle(device, true));
    OSC_CUDA_TRY(cudaHostGetDevicePointer(&mapped, &h->ends[h->calls], 0), "observing");
    *end = mapped;
    return OSC_OK;
}

osc_status osc_cuda_hits_end(osc_device *device, const osc_hits_route *route, size_t most)
{
    struct osc_cuda_hits *h = device->hits;
    OSC_CUDA_TRY(cudaEventRecord(h->done[h->calls], device->watch), "observing");
    h->route[h->calls] = *route;
    h->most[h->calls] = most;
    h->calls++;
    return OSC_OK;
}
