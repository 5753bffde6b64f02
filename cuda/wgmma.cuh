/* Hopper's warpgroup instructions as functions: mbarriers, tensor copies, wgmma. */
#ifndef OSC_CUDA_WGMMA_CUH
#define OSC_CUDA_WGMMA_CUH

#include <cuda.h>
#include <cuda_runtime.h>
#include <stdint.h>

#include "cuda/mma.cuh"

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

/* --- mbarriers ------------------------------------------------------------------------------ */

static __device__ __forceinline__ void barrier_init(uint64_t *barrier, unsigned arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;"
                 :: "r"(shared_address(barrier)), "r"(arrivals) : "memory");
}

/* Arrives, and expects this many bytes of copies in the phase. */
static __device__ __forceinline__ void barrier_expect(uint64_t *barrier, unsigned bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;"
                 :: "r"(shared_address(barrier)), "r"(bytes) : "memory");
}

/* Arrives at the same barrier of a CTA of the cluster. */
static __device__ __forceinline__ void barrier_arrive_at(uint64_t *barrier, unsigned rank)
{
    asm volatile("{ .reg .b32 remote;\n"
                 "mapa.shared::cluster.u32 remote, %0, %1;\n"
                 "mbarrier.arrive.shared::cluster.b64 _, [remote]; }"
                 :: "r"(shared_address(barrier)), "r"(rank) : "memory");
}

static __device__ __forceinline__ void barrier_arrive(uint64_t *barrier)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];"
                 :: "r"(shared_address(barrier)) : "memory");
}

/* Waits until the phase of this parity has ended. */
static __device__ __forceinline__ void barrier_wait(uint64_t *barrier, unsigned parity)
{
    asm volatile("{ .reg .pred done;\n"
                 "again:\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
                 "@done bra over;\n"
                 "bra again;\n"
                 "over: }"
                 :: "r"(shared_address(barrier)), "r"(parity) : "memory");
}

static __device__ __forceinline__ void cluster_sync()
{
    asm volatile("barrier.cluster.arrive.release.aligned;\n"
                 "barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

static __device__ __forceinline__ unsigned cluster_rank()
{
    unsigned rank;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}

/* --- registers of a thread, changed by whole warpgroups --------------------------------- */

template <int COUNT> static __device__ __forceinline__ void registers_take()
{
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(COUNT));
}

template <int COUNT> static __device__ __forceinline__ void registers_give()
{
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(COUNT));
}

/* --- copies of boxes of a tensor into shared memory ----------------------------------- */

static __device__ __forceinline__ void copy_2d(void *to, const CUtensorMap *map, uint64_t *barrier,
                                               int i, int row)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
                 " [%0], [%1, {%3, %4}], [%2];"
                 :: "r"(shared_address(to)), "l"(map), "r"(shared_address(barrier)), "r"(i),
                    "r"(row) : "memory");
}

static __device__ __forceinline__ void copy_4d(void *to, const CUtensorMap *map, uint64_t *barrier,
                                               int i, int j, int k, int l)
{
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes"
                 " [%0], [%1, {%3, %4, %5, %6}], [%2];"
                 :: "r"(shared_address(to)), "l"(map), "r"(shared_address(barrier)), "r"(i),
                    "r"(j), "r"(k), "r"(l) : "memory");
}

/* The same into every CTA of the cluster whose bit is set in `ctas`. */
static __device__ __forceinline__ void copy_2d_to(void *to, const CUtensorMap *map,
                                                  uint64_t *barrier, int i, int row, uint16_t ctas)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
                 ".multicast::cluster [%0], [%1, {%3, %4}], [%2], %5;"
                 :: "r"(shared_address(to)), "l"(map), "r"(shared_address(barrier)), "r"(i),
                    "r"(row), "h"(ctas) : "memory");
}

static __device__ __forceinline__ void map_prefetch(const CUtensorMap *map)
{
    asm volatile("prefetch.tensormap [%0];" :: "l"(map) : "memory");
}

