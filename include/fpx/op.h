/* fpx/op.h - the operation kinds of the device ABI (fpx/accel.h) and their attributes, as plain data. */
#ifndef FPX_OP_H
#define FPX_OP_H

#include <stdint.h>

#include <fpx/format.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FPX_UNIT_MAX = 112, FPX_PROFILE_MAX = 24 };

/* What is computed. M = sequences * T tokens, C = width, F = hidden width, V = vocabulary, H = heads,
 * D = head width, B = sequences. "real" is fp32 or fp64, the same for all real tensors of a call.
 * Values are part of the ABI: new kinds are appended. Exact semantics: docs/operations.md. */
typedef enum fpx_op_kind {
    FPX_OP_EMBED,        /* tokens int32[M], table[V,C]           -> y[M,C] */
    FPX_OP_EMBED_GRAD,   /* tokens int32[M], dy[M,C]              -> dtable[V,C] */
    FPX_OP_RMSNORM,      /* x[M,C], gain[C]                       -> y[M,C], rstd[M] */
    FPX_OP_RMSNORM_GRAD, /* x[M,C], gain[C], rstd[M], dy[M,C]     -> dx[M,C], dgain[C] */
    FPX_OP_GEMM,         /* a, b (any format, scaled or not)      -> d = op(a) op(b) */
    FPX_OP_ROPE,         /* qkv[M,3C]                             -> q, k, v [B,H,T,D] */
    FPX_OP_ROPE_GRAD,    /* dq, dk, dv [B,H,T,D]                  -> dqkv[M,3C] */
    FPX_OP_SOFTMAX,      /* s[B,H,T,T]                            -> p[B,H,T,T] */
    FPX_OP_SOFTMAX_GRAD, /* p, dp                                 -> ds */
    FPX_OP_MERGE_HEADS,  /* x[B,H,T,D]                            -> y[M,C] */
    FPX_OP_SPLIT_HEADS,  /* x[M,C]                                -> y[B,H,T,D] */
    FPX_OP_SWIGLU,       /* gu[M,2F] = gate | up                  -> y[M,F] = silu(gate) * up */
    FPX_OP_SWIGLU_GRAD,  /* gu[M,2F], dy[M,F]                     -> dgu[M,2F] */
    FPX_OP_GELU,         /* x[M,F]                                -> y[M,F], tanh form (GPT-2) */
    FPX_OP_GELU_GRAD,    /* x[M,F], dy[M,F]                       -> dx[M,F] */
    FPX_OP_ADD,          /* a, b                                  -> y = a + b */
    FPX_OP_XENT,      /* logits[M,V], targets int32[M]         -> loss[1] (mean, or sum), lse[M] */
    FPX_OP_XENT_GRAD, /* logits[M,V], targets int32[M], lse[M], count[1] (absent: the targets there are)
                          *                                       -> dlogits[M,V] */
    FPX_OP_SCALE,    /* x, factor[2] (absent: 1)              -> scale[2] = encode, decode factor */
    FPX_OP_QUANTIZE, /* x, scale[2] (absent: unscaled cast)   -> codes */
    FPX_OP_SUMSQ,    /* x, total fp64[1] (absent: 0)          -> total + sum x^2, fp64[1] */
    FPX_OP_CLIP,     /* total fp64[1]                         -> factor[1], norm[1] */
    FPX_OP_ADAMW,    /* param, m, v, grad, factor[1], hyper[3] -> param, m, v (in place) */
    /* draw int32[2] = step, micro-batch: where in its stream the random bits of stochastic rounding are. The block
     * kinds have a scale for each of P x Q blocks; `scale` is that of SCALE for the same profile, absent where the
     * profile has no level for the whole tensor. */
    FPX_OP_QUANTIZE_RANDOM,       /* x, draw, scale[2] (absent: unscaled) -> codes */
    FPX_OP_QUANTIZE_BLOCK,        /* x[R,C], scale[2]             -> codes[R,C], scales[P,Q] */
    FPX_OP_QUANTIZE_BLOCK_RANDOM, /* x[R,C], draw, scale[2]       -> codes[R,C], scales[P,Q] */
    FPX_OP_HADAMARD, /* x[R,C], draw (absent: the same signs at each step; of no use to SIGNS_NONE) -> y[R,C] */
    FPX_OP_SCALE_DELAYED, /* history[2 + W], x             -> history (in place or apart), scale[2] */
    FPX_OP_SGD,           /* param, m, grad, factor[1], hyper[3]    -> param, m (in place) */
    FPX_OP_LION,          /* param, m, grad, factor[1], hyper[3]    -> param, m (in place) */
    FPX_OP_DIVIDE,        /* a, b[1]                                -> y = a / b */
    FPX_OP_DEQUANTIZE,    /* codes (any format, scaled or not; of a matrix by blocks, too) -> x */
    /* COAT's state: groups of 128 in memory order, G = their number; docs/operations.md. */
    FPX_OP_QUANTIZE_COAT, /* x                               -> codes, groups[G,3] = k, root, scale */
    FPX_OP_DEQUANTIZE_COAT, /* codes, groups[G,3]              -> x */
    FPX_OP_QUANTIZE_BLOCK_GRAD, /* codes[R,C] of x, x[R,C], dy[R,C]   -> dx[R,C]: dy, 0 where |x / scale| is not below
                                 * the largest value of codes */
    FPX_OP_DGE, /* dw[R,C], w[R,C]                       -> dw times the slope of w's FP4 quantizer */
    FPX_OP_CLAMP, /* x[R,C]                                -> y[R,C], held between two quantiles of x */
    FPX_OP_ADD_RESIDUAL, /* base[M,N], x[M,K], y[M,K], w[N,K]     -> d = base + (x - y) w^T */
    FPX_OP_SCALE_FACTOR, /* factor[2] (in place), codes -> factor = what SCALE takes, steps to wait */
    FPX_OP_DROPOUT,      /* x, draw                         -> y; the gradient is the same of dy */
    /* Preferences (DPO): sequences 2p and 2p + 1 are the chosen and the rejected answer of pair p, B = 2P. */
    FPX_OP_LOGP,      /* logits[M,V], targets int32[M]           -> logp[B], lse[M] */
    FPX_OP_LOGP_GRAD, /* logits[M,V], targets int32[M], lse[M], dlogp[B] -> dlogits[M,V] */
    FPX_OP_DPO, /* logp[2P], reference[2P], count[1] (absent: P) -> loss[1] (mean, or sum), dlogp[2P], margin[P] */
    FPX_OP_KINDS
} fpx_op_kind;

