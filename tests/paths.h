/* Where tests find files: golden data, what the program ships, and a folder beside
 * the project that holds more than is committed and may be missing. */
#ifndef PATHS_H
#define PATHS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 4096 };

/* The result is valid until the 16th call from now. */
static inline const char *path_in(const char *parent, const char *name)
{
    static char path[16][PATH];
    static unsigned turn;
    char joined[PATH];   /* `parent` may be an earlier result */
    int length = snprintf(joined, sizeof joined, "%s/%s", parent, name);
    ck_assert_int_lt(length, PATH);
    return memcpy(path[turn++ % 16], joined, sizeof joined);
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
    printf("# SKIP %s is not there\n", name);
    return NULL;
}

#endif
