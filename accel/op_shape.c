/* op_shape.c - is a call what its kind takes? A table of patterns, one checker: after it, every extent
 * that an operation reads is consistent and every size fits size_t. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "op_run.h"

/* A pattern is a format and the extents of a shape, "r BT 3HD":
 *   i int32   d fp64   r fp32 or fp64, the same for all of the call   g any float   q any float
 * (g of fp64 needs a call in fp64). An extent is a product of a digit and letters; a letter stands for
 * the same extent everywhere. "*" is any shape, the same at every "*". */
typedef struct shape_row {
    uint8_t min_in, max_in, nout, in_place;
    const char *in[FPX_MAX_IN], *out[FPX_MAX_OUT];
} shape_row;

static const shape_row rows[FPX_OP_KINDS] = {
    [FPX_OP_EMBED] = { 2, 2, 1, 0, { "i M", "r V C" }, { "r M C" } },
    [FPX_OP_EMBED_GRAD] = { 2, 2, 1, 0, { "i M", "r M C" }, { "r V C" } },
    [FPX_OP_RMSNORM] = { 2, 2, 2, 0, { "r M C", "r C" }, { "r M C", "r M" } },
    [FPX_OP_RMSNORM_GRAD] = { 4, 4, 2, 0, { "r M C", "r C", "r M", "r M C" }, { "r M C", "r C" } },
    [FPX_OP_GEMM] = { 2, 2, 1, 0, { "g M K", "g K N" }, { "r M N" } },
    [FPX_OP_ROPE] = { 1, 1, 3, 0, { "r BT 3HD" }, { "r B H T D", "r B H T D", "r B H T D" } },
    [FPX_OP_ROPE_GRAD] = { 3, 3, 1, 0, { "r B H T D", "r B H T D", "r B H T D" }, { "r BT 3HD" } },
    [FPX_OP_SOFTMAX] = { 1, 1, 1, 0, { "r B H T T" }, { "r B H T T" } },
    [FPX_OP_SOFTMAX_GRAD] = { 2, 2, 1, 0, { "r B H T T", "r B H T T" }, { "r B H T T" } },
    [FPX_OP_MERGE_HEADS] = { 1, 1, 1, 0, { "r B H T D" }, { "r BT HD" } },
    [FPX_OP_SPLIT_HEADS] = { 1, 1, 1, 0, { "r BT HD" }, { "r B H T D" } },
    [FPX_OP_SWIGLU] = { 1, 1, 1, 0, { "r M 2F" }, { "r M F" } },
    [FPX_OP_SWIGLU_GRAD] = { 2, 2, 1, 0, { "r M 2F", "r M F" }, { "r M 2F" } },
    [FPX_OP_GELU] = { 1, 1, 1, 0, { "r M F" }, { "r M F" } },
    [FPX_OP_GELU_GRAD] = { 2, 2, 1, 0, { "r M F", "r M F" }, { "r M F" } },
    [FPX_OP_ADD] = { 2, 2, 1, 0, { "r *", "r *" }, { "r *" } },
    [FPX_OP_XENT] = { 2, 2, 2, 0, { "r M V", "i M" }, { "r 1", "r M" } },
    [FPX_OP_XENT_GRAD] = { 3, 3, 1, 0, { "r M V", "i M", "r M" }, { "r M V" } },
    [FPX_OP_SCALE] = { 1, 1, 1, 0, { "r *" }, { "r 2" } },
    [FPX_OP_QUANTIZE] = { 1, 2, 1, 0, { "r *", "r 2" }, { "q *" } },
    [FPX_OP_SUMSQ] = { 1, 2, 1, 0, { "r *", "d 1" }, { "d 1" } },
    [FPX_OP_CLIP] = { 1, 1, 2, 0, { "d 1" }, { "r 1", "r 1" } },
    [FPX_OP_ADAMW] = { 6,
                       6,
                       3,
                       7,
                       { "r *", "r *", "r *", "r *", "r 1", "r 3" },
                       { "r *", "r *", "r *" } },
};

