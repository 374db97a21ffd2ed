/* test_ops_factor.c - FP8-LM's automatic scaling: which codes are saturated, one by one; the factor over many steps, as MS-AMP's
 * pull request 140 has it; the scale that it multiplies. */
#include <float.h>

#include "ops_cases.h"

static const uint64_t seed = 31;

/* The largest finite value, in both signs: 448, 57344, 65504, 6, BF16's. */
static const struct {
    const fpx_format *format;
    uint32_t up, down, codes;
} formats[] = { { &fpx_e4m3, 0x7e, 0xfe, 256 },
                { &fpx_e5m2, 0x7b, 0xfb, 256 },
                { &fpx_e2m1, 0x7, 0xf, 16 },
                { &fpx_fp16, 0x7bff, 0xfbff, 65536 },
                { &fpx_bf16, 0x7f7f, 0xff7f, 65536 } };

static fpx_call factor_call(fixture *f, const fpx_format *format, size_t n, double ratio,
                            double growth, uint32_t every)
{
    fpx_call c = new_call(FPX_OP_SCALE_FACTOR);

    add_in(&c, new_tensor(f, &fpx_fp32, SHAPE(2)));
    add_in(&c, new_tensor(f, format, SHAPE(n)));
    add_out(&c, c.in[0]);
    c.attr.factor.ratio = ratio;
    c.attr.factor.growth = growth;
    c.attr.factor.every = every;
    return c;
}

static void put_code(fixture *f, const fpx_tensor *t, size_t i, uint32_t code)
{
    if (fpx_format_size(&t->format) == 1)
        ((uint8_t *)data_of(f, t))[i] = (uint8_t)code;
    else
        ((uint16_t *)data_of(f, t))[i] = (uint16_t)code;
}

/* A tensor of this code alone: all of it is saturated, or nothing. */
START_TEST(saturated_codes)
{
    fixture f;

    fixture_open(&f, "threads=1", seed);
    const fpx_call c = factor_call(&f, formats[_i].format, 3, 0.5, 1.25, 1);
    for (uint32_t code = 0; code < formats[_i].codes; code++) {
        const int is = code == formats[_i].up || code == formats[_i].down;

        for (size_t i = 0; i < 3; i++)
            put_code(&f, &c.in[1], i, code);
        set(&f, &c.in[0], 0, 1.0);
        set(&f, &c.in[0], 1, 0.0);
        run_call(&f, &c);
        if (get(&f, &c.out[0], 0) != (is ? 0.5 : 1.25))
            ck_abort_msg("%s, code %x: the factor becomes %g", formats[_i].format->name, code,
                         get(&f, &c.out[0], 0));
    }
    fixture_close(&f);
}
END_TEST

/* paper, adaptive, and parameters that cross often; float32 as torch's mul_ and div_ have it. */
static const struct {
    double ratio, growth;
    uint32_t every;
} rules[] = { { 1e-5, 1.0006933874625807, 1 },
              { 1e-3, 1.0069555500567189, 10 },
              { 0.25, 1.5, 3 },
              { 0.0, 2.0, 1 } };

START_TEST(the_factor_follows_the_share)
{
    enum { N = 20000, STEPS = 300 };
    float want = 1.0f;
    fixture f;

    fixture_open(&f, "threads=2", seed + (uint64_t)_i);
    const fpx_call c =
        factor_call(&f, &fpx_e4m3, N, rules[_i].ratio, rules[_i].growth, rules[_i].every);
    for (int step = 0; step < STEPS; step++) {
        /* Beside the threshold, often at it. */
        const int most = (int)(rules[_i].ratio * N) + (int)(next_random(&f) % 3);

        memset(data_of(&f, &c.in[1]), 0x11, N);
        for (int i = 0; i < most; i++)
            put_code(&f, &c.in[1], (size_t)(7 * i % N), i % 2 == 0 ? 0x7e : 0xfe);
        if (step % (int)rules[_i].every == 0)
            want =
                (double)most / N > rules[_i].ratio ? want / 2.0f : want * (float)rules[_i].growth;
        want = want > 0x1p126f ? 0x1p126f : want < 0x1p-126f ? 0x1p-126f : want;
        run_call(&f, &c);
        if (get(&f, &c.out[0], 0) != (double)want)
            ck_abort_msg("step %d, %d of %d: factor %a, not %a", step, most, N,
                         get(&f, &c.out[0], 0), (double)want);
    }
    fixture_close(&f);
}
END_TEST

