/* test_optable.c - every row of the operation table is whole, its check takes one good call of each
 * kind and refuses that call with any single tensor or attribute spoilt, and says which. */
#include <check.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/opshape.h>
#include <fpx/optable.h>

enum { B = 2, T = 4, H = 3, D = 8, M = B * T, C = H * D, F = 20, V = 11 };

static fpx_tensor tensor(const fpx_format *format, size_t ndim, ...)
{
    uint64_t shape[FPX_MAX_DIMS];
    fpx_tensor made;
    va_list list;

    va_start(list, ndim);
    for (size_t i = 0; i < ndim; i++)
        shape[i] = (uint64_t)va_arg(list, int);
    va_end(list);
    ck_assert_int_eq(fpx_tensor_make(format, ndim, shape, &made), FPX_OK);
    return made;
}

static void add_scale(fpx_tensor *t)
{
    t->nscales = 1;
    t->scale[0].format = fpx_fp32;
}

#define REAL(...) tensor(real, __VA_ARGS__)
#define INT(...) tensor(&fpx_int32, __VA_ARGS__)

static void good_norm(fpx_call *c, const fpx_format *real)
{
    c->attr.rmsnorm.eps = 1e-5;
    c->attr.rmsnorm.leaf = T;
    c->in[0] = REAL(2, M, C);
    c->in[1] = REAL(1, C);
    c->in[2] = REAL(1, M);
    c->in[3] = REAL(2, M, C);
    c->out[0] = REAL(2, M, C);
    c->out[1] = c->kind == FPX_OP_RMSNORM ? REAL(1, M) : REAL(1, C);
}

static void good_attention(fpx_call *c, const fpx_format *real)
{
    const fpx_tensor heads = REAL(4, B, H, T, D), rows = REAL(2, M, C), qkv = REAL(2, M, 3 * C);
    const fpx_tensor square = REAL(4, B, H, T, T);

    if (c->kind == FPX_OP_SOFTMAX || c->kind == FPX_OP_SOFTMAX_GRAD) {
        c->attr.softmax.scale = 0.125;
        c->attr.softmax.causal = 1;
        c->in[0] = c->in[1] = c->out[0] = square;
    } else if (c->kind == FPX_OP_ROPE || c->kind == FPX_OP_ROPE_GRAD) {
        c->attr.rope.base = 10000.0;
        for (int i = 0; i < 3; i++)
            c->in[i] = c->out[i] = heads;
        *(c->kind == FPX_OP_ROPE ? &c->in[0] : &c->out[0]) = qkv;
    } else {
        c->in[0] = c->kind == FPX_OP_MERGE_HEADS ? heads : rows;
        c->out[0] = c->kind == FPX_OP_MERGE_HEADS ? rows : heads;
    }
}

static void good_activation(fpx_call *c, const fpx_format *real)
{
    const int gated = c->kind == FPX_OP_SWIGLU || c->kind == FPX_OP_SWIGLU_GRAD;
    const fpx_tensor wide = REAL(2, M, 2 * F), narrow = REAL(2, M, F);

    c->in[0] = gated ? wide : narrow;
    c->in[1] = narrow;
    c->out[0] = c->kind == FPX_OP_SWIGLU_GRAD ? wide : narrow;
}

static void good_tokens(fpx_call *c, const fpx_format *real)
{
    c->in[0] = INT(1, M);
    if (c->kind != FPX_OP_EMBED)
        c->attr.tokens.leaf = T;
    switch (c->kind) {
    case FPX_OP_EMBED:
        c->in[1] = REAL(2, V, C);
        c->out[0] = REAL(2, M, C);
        break;
    case FPX_OP_EMBED_GRAD:
        c->in[1] = REAL(2, M, C);
        c->out[0] = REAL(2, V, C);
        break;
    case FPX_OP_LOGP:
    case FPX_OP_LOGP_GRAD:
        c->in[1] = c->in[0];
        c->in[0] = REAL(2, M, V);
        c->in[2] = c->out[1] = REAL(1, M);
        c->in[3] = REAL(1, M / T);
        c->out[0] = c->kind == FPX_OP_LOGP ? REAL(1, M / T) : REAL(2, M, V);
        break;
    default: /* XENT, XENT_GRAD */
        c->in[1] = c->in[0];
        c->in[0] = REAL(2, M, V);
        c->in[2] = REAL(1, M);
        c->in[3] = REAL(1, 1);
        c->out[0] = c->kind == FPX_OP_XENT ? REAL(1, 1) : REAL(2, M, V);
        c->out[1] = REAL(1, M);
    }
}

