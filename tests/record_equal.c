/* record_equal A B: exit status 0 if the records are equal bit for bit, the time and the number
 * of threads aside.  For the scripts; not a test. */
#include <config.h>
#include "record_sim.h"

static char *const *records;

START_TEST(test_equal)
{
    sim_same_files(records[0], records[1]);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    records = argv + 1;
    Suite *suite = suite_create("record_equal");
    TCase *tc = tcase_create("record_equal");
    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, test_equal);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
