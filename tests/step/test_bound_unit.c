/* test_bound_unit.c - bounds of products by a matrix unit: the unit's results, by the scalar reference and its epilogue,
 * lie within them of a product in float64; those of a unit that keeps fewer
 * bits do not. */
#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/mma_finish.h>
#include <fpx/opshape.h>
#include <fpx/optable.h>

enum { M = 5, N = 7, K = 160, BATCH = 2, CASES = 200 };

static const struct {
    const char *unit;
    const fpx_format *a, *b;
} units[] = {
    { "hopper/wgmma/fp8-fp32", &fpx_e4m3, &fpx_e5m2 },
    { "hopper/cublaslt-slow/fp8-fp32", &fpx_e4m3, &fpx_e4m3 },
    { "hopper/mma.sync/fp8-fp32", &fpx_e5m2, &fpx_e4m3 },
    { "ampere/mma.sync/fp16-fp32", &fpx_fp16, &fpx_fp16 },
    { "hopper/wgmma/bf16-fp32", &fpx_bf16, &fpx_bf16 },
    { "cdna2/mfma/bf16-fp32", &fpx_bf16, &fpx_bf16 },
    { "ideal/fma/any-fp32", &fpx_e4m3, &fpx_e5m2 },
};
enum { UNITS = sizeof units / sizeof units[0] };

static uint64_t state = 1;

static uint32_t draw(void)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static size_t below(size_t n)
{
    return draw() % n;
}

/* One product: codes, their float64 values, the call. */
typedef struct trial {
    fpx_call call;
    size_t k, batch;
    float scale[2];
    unsigned char codes[2][BATCH * M * N * K * 2];
    double value[2][BATCH * M * N * K];
    double reference[BATCH * M * N], bound[BATCH * M * N];
    float d[BATCH * M * N];
} trial;

static void set_shape(fpx_tensor *t, const fpx_format *format, size_t batch, size_t rows,
                      size_t columns, int scaled)
{
    *t = (fpx_tensor){ .format = *format, .ndim = 4, .shape = { batch, 1, rows, columns } };
    t->nscales = (uint8_t)scaled;
    t->scale[0].format = fpx_fp32;
}

/* Numbers of about one exponent, or of many, with zeros; never NaN or Inf. */
static void fill(trial *t, int i, const fpx_format *format, int is_wide)
{
    const size_t n = fpx_tensor_count(&t->call.in[i]);
    const fpx_conversion to = { .format = *format };

    for (size_t j = 0; j < n; j++) {
        const float x = ((float)draw() * 0x1p-30f - 1.0f) *
                        (is_wide ? ldexpf(1.0f, (int)below(25) - 16) : 1.0f) *
                        (below(8) == 0 ? 0.0f : 1.0f);
        ck_assert_int_eq(
            fpx_encode_f32(&to, 1.0f, &x, t->codes[i] + j * fpx_format_size(format), 1), FPX_OK);
    }
}

static void set_up(trial *t, size_t u, int is_scaled)
{
    const uint32_t ta = (uint32_t)below(2), tb = (uint32_t)below(2);

    t->k = 1 + below(K);
    t->batch = 1 + below(BATCH);
    t->call = (fpx_call){ .struct_size = sizeof t->call, .kind = FPX_OP_GEMM, .nin = 2, .nout = 1 };
    t->call.attr.gemm.trans_a = ta;
    t->call.attr.gemm.trans_b = tb;
    (void)snprintf(t->call.attr.gemm.unit, sizeof t->call.attr.gemm.unit, "%s", units[u].unit);
    set_shape(&t->call.in[0], units[u].a, t->batch, ta ? t->k : M, ta ? M : t->k, is_scaled);
    set_shape(&t->call.in[1], units[u].b, t->batch, tb ? N : t->k, tb ? t->k : N, is_scaled);
    set_shape(&t->call.out[0], &fpx_fp32, t->batch, M, N, 0);
    for (int i = 0; i < 2; i++)
        t->scale[i] =
            is_scaled ? ldexpf(1.0f + (float)below(1000) * 0x1p-10f, (int)below(30) - 15) : 1.0f;
}

/* Element k of a row of op(A) or a column of op(B). */
static double element(const trial *t, int i, size_t p, size_t vector, size_t k)
{
    const fpx_tensor *x = &t->call.in[i];
    const size_t rows = (size_t)x->shape[2], columns = (size_t)x->shape[3];
    const int along = i == 0 ? !t->call.attr.gemm.trans_a : (int)t->call.attr.gemm.trans_b;

    return t->value[i][p * rows * columns + (along ? vector * columns + k : k * columns + vector)];
}

