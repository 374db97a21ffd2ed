/* op_attr.c - patterns and attribute checks of single kinds, named in the table of op_shape.c. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <fpx/convert.h>

#include "op_block.h"
#include "op_pattern.h"

static fpx_status require(const fpx_call *call, int holds, const char *why, fpx_error *err)
{
    return holds ? FPX_OK : op_pattern_refuse(call, err, why);
}

static fpx_status check_leaf(const fpx_call *call, uint64_t leaf, char letter, uint64_t total,
                             fpx_error *err)
{
    char text[64];

    (void)snprintf(text, sizeof text, "leaf %" PRIu64 " does not divide %c = %" PRIu64, leaf,
                   letter, total);
    return require(call, leaf == 0 || total % leaf == 0, text, err);
}

void op_gemm_patterns(const fpx_call *call, const char **in, const char **out)
{
    /* [batched][transposed] */
    static const char *const a[2][2] = { { "g[M,K]", "g[K,M]" }, { "g[P,Q,M,K]", "g[P,Q,K,M]" } };
    static const char *const b[2][2] = { { "g[K,N]", "g[N,K]" }, { "g[P,Q,K,N]", "g[P,Q,N,K]" } };
    static const char *const d[2] = { "r[M,N]", "r[P,Q,M,N]" };
    const int batched = call->in[0].ndim == 4;

    in[0] = a[batched][call->attr.gemm.trans_a != 0];
    in[1] = b[batched][call->attr.gemm.trans_b != 0];
    out[0] = d[batched];
}

fpx_status op_attr_gemm(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const fpx_status status =
        require(call, call->attr.gemm.trans_a <= 1 && call->attr.gemm.trans_b <= 1,
                "trans_a and trans_b are 0 or 1", err);

    if (status != FPX_OK)
        return status;
    if (memchr(call->attr.gemm.unit, '\0', FPX_UNIT_MAX) == NULL)
        return op_pattern_refuse(call, err, "the unit's name is not terminated");
    if (call->attr.gemm.unit[0] != '\0' && call->attr.gemm.leaf != 0)
        return op_pattern_refuse(call, err, "a unit sums without leaves: leaf must be 0");
    return check_leaf(call, call->attr.gemm.leaf, 'K', dims->of['K' - 'A'], err);
}

fpx_status op_attr_rmsnorm(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const double eps = call->attr.rmsnorm.eps;
    const fpx_status status =
        require(call, isfinite(eps) && eps >= 0.0, "eps is not a finite number >= 0", err);

    return status != FPX_OK
               ? status
               : check_leaf(call, call->attr.rmsnorm.leaf, 'M', dims->of['M' - 'A'], err);
}

fpx_status op_attr_rope(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const double base = call->attr.rope.base;
    const fpx_status status =
        require(call, isfinite(base) && base > 0.0, "base is not a finite number > 0", err);

    return status != FPX_OK
               ? status
               : require(call, dims->of['D' - 'A'] % 2 == 0, "the head width D is odd", err);
}

fpx_status op_attr_softmax(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    (void)dims;
    return require(call, isfinite(call->attr.softmax.scale) && call->attr.softmax.causal <= 1,
                   "scale is not finite, or causal is not 0 or 1", err);
}

fpx_status op_attr_tokens(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    if (call->attr.tokens.sum > 1)
        return op_pattern_refuse(call, err, "sum is 0 or 1");
    return check_leaf(call, call->attr.tokens.leaf, 'M', dims->of['M' - 'A'], err);
}

fpx_status op_attr_scale(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const char *profile = call->attr.scale.profile;
    fpx_blocking blocking;

    (void)dims;
    if (call->attr.scale.rule == FPX_SCALE_AMAX &&
        (memchr(profile, '\0', FPX_PROFILE_MAX) == NULL ||
         fpx_blocking_find(profile, &blocking) != FPX_OK || !op_block_has_whole(&blocking)))
        return op_pattern_refuse(call, err,
                                 "the profile is unknown, or has no scale for the whole tensor");
    if (call->nin > 1 && call->attr.scale.rule != FPX_SCALE_POW2 &&
        call->attr.scale.rule != FPX_SCALE_MS_AMP_EXACT)
        return op_pattern_refuse(call, err, "a factor goes with the rule of powers of two only");
    return require(call,
                   call->attr.scale.rule <= FPX_SCALE_MS_AMP_EXACT &&
                       fpx_format_is_valid(&call->attr.scale.target) &&
                       call->attr.scale.target.cls == FPX_CLASS_FLOAT,
                   "the rule is unknown, or the target is not a floating-point format", err);
}

