/* What reports.h says. */
#include <config.h>
#include "cuda/known.h"
#include "cuda/reports.h"

#include "cuda/backend.h"
#include "cuda/hits.h"
#include "cuda/watch.h"

typedef struct {
    bool is_residual;
    osc_summary_route  summary;
    osc_residual_route residual;
} address;

struct osc_cuda_reports {
    osc_cuda_report *there;           /* [CUDA_REPORTS] mapped host memory */
    address to[CUDA_REPORTS];
    size_t  count;
};

osc_status osc_cuda_reports_open(osc_device *device)
{
    device->reports = osc_alloc(1, sizeof *device->reports);
    if (device->reports == NULL)
        return OSC_ENOMEM;
    OSC_CUDA_TRY(cudaHostAlloc((void **)&device->reports->there,
                               CUDA_REPORTS * sizeof *device->reports->there,
                               cudaHostAllocMapped), "allocating mapped memory");
    return OSC_OK;
}

void osc_cuda_reports_close(osc_device *device)
{
    if (device->reports != NULL)
        cudaFreeHost(device->reports->there);
    osc_free(device->reports);
}

osc_status osc_cuda_report_begin(osc_device *device, osc_cuda_report **to, size_t count)
{
    struct osc_cuda_reports *r = device->reports;
    void *mapped;
    if (r->count + count > CUDA_REPORTS)
        OSC_TRY(osc_cuda_settle(device, true));
    OSC_CUDA_TRY(cudaHostGetDevicePointer(&mapped, &r->there[r->count], 0), "observing");
    *to = mapped;
    return OSC_OK;
}

void osc_cuda_report_summaries(osc_device *device, const osc_summary_route *route, size_t count)
{
    struct osc_cuda_reports *r = device->reports;
    for (size_t i = 0; i < count; i++) {
        address *to = &r->to[r->count++];
        *to = (address){ .summary = *route };
        to->summary.sequence += i;
    }
}

void osc_cuda_report_residuals(osc_device *device, const osc_residual_route *route, size_t count)
{
    struct osc_cuda_reports *r = device->reports;
    for (size_t i = 0; i < count; i++) {
        address *to = &r->to[r->count++];
        *to = (address){ .is_residual = true, .residual = *route };
        to->residual.sequence += i;
    }
}

static osc_status deliver(const address *to, const osc_cuda_report *what)
{
    return to->is_residual ? to->residual.sink(&to->residual, &what->residual)
                           : to->summary.sink(&to->summary, &what->summary);
}

osc_status osc_cuda_reports_settle(osc_device *device, bool report_them)
{
    struct osc_cuda_reports *r = device->reports;
    osc_status status = OSC_OK;
    for (size_t i = 0; report_them && status == OSC_OK && i < r->count; i++)
        status = deliver(&r->to[i], &r->there[i]);
    r->count = 0;
    return status;
}

osc_status osc_cuda_settle(osc_device *device, bool report_them)
{
    if (!report_them)       /* work may have failed that was noted as issued */
        osc_cuda_known_reset(device);
    if (!osc_cuda_hits_wait(device) && device->reports->count == 0)
        return OSC_OK;
    OSC_TRY(osc_cuda_watch_wait(device));
    osc_status hits = osc_cuda_hits_settle(device, report_them);
    osc_status reports = osc_cuda_reports_settle(device, report_them && hits == OSC_OK);
    return hits != OSC_OK ? hits : reports;
}
