/* A checkpoint of one weight file, its config given: every byte of its tensors is read. */
#include "fuzz.h"

#include "osc.h"

static const char config[] = "{\"model_type\": \"opt\"}";

void fuzz_store(const char *name, const uint8_t *data, size_t size)
{
    osc_store *store;
    char hex[OSC_DIGEST_HEX];
    fuzz_file("config.json", (const uint8_t *)config, sizeof config - 1);
    fuzz_file(name, data, size);
    if (osc_store_open(&store, fuzz_folder()) != OSC_OK)
        return;
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < osc_store_count(store); i++) {
        const osc_tensor *t = &osc_store_at(store, i)->tensor;
        size_t row = osc_tensor_width(t) * osc_dtype_size(t->dtype);
        for (size_t r = 0; r < osc_tensor_rows(t); r++)
            for (size_t b = 0; b < row; b++)
                sum = (uint8_t)(sum + ((const uint8_t *)osc_tensor_row(t, r))[b]);
    }
    (void)osc_store_digest(store, hex, NULL);
    osc_store_close(store);
}