/* [batched][transposed] */
static const char *const gemm_a[2][2] = { { "g M K", "g K M" }, { "g P Q M K", "g P Q K M" } };
static const char *const gemm_b[2][2] = { { "g K N", "g N K" }, { "g P Q K N", "g P Q N K" } };
static const char *const gemm_d[2] = { "r M N", "r P Q M N" };

typedef struct shape_check {
    const op_run *run;
    const fpx_tensor *tensor[FPX_MAX_IN + FPX_MAX_OUT];
    const char *pattern[FPX_MAX_IN + FPX_MAX_OUT];
    size_t n;
    uint64_t dims[26];     /* bound to the letters, 0: not yet */
    const fpx_tensor *any; /* the first "*" */
    const fpx_tensor *real;
} shape_check;

fpx_status op_refuse(const op_run *run, fpx_status status, const char *format, ...)
{
    va_list list;
    int at;

    if (run->text == NULL || run->text_size == 0)
        return status;
    at =
        snprintf(run->text, run->text_size, "%.*s: ", (int)sizeof run->call->name, run->call->name);
    if (at < 0 || (size_t)at >= run->text_size)
        return status;
    va_start(list, format);
    (void)vsnprintf(run->text + at, run->text_size - (size_t)at, format, list);
    va_end(list);
    return status;
}

