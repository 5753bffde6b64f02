/* The table of kernels for products of codes: what was measured faster on an H200, between
 * measured sizes the nearer one, elsewhere the first that fits.  Needs no GPU. */
#include <config.h>
#include "run.h"

#include <check.h>

#include "cuda/codes_choice.h"

enum { FIRST = 0 };

static const struct { size_t rows, n, k; bool hopper; size_t kernel; } cases[] = {
    /* one row reads its weights at the speed of memory */
    { 1, 16384, 4096, true, FIRST }, { 1, 12288, 49152, true, FIRST },
    /* two of them do not fit few-dp4a, nor eight of so long a K few-mma's blocks */
    { 3, 12288, 49152, true, CODES_CUBLASLT }, { 8, 12288, 49152, true, CODES_CUBLASLT },
    { 8, 4096, 16384, true, FIRST },
    { 8, 49152, 12288, true, FIRST }, { 8, 12288, 12288, true, FIRST },
    /* sixteen rows and more, as measured and between; only where kernels are far apart, so
     * that another measurement says the same */
    { 16, 5120, 20480, true, CODES_CUBLASLT }, { 16, 6000, 24000, true, CODES_CUBLASLT },
    { 16, 36864, 9216, true, CODES_CUBLASLT }, { 16, 8192, 2048, true, FIRST },
    { 16, 9216, 9216, true, CODES_CUBLASLT }, { 16, 11000, 12000, true, CODES_CUBLASLT },
    { 20, 12288, 12288, true, CODES_CUBLASLT }, { 16, 2048, 2048, true, FIRST },
    { 64, 4096, 16384, true, CODES_CUBLASLT }, { 64, 16384, 4096, true, FIRST },
    { 300, 4096, 16384, true, FIRST }, { 2048, 12288, 49152, true, FIRST },
    { 16384, 12288, 12288, true, FIRST },
    /* beyond what was measured */
    { 16, 20000, 80000, true, CODES_CUBLASLT }, { 1, 1, 1, true, FIRST },
    { 16, 64, 64, true, FIRST }, { 1000000, 16, 1000000, true, FIRST },
    /* nothing was measured where there is no wgmma */
    { 16, 5120, 5120, false, FIRST }, { 8, 12288, 49152, false, FIRST },
};

START_TEST(test_choice)
{
    size_t got = osc_cuda_codes_choice(cases[_i].rows, cases[_i].n, cases[_i].k, cases[_i].hopper);
    ck_assert_msg(got == cases[_i].kernel, "%zu x %zu x %zu: kernel %zu, expected %zu",
                  cases[_i].rows, cases[_i].n, cases[_i].k, got, cases[_i].kernel);
}
END_TEST

/* Rows of a long text: wgmma wherever it fits. */
START_TEST(test_many_rows)
{
    for (size_t rows = 257; rows < 100000; rows = rows * 5 / 4)
        for (size_t width = 64; width <= 20000; width = width * 9 / 8) {
            ck_assert_uint_eq(osc_cuda_codes_choice(rows, width, 4 * width, true), FIRST);
            ck_assert_uint_eq(osc_cuda_codes_choice(rows, 4 * width, width, true), FIRST);
            ck_assert_uint_eq(osc_cuda_codes_choice(rows, width, width, true), FIRST);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cuda choice");
    TCase *tc = tcase_create("table");
    tcase_add_loop_test(tc, test_choice, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tc, test_many_rows);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
