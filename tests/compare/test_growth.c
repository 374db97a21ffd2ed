/* test_growth.c - a step's figures as a few numbers, against the same worked out by hand. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/growth.h>

enum { RECORDS = 7 };

/* Two parameters of 2 and 3 elements, their moments, a product, a quantizer, the loss. */
static const struct {
    const char *tensor, *op, *kind;
    uint64_t count;
    uint32_t op_index;
} rows[RECORDS] = {
    { "y", "a/fprop", "gemm", 4, 0 },        { "q", "q/quantize", "quantize", 4, 1 },
    { "loss", "loss/fprop", "xent", 1, 2 },  { "a/w", "a/w/adamw", "adamw", 2, 3 },
    { "a/m", "a/w/adamw", "adamw", 100, 3 }, { "b/w", "b/w/lion", "lion", 3, 4 },
    { "b/m", "b/w/lion", "lion", 100, 4 },
};

static fpx_trace_record records[RECORDS];
static const fpx_trace_layout layout = { .records = records, .nrecords = RECORDS };
static const fpx_trace_mode local = { "local:fp64" }, equal = { "local:ampere/mma.sync/x" };

static void make(fpx_figure *f)
{
    for (size_t i = 0; i < RECORDS; i++) {
        fpx_trace_record *r = &records[i];

        (void)snprintf(r->tensor, sizeof r->tensor, "%s", rows[i].tensor);
        (void)snprintf(r->op, sizeof r->op, "%s", rows[i].op);
        (void)snprintf(r->kind, sizeof r->kind, "%s", rows[i].kind);
        r->op_index = rows[i].op_index;
        ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, 1, &rows[i].count, &r->desc), FPX_OK);
        f[i] = (fpx_figure){ .rms = 0.0, .rms_reference = 1.0, .ratio = (double)NAN };
    }
}

START_TEST(numbers_by_hand)
{
    fpx_figure f[RECORDS];
    fpx_growth g = { .step = 9 };

    make(f);
    f[0].rms = 0.25;
    f[0].rms_reference = 0.5;
    f[0].ratio = 0.125;
    f[1].rms = 0.75;
    f[1].ratio = 1.0; /* a quantizer at its bound */
    f[2].max_abs = 0.0625;
    f[3].rms = 3.0; /* 2 elements: 18 of 2 */
    f[5].rms = 4.0; /* 3 elements: 48 of 12 */
    f[5].rms_reference = 2.0;
    f[4].rms = f[6].rms = 0.0; /* moments are no parameters */
    fpx_growth_of(&layout, &local, f, &g);
    ck_assert_uint_eq(g.step, 9);
    ck_assert_uint_eq(g.seen, RECORDS);
    ck_assert(fabs(g.parameters - sqrt(66.0 / 14.0)) < 1e-15);
    ck_assert(g.loss == 0.0625);
    ck_assert(g.error == 3.0 && g.error_record == 3);
    ck_assert(g.ratio == 0.125 && g.ratio_record == 0);
    ck_assert(g.mismatches == 0.0);
    f[1].ratio = 1.5; /* above it */
    f[1].mismatches = 2.0;
    fpx_growth_of(&layout, &local, f, &g);
    ck_assert(g.ratio == 1.5 && g.ratio_record == 1 && g.mismatches == 1.0);
}
END_TEST

/* What was not looked at, or says nothing, is no number. */
START_TEST(nothing_is_nan)
{
    fpx_figure f[RECORDS];
    fpx_growth g = { .step = 1 };

    make(f);
    for (size_t i = 0; i < RECORDS; i++)
        for (size_t k = 0; k < FPX_FIGURE_FIELDS; k++)
            ((double *)(void *)&f[i])[k] = (double)NAN;
    fpx_growth_of(&layout, &local, f, &g);
    ck_assert_uint_eq(g.seen, 0);
    ck_assert(isnan(g.parameters) && isnan(g.loss) && isnan(g.error) && isnan(g.ratio) &&
              isnan(g.mismatches));
    f[2].mismatches = 0.0; /* in the sample, and nothing to say */
    fpx_growth_of(&layout, &equal, f, &g);
    ck_assert_uint_eq(g.seen, 0);
    ck_assert_uint_eq(g.judged, 0);
    ck_assert(isnan(g.loss) && isnan(g.mismatches));
    f[0] = (fpx_figure){ .mismatches = 3.0, .rms = 1.0, .ratio = (double)NAN };
    fpx_growth_of(&layout, &equal, f, &g);
    ck_assert_uint_eq(g.seen, 1);
    ck_assert_uint_eq(g.judged, 1);
    ck_assert(g.mismatches == 1.0 && isinf(g.error) && g.error_record == 0);
    fpx_growth_of(&layout, &local, f, &g); /* judges nothing without a bound */
    ck_assert(isnan(g.mismatches));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("growth");
    TCase *tc = tcase_create("growth");
    SRunner *runner = srunner_create(s);

    tcase_add_test(tc, numbers_by_hand);
    tcase_add_test(tc, nothing_is_nan);
    suite_add_tcase(s, tc);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