size_t op_times(size_t a, size_t b)
{
    return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

size_t op_plus(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

size_t op_line(size_t bytes)
{
    return bytes > SIZE_MAX - 63 ? SIZE_MAX : (bytes + 63) / 64 * 64;
}

unsigned op_in_place(uint32_t kind)
{
    return rows[kind].in_place;
}

const fpx_tensor *op_real_tensor(const fpx_call *call)
{
    const shape_row *row = &rows[call->kind];

    for (uint32_t i = 0; i < call->nin; i++)
        if (row->in[i][0] == 'r')
            return &call->in[i];
    return &call->out[0];
}

static fpx_status collect(shape_check *c)
{
    const fpx_call *call = c->run->call;
    const shape_row *row = &rows[call->kind];

    if (call->nin < row->min_in || call->nin > row->max_in || call->nout != row->nout)
        return op_refuse(c->run, FPX_EINVAL,
                         "%" PRIu32 " inputs and %" PRIu32 " outputs, but it takes %u to %u and %u",
                         call->nin, call->nout, row->min_in, row->max_in, row->nout);
    for (uint32_t i = 0; i < call->nin + call->nout; i++) {
        const int output = i >= call->nin;

        c->tensor[i] = output ? &call->out[i - call->nin] : &call->in[i];
        c->pattern[i] = output ? row->out[i - call->nin] : row->in[i];
    }
    c->n = call->nin + call->nout;
    c->real = op_real_tensor(call);
    if (call->kind == FPX_OP_GEMM) {
        const int batched = call->in[0].ndim == 4;

        if (call->attr.gemm.trans_a > 1 || call->attr.gemm.trans_b > 1)
            return op_refuse(c->run, FPX_EINVAL, "trans_a and trans_b are 0 or 1");
        c->pattern[0] = gemm_a[batched][call->attr.gemm.trans_a];
        c->pattern[1] = gemm_b[batched][call->attr.gemm.trans_b];
        c->pattern[2] = gemm_d[batched];
    }
    return FPX_OK;
}

static const char *tensor_label(const shape_check *c, size_t i, char label[16])
{
    const uint32_t nin = c->run->call->nin;

    (void)snprintf(label, 16, "%s[%zu]", i < nin ? "in" : "out", i < nin ? i : i - nin);
    return label;
}

/* NULL where the format is right, else what it should be. */
static const char *wrong_format(const shape_check *c, size_t i)
{
    const fpx_format *format = &c->tensor[i]->format;

    switch (c->pattern[i][0]) {
    case 'i':
        return fpx_format_equal(format, &fpx_int32) ? NULL : "int32";
    case 'd':
        return fpx_format_equal(format, &fpx_fp64) ? NULL : "fp64";
    case 'r':
        if (!fpx_format_equal(format, &fpx_fp32) && !fpx_format_equal(format, &fpx_fp64))
            return "fp32 or fp64";
        return fpx_format_equal(format, &c->real->format) ? NULL : "the call's other real format";
    default:
        if (!fpx_format_is_valid(format) || format->cls != FPX_CLASS_FLOAT)
            return "a floating-point format";
        if (c->pattern[i][0] == 'g' && format->bits == 64 && c->real->format.bits != 64)
            return "at most 32 bits wide in an fp32 call";
        return NULL;
    }
}

static fpx_status check_tensor(const shape_check *c, size_t i)
{
    const fpx_tensor *t = c->tensor[i];
    char label[16];

    (void)tensor_label(c, i, label);
    if (t->ndim > FPX_MAX_DIMS || t->nscales > FPX_MAX_SCALES)
        return op_refuse(c->run, FPX_EINVAL, "%s has %u axes and %u levels of scales", label,
                         t->ndim, t->nscales);
    const char *want = wrong_format(c, i);
    if (want != NULL)
        return op_refuse(c->run, FPX_EINVAL, "%s is %.*s, but should be %s", label,
                         (int)sizeof t->format.name, t->format.name, want);
    for (size_t axis = 0; axis < t->ndim; axis++)
        if (t->shape[axis] == 0)
            return op_refuse(c->run, FPX_EINVAL, "%s has no elements", label);
    if (fpx_tensor_bytes(t) == SIZE_MAX)
        return op_refuse(c->run, FPX_EINVAL, "%s is larger than any memory", label);
    return FPX_OK;
}

static fpx_status check_layout(const shape_check *c, size_t i)
{
    const fpx_tensor *t = c->tensor[i];
    char label[16];

    if (!fpx_tensor_is_dense(t) || (t->packing != FPX_PACK_NONE && t->format.bits < 8))
        return op_refuse(c->run, FPX_EUNSUPPORTED,
                         "%s is strided or packed; this device takes dense, unpacked tensors",
                         tensor_label(c, i, label));
    return FPX_OK;
}

/* The product of an extent's digit and letters; *p moves past it. 0: a letter is not bound. *single
 * is the letter that stands alone, else 0. */
static uint64_t extent(const shape_check *c, const char **p, char *single)
{
    const char *s = *p;
    uint64_t product = 1;

    *single = '\0';
    if (s[0] >= 'A' && (s[1] == ' ' || s[1] == '\0'))
        *single = s[0];
    for (; *s != ' ' && *s != '\0'; s++)
        product = op_times(product, *s >= 'A' ? c->dims[*s - 'A'] : (uint64_t)(*s - '0'));
    *p = *s == ' ' ? s + 1 : s;
    return product;
}

/* Pass 0 binds letters that stand alone, pass 1 compares. 0 where the shape does not fit. */
static int fits(shape_check *c, size_t i, int pass)
{
    const fpx_tensor *t = c->tensor[i];
    const char *p = c->pattern[i] + 2;
    size_t axis = 0;

    if (*p == '*') {
        if (c->any == NULL)
            c->any = t;
        return t->ndim == c->any->ndim &&
               memcmp(t->shape, c->any->shape, t->ndim * sizeof t->shape[0]) == 0;
    }
    for (; *p != '\0'; axis++) {
        char single;
        const uint64_t want = extent(c, &p, &single);

        if (axis >= t->ndim)
            return 0;
        if (pass == 0 && single != '\0' && c->dims[single - 'A'] == 0)
            c->dims[single - 'A'] = t->shape[axis];
        else if (pass == 1 && want != t->shape[axis])
            return 0;
    }
    return axis == t->ndim;
}

static fpx_status refuse_shape(const shape_check *c, size_t i)
{
    const fpx_tensor *t = c->tensor[i];
    char label[16], text[4 * 21 + 1] = "";
    size_t at = 0;

    for (size_t axis = 0; axis < t->ndim; axis++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%" PRIu64, axis > 0 ? "," : "",
                               t->shape[axis]);
    return op_refuse(c->run, FPX_EINVAL, "%s is [%s], which does not fit [%s] beside the others",
                     tensor_label(c, i, label), text, c->pattern[i] + 2);
}

static uint64_t dim(const shape_check *c, char letter)
{
    return c->dims[letter - 'A'];
}

static int finite_not_negative(double x)
{
    return isfinite(x) && x >= 0.0;
}

/* NULL, or what is wrong with the attributes. */
static const char *wrong_attr(const shape_check *c)
{
    const fpx_attr *a = &c->run->call->attr;

    switch (c->run->call->kind) {
    case FPX_OP_GEMM:
        return a->gemm.leaf == 0 || dim(c, 'K') % a->gemm.leaf == 0 ? NULL
                                                                    : "leaf does not divide k";
    case FPX_OP_RMSNORM:
        return finite_not_negative(a->rmsnorm.eps) ? NULL : "eps is not a finite number >= 0";
    case FPX_OP_RMSNORM_GRAD:
        return a->rmsnorm.leaf == 0 || dim(c, 'M') % a->rmsnorm.leaf == 0
                   ? NULL
                   : "leaf does not divide M";
    case FPX_OP_EMBED_GRAD:
    case FPX_OP_XENT:
        return a->tokens.leaf == 0 || dim(c, 'M') % a->tokens.leaf == 0 ? NULL
                                                                        : "leaf does not divide M";
    case FPX_OP_ROPE:
    case FPX_OP_ROPE_GRAD:
        if (!isfinite(a->rope.base) || a->rope.base <= 0.0)
            return "base is not a finite number > 0";
        return dim(c, 'D') % 2 == 0 ? NULL : "the head width D is odd";
    case FPX_OP_SOFTMAX:
    case FPX_OP_SOFTMAX_GRAD:
        return isfinite(a->softmax.scale) && a->softmax.causal <= 1
                   ? NULL
                   : "scale is not finite, or causal is not 0 or 1";
    case FPX_OP_SCALE:
        return a->scale.rule == FPX_SCALE_CURRENT && fpx_format_is_valid(&a->scale.target) &&
                       a->scale.target.cls == FPX_CLASS_FLOAT
                   ? NULL
                   : "the rule is unknown, or the target is no floating-point format";
    case FPX_OP_CLIP:
        return finite_not_negative(a->clip.max_norm) ? NULL
                                                     : "max_norm is not a finite number >= 0";
    case FPX_OP_ADAMW:
        return finite_not_negative(a->adamw.beta1) && a->adamw.beta1 < 1.0 &&
                       finite_not_negative(a->adamw.beta2) && a->adamw.beta2 < 1.0 &&
                       finite_not_negative(a->adamw.eps) &&
                       finite_not_negative(a->adamw.weight_decay)
                   ? NULL
                   : "a beta is not in [0, 1), or eps or weight_decay is not a finite number >= 0";
    default:
        return NULL;
    }
}

fpx_status op_check_shape(const op_run *run)
{
    shape_check c = { .run = run };
    fpx_status status;

    if (run->call->kind >= FPX_OP_KINDS)
        return op_refuse(run, FPX_EUNSUPPORTED, "operation kind %" PRIu32 " is unknown here",
                         run->call->kind);
    if ((status = collect(&c)) != FPX_OK)
        return status;
    for (size_t i = 0; i < c.n; i++)
        if ((status = check_tensor(&c, i)) != FPX_OK)
            return status;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < c.n; i++)
            if (!fits(&c, i, pass))
                return refuse_shape(&c, i);
    for (size_t i = 0; i < c.n; i++)
        if ((status = check_layout(&c, i)) != FPX_OK)
            return status;
    const char *wrong = wrong_attr(&c);
    return wrong == NULL ? FPX_OK : op_refuse(run, FPX_EINVAL, "%s", wrong);
}

fpx_status op_check_ids(const op_run *run, const int32_t *ids, size_t n, uint64_t limit,
                        int negative)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 ? !negative : (uint64_t)ids[i] >= limit)
            return op_refuse(run, FPX_EINVAL, "id %" PRId32 " at %zu is not below %" PRIu64, ids[i],
                             i, limit);
    return FPX_OK;
}
