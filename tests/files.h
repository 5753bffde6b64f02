/* Files for tests: a temporary folder that one test fills, and the folder of
 * shared reference data, which may be missing. */
#ifndef FILES_H
#define FILES_H

#include <check.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[256];

/* The result is valid until the fourth call from now. */
static inline const char *path_in(const char *parent, const char *name)
{
    static char path[4][1024];
    static unsigned turn;
    char joined[1024];
    snprintf(joined, sizeof joined, "%s/%s", parent, name);
    turn = (turn + 1) % 4;
    return memcpy(path[turn], joined, sizeof joined);
}

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

static inline const char *in_tests(const char *name)
{
    const char *tests = getenv("OSC_TESTS");
    return path_in(tests == NULL ? "tests" : tests, name);
}

static inline const char *in_share(const char *name)
{
    const char *share = getenv("OSC_SHARE");
    return path_in(share == NULL ? "share" : share, name);
}

/* The path of a shared reference file, or NULL, saying so, where it is missing. */
static inline const char *in_shared(const char *name)
{
    const char *shared = getenv("OSC_SHARED");
    const char *path = path_in(shared == NULL ? in_tests("../../shared") : shared, name);
    if (access(path, R_OK) == 0)
        return path;
    printf("# skipped: %s is not there\n", name);
    return NULL;
}

#endif