fpx_status op_attr_quantize(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const int scaled = call->nin > 1;

    (void)dims;
    if (call->attr.quantize.round > FPX_SR || call->attr.quantize.overflow > FPX_OVERFLOW_NONE)
        return op_pattern_refuse(call, err, "round or overflow is unknown");
    /* A widened program keeps the scale as an input, but its real outputs need none. */
    return require(call, op_is_real(&call->out[0].format) || (call->out[0].nscales > 0) == scaled,
                   "codes has scales without the input scale, or the other way round", err);
}

fpx_status op_attr_quantize_random(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const int scaled = call->nin > 2;

    (void)dims;
    if (call->attr.quantize.round != FPX_SR || call->attr.quantize.overflow > FPX_OVERFLOW_NONE)
        return op_pattern_refuse(call, err, "round is not stochastic, or overflow is unknown");
    return require(call, op_is_real(&call->out[0].format) || (call->out[0].nscales > 0) == scaled,
                   "codes has scales without the input scale, or the other way round", err);
}

/* One scale a block: of the profile's format, as the codes say, and in the second output. */
static const char *wrong_blocks(const fpx_call *call, const fpx_blocking *blocking, int whole)
{
    const fpx_tensor *codes = &call->out[0], *scales = &call->out[1];
    const fpx_scaling *s = &codes->scale[0];

    if (codes->nscales != (whole ? 2 : 1) || s->layout != FPX_SCALE_ROWMAJOR ||
        !fpx_format_equal(&s->format, fpx_blocking_scale_format(blocking)) ||
        !fpx_format_equal(&scales->format, &s->format))
        return "codes or scales has other scales than the profile";
    if (memcmp(s->block, blocking->block, sizeof blocking->block) != 0)
        return "codes has other blocks than the attribute";
    return NULL;
}

fpx_status op_attr_quantize_block(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const int random = call->kind == FPX_OP_QUANTIZE_BLOCK_RANDOM;
    const int scaled = call->nin > (random ? 2u : 1u), real = op_is_real(&call->out[0].format);
    fpx_call narrow = *call;
    fpx_blocking blocking;
    size_t rows, cols;

    if (real) /* a widened program: what the profile says of codes is not asked */
        narrow.out[0].format = fpx_e2m1;
    if (op_block_of(&narrow, &blocking) != FPX_OK)
        return op_pattern_refuse(call, err,
                                 "the profile is unknown, or does not go with the codes' format, "
                                 "the block, round, overflow or ties");
    fpx_blocking_grid(&blocking, (size_t)dims->of['R' - 'A'], (size_t)dims->of['C' - 'A'], &rows,
                      &cols);
    if (dims->of['P' - 'A'] != rows || dims->of['Q' - 'A'] != cols)
        return op_pattern_refuse(call, err, "scales does not have one scale a block");
    if (scaled != op_block_has_whole(&blocking) && !(scaled && blocking.rule == FPX_RULE_MX))
        return op_pattern_refuse(
            call, err,
            "scale is there without a level for the whole tensor, or the other way round");
    if (real)
        return require(call, call->out[0].nscales == 0 && op_is_real(&call->out[1].format),
                       "real codes have scales", err);
    const char *wrong = wrong_blocks(call, &blocking, scaled);
    return wrong == NULL ? FPX_OK : op_pattern_refuse(call, err, wrong);
}

fpx_status op_attr_hadamard(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const uint32_t size = call->attr.hadamard.size, axis = call->attr.hadamard.axis;
    char text[96];

    if (axis > 1 || (size != 16 && size != 32 && size != 64 && size != 128))
        return op_pattern_refuse(call, err, "size is not 16, 32, 64 or 128, or axis not 0 or 1");
    if (call->attr.hadamard.signs > FPX_SIGNS_NONE)
        return op_pattern_refuse(call, err, "signs is unknown");
    (void)snprintf(text, sizeof text,
                   "size %" PRIu32 " does not divide the axis, which has %" PRIu64, size,
                   call->in[0].shape[axis]);
    (void)dims;
    return require(call, call->in[0].shape[axis] % size == 0, text, err);
}

fpx_status op_attr_delayed(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const uint32_t part = call->attr.delayed.part;

    if (part > (FPX_PART_LATER | FPX_PART_OPEN) ||
        (part != 0 && call->attr.delayed.rule == FPX_DELAYED_TE))
        return op_pattern_refuse(call, err,
                                 "part is not 0 .. 3, or not 0 with Transformer Engine's rule");
    return require(call,
                   call->attr.delayed.rule <= FPX_DELAYED_MS_AMP_EXACT &&
                       fpx_format_is_valid(&call->attr.delayed.target) &&
                       call->attr.delayed.target.cls == FPX_CLASS_FLOAT && dims->of['W' - 'A'] >= 3,
                   "the rule is unknown, the target is not a floating-point format, or history has "
                   "no room for one amax",
                   err);
}

