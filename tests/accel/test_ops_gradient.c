/* test_ops_gradient.c - every backward operation against central differences of its forward operation, in
 * float64, element by element: Richardson extrapolation of steps h and h/2 leaves about 1e-11. */
#include "ops_fixture.h"

static const uint64_t seed = 20240607;

/* What is differentiated: sum over outputs of weight * output after running the calls in order. */
typedef struct model {
    fixture *f;
    fpx_call calls[8];
    size_t ncalls;
    fpx_tensor y[3], weight[3]; /* outputs and their random weights */
    size_t ny;
} model;

static long double loss(const model *m)
{
    long double sum = 0;

    for (size_t i = 0; i < m->ncalls; i++)
        run_call(m->f, &m->calls[i]);
    for (size_t o = 0; o < m->ny; o++)
        for (size_t i = 0; i < fpx_tensor_count(&m->y[o]); i++)
            sum += (long double)get(m->f, &m->y[o], i) * (long double)get(m->f, &m->weight[o], i);
    return sum;
}

static double difference(const model *m, double *x, double h)
{
    const double at = *x;

    *x = at + h;
    const long double above = loss(m);
    *x = at - h;
    const long double below = loss(m);
    *x = at;
    return (double)((above - below) / (2 * (long double)h));
}

/* Every element of g, the gradient of the loss with respect to x. */
static void check_gradient(const model *m, const char *name, const fpx_tensor *x,
                           const fpx_tensor *g)
{
    const size_t n = fpx_tensor_count(x);
    double *values = data_of(m->f, x), square = 0.0;
    double *want = malloc(n * sizeof *want); /* a run of the model may overwrite g */

    ck_assert_ptr_nonnull(want);
    ck_assert_uint_eq(n, fpx_tensor_count(g));
    for (size_t i = 0; i < n; i++) {
        want[i] = get(m->f, g, i);
        square += want[i] * want[i];
    }
    const double rms = sqrt(square / (double)n);
    if (!(rms > 1e-6))
        ck_abort_msg("%s: the gradient vanishes (rms %g): the test says nothing", name, rms);
    for (size_t i = 0; i < n; i++) {
        const double h = 1e-3 * fmax(1.0, fabs(values[i]));
        const double wide = difference(m, &values[i], h), narrow = difference(m, &values[i], h / 2);
        const double d = (4.0 * narrow - wide) / 3.0;

        if (!(fabs(want[i] - d) < 1e-6 * fmax(fabs(want[i]), rms)))
            ck_abort_msg("%s[%zu] of %zu: gradient %.17g, difference %.17g (rms %g, seed %llu)",
                         name, i, n, want[i], d, rms, (unsigned long long)seed);
    }
    free(want);
}

static model new_model(fixture *f)
{
    model m;

    memset(&m, 0, sizeof m);
    m.f = f;
    fixture_open(f, "threads=1", seed);
    return m;
}

static fpx_tensor like(fixture *f, const fpx_tensor *t)
{
    return new_tensor(f, &t->format, t->ndim, t->shape);
}

static fpx_tensor random_like(fixture *f, const fpx_tensor *t)
{
    return random_tensor(f, &t->format, 0.0, 1.0, t->ndim, t->shape);
}

/* Declares an output of the model; its weight is the dy of the backward operation. */
static void add_output(model *m, fpx_tensor y)
{
    m->y[m->ny] = y;
    m->weight[m->ny++] = random_like(m->f, &y);
}

/* A call with up to 3 inputs and outputs; an empty tensor (no format) ends the list. */
static fpx_call make(fpx_op_kind kind, const fpx_tensor *in, size_t nin, const fpx_tensor *out,
                     size_t nout, fpx_attr attr)
{
    fpx_call call = new_call(kind);

    for (size_t i = 0; i < nin; i++)
        add_in(&call, in[i]);
    for (size_t i = 0; i < nout; i++)
        add_out(&call, out[i]);
    call.attr = attr;
    return call;
}

