/* Launches that overlap the end of the kernel before.  A kernel launched so does nothing
 * before after_last_kernel() but read constants, which weights are, and ask for memory to
 * be brought to the L2 cache.  Every kernel calls after_last_kernel(): when one is done,
 * so are all before it.  What is read behind it may have been in this multiprocessor's
 * cache with older values: no __ldg(). */
#ifndef OSC_CUDA_LAUNCH_CUH
#define OSC_CUDA_LAUNCH_CUH

#include "cuda/device.h"

/* Waits until the kernel before has ended and its writes can be seen. */
static __device__ __forceinline__ void after_last_kernel()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/* The next kernel may be set up from now on. */
static __device__ __forceinline__ void let_next_kernel()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" :::);
#endif
}

template <typename... A, typename... B>
static osc_status launch_after(osc_device *device, const char *what, void (*kernel)(A...),
                               dim3 blocks, unsigned threads, size_t shared, B... args)
{
    cudaLaunchAttribute early = {};
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = blocks;
    config.blockDim = dim3(threads);
    config.dynamicSmemBytes = shared;
    config.stream = device->stream;
    config.attrs = &early;
    config.numAttrs = device->capability >= 90 ? 1 : 0;
    OSC_CUDA_TRY(cudaLaunchKernelEx(&config, kernel, A(args)...), what);
    return OSC_OK;
}

#endif
