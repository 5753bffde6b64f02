/* config.json, with weights that will hardly suit it. */
#include "fuzz.h"

#include "osc.h"

static const char weights[] = "\x40\0\0\0\0\0\0\0"
    "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}           " "\0\0\0\0";

FUZZ_TARGET(config)
{
    osc_model *model;
    fuzz_file("model.safetensors", (const uint8_t *)weights, sizeof weights - 1);
    fuzz_file("config.json", data, size);
    if (osc_model_open(&model, fuzz_folder()) == OSC_OK)
        osc_model_close(model);
}