static void good_optimizer(fpx_call *c, const fpx_format *real)
{
    const fpx_tensor x = REAL(2, F, C), total = tensor(&fpx_fp64, 1, 1);

    for (int i = 0; i < 4; i++)
        c->in[i] = c->out[i % 3] = x;
    switch (c->kind) {
    case FPX_OP_SCALE:
        c->attr.scale.target = fpx_e4m3;
        c->attr.scale.rule = FPX_SCALE_POW2;
        c->in[1] = c->out[0] = REAL(1, 2);
        break;
    case FPX_OP_SCALE_FACTOR:
        c->in[0] = c->out[0] = REAL(1, 2);
        c->in[1] = tensor(&fpx_e4m3, 2, F, C);
        c->attr.factor.growth = 1.5;
        c->attr.factor.every = 1;
        break;
    case FPX_OP_QUANTIZE:
        c->in[1] = REAL(1, 2);
        c->out[0] = tensor(&fpx_e4m3, 2, F, C);
        add_scale(&c->out[0]);
        break;
    case FPX_OP_SUMSQ:
        c->in[1] = c->out[0] = total;
        break;
    case FPX_OP_CLIP:
        c->attr.clip.max_norm = 1.0;
        c->in[0] = total;
        c->out[0] = c->out[1] = REAL(1, 1);
        break;
    case FPX_OP_ADAMW:
        c->in[4] = REAL(1, 1);
        c->in[5] = REAL(1, 3);
        c->attr.adamw.beta1 = 0.9;
        c->attr.adamw.beta2 = 0.95;
        c->attr.adamw.eps = 1e-8;
        c->attr.adamw.weight_decay = 0.1;
        break;
    case FPX_OP_DIVIDE:
        c->in[1] = REAL(1, 1);
        break;
    case FPX_OP_DROPOUT:
        c->in[1] = INT(1, 2);
        c->attr.dropout.rate = 0.1;
        break;
    case FPX_OP_DEQUANTIZE:
        c->in[0] = tensor(&fpx_e4m3, 2, F, C);
        add_scale(&c->in[0]);
        break;
    case FPX_OP_QUANTIZE_COAT:
        c->out[0] = tensor(&fpx_e4m3, 2, F, C);
        c->out[1] = REAL(2, (F * C + 127) / 128, 3);
        break;
    case FPX_OP_DEQUANTIZE_COAT:
        c->in[0] = tensor(&fpx_e4m3, 2, F, C);
        c->in[1] = REAL(2, (F * C + 127) / 128, 3);
        break;
    case FPX_OP_QUANTIZE_BLOCK_GRAD:
        c->in[0] = tensor(&fpx_e2m1, 2, F, C);
        break;
    case FPX_OP_DGE:
        c->attr.dge.k = 5.0;
        c->attr.dge.cap = 3.0;
        break;
    case FPX_OP_CLAMP:
        c->attr.clamp.alpha = 0.99;
        break;
    case FPX_OP_ADD_RESIDUAL:
        c->in[0] = c->out[0] = REAL(2, M, F);
        c->in[1] = c->in[2] = REAL(2, M, C);
        c->in[3] = REAL(2, F, C);
        break;
    case FPX_OP_SGD:
    case FPX_OP_LION:
        c->in[3] = REAL(1, 1);
        c->in[4] = REAL(1, 3);
        break; /* all attributes 0 */
    default:   /* ADD */
        break;
    }
}