#define CALL(kind, in, out, ...)                                                                   \
    make(kind, in, sizeof(in) / sizeof(fpx_tensor), out, sizeof(out) / sizeof(fpx_tensor),         \
         (fpx_attr){ __VA_ARGS__ })
#define T(...) ((const fpx_tensor[]){ __VA_ARGS__ })

START_TEST(embed)
{
    fixture f;
    model m = new_model(&f);
    const fpx_tensor tokens = random_ids(&f, 21, 0, 5);
    const fpx_tensor table = random_tensor(&f, &fpx_fp64, 0, 1, SHAPE(6, 3));
    const fpx_tensor y = new_tensor(&f, &fpx_fp64, SHAPE(21, 3)), g = like(&f, &table);

    m.calls[m.ncalls++] = CALL(FPX_OP_EMBED, T(tokens, table), T(y), .words = { 0 });
    add_output(&m, y);
    const fpx_call back =
        CALL(FPX_OP_EMBED_GRAD, T(tokens, m.weight[0]), T(g), .tokens = { .leaf = 7 });
    run_call(&f, &back);
    check_gradient(&m, "dtable", &table, &g);
    fixture_close(&f);
}
END_TEST

START_TEST(rmsnorm)
{
    fixture f;
    model m = new_model(&f);
    const fpx_tensor x = random_tensor(&f, &fpx_fp64, 0, 2, SHAPE(9, 19));
    const fpx_tensor gain = random_tensor(&f, &fpx_fp64, 1, 0.5, SHAPE(19));
    const fpx_tensor y = like(&f, &x), rstd = new_tensor(&f, &fpx_fp64, SHAPE(9));
    const fpx_tensor dx = like(&f, &x), dgain = like(&f, &gain);

    m.calls[m.ncalls++] =
        CALL(FPX_OP_RMSNORM, T(x, gain), T(y, rstd), .rmsnorm = { .eps = 1e-5, .leaf = 3 });
    add_output(&m, y);
    run_call(&f, &m.calls[0]);
    const fpx_call back = CALL(FPX_OP_RMSNORM_GRAD, T(x, gain, rstd, m.weight[0]), T(dx, dgain),
                               .rmsnorm = { .eps = 1e-5, .leaf = 3 });
    run_call(&f, &back);
    check_gradient(&m, "dx", &x, &dx);
    check_gradient(&m, "dgain", &gain, &dgain);
    fixture_close(&f);
}
END_TEST

/* y = x w^T as a linear layer has it: dgrad dy w, wgrad dy^T x with a leaf for each sequence. */
START_TEST(gemm)
{
    fixture f;
    model m = new_model(&f);
    const fpx_tensor x = random_tensor(&f, &fpx_fp64, 0, 1, SHAPE(10, 7));
    const fpx_tensor w = random_tensor(&f, &fpx_fp64, 0, 1, SHAPE(5, 7));
    const fpx_tensor y = new_tensor(&f, &fpx_fp64, SHAPE(10, 5)), dx = like(&f, &x),
                     dw = like(&f, &w);

    m.calls[m.ncalls++] = CALL(FPX_OP_GEMM, T(x, w), T(y), .gemm = { .trans_b = 1 });
    add_output(&m, y);
    const fpx_call dgrad = CALL(FPX_OP_GEMM, T(m.weight[0], w), T(dx), .words = { 0 });
    const fpx_call wgrad =
        CALL(FPX_OP_GEMM, T(m.weight[0], x), T(dw), .gemm = { .trans_a = 1, .leaf = 5 });
    run_call(&f, &dgrad);
    run_call(&f, &wgrad);
    check_gradient(&m, "dx", &x, &dx);
    check_gradient(&m, "dw", &w, &dw);
    fixture_close(&f);
}
END_TEST

