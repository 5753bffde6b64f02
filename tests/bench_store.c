/* Loading checkpoints, three JSON lines each, against reading their weight files once with
 * read(2): opening one, opening it as a model with every tensor checked and in its place, and
 * opening it and reading every byte of its tensors.  Caches are warm.  Arguments: checkpoint
 * directories, to use instead of the shipped one. */
#include <config.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "bench.h"
#include "engine/model.h"
#include "store/store.h"

enum { RUNS = 11, PIECE = 1 << 20 };

static volatile uint64_t sink;   /* makes the sums needed */

/* CPU time: one core's work, whatever else the machine does. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(osc_status status)
{
    if (status == OSC_OK)
        return;
    fprintf(stderr, "bench_store: %s\n", osc_error());
    exit(EXIT_FAILURE);
}

static void read_file(const char *folder, const char *name)
{
    static char piece[PIECE];
    char *path = osc_path_join(folder, name);
    check(path == NULL ? OSC_ENOMEM : OSC_OK);
    int file = open(path, O_RDONLY);
    if (file < 0)
        check(osc_fail(OSC_EIO, "cannot open %s", path));
    while (read(file, piece, sizeof piece) > 0)
        continue;
    close(file);
    osc_free(path);
}

/* Each weight file once: tensors of one file need not be neighbours in the list. */
static void read_files(const osc_store *store)
{
    for (size_t i = 0; i < osc_store_count(store); i++) {
        const char *file = osc_store_at(store, i)->file;
        size_t before = 0;
        while (strcmp(osc_store_at(store, before)->file, file) != 0)
            before++;
        if (before == i)
            read_file(osc_store_path(store), file);
    }
}

/* A sum that depends on all bytes of all tensors. */
static uint64_t read_tensors(const osc_store *store)
{
    uint64_t sum = 0, word;
    for (size_t i = 0; i < osc_store_count(store); i++) {
        const osc_tensor *t = &osc_store_at(store, i)->tensor;
        size_t bytes = osc_tensor_count(t) * osc_dtype_size(t->dtype);
        for (size_t at = 0; at + sizeof word <= bytes; at += sizeof word) {
            memcpy(&word, (const char *)t->data + at, sizeof word);
            sum += word;
        }
    }
    return sum;
}

static void open_model(const char *path)
{
    osc_model *model;
    check(osc_model_open(&model, path));
    osc_model_close(model);
}

static void bench(const char *path)
{
    double reading[RUNS], opening[RUNS], loading[RUNS], model[RUNS];
    osc_store *store;
    for (size_t i = 0; i < RUNS; i++) {
        double start = now();
        check(osc_store_open(&store, path));
        double open = now();
        sink = read_tensors(store);
        opening[i] = open - start;
        loading[i] = now() - start;
        start = now();
        read_files(store);
        reading[i] = now() - start;
        start = now();
        open_model(path);
        model[i] = now() - start;
        if (i + 1 < RUNS)
            osc_store_close(store);
    }
    double once = bench_median(reading, RUNS);
    bench_print("store-open", osc_store_format(store), path, bench_median(opening, RUNS),
                "read(2) of its files", once);
    bench_print("store-load", osc_store_format(store), path, bench_median(loading, RUNS),
                "read(2) of its files", once);
    bench_print("model-open", osc_store_format(store), path, bench_median(model, RUNS),
                "read(2) of its files", once);
    osc_store_close(store);
}

int main(int argc, char **argv)
{
    const char *share = getenv("OSC_SHARE");
    char *shipped = osc_path_join(share == NULL ? "share" : share, "opt-mini-8m");
    check(shipped == NULL ? OSC_ENOMEM : OSC_OK);
    if (argc == 1)
        bench(shipped);
    for (int i = 1; i < argc; i++)
        bench(argv[i]);
    osc_free(shipped);
    return EXIT_SUCCESS;
}
