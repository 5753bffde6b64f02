/* What tests need of the CUDA backend beyond its table: apart, because cuda/device.h and
 * backend/cpu.h each say what a device is. */
#ifndef CUDA_SIDE_H
#define CUDA_SIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/backend.h"

bool cuda_present(void);
/* The i-th kernel for products of codes, NULL after the last. */
const char *cuda_kernel(size_t i);
/* SIZE_MAX: the best one for each product. */
void cuda_choose(osc_device *device, size_t kernel);

/* Work between begin and end goes into a graph instead of to the device. */
typedef struct cuda_graph cuda_graph;
bool cuda_graph_begin(osc_device *device);
cuda_graph *cuda_graph_end(osc_device *device);
bool cuda_graph_run(osc_device *device, cuda_graph *graph);
void cuda_graph_free(cuda_graph *graph);

#endif
