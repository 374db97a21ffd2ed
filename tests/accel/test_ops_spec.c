/* test_ops_spec.c - docs/operations.md as a program: every operation's float32 bits against a plain
 * transcription, one element after the other. Shapes cross a block of 256 tokens, and five leaves make
 * the tree pass a node on. */
#include <float.h>

#include <fpx/convert.h>
#include <fpx/elemfn.h>

#include "ops_fixture.h"

static const uint64_t seed = 99;

enum { LEAF = 300, LEAVES = 5, M = LEAF * LEAVES, C = 37, V = 29 };

static void expect(const fixture *f, const char *name, const fpx_tensor *t, const float *want)
{
    const float *got = data_of(f, t);

    for (size_t i = 0; i < fpx_tensor_count(t); i++)
        if (memcmp(&got[i], &want[i], sizeof *want) != 0)
            ck_abort_msg("%s[%zu]: %a, but the specification gives %a (seed %llu)", name, i,
                         (double)got[i], (double)want[i], (unsigned long long)seed);
}

static float *buffer(size_t n)
{
    float *x = calloc(n, sizeof *x);

    ck_assert_ptr_nonnull(x);
    return x;
}

static float dot16(const float *x, const float *y, size_t n)
{
    float lane[16] = { 0 };

    for (size_t i = 0; i < n; i++)
        lane[i % 16] = fmaf(x[i], y[i], lane[i % 16]);
    for (size_t step = 8; step > 0; step /= 2)
        for (size_t i = 0; i < step; i++)
            lane[i] += lane[i + step];
    return lane[0];
}

static float sum16(const float *x, size_t n)
{
    float lane[16] = { 0 };

    for (size_t i = 0; i < n; i++)
        lane[i % 16] += x[i];
    for (size_t step = 8; step > 0; step /= 2)
        for (size_t i = 0; i < step; i++)
            lane[i] += lane[i + step];
    return lane[0];
}

/* One element of a sum over tokens: a term is x[m] * y[m] where y is given, else x[m]. */
typedef struct terms {
    float x[M], y[M];
    int product;
} terms;

static float leaf_sum(const terms *t, size_t first, size_t last)
{
    float sum = 0.0f;

    for (size_t from = first; from < last; from += 256) {
        float chain = 0.0f;

        for (size_t m = from; m < last && m < from + 256; m++)
            chain = t->product ? fmaf(t->x[m], t->y[m], chain) : chain + t->x[m];
        sum = from == first ? chain : sum + chain;
    }
    return sum;
}

/* node(level, j) as the contract writes it. */
static float node(const terms *t, size_t level, size_t j)
{
    if (level == 0)
        return leaf_sum(t, j * LEAF, (j + 1) * LEAF);
    const size_t half = (size_t)1 << (level - 1); /* leaves under a child */
    const float left = node(t, level - 1, 2 * j);
    return (2 * j + 1) * half < LEAVES ? left + node(t, level - 1, 2 * j + 1) : left;
}

static float token_sum(const terms *t)
{
    return node(t, 3, 0); /* 2^3 >= LEAVES */
}

static fpx_tensor floats(fixture *f, double scale, size_t ndim, const uint64_t *shape)
{
    return random_tensor(f, &fpx_fp32, 0.0, scale, ndim, shape);
}

START_TEST(embed_grad)
{
    fixture f;
    fpx_call c = new_call(FPX_OP_EMBED_GRAD);
    float *want = buffer(V * C);
    terms *t = malloc(sizeof *t);

    fixture_open(&f, "threads=2", seed);
    add_in(&c, random_ids(&f, M, 0, V - 1)); /* the last id never occurs */
    add_in(&c, floats(&f, 1, SHAPE(M, C)));
    add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(V, C)));
    c.attr.tokens.leaf = LEAF;
    /* Id 0 in leaves 1 and 4 only, in leaf 4 in both blocks: absent nodes on every level. */
    int32_t *ids = data_of(&f, &c.in[0]);
    for (size_t m = 0; m < M; m++)
        if (ids[m] == 0 && m / LEAF != 1 && m / LEAF != 4)
            ids[m] = 1;
    ids[4 * LEAF] = ids[4 * LEAF + 299] = 0;
    run_call(&f, &c);
    const float *dy = data_of(&f, &c.in[1]);
    for (size_t v = 0; v < V; v++)
        for (size_t k = 0; k < C; k++) {
            t->product = 1; /* one-hot times dy, in full */
            for (size_t m = 0; m < M; m++) {
                t->x[m] = ids[m] == (int32_t)v ? 1.0f : 0.0f;
                t->y[m] = dy[m * C + k];
            }
            want[v * C + k] = token_sum(t);
        }
    expect(&f, "dtable", &c.out[0], want);
    free(want);
    free(t);
    fixture_close(&f);
}
END_TEST

