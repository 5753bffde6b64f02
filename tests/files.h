/* A temporary folder that one test fills. */
#ifndef FILES_H
#define FILES_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "paths.h"

static char folder[256];

static inline const char *in_folder(const char *name)
{
    return path_in(folder, name);
}

static inline void folder_make(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/osc-test-XXXXXX", base == NULL ? "/tmp" : base);
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline void folder_empty(void)
{
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            ck_assert_int_eq(remove(in_folder(entry->d_name)), 0);
    closedir(dir);
}

static inline void folder_remove(void)
{
    folder_empty();
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

#endif