typedef enum fpx_role {
    FPX_FPROP,
    FPX_DGRAD,
    FPX_WGRAD,
    FPX_OPTIMIZER,
    FPX_COMM,
    FPX_ROLES
} fpx_role;

/* How FPX_OP_SCALE turns amax into a scale. */
typedef enum fpx_scale_rule {
    FPX_SCALE_CURRENT, /* encode = max / amax (amax 0, Inf or NaN: 1; Inf: FLT_MAX), decode = 1 / encode,
                        * in float32: Transformer Engine's current scaling. Always 1 in float64, and
                        * where the target format is fp32 or fp64. */
    FPX_SCALE_AMAX, /* encode = amax as the profile takes it, decode = what it multiplies the block scales by:
                        * the second level of NVFP4. 1 as above. */
    FPX_SCALE_THREE_QUARTERS, /* encode 3/4, decode 4/3: room for the largest element of an MX block whose exponent was
                              * rounded down (arXiv 2502.20586). 1 as above. */
    FPX_SCALE_POW2, /* encode = 2^floor(log2(max / amax)), exact, the exponent in -126 .. 126 (amax 0, Inf or NaN:
                    * 1), decode = 1 / encode: MS-AMP's without a margin. 1 as above. Times the factor. */
    FPX_SCALE_MS_AMP_EXACT /* as MS-AMP's code has it, in float32, unclamped, with an old scale of 1. 1 as above. */
} fpx_scale_rule;

/* How FPX_OP_SCALE_DELAYED turns the largest of the W amax before this one into a scale; an amax that is not positive
 * and finite keeps the scale there was, 1 at first. docs/operations.md has every case. */
typedef enum fpx_delayed_rule {
    FPX_DELAYED_TE, /* max / amax, Inf: FLT_MAX (Transformer Engine) */
    FPX_DELAYED_MS_AMP, /* the power of two below it, at most 2^126; at hand until W are known (FP8-LM) */
    FPX_DELAYED_MS_AMP_EXACT /* as MS-AMP's code computes that: in float32, unclamped */
} fpx_delayed_rule;

/* Which of a step's micro-batches moves a history on: bits; 0: its only one, and always with TE, which knows no steps. */
enum { FPX_PART_LATER = 1, /* not the first */ FPX_PART_OPEN = 2 /* not the last */ };

/* Where HADAMARD has its signs. AFTER, with the same stream, is the transpose of BEFORE. */
typedef enum fpx_hadamard_signs {
    FPX_SIGNS_BEFORE, /* x times signs, then the transform */
    FPX_SIGNS_AFTER,
    FPX_SIGNS_NONE /* all + */
} fpx_hadamard_signs;

/* DGE: in float32, or as MS-AMP's code, in bf16. CLAMP: of what the quantiles are. */
typedef enum fpx_dge_rule { FPX_DGE_PAPER, FPX_DGE_MS_AMP } fpx_dge_rule;
typedef enum fpx_clamp_over { FPX_CLAMP_TENSOR, FPX_CLAMP_ROW, FPX_CLAMP_COLUMN } fpx_clamp_over;

/* Attributes; the member named like the kind is meaningful. Sums over tokens use leaves of `leaf`
 * tokens (a sequence each), see fpx/gemm.h and fpx/reduce.h. */