START_TEST(rmsnorm)
{
    fixture f;
    fpx_call c = new_call(FPX_OP_RMSNORM), g = new_call(FPX_OP_RMSNORM_GRAD);
    float *y = buffer(M * C), *rstd = buffer(M), *dx = buffer(M * C), *dgain = buffer(C);
    terms *t = malloc(sizeof *t);

    fixture_open(&f, "threads=2", seed);
    add_in(&c, floats(&f, 3, SHAPE(M, C)));
    add_in(&c, floats(&f, 1, SHAPE(C)));
    add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(M, C)));
    add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(M)));
    c.attr.rmsnorm.eps = 1e-5;
    c.attr.rmsnorm.leaf = LEAF;
    run_call(&f, &c);
    add_in(&g, c.in[0]);
    add_in(&g, c.in[1]);
    add_in(&g, c.out[1]);
    add_in(&g, floats(&f, 1, SHAPE(M, C)));
    add_out(&g, new_tensor(&f, &fpx_fp32, SHAPE(M, C)));
    add_out(&g, new_tensor(&f, &fpx_fp32, SHAPE(C)));
    g.attr = c.attr;
    run_call(&f, &g);

    const float *x = data_of(&f, &c.in[0]), *gain = data_of(&f, &c.in[1]),
                *dy = data_of(&f, &g.in[3]);
    for (size_t m = 0; m < M; m++) {
        float a[C];

        rstd[m] = 1.0f / sqrtf(dot16(x + m * C, x + m * C, C) / (float)C + (float)1e-5);
        for (size_t k = 0; k < C; k++) {
            y[m * C + k] = (x[m * C + k] * rstd[m]) * gain[k];
            a[k] = dy[m * C + k] * gain[k];
        }
        const float mean = (dot16(a, x + m * C, C) * rstd[m]) / (float)C;
        for (size_t k = 0; k < C; k++)
            dx[m * C + k] = (a[k] - (x[m * C + k] * rstd[m]) * mean) * rstd[m];
    }
    for (size_t k = 0; k < C; k++) {
        t->product = 1;
        for (size_t m = 0; m < M; m++) {
            t->x[m] = dy[m * C + k];
            t->y[m] = x[m * C + k] * rstd[m];
        }
        dgain[k] = token_sum(t);
    }
    expect(&f, "y", &c.out[0], y);
    expect(&f, "rstd", &c.out[1], rstd);
    expect(&f, "dx", &g.out[0], dx);
    expect(&f, "dgain", &g.out[1], dgain);
    free(y);
    free(rstd);
    free(dx);
    free(dgain);
    free(t);
    fixture_close(&f);
}
END_TEST

/* Where the sum is 2^16 and 31 ones, a Hopper cuts all below 2^(16 - 13): by hand. */
static const struct {
    const char *unit;
    double sum;
} units[] = {
    { "", 65567.0 },
    { "ideal/exact/any-fp32", 65567.0 },
    { "hopper/wgmma/fp8-fp32", 65536.0 },
    { "hopper/wgmma/fp8-fp32,fraction=16", 65560.0 }, /* the result has 13 fraction bits still */
    { "hopper/wgmma/fp8-fp32,fraction=16,fraction_out=23", 65567.0 },
};

