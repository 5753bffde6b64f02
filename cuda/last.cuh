/* The block of a kernel that comes last adds up what all blocks left. */
#ifndef OSC_CUDA_LAST_CUH
#define OSC_CUDA_LAST_CUH

/* True for all threads of the last of `blocks` blocks; what the others wrote is visible
 * to __ldcg.  One thread releases and acquires for its block, which waits for it: a fence of
 * every thread costs more than all the rest. */
static __device__ bool is_last(unsigned *arrived, unsigned blocks)
{
    __shared__ bool last;
    __syncthreads();
    if (threadIdx.x == 0) {
        unsigned before;
        asm volatile("atom.acq_rel.gpu.global.inc.u32 %0, [%1], %2;"       /* back to 0 at last */
                     : "=r"(before) : "l"(arrived), "r"(blocks - 1) : "memory");
        last = before == blocks - 1;
    }
    __syncthreads();
    return last;
}

#endif