START_TEST(rope)
{
    fixture f;
    model m = new_model(&f);
    const fpx_attr attr = { .rope = { .base = 100.0 } };
    const fpx_tensor qkv = random_tensor(&f, &fpx_fp64, 0, 1, SHAPE(10, 36)), dqkv = like(&f, &qkv);
    fpx_tensor part[3];

    for (size_t i = 0; i < 3; i++) {
        part[i] = new_tensor(&f, &fpx_fp64, SHAPE(2, 2, 5, 6));
        add_output(&m, part[i]);
    }
    m.calls[m.ncalls++] = make(FPX_OP_ROPE, &qkv, 1, part, 3, attr);
    const fpx_call back = make(FPX_OP_ROPE_GRAD, m.weight, 3, &dqkv, 1, attr);
    run_call(&f, &back);
    check_gradient(&m, "dqkv", &qkv, &dqkv);
    fixture_close(&f);
}
END_TEST

START_TEST(softmax) /* _i: causal */
{
    fixture f;
    model m = new_model(&f);
    const fpx_attr attr = { .softmax = { .scale = 0.7, .causal = (uint32_t)_i } };
    const fpx_tensor s = random_tensor(&f, &fpx_fp64, 0, 3, SHAPE(2, 1, 19, 19));
    const fpx_tensor p = like(&f, &s), ds = like(&f, &s);

    m.calls[m.ncalls++] = make(FPX_OP_SOFTMAX, &s, 1, &p, 1, attr);
    add_output(&m, p);
    run_call(&f, &m.calls[0]);
    const fpx_call back = make(FPX_OP_SOFTMAX_GRAD, T(p, m.weight[0]), 2, &ds, 1, attr);
    run_call(&f, &back);
    check_gradient(&m, "ds", &s, &ds);
    fixture_close(&f);
}
END_TEST

START_TEST(heads) /* each is the gradient of the other */
{
    fixture f;
    model m = new_model(&f);
    const fpx_tensor flat = random_tensor(&f, &fpx_fp64, 0, 1, SHAPE(10, 6));
    const fpx_tensor by_head = random_tensor(&f, &fpx_fp64, 0, 1, SHAPE(2, 3, 5, 2));
    const fpx_tensor x = _i ? flat : by_head, y = like(&f, _i ? &by_head : &flat), g = like(&f, &x);

    m.calls[m.ncalls++] =
        CALL(_i ? FPX_OP_SPLIT_HEADS : FPX_OP_MERGE_HEADS, T(x), T(y), .words = { 0 });
    add_output(&m, y);
    const fpx_call back =
        CALL(_i ? FPX_OP_MERGE_HEADS : FPX_OP_SPLIT_HEADS, T(m.weight[0]), T(g), .words = { 0 });
    run_call(&f, &back);
    check_gradient(&m, _i ? "split" : "merge", &x, &g);
    fixture_close(&f);
}
END_TEST

START_TEST(activation) /* SwiGLU, GELU: wide enough for saturated arguments */
{
    fixture f;
    model m = new_model(&f);
    const fpx_op_kind forward = _i ? FPX_OP_GELU : FPX_OP_SWIGLU;
    const fpx_op_kind backward = _i ? FPX_OP_GELU_GRAD : FPX_OP_SWIGLU_GRAD;
    const fpx_tensor x = random_tensor(&f, &fpx_fp64, 0, 6, SHAPE(7, 2 * 17));
    const fpx_tensor y = new_tensor(&f, &fpx_fp64, SHAPE(7, _i ? 34 : 17)), dx = like(&f, &x);

    m.calls[m.ncalls++] = CALL(forward, T(x), T(y), .words = { 0 });
    add_output(&m, y);
    const fpx_call back = CALL(backward, T(x, m.weight[0]), T(dx), .words = { 0 });
    run_call(&f, &back);
    check_gradient(&m, _i ? "gelu" : "swiglu", &x, &dx);
    fixture_close(&f);
}
END_TEST