START_TEST(gemm_of_a_unit)
{
    fixture f;
    fpx_call c = new_call(FPX_OP_GEMM);
    enum { K = 32 };

    fixture_open(&f, "threads=2", seed);
    const fpx_tensor scales = new_tensor(&f, &fpx_fp32, SHAPE(2));
    add_in(&c, new_tensor(&f, &fpx_e4m3, SHAPE(K, 2))); /* transposed */
    add_in(&c, new_tensor(&f, &fpx_e5m2, SHAPE(K, 1)));
    add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(2, 1)));
    c.attr.gemm.trans_a = 1;
    (void)snprintf(c.attr.gemm.unit, sizeof c.attr.gemm.unit, "%s", units[_i].unit);
    set(&f, &scales, 0, 0.75);
    set(&f, &scales, 1, 0.5);
    for (int i = 0; i < 2; i++) {
        c.in[i].nscales = 1;
        c.in[i].scale[0].format = fpx_fp32;
        c.in[i].scale[0].place = scales.place;
        c.in[i].scale[0].place.offset += 4 * (uint64_t)i;
    }
    unsigned char *const a = data_of(&f, &c.in[0]), *const b = data_of(&f, &c.in[1]);
    for (size_t k = 0; k < K; k++) {
        a[2 * k] = k == 5 ? 0x78 : 0x38;                 /* 2^8, 1 */
        a[2 * k + 1] = (unsigned char)(a[2 * k] | 0x80); /* the second row: minus that */
        b[k] = k == 5 ? 0x5c : 0x3c;                     /* 2^8, 1 */
    }
    run_call(&f, &c);
    const float want[2] = { (float)(units[_i].sum * 0.375), (float)(units[_i].sum * -0.375) };
    expect(&f, "d", &c.out[0], want);
    fixture_close(&f);
}
END_TEST

/* E4M3 times E5M2 with decode factors, k over leaves: the weight gradient of an FP8 layer. */
START_TEST(gemm_of_codes)
{
    fixture f;
    fpx_call c = new_call(FPX_OP_GEMM);
    enum { I = 5, J = 7 };
    float want[I * J];
    terms *t = malloc(sizeof *t);

    fixture_open(&f, "threads=2", seed);
    const fpx_tensor scales = new_tensor(&f, &fpx_fp32, SHAPE(2));
    add_in(&c, new_tensor(&f, &fpx_e4m3, SHAPE(M, I)));
    add_in(&c, new_tensor(&f, &fpx_e5m2, SHAPE(M, J)));
    add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(I, J)));
    c.attr.gemm.trans_a = 1;
    c.attr.gemm.leaf = LEAF;
    set(&f, &scales, 0, 0.0123);
    set(&f, &scales, 1, 3.21);
    for (int i = 0; i < 2; i++) {
        unsigned char *code = data_of(&f, &c.in[i]);

        for (size_t k = 0; k < fpx_tensor_count(&c.in[i]); k++)
            code[k] = (unsigned char)(next_random(&f) % 0x60 + 0x80 * (next_random(&f) & 1));
        c.in[i].nscales = 1;
        c.in[i].scale[0].format = fpx_fp32;
        c.in[i].scale[0].place = scales.place;
        c.in[i].scale[0].place.offset += 4 * (uint64_t)i;
    }
    run_call(&f, &c);
    const unsigned char *a = data_of(&f, &c.in[0]), *b = data_of(&f, &c.in[1]);
    const float alpha = (float)get(&f, &scales, 0) * (float)get(&f, &scales, 1);
    for (size_t i = 0; i < I; i++)
        for (size_t j = 0; j < J; j++) {
            t->product = 1;
            for (size_t m = 0; m < M; m++) {
                t->x[m] = (float)fpx_format_value(&fpx_e4m3, a[m * I + i]);
                t->y[m] = (float)fpx_format_value(&fpx_e5m2, b[m * J + j]);
            }
            want[i * J + j] = token_sum(t) * alpha + 0.0f;
        }
    expect(&f, "d", &c.out[0], want);
    free(t);
    fixture_close(&f);
}
END_TEST

