/* The CUDA device: finding it, memory, and what is allocated once. */
#include <config.h>
#include "cuda/device.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#include "cuda/backend.h"
#include "cuda/hits.h"

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

/* The device that CUDA lists first; CUDA_VISIBLE_DEVICES chooses another. */
static osc_status choose(osc_device *device)
{
    int count = 0, major, minor;
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaErrorInsufficientDriver)
        return osc_fail(OSC_EDEVICE, "CUDA: no NVIDIA driver, or one too old for CUDA %d.%d: %s",
                        CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10,
                        cudaGetErrorString(error));
    if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0))
        return osc_fail(OSC_EDEVICE, "CUDA: no GPU is visible to this process");
    OSC_CUDA_TRY(error, "looking for a GPU");
    device->index = 0;
    OSC_CUDA_TRY(cudaSetDevice(device->index), "taking the GPU");
    OSC_CUDA_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device->index),
                 "asking for the compute capability");
    OSC_CUDA_TRY(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device->index),
                 "asking for the compute capability");
    device->capability = 10 * major + minor;
#ifdef HAVE_SM90A
    device->hopper = device->capability == 90;
#endif
    if (device->capability < CUDA_OLDEST)
        return osc_fail(OSC_EUNSUP, "CUDA: the GPU has compute capability %d.%d, at least "
                        "%d.%d is needed", major, minor, CUDA_OLDEST / 10, CUDA_OLDEST % 10);
    OSC_CUDA_TRY(cudaDeviceGetAttribute(&device->processors, cudaDevAttrMultiProcessorCount,
                                        device->index), "asking for the multiprocessors");
    return OSC_OK;
}

static osc_status set_up(osc_device *device)
{
    OSC_TRY(choose(device));
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
    OSC_TRY(osc_cuda_hits_open(device));
    OSC_CUDA_TRY(cudaMallocHost(&device->staging, 2 * CUDA_STAGING), "allocating pinned memory");
    OSC_TRY(osc_cuda_own(device, &device->workspace, CUDA_WORKSPACE));
    OSC_TRY(osc_cuda_own(device, &device->raw, 2 * CUDA_STAGING));
    OSC_TRY(osc_cuda_own(device, (void **)&device->bad, sizeof *device->bad));
    return osc_cuda_own(device, (void **)&device->piece, CUDA_PIECE * sizeof *device->piece);
}

osc_status osc_cuda_open(osc_device **device, size_t threads, osc_dtype dtype)
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
    osc_status status = set_up(made);
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
    if (device->stream != NULL)
        cudaStreamSynchronize(device->stream);
    osc_cuda_codes_close(device);
    osc_cuda_hits_close(device);
    osc_cuda_products_close(device);
    osc_free(device->observer);
    osc_free(device->view);
    for (size_t i = 0; i < device->owned_count; i++)
        cudaFree(device->owned[i]);
    osc_free(device->owned);
    cudaFreeHost(device->staging);
    for (int i = 0; i < OSC_TURNS; i++)
        if (device->turn[i] != NULL)
            cudaEventDestroy(device->turn[i]);
    for (int i = 0; i < 2; i++)
        if (device->staged[i] != NULL)
            cudaEventDestroy(device->staged[i]);
    if (device->loads != NULL)
        cudaStreamDestroy(device->loads);
    if (device->lt != NULL)
        cublasLtDestroy(device->lt);
    if (device->stream != NULL)
        cudaStreamDestroy(device->stream);
    osc_free(device);
}

size_t osc_cuda_threads(const osc_device *device)
{
    return device->threads;
}

/* --- memory ------------------------------------------------------------------------------- */

osc_status osc_cuda_alloc(osc_device *device, void **data, size_t bytes)
{
    size_t free_bytes = 0, all = 0;
    (void)device;
    cudaError_t error = cudaMalloc(data, bytes > 0 ? bytes : 1);
    if (error != cudaErrorMemoryAllocation) {
        OSC_CUDA_TRY(error, "allocating device memory");
        return OSC_OK;
    }
    cudaGetLastError();   /* not sticky, but would be reported by the next launch */
    cudaMemGetInfo(&free_bytes, &all);
    return osc_fail(OSC_ENOMEM, "CUDA: out of device memory: %.1f MiB wanted, %.1f of %.1f MiB "
                    "are free", (double)bytes / 0x1p20, (double)free_bytes / 0x1p20,
                    (double)all / 0x1p20);
}

void osc_cuda_release(osc_device *device, void *data)
{
    (void)device;
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

osc_status osc_cuda_plan(osc_device *device, const osc_limits *limits)
{
    device->limits = *limits;
    OSC_TRY(osc_cuda_own(device, (void **)&device->ids, limits->tokens * sizeof *device->ids));
    OSC_TRY(osc_cuda_own(device, (void **)&device->mass,
                         limits->heads * limits->tokens * sizeof *device->mass));
    OSC_TRY(osc_cuda_observe_plan(device, limits));
    return limits->codes ? osc_cuda_codes_plan(device, limits) : OSC_OK;
}

size_t osc_cuda_scratch_bytes(const osc_device *device)
{
    return device->planned;
}
