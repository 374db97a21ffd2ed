/* op_coat.c - COAT's optimizer state (arXiv 2410.19313): in each group of 128 the magnitudes are raised to a power k
 * that spreads their range over the format's, then scaled. Powers are exp(k log x) in float64, whose bits are the same
 * everywhere; each result is rounded once. In float64 the identity. */
#include <string.h>

#include "op_kernels.h"

enum { GROUP = 128 };

#define LEAST 1e-30 /* COAT adds it to both ends of the range */

typedef struct coat_job {
    const fpx_format *format;
    const fpx_real *x;
    const char *codes_in;
    char *codes;
    const fpx_real *groups_in;
    fpx_real *groups, *y;
    size_t n, size;
    fpx_cpu_level level;
    const double *values, *logs; /* of each code, and of its magnitude */
} coat_job;

/* |x| as float32, and where that has no such number the neighbour whose last bit is 1: rounded once more to a format of
 * few bits, it gives what x gives. x is finite and far below float32's largest. */
static float odd_magnitude(double x)
{
    const uint64_t least = UINT64_C(897)
                           << 52; /* of a normal float32; below, any such number will do */
    uint64_t u;
    uint32_t bits;
    float y;

    memcpy(&u, &x, sizeof u);
    u &= UINT64_MAX >> 1;
    bits = (uint32_t)((u - (UINT64_C(896) << 52)) >> 29) | ((u & 0x1fffffffu) != 0);
    bits = u < least ? u != 0 : bits;
    memcpy(&y, &bits, sizeof y);
    return y;
}

/* k, root, scale of one group: 1 where all are zero or equal; scale NaN where one is not finite. k is at least 1/16, its
 * step: 0 would have no inverse, and a format of 4 bits comes to it at a range of 1e20. */
static void measure(const fpx_real *x, size_t n, double max, fpx_real *ret_group)
{
    double top = 0.0, low = HUGE_VAL, k = 1.0, root = 1.0;
    int finite = 1;

    for (size_t i = 0; i < n; i++) {
        const double a = fabs((double)x[i]);

        finite &= a < HUGE_VAL;
        top = a > top ? a : top;
        low = a > 0.0 && a < low ? a : low;
    }
    if (!finite || !(top > 0.0)) {
        ret_group[0] = ret_group[1] = 1;
        ret_group[2] = finite ? 1 : REAL_NAN;
        return;
    }
    top += LEAST;
    low += LEAST;
    root = (double)(fpx_real)sqrt(top * low);
    if (top > low)
        k = (double)(fpx_real)(fmax(floor(16.0 * fpx_log_f64(max * max / 2.0) /
                                          (fpx_log_f64(top) - fpx_log_f64(low))),
                                    1.0) /
                               16.0);
    ret_group[0] = (fpx_real)k;
    ret_group[1] = (fpx_real)root;
    ret_group[2] = (fpx_real)(fpx_exp_f64(k * fpx_log_f64(top / root)) / max);
}

static void quantize_groups(void *context, size_t begin, size_t end, size_t worker)
{
    const coat_job *j = context;
    const fpx_conversion conversion = { .format = *j->format };
    const double max = fpx_format_max(j->format);
    const fpx_real *x;

    (void)worker;
    for (size_t g = begin; g < end; g++) {
        const size_t first = g * GROUP, n = j->n - first < GROUP ? j->n - first : GROUP;
        fpx_real *group = j->groups + 3 * g;
        double q[GROUP];
        float odd[GROUP];

        measure(j->x + first, n, max, group);
        const double k = (double)group[0], root = (double)group[1], scale = (double)group[2];
        x = j->x + first;
        for (size_t i = 0; i < n; i++)
            q[i] = fabs((double)x[i]) / root;
        fpx_log_f64_array(j->level, q, q, n); /* of 0 -Inf, whose power is 0 */
        for (size_t i = 0; i < n; i++)
            q[i] = k * q[i];
        fpx_exp_f64_array(j->level, q, q, n);
        for (size_t i = 0; i < n; i++)
            odd[i] = copysignf(odd_magnitude(q[i] / scale), (float)x[i]);
        /* A scale that is NaN makes all of its group NaN. */
        const fpx_status status = fpx_encode_f32(&conversion, scale == scale ? 1.0f : (float)scale,
                                                 odd, j->codes + first * j->size, n);
        (void)status; /* op_coat_accept has asked for this conversion */
    }
}

