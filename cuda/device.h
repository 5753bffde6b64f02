/* The CUDA backend's device, shared by its files.
 *
 * Everything runs in order on one stream, but for observers, which have a second (watch.h).
 * Activations and loaded weights are of device->dtype (float16 or bfloat16), sums are
 * float32; a member waits for the device only where its contract hands values to the host.
 * Host code is C; a .cu file holds kernels and the functions that launch them. */
#ifndef OSC_CUDA_DEVICE_H
#define OSC_CUDA_DEVICE_H

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "backend/backend.h"
#include "base/status.h"

enum {
    CUDA_OLDEST = 80,                     /* compute capability: mma on bf16 */
    CUDA_WORKSPACE = 64 << 20,            /* bytes for cuBLASLt */
    CUDA_STAGING = 16 << 20,              /* bytes of each of the two staging buffers */
    CUDA_PIECE = 8 << 20,                 /* floats converted or logits at a time */
    CUDA_PINNED = 1 << 20,                /* bytes */
    CUDA_FEW_QUERIES = 4,                 /* attention of so many splits their keys over blocks */
    CUDA_TOGETHER = 32                    /* sequences that an observer takes in one launch */
};

struct osc_cuda_products;                 /* cuBLASLt's plans by shape, matmul.c */
struct osc_cuda_observer;                 /* partial statistics, observe.cu */
struct osc_cuda_hits;                     /* hits on their way to the host, hits.h */
struct osc_cuda_reports;                  /* summaries on their way to the host, reports.h */
struct osc_cuda_reduction;                 /* scratch for measures of a whole activation */
struct osc_cuda_watch;                    /* what observers are reading, watch.h */
struct osc_cuda_codes;                    /* products of codes, codes.h */
struct osc_cuda_known;                    /* what is known of activations, known.h */
struct osc_cuda_memory;                   /* memory in use, allocate.c */

struct osc_device {
    osc_dtype    dtype;                   /* of activations and loaded weights */
    int          index;                   /* CUDA device */
    int          capability;              /* 90 for sm_90 */
    bool         hopper;                  /* kernels for sm_90a are built and run here */
    void        *encode;                  /* cuTensorMapEncodeTiled, NULL if there is none */
    int          processors;              /* multiprocessors */
    size_t       threads;                 /* of the host, which copy weights */
    cudaStream_t stream;
    cublasLtHandle_t lt;
    void        *workspace;               /* CUDA_WORKSPACE bytes, for work on `stream` */

    struct osc_cuda_memory *memory;       /* what alloc() gave, allocate.c */
    cudaEvent_t  handed;                  /* what another device waits for, several.c */

    osc_limits   limits;
    size_t       part;                    /* rows of each sequence; 0: all rows are of one */
    void       **owned;                   /* workspace and what plan() made */
    size_t       owned_count, owned_capacity;
    size_t       planned;                 /* bytes of these */
    float       *piece;                   /* [CUDA_PIECE] device */
    int32_t     *ids;                     /* [limits.rows] device */
    int32_t     *graph_ids;               /* [OSC_GRAPH_IDS] mapped host memory */
    void        *pinned;                  /* CUDA_PINNED bytes for small copies to the host */
    double      *mass;                    /* [heads * limits.rows] device: parts of top-1
                                             masses */
    unsigned    *arrived;                 /* [heads, CUDA_FEW_QUERIES] device: blocks that are
                                             done, 0 between kernels (attention_few.cu) */
    float       *view;                    /* host: what a hook sees */
    size_t       view_capacity;

    /* weights on their way, on a stream of their own (load.c) */
    cudaStream_t loads;
    cudaEvent_t  turn[OSC_TURNS];         /* work that reads the weights of a turn */
    void        *staging;                 /* pinned, two buffers used in turn */
    void        *raw;                     /* the same on the device, stored values */
    cudaEvent_t  staged[2];               /* a buffer's copy is done */
    unsigned     next_half;
    unsigned long long *bad;              /* device: first element that is not finite */

