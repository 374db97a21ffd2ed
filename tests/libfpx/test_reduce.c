/* test_reduce.c - every level of fpx/reduce.h against sums written here from its text, bit for bit: all
 * lengths around the lanes, misaligned, with specials. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/reduce.h>

enum { LENGTH_MAX = 200, KINDS = 4 };

static uint64_t state;

static uint64_t next(void) /* SplitMix64 */
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t bits_f32(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static uint64_t bits_f64(double x)
{
    uint64_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

/* kind 0: plain; 1: wide exponents; 2: tiny (products underflow); 3: any bits at all, NaN and Inf rare
 * enough that most sums are finite. */
static void fill(float *x, double *y, size_t n, int kind)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t r = next();
        const double unit = (double)(r >> 11) * 0x1p-52 - 1.0;
        const uint32_t u = (uint32_t)r;

        x[i] = (float)(kind == 1   ? ldexp(unit, (int)(r % 80) - 40)
                       : kind == 2 ? unit * 0x1p-75
                                   : unit);
        y[i] = kind == 1 ? ldexp(unit, (int)(r % 400) - 200) : kind == 2 ? unit * 0x1p-537 : unit;
        if (kind == 3 && r % 50 == 0) {
            memcpy(&x[i], &u, sizeof u);
            memcpy(&y[i], &r, sizeof r);
        }
        if (kind == 3 && r % 400 == 1) {
            x[i] = r & 512 ? (float)INFINITY : -NAN;
            y[i] = r & 1024 ? -(double)INFINITY : -(double)NAN;
        }
    }
}

/* The sum of term(i) for i in [0, n), in 16 lanes; fma and rounding by the term itself. */
typedef void term_fn(double *lane, const void *x, const void *y, size_t i);

static void term_sum_f32(double *lane, const void *x, const void *y, size_t i)
{
    (void)y;
    *lane = (double)((float)*lane + ((const float *)x)[i]);
}

static void term_dot_f32(double *lane, const void *x, const void *y, size_t i)
{
    *lane = (double)fmaf(((const float *)x)[i], ((const float *)y)[i], (float)*lane);
}

static void term_sum_f64(double *lane, const void *x, const void *y, size_t i)
{
    (void)y;
    *lane += ((const double *)x)[i];
}

static void term_dot_f64(double *lane, const void *x, const void *y, size_t i)
{
    *lane = fma(((const double *)x)[i], ((const double *)y)[i], *lane);
}

static void term_sumsq(double *lane, const void *x, const void *y, size_t i)
{
    const double v = (double)((const float *)x)[i];

    (void)y;
    *lane = fma(v, v, *lane);
}

static double add(double a, double b, int f64)
{
    return f64 ? a + b : (double)((float)a + (float)b);
}

static double reference(term_fn *term, const void *x, const void *y, size_t n, int f64)
{
    double lane[16];

    for (size_t l = 0; l < 16; l++) {
        lane[l] = 0.0;
        for (size_t i = l; i < n; i += 16)
            term(&lane[l], x, y, i);
    }
    double a[8], b[4];
    for (size_t l = 0; l < 8; l++)
        a[l] = add(lane[l], lane[l + 8], f64);
    for (size_t l = 0; l < 4; l++)
        b[l] = add(a[l], a[l + 4], f64);
    return add(add(b[0], b[2], f64), add(b[1], b[3], f64), f64);
}

static void check_f32(const char *name, int level, size_t n, float got, double want)
{
    const uint32_t expected = want != want ? 0x7fc00000u : bits_f32((float)want);

    if (bits_f32(got) != expected)
        ck_abort_msg("%s at %s, n %zu: %08x, not %08x", name,
                     fpx_cpu_level_name((fpx_cpu_level)level), n, bits_f32(got), expected);
}

static void check_f64(const char *name, int level, size_t n, double got, double want)
{
    const uint64_t expected = want != want ? 0x7ff8000000000000u : bits_f64(want);

    if (bits_f64(got) != expected)
        ck_abort_msg("%s at %s, n %zu: %016llx, not %016llx", name,
                     fpx_cpu_level_name((fpx_cpu_level)level), n, (unsigned long long)bits_f64(got),
                     (unsigned long long)expected);
}

