/* Recorders over a system that cannot do something, or does it by halves: calls of the C
 * library that this program has in its own form.  Records become the same where there is
 * another way; else the error names what could not be done and the last commit stands. */
#include <config.h>
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record_sim.h"

/* The call that is not what it usually is, and what becomes of it. */
static struct {
    const char *name;
    size_t      good;        /* so many calls before are done, of 1000 bytes at most */
    int         problem;     /* errno of those after */
    size_t      bad;         /* so many of them; then all is well again */
} fault;
static size_t failures;

/* Whether this call is done as usual. */
static bool goes_well(const char *name)
{
    if (fault.name == NULL || strcmp(fault.name, name) != 0)
        return true;
    if (fault.good > 0) {
        fault.good--;
        return true;
    }
    if (fault.bad == 0)
        return true;
    fault.bad--;
    failures++;
    errno = fault.problem;
    return false;
}

static bool by_halves(const char *name)
{
    return fault.name != NULL && strcmp(fault.name, name) == 0;
}

/* HDF5 calls pread and pwrite, too: only the file for /raw counts. */
static bool is_raw(int fd)
{
    char link[64], path[256];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n < 0 ? 0 : n] = '\0';
    return strstr(path, ".raw") != NULL;
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t size,
                        unsigned flags)
{
    if (!goes_well("copy_file_range"))
        return -1;
    if (by_halves("copy_file_range") && size > 1000)
        size = 1000;
    return syscall(SYS_copy_file_range, from, from_at, to, to_at, size, flags);
}

int fallocate(int fd, int mode, off_t at, off_t size)
{
    return goes_well("fallocate") ? (int)syscall(SYS_fallocate, fd, mode, at, size) : -1;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    bool raw = is_raw(fd);
    if (raw && !goes_well("pwrite"))
        return -1;
    if (raw && by_halves("pwrite") && size > 7)
        size = 7;
    return syscall(SYS_pwrite64, fd, data, size, at);
}

ssize_t pread(int fd, void *data, size_t size, off_t at)
{
    bool raw = is_raw(fd);
    if (raw && !goes_well("pread"))
        return -1;
    if (raw && by_halves("pread") && size > 7)
        size = 7;
    return syscall(SYS_pread64, fd, data, size, at);
}

int ftruncate(int fd, off_t size)
{
    return is_raw(fd) && !goes_well("ftruncate") ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

static const struct {
    const char *name;
    size_t      good;
    int         problem;
    size_t      bad;
    const char *says;        /* NULL: there is another way */
} cases[] = {
    { "copy_file_range", 0, EXDEV, SIZE_MAX, NULL },
    { "copy_file_range", 0, ENOSYS, SIZE_MAX, NULL },
    { "copy_file_range", 3, EOPNOTSUPP, SIZE_MAX, NULL },     /* 3000 bytes are there already */
    { "copy_file_range", 1, EINTR, 2, NULL },
    { "copy_file_range", 2, ENOSPC, SIZE_MAX, "cannot write" },
    { "copy_file_range", 0, EIO, SIZE_MAX, "cannot write" },
    { "fallocate", 0, EOPNOTSUPP, SIZE_MAX, NULL },
    { "fallocate", 0, EINTR, 1, NULL },
    { "fallocate", 1, ENOSPC, SIZE_MAX, "cannot reserve space for" },
    { "pwrite", 9, EINTR, 3, NULL },
    { "pwrite", 100, ENOSPC, SIZE_MAX, "cannot keep values for /raw" },
    { "pread", 9, EINTR, 3, NULL },
    { "pread", 100, EIO, SIZE_MAX, "cannot read back values for /raw" },
    { "ftruncate", 1, EIO, SIZE_MAX, "cannot clear the values kept for /raw" },
};

START_TEST(test_system)
{
    osc_recorder_options options = sim_options(sim_a);
    const char *says = cases[_i].says;
    sim_make(sim_b);
    options.interval = 0;
    fault.name = cases[_i].name;
    fault.good = cases[_i].good;
    fault.problem = cases[_i].problem;
    fault.bad = cases[_i].bad;
    osc_status status = sim_record_all(&options, 2, SIM_SEQUENCES);
    fault.name = NULL;
    ck_assert_uint_gt(failures, 0);
    ck_assert_msg(status == (says == NULL ? OSC_OK : OSC_EIO), "%s", osc_error());
    if (says != NULL) {
        sim_error_has(says);
        sim_error_has(strerror(cases[_i].problem));
        options.resume = true;
        ck_ok(sim_record_all(&options, 2, SIM_SEQUENCES));
    }
    sim_same_files(sim_a, sim_b);
}
END_TEST

static void set_up(void)
{
    ck_assert(sim_set_up());
}

int main(void)
{
    Suite *suite = suite_create("record-system");
    TCase *tc = tcase_create("record-system");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, set_up, sim_clean_up);
    tcase_add_loop_test(tc, test_system, 0, sizeof cases / sizeof *cases);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