/* Blocks of 1 x 16, or all of NVFP4's two levels; widened where real is fp64. */
static void good_quantizer(fpx_call *c, const fpx_format *real)
{
    const int wide = real->bits == 64, two = c->kind != FPX_OP_QUANTIZE_RANDOM;
    const uint32_t draw = c->kind == FPX_OP_QUANTIZE_BLOCK ? 0 : 1;

    c->in[0] = REAL(2, F, C);
    c->in[1] = INT(1, 2);
    c->in[1 + draw] = REAL(1, 2);
    c->out[0] = tensor(wide ? real : &fpx_e2m1, 2, F, C);
    if (!two) {
        c->attr.quantize.round = FPX_SR;
        if (!wide)
            add_scale(&c->out[0]);
        return;
    }
    c->out[1] = tensor(wide ? real : &fpx_ue4m3, 2, F, 2);
    (void)snprintf(c->attr.block.profile, FPX_PROFILE_MAX, "nvfp4-te");
    c->attr.block.round = draw != 0 ? FPX_SR : FPX_RNE;
    c->attr.block.block[0] = 1;
    c->attr.block.block[1] = 16;
    if (wide)
        return;
    c->out[0].nscales = 2;
    c->out[0].scale[0].format = fpx_ue4m3;
    c->out[0].scale[0].block[0] = 1;
    c->out[0].scale[0].block[1] = 16;
    c->out[0].scale[1].format = fpx_fp32;
}

/* The same with as few inputs as there may be. */
static fpx_call fewest(fpx_call c)
{
    c.nin = fpx_op_shape_of((fpx_op_kind)c.kind)->min_in;
    if (c.kind == FPX_OP_QUANTIZE || c.kind == FPX_OP_QUANTIZE_RANDOM)
        c.out[0].nscales = 0;
    if (c.kind == FPX_OP_QUANTIZE_BLOCK || c.kind == FPX_OP_QUANTIZE_BLOCK_RANDOM) {
        (void)snprintf(c.attr.block.profile, FPX_PROFILE_MAX, "mx-ocp");
        c.out[0].nscales = 1;
        c.out[0].scale[0].format = c.out[1].format = fpx_e8m0;
    }
    return c;
}

/* A call of this kind that every check must take. */
static fpx_call good(uint32_t kind, const fpx_format *real)
{
    const fpx_op_shape *shape = fpx_op_shape_of((fpx_op_kind)kind);
    fpx_call c = { .struct_size = sizeof c, .kind = kind, .name = "layer.0/x" };

    c.nin = shape->max_in;
    c.nout = shape->nout;
    switch (kind) {
    case FPX_OP_EMBED:
    case FPX_OP_EMBED_GRAD:
    case FPX_OP_XENT:
    case FPX_OP_XENT_GRAD:
    case FPX_OP_LOGP:
    case FPX_OP_LOGP_GRAD:
        good_tokens(&c, real);
        break;
    case FPX_OP_DPO:
        c.in[0] = c.in[1] = c.out[1] = REAL(1, 2 * F);
        c.in[2] = c.out[0] = REAL(1, 1);
        c.out[2] = REAL(1, F);
        c.attr.dpo.beta = 0.1;
        break;
    case FPX_OP_RMSNORM:
    case FPX_OP_RMSNORM_GRAD:
        good_norm(&c, real);
        break;
    case FPX_OP_GEMM:
        c.in[0] = tensor(&fpx_e4m3, 2, M, C);
        c.in[1] = tensor(&fpx_e5m2, 2, F, C);
        add_scale(&c.in[0]);
        c.attr.gemm.trans_b = 1;
        c.attr.gemm.leaf = D;
        c.out[0] = REAL(2, M, F);
        break;
    case FPX_OP_SCALE_DELAYED:
        c.in[0] = c.out[0] = REAL(1, 2 + 16);
        c.in[1] = REAL(2, F, C);
        c.out[1] = REAL(1, 2);
        c.attr.delayed.target = fpx_e4m3;
        break;
    case FPX_OP_HADAMARD:
        c.in[0] = c.out[0] = REAL(2, 32, 48);
        c.in[1] = INT(1, 2);
        c.attr.hadamard.size = 16;
        c.attr.hadamard.axis = 1;
        break;
    case FPX_OP_QUANTIZE_RANDOM:
    case FPX_OP_QUANTIZE_BLOCK:
    case FPX_OP_QUANTIZE_BLOCK_RANDOM:
        good_quantizer(&c, real);
        break;
    case FPX_OP_SWIGLU:
    case FPX_OP_SWIGLU_GRAD:
    case FPX_OP_GELU:
    case FPX_OP_GELU_GRAD:
        good_activation(&c, real);
        break;
    case FPX_OP_DEQUANTIZE:
    case FPX_OP_QUANTIZE_COAT:
    case FPX_OP_DEQUANTIZE_COAT:
    case FPX_OP_QUANTIZE_BLOCK_GRAD:
    case FPX_OP_DGE:
    case FPX_OP_CLAMP:
    case FPX_OP_ADD_RESIDUAL:
    case FPX_OP_SCALE_FACTOR:
    case FPX_OP_DIVIDE:
    case FPX_OP_DROPOUT:
    case FPX_OP_ADD:
    case FPX_OP_SCALE:
    case FPX_OP_QUANTIZE:
    case FPX_OP_SUMSQ:
    case FPX_OP_CLIP:
    case FPX_OP_ADAMW:
    case FPX_OP_SGD:
    case FPX_OP_LION:
        good_optimizer(&c, real);
        break;
    default:
        good_attention(&c, real);
    }
    return c;
}

