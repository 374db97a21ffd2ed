/* dump_optim.c - runs each optimizer's operation once on random data, edge values among them, and those that store its
 * state; and writes inputs and outputs raw to standard output: test_optimizers.py computes them again with numpy. */
#include "ops_fixture.h"

enum { N = 20011 };

static const float edges[] = { 0.0f,   -0.0f,    1e-45f,    -1e-45f, 1e-38f, 3e38f,
                               -3e38f, INFINITY, -INFINITY, NAN,     1.0f,   -1.0f };
enum { EDGES = sizeof edges / sizeof edges[0] };

static void put(const fixture *f, const fpx_tensor *t)
{
    const size_t bytes = fpx_tensor_bytes(t);

    if (fwrite(data_of(f, t), 1, bytes, stdout) != bytes)
        exit(EXIT_FAILURE);
}

/* Random values; the first elements are all combinations of edges over the tensors. */
static fpx_tensor operand(fixture *f, double offset, double scale, size_t stride)
{
    const fpx_tensor t = random_tensor(f, &fpx_fp32, offset, scale, SHAPE(N));

    for (size_t i = 0; i < (size_t)EDGES * EDGES * EDGES; i++)
        ((float *)data_of(f, &t))[i] =
            offset > 0.0 ? fabsf(edges[i / stride % EDGES]) : edges[i / stride % EDGES];
    return t;
}

static void run_one(fpx_op_kind kind, size_t moments, const fpx_attr *attr)
{
    fpx_call c = new_call(kind);
    fixture f;

    fixture_open(&f, "threads=2", 11);
    add_in(&c, operand(&f, 0.0, 1.0, 1));
    add_in(&c, operand(&f, 0.0, 0.01, EDGES));
    if (moments == 2)
        add_in(&c, operand(&f, 1e-4, 1e-4, EDGES));
    add_in(&c, operand(&f, 0.0, 0.02, (size_t)EDGES * EDGES));
    const fpx_tensor factor = new_tensor(&f, &fpx_fp32, SHAPE(1));
    const fpx_tensor hyper = new_tensor(&f, &fpx_fp32, SHAPE(3));
    add_in(&c, factor);
    add_in(&c, hyper);
    set(&f, &factor, 0, 0.37);
    set(&f, &hyper, 0, 6e-4);
    set(&f, &hyper, 1, 1.0 / (1.0 - 0.9 * 0.9 * 0.9));
    set(&f, &hyper, 2, 1.0 / (1.0 - 0.95 * 0.95 * 0.95));
    c.attr = *attr;
    for (size_t i = 0; i <= moments; i++)
        add_out(&c, c.in[i]);
    for (size_t i = 0; i < c.nin; i++)
        put(&f, &c.in[i]);
    run_call(&f, &c);
    for (size_t i = 0; i < c.nout; i++)
        put(&f, &c.out[i]);
    fixture_close(&f);
}

/* Powers of two for amax of every exponent and random mantissas, the format's largest mantissa among them. */
static void run_scales(const fpx_format *target)
{
    enum { COUNT = 256 * 6 };
    static const uint32_t mantissas[] = { 0, 0x7fffff, 0x600000, 0x600001, 0x5fffff };
    fixture f;

    fixture_open(&f, "threads=1", 12);
    const fpx_tensor x = new_tensor(&f, &fpx_fp32, SHAPE(COUNT));
    const fpx_tensor scales = new_tensor(&f, &fpx_fp32, SHAPE(2 * COUNT));
    for (uint32_t i = 0; i < COUNT; i++) {
        const uint32_t mantissa = i % 6 < 5 ? mantissas[i % 6] : next_random(&f) & 0x7fffff;

        ((uint32_t *)data_of(&f, &x))[i] = i / 6 << 23 | mantissa | (uint32_t)(i & 1) << 31;
    }
    for (size_t i = 0; i < COUNT; i++) {
        fpx_call c = new_call(FPX_OP_SCALE);
        fpx_tensor one = x, pair = scales;

        one.shape[0] = 1;
        one.place.offset += 4 * i;
        pair.shape[0] = 2;
        pair.place.offset += 8 * i;
        add_in(&c, one);
        add_out(&c, pair);
        c.attr.scale.target = *target;
        c.attr.scale.rule = FPX_SCALE_POW2;
        run_call(&f, &c);
    }
    put(&f, &x);
    put(&f, &scales);
    fixture_close(&f);
}

/* Element i of a group from 1 down to 2^-40: the float32 next to what lies midway between two codes. k is below 1 there,
 * so that many of them are nearer to the middle than float32 could tell. */
static double beside_tie(size_t i)
{
    const double low = ldexp(1.0, -40), k = floor(16.0 * log2(448.0 * 448.0 / 2.0) / 40.0) / 16.0;
    const double root = sqrt(low), scale = pow(1.0 / root, k) / 448.0;
    const double tie = 0.5 * (fpx_format_value(&fpx_e4m3, i) + fpx_format_value(&fpx_e4m3, i + 1));

    return i == 0 || i > 125 ? 1.0 : fmax(low, fmin(1.0, root * pow(tie * scale, 1.0 / k)));
}

/* Groups of many ranges, one of ties, the last one short; zeros, one magnitude, subnormals and the largest among them. */
static void run_coat(void)
{
    enum { COUNT = 128 * 150 + 77, GROUPS = 151 };
    fpx_call q = new_call(FPX_OP_QUANTIZE_COAT), back = new_call(FPX_OP_DEQUANTIZE_COAT);
    fixture f;

    fixture_open(&f, "threads=2", 13);
    const fpx_tensor x = new_tensor(&f, &fpx_fp32, SHAPE(COUNT));
    const fpx_tensor codes = new_tensor(&f, &fpx_e4m3, SHAPE(COUNT));
    const fpx_tensor groups = new_tensor(&f, &fpx_fp32, SHAPE(GROUPS, 3));
    for (size_t i = 0; i < COUNT; i++) {
        const size_t group = i / 128;
        const double sign = next_uniform(&f) < 0.0 ? -1.0 : 1.0;

        set(&f, &x, i,
            group == 0                 ? 0.0
            : group == 1               ? sign * 0.3
            : group == 2 && i % 7 == 0 ? 0.0
            : group == 3
                ? sign * beside_tie(i % 128)
                : sign * ldexp(1.0 + fabs(next_uniform(&f)),
                               (int)((double)group * 0.7 * next_uniform(&f)) - (int)group / 4));
    }
    add_in(&q, x);
    add_out(&q, codes);
    add_out(&q, groups);
    run_call(&f, &q);
    const fpx_tensor y = new_tensor(&f, &fpx_fp32, SHAPE(COUNT));
    add_in(&back, codes);
    add_in(&back, groups);
    add_out(&back, y);
    run_call(&f, &back);
    put(&f, &x);
    put(&f, &groups);
    put(&f, &y);
    put(&f, &codes);
    fixture_close(&f);
}

START_TEST(dump)
{
    const fpx_attr adamw = { .adamw = { 0.9, 0.95, 1e-8, 0.1 } }, sgd = { .sgd = { 0.9, 0.1 } },
                   lion = { .lion = { 0.9, 0.99, 0.1 } };

    run_one(FPX_OP_ADAMW, 2, &adamw);
    run_one(FPX_OP_SGD, 1, &sgd);
    run_one(FPX_OP_LION, 1, &lion);
    run_scales(&fpx_e4m3);
    run_scales(&fpx_fp16);
    run_coat();
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
