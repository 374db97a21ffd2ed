/* test_ops_dropout.c - dropout against its specification word by word; the mask of the float64 instance; the gradient
 * against differences, which are exact for a linear operation. */
#include <math.h>

#include <fpx/stream.h>

#include "ops_cases.h"

static const uint64_t seed = 41;

enum { N = 30011 };

/* Rates whose thresholds and factors are known numbers. */
static const struct {
    double rate;
    uint32_t threshold;
    float factor;
} rows[] = {
    { 0.0, 0, 1.0f },
    { 0.1, 429496729, 0x1.1c71c8p+0f },
    { 0.25, 0x40000000, 0x1.555556p+0f },
    { 0.5, 0x80000000, 2.0f },
    { 1.0 - 0x1p-53, UINT32_MAX, 0x1p+53f },
};

static const fpx_stream stream = { .seed = 11, .site = 13, .step = 17 }; /* case_draw's step */
static const uint64_t first = (UINT64_C(1) << 33) + 2;

static fpx_call dropout_of(fixture *f, const fpx_format *real, double rate)
{
    fpx_call c = new_call(FPX_OP_DROPOUT);

    add_in(&c, uniform(f, real, 1, SHAPE(N)));
    add_in(&c, case_draw(f)); /* its micro-batch, 3, plays no part */
    add_out(&c, new_tensor(f, real, SHAPE(N)));
    c.attr.dropout.rate = rate;
    c.attr.dropout.seed = stream.seed;
    c.attr.dropout.site = stream.site;
    c.attr.dropout.first = first;
    return c;
}

/* A dropped NaN or Inf becomes NaN: it is not hidden. */
START_TEST(specification)
{
    fixture f;
    size_t dropped = 0;

    fixture_open(&f, "threads=2", seed);
    fpx_call c = dropout_of(&f, &fpx_fp32, rows[_i].rate);
    float *x = data_of(&f, &c.in[0]);
    x[7] = NAN;
    x[8] = INFINITY;
    x[9] = -0.0f;
    run_call(&f, &c);
    for (size_t i = 0; i < N; i++) {
        const int drop = fpx_stream_u32(&stream, first + i) < rows[_i].threshold;
        float want = x[i] * (drop ? 0.0f : rows[_i].factor);
        const float got = ((const float *)data_of(&f, &c.out[0]))[i];

        want = want == want ? want : __builtin_nanf("");
        dropped += (size_t)drop;
        if (memcmp(&want, &got, sizeof want) != 0)
            ck_abort_msg("rate %g, y[%zu]: %a, not %a", rows[_i].rate, i, (double)got,
                         (double)want);
    }
    /* Five deviations: one seed in two million. */
    const double share = (double)rows[_i].threshold * 0x1p-32;
    if (fabs((double)dropped / N - share) > 5.0 * sqrt(share * (1.0 - share) / N))
        ck_abort_msg("rate %g: a share of %g was dropped", rows[_i].rate, (double)dropped / N);
    fixture_close(&f);
}
END_TEST

START_TEST(the_same_mask_in_float64)
{
    fixture f, g;

    fixture_open(&f, "threads=2", seed);
    fixture_open(&g, "threads=1,level=scalar", seed);
    fpx_call c = dropout_of(&f, &fpx_fp32, 0.1), d = dropout_of(&g, &fpx_fp64, 0.1);
    run_call(&f, &c);
    run_call(&g, &d);
    for (size_t i = 0; i < N; i++) {
        const double x = get(&g, &d.in[0], i), y = get(&g, &d.out[0], i);

        if ((y == 0.0) != (get(&f, &c.out[0], i) == 0.0))
            ck_abort_msg("another mask at %zu", i);
        if (y != 0.0 && fabs(y - x / 0.9) > 0x1p-51 * fabs(y))
            ck_abort_msg("y[%zu]: %a, not %a / 0.9", i, y, x);
    }
    fixture_close(&f);
    fixture_close(&g);
}
END_TEST

/* The operation is linear and acts on each element alone: its derivative is y / x, and the same operation on a
 * gradient multiplies by that. */
START_TEST(its_own_gradient)
{
    fixture f;

    fixture_open(&f, "threads=2", seed);
    fpx_call c = dropout_of(&f, &fpx_fp64, 0.3), back = dropout_of(&f, &fpx_fp64, 0.3);
    run_call(&f, &c);
    run_call(&f, &back);
    for (size_t i = 0; i < N; i++) {
        const double slope = get(&f, &c.out[0], i) / get(&f, &c.in[0], i);
        const double want = slope * get(&f, &back.in[0], i), got = get(&f, &back.out[0], i);

        if (!(fabs(got - want) <= 0x1p-50 * fabs(want)))
            ck_abort_msg("dx[%zu]: %a, not %a", i, got, want);
    }
    fixture_close(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ops_dropout");
    TCase *tc = tcase_create("dropout");

    printf("seed %llu\n", (unsigned long long)seed);
    tcase_add_loop_test(tc, specification, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(tc, the_same_mask_in_float64);
    tcase_add_test(tc, its_own_gradient);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