static void takes(const fpx_call *c)
{
    fpx_error err;

    if (fpx_call_check(c, &err) != FPX_OK)
        ck_abort_msg("refused: %s", err.text);
}

/* Refused with a text that holds every one of the given words. */
static void refuses(const fpx_call *c, const char *one, const char *two, const char *three)
{
    const fpx_op_shape *shape = fpx_op_shape_of((fpx_op_kind)c->kind);
    const char *const words[] = { shape->name, "layer.0/x", one, two, three };
    fpx_error err;

    if (fpx_call_check(c, &err) != FPX_EINVAL)
        ck_abort_msg("%s was not refused (%s %s %s)", shape->name, one, two, three);
    ck_assert_int_eq(fpx_call_check(c, NULL), FPX_EINVAL);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(err.text, words[i]) == NULL)
            ck_abort_msg("no \"%s\" in: %s", words[i], err.text);
}

START_TEST(rows_are_whole)
{
    const fpx_op_info *info = fpx_op_info_of((fpx_op_kind)_i);
    const fpx_op_shape *shape = fpx_op_shape_of((fpx_op_kind)_i);

    ck_assert(info != NULL && shape != NULL);
    ck_assert(shape->name != NULL && info->flops != NULL);
    ck_assert(info->bound != NULL && info->bound_scratch != NULL);
    ck_assert(shape->min_in >= 1 && shape->min_in <= shape->max_in && shape->max_in <= FPX_MAX_IN);
    ck_assert(shape->nout >= 1 && shape->nout <= FPX_MAX_OUT);
    for (int i = 0; i < FPX_MAX_IN; i++)
        ck_assert_int_eq(shape->in_names[i] != NULL, i < shape->max_in);
    for (int i = 0; i < FPX_MAX_OUT; i++)
        ck_assert_int_eq(shape->out_names[i] != NULL, i < shape->nout);
    ck_assert_int_eq(shape->in_place >> shape->nout, 0);
    ck_assert_int_eq(shape->in_place, _i == FPX_OP_ADAMW                      ? 7
                                      : _i == FPX_OP_SGD || _i == FPX_OP_LION ? 3
                                      : _i == FPX_OP_SCALE_DELAYED            ? 1
                                      : _i == FPX_OP_SCALE_FACTOR             ? 1
                                                                              : 0);
    for (int i = 0; i < _i; i++)
        ck_assert_str_ne(shape->name, fpx_op_shape_of((fpx_op_kind)i)->name);
}
END_TEST

START_TEST(other_kinds_and_roles_have_no_row)
{
    ck_assert_ptr_null(fpx_op_info_of(FPX_OP_KINDS));
    ck_assert_ptr_null(fpx_op_shape_of(FPX_OP_KINDS));
    ck_assert_str_eq(fpx_role_name(FPX_FPROP), "fprop");
    ck_assert_str_eq(fpx_role_name(FPX_COMM), "comm");
    ck_assert_ptr_null(fpx_role_name(FPX_ROLES));
}
END_TEST

START_TEST(good_calls_pass)
{
    const fpx_call single = good((uint32_t)_i, &fpx_fp32), twice = good((uint32_t)_i, &fpx_fp64);
    const fpx_call fewer = fewest(single);

    takes(&single);
    takes(&twice);
    takes(&fewer);
    ck_assert(fpx_op_info_of((fpx_op_kind)_i)->flops(&single) >= 0.0);
}
END_TEST

