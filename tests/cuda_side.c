#include <config.h>
#include "cuda_side.h"

#include "cuda/codes.h"

bool cuda_present(void)
{
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

const char *cuda_kernel(size_t i)
{
    return osc_cuda_kernels[i] != NULL ? osc_cuda_kernels[i]->name : NULL;
}

void cuda_choose(osc_device *device, size_t kernel)
{
    osc_cuda_codes_choose(device, kernel);
}

bool cuda_graph_begin(osc_device *device)
{
    return cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal)
        == cudaSuccess;
}

cuda_graph *cuda_graph_end(osc_device *device)
{
    cudaGraph_t graph;
    cudaGraphExec_t run = NULL;
    if (cudaStreamEndCapture(device->stream, &graph) != cudaSuccess)
        return NULL;
    if (cudaGraphInstantiate(&run, graph, 0) != cudaSuccess)
        run = NULL;
    cudaGraphDestroy(graph);
    return (cuda_graph *)run;
}

bool cuda_graph_run(osc_device *device, cuda_graph *graph)
{
    return cudaGraphLaunch((cudaGraphExec_t)graph, device->stream) == cudaSuccess;
}

void cuda_graph_free(cuda_graph *graph)
{
    cudaGraphExecDestroy((cudaGraphExec_t)graph);
}