START_TEST(add)
{
    fixture f;
    model m = new_model(&f);
    const fpx_tensor a = random_tensor(&f, &fpx_fp64, 0, 1, SHAPE(5, 7)), b = random_like(&f, &a),
                     y = like(&f, &a);

    m.calls[m.ncalls++] = CALL(FPX_OP_ADD, T(a, b), T(y), .words = { 0 });
    add_output(&m, y);
    check_gradient(&m, "a", &a, &m.weight[0]); /* the gradient passes unchanged */
    check_gradient(&m, "b", &b, &m.weight[0]);
    fixture_close(&f);
}
END_TEST

/* Every third target of a leaf is none: its row has no gradient and the mean is over the others. */
START_TEST(xent)
{
    fixture f;
    model m = new_model(&f);
    const fpx_tensor logits = random_tensor(&f, &fpx_fp64, 0, 4, SHAPE(12, 21));
    const fpx_tensor targets = random_ids(&f, 12, 0, 21);
    const fpx_tensor value = new_tensor(&f, &fpx_fp64, SHAPE(1));
    const fpx_tensor lse = new_tensor(&f, &fpx_fp64, SHAPE(12)), g = like(&f, &logits);

    for (size_t i = 0; i < 12; i += 3)
        ((int32_t *)data_of(&f, &targets))[i] = -1;
    m.calls[m.ncalls++] =
        CALL(FPX_OP_XENT, T(logits, targets), T(value, lse), .tokens = { .leaf = 6 });
    add_output(&m, value);
    set(&f, &m.weight[0], 0, 1.0); /* dlogits is of the loss itself */
    run_call(&f, &m.calls[0]);
    const fpx_call back =
        CALL(FPX_OP_XENT_GRAD, T(logits, targets, lse), T(g), .tokens = { .leaf = 6 });
    run_call(&f, &back);
    check_gradient(&m, "dlogits", &logits, &g);
    fixture_close(&f);
}
END_TEST

/* Log-probabilities of four answers, then the loss of their two pairs: dlogp, and through it dlogits. */
START_TEST(preferences)
{
    fixture f;
    model m = new_model(&f);
    const fpx_tensor logits = random_tensor(&f, &fpx_fp64, 0, 2, SHAPE(12, 7));
    const fpx_tensor targets = random_ids(&f, 12, 0, 7), lse = new_tensor(&f, &fpx_fp64, SHAPE(12));
    const fpx_tensor logp = new_tensor(&f, &fpx_fp64, SHAPE(4)), dlogp = like(&f, &logp);
    const fpx_tensor reference = random_tensor(&f, &fpx_fp64, -5, 1, SHAPE(4));
    const fpx_tensor value = new_tensor(&f, &fpx_fp64, SHAPE(1)), g = like(&f, &logits);
    const fpx_tensor margin = new_tensor(&f, &fpx_fp64, SHAPE(2));

    ((int32_t *)data_of(&f, &targets))[0] = ((int32_t *)data_of(&f, &targets))[7] = -1;
    m.calls[m.ncalls++] =
        CALL(FPX_OP_LOGP, T(logits, targets), T(logp, lse), .tokens = { .leaf = 3 });
    m.calls[m.ncalls++] =
        CALL(FPX_OP_DPO, T(logp, reference), T(value, dlogp, margin), .dpo = { .beta = 0.7 });
    add_output(&m, value);
    set(&f, &m.weight[0], 0, 1.0);
    run_call(&f, &m.calls[0]);
    run_call(&f, &m.calls[1]);
    const fpx_call back =
        CALL(FPX_OP_LOGP_GRAD, T(logits, targets, lse, dlogp), T(g), .tokens = { .leaf = 3 });
    run_call(&f, &back);
    check_gradient(&m, "dlogits", &logits, &g);
    run_call(&f, &m.calls[0]);
    m.calls[0] = m.calls[1];
    m.ncalls = 1;
    run_call(&f, &m.calls[0]);
    check_gradient(&m, "dlogp", &logp, &dlogp);
    fixture_close(&f);
}
END_TEST

