/* test_ops_clip.c - what a clipping quantizer's gradient needs: where its signs are in a Hadamard transform, against the matrix
 * itself in integers; codes of blocks back to reals, every code with every scale; and which gradients pass. */
#include <fpx/block.h>
#include <fpx/stream.h>

#include "ops_cases.h"

static const uint64_t seed = 20260301;

/* ---- signs ---- */
/* Integers up to 2^6 and sums of 128 of them are exact: each result is one rounding of sum * factor. */
static double plain_sum(const double *x, size_t size, size_t i)
{
    double sum = 0.0;

    for (size_t j = 0; j < size; j++)
        sum += __builtin_popcountll(i & j) % 2 != 0 ? -x[j] : x[j];
    return sum;
}

static fpx_call transform_of(fixture *f, uint32_t size, uint32_t signs, int drawn)
{
    fpx_call c = new_call(FPX_OP_HADAMARD);

    add_in(&c, new_tensor(f, &fpx_fp32, SHAPE(3, size)));
    for (size_t i = 0; i < 3 * (size_t)size; i++)
        set(f, &c.in[0], i, (double)(int)(next_random(f) % 129) - 64.0);
    if (drawn)
        add_in(&c, case_draw(f));
    add_out(&c, new_tensor(f, &fpx_fp32, SHAPE(3, size)));
    c.attr.hadamard.size = size;
    c.attr.hadamard.axis = 1;
    c.attr.hadamard.seed = 3;
    c.attr.hadamard.site = 8;
    c.attr.hadamard.signs = signs;
    return c;
}

static double sign_of(int drawn, uint32_t signs, size_t i)
{
    const fpx_stream stream = {
        .seed = 3, .site = 8, .step = drawn ? 17 : 0, .micro_batch = drawn ? 3 : 0
    };

    return signs != FPX_SIGNS_NONE && fpx_stream_u32(&stream, i) >> 31 != 0 ? -1.0 : 1.0;
}

START_TEST(signs_before_after_none)
{
    static const uint32_t sizes[] = { 16, 32, 64, 128 };
    const uint32_t signs = (uint32_t)_i;
    size_t minus = 0;

    for (size_t s = 0; s < 8; s++) {
        const uint32_t size = sizes[s / 2];
        const int drawn = s % 2 != 0;
        const float factor = 1.0f / sqrtf((float)size);
        fixture f;

        fixture_open(&f, "threads=1", seed + s);
        const fpx_call c = transform_of(&f, size, signs, drawn);
        run_call(&f, &c);
        for (size_t r = 0; r < 3; r++) {
            double x[128];

            for (size_t j = 0; j < size; j++)
                x[j] = get(&f, &c.in[0], r * size + j) *
                       (signs == FPX_SIGNS_BEFORE ? sign_of(drawn, signs, j) : 1.0);
            for (size_t i = 0; i < size; i++) {
                const double after = signs == FPX_SIGNS_AFTER ? sign_of(drawn, signs, i) : 1.0;
                const float want = (float)plain_sum(x, size, i) * factor * (float)after;
                const double got = get(&f, &c.out[0], r * size + i);

                minus += sign_of(drawn, signs, i) < 0.0;
                if (got != (double)want)
                    ck_abort_msg("signs %u, size %u: y[%zu] is %a, not %a", signs, size, i, got,
                                 (double)want);
            }
        }
        fixture_close(&f);
    }
    ck_assert_int_eq(minus > 100, signs != FPX_SIGNS_NONE);
}
END_TEST

/* Of a size whose factor is exact, so that BEFORE and then AFTER is where one began. */
START_TEST(after_undoes_before)
{
    fixture f;

    fixture_open(&f, "threads=1", seed);
    const fpx_call c = transform_of(&f, 64, FPX_SIGNS_BEFORE, 1);
    fpx_call back = c;
    back.in[0] = c.out[0];
    back.out[0] = new_tensor(&f, &fpx_fp32, SHAPE(3, 64));
    back.attr.hadamard.signs = FPX_SIGNS_AFTER;
    run_call(&f, &c);
    run_call(&f, &back);
    for (size_t i = 0; i < 3 * 64; i++)
        if (get(&f, &c.in[0], i) != get(&f, &back.out[0], i))
            ck_abort_msg("element %zu comes back as %a", i, get(&f, &back.out[0], i));
    fixture_close(&f);
}
END_TEST

