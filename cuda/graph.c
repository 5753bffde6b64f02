/* Work that is issued again and again, kept as a CUDA graph. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/known.h"
#include "cuda/watch.h"

int32_t *osc_cuda_graph_ids(osc_device *device)
{
    return device->graph_ids;
}

/* Nothing that observers read is waited for inside. */
osc_status osc_cuda_graph_begin(osc_device *device)
{
    OSC_TRY(osc_cuda_claim_all(device));
    osc_cuda_known_reset(device);
    OSC_CUDA_TRY(cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal),
                 "beginning a graph");
    return OSC_OK;
}

/* The same nodes with other arguments need no new instance. */
static osc_status instantiate(cudaGraphExec_t *instance, cudaGraph_t graph)
{
    cudaGraphExecUpdateResultInfo info;
    if (*instance != NULL) {
        if (cudaGraphExecUpdate(*instance, graph, &info) == cudaSuccess)
            return OSC_OK;
        cudaGetLastError();      /* not to be seen by the next launch */
        cudaGraphExecDestroy(*instance);
        *instance = NULL;
    }
    OSC_CUDA_TRY(cudaGraphInstantiate(instance, graph, 0), "making a graph");
    return OSC_OK;
}

osc_status osc_cuda_graph_end(osc_device *device, osc_graph **graph, bool wanted)
{
    cudaGraph_t captured = NULL;
    cudaGraphExec_t instance = (cudaGraphExec_t)*graph;
    cudaError_t error = cudaStreamEndCapture(device->stream, &captured);
    osc_cuda_known_reset(device);
    if (!wanted || error != cudaSuccess) {
        if (captured != NULL)
            cudaGraphDestroy(captured);
        cudaGetLastError();
        return wanted ? osc_cuda_fail(error, "ending a graph") : OSC_OK;
    }
    osc_status status = instantiate(&instance, captured);
    cudaGraphDestroy(captured);
    *graph = (osc_graph *)instance;
    return status;
}

osc_status osc_cuda_graph_run(osc_device *device, osc_graph *graph)
{
    OSC_TRY(osc_cuda_claim_all(device));
    osc_cuda_known_reset(device);
    OSC_CUDA_TRY(cudaGraphLaunch((cudaGraphExec_t)graph, device->stream), "running a graph");
    return OSC_OK;
}

void osc_cuda_graph_free(osc_device *device, osc_graph *graph)
{
    (void)device;
    if (graph != NULL)
        cudaGraphExecDestroy((cudaGraphExec_t)graph);
}
