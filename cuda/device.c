/* The CUDA device: finding it, and what is allocated once. */
#include <config.h>
#include "cuda/device.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#include "cuda/backend.h"
#include "cuda/hits.h"
#include "cuda/reports.h"
#include "cuda/watch.h"

/* --- errors ------------------------------------------------------------------------------- */

osc_status osc_cuda_fail(cudaError_t error, const char *what)
{
    osc_status status = error == cudaErrorMemoryAllocation ? OSC_ENOMEM : OSC_EDEVICE;
    return osc_fail(status, "CUDA: %s: %s", what, cudaGetErrorString(error));
}

osc_status osc_cuda_lt_fail(cublasStatus_t error, const char *what)
{
    osc_status status = error == CUBLAS_STATUS_ALLOC_FAILED ? OSC_ENOMEM
                      : error == CUBLAS_STATUS_NOT_SUPPORTED ? OSC_EUNSUP : OSC_EDEVICE;
    return osc_fail(status, "cuBLASLt: %s: %s", what, cublasLtGetStatusString(error));
}

osc_status osc_cuda_launched(const char *kernel)
{
    OSC_CUDA_TRY(cudaGetLastError(), kernel);
    return OSC_OK;
}

osc_status osc_cuda_wait(osc_device *device, const char *what)
{
    OSC_CUDA_TRY(cudaStreamSynchronize(device->stream), what);
    return OSC_OK;
}

/* --- opening ------------------------------------------------------------------------------ */

/* One of the devices that CUDA lists; CUDA_VISIBLE_DEVICES says which those are. */
static osc_status find(osc_device *device, size_t index)
{
    int count = 0;
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaErrorInsufficientDriver)
        return osc_fail(OSC_EDEVICE, "CUDA: no NVIDIA driver, or one too old for CUDA %d.%d: %s",
                        CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10,
                        cudaGetErrorString(error));
    if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0))
        return osc_fail(OSC_EDEVICE, "CUDA: no GPU is visible to this process");
    OSC_CUDA_TRY(error, "looking for a GPU");
    if (index >= (size_t)count)
        return osc_fail(OSC_ENOTFOUND, "CUDA: there is no GPU %zu: %d visible, counted from 0",
                        index, count);
    device->index = (int)index;
    OSC_CUDA_TRY(cudaSetDevice(device->index), "taking the GPU");
    return OSC_OK;
}

static osc_status examine(osc_device *device)
{
    int major, minor;
    OSC_CUDA_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device->index),
                 "asking for the compute capability");
    OSC_CUDA_TRY(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device->index),
                 "asking for the compute capability");
    device->capability = 10 * major + minor;
#ifdef HAVE_SM90A
    device->hopper = device->capability == 90;
#endif
    if (device->capability < CUDA_OLDEST)
        return osc_fail(OSC_EUNSUP, "CUDA: GPU %d has compute capability %d.%d, at least "
                        "%d.%d is needed", device->index, major, minor, CUDA_OLDEST / 10,
                        CUDA_OLDEST % 10);
    OSC_CUDA_TRY(cudaDeviceGetAttribute(&device->processors, cudaDevAttrMultiProcessorCount,
                                        device->index), "asking for the multiprocessors");
    return OSC_OK;
}

/* What describes tensors to the copy engine. */
static void find_encode(osc_device *device)
{
    enum cudaDriverEntryPointQueryResult found;
    if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &device->encode, 12000,
                                         cudaEnableDefault, &found) != cudaSuccess
        || found != cudaDriverEntryPointSuccess) {
        cudaGetLastError();
        device->encode = NULL;
    }
}

