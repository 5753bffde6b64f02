/* Progress on stderr.  A tick costs a clock reading; the terminal is written to
 * ten times a second at most. */
#include <config.h>
#include "cli/cli.h"

#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 24 };

static struct {
    char   what[64];     /* the step under way, "" between steps */
    size_t base;         /* done when the step began: a resumed run does not begin at 0 */
    double began;        /* seconds */
    double shown;        /* when the bar was last drawn; 0: not yet */
    bool   drawn;        /* the cursor stands behind a bar */
} state;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void duration(char *text, size_t size, double seconds)
{
    unsigned long s = seconds < 0.0 ? 0 : (unsigned long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, size, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, size, "%lu:%02lu", s / 60, s % 60);
}

/* Steps that count bytes have large numbers. */
static void amount(char *text, size_t size, size_t count)
{
    if (count < 1000000)
        snprintf(text, size, "%zu", count);
    else
        snprintf(text, size, "%.1f M", (double)count / 1e6);
}

static size_t terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void draw(size_t done, size_t total, double t)
{
    char left[32] = "--:--", bar[BAR + 1], line[256], so_far[32], all[32];
    if (done > state.base)
        duration(left, sizeof left, (t - state.began) / (double)(done - state.base)
                                    * (double)(total - done));
    double share = (double)done / (double)total;
    size_t filled = (size_t)(share * BAR);
    memset(bar, '#', filled);
    memset(bar + filled, '.', BAR - filled);
    bar[BAR] = '\0';
    amount(so_far, sizeof so_far, done);
    amount(all, sizeof all, total);
    snprintf(line, sizeof line, "%s [%s] %3.0f%%  %s/%s  ETA %s", state.what, bar,
             100.0 * share, so_far, all, left);
    /* A line that wraps could not be overwritten. */
    fprintf(stderr, "\r%.*s\033[K", (int)terminal_width() - 1, line);
    fflush(stderr);
    state.drawn = true;
    state.shown = t;
}

static void finish(size_t total, double t)
{
    char took[32], all[32];
    duration(took, sizeof took, t - state.began);
    amount(all, sizeof all, total);
    fprintf(stderr, "%s%s: %s in %s%s\n", state.drawn ? "\r" : "", state.what, all, took,
            state.drawn ? "\033[K" : "");
    state.what[0] = '\0';
    state.drawn = false;
}

static void tick(void *user, const char *what, size_t done, size_t total)
{
    (void)user;
    if (total == 0 || done > total)
        return;
    double t = now();
    if (strncmp(state.what, what, sizeof state.what - 1) != 0) {
        cli_progress_end();
        snprintf(state.what, sizeof state.what, "%s", what);
        state.base = done;
        state.began = t;
        state.shown = 0;
    }
    if (done == total)
        finish(total, t);
    else if (t - state.shown >= 0.1 && isatty(STDERR_FILENO))
        draw(done, total, t);
}

const osc_progress *cli_progress(void)
{
    static const osc_progress shown = { .tick = tick }, silent = { .tick = NULL };
    return cli_quiet() ? &silent : &shown;
}

void cli_progress_end(void)
{
    if (state.drawn)
        fputc('\n', stderr);
    state.what[0] = '\0';
    state.drawn = false;
}
