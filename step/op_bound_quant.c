/* op_bound_quant.c - how far a quantized value may lie from the number it stands for. The reference
 * passes x through unchanged, so this is the error of the format, not of an operation's arithmetic. */
#include <fpx/convert.h>

#include "op_bound.h"
#include "op_running.h"

/* Distance between neighbours of the format around a magnitude, subnormals included. */
static double spacing(const fpx_format *format, double magnitude)
{
    const int least = 1 - format->bias;
    int exponent;

    (void)frexp(magnitude, &exponent); /* in [2^(exponent-1), 2^exponent) */
    return ldexp(1.0,
                 (magnitude > 0.0 && exponent - 1 > least ? exponent - 1 : least) - format->mbits);
}

/* codes * decode is what stands for x. z = x encode is off by its float32 rounding; its code by half a
 * spacing (a whole one unless the mode is to nearest), or by what saturation cuts off; and encode *
 * decode, exact in float64 for float32 scales, is not quite 1. */
static double quantized(const fpx_call *call, op_unit k, double x, double encode, double decode)
{
    const fpx_format *format = &call->out[0].format;
    const uint32_t round = call->attr.quantize.round;
    const double steps = round == FPX_RNE || round == FPX_RNA ? 0.5 : 1.0;
    const double max = fpx_format_max(format);

    if (encode == 1.0 && decode == 1.0 && isfinite(x) &&
        fpx_format_equal(format, &call->in[0].format))
        return 0.0; /* the same format: moved, not rounded */
    const op_value z = encode == 1.0 ? op_exact(x) : op_mul(k, op_exact(x), op_exact(encode));
    const double far = fabs(z.v) + z.e, step = steps * spacing(format, far);
    const double cut = far > max ? far - max : 0.0;

    if (!isfinite(far + decode) || (cut > 0.0 && call->attr.quantize.overflow == FPX_OVERFLOW_NONE))
        return HUGE_VAL;
    /* Beyond max the code is max itself: nearer than the cut and a spacing together. */
    const double code = z.e + step + cut;
    return op_bound_value(
        (op_value){ x, code * fabs(decode) + fabs(x) * fabs(encode * decode - 1.0) });
}

void op_bound_quantize(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const double *x = (const double *)args->in[0], *scale = (const double *)args->in[1];
    const size_t n = fpx_tensor_count(&args->call->in[0]);
    const int scaled = args->call->nin > 1;

    for (size_t i = 0; i < n; i++)
        args->bound[0][i] =
            quantized(args->call, k, x[i], scaled ? scale[0] : 1.0, scaled ? scale[1] : 1.0);
}