START_TEST(rope)
{
    enum { B = 2, T = 11, H = 3, D = 6, ROW = 3 * H * D };
    fixture f;
    fpx_call c = new_call(FPX_OP_ROPE), g = new_call(FPX_OP_ROPE_GRAD);
    float *want[3], *back = buffer(B * T * ROW);

    fixture_open(&f, "threads=2", seed);
    add_in(&c, floats(&f, 1, SHAPE(B * T, ROW)));
    add_out(&g, new_tensor(&f, &fpx_fp32, SHAPE(B * T, ROW)));
    for (int i = 0; i < 3; i++) {
        add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(B, H, T, D)));
        add_in(&g, floats(&f, 1, SHAPE(B, H, T, D)));
        want[i] = buffer(B * H * T * D);
    }
    c.attr.rope.base = g.attr.rope.base = 500.0;
    run_call(&f, &c);
    run_call(&f, &g);
    const float *x = data_of(&f, &c.in[0]);
    for (size_t at = 0; at < (size_t)B * T * H * (D / 2); at++) {
        const size_t i = at % (D / 2), h = at / (D / 2) % H, m = at / (D / 2) / H;
        const size_t head = ((m / T * H + h) * T + m % T) * D + i;
        const double freq = fpx_exp_f64(-((double)(2 * i) / (double)D) * fpx_log_f64(500.0));
        const double angle = (double)(m % T) * freq;
        const float cosine = (float)fpx_cos_f64(angle), sine = (float)fpx_sin_f64(angle);

        for (size_t part = 0; part < 3; part++) {
            const float *dy = data_of(&f, &g.in[part]);
            const size_t row = m * ROW + part * H * D + h * D + i;
            const float cp = part < 2 ? cosine : 1.0f, sp = part < 2 ? sine : 0.0f;
            const size_t pair = D / 2;

            want[part][head] = x[row] * cp - x[row + pair] * sp;
            want[part][head + pair] = x[row] * sp + x[row + pair] * cp;
            back[row] = dy[head] * cp + dy[head + pair] * sp;
            back[row + pair] = dy[head + pair] * cp - dy[head] * sp;
        }
    }
    for (int i = 0; i < 3; i++) {
        expect(&f, "rope", &c.out[i], want[i]);
        free(want[i]);
    }
    expect(&f, "dqkv", &g.out[0], back);
    free(back);
    fixture_close(&f);
}
END_TEST

START_TEST(softmax) /* _i: causal */
{
    enum { T = 41 };
    fixture f;
    fpx_call c = new_call(FPX_OP_SOFTMAX), g = new_call(FPX_OP_SOFTMAX_GRAD);
    float *p = buffer(2 * T * T), *ds = buffer(2 * T * T);

    fixture_open(&f, "threads=2", seed);
    add_in(&c, floats(&f, 30, SHAPE(1, 2, T, T)));
    add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(1, 2, T, T)));
    c.attr.softmax.scale = 0.3;
    c.attr.softmax.causal = (uint32_t)_i;
    run_call(&f, &c);
    add_in(&g, c.out[0]);
    add_in(&g, floats(&f, 1, SHAPE(1, 2, T, T)));
    add_out(&g, new_tensor(&f, &fpx_fp32, SHAPE(1, 2, T, T)));
    g.attr = c.attr;
    run_call(&f, &g);
    for (size_t row = 0; row < 2 * T; row++) {
        const float *s = (const float *)data_of(&f, &c.in[0]) + row * T;
        const float *dp = (const float *)data_of(&f, &g.in[1]) + row * T;
        const size_t n = _i ? row % T + 1 : T;
        float top = -INFINITY;

        for (size_t k = 0; k < n; k++)
            top = fmaxf(top, s[k] * 0.3f);
        for (size_t k = 0; k < n; k++)
            p[row * T + k] = fpx_exp_f32(s[k] * 0.3f - top);
        const float sum = sum16(p + row * T, n);
        for (size_t k = 0; k < n; k++)
            p[row * T + k] = p[row * T + k] / sum;
        const float r = dot16(p + row * T, dp, n);
        for (size_t k = 0; k < n; k++)
            ds[row * T + k] = (p[row * T + k] * (dp[k] - r)) * 0.3f;
    }
    expect(&f, "p", &c.out[0], p);
    expect(&f, "ds", &g.out[0], ds);
    free(p);
    free(ds);
    fixture_close(&f);
}
END_TEST

