/* ops_cases_real.h - ops_cases.h's calls of kinds that have no quantizers. */
#ifndef FPX_TESTS_OPS_CASES_REAL_H
#define FPX_TESTS_OPS_CASES_REAL_H

#include <fpx/convert.h>

#include "ops_fixture.h"

/* Sequences, positions, heads, head width; tokens = 3 * 151 are no multiple of anything. */
enum { CB = 3, CT = 151, CH = 3, CD = 14, CC = CH * CD, CF = 83, CV = 131, CM = CB * CT };

typedef struct op_case {
    const char *name;
    fpx_op_kind kind;
    fpx_call (*build)(fixture *f, const fpx_format *real);
    int moves;      /* only copies bits: a NaN keeps its payload */
    int one_thread; /* has no loop to split */
} op_case;

static inline fpx_tensor uniform(fixture *f, const fpx_format *real, double scale, size_t ndim,
                                 const uint64_t *shape)
{
    return random_tensor(f, real, 0.0, scale, ndim, shape);
}

static inline fpx_call case_embed(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_EMBED);

    add_in(&c, random_ids(f, CM, 0, CV));
    add_in(&c, uniform(f, real, 1, SHAPE(CV, CC)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CC)));
    return c;
}

static inline fpx_call case_embed_grad(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_EMBED_GRAD);

    add_in(&c, random_ids(f, CM, 0, CV));
    add_in(&c, uniform(f, real, 1, SHAPE(CM, CC)));
    add_out(&c, new_tensor(f, real, SHAPE(CV, CC)));
    c.attr.tokens.leaf = CT;
    return c;
}

static inline fpx_call case_rmsnorm(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_RMSNORM);

    add_in(&c, uniform(f, real, 3, SHAPE(CM, CC)));
    add_in(&c, uniform(f, real, 1, SHAPE(CC)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CC)));
    add_out(&c, new_tensor(f, real, SHAPE(CM)));
    c.attr.rmsnorm.eps = 1e-5;
    c.attr.rmsnorm.leaf = CT;
    return c;
}

static inline fpx_call case_rmsnorm_grad(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_RMSNORM_GRAD);

    add_in(&c, uniform(f, real, 3, SHAPE(CM, CC)));
    add_in(&c, uniform(f, real, 1, SHAPE(CC)));
    add_in(&c, random_tensor(f, real, 0.6, 0.1, SHAPE(CM)));
    add_in(&c, uniform(f, real, 1, SHAPE(CM, CC)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CC)));
    add_out(&c, new_tensor(f, real, SHAPE(CC)));
    c.attr.rmsnorm.eps = 1e-5;
    c.attr.rmsnorm.leaf = CT;
    return c;
}

static inline fpx_call case_gemm(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_GEMM);

    add_in(&c, uniform(f, real, 1, SHAPE(CM, CC)));
    add_in(&c, uniform(f, real, 1, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CC, CF)));
    c.attr.gemm.trans_a = 1;
    c.attr.gemm.leaf = CT;
    return c;
}

/* Random codes of a format, without NaN, and a decode factor. */
static inline fpx_tensor codes(fixture *f, const fpx_format *format, float scale, size_t ndim,
                               const uint64_t *shape)
{
    const fpx_conversion conversion = { .format = *format };
    const fpx_tensor s = new_tensor(f, &fpx_fp32, SHAPE(1));
    const fpx_tensor x = random_tensor(f, &fpx_fp32, 0, 4, ndim, shape);
    fpx_tensor t = new_tensor(f, format, ndim, shape);

    ck_assert_int_eq(
        fpx_encode_f32(&conversion, 1.0f, data_of(f, &x), data_of(f, &t), fpx_tensor_count(&x)),
        FPX_OK);
    set(f, &s, 0, (double)scale);
    t.nscales = 1;
    t.scale[0].format = fpx_fp32;
    t.scale[0].place = s.place;
    return t;
}

static inline fpx_call case_gemm_codes(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_GEMM);

    add_in(&c, codes(f, &fpx_e4m3, 0.3f, SHAPE(CM, 2 * CC)));
    add_in(&c, codes(f, &fpx_e5m2, 1.7f, SHAPE(CF, 2 * CC)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    c.attr.gemm.trans_b = 1;
    return c;
}

static inline fpx_call case_gemm_batched(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_GEMM);

    add_in(&c, uniform(f, real, 1, SHAPE(CB, CH, CT, CD)));
    add_in(&c, uniform(f, real, 1, SHAPE(CB, CH, CT, CD)));
    add_out(&c, new_tensor(f, real, SHAPE(CB, CH, CT, CT)));
    c.attr.gemm.trans_b = 1;
    return c;
}