    struct osc_cuda_products *products;
    struct osc_cuda_observer *observer;
    struct osc_cuda_hits *hits;
    struct osc_cuda_reports *reports;
    struct osc_cuda_reduction *reduction;
    cudaStream_t watch;                   /* of the observers */
    struct osc_cuda_watch *watched;
    struct osc_cuda_codes *codes;         /* NULL unless limits.codes */
    struct osc_cuda_known *known;         /* NULL unless limits.codes */
    size_t       kernel;                  /* of CUDA_KERNELS, for products of codes; beyond
                                             them: the best one */
};

/* Records "what: CUDA's text" and returns OSC_ENOMEM for a lack of memory, else
 * OSC_EDEVICE.  `what` says what was being done: "copying weights". */
osc_status osc_cuda_fail(cudaError_t error, const char *what);
osc_status osc_cuda_lt_fail(cublasStatus_t error, const char *what);

/* Return early when a call fails; only where nothing is left to release. */
#define OSC_CUDA_TRY(call, what)                      \
    do {                                              \
        cudaError_t try_error_ = (call);              \
        if (try_error_ != cudaSuccess)                \
            return osc_cuda_fail(try_error_, (what)); \
    } while (0)
#define OSC_LT_TRY(call, what)                           \
    do {                                                 \
        cublasStatus_t try_error_ = (call);              \
        if (try_error_ != CUBLAS_STATUS_SUCCESS)         \
            return osc_cuda_lt_fail(try_error_, (what)); \
    } while (0)

/* Whether the kernel launched last was taken; errors inside it turn up later, at
 * the next call that waits. */
osc_status osc_cuda_launched(const char *kernel);
/* Waits for the stream. */
osc_status osc_cuda_wait(osc_device *device, const char *what);

/* allocate.c */
osc_status osc_cuda_memory_open(osc_device *device);
void osc_cuda_memory_close(osc_device *device);
/* Device memory that close() releases with everything of plan(); counted in
 * device->planned. */
osc_status osc_cuda_own(osc_device *device, void **data, size_t bytes);

/* Elements first .. first+n-1 of a stored tensor, counted row-major, as stored, to
 * device memory at `dst`: at most CUDA_STAGING bytes.  On device->loads; returns when
 * the host has read them. */
osc_status osc_cuda_upload(osc_device *device, void *dst, const osc_tensor *src, size_t first,
                           size_t n);
/* Around the kernels on device->loads that note in *device->bad the smallest index of an
 * element that is not finite: waits for them; *bad as in load(). */
osc_status osc_cuda_check_begin(osc_device *device);
osc_status osc_cuda_check_end(osc_device *device, size_t *bad);

/* --- products of codes: codes.c and its kernels ------------------------------------------- */

/* Called by plan() if codes will occur, and by close(). */
osc_status osc_cuda_codes_plan(osc_device *device, const osc_limits *limits);
void osc_cuda_codes_close(osc_device *device);

/* Names of the kernels for products of codes, best first, see codes.c. */
#define CUDA_KERNELS "few-dp4a", "few-mma", "wgmma", "cublaslt"

/* Every product from now on uses this kernel where it fits; SIZE_MAX: the best one. */
void osc_cuda_codes_choose(osc_device *device, size_t kernel);
const char *osc_cuda_codes_kernel(const osc_device *device);
size_t osc_cuda_codes_bytes(const osc_coding *coding, size_t n, size_t k);
osc_status osc_cuda_codes_load(osc_device *device, void *dst, const osc_coding *coding,
                               const osc_code_source *source, size_t *bad);
osc_status osc_cuda_codes_matmul(osc_device *device, void *y, const void *x, const void *w,
                                 const osc_coding *coding, const void *bias, osc_act act,
                                 size_t rows, size_t n, size_t k);
osc_status osc_cuda_codes_matmul_several(osc_device *device, bool *done,
                                         const osc_product *products, size_t count, const void *x,
                                         const osc_coding *coding, size_t rows, size_t k);
osc_status osc_cuda_codes_view(osc_device *device, osc_code_view *view, const void *x,
                               const void *w, const osc_coding *coding, size_t rows, size_t n,
                               size_t k);

#ifdef __cplusplus
}
#endif

#endif