START_TEST(sums)
{
    static float xf[LENGTH_MAX + 4], yf[LENGTH_MAX + 4];
    static double xd[LENGTH_MAX + 4], yd[LENGTH_MAX + 4];
    const int level = _i / KINDS, kind = _i % KINDS;
    const fpx_cpu_level l = (fpx_cpu_level)level;

    state = 11 + (uint64_t)kind;
    for (size_t n = 0; n <= LENGTH_MAX; n++)
        for (size_t shift = 0; shift < 4; shift++) {
            const float *x = xf + shift, *y = yf + 3 - shift;
            const double *u = xd + shift, *v = yd + 3 - shift;

            fill(xf, xd, LENGTH_MAX + 4, kind);
            fill(yf, yd, LENGTH_MAX + 4, kind);
            check_f32("sum_f32", level, n, fpx_sum_f32(l, x, n),
                      reference(term_sum_f32, x, y, n, 0));
            check_f32("dot_f32", level, n, fpx_dot_f32(l, x, y, n),
                      reference(term_dot_f32, x, y, n, 0));
            check_f64("sum_f64", level, n, fpx_sum_f64(l, u, n),
                      reference(term_sum_f64, u, v, n, 1));
            check_f64("dot_f64", level, n, fpx_dot_f64(l, u, v, n),
                      reference(term_dot_f64, u, v, n, 1));
            check_f64("sumsq_f32", level, n, fpx_sumsq_f32(l, x, n),
                      reference(term_sumsq, x, y, n, 1));

            double top = 0.0, top64 = 0.0; /* once NaN, no comparison replaces it */
            for (size_t i = 0; i < n; i++) {
                const double a = fabs((double)x[i]), b = fabs(u[i]);

                top = a != a || a > top ? a : top;
                top64 = b != b || b > top64 ? b : top64;
            }
            check_f32("amax_f32", level, n, fpx_amax_f32(l, x, n), top);
            check_f64("amax_f64", level, n, fpx_amax_f64(l, u, n), top64);
        }
}
END_TEST

/* node(level, j) of column c over `leaves` rows; it exists where j * 2^level < leaves. */
static double node(const void *x, size_t leaves, size_t width, size_t c, unsigned level, size_t j,
                   int f64)
{
    if (level == 0)
        return f64 ? ((const double *)x)[j * width + c] : (double)((const float *)x)[j * width + c];
    const double left = node(x, leaves, width, c, level - 1, 2 * j, f64);
    if (((2 * j + 1) << (level - 1)) >= leaves)
        return left;
    return add(left, node(x, leaves, width, c, level - 1, 2 * j + 1, f64), f64);
}

START_TEST(trees)
{
    enum { LEAVES = 37, WIDTH = 21 };
    static float x[LEAVES * WIDTH + 1], got[LEAVES * WIDTH + 2];
    static double y[LEAVES * WIDTH + 1], got64[LEAVES * WIDTH + 2];
    const int level = _i / KINDS, kind = _i % KINDS;

    state = 99 + (uint64_t)kind;
    for (size_t leaves = 1; leaves <= LEAVES; leaves++)
        for (size_t width = 1; width <= WIDTH; width += leaves % 5 + 1) {
            unsigned levels = 0;

            while (((size_t)1 << levels) < leaves)
                levels++;
            fill(x, y, leaves * width, kind);
            memcpy(got + 1, x, leaves * width * sizeof x[0]);
            memcpy(got64 + 1, y, leaves * width * sizeof y[0]);
            got[1 + leaves * width] = 42.0f;
            got64[1 + leaves * width] = 42.0;
            fpx_tree_f32((fpx_cpu_level)level, got + 1, leaves, width);
            fpx_tree_f64((fpx_cpu_level)level, got64 + 1, leaves, width);
            for (size_t c = 0; c < width; c++) {
                check_f32("tree_f32", level, leaves, got[1 + c],
                          node(x, leaves, width, c, levels, 0, 0));
                check_f64("tree_f64", level, leaves, got64[1 + c],
                          node(y, leaves, width, c, levels, 0, 1));
            }
            ck_assert(got[1 + leaves * width] == 42.0f && got64[1 + leaves * width] == 42.0);
        }
}
END_TEST

int main(void)
{
    const int variants = ((int)fpx_cpu_detect() + 1) * KINDS;
    Suite *s = suite_create("reduce");
    TCase *tc = tcase_create("reduce");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, sums, 0, variants);
    tcase_add_loop_test(tc, trees, 0, variants);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
