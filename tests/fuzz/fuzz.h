/* Fuzz targets: functions that give any bytes to one reader of the library, which must
 * neither crash nor leak nor read what is not there.  A new one is a file fuzz_NAME.c with
 * this function, a line in targets.h and in local.mk, and seeds in corpus/NAME/. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_TARGET(name) void fuzz_##name(const uint8_t *data, size_t size); \
    void fuzz_##name(const uint8_t *data, size_t size)

/* The path of file `name` with these bytes, in a folder of this process; valid until the
 * next call. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);
/* That folder, with what was put there before. */
const char *fuzz_folder(void);
void fuzz_remove(const char *name);

/* Opens a checkpoint with this weight file and reads all of it (store.c). */
void fuzz_store(const char *name, const uint8_t *data, size_t size);

/* The first byte chooses: below `count`; 0 of no bytes. */
size_t fuzz_choice(const uint8_t **data, size_t *size, size_t count);

#endif