/* Whether no other tensor has this extent: vocabularies, and what is only summed up. */
static int stands_alone(int kind, uint32_t t, int axis)
{
    switch (kind) {
    case FPX_OP_EMBED:
        return t == 1 && axis == 0;
    case FPX_OP_EMBED_GRAD:
        return t == 2 && axis == 0;
    case FPX_OP_XENT:
    case FPX_OP_LOGP:
        return t == 0 && axis == 1;
    case FPX_OP_SCALE:
    case FPX_OP_SUMSQ:
        return t == 0;
    case FPX_OP_SCALE_DELAYED:
    case FPX_OP_SCALE_FACTOR:
        return t == 1;
    default:
        return 0;
    }
}

/* Kinds whose outputs have formats of their own. */
static int gives_codes(int kind)
{
    return kind == FPX_OP_QUANTIZE || kind == FPX_OP_QUANTIZE_RANDOM ||
           kind == FPX_OP_QUANTIZE_BLOCK || kind == FPX_OP_QUANTIZE_BLOCK_RANDOM;
}

/* Each other extent of each tensor, changed alone, breaks some tensor's pattern. */
START_TEST(wrong_extents_are_refused)
{
    const fpx_call right = good((uint32_t)_i, &fpx_fp32);
    const fpx_op_shape *shape = fpx_op_shape_of((fpx_op_kind)_i);

    for (uint32_t t = 0; t < right.nin + right.nout; t++) {
        fpx_call wrong = right;
        fpx_tensor *x = t < right.nin ? &wrong.in[t] : &wrong.out[t - right.nin];
        const char *name = t < right.nin ? shape->in_names[t] : shape->out_names[t - right.nin];

        for (int axis = 0; axis < x->ndim; axis++) {
            const int alone = stands_alone(_i, t, axis);

            x->shape[axis] += 7;
            if (alone)
                takes(&wrong);
            else if (t > right.nin && gives_codes(_i))
                refuses(&wrong, "scales", "one scale a block", "");
            else
                refuses(&wrong, name, "[", "should be");
            x->shape[axis] -= 7;
        }
        for (uint8_t ndim = 0; ndim <= FPX_MAX_DIMS; ndim++) {
            const uint8_t right_ndim = x->ndim;

            x->ndim = ndim;
            if (ndim != right_ndim && _i != FPX_OP_SCALE && _i != FPX_OP_SUMSQ &&
                !stands_alone(_i, t, 0))
                refuses(&wrong, name, "[", "should be");
            x->ndim = right_ndim;
        }
        x->ndim = FPX_MAX_DIMS + 1;
        refuses(&wrong, name, "axes", "4");
    }
}
END_TEST

/* Codes, beside the operands of GEMM. */
static int has_any_format(int kind, uint32_t t, uint32_t nin)
{
    return (gives_codes(kind) && t >= nin) || (kind == FPX_OP_DEQUANTIZE && t == 0) ||
           (kind == FPX_OP_QUANTIZE_COAT && t == 1) || (kind == FPX_OP_DEQUANTIZE_COAT && t == 0) ||
           (kind == FPX_OP_QUANTIZE_BLOCK_GRAD && t == 0) ||
           (kind == FPX_OP_ADD_RESIDUAL && t == 3) || (kind == FPX_OP_SCALE_FACTOR && t == 1);
}

START_TEST(wrong_formats_are_refused)
{
    const fpx_call right = good((uint32_t)_i, &fpx_fp32);
    const fpx_op_shape *shape = fpx_op_shape_of((fpx_op_kind)_i);

    for (uint32_t t = 0; t < right.nin + right.nout; t++) {
        fpx_call wrong = right;
        fpx_tensor *x = t < right.nin ? &wrong.in[t] : &wrong.out[t - right.nin];
        const char *name = t < right.nin ? shape->in_names[t] : shape->out_names[t - right.nin];

        x->format =
            fpx_format_equal(&x->format, &fpx_int32) ? fpx_fp32 : fpx_int32; /* never right */
        refuses(&wrong, name, "should be", x->format.name);
        if (fpx_format_equal(&x->format, &fpx_int32) && _i != FPX_OP_GEMM &&
            !has_any_format(_i, t, right.nin)) {
            x->format = fpx_bf16;
            refuses(&wrong, name, "should be", "bf16");
            *x = t < right.nin ? right.in[t] : right.out[t - right.nin];
            add_scale(x);
            refuses(&wrong, name, "scales", "");
        }
    }
}
END_TEST

