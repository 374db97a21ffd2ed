/* op_bound_quant.c - how far a quantized value may lie from the number it stands for. The reference
 * passes x through unchanged, so this is the error of the format, not of an operation's arithmetic. */
#include <string.h>

#include <fpx/convert.h>

#include "op_bound.h"
#include "op_running.h"

/* Distance between neighbours of the format around a magnitude, subnormals included; 2^-1022 where it is less than
 * that, which only a format of float64's range has. */
static double spacing(const fpx_format *format, double magnitude)
{
    const int64_t least = 1 - format->bias;
    uint64_t bits;
    int64_t exponent;

    memcpy(&bits, &magnitude, sizeof bits);
    exponent =
        (int64_t)(bits >> (DBL_MANT_DIG - 1)) - (DBL_MAX_EXP - 1);    /* of float64's subnormals: */
    exponent = (exponent > least ? exponent : least) - format->mbits; /* below any least */
    exponent = exponent > DBL_MIN_EXP - 1 ? exponent : DBL_MIN_EXP - 1;
    bits = (uint64_t)(exponent + DBL_MAX_EXP - 1) << (DBL_MANT_DIG - 1);
    memcpy(&magnitude, &bits, sizeof magnitude);
    return magnitude;
}

/* What is the same for every element. */
typedef struct quantizer {
    const fpx_format *format;
    double encode, decode;
    double steps, max; /* spacings that rounding may lose, largest value */
    double skewed;     /* |encode * decode - 1| */
    int same, open;    /* moved, not rounded; beyond max is not bounded */
} quantizer;

static quantizer quantizer_of(const fpx_bound_args *args)
{
    const fpx_call *call = args->call;
    const uint32_t at = call->kind == FPX_OP_QUANTIZE_RANDOM ? 2 : 1; /* of the scale */
    const double *scale = (const double *)args->in[at];
    const uint32_t round = call->attr.quantize.round;
    quantizer q = { .format = &call->out[0].format,
                    .encode = call->nin > at ? scale[0] : 1.0,
                    .decode = call->nin > at ? scale[1] : 1.0,
                    .steps = round == FPX_RNE || round == FPX_RNA ? 0.5 : 1.0,
                    .open = call->attr.quantize.overflow == FPX_OVERFLOW_NONE };

    q.max = fpx_format_max(q.format);
    q.skewed = fabs(q.encode * q.decode - 1.0);
    q.same = q.encode == 1.0 && q.decode == 1.0 && fpx_format_equal(q.format, &call->in[0].format);
    return q;
}

/* codes * decode is what stands for x. z = x encode is off by its float32 rounding; its code by half a
 * spacing (a whole one unless the mode is to nearest), or by what saturation cuts off; and encode *
 * decode, exact in float64 for float32 scales, is not quite 1. */
static double quantized(const quantizer *q, op_unit k, double x)
{
    const op_value scaled = op_mul(k, op_exact(x), op_exact(q->encode));
    const op_value z = { scaled.v, q->encode == 1.0 ? 0.0 : scaled.e };
    const double far = fabs(z.v) + z.e, step = q->steps * spacing(q->format, far);
    const double cut = far > q->max ? far - q->max : 0.0;
    /* Beyond max the code is max itself: nearer than the cut and a spacing together. */
    const double code = z.e + step + cut;
    const double bound =
        op_bound_value((op_value){ x, code * fabs(q->decode) + fabs(x) * q->skewed });
    const double open = q->open ? HUGE_VAL : bound;
    const double some = cut > 0.0 ? open : bound;

    return fabs(far + q->decode) <= DBL_MAX ? some : HUGE_VAL;
}

void OP_BOUND_NAME(op_bound_quantize)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const quantizer q = quantizer_of(args);
    const double *x = (const double *)args->in[0];
    const size_t n = fpx_tensor_count(&args->call->in[0]);

    double *restrict const bound = args->bound[0];

    if (q.same) {
        for (size_t i = 0; i < n; i++)
            bound[i] = fabs(x[i]) <= DBL_MAX ? 0.0 : HUGE_VAL;
        return;
    }
    for (size_t i = 0; i < n; i++)
        bound[i] = quantized(&q, k, x[i]);
}

/* The reference is handed the exact product: one rounding, or one underflow, is between. (A code times its block's scale is
 * exact where a scale of the whole follows: op_dequantize_accept.) */
void OP_BOUND_NAME(op_bound_dequantize)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t n = fpx_tensor_count(&args->call->in[0]);
    const double *x = (const double *)args->in[0];
    const double tiny = args->call->in[0].nscales > 0 ? k.tiny : 0.0;

    for (size_t i = 0; i < n; i++)
        args->bound[0][i] = op_bound_value(
            args->call->in[0].nscales > 0 ? op_round(k, x[i], 0.0, tiny) : op_exact(x[i]));
}

/* The reference, whose quantizer is the identity, passes dy; the clipping one passes all of it or none. */
void OP_BOUND_NAME(op_bound_quantize_block_grad)(const fpx_bound_args *args)
{
    const size_t n = fpx_tensor_count(&args->call->in[2]);
    const double *dy = (const double *)args->in[2];

    for (size_t i = 0; i < n; i++)
        args->bound[0][i] = isfinite(dy[i]) ? fabs(dy[i]) : HUGE_VAL;
}