/* ---- codes of blocks to reals ---- */
static const struct {
    const fpx_format *element, *scale;
    int whole;
} levels[] = { { &fpx_e2m1, &fpx_e8m0, 0 },
               { &fpx_e4m3, &fpx_e8m0, 0 },
               { &fpx_e2m1, &fpx_ue4m3, 1 },
               { &fpx_e2m1, &fpx_e8m0, 1 },
               { &fpx_e4m3, &fpx_fp32, 0 } };

/* A row for each scale, its first block; the second is of the next. 32 of them are drawn where scales are fp32. */
START_TEST(codes_and_blocks_to_reals)
{
    const fpx_format *element = levels[_i].element, *scale = levels[_i].scale;
    const size_t ncodes = (size_t)1 << element->bits;
    const size_t rows = scale->bits == 32 ? 32 : (size_t)1 << scale->bits;
    const float whole = levels[_i].whole ? 0x1.555556p-3f : 1.0f;
    fixture f;

    fixture_open(&f, "threads=2", seed);
    fpx_call c = new_call(FPX_OP_DEQUANTIZE);
    fpx_tensor codes = new_tensor(&f, element, SHAPE(rows, 2 * ncodes));
    const fpx_tensor scales = new_tensor(&f, scale, SHAPE(rows, 2));
    const fpx_tensor factors = new_tensor(&f, &fpx_fp32, SHAPE(2));
    uint8_t *code = data_of(&f, &codes), *byte = data_of(&f, &scales);

    for (size_t i = 0; i < rows * 2 * ncodes; i++)
        code[i] = (uint8_t)(i % ncodes);
    for (size_t i = 0; i < rows * 2; i++) {
        if (scale->bits == 32)
            ((float *)data_of(&f, &scales))[i] = (float)next_uniform(&f);
        else
            byte[i] = (uint8_t)((i / 2 + i % 2) % rows);
    }
    codes.nscales = (uint8_t)(1 + levels[_i].whole);
    codes.scale[0].format = *scale;
    codes.scale[0].block[0] = 1;
    codes.scale[0].block[1] = ncodes;
    codes.scale[0].place = scales.place;
    set(&f, &factors, 1, (double)whole);
    codes.scale[1].format = fpx_fp32;
    codes.scale[1].place = factors.place;
    codes.scale[1].place.offset += sizeof(float);
    add_in(&c, codes);
    add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(rows, 2 * ncodes)));
    run_call(&f, &c);
    for (size_t i = 0; i < rows * 2 * ncodes; i++) {
        const double s = fpx_format_value(scale, fpx_format_code(scale, byte, i / ncodes));
        const float want = (float)(fpx_format_value(element, code[i]) * s) * whole;
        const float got = ((const float *)data_of(&f, &c.out[0]))[i];

        if (memcmp(&got, &want, sizeof got) != 0 && !(isnan(want) && isnan(got)))
            ck_abort_msg("%s %#x times %g: %a, not %a", element->name, code[i], s, (double)got,
                         (double)want);
    }
    fixture_close(&f);
}
END_TEST

/* ---- which gradients pass ---- */
enum { ROWS = 96, COLS = 64 };

/* Scales are 2^-1 or so; one in eight elements is a multiple of 3/2, so that many are 6 times their scale. */
static fpx_call quantized(fixture *f, int axis)
{
    fpx_call q = new_call(FPX_OP_QUANTIZE_BLOCK);
    const uint64_t down = axis == 0 ? 32 : 1, across = axis == 0 ? 1 : 32;

    add_in(&q, new_tensor(f, &fpx_fp32, SHAPE(ROWS, COLS)));
    for (size_t i = 0; i < ROWS * COLS; i++)
        set(f, &q.in[0], i,
            next_random(f) % 8 == 0 ? (double)((int)(next_random(f) % 9) - 4) * 1.5
                                    : 3.0 * next_uniform(f));
    fpx_tensor codes = new_tensor(f, &fpx_e2m1, SHAPE(ROWS, COLS));
    const fpx_tensor scales = new_tensor(f, &fpx_e8m0, SHAPE(ROWS / down, COLS / across));

    codes.nscales = 1;
    codes.scale[0].format = fpx_e8m0;
    codes.scale[0].block[0] = q.attr.block.block[0] = down;
    codes.scale[0].block[1] = q.attr.block.block[1] = across;
    codes.scale[0].place = scales.place;
    add_out(&q, codes);
    add_out(&q, scales);
    (void)snprintf(q.attr.block.profile, FPX_PROFILE_MAX, "mx-quest");
    q.attr.block.round = FPX_RNA;
    q.attr.block.ties_to_zero = 1;
    return q;
}