START_TEST(activations)
{
    enum { N = 53, F = 1500 }; /* more than one buffer on the stack */
    fixture f;
    fpx_call swiglu = new_call(FPX_OP_SWIGLU), swiglu_grad = new_call(FPX_OP_SWIGLU_GRAD);
    fpx_call gelu = new_call(FPX_OP_GELU), gelu_grad = new_call(FPX_OP_GELU_GRAD);
    float *y = buffer(N * F), *dgu = buffer(2 * N * F), *z = buffer(N * F), *dx = buffer(N * F);

    fixture_open(&f, "threads=2", seed);
    const fpx_tensor gu = floats(&f, 12, SHAPE(N, 2 * F)), x = floats(&f, 5, SHAPE(N, F)),
                     dy = floats(&f, 1, SHAPE(N, F));
    set(&f, &gu, 0, -200.0); /* exp(200) overflows */
    add_in(&swiglu, gu);
    add_in(&swiglu_grad, gu);
    add_in(&swiglu_grad, dy);
    add_in(&gelu, x);
    add_in(&gelu_grad, x);
    add_in(&gelu_grad, dy);
    add_out(&swiglu, new_tensor(&f, &fpx_fp32, SHAPE(N, F)));
    add_out(&swiglu_grad, new_tensor(&f, &fpx_fp32, SHAPE(N, 2 * F)));
    add_out(&gelu, new_tensor(&f, &fpx_fp32, SHAPE(N, F)));
    add_out(&gelu_grad, new_tensor(&f, &fpx_fp32, SHAPE(N, F)));
    run_call(&f, &swiglu);
    run_call(&f, &swiglu_grad);
    run_call(&f, &gelu);
    run_call(&f, &gelu_grad);
    for (size_t i = 0; i < (size_t)N * F; i++) {
        const size_t at = i / F * 2 * F + i % F;
        const float gate = (float)get(&f, &gu, at), up = (float)get(&f, &gu, at + F);
        const float d = (float)get(&f, &dy, i), v = (float)get(&f, &x, i);
        const float q = 1.0f + fpx_exp_f32(-gate), sigma = 1.0f / q;
        const float k = (float)0.79788456080286535588;
        const float t = fpx_tanh_f32(k * (v + (float)0.044715 * ((v * v) * v)));
        const float inner = k * (1.0f + (float)0.134145 * (v * v));
        const float slope = 0.5f * (1.0f + t) + (0.5f * v) * (((1.0f - t) * (1.0f + t)) * inner);

        y[i] = (gate / q) * up;
        dgu[at] = (d * up) * (sigma * (1.0f + gate * (1.0f - sigma)));
        dgu[at + F] = d * (gate / q);
        z[i] = (0.5f * v) * (1.0f + t);
        dx[i] = d * slope;
    }
    expect(&f, "swiglu", &swiglu.out[0], y);
    expect(&f, "swiglu_grad", &swiglu_grad.out[0], dgu);
    expect(&f, "gelu", &gelu.out[0], z);
    expect(&f, "gelu_grad", &gelu_grad.out[0], dx);
    free(y);
    free(dgu);
    free(z);
    free(dx);
    fixture_close(&f);
}
END_TEST

START_TEST(xent)
{
    fixture f;
    fpx_call c = new_call(FPX_OP_XENT), g = new_call(FPX_OP_XENT_GRAD);
    float *lse = buffer(M), *d = buffer(M * V), count = 0.0f;
    terms *t = calloc(1, sizeof *t);

    fixture_open(&f, "threads=2", seed);
    add_in(&c, floats(&f, 9, SHAPE(M, V)));
    add_in(&c, random_ids(&f, M, -3, V));
    add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(1)));
    add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(M)));
    c.attr.tokens.leaf = LEAF;
    run_call(&f, &c);
    add_in(&g, c.in[0]);
    add_in(&g, c.in[1]);
    add_in(&g, c.out[1]);
    add_out(&g, new_tensor(&f, &fpx_fp32, SHAPE(M, V)));
    g.attr = c.attr;
    run_call(&f, &g);
    const int32_t *target = data_of(&f, &c.in[1]);
    for (size_t m = 0; m < M; m++)
        count += target[m] >= 0 ? 1.0f : 0.0f;
    for (size_t m = 0; m < M; m++) {
        const float *l = (const float *)data_of(&f, &c.in[0]) + m * V;
        float top = -INFINITY, e[V];

        for (size_t v = 0; v < V; v++)
            top = fmaxf(top, l[v]);
        for (size_t v = 0; v < V; v++)
            e[v] = fpx_exp_f32(l[v] - top);
        lse[m] = top + fpx_log_f32(sum16(e, V));
        if (target[m] < 0)
            continue; /* its term is +0, as are its gradients */
        t->x[m] = lse[m] - l[target[m]];
        for (size_t v = 0; v < V; v++)
            d[m * V + v] =
                (fpx_exp_f32(l[v] - lse[m]) - (v == (size_t)target[m] ? 1.0f : 0.0f)) / count;
    }
    const float loss = token_sum(t) / count;
    expect(&f, "loss", &c.out[0], &loss);
    expect(&f, "lse", &c.out[1], lse);
    expect(&f, "dlogits", &g.out[0], d);
    free(lse);
    free(d);
    free(t);
    fixture_close(&f);
}
END_TEST

