/* Hits on their way to the host: a buffer on the device that observe() fills call
 * after call and that is emptied when it could overflow, or at the end of a run.  The
 * host knows how far it is filled from what earlier calls wrote to mapped memory, so
 * it need not wait for the call before. */
#ifndef OSC_CUDA_HITS_H
#define OSC_CUDA_HITS_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CUDA_HIT_CALLS = 4096,      /* calls whose hits wait at the same time */
    CUDA_HIT_LAG = 3,           /* calls that may each fill their worst case unseen */
    CUDA_HITS_AT_ONCE = 1 << 18 /* hits reported at once */
};

struct osc_cuda_hits {
    osc_hit  *hits;             /* [capacity] device */
    size_t    capacity;
    uint64_t *filled;           /* device: hits written since it was emptied */
    uint64_t *ends;             /* [CUDA_HIT_CALLS] mapped host memory: filled after a call */
    cudaEvent_t done[CUDA_HIT_CALLS];
    osc_hits_route route[CUDA_HIT_CALLS];
    uint64_t  most[CUDA_HIT_CALLS];   /* hits a call can have written */
    size_t    calls;            /* waiting */
    size_t    seen;             /* of these, calls whose end is known */
    osc_hit  *host;             /* [CUDA_HITS_AT_ONCE] pinned */
};

osc_status osc_cuda_hits_open(osc_device *device);
void osc_cuda_hits_close(osc_device *device);

/* Room for `most` hits of one more call: may wait for an earlier one and report.  The
 * call then writes behind *filled, moves it on and puts it in *end (device view). */
osc_status osc_cuda_hits_begin(osc_device *device, size_t most, uint64_t **end);
osc_status osc_cuda_hits_end(osc_device *device, const osc_hits_route *route, size_t most);

/* Whether hits are on their way. */
bool osc_cuda_hits_wait(const osc_device *device);
/* Reports them or forgets them; the observers have been waited for. */
osc_status osc_cuda_hits_settle(osc_device *device, bool report);

#ifdef __cplusplus
}
#endif

#endif
