/* Summaries and findings in the residual stream on their way to the host: kernels write
 * them to mapped memory, and settle() hands them over in the order of the calls. */
#ifndef OSC_CUDA_REPORTS_H
#define OSC_CUDA_REPORTS_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CUDA_REPORTS = 8192 };     /* that wait at the same time */

typedef union {
    osc_summary  summary;
    osc_residual residual;
} osc_cuda_report;

osc_status osc_cuda_reports_open(osc_device *device);
void osc_cuda_reports_close(osc_device *device);

/* Where the next reports go (device view), those of `count` sequences, at most CUDA_REPORTS: a
 * kernel that was issued when the second call comes writes them there.  May wait for earlier
 * ones and report them.  The route is that of the first of the sequences. */
osc_status osc_cuda_report_begin(osc_device *device, osc_cuda_report **to, size_t count);
void osc_cuda_report_summaries(osc_device *device, const osc_summary_route *route, size_t count);
void osc_cuda_report_residuals(osc_device *device, const osc_residual_route *route, size_t count);

/* Hands the reports over, or forgets them; the device has been waited for. */
osc_status osc_cuda_reports_settle(osc_device *device, bool report);

#ifdef __cplusplus
}
#endif

#endif
