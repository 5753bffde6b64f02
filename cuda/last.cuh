/* The block of a kernel that comes last adds up what all blocks left. */
#ifndef OSC_CUDA_LAST_CUH
#define OSC_CUDA_LAST_CUH

/* True for all threads of the last of `blocks` blocks; what the others wrote is visible
 * to __ldcg. */
static __device__ bool is_last(unsigned *arrived, unsigned blocks)
{
    __shared__ bool last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        last = atomicInc(arrived, blocks - 1) == blocks - 1;     /* back to 0 then */
    __syncthreads();
    if (last)
        __threadfence();
    return last;
}

#endif