static inline fpx_call case_rope(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_ROPE);

    add_in(&c, uniform(f, real, 2, SHAPE(CM, 3 * CC)));
    for (int i = 0; i < 3; i++)
        add_out(&c, new_tensor(f, real, SHAPE(CB, CH, CT, CD)));
    c.attr.rope.base = 10000.0;
    return c;
}

static inline fpx_call case_rope_grad(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_ROPE_GRAD);

    for (int i = 0; i < 3; i++)
        add_in(&c, uniform(f, real, 2, SHAPE(CB, CH, CT, CD)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, 3 * CC)));
    c.attr.rope.base = 10000.0;
    return c;
}

static inline fpx_call case_softmax(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_SOFTMAX);

    add_in(&c, uniform(f, real, 9, SHAPE(CB, CH, CT, CT)));
    add_out(&c, new_tensor(f, real, SHAPE(CB, CH, CT, CT)));
    c.attr.softmax.scale = 0.267;
    c.attr.softmax.causal = 1;
    return c;
}

static inline fpx_call case_softmax_whole(fixture *f, const fpx_format *real)
{
    fpx_call c = case_softmax(f, real);

    c.attr.softmax.causal = 0;
    return c;
}

static inline fpx_call case_softmax_grad(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_SOFTMAX_GRAD);

    add_in(&c, random_tensor(f, real, 0.02, 0.02, SHAPE(CB, CH, CT, CT)));
    add_in(&c, uniform(f, real, 1, SHAPE(CB, CH, CT, CT)));
    add_out(&c, new_tensor(f, real, SHAPE(CB, CH, CT, CT)));
    c.attr.softmax.scale = 0.267;
    c.attr.softmax.causal = 1;
    return c;
}

static inline fpx_call case_merge(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_MERGE_HEADS);

    add_in(&c, uniform(f, real, 1, SHAPE(CB, CH, CT, CD)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CC)));
    return c;
}

static inline fpx_call case_split(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_SPLIT_HEADS);

    add_in(&c, uniform(f, real, 1, SHAPE(CM, CC)));
    add_out(&c, new_tensor(f, real, SHAPE(CB, CH, CT, CD)));
    return c;
}

static inline fpx_call case_swiglu(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_SWIGLU);

    add_in(&c, uniform(f, real, 8, SHAPE(CM, 2 * CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    return c;
}

static inline fpx_call case_swiglu_grad(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_SWIGLU_GRAD);

    add_in(&c, uniform(f, real, 8, SHAPE(CM, 2 * CF)));
    add_in(&c, uniform(f, real, 1, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, 2 * CF)));
    return c;
}

static inline fpx_call case_gelu(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_GELU);

    add_in(&c, uniform(f, real, 4, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    return c;
}

static inline fpx_call case_gelu_grad(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_GELU_GRAD);

    add_in(&c, uniform(f, real, 4, SHAPE(CM, CF)));
    add_in(&c, uniform(f, real, 1, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    return c;
}

static inline fpx_call case_add(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_ADD);

    add_in(&c, uniform(f, real, 1, SHAPE(CM, CF)));
    add_in(&c, uniform(f, real, 1e-3, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    return c;
}

static inline fpx_call case_xent(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_XENT);

    add_in(&c, uniform(f, real, 5, SHAPE(CM, CV)));
    add_in(&c, random_ids(f, CM, -7, CV)); /* some are no target */
    add_out(&c, new_tensor(f, real, SHAPE(1)));
    add_out(&c, new_tensor(f, real, SHAPE(CM)));
    c.attr.tokens.leaf = CT;
    return c;
}

static inline fpx_call case_xent_grad(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_XENT_GRAD);

    add_in(&c, uniform(f, real, 5, SHAPE(CM, CV)));
    add_in(&c, random_ids(f, CM, -7, CV));
    add_in(&c, random_tensor(f, real, 7, 0.5, SHAPE(CM)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CV)));
    c.attr.tokens.leaf = CT;
    return c;
}

static inline fpx_call case_xent_sum(fixture *f, const fpx_format *real)
{
    fpx_call c = case_xent(f, real);

    c.attr.tokens.sum = 1;
    return c;
}

static inline fpx_call case_xent_grad_counted(fixture *f, const fpx_format *real)
{
    fpx_call c = case_xent_grad(f, real);
    const fpx_tensor count = new_tensor(f, real, SHAPE(1));

    set(f, &count, 0, 1000.0);
    add_in(&c, count);
    return c;
}

static inline fpx_call case_divide(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_DIVIDE);

    add_in(&c, uniform(f, real, 1, SHAPE(CM, CF)));
    add_in(&c, random_tensor(f, real, 7, 1, SHAPE(1)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    return c;
}

#endif /* FPX_TESTS_OPS_CASES_REAL_H */