/* --- wgmma ---------------------------------------------------------------------------- */

/* A tile in shared memory whose rows of 128 (layout 1) or 32 (layout 3) bytes run
 * along K, swizzled as the copies with that width do; eight rows are one unit. */
static __device__ __forceinline__ uint64_t tile_descriptor(const void *tile, unsigned row_bytes)
{
    uint64_t layout = row_bytes == 128 ? 1 : 3;
    return (uint64_t)((shared_address(tile) & 0x3ffff) >> 4) | 1ull << 16
         | (uint64_t)(8 * row_bytes >> 4) << 32 | layout << 62;
}

static __device__ __forceinline__ void wgmma_fence()
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

static __device__ __forceinline__ void wgmma_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

template <int PENDING> static __device__ __forceinline__ void wgmma_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(PENDING) : "memory");
}

#define WGMMA_4(c, d, i)  c((d)[i]), c((d)[(i) + 1]), c((d)[(i) + 2]), c((d)[(i) + 3])
#define WGMMA_16(c, d, i) WGMMA_4(c, d, i), WGMMA_4(c, d, (i) + 4), WGMMA_4(c, d, (i) + 8), \
                          WGMMA_4(c, d, (i) + 12)
#define WGMMA_32(c, d, i) WGMMA_16(c, d, i), WGMMA_16(c, d, (i) + 16)
#define WGMMA_64(c, d, i) WGMMA_32(c, d, i), WGMMA_32(c, d, (i) + 32)

#define WGMMA_LIST_64 \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define WGMMA_LIST_96 \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, " \
    "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
    "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define WGMMA_LIST_128 \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, " \
    "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
    "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, " \
    "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
    "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"

/* d[BN / 2] of a 64 x BN tile, BN: 128, 192 or 256; a is 64 rows, b is BN rows. */
template <int BN> struct wgmma;

template <> struct wgmma<128> {
    /* d = a b^T over 32 codes, with `add` added to d */
    static __device__ __forceinline__ void codes(int32_t (&d)[64], uint64_t a, uint64_t b,
                                                 bool add)
    {
        asm volatile("{ .reg .pred add;\nsetp.ne.b32 add, %66, 0;\n"
                     "wgmma.mma_async.sync.aligned.m64n128k32.s32.s8.s8 {"
                     WGMMA_LIST_64 "}, %64, %65, add; }"
                     : WGMMA_64("+r", d, 0)
                     : "l"(a), "l"(b), "r"((int)add));
    }
};

template <> struct wgmma<192> {
    /* d = a b^T over 32 codes, with `add` added to d */
    static __device__ __forceinline__ void codes(int32_t (&d)[96], uint64_t a, uint64_t b,
                                                 bool add)
    {
        asm volatile("{ .reg .pred add;\nsetp.ne.b32 add, %98, 0;\n"
                     "wgmma.mma_async.sync.aligned.m64n192k32.s32.s8.s8 {"
                     WGMMA_LIST_96 "}, %96, %97, add; }"
                     : WGMMA_64("+r", d, 0), WGMMA_32("+r", d, 64)
                     : "l"(a), "l"(b), "r"((int)add));
    }
};

template <> struct wgmma<256> {
    /* d = a b^T over 32 codes, with `add` added to d */
    static __device__ __forceinline__ void codes(int32_t (&d)[128], uint64_t a, uint64_t b,
                                                 bool add)
    {
        asm volatile("{ .reg .pred add;\nsetp.ne.b32 add, %130, 0;\n"
                     "wgmma.mma_async.sync.aligned.m64n256k32.s32.s8.s8 {"
                     WGMMA_LIST_128 "}, %128, %129, add; }"
                     : WGMMA_64("+r", d, 0), WGMMA_64("+r", d, 64)
                     : "l"(a), "l"(b), "r"((int)add));
    }
};

#endif
#endif
