/* dump_remedies.c - runs the operations of FP4 training's remedies on random data and on every bf16 between -6 and 6, and writes
 * inputs and outputs raw to standard output: test_remedies.py computes them again with numpy. */
#include "ops_fixture.h"

/* Non-negative bf16 up to 6, of either sign, in rows whose first element is 6: their scale is 1. */
enum { GRID = 0x40c0 + 1, WIDE = 128, DOWN = (2 * GRID + WIDE - 2) / (WIDE - 1) };

static void put(const fixture *f, const fpx_tensor *t)
{
    const size_t bytes = fpx_tensor_bytes(t);

    if (fwrite(data_of(f, t), 1, bytes, stdout) != bytes)
        exit(EXIT_FAILURE);
}

static void run_dge(fixture *f, fpx_tensor dw, fpx_tensor w, uint32_t rule, double k, double cap)
{
    fpx_call c = new_call(FPX_OP_DGE);

    add_in(&c, dw);
    add_in(&c, w);
    add_out(&c, new_tensor(f, &fpx_fp32, SHAPE(w.shape[0], w.shape[1])));
    c.attr.dge.k = k;
    c.attr.dge.cap = cap;
    c.attr.dge.rule = rule;
    run_call(f, &c);
    put(f, &c.out[0]);
}

/* The slope itself: a gradient of ones. */
static void dge_of_the_grid(fixture *f)
{
    const fpx_tensor w = new_tensor(f, &fpx_fp32, SHAPE(DOWN, WIDE));
    const fpx_tensor ones = random_tensor(f, &fpx_fp32, 1.0, 0.0, SHAPE(DOWN, WIDE));
    uint32_t at = 0;

    for (size_t i = 0; i < fpx_tensor_count(&w); i++) {
        uint32_t bits = 0x40c00000u;

        if (i % WIDE != 0 && at < 2 * GRID) {
            bits = (at / 2) << 16 | at << 31;
            at++;
        }
        ((uint32_t *)data_of(f, &w))[i] = bits;
    }
    put(f, &w);
    for (uint32_t rule = FPX_DGE_PAPER; rule <= FPX_DGE_MS_AMP; rule++)
        run_dge(f, ones, w, rule, 5.0, 3.0);
}

/* Rows whose largest is every bf16 from 2^-9 to 2^9 (and some others), and rows of odd ones. */
static void dge_of_rows(fixture *f)
{
    enum { ROWS = 18 * 128 + 6, COLS = 24 };
    static const float odd[6] = { 0.0f, 1e-45f, 1e-39f, 3.4e38f, INFINITY, NAN };
    const fpx_tensor w = random_tensor(f, &fpx_fp32, 0.0, 1.0, SHAPE(ROWS, COLS));
    const fpx_tensor dw = random_tensor(f, &fpx_fp32, 0.0, 0.01, SHAPE(ROWS, COLS));

    for (uint32_t r = 0; r < ROWS; r++) {
        const uint32_t bits = (((127 - 9) << 7) + r) << 16;
        float amax;

        memcpy(&amax, &bits, sizeof amax);
        if (r >= ROWS - 6)
            amax = odd[r - (ROWS - 6)];
        for (size_t c = 0; c < COLS; c++)
            set(f, &w, r * COLS + c, (double)amax * get(f, &w, r * COLS + c));
        set(f, &w, r * COLS, (double)amax);
        set(f, &w, r * COLS + 1, -(double)amax);
        set(f, &w, r * COLS + 2, 0.0);
    }
    put(f, &dw);
    put(f, &w);
    run_dge(f, dw, w, FPX_DGE_PAPER, 5.0, 3.0);
    run_dge(f, dw, w, FPX_DGE_PAPER, 10.0, 2.5);
    run_dge(f, dw, w, FPX_DGE_MS_AMP, 5.0, 3.0);
}

