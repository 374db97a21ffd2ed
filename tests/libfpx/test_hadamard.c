/* test_hadamard.c - the transform against its definition: the matrix product in float64 where every sum is exact, and
 * otherwise a recursive sum of 16 signed terms in the stated order, which no butterfly takes part in. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/hadamard.h>

#include "format_bits.h"

enum { N = FPX_HADAMARD_SIZE, GROUPS = 64 };

static const int te_signs[N] = { 1, 1, 1, -1, 1, -1, -1, -1, -1, -1, -1, 1, -1, 1, -1, -1 };

static uint64_t next(uint64_t *state) /* SplitMix64 */
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Sylvester: H(2n) = [H H; H -H]. */
static int hadamard(unsigned i, unsigned j)
{
    int h = 1;

    for (unsigned n = N / 2; n > 0; n /= 2) {
        if (i >= n && j >= n)
            h = -h;
        i %= n;
        j %= n;
    }
    return h;
}

/* Small integers times 2^-3: every sum of 16 is exact. */
START_TEST(exact_products)
{
    uint64_t state = 1;

    for (int round = 0; round < 200; round++) {
        float x[N];
        float y[N];
        float back[N];
        for (int i = 0; i < N; i++)
            x[i] = (float)((int)(next(&state) % 4001) - 2000) * 0.125f;
        ck_assert_int_eq(fpx_hadamard_forward(FPX_HADAMARD_SIGNS_TE, x, N, y), FPX_OK);
        for (unsigned j = 0; j < N; j++) {
            double sum = 0.0;
            for (unsigned i = 0; i < N; i++)
                sum += (double)x[i] * te_signs[i] * hadamard(i, j);
            if ((double)y[j] != sum / 4.0)
                ck_abort_msg("output %u: %a, not %a", j, (double)y[j], sum / 4.0);
        }
        ck_assert_int_eq(fpx_hadamard_inverse(FPX_HADAMARD_SIGNS_TE, y, N, back), FPX_OK);
        for (int i = 0; i < N; i++)
            ck_assert_uint_eq(fpx_f32_bits(back[i] + 0.0f), fpx_f32_bits(x[i] + 0.0f));
    }
}
END_TEST

/* The value of output j over the terms `first` + any subset of bits below `apart`: partners `apart` apart are added
 * last in this recursion, hence first 8 apart, ..., as the innermost sum. */
static float term_sum(const float *x, unsigned j, unsigned first, unsigned apart)
{
    if (apart == N)
        return x[first];

    const float a = term_sum(x, j, first, apart * 2);
    const float b = term_sum(x, j, first + apart, apart * 2);
    return (j & apart) != 0 ? a - b : a + b;
}

static uint32_t bf16_of(float x)
{
    fpx_conversion c = { .overflow = FPX_OVERFLOW_NONE };
    uint16_t code = 0;

    c.format = fpx_bf16;
    ck_assert_int_eq(fpx_encode_f32(&c, 1.0f, &x, &code, 1), FPX_OK);
    return (uint32_t)code << 16;
}

/* Any finite data, where sums round and overflow: bit for bit in the stated order; in place; bf16. */
START_TEST(stated_order)
{
    static float x[N * GROUPS], y[N * GROUPS], z[N * GROUPS];
    const uint16_t signs = (uint16_t)(_i == 0 ? FPX_HADAMARD_SIGNS_TE : 0x1234 * _i);
    uint64_t state = 77;

    for (size_t i = 0; i < N * GROUPS; i++) {
        const uint32_t u = (uint32_t)next(&state);
        x[i] = i / N % 2 == 0 ? (float)(int32_t)u * 0x1p-31f
                              : fpx_bits_f32(u % 0x7f800000u | (u & 0x80000000u));
        z[i] = x[i];
    }
    ck_assert_int_eq(fpx_hadamard_forward(signs, x, N * GROUPS, y), FPX_OK);
    ck_assert_int_eq(fpx_hadamard_forward_bf16(signs, z, N * GROUPS, z), FPX_OK);
    for (size_t g = 0; g < GROUPS; g++) {
        float flipped[N];
        for (unsigned i = 0; i < N; i++)
            flipped[i] = (signs >> i & 1) != 0 ? -x[g * N + i] : x[g * N + i];
        for (unsigned j = 0; j < N; j++) {
            const float sum = 0.25f * term_sum(flipped, j, 0, 1);
            const uint32_t want = sum != sum ? 0x7fc00000u : fpx_f32_bits(sum);
            const uint32_t rounded = sum != sum ? 0x7fc00000u : bf16_of(sum);
            if (fpx_f32_bits(y[g * N + j]) != want || fpx_f32_bits(z[g * N + j]) != rounded)
                ck_abort_msg(
                    "signs %04x, group %zu, output %u: %08x, not %08x; bf16 %08x, not %08x", signs,
                    g, j, fpx_f32_bits(y[g * N + j]), want, fpx_f32_bits(z[g * N + j]), rounded);
        }
    }
}
END_TEST

START_TEST(signs_and_refusals)
{
    float x[N + 1] = { 0.0f };
    unsigned mask = 0;

    for (unsigned i = 0; i < N; i++)
        mask |= te_signs[i] < 0 ? 1u << i : 0;
    ck_assert_uint_eq(mask, FPX_HADAMARD_SIGNS_TE);
    ck_assert_int_eq(fpx_hadamard_forward(0, x, N + 1, x), FPX_EINVAL);
    ck_assert_int_eq(fpx_hadamard_inverse_bf16(0, x, 15, x), FPX_EINVAL);
    ck_assert_int_eq(fpx_hadamard_forward(0, x, 0, x), FPX_OK);
    x[0] = NAN;
    ck_assert_int_eq(fpx_hadamard_inverse(0, x, N, x), FPX_OK);
    for (int i = 0; i < N; i++)
        ck_assert_uint_eq(fpx_f32_bits(x[i]), 0x7fc00000u);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("hadamard");
    TCase *const t = tcase_create("hadamard");

    tcase_add_test(t, exact_products);
    tcase_add_loop_test(t, stated_order, 0, 3);
    tcase_add_test(t, signs_and_refusals);
    suite_add_tcase(suite, t);

    SRunner *const runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