START_TEST(arity_and_reals_are_checked)
{
    const fpx_op_shape *shape = fpx_op_shape_of((fpx_op_kind)_i);
    const fpx_call right = good((uint32_t)_i, &fpx_fp32);
    fpx_call wrong = right;

    wrong.nin = shape->min_in - 1u;
    refuses(&wrong, "inputs", "", "");
    wrong.nin = shape->max_in + 1u;
    refuses(&wrong, "inputs", "", "");
    wrong = right;
    wrong.nout++;
    refuses(&wrong, "outputs", "", "");
    wrong = right;
    if (right.nout == 1 && _i != FPX_OP_SUMSQ && !gives_codes(_i) && _i != FPX_OP_GEMM &&
        _i != FPX_OP_DEQUANTIZE) {
        wrong.out[0].format = fpx_fp64; /* beside fp32 inputs */
        refuses(&wrong, shape->out_names[0], "fp64", "should be fp32");
    }
    wrong.kind = FPX_OP_KINDS;
    ck_assert_int_eq(fpx_call_check(&wrong, NULL), FPX_EUNSUPPORTED);
}
END_TEST

START_TEST(both_shapes_are_named)
{
    fpx_call c = good(FPX_OP_RMSNORM, &fpx_fp32);

    c.in[1].shape[0] = 25;
    refuses(&c, "gain is fp32[25]", "should be [24]", "x fp32[8,24]");
    c = good(FPX_OP_ROPE, &fpx_fp32);
    c.in[0].shape[1] = 73;
    refuses(&c, "qkv is fp32[8,73]", "should be [8,72]", "q fp32[2,3,4,8]");
    c = good(FPX_OP_GEMM, &fpx_fp32);
    c.in[1].shape[1] = 16;
    refuses(&c, "b is e5m2[20,16]", "should be [20,24]", "a e4m3[8,24]");
}
END_TEST

#define SPOIL(kind, member, value, word)                                                           \
    do {                                                                                           \
        fpx_call spoilt = good(kind, &fpx_fp32);                                                   \
        spoilt.attr.member = (value);                                                              \
        refuses(&spoilt, word, "", "");                                                            \
    } while (0)

