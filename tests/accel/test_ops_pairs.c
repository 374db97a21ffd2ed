/* test_ops_pairs.c - log-probabilities of sequences and the loss of preferences: the float64 instance against long double,
 * the float32 bits against a plain transcription of the specification. */
#include <math.h>

#include <fpx/elemfn.h>

#include "ops_cases.h"

static const uint64_t seed = 43;

/* 1e-13 is 450 ulp of float64: sums of up to 151 terms stay below a tenth of it. */
static void near(const char *name, size_t i, double got, long double want)
{
    if (!(fabsl((long double)got - want) <= 1e-13L * fmaxl(1.0L, fabsl(want))))
        ck_abort_msg("%s[%zu]: %.17g, but should be %.20Lg (seed %llu)", name, i, got, want,
                     (unsigned long long)seed);
}

START_TEST(log_probabilities)
{
    fixture f;

    fixture_open(&f, "threads=2", seed);
    const fpx_call c = case_logp(&f, &fpx_fp64);
    const int32_t *target = data_of(&f, &c.in[1]);
    size_t none = 0;

    run_call(&f, &c);
    for (size_t b = 0; b < CB; b++) {
        long double logp = 0;

        for (size_t m = b * CT; m < (b + 1) * CT; m++) {
            long double sum = 0;

            none += target[m] < 0;
            for (size_t v = 0; v < CV; v++)
                sum += expl((long double)get(&f, &c.in[0], m * CV + v));
            near("lse", m, get(&f, &c.out[1], m), logl(sum));
            if (target[m] >= 0)
                logp += (long double)get(&f, &c.in[0], m * CV + (size_t)target[m]) - logl(sum);
        }
        near("logp", b, get(&f, &c.out[0], b), logp);
    }
    ck_assert(none > CM / 2 && none < CM);
    fixture_close(&f);
}
END_TEST

/* Answers of every likeness; margins whose exponentials overflow and underflow. */
static const double answers[][4] = {
    { -10.0, -12.0, -11.0, -11.5 },     { -90.0, -80.0, -70.0, -100.0 },
    { -5.0, -5.0, -5.0, -5.0 },         { 0.0, -9000.0, -1.0, -1.0 },
    { -9000.0, 0.0, -1.0, -1.0 },       { -1e-9, -2.0, -3.0, -4.0 },
    { -250.5, -249.25, -250.0, -249.0 }
};
enum { PAIRS = sizeof answers / sizeof answers[0] };

static fpx_call dpo_of(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_DPO);

    for (int i = 0; i < 2; i++)
        add_in(&c, new_tensor(f, real, SHAPE(2 * PAIRS)));
    add_out(&c, new_tensor(f, real, SHAPE(1)));
    add_out(&c, new_tensor(f, real, SHAPE(2 * PAIRS)));
    add_out(&c, new_tensor(f, real, SHAPE(PAIRS)));
    c.attr.dpo.beta = 0.1;
    for (size_t i = 0; i < 2 * (size_t)PAIRS; i++) {
        set(f, &c.in[0], i, answers[i / 2][i % 2]);
        set(f, &c.in[1], i, answers[i / 2][2 + i % 2]);
    }
    return c;
}

START_TEST(preferences)
{
    fixture f;
    long double loss = 0;

    fixture_open(&f, "threads=1", seed);
    fpx_call c = dpo_of(&f, &fpx_fp64);
    run_call(&f, &c);
    for (size_t p = 0; p < PAIRS; p++) {
        const double *a = answers[p];
        const long double h = 0.1L * (((long double)a[0] - a[2]) - ((long double)a[1] - a[3]));
        const long double away = 1 / (1 + expl(h)); /* sigmoid(-h) */

        loss += h > 0 ? log1pl(expl(-h)) : log1pl(expl(h)) - h;
        near("margin", p, get(&f, &c.out[2], p), h);
        near("dlogp of the chosen", p, get(&f, &c.out[1], 2 * p), -0.1L * away / PAIRS);
        near("dlogp of the rejected", p, get(&f, &c.out[1], 2 * p + 1), 0.1L * away / PAIRS);
    }
    near("loss", 0, get(&f, &c.out[0], 0), loss / PAIRS);
    c.attr.dpo.sum = 1;
    run_call(&f, &c);
    near("summed loss", 0, get(&f, &c.out[0], 0), loss);
    fixture_close(&f);
}
END_TEST

static void same(const char *name, size_t i, const fixture *f, const fpx_tensor *t, float want)
{
    const float got = (float)get(f, t, i);

    if (memcmp(&got, &want, sizeof want) != 0)
        ck_abort_msg("%s[%zu]: %a, not %a", name, i, (double)got, (double)want);
}

START_TEST(specification)
{
    fixture f;
    float term[PAIRS];

    fixture_open(&f, "threads=1", seed);
    fpx_call c = dpo_of(&f, &fpx_fp32);
    add_in(&c, new_tensor(&f, &fpx_fp32, SHAPE(1)));
    set(&f, &c.in[2], 0, 12.0);
    run_call(&f, &c);
    for (size_t p = 0; p < PAIRS; p++) {
        const float chosen = (float)answers[p][0] - (float)answers[p][2];
        const float rejected = (float)answers[p][1] - (float)answers[p][3];
        const float h = (float)0.1 * (chosen - rejected);
        const float slope = ((float)0.1 * (1.0f / (1.0f + fpx_exp_f32(h)))) / 12.0f;

        term[p] = fmaxf(-h, 0.0f) + fpx_log_f32(1.0f + fpx_exp_f32(-fabsf(h)));
        same("margin", p, &f, &c.out[2], h);
        same("dlogp", 2 * p, &f, &c.out[1], -slope);
        same("dlogp", 2 * p + 1, &f, &c.out[1], slope);
    }
    for (size_t n = PAIRS; n > 1;
         n = (n + 1) / 2) /* a missing right child passes the left one on */
        for (size_t i = 0; i < (n + 1) / 2; i++)
            term[i] = 2 * i + 1 < n ? term[2 * i] + term[2 * i + 1] : term[2 * i];
    same("loss", 0, &f, &c.out[0], term[0] / 12.0f);
    fixture_close(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ops_pairs");
    TCase *tc = tcase_create("pairs");

    printf("seed %llu\n", (unsigned long long)seed);
    tcase_add_test(tc, log_probabilities);
    tcase_add_test(tc, preferences);
    tcase_add_test(tc, specification);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