START_TEST(xent_without_targets)
{
    fixture f;
    fpx_call c = new_call(FPX_OP_XENT);
    const float want = __builtin_nanf(""); /* 0 / 0 */

    fixture_open(&f, "threads=1", seed);
    add_in(&c, floats(&f, 1, SHAPE(3, V)));
    add_in(&c, random_ids(&f, 3, -5, -1));
    add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(1)));
    add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(3)));
    run_call(&f, &c);
    expect(&f, "loss", &c.out[0], &want);
    fixture_close(&f);
}
END_TEST

/* The code of E4M3 nearest to x, ties to the even code, Inf and beyond to 448: by looking at all. */
static unsigned nearest_e4m3(float x)
{
    unsigned best = 0;
    double distance = INFINITY;

    if (x != x)
        return signbit(x) ? 0xff : 0x7f;
    if (fabsf(x) > 448.0f)
        return signbit(x) ? 0xfe : 0x7e;
    for (unsigned code = 0; code < 0x7f; code++) {
        const double d = fabs(fpx_format_value(&fpx_e4m3, code) - fabs((double)x));

        if (d < distance || (d == distance && code % 2 == 0)) {
            distance = d;
            best = code;
        }
    }
    return best | (signbit(x) ? 0x80u : 0u);
}

START_TEST(scale_and_quantize)
{
    enum { N = 20011 };
    fixture f;
    fpx_call s = new_call(FPX_OP_SCALE), q = new_call(FPX_OP_QUANTIZE);
    float amax = 0.0f, want[2];

    fixture_open(&f, "threads=2", seed);
    add_in(&s, floats(&f, 0.0371, SHAPE(N)));
    add_out(&s, new_tensor(&f, &fpx_fp32, SHAPE(2)));
    s.attr.scale.target = fpx_e4m3;
    run_call(&f, &s);
    const float *x = data_of(&f, &s.in[0]);
    for (size_t i = 0; i < N; i++)
        amax = fmaxf(amax, fabsf(x[i]));
    want[0] = 448.0f / amax;
    want[1] = 1.0f / want[0];
    expect(&f, "scale", &s.out[0], want);
    add_in(&q, s.in[0]);
    add_in(&q, s.out[0]);
    add_out(&q, decoded_by(new_tensor(&f, &fpx_e4m3, SHAPE(N)), &s.out[0]));
    set(&f, &s.in[0], 0, (double)INFINITY);
    set(&f, &s.in[0], 1, -0.0);
    set(&f, &s.in[0], 2, 1e-9);
    run_call(&f, &q);
    const unsigned char *code = data_of(&f, &q.out[0]);
    for (size_t i = 0; i < N; i++)
        if (code[i] != nearest_e4m3(x[i] * want[0]))
            ck_abort_msg("quantize[%zu] of %a: 0x%02x, not 0x%02x", i, (double)(x[i] * want[0]),
                         code[i], nearest_e4m3(x[i] * want[0]));
    fixture_close(&f);
}
END_TEST