static osc_status set_up(osc_device *device, size_t index)
{
    OSC_TRY(osc_cuda_memory_open(device));
    OSC_TRY(find(device, index));
    OSC_TRY(examine(device));
    find_encode(device);
    osc_cuda_make_way(device);
    OSC_CUDA_TRY(cudaEventCreateWithFlags(&device->handed, cudaEventDisableTiming),
                 "making an event");
    OSC_CUDA_TRY(cudaStreamCreateWithFlags(&device->stream, cudaStreamNonBlocking),
                 "making a stream");
    OSC_CUDA_TRY(cudaStreamCreateWithFlags(&device->loads, cudaStreamNonBlocking),
                 "making a stream");
    for (int i = 0; i < OSC_TURNS; i++)
        OSC_CUDA_TRY(cudaEventCreateWithFlags(&device->turn[i], cudaEventDisableTiming),
                     "making an event");
    for (int i = 0; i < 2; i++)
        OSC_CUDA_TRY(cudaEventCreateWithFlags(&device->staged[i], cudaEventDisableTiming),
                     "making an event");
    OSC_LT_TRY(cublasLtCreate(&device->lt), "starting");
    OSC_TRY(osc_cuda_products_open(device));
    OSC_TRY(osc_cuda_watch_open(device));
    OSC_TRY(osc_cuda_hits_open(device));
    OSC_TRY(osc_cuda_reports_open(device));
    OSC_CUDA_TRY(cudaMallocHost(&device->staging, 2 * CUDA_STAGING), "allocating pinned memory");
    OSC_CUDA_TRY(cudaMallocHost(&device->pinned, CUDA_PINNED), "allocating pinned memory");
    OSC_CUDA_TRY(cudaHostAlloc((void **)&device->graph_ids,
                               OSC_GRAPH_IDS * sizeof *device->graph_ids, cudaHostAllocMapped),
                 "allocating mapped memory");
    OSC_TRY(osc_cuda_own(device, &device->workspace, CUDA_WORKSPACE));
    OSC_TRY(osc_cuda_own(device, &device->raw, 2 * CUDA_STAGING));
    OSC_TRY(osc_cuda_own(device, (void **)&device->bad, sizeof *device->bad));
    return osc_cuda_own(device, (void **)&device->piece, CUDA_PIECE * sizeof *device->piece);
}

osc_status osc_cuda_open(osc_device **device, size_t threads, size_t index, osc_dtype dtype)
{
    osc_device *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->dtype = dtype;
    made->kernel = SIZE_MAX;
    made->threads = threads;
#ifdef _OPENMP
    if (threads == 0)
        made->threads = (size_t)omp_get_num_procs();
#endif
    if (made->threads == 0)
        made->threads = 1;
    osc_status status = set_up(made, index);
    if (status != OSC_OK) {
        osc_cuda_close(made);
        return status;
    }
    *device = made;
    return OSC_OK;
}

void osc_cuda_close(osc_device *device)
{
    if (device == NULL)
        return;
    cudaSetDevice(device->index);
    if (device->stream != NULL)
        cudaStreamSynchronize(device->stream);
    if (device->watch != NULL)
        cudaStreamSynchronize(device->watch);
    osc_cuda_codes_close(device);
    osc_cuda_hits_close(device);
    osc_cuda_reports_close(device);
    osc_cuda_watch_close(device);
    osc_cuda_products_close(device);
    osc_free(device->observer);
    osc_free(device->reduction);
    osc_free(device->view);
    for (size_t i = 0; i < device->owned_count; i++)
        cudaFree(device->owned[i]);
    osc_free(device->owned);
    cudaFreeHost(device->staging);
    cudaFreeHost(device->pinned);
    cudaFreeHost(device->graph_ids);
    for (int i = 0; i < OSC_TURNS; i++)
        if (device->turn[i] != NULL)
            cudaEventDestroy(device->turn[i]);
    for (int i = 0; i < 2; i++)
        if (device->staged[i] != NULL)
            cudaEventDestroy(device->staged[i]);
    if (device->handed != NULL)
        cudaEventDestroy(device->handed);
    if (device->loads != NULL)
        cudaStreamDestroy(device->loads);
    if (device->lt != NULL)
        cublasLtDestroy(device->lt);
    if (device->stream != NULL)
        cudaStreamDestroy(device->stream);
    osc_cuda_memory_close(device);
    osc_free(device);
}

size_t osc_cuda_threads(const osc_device *device)
{
    return device->threads;
}

osc_status osc_cuda_plan(osc_device *device, const osc_limits *limits)
{
    device->limits = *limits;
    limits = &device->limits;
    if (limits->rows < limits->tokens)
        device->limits.rows = limits->tokens;
    OSC_TRY(osc_cuda_own(device, (void **)&device->ids, limits->rows * sizeof *device->ids));
    OSC_TRY(osc_cuda_own(device, (void **)&device->mass,
                         limits->heads * limits->rows * sizeof *device->mass));
    size_t counters = limits->heads * CUDA_FEW_QUERIES * sizeof *device->arrived;
    OSC_TRY(osc_cuda_own(device, (void **)&device->arrived, counters));
    OSC_CUDA_TRY(cudaMemsetAsync(device->arrived, 0, counters, device->stream), "planning");
    OSC_TRY(osc_cuda_observe_plan(device, limits));
    OSC_TRY(osc_cuda_residual_plan(device, limits));
    return limits->codes ? osc_cuda_codes_plan(device, limits) : OSC_OK;
}

size_t osc_cuda_scratch_bytes(const osc_device *device)
{
    return device->planned;
}
