/* test_ops_value.c - what the forward operations mean: the float64 instance against the textbook formula
 * in long double, within a few hundred ulp; the order of operations is test_ops_spec.c's matter. */
#include "ops_cases.h"

static const uint64_t seed = 5;

/* 1e-13 is 450 ulp of float64: sums of up to 151 terms of either sign stay below a tenth of it. */
static void near(const char *name, size_t i, double got, long double want)
{
    if (!(fabsl((long double)got - want) <= 1e-13L * fmaxl(1.0L, fabsl(want))))
        ck_abort_msg("%s[%zu]: %.17g, but should be %.20Lg (seed %llu)", name, i, got, want,
                     (unsigned long long)seed);
}

static fpx_call run_case(fixture *f, const char *name)
{
    fixture_open(f, "threads=2", seed);
    for (size_t i = 0; i < OP_CASES; i++)
        if (strcmp(op_cases[i].name, name) == 0) {
            const fpx_call call = op_cases[i].build(f, &fpx_fp64);

            run_call(f, &call);
            return call;
        }
    ck_abort_msg("no case %s", name);
}

START_TEST(embed)
{
    fixture f;
    const fpx_call c = run_case(&f, "embed");
    const int32_t *tokens = data_of(&f, &c.in[0]);

    for (size_t i = 0; i < (size_t)CM * CC; i++)
        near("embed", i, get(&f, &c.out[0], i),
             get(&f, &c.in[1], (size_t)tokens[i / CC] * CC + i % CC));
    fixture_close(&f);
}
END_TEST

START_TEST(rmsnorm)
{
    fixture f;
    const fpx_call c = run_case(&f, "rmsnorm");

    for (size_t m = 0; m < CM; m++) {
        long double square = 0;

        for (size_t k = 0; k < CC; k++)
            square += (long double)get(&f, &c.in[0], m * CC + k) * get(&f, &c.in[0], m * CC + k);
        const long double rms = sqrtl(square / CC + 1e-5L);
        near("rstd", m, get(&f, &c.out[1], m), 1 / rms);
        for (size_t k = 0; k < CC; k++)
            near("rmsnorm", m * CC + k, get(&f, &c.out[0], m * CC + k),
                 get(&f, &c.in[0], m * CC + k) / rms * get(&f, &c.in[1], k));
    }
    fixture_close(&f);
}
END_TEST

/* q k^T for all heads: batched, the second operand transposed. */
START_TEST(batched_gemm)
{
    fixture f;
    const fpx_call c = run_case(&f, "batched gemm");

    for (size_t i = 0; i < (size_t)CB * CH * CT * CT; i++) {
        const size_t b = i / CT / CT, row = i / CT % CT, column = i % CT;
        long double sum = 0;

        for (size_t k = 0; k < CD; k++)
            sum += (long double)get(&f, &c.in[0], (b * CT + row) * CD + k) *
                   get(&f, &c.in[1], (b * CT + column) * CD + k);
        near("gemm", i, get(&f, &c.out[0], i), sum);
    }
    fixture_close(&f);
}
END_TEST

/* Scaled codes in the float64 instance: what the shadow of an FP8 product is. */
START_TEST(gemm_of_codes)
{
    fixture f;
    const fpx_call c = run_case(&f, "gemm of codes");
    const unsigned char *a = data_of(&f, &c.in[0]), *b = data_of(&f, &c.in[1]);
    const size_t k = 2 * CC;

    for (size_t i = 0; i < (size_t)CM * CF; i++) {
        long double sum = 0;

        for (size_t l = 0; l < k; l++)
            sum += (long double)fpx_format_value(&fpx_e4m3, a[i / CF * k + l]) *
                   fpx_format_value(&fpx_e5m2, b[i % CF * k + l]);
        near("gemm", i, get(&f, &c.out[0], i), sum * 0.3f * 1.7f);
    }
    fixture_close(&f);
}
END_TEST

START_TEST(rope)
{
    fixture f;
    const fpx_call c = run_case(&f, "rope");

    for (size_t i = 0; i < (size_t)CM * CC; i++) {
        const size_t m = i / CC, h = i % CC / CD, d = i % CD, pair = d % (CD / 2);
        const size_t head = ((m / CT * CH + h) * CT + m % CT) * CD + d;
        const long double angle = (long double)(m % CT) * powl(10000, -2.0L * pair / CD);

        for (size_t part = 0; part < 3; part++) {
            const size_t row = m * 3 * CC + part * CC + h * CD;
            const double x = get(&f, &c.in[0], row + pair),
                         y = get(&f, &c.in[0], row + pair + CD / 2);
            const long double want = part == 2    ? get(&f, &c.in[0], row + d)
                                     : d < CD / 2 ? x * cosl(angle) - y * sinl(angle)
                                                  : x * sinl(angle) + y * cosl(angle);
            near("rope", head, get(&f, &c.out[part], head), want);
        }
    }
    fixture_close(&f);
}
END_TEST