/* amax, target -> encode, decode */
START_TEST(scale_of_special_maxima)
{
    static const struct {
        float amax;
        const fpx_format *target;
        float encode, decode;
    } rows[] = {
        { 0.0f, &fpx_e4m3, 1.0f, 1.0f },
        { -INFINITY, &fpx_e4m3, 1.0f, 1.0f },
        { NAN, &fpx_e4m3, 1.0f, 1.0f },
        { 0x1p-149f, &fpx_e4m3, FLT_MAX, 1.0f / FLT_MAX },
        { -7.0f, &fpx_e5m2, 8192.0f, 1.0f / 8192.0f },
        { 12.0f, &fpx_e2m1, 0.5f, 2.0f },
        { 12.0f, &fpx_fp32, 1.0f, 1.0f },
        { 12.0f, &fpx_fp64, 1.0f, 1.0f },
    };
    fixture f;

    fixture_open(&f, "threads=2", seed);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fpx_call s = new_call(FPX_OP_SCALE);
        const float want[2] = { rows[i].encode, rows[i].decode };

        add_in(&s, new_tensor(&f, &fpx_fp32, SHAPE(9)));
        ((float *)data_of(&f, &s.in[0]))[4] = rows[i].amax;
        add_out(&s, new_tensor(&f, &fpx_fp32, SHAPE(2)));
        s.attr.scale.target = *rows[i].target;
        run_call(&f, &s);
        expect(&f, rows[i].target->name, &s.out[0], want);
    }
    fixture_close(&f);
}
END_TEST

/* A cast to the same format moves bits: Inf is not saturated, a NaN keeps its payload. */
START_TEST(quantize_to_the_same_format)
{
    const uint32_t bits[4] = { 0x7f800000u, 0xffc12345u, 0x80000001u, 0x3f800001u };
    fixture f;
    fpx_call q = new_call(FPX_OP_QUANTIZE);
    float want[4];

    fixture_open(&f, "threads=1", seed);
    add_in(&q, new_tensor(&f, &fpx_fp32, SHAPE(4)));
    add_out(&q, new_tensor(&f, &fpx_fp32, SHAPE(4)));
    memcpy(data_of(&f, &q.in[0]), bits, sizeof bits);
    memcpy(want, bits, sizeof want);
    run_call(&f, &q);
    expect(&f, "identity", &q.out[0], want);
    fixture_close(&f);
}
END_TEST

START_TEST(sumsq)
{
    enum { N = 1003 };
    fixture f;
    fpx_call c = new_call(FPX_OP_SUMSQ);
    double lane[16] = { 0 };

    fixture_open(&f, "threads=2", seed);
    add_in(&c, floats(&f, 1, SHAPE(N)));
    if (_i)
        add_in(&c, random_tensor(&f, &fpx_fp64, 3, 1, SHAPE(1)));
    add_out(&c, new_tensor(&f, &fpx_fp64, SHAPE(1)));
    run_call(&f, &c);
    for (size_t i = 0; i < N; i++)
        lane[i % 16] = fma(get(&f, &c.in[0], i), get(&f, &c.in[0], i), lane[i % 16]);
    for (size_t step = 8; step > 0; step /= 2)
        for (size_t i = 0; i < step; i++)
            lane[i] += lane[i + step];
    const double want = _i ? get(&f, &c.in[1], 0) + lane[0] : lane[0];
    const double got = get(&f, &c.out[0], 0);
    if (memcmp(&want, &got, sizeof want) != 0)
        ck_abort_msg("sum of squares %a, not %a", got, want);
    fixture_close(&f);
}
END_TEST

/* total, max_norm -> factor, norm */
START_TEST(clip)
{
    static const struct {
        double total, max_norm;
        float factor, norm;
    } rows[] = {
        { 16.0, 1.0, 0.25f, 4.0f },
        { 16.0, 4.0, 1.0f, 4.0f },
        { 16.0, 5.0, 1.0f, 4.0f },
        { 16.0, 0.0, 1.0f, 4.0f },
        { 0.0, 1.0, 1.0f, 0.0f },
        { INFINITY, 1.0, 0.0f, INFINITY },
        { 2.0, 1.0, 0x1.6a09e6p-1f, 0x1.6a09e6p+0f },
    };
    const float nan[2] = { __builtin_nanf(""), __builtin_nanf("") };
    fixture f;

    fixture_open(&f, "threads=1", seed);
    for (size_t i = 0; i <= sizeof rows / sizeof rows[0]; i++) {
        const int last = i == sizeof rows / sizeof rows[0];
        fpx_call c = new_call(FPX_OP_CLIP);

        add_in(&c, new_tensor(&f, &fpx_fp64, SHAPE(1)));
        set(&f, &c.in[0], 0, last ? -(double)NAN : rows[i].total);
        for (int o = 0; o < 2; o++)
            add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(1)));
        c.attr.clip.max_norm = last ? 1.0 : rows[i].max_norm;
        run_call(&f, &c);
        expect(&f, "factor", &c.out[0], last ? nan : &rows[i].factor);
        expect(&f, "norm", &c.out[1], last ? nan : &rows[i].norm);
    }
    fixture_close(&f);
}
END_TEST