START_TEST(gradients_within_the_range_pass)
{
    const int axis = _i;
    size_t passed = 0, stopped = 0, edges = 0;
    fixture f;

    fixture_open(&f, "threads=2", seed);
    const fpx_call q = quantized(&f, axis);
    fpx_call c = new_call(FPX_OP_QUANTIZE_BLOCK_GRAD);
    float *x = data_of(&f, &q.in[0]);

    run_call(&f, &q);
    /* Now some that no quantizer has seen; NaN and Inf among gradients, where they pass and where they do not. */
    x[0] = NAN;
    x[1] = INFINITY;
    x[2] = -INFINITY;
    x[3] = 0.0f;
    x[4] = 1e30f;
    x[5] = 0.0f;
    add_in(&c, q.out[0]);
    add_in(&c, q.in[0]);
    add_in(&c, random_tensor(&f, &fpx_fp32, 0, 1, SHAPE(ROWS, COLS)));
    float *dy = data_of(&f, &c.in[2]);
    dy[3] = dy[4] = NAN;
    dy[5] = INFINITY;
    add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(ROWS, COLS)));
    run_call(&f, &c);
    const uint8_t *scales = data_of(&f, &q.out[1]);
    const float *dx = data_of(&f, &c.out[0]);
    for (size_t i = 0; i < ROWS * COLS; i++) {
        const size_t r = i / COLS, k = i % COLS;
        const int e = scales[axis == 0 ? r / 32 * COLS + k : r * (COLS / 32) + k / 32] - 127;
        const int pass = fabs((double)x[i]) < ldexp(6.0, e);
        const float want = dy[i] * (pass ? 1.0f : 0.0f);

        passed += (size_t)pass;
        stopped += !pass;
        edges += fabs((double)x[i]) == ldexp(6.0, e);
        if (memcmp(&want, &dx[i], sizeof want) != 0 && !(isnan(want) && isnan(dx[i])))
            ck_abort_msg("element %zu of scale 2^%d: %a gives %a, not %a", i, e, (double)x[i],
                         (double)dx[i], (double)want);
    }
    ck_assert(isnan(dx[3]) && isnan(dx[4]) && isinf(dx[5]));
    printf("axis %d: %zu pass, %zu do not, %zu of these are 6 times their scale\n", axis, passed,
           stopped, edges);
    ck_assert(passed > 100 && stopped > 100 && edges > 10);
    fixture_close(&f);
}
END_TEST

/* The element's own numbers are the library's. */
START_TEST(ties_go_to_zero)
{
    fpx_blocking b;
    uint8_t codes[ROWS * COLS], scales[ROWS * COLS / 32];
    fixture f;

    fixture_open(&f, "threads=2", seed);
    const fpx_call q = quantized(&f, _i);
    run_call(&f, &q);
    ck_assert_int_eq(fpx_blocking_find("mx-quest", &b), FPX_OK);
    memcpy(b.block, q.attr.block.block, sizeof b.block);
    ck_assert_int_eq(fpx_block_quantize(&b, 0.0f, data_of(&f, &q.in[0]), ROWS, COLS, codes, scales),
                     FPX_OK);
    ck_assert_mem_eq(codes, data_of(&f, &q.out[0]), sizeof codes);
    ck_assert_mem_eq(scales, data_of(&f, &q.out[1]), sizeof scales);
    fixture_close(&f);
}
END_TEST

START_TEST(the_identity_passes_all)
{
    fixture f;

    fixture_open(&f, "threads=2", seed);
    fpx_call c = new_call(FPX_OP_QUANTIZE_BLOCK_GRAD);
    for (int i = 0; i < 3; i++)
        add_in(&c, uniform(&f, &fpx_fp64, 100, SHAPE(5, 7)));
    add_out(&c, new_tensor(&f, &fpx_fp64, SHAPE(5, 7)));
    run_call(&f, &c);
    ck_assert_mem_eq(data_of(&f, &c.in[2]), data_of(&f, &c.out[0]), 35 * sizeof(double));
    fixture_close(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("clip");
    TCase *tc = tcase_create("clip");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, signs_before_after_none, 0, 3);
    tcase_add_test(tc, after_undoes_before);
    tcase_add_loop_test(tc, codes_and_blocks_to_reals, 0, (int)(sizeof levels / sizeof levels[0]));
    tcase_add_loop_test(tc, gradients_within_the_range_pass, 0, 2);
    tcase_add_loop_test(tc, ties_go_to_zero, 0, 2);
    tcase_add_test(tc, the_identity_passes_all);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