typedef union fpx_attr {
    struct {
        uint32_t trans_a, trans_b; /* 0 or 1: the stored matrix is transposed */
        uint64_t leaf;             /* 0: no leaves */
        /* The matrix unit that sums, as fpx_mma_preset_parse of fpx/mma.h takes it
         * ("hopper/wgmma/fp8-fp32,step=32,promote=128"), terminated; "": the order of fpx/gemm.h. One chain over
         * all of k: no leaves; d = fma(sum, RN(scale_a scale_b), +0) in fp32. Nothing in float64. */
        char unit[FPX_UNIT_MAX];
    } gemm; /* 2-D operands, or 4-D: batched over the two leading axes */
    struct {
        double eps;    /* rstd = 1 / sqrt(mean(x^2) + eps) */
        uint64_t leaf; /* for dgain */
    } rmsnorm;
    struct {
        double base; /* angle of pair i at position t: t * base^(-2i/D); pairs are (i, i + D/2) */
    } rope;
    struct {
        double scale;    /* p = softmax(scale * s) */
        uint32_t causal; /* 1: columns above the diagonal are 0 */
        uint32_t reserved;
    } softmax;
    struct {
        uint64_t leaf;
        uint32_t sum; /* XENT: 1: the loss is not divided by the number of targets */
        uint32_t reserved;
    } tokens; /* EMBED_GRAD, XENT, XENT_GRAD; LOGP, LOGP_GRAD: a leaf is a sequence */
    struct {
        fpx_format target; /* whose largest value amax is mapped to */
        uint32_t rule;     /* fpx_scale_rule */
        uint32_t reserved;
        char profile[FPX_PROFILE_MAX]; /* AMAX: of fpx/block.h, terminated */
    } scale;
    struct {
        fpx_format target; /* as above */
        uint32_t rule;     /* fpx_delayed_rule */
        uint32_t part;     /* FPX_PART_LATER | FPX_PART_OPEN */
    } delayed;
    struct {
        double ratio, growth;     /* a larger share of saturated codes: factor / 2, else * growth */
        uint32_t every, reserved; /* looked at once in so many calls, 1 .. 2^24 */
    } factor;
    struct {
        uint32_t round, overflow; /* fpx_round, fpx_overflow; the format is the output's */
        uint64_t seed, site; /* QUANTIZE_RANDOM: key of its stream, fpx/stream.h; round is FPX_SR */
    } quantize;
    struct {
        char profile[FPX_PROFILE_MAX];   /* whose scales: of fpx/block.h, terminated */
        uint32_t round, overflow;        /* of the elements */
        uint64_t block[2];               /* rows, columns that share a scale; 0: all */
        uint64_t seed, site;             /* as above */
        uint32_t ties_to_zero, reserved; /* 1: round is FPX_RNA, but ties go toward zero */
    } block;                             /* QUANTIZE_BLOCK, QUANTIZE_BLOCK_RANDOM */
    struct {
        uint32_t size, axis; /* 16, 32, 64 or 128 elements along rows' (0) or columns' (1) axis */
        uint64_t seed, site; /* of the signs */
        uint32_t signs, reserved; /* fpx_hadamard_signs */
    } hadamard;
    struct {
        double max_norm; /* factor = min(1, max_norm / sqrt(total)); 0: no clipping, factor 1 */
    } clip;
    struct {
        double beta1, beta2, eps, weight_decay;
    } adamw; /* hyper = learning rate, 1 / (1 - beta1^t), 1 / (1 - beta2^t) */
    struct {
        double momentum, weight_decay;
    } sgd; /* of hyper the learning rate alone */
    struct {
        double beta1, beta2, weight_decay;
    } lion; /* of hyper the learning rate alone */
    struct {
        double k, cap; /* slope min(|2 (x - lo) / width - 1|^(1/k - 1) / k, cap); k > 1, cap > 0 */
        uint32_t rule, reserved; /* fpx_dge_rule */
    } dge;
    struct {
        double alpha; /* 1/2 .. 1: of n sorted elements, numbers (1 - alpha) n and alpha n */
        uint32_t over, reserved; /* fpx_clamp_over */
    } clamp;
    struct {
        double
            rate; /* share of the elements that become 0, in [0, 1); the others times 1 / (1 - rate) */
        uint64_t seed, site; /* of the stream, whose step is draw[0], its micro-batch 0 */
        uint64_t first;      /* the stream's element of x[0]: where x lies in the whole batch */
    } dropout;
    struct {
        double beta;  /* margin = beta ((chosen - its reference) - (rejected - its reference)) */
        uint32_t sum; /* 1: the loss is not divided by the number of pairs */
        uint32_t reserved;
    } dpo;
    uint64_t words[16];
} fpx_attr;

#ifdef __cplusplus
}
#endif

#endif /* FPX_OP_H */