START_TEST(adamw)
{
    enum { N = 30011 };
    fixture f;
    fpx_call c = new_call(FPX_OP_ADAMW);
    float *want[3] = { buffer(N), buffer(N), buffer(N) };

    fixture_open(&f, "threads=2", seed);
    add_in(&c, floats(&f, 1, SHAPE(N)));
    add_in(&c, floats(&f, 0.01, SHAPE(N)));
    add_in(&c, random_tensor(&f, &fpx_fp32, 1e-4, 1e-4, SHAPE(N)));
    add_in(&c, floats(&f, 0.02, SHAPE(N)));
    add_in(&c, random_tensor(&f, &fpx_fp32, 0.5, 0.2, SHAPE(1)));
    add_in(&c, new_tensor(&f, &fpx_fp32, SHAPE(3)));
    set(&f, &c.in[5], 0, 6e-4);
    set(&f, &c.in[5], 1, 1.0 / (1.0 - 0.9 * 0.9 * 0.9));
    set(&f, &c.in[5], 2, 1.0 / (1.0 - 0.95 * 0.95 * 0.95));
    for (int i = 0; i < 3; i++)
        add_out(&c, c.in[i]);
    c.attr.adamw.beta1 = 0.9;
    c.attr.adamw.beta2 = 0.95;
    c.attr.adamw.eps = 1e-8;
    c.attr.adamw.weight_decay = 0.1;
    const float factor = (float)get(&f, &c.in[4], 0), rate = (float)get(&f, &c.in[5], 0),
                h1 = (float)get(&f, &c.in[5], 1), h2 = (float)get(&f, &c.in[5], 2);
    for (size_t i = 0; i < N; i++) {
        const float p = (float)get(&f, &c.in[0], i), m = (float)get(&f, &c.in[1], i),
                    v = (float)get(&f, &c.in[2], i), g = (float)get(&f, &c.in[3], i) * factor;
        const float m1 = (float)0.9 * m + (float)(1.0 - 0.9) * g;
        const float v1 = (float)0.95 * v + ((float)(1.0 - 0.95) * g) * g;
        const float u = (m1 * h1) / (sqrtf(v1 * h2) + (float)1e-8);

        want[0][i] = p - rate * (u + (float)0.1 * p);
        want[1][i] = m1;
        want[2][i] = v1;
    }
    run_call(&f, &c);
    for (int i = 0; i < 3; i++) {
        expect(&f, "adamw", &c.out[i], want[i]);
        free(want[i]);
    }
    fixture_close(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ops_spec");
    TCase *tc = tcase_create("specification");

    printf("seed %llu\n", (unsigned long long)seed);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, embed_grad);
    tcase_add_test(tc, rmsnorm);
    tcase_add_test(tc, gemm_of_codes);
    tcase_add_loop_test(tc, gemm_of_a_unit, 0, sizeof units / sizeof units[0]);
    tcase_add_test(tc, rope);
    tcase_add_loop_test(tc, softmax, 0, 2);
    tcase_add_test(tc, activations);
    tcase_add_test(tc, xent);
    tcase_add_test(tc, xent_without_targets);
    tcase_add_test(tc, scale_and_quantize);
    tcase_add_test(tc, scale_of_special_maxima);
    tcase_add_test(tc, quantize_to_the_same_format);
    tcase_add_loop_test(tc, sumsq, 0, 2);
    tcase_add_test(tc, clip);
    tcase_add_test(tc, adamw);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
