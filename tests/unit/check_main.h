/* The main() of a Check program with one suite: CHECK_MAIN("name", test, …). */
#pragma once

#include <check.h>
#include <stdlib.h>

/* A case without rows; one run for each row of a table (the row is `_i`); one for each `_i` < n. */
#define CASE(test_)          { .fn = test_, .rows = 0 }
#define CASES(test_, table_) { .fn = test_, .rows = sizeof(table_) / sizeof((table_)[0]) }
#define TIMES(test_, n_)     { .fn = test_, .rows = (n_) }

typedef struct CheckCase { const TTest *fn; int rows; } CheckCase;

static inline int check_main(const char *name, const CheckCase *cases, size_t n)
{
    Suite *suite = suite_create(name);
    SRunner *runner = srunner_create(suite);
    int failed;

    for (size_t i = 0; i < n; i++) {
        TCase *tcase = tcase_create(cases[i].fn->name);

        tcase_set_timeout(tcase, 60);
        if (cases[i].rows > 0) {
            tcase_add_loop_test(tcase, cases[i].fn, 0, cases[i].rows);
        } else {
            tcase_add_test(tcase, cases[i].fn);
        }
        suite_add_tcase(suite, tcase);
    }
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define CHECK_MAIN(name_, ...) \
    int main(void) \
    { \
        const CheckCase cases[] = { __VA_ARGS__ }; \
        return check_main(name_, cases, sizeof(cases) / sizeof(cases[0])); \
    }
