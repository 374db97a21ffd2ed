/* op_check.c - one checker for every operation: formats and shapes against the patterns of its row,
 * then its attributes. What passes here is what every device and bound may take for granted. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "op_pattern.h"

enum { TEXT = 128 }; /* fits a format's name and four 20-digit extents */

/* "fp32[8,64]", or "[8,64]" without a format. */
static void describe(const fpx_format *format, size_t ndim, const uint64_t *shape, char text[TEXT])
{
    size_t at = 0;

    if (format != NULL)
        at = (size_t)snprintf(text, TEXT, "%.*s", (int)sizeof format->name, format->name);
    if (ndim == 0)
        (void)snprintf(text + at, TEXT - at, "[]");
    for (size_t i = 0; i < ndim && i < FPX_MAX_DIMS; i++)
        at += (size_t)snprintf(text + at, TEXT - at, "%s%" PRIu64 "%s", i == 0 ? "[" : ",",
                               shape[i], i + 1 == ndim ? "]" : "");
}

fpx_status op_pattern_refuse(const fpx_call *call, fpx_error *err, const char *why)
{
    return fpx_error_set(err, FPX_EINVAL, "%s \"%.*s\": %s", op_pattern_of(call->kind)->shape.name,
                         (int)sizeof call->name, call->name, why);
}

/* A tensor of the call, its name and its pattern. */
typedef struct operand {
    const fpx_tensor *tensor;
    const char *name, *pattern;
} operand;

static size_t collect(const fpx_call *call, const op_pattern *row,
                      operand operands[FPX_MAX_IN + FPX_MAX_OUT])
{
    const char *in[FPX_MAX_IN], *out[FPX_MAX_OUT];
    size_t n = 0;

    memcpy(in, row->in, sizeof in);
    memcpy(out, row->out, sizeof out);
    if (row->patterns != NULL)
        row->patterns(call, in, out);
    for (size_t i = 0; i < call->nin; i++)
        operands[n++] = (operand){ &call->in[i], row->shape.in_names[i], in[i] };
    for (size_t i = 0; i < call->nout; i++)
        operands[n++] = (operand){ &call->out[i], row->shape.out_names[i], out[i] };
    return n;
}

int op_is_real(const fpx_format *format)
{
    return fpx_format_equal(format, &fpx_fp32) || fpx_format_equal(format, &fpx_fp64);
}

/* NULL where the format is right, else what it should be. *real is the call's real so far. */
static const char *wrong_format(const operand *o, const fpx_format **real)
{
    const fpx_format *format = &o->tensor->format;
    const char kind = o->pattern[0];

    if (kind == 'i')
        return fpx_format_equal(format, &fpx_int32) ? NULL : "int32";
    if (kind == 'd')
        return fpx_format_equal(format, &fpx_fp64) ? NULL : "fp64";
    if (kind == 'r' && !op_is_real(format))
        return "fp32 or fp64";
    if (format->cls != FPX_CLASS_FLOAT || !fpx_format_is_valid(format))
        return "a floating-point format";
    if (kind == 'q' || !op_is_real(format))
        return NULL;
    if (*real == NULL)
        *real = format;
    return fpx_format_equal(format, *real) ? NULL : (*real)->name;
}

/* Scales belong to codes: a GEMM operand, a quantizer's output. */
static const char *wrong_scaling(const operand *o)
{
    const fpx_tensor *t = o->tensor;

    if (t->nscales > FPX_MAX_SCALES)
        return "has more levels of scales than there are";
    if (t->nscales > 0 && o->pattern[0] != 'g' && o->pattern[0] != 'q')
        return "has scales, which only matrix operands and quantized tensors may have";
    for (size_t i = 0; i < t->nscales; i++)
        if (t->scale[i].format.cls != FPX_CLASS_FLOAT)
            return "has scales that are not floating-point";
    return NULL;
}

static size_t extents(const char *pattern)
{
    size_t n = 1;

    for (const char *p = pattern; *p != '\0'; p++)
        n += *p == ',';
    return n;
}

/* Evaluates the extent at *p, moving past it and its separator. 0: a letter in it is not bound;
 * UINT64_MAX, which no tensor has, where the product overflows. */
static uint64_t extent(const char **p, const op_dims *dims)
{
    uint64_t product = 1, factor = 0;
    const char *s = *p;

    for (; *s != ',' && *s != ']'; s++) {
        factor = *s >= 'A' && *s <= 'Z' ? dims->of[*s - 'A'] : (uint64_t)(*s - '0');
        product = factor != 0 && product > UINT64_MAX / factor ? UINT64_MAX : product * factor;
    }
    *p = s + 1;
    return product;
}

/* Binds letters that stand alone: the first tensor that has one decides. */
static void bind_letters(const operand *o, op_dims *dims)
{
    const char *p = o->pattern + 2;

    for (size_t i = 0; i < o->tensor->ndim; i++) {
        const char *start = p;

        (void)extent(&p, dims);
        if (p - start == 2 && *start >= 'A' && *start <= 'Z' && dims->of[*start - 'A'] == 0)
            dims->of[*start - 'A'] = o->tensor->shape[i];
    }
}

