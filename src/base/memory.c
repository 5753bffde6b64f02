/* Linux tells through files; elsewhere nothing is known. */
#include <config.h>
#include "base/memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

size_t osc_memory_resident(void)
{
    size_t all, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%zu %zu", &all, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t system_available(void)
{
    char line[256];
    size_t kilobytes = SIZE_MAX;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "MemAvailable: %zu kB", &kilobytes) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kilobytes > SIZE_MAX / 1024 ? SIZE_MAX : kilobytes * 1024;
}

/* The number in FOLDER/NAME; false if there is none ("max"). */
static bool read_number(uint64_t *number, const char *folder, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fscanf(file, "%" SCNu64, number) == 1;
    if (file != NULL)
        fclose(file);
    return read;
}

/* The file's pages that a group caches can go: they are counted as in use, and are not. */
static uint64_t cached(const char *folder, const char *key)
{
    char path[1024], line[256];
    uint64_t bytes = 0;
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0
            && sscanf(line + strlen(key), " %" SCNu64, &bytes) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return bytes;
}

/* What is left of the limits of a group and of those above it. */
static uint64_t group_available(const char *root, char *group, const char *limit_name,
                                const char *used_name, const char *cache_key)
{
    uint64_t least = UINT64_MAX, limit, used;
    for (;;) {
        char folder[900];
        snprintf(folder, sizeof folder, "%s%s", root, group);
        if (read_number(&limit, folder, limit_name) && read_number(&used, folder, used_name)) {
            uint64_t cache = cached(folder, cache_key);
            used = used > cache ? used - cache : 0;
            least = limit < used ? 0 : limit - used < least ? limit - used : least;
        }
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return least;
        *slash = '\0';
    }
}

/* Lines "0::/group" (version 2) and "4:memory:/group" (version 1). */
static uint64_t groups_available(void)
{
    char line[512];
    uint64_t least = UINT64_MAX, left;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL)
            continue;
        *group++ = '\0';
        if (strcmp(controllers, ":") == 0)
            left = group_available("/sys/fs/cgroup", group, "memory.max", "memory.current",
                                   "inactive_file");
        else if (strstr(controllers, "memory") != NULL)
            left = group_available("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes",
                                   "memory.usage_in_bytes", "total_inactive_file");
        else
            continue;
        least = left < least ? left : least;
    }
    if (file != NULL)
        fclose(file);
    return least;
}

size_t osc_memory_available(void)
{
    size_t system = system_available();
    uint64_t groups = groups_available();
    return groups < system ? (size_t)groups : system;
}