static void dequantize_groups(void *context, size_t begin, size_t end, size_t worker)
{
    const coat_job *j = context;

    (void)worker;
    for (size_t g = begin; g < end; g++) {
        const size_t first = g * GROUP, n = j->n - first < GROUP ? j->n - first : GROUP;
        const double k = (double)j->groups_in[3 * g], root = (double)j->groups_in[3 * g + 1],
                     scale = (double)j->groups_in[3 * g + 2], log_scale = fpx_log_f64(scale);
        const unsigned char *codes = (const unsigned char *)j->codes_in + first;
        double power[GROUP];

        for (size_t i = 0; i < n; i++)
            power[i] = (j->logs[codes[i]] + log_scale) / k;
        fpx_exp_f64_array(j->level, power, power, n);
        for (size_t i = 0; i < n; i++)
            j->y[first + i] = canonical((fpx_real)copysign(power[i] * root, j->values[codes[i]]));
    }
}

static size_t groups_of(const fpx_tensor *t)
{
    return (fpx_tensor_count(t) + GROUP - 1) / GROUP;
}

fpx_status OP(op_quantize_coat)(const op_run *run)
{
    const fpx_tensor *x = &run->call->in[0];
    const fpx_format *format = &run->call->out[0].format;
    fpx_real *groups = run->out[1];
    coat_job j = { .format = format,
                   .x = run->in[0],
                   .codes = run->out[0],
                   .groups = groups,
                   .n = fpx_tensor_count(x),
                   .size = fpx_format_size(format),
                   .level = run->level };

    if (!fpx_format_equal(format, &REAL_FORMAT)) {
        fpx_parallel_for(run->pool, groups_of(x), OP_GRAIN / GROUP, quantize_groups, &j);
        return FPX_OK;
    }
    for (size_t i = 0; i < j.n; i++)
        ((fpx_real *)run->out[0])[i] = j.x[i];
    for (size_t i = 0; i < 3 * groups_of(x); i++)
        groups[i] = 1;
    return FPX_OK;
}

/* Formats of at most a byte, whose logarithms are few, and whose least code is a normal float32 (odd_magnitude). */
fpx_status OP(op_coat_accept)(const op_run *run)
{
    const fpx_conversion conversion = { .format = run->call->kind == FPX_OP_QUANTIZE_COAT
                                                      ? run->call->out[0].format
                                                      : run->call->in[0].format };
    const fpx_format *f = &conversion.format;
    const float none = 0.0f;
    char code[8];

    if (fpx_format_equal(&conversion.format, &REAL_FORMAT))
        return FPX_OK;
    if (f->bits <= 8 && f->bias + f->mbits < 120 &&
        fpx_encode_f32(&conversion, 1.0f, &none, code, 1) == FPX_OK)
        return FPX_OK;
    return op_refuse(run, FPX_EUNSUPPORTED, "%.*s is no format of at most 8 bits to round to",
                     (int)sizeof f->name, f->name);
}

fpx_status OP(op_dequantize_coat)(const op_run *run)
{
    const fpx_tensor *codes = &run->call->in[0];
    double values[256], logs[256];
    coat_job j = { .format = &codes->format,
                   .codes_in = run->in[0],
                   .groups_in = run->in[1],
                   .y = run->out[0],
                   .n = fpx_tensor_count(codes),
                   .level = run->level,
                   .values = values,
                   .logs = logs };

    for (unsigned code = 0; codes->format.bits <= 8 && code < 1u << codes->format.bits; code++) {
        values[code] = fpx_format_value(&codes->format, code);
        logs[code] = fpx_log_f64(fabs(values[code]));
    }
    if (fpx_format_equal(j.format, &REAL_FORMAT))
        for (size_t i = 0; i < j.n; i++)
            j.y[i] = canonical(((const fpx_real *)run->in[0])[i]);
    else
        fpx_parallel_for(run->pool, groups_of(codes), OP_GRAIN / GROUP, dequantize_groups, &j);
    return FPX_OK;
}