static fpx_status refuse_shape(const fpx_call *call, const operand *o, const operand *operands,
                               size_t n, const char *want, fpx_error *err)
{
    char text[1024], one[TEXT];
    size_t at;

    describe(&o->tensor->format, o->tensor->ndim, o->tensor->shape, one);
    at = (size_t)snprintf(text, sizeof text, "%s is %s, but should be %s (pattern %s) beside",
                          o->name, one, want, o->pattern + 1);
    for (size_t i = 0; i < n && at < sizeof text; i++) {
        if (&operands[i] == o)
            continue;
        describe(&operands[i].tensor->format, operands[i].tensor->ndim, operands[i].tensor->shape,
                 one);
        at += (size_t)snprintf(text + at, sizeof text - at, " %s %s", operands[i].name, one);
    }
    return op_pattern_refuse(call, err, text);
}

static fpx_status check_shape(const fpx_call *call, const operand *o, const operand *operands,
                              size_t n, const operand *any, const op_dims *dims, fpx_error *err)
{
    uint64_t want[FPX_MAX_DIMS] = { 1, 1, 1, 1 };
    size_t ndim = o->tensor->ndim;
    const char *p = o->pattern + 2;
    char text[TEXT];

    if (*p == '*') {
        ndim = any->tensor->ndim;
        memcpy(want, any->tensor->shape, sizeof want);
    } else {
        for (size_t i = 0; i < ndim; i++)
            want[i] = extent(&p, dims);
    }
    if (o->tensor->ndim == ndim && memcmp(want, o->tensor->shape, ndim * sizeof want[0]) == 0)
        return FPX_OK;
    describe(NULL, ndim, want, text);
    return refuse_shape(call, o, operands, n, text, err);
}

static fpx_status check_shapes(const fpx_call *call, const operand *operands, size_t n,
                               op_dims *dims, fpx_error *err)
{
    const operand *any = NULL;

    for (size_t i = 0; i < n; i++) {
        const operand *o = &operands[i];

        if (o->pattern[2] == '*')
            any = any == NULL ? o : any;
        else if (o->tensor->ndim != extents(o->pattern))
            return refuse_shape(call, o, operands, n, o->pattern + 1, err);
        else
            bind_letters(o, dims);
    }
    for (size_t i = 0; i < n; i++) {
        const fpx_status status = check_shape(call, &operands[i], operands, n, any, dims, err);

        if (status != FPX_OK)
            return status;
    }
    return FPX_OK;
}

static fpx_status check_formats(const fpx_call *call, const operand *operands, size_t n,
                                fpx_error *err)
{
    const fpx_format *real = NULL;
    char text[512], one[TEXT];

    for (size_t i = 0; i < n; i++) {
        const operand *o = &operands[i];

        if (o->tensor->ndim > FPX_MAX_DIMS) {
            (void)snprintf(text, sizeof text, "%s has %u axes, at most %d are possible", o->name,
                           o->tensor->ndim, FPX_MAX_DIMS);
            return op_pattern_refuse(call, err, text);
        }
        describe(&o->tensor->format, o->tensor->ndim, o->tensor->shape, one);
        const size_t count = fpx_tensor_count(o->tensor);
        if (count == 0 || count == SIZE_MAX) {
            (void)snprintf(text, sizeof text, "%s is %s, which has no elements or too many",
                           o->name, one);
            return op_pattern_refuse(call, err, text);
        }
        const char *want = wrong_format(o, &real);
        if (want != NULL) {
            (void)snprintf(text, sizeof text, "%s is %s, but should be %s", o->name, one, want);
            return op_pattern_refuse(call, err, text);
        }
        want = wrong_scaling(o);
        if (want != NULL) {
            (void)snprintf(text, sizeof text, "%s is %s and %s", o->name, one, want);
            return op_pattern_refuse(call, err, text);
        }
    }
    return FPX_OK;
}

fpx_status fpx_call_check(const fpx_call *call, fpx_error *err)
{
    operand operands[FPX_MAX_IN + FPX_MAX_OUT];
    op_dims dims = { { 0 } };
    char text[TEXT];

    if (call->kind >= FPX_OP_KINDS)
        return fpx_error_set(err, FPX_EUNSUPPORTED, "operation kind %" PRIu32 " is unknown",
                             call->kind);
    const op_pattern *row = op_pattern_of(call->kind);
    if (call->nin < row->shape.min_in || call->nin > row->shape.max_in ||
        call->nout != row->shape.nout) {
        (void)snprintf(text, sizeof text,
                       "%" PRIu32 " inputs and %" PRIu32 " outputs, but it takes %u to %u and %u",
                       call->nin, call->nout, row->shape.min_in, row->shape.max_in,
                       row->shape.nout);
        return op_pattern_refuse(call, err, text);
    }
    const size_t n = collect(call, row, operands);
    fpx_status status = check_formats(call, operands, n, err);
    if (status == FPX_OK)
        status = check_shapes(call, operands, n, &dims, err);
    if (status == FPX_OK && row->attr != NULL)
        status = row->attr(call, &dims, err);
    return status;
}
