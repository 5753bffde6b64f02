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
    for (size_t i = 0; i < CUDA_HIT_PARTS; i++)
        OSC_CUDA_TRY(cudaEventCreateWithFlags(&h->done[i], cudaEventDisableTiming),
                     "making an event");
    OSC_CUDA_TRY(cudaHostAlloc((void **)&h->ends, CUDA_HIT_PARTS * sizeof *h->ends,
                               cudaHostAllocMapped), "allocating mapped memory");
    OSC_CUDA_TRY(cudaMallocHost((void **)&h->host, CUDA_HITS_AT_ONCE * sizeof *h->host),
                 "allocating pinned memory");
    OSC_TRY(osc_cuda_own(device, (void **)&h->after, (1 + CUDA_HIT_PARTS) * sizeof *h->after));
    OSC_CUDA_TRY(cudaMemsetAsync(h->after, 0, sizeof *h->after, device->watch), "no hits");
    return OSC_OK;
}

void osc_cuda_hits_close(osc_device *device)
{
    struct osc_cuda_hits *h = device->hits;
    if (h == NULL)
        return;
    for (size_t i = 0; i < CUDA_HIT_PARTS; i++)
        if (h->done[i] != NULL)
            cudaEventDestroy(h->done[i]);
    cudaFree(h->hits);
    cudaFreeHost(h->ends);
    cudaFreeHost(h->host);
    osc_free(h);
}

/* Hits from .. to-1, which are on the host, to the routes they belong to; *part is the sequence
 * of the first of them, then of the last. */
static osc_status report_piece(osc_device *device, size_t *part, uint64_t from, uint64_t to)
{
    struct osc_cuda_hits *h = device->hits;
    const osc_hit *hits = h->host;
    while (from < to) {
        while (h->ends[*part] <= from)
            ++*part;
        uint64_t end = h->ends[*part] < to ? h->ends[*part] : to;
        OSC_TRY(h->route[*part].sink(&h->route[*part], hits, (size_t)(end - from)));
        hits += end - from;
        from = end;
    }
    return OSC_OK;
}

/* A copy brings the hits of as many calls as fit: most have few. */
static osc_status report_all(osc_device *device)
{
    struct osc_cuda_hits *h = device->hits;
    uint64_t all = h->ends[h->parts - 1];
    size_t part = 0;
    for (uint64_t from = 0, to; from < all; from = to) {
        to = all - from < CUDA_HITS_AT_ONCE ? all : from + CUDA_HITS_AT_ONCE;
        OSC_TRY(osc_cuda_get_stats(device, h->host, h->hits + from,
                                   (size_t)(to - from) * sizeof *h->hits));
        OSC_TRY(report_piece(device, &part, from, to));
    }
    return OSC_OK;
}

bool osc_cuda_hits_wait(const osc_device *device)
{
    return device->hits->parts > 0;
}

osc_status osc_cuda_hits_settle(osc_device *device, bool report)
{
    if (device->hits->parts == 0)
        return OSC_OK;
    osc_status status = report ? report_all(device) : OSC_OK;
    device->hits->parts = device->hits->seen = 0;
    return status;
}

static osc_status try_room(osc_device *device, size_t capacity)
{
    struct osc_cuda_hits *h = device->hits;
    void *made;
    OSC_TRY(osc_cuda_alloc(device, &made, capacity * sizeof *h->hits));
    h->hits = made;
    h->capacity = capacity;
    return OSC_OK;
}

/* Grows the buffer so that CUDA_HIT_LAG calls of `count` sequences fit, or one, or one of
 * fewer sequences. */
static osc_status make_room(osc_device *device, size_t most, size_t count)
{
    struct osc_cuda_hits *h = device->hits;
    size_t call = count * most, many = call > CUDA_HITS_MANY ? call : CUDA_HITS_MANY;
    OSC_TRY(osc_cuda_settle(device, true));
    OSC_TRY(osc_cuda_watch_wait(device));
    osc_cuda_release(device, h->hits);
    h->hits = NULL;
    h->capacity = 0;
    h->wanted = h->wanted > call ? h->wanted : call;
    osc_status status = try_room(device, CUDA_HIT_LAG * call < many ? CUDA_HIT_LAG * call : many);
    for (; status == OSC_ENOMEM && count > 0; count /= 2)
        status = try_room(device, count * most);
    return status;
}

/* Hits that the waiting sequences can have at most, as far as is known. */
static uint64_t bound(const struct osc_cuda_hits *h)
{
    uint64_t hits = h->seen == 0 ? 0 : h->ends[h->seen - 1];
    for (size_t i = h->seen; i < h->parts; i++)
        hits += h->most[i];
    return hits;
}

/* Waits for the first call whose ends are not known. */
static osc_status see(struct osc_cuda_hits *h)
{
    size_t last = h->last[h->seen];
    OSC_CUDA_TRY(cudaEventSynchronize(h->done[last]), "observing");
    h->seen = last + 1;
    return OSC_OK;
}

osc_status osc_cuda_hits_begin(osc_device *device, size_t most, size_t *count,
                               osc_cuda_hit_counts *counts)
{
    struct osc_cuda_hits *h = device->hits;
    void *mapped;
    if (h->capacity < most || (h->capacity < *count * most && h->wanted < *count * most))
        OSC_TRY(make_room(device, most, *count));
    if (*count * most > h->capacity)
        *count = h->capacity / most;
    uint64_t room = *count * most;
    while (h->seen < h->parts && bound(h) + room > h->capacity)
        OSC_TRY(see(h));
    if (bound(h) + room > h->capacity || h->parts + *count > CUDA_HIT_PARTS)
        OSC_TRY(osc_cuda_settle(device, true));
    OSC_CUDA_TRY(cudaHostGetDevicePointer(&mapped, &h->ends[h->parts], 0), "observing");
    *counts = (osc_cuda_hit_counts){ h->after + h->parts, mapped };
    return OSC_OK;
}

osc_status osc_cuda_hits_end(osc_device *device, const osc_hits_route *route, size_t most,
                             size_t count)
{
    struct osc_cuda_hits *h = device->hits;
    size_t last = h->parts + count - 1;
    OSC_CUDA_TRY(cudaEventRecord(h->done[last], device->watch), "observing");
    for (size_t i = 0; i < count; i++, h->parts++) {
        h->route[h->parts] = *route;
        h->route[h->parts].sequence += i;
        h->most[h->parts] = most;
        h->last[h->parts] = last;
    }
    return OSC_OK;
}