START_TEST(wrong_attributes_are_refused)
{
    SPOIL(FPX_OP_GEMM, gemm.leaf, 5, "leaf 5");
    SPOIL(FPX_OP_GEMM, gemm.trans_b, 2, "trans_b");
    SPOIL(FPX_OP_RMSNORM, rmsnorm.eps, NAN, "eps");
    SPOIL(FPX_OP_RMSNORM, rmsnorm.eps, -1.0, "eps");
    SPOIL(FPX_OP_RMSNORM_GRAD, rmsnorm.leaf, 3, "leaf 3");
    SPOIL(FPX_OP_ROPE, rope.base, 0.0, "base");
    SPOIL(FPX_OP_SOFTMAX, softmax.scale, HUGE_VAL, "scale");
    SPOIL(FPX_OP_SOFTMAX_GRAD, softmax.causal, 2, "causal");
    SPOIL(FPX_OP_EMBED_GRAD, tokens.leaf, 3, "leaf 3 does not divide M = 8");
    SPOIL(FPX_OP_XENT, tokens.leaf, 3, "leaf 3");
    SPOIL(FPX_OP_XENT_GRAD, tokens.leaf, 3, "leaf 3");
    SPOIL(FPX_OP_XENT, tokens.sum, 2, "sum");
    SPOIL(FPX_OP_SCALE, scale.rule, 9, "rule");
    SPOIL(FPX_OP_SCALE, scale.target, fpx_int32, "target");
    SPOIL(FPX_OP_QUANTIZE, quantize.round, FPX_SR + 1, "round");
    SPOIL(FPX_OP_QUANTIZE, quantize.overflow, FPX_OVERFLOW_NONE + 1, "overflow");
    SPOIL(FPX_OP_CLIP, clip.max_norm, -1.0, "max_norm");
    SPOIL(FPX_OP_ADAMW, adamw.beta1, 1.0, "beta1");
    SPOIL(FPX_OP_ADAMW, adamw.beta2, -0.5, "beta2");
    SPOIL(FPX_OP_ADAMW, adamw.eps, NAN, "eps");
    SPOIL(FPX_OP_ADAMW, adamw.weight_decay, -1.0, "weight_decay");
    SPOIL(FPX_OP_SGD, sgd.momentum, 1.0, "momentum");
    SPOIL(FPX_OP_SGD, sgd.weight_decay, NAN, "weight_decay");
    SPOIL(FPX_OP_LION, lion.beta1, -0.1, "beta1");
    SPOIL(FPX_OP_LION, lion.beta2, 1.5, "beta2");
    SPOIL(FPX_OP_LION, lion.weight_decay, INFINITY, "weight_decay");
    SPOIL(FPX_OP_DROPOUT, dropout.rate, 1.0, "rate");
    SPOIL(FPX_OP_DROPOUT, dropout.rate, -0.1, "rate");
    SPOIL(FPX_OP_DROPOUT, dropout.rate, NAN, "rate");
    SPOIL(FPX_OP_LOGP, tokens.leaf, 0, "leaf 0");
    SPOIL(FPX_OP_LOGP_GRAD, tokens.leaf, 3, "leaf 3");
    SPOIL(FPX_OP_DPO, dpo.beta, -1.0, "beta");
    SPOIL(FPX_OP_DPO, dpo.beta, NAN, "beta");
    SPOIL(FPX_OP_DPO, dpo.sum, 2, "sum");

    fpx_call c = good(FPX_OP_QUANTIZE, &fpx_fp32);
    c.nin = 1;
    refuses(&c, "scale", "", "");
    c.out[0].nscales = 3;
    refuses(&c, "codes", "scales", "");
    c = good(FPX_OP_ROPE, &fpx_fp32);
    c.in[0].shape[1] = 3 * H * 7;
    for (int i = 0; i < 3; i++)
        c.out[i].shape[3] = 7;
    refuses(&c, "odd", "", "");
}
END_TEST

START_TEST(widened_quantizer_passes)
{
    fpx_call c = good(FPX_OP_QUANTIZE, &fpx_fp64);

    c.out[0].format = fpx_fp64;
    c.out[0].nscales = 0;
    takes(&c);
    c.nin = 1;
    takes(&c);
}
END_TEST

START_TEST(foreign_descriptors_do_no_harm)
{
    fpx_call c = good(FPX_OP_SOFTMAX, &fpx_fp32);
    fpx_error err;

    c.in[0].shape[0] = 0;
    refuses(&c, "s is", "no elements", "");
    for (int i = 0; i < 4; i++) /* the largest text there can be */
        c.in[0].shape[i] = UINT64_MAX;
    refuses(&c, "s is", "", "");
    c = good(FPX_OP_ADAMW, &fpx_fp32);
    for (int i = 0; i < 4; i++)
        c.in[i].shape[0] = (UINT64_C(1) << 53) + (uint64_t)i;
    ck_assert_int_eq(fpx_call_check(&c, &err), FPX_EINVAL);
    ck_assert_uint_lt(strlen(err.text), sizeof err.text);
    c = good(FPX_OP_GEMM, &fpx_fp32);
    memset(c.name, 'n', sizeof c.name); /* not terminated */
    takes(&c);
    c.attr.gemm.leaf = 7;
    ck_assert_int_eq(fpx_call_check(&c, &err), FPX_EINVAL);
}
END_TEST

