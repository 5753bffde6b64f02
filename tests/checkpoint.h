/* A temporary checkpoint directory for a test: folder_make() before, folder_remove()
 * after each test; put...() writes files into it. */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include <check.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[256];

static inline const char *in_folder(const char *name)
{
    static char path[640];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static inline void folder_make(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/osc-store-XXXXXX", base == NULL ? "/tmp" : base);
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline void folder_remove(void)
{
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            ck_assert_int_eq(remove(in_folder(entry->d_name)), 0);
    closedir(dir);
    ck_assert_int_eq(rmdir(folder), 0);
}

static inline void put(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(in_folder(name), "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static inline void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

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
