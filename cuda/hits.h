/* Hits on their way to the host: a buffer on the device that observe() fills call
 * after call and that is emptied when it could overflow, or at the end of a run.  The
 * host knows how far it is filled from what earlier calls wrote to mapped memory, so
 * it need not wait for the call before.  A call is of several sequences, whose hits lie one
 * behind the other. */
#ifndef OSC_CUDA_HITS_H
#define OSC_CUDA_HITS_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CUDA_HIT_PARTS = 4096,      /* sequences of calls whose hits wait at the same time */
    CUDA_HIT_LAG = 3,           /* calls that may each fill their worst case unseen, unless */
    CUDA_HITS_MANY = 1 << 27,   /* that is more: such a call is behind products that take long */
    CUDA_HITS_AT_ONCE = 1 << 18 /* hits reported at once */
};

/* Where a call finds how many hits are there, and says how many there are after each of its
 * sequences. */
typedef struct {
    uint64_t *after;            /* [1 + sequences] device; the first is of the call before */
    uint64_t *ends;             /* [sequences] device view of mapped host memory */
} osc_cuda_hit_counts;

struct osc_cuda_hits {
    osc_hit  *hits;             /* [capacity] device */
    size_t    capacity;
    size_t    wanted;           /* the most hits of a call that room was looked for */
    uint64_t *after;            /* [1 + CUDA_HIT_PARTS] device: 0, then as ends */
    uint64_t *ends;             /* [CUDA_HIT_PARTS] mapped host memory: hits up to the end of a
                                   sequence since the buffer was emptied */
    cudaEvent_t done[CUDA_HIT_PARTS];       /* of a call's last sequence */
    size_t    last[CUDA_HIT_PARTS];         /* the last sequence of the same call */
    osc_hits_route route[CUDA_HIT_PARTS];
    uint64_t  most[CUDA_HIT_PARTS];         /* hits a sequence can have */
    size_t    parts;            /* sequences waiting */
    size_t    seen;             /* of these, sequences whose end is known */
    osc_hit  *host;             /* [CUDA_HITS_AT_ONCE] pinned */
};

osc_status osc_cuda_hits_open(osc_device *device);
void osc_cuda_hits_close(osc_device *device);

/* Room for one more call of *count sequences, 1 to CUDA_HIT_PARTS, with `most` hits each: may
 * wait for an earlier one and report.  Lowers *count, never to 0, if there is no room for so
 * many. */
osc_status osc_cuda_hits_begin(osc_device *device, size_t most, size_t *count,
                               osc_cuda_hit_counts *counts);
/* The route is that of the first of the sequences. */
osc_status osc_cuda_hits_end(osc_device *device, const osc_hits_route *route, size_t most,
                             size_t count);

/* Whether hits are on their way. */
bool osc_cuda_hits_wait(const osc_device *device);
/* Reports them or forgets them; the observers have been waited for. */
osc_status osc_cuda_hits_settle(osc_device *device, bool report);

#ifdef __cplusplus
}
#endif

#endif