START_TEST(gemm_shapes_of_every_kind)
{
    for (uint32_t i = 0; i < 8; i++) {
        const uint32_t ta = i & 1, tb = (i >> 1) & 1;
        fpx_call c = good(FPX_OP_GEMM, &fpx_fp64);

        c.attr.gemm.trans_a = ta;
        c.attr.gemm.trans_b = tb;
        c.attr.gemm.leaf = 0;
        if (i < 4) {
            c.in[0] = tensor(&fpx_fp64, 2, ta ? 7 : 5, ta ? 5 : 7);
            c.in[1] = tensor(&fpx_bf16, 2, tb ? 3 : 7, tb ? 7 : 3);
            c.out[0] = tensor(&fpx_fp64, 2, 5, 3);
        } else {
            c.in[0] = tensor(&fpx_fp64, 4, B, H, ta ? 7 : 5, ta ? 5 : 7);
            c.in[1] = tensor(&fpx_fp64, 4, B, H, tb ? 3 : 7, tb ? 7 : 3);
            c.out[0] = tensor(&fpx_fp64, 4, B, H, 5, 3);
        }
        takes(&c);
        ck_assert(fpx_op_info_of(FPX_OP_GEMM)->flops(&c) == 2.0 * 5 * 3 * 7 * (i < 4 ? 1 : B * H));
        c.in[0].format = fpx_fp32;
        refuses(&c, i < 4 ? "d is" : "b is", "should be fp32", "fp64");
        c.in[0].format = fpx_fp64;
        c.attr.gemm.trans_a = !ta;
        refuses(&c, "should be", "a fp64[", "");
    }
}
END_TEST

START_TEST(flops_of_known_shapes)
{
    static const struct {
        uint32_t kind;
        double flops;
    } known[] = {
        { FPX_OP_EMBED, 0.0 },
        { FPX_OP_EMBED_GRAD, M * C },
        { FPX_OP_RMSNORM, 4.0 * M * C },
        { FPX_OP_GEMM, 2.0 * M * F * C },
        { FPX_OP_ROPE, 3.0 * 2 * M * C },
        { FPX_OP_ROPE_GRAD, 3.0 * 2 * M * C },
        { FPX_OP_SOFTMAX, 0.5 * 6 * B * H * T * T },
        { FPX_OP_MERGE_HEADS, 0.0 },
        { FPX_OP_SWIGLU, 5.0 * M * F },
        { FPX_OP_ADD, F * C },
        { FPX_OP_ADAMW, 16.0 * F * C },
        { FPX_OP_DIVIDE, 1.0 * F * C },
        { FPX_OP_DEQUANTIZE, 1.0 * F * C },
        { FPX_OP_QUANTIZE_COAT, 5.0 * F * C },
        { FPX_OP_DEQUANTIZE_COAT, 5.0 * F * C },
        { FPX_OP_QUANTIZE_BLOCK_GRAD, 3.0 * F * C },
        { FPX_OP_DGE, 9.0 * F * C },
        { FPX_OP_CLAMP, 2.0 * F * C },
        { FPX_OP_ADD_RESIDUAL, 1.0 * M * C },
        { FPX_OP_SCALE_FACTOR, 0.0 },
        { FPX_OP_SGD, 7.0 * F * C },
        { FPX_OP_LION, 12.0 * F * C },
        { FPX_OP_DROPOUT, 1.0 * F * C },
        { FPX_OP_LOGP, 4.0 * M * V },
        { FPX_OP_LOGP_GRAD, 3.0 * M * V },
        { FPX_OP_DPO, 14.0 * F },
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const fpx_call c = good(known[i].kind, &fpx_fp32);
        const fpx_op_info *info = fpx_op_info_of((fpx_op_kind)known[i].kind);
        const fpx_op_shape *shape = fpx_op_shape_of((fpx_op_kind)known[i].kind);

        if (info->flops(&c) != known[i].flops)
            ck_abort_msg("%s: %g, not %g", shape->name, info->flops(&c), known[i].flops);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("optable");
    TCase *tc = tcase_create("rows");

    tcase_add_loop_test(tc, rows_are_whole, 0, FPX_OP_KINDS);
    tcase_add_test(tc, other_kinds_and_roles_have_no_row);
    tcase_add_loop_test(tc, good_calls_pass, 0, FPX_OP_KINDS);
    tcase_add_loop_test(tc, wrong_extents_are_refused, 0, FPX_OP_KINDS);
    tcase_add_loop_test(tc, wrong_formats_are_refused, 0, FPX_OP_KINDS);
    tcase_add_loop_test(tc, arity_and_reals_are_checked, 0, FPX_OP_KINDS);
    tcase_add_test(tc, both_shapes_are_named);
    tcase_add_test(tc, wrong_attributes_are_refused);
    tcase_add_test(tc, widened_quantizer_passes);
    tcase_add_test(tc, foreign_descriptors_do_no_harm);
    tcase_add_test(tc, gemm_shapes_of_every_kind);
    tcase_add_test(tc, flops_of_known_shapes);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
