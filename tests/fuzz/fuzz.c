/* What all fuzz targets share.  With libFuzzer (FUZZ_LIBFUZZER) the target is named by the
 * environment variable OSC_FUZZ; alone, the program runs every file of every corpus, as a TAP
 * test, or with the arguments TARGET FILE one file. */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define X(name) void fuzz_##name(const uint8_t *data, size_t size);
#include "targets.h"
#undef X

typedef struct {
    const char *name;
    void      (*run)(const uint8_t *data, size_t size);
} target;

static const target targets[] = {
#define X(name) { #name, fuzz_##name },
#include "targets.h"
#undef X
};
enum { TARGETS = sizeof targets / sizeof *targets };

static char folder[64], path[160];

static void remove_folder(void)
{
    DIR *entries = opendir(folder);
    for (struct dirent *e; entries != NULL && (e = readdir(entries)) != NULL; )
        unlinkat(dirfd(entries), e->d_name, 0);
    if (entries != NULL)
        closedir(entries);
    rmdir(folder);
}

const char *fuzz_folder(void)
{
    if (folder[0] != '\0')
        return folder;
    struct stat info;
    snprintf(folder, sizeof folder, "%s/osc-fuzz-XXXXXX",
             stat("/dev/shm", &info) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        exit(99);
    }
    atexit(remove_folder);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return folder;
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    FILE *out = fopen(path, "wb");
    if (out == NULL || fwrite(data, 1, size, out) != size || fclose(out) != 0) {
        perror(path);
        exit(99);
    }
    return path;
}

void fuzz_remove(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    unlink(path);
}

size_t fuzz_choice(const uint8_t **data, size_t *size, size_t count)
{
    if (*size == 0)
        return 0;
    size_t choice = **data % count;
    ++*data;
    --*size;
    return choice;
}

static const target *find(const char *name)
{
    for (size_t i = 0; name != NULL && i < TARGETS; i++)
        if (strcmp(targets[i].name, name) == 0)
            return &targets[i];
    fprintf(stderr, "%s: no such fuzz target; there are:", name == NULL ? "OSC_FUZZ" : name);
    for (size_t i = 0; i < TARGETS; i++)
        fprintf(stderr, " %s", targets[i].name);
    fputc('\n', stderr);
    exit(99);
}

#ifdef FUZZ_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const target *chosen;
    if (chosen == NULL)
        chosen = find(getenv("OSC_FUZZ"));
    chosen->run(data, size);
    return 0;
}

#else

static int run_file(const target *t, const char *name)
{
    struct stat info;
    FILE *in = fopen(name, "rb");
    if (in == NULL || fstat(fileno(in), &info) != 0)
        return -1;
    size_t size = (size_t)info.st_size;
    uint8_t *data = malloc(size + 1);
    int result = data != NULL && fread(data, 1, size, in) == size ? 0 : -1;
    if (result == 0)
        t->run(data, size);
    free(data);
    fclose(in);
    return result;
}

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash == NULL ? name : slash + 1;
}

/* A test per folder: a crash ends the program within it. */
static int run_folder(size_t number, const char *name)
{
    char file[1400];
    const target *t = find(last_part(name));
    DIR *entries = opendir(name);
    size_t files = 0, failed = entries == NULL;
    for (struct dirent *e; entries != NULL && (e = readdir(entries)) != NULL; ) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", name, e->d_name);
        failed += run_file(t, file) != 0;
        files++;
    }
    if (entries != NULL)
        closedir(entries);
    printf("%sok %zu - %s: %zu files\n", failed > 0 || files == 0 ? "not " : "", number, t->name,
           files);
    fflush(stdout);
    return failed > 0 || files == 0;
}

int main(int argc, char **argv)
{
    int failed = 0;
    if (argc == 3 && argv[1][0] != '-' && strchr(argv[1], '/') == NULL)
        return run_file(find(argv[1]), argv[2]) != 0;      /* fuzz TARGET FILE */
    char name[1024];
    const char *corpora = getenv("OSC_TESTS");
    printf("1..%d\n", TARGETS);
    for (size_t i = 0; i < TARGETS; i++) {
        snprintf(name, sizeof name, "%s/fuzz/corpus/%s", corpora == NULL ? "tests" : corpora,
                 targets[i].name);
        failed |= run_folder(i + 1, name);
    }
    return failed;
}

#endif
