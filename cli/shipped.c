/* Where the shipped models and texts are. */
#include <config.h>
#include "cli/cli.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether this program is the one in the build tree that it was compiled in. */
static bool in_build_tree(void)
{
    char program[PATH_MAX], build[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0 || realpath(OSC_BUILDDIR, build) == NULL)
        return false;
    program[length] = '\0';
    char *slash = strrchr(program, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    return strcmp(program, build) == 0;
}

char *cli_shipped(const char *name)
{
    const char *given = getenv("OSC_SHARE");
    const char *places[] = {
        given != NULL && given[0] != '\0' ? given : NULL,
        in_build_tree() ? OSC_SOURCEDIR "/share" : NULL,
        in_build_tree() ? OSC_SOURCEDIR "/experiments" : NULL,   /* sweeps/ */
        OSC_PKGDATADIR
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (places[i] == NULL)
            continue;
        char *path = osc_path_join(places[i], name);
        if (path == NULL || osc_file_exists(path))
            return path;
        osc_free(path);
    }
    osc_fail(OSC_ENOTFOUND, "the shipped '%s' is not in %s; the environment variable OSC_SHARE "
             "can name another folder", name, OSC_PKGDATADIR);
    return NULL;
}
