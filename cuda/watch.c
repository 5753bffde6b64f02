/* What watch.h says. */
#include <config.h>
#include "cuda/watch.h"
#include "cuda/known.h"

#include "base/alloc.h"

enum { WATCHED = 16 };

/* Tensors that are being read, in the order of the calls: a ring. */
struct osc_cuda_watch {
    struct {
        const char *from, *to;
        cudaEvent_t done;
    } at[WATCHED];
    size_t      first, count;
    cudaEvent_t issued;
};

osc_status osc_cuda_watch_open(osc_device *device)
{
    int least, greatest;
    struct osc_cuda_watch *w = device->watched = osc_alloc(1, sizeof *w);
    if (w == NULL)
        return OSC_ENOMEM;
    OSC_CUDA_TRY(cudaDeviceGetStreamPriorityRange(&least, &greatest), "making a stream");
    OSC_CUDA_TRY(cudaStreamCreateWithPriority(&device->watch, cudaStreamNonBlocking, greatest),
                 "making a stream");
    for (size_t i = 0; i < WATCHED; i++)
        OSC_CUDA_TRY(cudaEventCreateWithFlags(&w->at[i].done, cudaEventDisableTiming),
                     "making an event");
    OSC_CUDA_TRY(cudaEventCreateWithFlags(&w->issued, cudaEventDisableTiming),
                 "making an event");
    return OSC_OK;
}

void osc_cuda_watch_close(osc_device *device)
{
    struct osc_cuda_watch *w = device->watched;
    if (w == NULL)
        return;
    for (size_t i = 0; i < WATCHED; i++)
        if (w->at[i].done != NULL)
            cudaEventDestroy(w->at[i].done);
    if (w->issued != NULL)
        cudaEventDestroy(w->issued);
    if (device->watch != NULL)
        cudaStreamDestroy(device->watch);
    osc_free(w);
}

/* The stream waits for the first `count` tensors, which are done in order. */
static osc_status forget(osc_device *device, size_t count)
{
    struct osc_cuda_watch *w = device->watched;
    if (count == 0)
        return OSC_OK;
    OSC_CUDA_TRY(cudaStreamWaitEvent(device->stream, w->at[(w->first + count - 1) % WATCHED].done,
                                     0), "waiting for observers");
    w->first = (w->first + count) % WATCHED;
    w->count -= count;
    return OSC_OK;
}

osc_status osc_cuda_watch_begin(osc_device *device)
{
    struct osc_cuda_watch *w = device->watched;
    OSC_CUDA_TRY(cudaEventRecord(w->issued, device->stream), "observing");
    OSC_CUDA_TRY(cudaStreamWaitEvent(device->watch, w->issued, 0), "observing");
    return OSC_OK;
}

osc_status osc_cuda_watch_end(osc_device *device, const void *x, size_t bytes)
{
    struct osc_cuda_watch *w = device->watched;
    if (w->count == WATCHED)
        OSC_TRY(forget(device, 1));
    size_t last = (w->first + w->count++) % WATCHED;
    w->at[last].from = x;
    w->at[last].to = w->at[last].from + bytes;
    OSC_CUDA_TRY(cudaEventRecord(w->at[last].done, device->watch), "observing");
    return OSC_OK;
}

osc_status osc_cuda_claim(osc_device *device, const void *y, size_t bytes)
{
    const struct osc_cuda_watch *w = device->watched;
    const char *from = y, *to = from + bytes;
    size_t last = 0;
    osc_cuda_known_forget(device, y, bytes);
    for (size_t i = 0; i < w->count; i++) {
        size_t at = (w->first + i) % WATCHED;
        if (from < w->at[at].to && w->at[at].from < to)
            last = i + 1;
    }
    return forget(device, last);
}

osc_status osc_cuda_claim_all(osc_device *device)
{
    osc_cuda_known_forget(device, NULL, 0);
    return forget(device, device->watched->count);
}

osc_status osc_cuda_watch_wait(osc_device *device)
{
    OSC_CUDA_TRY(cudaStreamSynchronize(device->watch), "observing");
    device->watched->count = 0;
    return OSC_OK;
}