/* Causal attention as the model composes it: rotate, q k^T, softmax, p v, merge; and all the way back. */
START_TEST(attention)
{
    fixture f;
    model m = new_model(&f);
    const fpx_attr turn = { .rope = { .base = 10000.0 } };
    const fpx_attr soft = { .softmax = { .scale = 0.5, .causal = 1 } };
    const fpx_attr ta = { .gemm = { .trans_a = 1 } }, tb = { .gemm = { .trans_b = 1 } };
    const fpx_attr none = { .words = { 0 } };
    const fpx_tensor qkv = random_tensor(&f, &fpx_fp64, 0, 2, SHAPE(2 * 5, 3 * 2 * 4));
    fpx_tensor part[3], dpart[3];

    for (size_t i = 0; i < 3; i++) {
        part[i] = new_tensor(&f, &fpx_fp64, SHAPE(2, 2, 5, 4));
        dpart[i] = like(&f, &part[i]);
    }
    const fpx_tensor s = new_tensor(&f, &fpx_fp64, SHAPE(2, 2, 5, 5)), p = like(&f, &s);
    const fpx_tensor ctx = like(&f, &part[0]), y = new_tensor(&f, &fpx_fp64, SHAPE(10, 8));
    const fpx_tensor dctx = like(&f, &ctx), dp = like(&f, &p), ds = like(&f, &s),
                     dqkv = like(&f, &qkv);

    m.calls[0] = make(FPX_OP_ROPE, &qkv, 1, part, 3, turn);
    m.calls[1] = make(FPX_OP_GEMM, T(part[0], part[1]), 2, &s, 1, tb);
    m.calls[2] = make(FPX_OP_SOFTMAX, &s, 1, &p, 1, soft);
    m.calls[3] = make(FPX_OP_GEMM, T(p, part[2]), 2, &ctx, 1, none);
    m.calls[4] = make(FPX_OP_MERGE_HEADS, &ctx, 1, &y, 1, none);
    m.ncalls = 5;
    add_output(&m, y);
    (void)loss(&m); /* the forward values that the way back needs */
    const fpx_call back[] = {
        make(FPX_OP_SPLIT_HEADS, &m.weight[0], 1, &dctx, 1, none),
        make(FPX_OP_GEMM, T(dctx, part[2]), 2, &dp, 1, tb),
        make(FPX_OP_GEMM, T(p, dctx), 2, &dpart[2], 1, ta),
        make(FPX_OP_SOFTMAX_GRAD, T(p, dp), 2, &ds, 1, soft),
        make(FPX_OP_GEMM, T(ds, part[1]), 2, &dpart[0], 1, none),
        make(FPX_OP_GEMM, T(ds, part[0]), 2, &dpart[1], 1, ta),
        make(FPX_OP_ROPE_GRAD, dpart, 3, &dqkv, 1, turn),
    };
    for (size_t i = 0; i < sizeof back / sizeof back[0]; i++)
        run_call(&f, &back[i]);
    check_gradient(&m, "dqkv", &qkv, &dqkv);
    fixture_close(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ops_gradient");
    TCase *tc = tcase_create("gradient");

    printf("seed %llu\n", (unsigned long long)seed);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, embed);
    tcase_add_test(tc, rmsnorm);
    tcase_add_test(tc, gemm);
    tcase_add_test(tc, rope);
    tcase_add_loop_test(tc, softmax, 0, 2);
    tcase_add_loop_test(tc, heads, 0, 2);
    tcase_add_loop_test(tc, activation, 0, 2);
    tcase_add_test(tc, add);
    tcase_add_test(tc, xent);
    tcase_add_test(tc, preferences);
    tcase_add_test(tc, attention);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
