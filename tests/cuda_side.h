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

/* Whether the next product of codes over x [rows, k] finds its removed columns, or its codes
 * too, already there; and nothing is known any more. */
bool cuda_knows_columns(const osc_device *device, const void *x, const osc_coding *coding,
                        size_t rows, size_t k);
bool cuda_knows_codes(const osc_device *device, const void *x, const osc_coding *coding,
                      size_t rows, size_t k);
void cuda_forget(osc_device *device);

#endif
