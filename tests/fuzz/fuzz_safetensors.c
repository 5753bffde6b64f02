/* model.safetensors, its config given. */
#include "fuzz.h"

FUZZ_TARGET(safetensors)
{
    fuzz_store("model.safetensors", data, size);
}