START_TEST(softmax) /* _i: causal */
{
    fixture f;
    const fpx_call c = run_case(&f, _i ? "softmax" : "whole softmax");

    for (size_t row = 0; row < (size_t)CB * CH * CT; row++) {
        const size_t n = _i ? row % CT + 1 : CT;
        long double sum = 0;

        for (size_t k = 0; k < n; k++)
            sum += expl(0.267L * get(&f, &c.in[0], row * CT + k));
        for (size_t k = 0; k < CT; k++)
            near("softmax", row * CT + k, get(&f, &c.out[0], row * CT + k),
                 k < n ? expl(0.267L * get(&f, &c.in[0], row * CT + k)) / sum : 0);
    }
    fixture_close(&f);
}
END_TEST

START_TEST(heads) /* split, then merge of the same data */
{
    fixture f;
    const fpx_call c = run_case(&f, "split_heads");
    fpx_call back = new_call(FPX_OP_MERGE_HEADS);

    for (size_t i = 0; i < (size_t)CM * CC; i++) {
        const size_t m = i / CC, h = i % CC / CD;

        near("split", i, get(&f, &c.out[0], ((m / CT * CH + h) * CT + m % CT) * CD + i % CD),
             get(&f, &c.in[0], i));
    }
    add_in(&back, c.out[0]);
    add_out(&back, new_tensor(&f, &fpx_fp64, SHAPE(CM, CC)));
    run_call(&f, &back);
    ck_assert_mem_eq(data_of(&f, &back.out[0]), data_of(&f, &c.in[0]), (size_t)CM * CC * 8);
    fixture_close(&f);
}
END_TEST

START_TEST(activations)
{
    fixture f;
    const fpx_call s = run_case(&f, "swiglu");

    for (size_t i = 0; i < (size_t)CM * CF; i++) {
        const size_t at = i / CF * 2 * CF + i % CF;
        const long double gate = get(&f, &s.in[0], at);

        near("swiglu", i, get(&f, &s.out[0], i),
             gate / (1 + expl(-gate)) * get(&f, &s.in[0], at + CF));
    }
    fixture_close(&f);
    const fpx_call g = run_case(&f, "gelu");
    for (size_t i = 0; i < (size_t)CM * CF; i++) {
        const long double x = get(&f, &g.in[0], i);

        near("gelu", i, get(&f, &g.out[0], i),
             x / 2 * (1 + tanhl(sqrtl(2 / acosl(-1.0L)) * (x + 0.044715L * x * x * x))));
    }
    fixture_close(&f);
}
END_TEST

START_TEST(xent)
{
    fixture f;
    const fpx_call c = run_case(&f, "xent");
    const int32_t *target = data_of(&f, &c.in[1]);
    long double loss = 0;
    size_t count = 0;

    for (size_t m = 0; m < CM; m++) {
        long double sum = 0;

        for (size_t v = 0; v < CV; v++)
            sum += expl((long double)get(&f, &c.in[0], m * CV + v));
        near("lse", m, get(&f, &c.out[1], m), logl(sum));
        if (target[m] >= 0) {
            loss += logl(sum) - get(&f, &c.in[0], m * CV + (size_t)target[m]);
            count++;
        }
    }
    ck_assert_uint_lt(count, CM);
    near("loss", 0, get(&f, &c.out[0], 0), loss / (long double)count);
    fixture_close(&f);
}
END_TEST

/* A group whose range no power of at least 1/16 brings into e2m1: its largest stays, its least becomes 0, zeros stay. */
START_TEST(coat_of_a_wide_group)
{
    enum { N = 128 };
    fixture f;
    fpx_call q = new_call(FPX_OP_QUANTIZE_COAT), back = new_call(FPX_OP_DEQUANTIZE_COAT);

    fixture_open(&f, "threads=2", seed);
    add_in(&q, new_tensor(&f, &fpx_fp32, SHAPE(N)));
    add_out(&q, new_tensor(&f, &fpx_e2m1, SHAPE(N)));
    add_out(&q, new_tensor(&f, &fpx_fp32, SHAPE(1, 3)));
    for (size_t i = 0; i < N; i++)
        set(&f, &q.in[0], i, i == 3 ? 1e-6 : (i == 7 ? -1e-29 : 0.0)); /* a ratio of 1e23 */
    run_call(&f, &q);
    ck_assert_double_eq(get(&f, &q.out[1], 0), 1.0 / 16.0);
    add_in(&back, q.out[0]);
    add_in(&back, q.out[1]);
    add_out(&back, new_tensor(&f, &fpx_fp32, SHAPE(N)));
    run_call(&f, &back);
    /* The scale is a float32 and is raised to 16: 16 * 2^-24. */
    for (size_t i = 0; i < N; i++)
        if (!(fabs(get(&f, &back.out[0], i) - (i == 3 ? 1e-6 : 0.0)) <= 1e-6 * 0x1p-20))
            ck_abort_msg("element %zu is %g", i, get(&f, &back.out[0], i));
    fixture_close(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ops_value");
    TCase *tc = tcase_create("forward");

    printf("seed %llu\n", (unsigned long long)seed);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, embed);
    tcase_add_test(tc, coat_of_a_wide_group);
    tcase_add_test(tc, rmsnorm);
    tcase_add_test(tc, batched_gemm);
    tcase_add_test(tc, gemm_of_codes);
    tcase_add_test(tc, rope);
    tcase_add_loop_test(tc, softmax, 0, 2);
    tcase_add_test(tc, heads);
    tcase_add_test(tc, activations);
    tcase_add_test(tc, xent);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
