#include <config.h>
#include "engine/arch.h"

/* One line per architecture. */
#define ARCHS(X) X(opt) X(gpt2) X(gptj) X(bloom) X(llama)

#define DECLARE(arch) extern const osc_arch osc_arch_##arch;
#define ENTRY(arch)   &osc_arch_##arch,

ARCHS(DECLARE)
const osc_arch *const osc_archs[] = { ARCHS(ENTRY) NULL };