fpx_status op_attr_clip(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const double max_norm = call->attr.clip.max_norm;

    (void)dims;
    return require(call, isfinite(max_norm) && max_norm >= 0.0,
                   "max_norm is not a finite number >= 0", err);
}

static int is_share(double x)
{
    return x >= 0.0 && x < 1.0;
}

static int is_amount(double x)
{
    return isfinite(x) && x >= 0.0;
}

fpx_status op_attr_adamw(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const double beta1 = call->attr.adamw.beta1, beta2 = call->attr.adamw.beta2;
    const double eps = call->attr.adamw.eps, decay = call->attr.adamw.weight_decay;

    (void)dims;
    if (!is_share(beta1) || !is_share(beta2))
        return op_pattern_refuse(call, err, "beta1 and beta2 are not in [0, 1)");
    return require(call, is_amount(eps) && is_amount(decay),
                   "eps and weight_decay are not finite numbers >= 0", err);
}

fpx_status op_attr_sgd(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    (void)dims;
    return require(call,
                   is_share(call->attr.sgd.momentum) && is_amount(call->attr.sgd.weight_decay),
                   "momentum is not in [0, 1), or weight_decay is not a finite number >= 0", err);
}

fpx_status op_attr_lion(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    (void)dims;
    if (!is_share(call->attr.lion.beta1) || !is_share(call->attr.lion.beta2))
        return op_pattern_refuse(call, err, "beta1 and beta2 are not in [0, 1)");
    return require(call, is_amount(call->attr.lion.weight_decay),
                   "weight_decay is not a finite number >= 0", err);
}

fpx_status op_attr_dge(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const double k = call->attr.dge.k, cap = call->attr.dge.cap;

    (void)dims;
    return require(call,
                   isfinite(k) && k > 1.0 && isfinite(cap) && cap > 0.0 &&
                       call->attr.dge.rule <= FPX_DGE_MS_AMP,
                   "k is not a finite number > 1, cap not one > 0, or the rule is unknown", err);
}

/* Below 1, alpha n is below n in float64 too: floor(alpha n) is one of the n. */
fpx_status op_attr_clamp(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const double alpha = call->attr.clamp.alpha;

    (void)dims;
    return require(call, alpha >= 0.5 && alpha < 1.0 && call->attr.clamp.over <= FPX_CLAMP_COLUMN,
                   "alpha is not in [1/2, 1), or over is unknown", err);
}

/* No attribute, but a number of groups that no pattern can say; codes have these as their only scales. */
fpx_status op_attr_coat(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const fpx_tensor *codes = call->kind == FPX_OP_QUANTIZE_COAT ? &call->out[0] : &call->in[0];

    if (codes->nscales != 0)
        return op_pattern_refuse(call, err, "codes has scales beside its groups");
    return require(call, dims->of['G' - 'A'] == (fpx_tensor_count(codes) + 127) / 128,
                   "groups should be [G,3], one row for each 128 elements", err);
}

fpx_status op_attr_factor(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const double growth = call->attr.factor.growth;
    const uint32_t every = call->attr.factor.every;

    (void)dims;
    if (!is_share(call->attr.factor.ratio))
        return op_pattern_refuse(call, err, "ratio is not in [0, 1)");
    return require(call, growth >= 1.0 && growth <= 2.0 && every >= 1 && every <= 1u << 24,
                   "growth is not in [1, 2], or every not 1 .. 2^24", err);
}

fpx_status op_attr_dropout(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    (void)dims;
    return require(call, is_share(call->attr.dropout.rate), "rate is not in [0, 1)", err);
}

/* A sequence for each of B. */
fpx_status op_attr_logp(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    const uint64_t leaf = call->attr.tokens.leaf, m = dims->of['M' - 'A'], b = dims->of['B' - 'A'];
    char text[128];

    (void)snprintf(text, sizeof text,
                   "%s should be [M / leaf], but M is %" PRIu64 ", leaf %" PRIu64,
                   call->kind == FPX_OP_LOGP ? "logp" : "dlogp", m, leaf);
    return require(call, leaf > 0 && m % leaf == 0 && m / leaf == b, text, err);
}

fpx_status op_attr_dpo(const fpx_call *call, const op_dims *dims, fpx_error *err)
{
    (void)dims;
    return require(call, is_amount(call->attr.dpo.beta) && call->attr.dpo.sum <= 1,
                   "beta is not a finite number >= 0, or sum is not 0 or 1", err);
}
