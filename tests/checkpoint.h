/* Weight files in the temporary folder of files.h. */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include <stdint.h>

#include "files.h"

/* A file `name` that says its header has `length` bytes, and then has `header`
 * and `data` bytes 0, 1, 2, ... */
static inline void put_weights(const char *name, uint64_t length, const char *header,
                               size_t header_size, size_t data)
{
    size_t size = 8 + header_size + data;
    uint8_t *bytes = malloc(size);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(length >> 8 * i);
    memcpy(bytes + 8, header, header_size);
    for (size_t i = 0; i < data; i++)
        bytes[8 + header_size + i] = (uint8_t)i;
    put(name, bytes, size);
    free(bytes);
}

#endif