/* Outliers in some columns, many equal values, zeros of either sign; then NaN and Inf. */
static void clamps(fixture *f)
{
    enum { ROWS = 117, COLS = 100 }; /* .99 of 100 is a whole number */
    static const double alphas[] = { 0.5, 0.97, 0.99, 0.999 };
    const fpx_tensor x = random_tensor(f, &fpx_fp32, 0.0, 1.0, SHAPE(ROWS, COLS));

    for (size_t i = 0; i < ROWS * COLS; i++) {
        const double v = get(f, &x, i);

        set(f, &x, i,
            i % 11 == 0   ? 0.25
            : i % 13 == 0 ? (i % 2 != 0 ? 0.0 : -0.0)
            : i % 17 == 3 ? 30.0 * v
                          : v);
    }
    for (int special = 0; special < 2; special++) {
        if (special) {
            set(f, &x, 5, (double)NAN);
            set(f, &x, 3 * COLS + 7, (double)INFINITY);
            set(f, &x, 8 * COLS + 1, -(double)INFINITY);
            for (size_t c = 0; c < COLS; c += 3) /* more than the upper share of a row */
                set(f, &x, 20 * COLS + c, (double)NAN);
        }
        put(f, &x);
        for (uint32_t over = FPX_CLAMP_TENSOR; over <= FPX_CLAMP_COLUMN; over++)
            for (size_t a = 0; a < 4; a++) {
                fpx_call c = new_call(FPX_OP_CLAMP);

                add_in(&c, x);
                add_out(&c, new_tensor(f, &fpx_fp32, SHAPE(ROWS, COLS)));
                c.attr.clamp.alpha = alphas[a];
                c.attr.clamp.over = over;
                run_call(f, &c);
                put(f, &c.out[0]);
            }
    }
}

static void residuals(fixture *f)
{
    enum { M = 19, N = 14, K = 41 };
    fpx_call c = new_call(FPX_OP_ADD_RESIDUAL);

    add_in(&c, random_tensor(f, &fpx_fp32, 0.0, 1.0, SHAPE(M, N)));
    add_in(&c, random_tensor(f, &fpx_fp32, 0.0, 3.0, SHAPE(M, K)));
    add_in(&c, new_tensor(f, &fpx_fp32, SHAPE(M, K)));
    add_in(&c, random_tensor(f, &fpx_fp32, 0.0, 0.1, SHAPE(N, K)));
    add_out(&c, new_tensor(f, &fpx_fp32, SHAPE(M, N)));
    for (size_t i = 0; i < M * K; i++) {
        const double v = get(f, &c.in[1], i);

        set(f, &c.in[2], i,
            i / K == 4 ? v
            : v > 2.0  ? 2.0
            : v < -2.3 ? -2.3
                       : v); /* a row without */
    }
    for (size_t i = 0; i < 4; i++)
        put(f, &c.in[i]);
    run_call(f, &c);
    put(f, &c.out[0]);

    /* The same with a weight of codes, all of them, one scale a row; the codes written as numbers. */
    const fpx_tensor scales = random_tensor(f, &fpx_fp32, 0.3, 0.2, SHAPE(N, 1));
    const fpx_tensor numbers = new_tensor(f, &fpx_fp32, SHAPE(N, K));
    fpx_tensor codes = new_tensor(f, &fpx_e2m1, SHAPE(N, K));
    for (size_t i = 0; i < N * K; i++) {
        ((uint8_t *)data_of(f, &codes))[i] = (uint8_t)(i % 16);
        set(f, &numbers, i, (double)(i % 16));
    }
    codes.nscales = 1;
    codes.scale[0].format = fpx_fp32;
    codes.scale[0].block[0] = 1;
    codes.scale[0].place = scales.place;
    c.in[3] = codes;
    run_call(f, &c);
    put(f, &numbers);
    put(f, &scales);
    put(f, &c.out[0]);
}

START_TEST(dump)
{
    static void (*const parts[])(fixture *) = { dge_of_the_grid, dge_of_rows, clamps, residuals };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        fixture f;

        fixture_open(&f, i % 2 != 0 ? "threads=2" : "threads=3", 17 + i);
        parts[i](&f);
        fixture_close(&f);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dump");
    TCase *tc = tcase_create("dump");

    tcase_add_test(tc, dump); /* the fixture asserts, which only a test may */
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_set_fork_status(sr, CK_NOFORK);
    srunner_run_all(sr, CK_SILENT);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
