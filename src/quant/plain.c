/* Schemes that code every column: one line of facts each (DESIGN 3's table). */
#include <config.h>
#include "quant/coded.h"

#define CODED(id, title, text, ...) \
    const osc_scheme osc_scheme_##id = { \
        .name = title, .summary = text, .coding = { __VA_ARGS__ }, \
        .configure = osc_coded_configure, .bytes = osc_coded_bytes, \
        .prepare = osc_coded_prepare, .apply = osc_coded_apply, .view = osc_coded_view, \
        .apply_several = osc_coded_apply_several, \
    }

CODED(absmax, "absmax", "int8, one symmetric scale per tensor",
      .x = OSC_SHARE_TENSOR, .w = OSC_SHARE_TENSOR);
CODED(zeropoint, "zeropoint", "int8, one scale and zero point per tensor",
      .x = OSC_SHARE_TENSOR, .w = OSC_SHARE_TENSOR, .zeropoint = true);
CODED(absmax_row, "absmax-row", "int8, symmetric: a scale per row of x, one for the weight",
      .x = OSC_SHARE_ROW, .w = OSC_SHARE_TENSOR);
CODED(absmax_vector, "absmax-vector", "int8, symmetric: a scale per row of x and per output",
      .x = OSC_SHARE_ROW, .w = OSC_SHARE_ROW);
CODED(zeropoint_vector, "zeropoint-vector",
      "int8, scale and zero point per row of x and per output",
      .x = OSC_SHARE_ROW, .w = OSC_SHARE_ROW, .zeropoint = true);

const osc_scheme osc_scheme_q8_0 = {
    .name = "q8-0",
    .summary = "weights alone: int8 in blocks of 32 with an fp16 scale (llama.cpp)",
    .coding = { .w = OSC_SHARE_BLOCK },
    .configure = osc_coded_configure,
    .bytes = osc_coded_bytes,
    .prepare = osc_coded_prepare,
    .apply = osc_coded_apply,
    .apply_several = osc_coded_apply_several,
};
