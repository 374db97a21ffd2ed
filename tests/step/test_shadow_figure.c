/* test_shadow_figure.c - figures of made-up values: what an infinite bound, NaN and Inf make of them. An operation whose
 * bound overflows has elements of which nothing can be said: no verdict, and never a finding or a clean result. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "../../step/shadow_figure.h"

enum { N = 4 };

static fpx_figure figure_of(const double *value, const double *reference, const double *bound)
{
    const fpx_coded x = { &fpx_fp64, 1.0, value }, r = { &fpx_fp64, 1.0, reference };
    fpx_figure f;

    shadow_compare_values(&x, &r, bound, N, &f);
    return f;
}

START_TEST(infinite_bound_is_no_verdict)
{
    const double value[N] = { 1.0, 2.0, 3.5, 4.0 };
    const double reference[N] = { 1.0, 2.25, 3.0, 4.0 };
    const double bound[N] = { 0.0, 0.5, INFINITY, 0.0 };
    const fpx_figure f = figure_of(value, reference, bound);

    ck_assert(f.ratio == -1.0);
    ck_assert(f.mismatches == 0.0);
    ck_assert(f.element == 2.0 && f.expected == 3.0 && f.actual == 3.5);
    ck_assert(f.max_abs == 0.5);
}
END_TEST

/* An infinite bound says nothing where there is nothing to say. */
START_TEST(infinite_bound_of_an_equal_element)
{
    const double value[N] = { 1.0, 2.0, 3.0, 4.0 };
    const double reference[N] = { 1.0, 2.25, 3.0, 4.0 };
    const double bound[N] = { 0.0, 0.5, INFINITY, INFINITY };
    const fpx_figure f = figure_of(value, reference, bound);

    ck_assert(f.ratio == 0.5);
    ck_assert(f.mismatches == 0.0);
    ck_assert(f.element == 1.0 && f.expected == 2.25 && f.actual == 2.0);
}
END_TEST

/* What is above a finite bound is a finding, whatever stands beside it; the element named is that one. */
START_TEST(finding_beside_an_infinite_bound)
{
    const double value[N] = { 9.0, 2.0, 3.5, 4.0 };
    const double reference[N] = { 1.0, 2.0, 3.0, 4.5 };
    const double bound[N] = { INFINITY, 0.0, 0.25, 1.0 };
    const fpx_figure f = figure_of(value, reference, bound);

    ck_assert(f.ratio == 2.0);
    ck_assert(f.mismatches == 1.0);
    ck_assert(f.element == 2.0 && f.expected == 3.0 && f.actual == 3.5);
}
END_TEST

/* Inf or NaN on one side under an infinite bound: an overflow inside, which the bound foresees. */
START_TEST(overflow_under_an_infinite_bound)
{
    const double odd[] = { INFINITY, -INFINITY, (double)NAN };

    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        for (int side = 0; side < 2; side++) {
            double value[N] = { 1.0, 2.0, 3.0, 4.0 };
            double reference[N] = { 1.0, 2.0, 3.0, 4.0 };
            const double bound[N] = { 0.0, INFINITY, 0.0, 0.0 };
            (side == 0 ? value : reference)[1] = odd[i];
            const fpx_figure f = figure_of(value, reference, bound);
            ck_assert(f.ratio == -1.0);
            ck_assert(f.mismatches == 0.0);
            ck_assert(f.element == 1.0);
            ck_assert(isinf(f.max_abs) &&
                      isinf(f.rms)); /* said, although nothing follows from it */
        }
    }
}
END_TEST

START_TEST(without_bounds)
{
    const double value[N] = { 1.0, INFINITY, 3.0, 4.0 };
    const double reference[N] = { 1.0, 2.0, 3.0, 4.5 };
    const fpx_figure f = figure_of(value, reference, NULL);

    ck_assert(isnan(f.ratio));
    ck_assert(f.mismatches == 1.0); /* finite on one side only */
    ck_assert(f.element == 1.0);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("shadow-figure");
    TCase *const tc = tcase_create("values");
    SRunner *const runner = srunner_create(suite);

    tcase_add_test(tc, infinite_bound_is_no_verdict);
    tcase_add_test(tc, infinite_bound_of_an_equal_element);
    tcase_add_test(tc, finding_beside_an_infinite_bound);
    tcase_add_test(tc, overflow_under_an_infinite_bound);
    tcase_add_test(tc, without_bounds);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
