#ifndef RUN_H
#define RUN_H
#include <check.h>
#include <stdlib.h>
/* Run one suite: TAP for the harness, Check's own file:line summary for people. */
static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
#endif
