/* Observers run on a stream of their own, beside the products that follow: what they read
 * is protected from being written until they are done with it. */
#ifndef OSC_CUDA_WATCH_H
#define OSC_CUDA_WATCH_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

osc_status osc_cuda_watch_open(osc_device *device);
void osc_cuda_watch_close(osc_device *device);

/* Around work on device->watch that reads x: it starts when the work issued so far on
 * device->stream is done. */
osc_status osc_cuda_watch_begin(osc_device *device);
osc_status osc_cuda_watch_end(osc_device *device, const void *x, size_t bytes);

/* Work issued to device->stream from now on may write `bytes` at y. */
osc_status osc_cuda_claim(osc_device *device, const void *y, size_t bytes);
/* The same of all memory, what observers add to included. */
osc_status osc_cuda_claim_all(osc_device *device);
/* The host waits until the observers are done. */
osc_status osc_cuda_watch_wait(osc_device *device);

#ifdef __cplusplus
}
#endif

#endif
