/* Speed of tokenizing, one JSON line per case: English text, against the 3 MB/s
 * that is asked for, and its letters as one word of 1 MB, where merging by repeated
 * scans would take hours, against the same number of bytes of the text.  Arguments:
 * a tokenizer directory and a text file to use instead of the shipped ones. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/file.h"
#include "text/tokenizer.h"

enum { RUNS = 9, LINE = 1 << 20, ENGLISH = 4 << 20 };
static const double ASKED = 3.0;   /* MB/s, that is bytes per microsecond */

/* CPU time: one core's work, whatever else the machine does. */
static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check(osc_status status)
{
    if (status == OSC_OK)
        return;
    fprintf(stderr, "bench_text: %s\n", osc_error());
    exit(EXIT_FAILURE);
}

/* Prints one case; `rate` is the baseline's, in MB/s.  Returns this one's. */
static double bench_encode(const osc_tokenizer *tokenizer, const char *name, const char *text,
                           size_t size, const char *baseline, double rate)
{
    double us[RUNS];
    size_t count = 0;
    for (int i = 0; i < RUNS; i++) {
        osc_ids ids = { .id = NULL };
        double start = now_us();
        check(osc_tokenizer_encode(tokenizer, &ids, text, size));
        us[i] = now_us() - start;
        count = ids.count;
        osc_ids_clear(&ids);
    }
    qsort(us, RUNS, sizeof *us, compare);
    double reached = (double)size / us[RUNS / 2];
    printf("{\"bench\":\"%s\",\"backend\":\"cpu\",\"kernel\":\"bpe\",\"shape\":\"%zu bytes, "
           "%zu ids\",\"median_us\":%.0f,\"baseline\":\"%s\",\"baseline_median_us\":%.0f,"
           "\"ratio\":%.2f,\"mb_per_s\":%.2f}\n", name, size, count, us[RUNS / 2], baseline,
           (double)size / rate, reached / rate, reached);
    return reached;
}

/* The text repeated up to about `least` bytes; released with osc_free. */
static char *repeat(size_t *size, const char *path, size_t least)
{
    char *text;
    size_t once;
    check(osc_read_file(&text, &once, path, (size_t)1 << 30));
    size_t times = once == 0 || once >= least ? 1 : least / once;
    char *all = osc_alloc(times * once, 1);
    check(all == NULL ? OSC_ENOMEM : OSC_OK);
    for (size_t i = 0; i < times; i++)
        memcpy(all + i * once, text, once);
    osc_free(text);
    *size = times * once;
    return all;
}

/* The letters of the text as one word. */
static char *squeeze(size_t *size, const char *text, size_t length)
{
    char *word = osc_alloc(LINE, 1);
    check(word == NULL ? OSC_ENOMEM : OSC_OK);
    size_t n = 0;
    for (size_t i = 0; i < length && n < LINE; i++)
        if ((text[i] | 32) >= 'a' && (text[i] | 32) <= 'z')
            word[n++] = text[i];
    *size = n;
    return word;
}

static void bench_open(const char *directory)
{
    double us[RUNS];
    osc_tokenizer *tokenizer = NULL;
    for (int i = 0; i < RUNS; i++) {
        double start = now_us();
        check(osc_tokenizer_open(&tokenizer, directory));
        us[i] = now_us() - start;
        osc_tokenizer_close(tokenizer);
    }
    qsort(us, RUNS, sizeof *us, compare);
    printf("{\"bench\":\"tokenizer-open\",\"backend\":\"cpu\",\"kernel\":\"bpe\",\"shape\":\"%s\","
           "\"median_us\":%.0f,\"baseline\":null,\"baseline_median_us\":null,\"ratio\":null}\n",
           directory, us[RUNS / 2]);
}

int main(int argc, char **argv)
{
    const char *share = getenv("OSC_SHARE");
    char *directory = osc_path_join(share == NULL ? "share" : share, "opt-mini-8m");
    char *sampled = osc_path_join(share == NULL ? "share" : share, "sampled.txt");
    check(directory == NULL || sampled == NULL ? OSC_ENOMEM : OSC_OK);
    const char *from = argc > 1 ? argv[1] : directory, *path = argc > 2 ? argv[2] : sampled;
    osc_tokenizer *tokenizer;
    size_t size, line_size;
    bench_open(from);
    check(osc_tokenizer_open(&tokenizer, from));
    char *text = repeat(&size, path, ENGLISH), *line = squeeze(&line_size, text, size);
    double rate = bench_encode(tokenizer, "tokenize-english", text, size, "3 MB/s", ASKED);
    bench_encode(tokenizer, "tokenize-one-word", line, line_size, "tokenize-english", rate);
    osc_free(line);
    osc_free(text);
    osc_tokenizer_close(tokenizer);
    osc_free(sampled);
    osc_free(directory);
    return EXIT_SUCCESS;
}