/* Values, reference and bound; the sums of `unit`, which may be another than the call's. */
static void compute(trial *t, const char *unit)
{
    const fpx_op_info *const info = fpx_op_info_of(FPX_OP_GEMM);
    fpx_bound_args args = { .call = &t->call, .unit = 0x1p-24 };
    fpx_mma_preset preset, other;
    fpx_mma_call mma;

    for (int i = 0; i < 2; i++) {
        const size_t n = fpx_tensor_count(&t->call.in[i]);
        ck_assert_int_eq(
            fpx_decode_f64(&t->call.in[i].format, (double)t->scale[i], t->codes[i], t->value[i], n),
            FPX_OK);
        args.in[i] = t->value[i];
        args.codes[i] = t->codes[i];
        args.decode[i] = (double)t->scale[i];
    }
    for (size_t e = 0; e < t->batch * M * N; e++) {
        t->reference[e] = 0.0;
        for (size_t k = 0; k < t->k; k++)
            t->reference[e] +=
                element(t, 0, e / (M * N), e / N % M, k) * element(t, 1, e / (M * N), e % N, k);
    }
    args.out[0] = t->reference;
    args.bound[0] = t->bound;
    args.scratch = malloc(info->bound_scratch(&t->call) * sizeof *args.scratch);
    ck_assert_ptr_nonnull(args.scratch);
    info->bound(&args);
    free(args.scratch);
    ck_assert_int_eq(fpx_call_unit(&t->call, t->codes[0], t->codes[1], &preset, &mma, NULL),
                     FPX_OK);
    ck_assert_int_eq(fpx_mma_preset_parse(unit, &other, NULL), FPX_OK);
    ck_assert_int_eq(fpx_mma(&other.model, &mma, t->d, NULL), FPX_OK);
    const fpx_mma_epilogue epilogue = { .scale_a = t->scale[0],
                                        .scale_b = t->scale[1],
                                        .scale_d = 1.0f,
                                        .sums = fpx_fp32,
                                        .to = fpx_mma_conversion(&fpx_fp32) };
    ck_assert_int_eq(fpx_mma_finish(&epilogue, t->d, t->batch * M, N, t->d, NULL), FPX_OK);
}

/* The largest error / bound; *ret_open counts what nothing is claimed of. */
static double worst(const trial *t, size_t *ret_open)
{
    double most = 0.0;

    for (size_t e = 0; e < t->batch * M * N; e++) {
        const double error = fabs((double)t->d[e] - t->reference[e]);

        if (!isfinite(t->bound[e]))
            ++*ret_open;
        else if (error > 0.0)
            most = fmax(most, error / t->bound[e]);
    }
    return most;
}

START_TEST(results_lie_within)
{
    trial *const t = calloc(1, sizeof *t);
    size_t open = 0, outputs = 0;
    double most = 0.0;

    state = (uint64_t)_i + 1;
    for (size_t c = 0; c < CASES; c++) {
        const int is_wide = (int)below(2);

        set_up(t, (size_t)_i, (int)below(2));
        fill(t, 0, units[_i].a, is_wide);
        fill(t, 1, units[_i].b, is_wide);
        compute(t, units[_i].unit);
        const double ratio = worst(t, &open);
        if (ratio > 1.0)
            ck_abort_msg("%s, case %zu: an error is %g of its bound", units[_i].unit, c, ratio);
        most = fmax(most, ratio);
        outputs += t->batch * M * N;
    }
    printf("%s: %zu outputs, the worst error %.3f of its bound\n", units[_i].unit, outputs, most);
    ck_assert_uint_eq(open, 0);
    ck_assert(most > 0.01); /* a bound a hundred times too large would find nothing */
    free(t);
}
END_TEST

/* A first product of 1, then products of 7/8 of what three bits less would cut: 2^-13 + 3 in FP8 of a Hopper. */
START_TEST(fewer_bits_show)
{
    trial *const t = calloc(1, sizeof *t);
    size_t open = 0;

    state = 1;
    do
        set_up(t, 0, 1);
    while (t->k < 32);
    for (int i = 0; i < 2; i++) {
        const fpx_conversion to = { .format = t->call.in[i].format };
        const fpx_tensor *x = &t->call.in[i];
        const int along = i == 0 ? !t->call.attr.gemm.trans_a : (int)t->call.attr.gemm.trans_b;
        const size_t n = fpx_tensor_count(x), columns = (size_t)x->shape[3];

        for (size_t j = 0; j < n; j++) {
            const size_t k = along ? j % columns : j / columns % (size_t)x->shape[2];
            const float value = k == 0 ? 1.0f : i == 0 ? 1.75f * 0x1p-6f : 0x1p-5f;

            ck_assert_int_eq(fpx_encode_f32(&to, 1.0f, &value, t->codes[i] + j, 1), FPX_OK);
        }
    }
    compute(t, units[0].unit);
    ck_assert(worst(t, &open) <= 1.0);
    compute(t, "hopper/wgmma/fp8-fp32,fraction=10");
    ck_assert_msg(worst(t, &open) > 1.0, "the bound takes ten bits for thirteen: %g",
                  worst(t, &open));
    ck_assert_uint_eq(open, 0);
    free(t);
}
END_TEST

/* Where the factor of both scales may underflow. */
START_TEST(nothing_is_claimed)
{
    trial *const t = calloc(1, sizeof *t);
    size_t open = 0;

    state = 1;
    set_up(t, 0, 1);
    fill(t, 0, units[0].a, 0);
    fill(t, 1, units[0].b, 0);
    t->scale[0] = t->scale[1] = 0x1p-70f;
    compute(t, units[0].unit);
    (void)worst(t, &open);
    ck_assert_uint_eq(open, t->batch * M * N);
    free(t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bound_unit");
    TCase *tc = tcase_create("bound_unit");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, results_lie_within, 0, UNITS);
    tcase_add_test(tc, fewer_bits_show);
    tcase_add_test(tc, nothing_is_claimed);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