/* Nothing was quantized: nothing follows. */
START_TEST(real_values_leave_it)
{
    fixture f;

    fixture_open(&f, "threads=1", seed);
    fpx_call c = factor_call(&f, &fpx_fp32, 3, 0.5, 1.25, 4);
    set(&f, &c.in[0], 0, 0.75);
    set(&f, &c.in[0], 1, 2.0);
    c.out[0] = new_tensor(&f, &fpx_fp32, SHAPE(2));
    run_call(&f, &c);
    ck_assert(get(&f, &c.out[0], 0) == 0.75 && get(&f, &c.out[0], 1) == 2.0);
    fixture_close(&f);
}
END_TEST

/* SCALE to e4m3 of numbers of this amax, times a factor; the fixture is open after it. */
static fpx_call scaled(fixture *f, fpx_scale_rule rule, float amax, float factor)
{
    fpx_call c = new_call(FPX_OP_SCALE);

    fixture_open(f, "threads=1", seed);
    add_in(&c, new_tensor(f, &fpx_fp32, SHAPE(2)));
    add_in(&c, new_tensor(f, &fpx_fp32, SHAPE(2)));
    add_out(&c, new_tensor(f, &fpx_fp32, SHAPE(2)));
    c.attr.scale.target = fpx_e4m3;
    c.attr.scale.rule = rule;
    set(f, &c.in[0], 1, (double)amax);
    set(f, &c.in[1], 0, (double)factor);
    run_call(f, &c);
    return c;
}

/* amax 3 -> 2^7 of 448: times the factor; 1 where amax says nothing; within 2^-126 .. 2^126. */
START_TEST(the_scale_has_the_factor)
{
    static const struct {
        float amax, factor, want;
    } known[] = {
        { 3.0f, 1.0f, 128.0f },
        { 3.0f, 0.75f, 96.0f },
        { -3.0f, 0x1.0b5586p0f, 0x1.0b5586p7f },
        { 3.0f, 0.0f, 128.0f },
        { 0.0f, 0.75f, 1.0f },
        { INFINITY, 0.5f, 1.0f },
        { NAN, 0.5f, 1.0f },
        { 0x1p-140f, 8.0f, 0x1p126f },
        { FLT_MAX, 0x1p-30f, 0x1p-126f },
        { 1000.0f, 0.5f, 0x1p-3f },
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        fixture f;
        const fpx_call c = scaled(&f, FPX_SCALE_POW2, known[i].amax, known[i].factor);

        if (get(&f, &c.out[0], 0) != (double)known[i].want ||
            get(&f, &c.out[0], 1) != (double)(1.0f / known[i].want))
            ck_abort_msg("amax %g, factor %g: scale %a, not %a", (double)known[i].amax,
                         (double)known[i].factor, get(&f, &c.out[0], 0), (double)known[i].want);
        fixture_close(&f);
    }
}
END_TEST

/* The code multiplies before it takes the reciprocal: 2^-3 / 0.5; Inf gives 1 / old, which is 1. */
START_TEST(the_codes_scale_has_the_factor)
{
    static const struct {
        float amax, factor, want;
    } known[] = { { 3.0f, 0.75f, 96.0f },           { 1000.0f, 0.5f, 0.5f },
                  { 2000.0f, 0.5f, 0.25f },         { 0.0f, 0.5f, 1.0f },
                  { INFINITY, 0.5f, 1.0f },         { NAN, 0.5f, 1.0f },
                  { 0x1.c00002p-2f, 1.5f, 1536.0f } };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        fixture f;
        const fpx_call c = scaled(&f, FPX_SCALE_MS_AMP_EXACT, known[i].amax, known[i].factor);

        if (get(&f, &c.out[0], 0) != (double)known[i].want)
            ck_abort_msg("amax %g, factor %g: scale %a, not %a", (double)known[i].amax,
                         (double)known[i].factor, get(&f, &c.out[0], 0), (double)known[i].want);
        fixture_close(&f);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ops_factor");
    TCase *tc = tcase_create("factors");

    printf("seed %llu\n", (unsigned long long)seed);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, saturated_codes, 0, sizeof formats / sizeof formats[0]);
    tcase_add_loop_test(tc, the_factor_follows_the_share, 0, sizeof rules / sizeof rules[0]);
    tcase_add_test(tc, real_values_leave_it);
    tcase_add_test(tc, the_scale_has_the_factor);
    tcase_add_test(tc, the_codes_scale_has_the_factor);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
