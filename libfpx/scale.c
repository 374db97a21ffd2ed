/* scale.c - exponents of two numbers, and which of their mantissas is larger: nothing rounds. */
#include <float.h>
#include <math.h>

#include <fpx/scale.h>

float fpx_scale_pow2(const fpx_format *target, float amax)
{
    int of_max, of_amax;
    double max, mine;

    if (!(amax > 0.0f && amax <= FLT_MAX))
        return 1.0f;
    max = frexp(fpx_format_max(target), &of_max);
    mine = frexp((double)amax, &of_amax);
    int exponent = of_max - of_amax - (mine > max);
    exponent = exponent < -126 ? -126 : (exponent > 126 ? 126 : exponent);
    return (float)ldexp(1.0, exponent);
}
