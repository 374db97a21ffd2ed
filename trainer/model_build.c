/* model_build.c - how the program grows: tensors and operations by name, a product's matrix unit, random bits. */
#include "model_build.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sites.h"

fpx_status build_name_status(build *b, int length, const char *what)
{
    if (length >= 0 && length < FPX_NAME_MAX)
        return FPX_OK;
    return b->status = fpx_error_set(b->err, FPX_EINVAL,
                                     "%s: its name, or one that begins with it, is longer than %d "
                                     "characters: take a smaller data.accumulate or model.layers",
                                     what, FPX_NAME_MAX - 1);
}

uint32_t build_tensor(build *b, int layer, fpx_tensor_class cls, const fpx_format *format,
                      const uint64_t dims[FPX_MAX_DIMS], const char *format_name, ...)
{
    fpx_program_tensor t = {
        .cls = cls, .layer = layer, .scale = FPX_NO_TENSOR, .unquantized = FPX_NO_TENSOR
    };
    uint32_t index = FPX_NO_TENSOR;
    size_t ndim = 0;
    va_list args;
    int length;

    if (b->status != FPX_OK)
        return FPX_NO_TENSOR;
    va_start(args, format_name);
    length = vsnprintf(t.name, sizeof t.name, format_name, args);
    va_end(args);
    while (ndim < FPX_MAX_DIMS && dims[ndim] != 0)
        ndim++;
    if (build_name_status(b, length, t.name) != FPX_OK)
        return FPX_NO_TENSOR;
    if (fpx_tensor_make(format, ndim, dims, &t.desc) != FPX_OK)
        b->status = fpx_error_set(b->err, FPX_EINVAL, "%s: impossible shape", t.name);
    else
        b->status = fpx_program_add_tensor(b->program, &t, &index, b->err);
    return index;
}

/* A product's unit, if the recipe names one; a unit sums without leaves. */
static fpx_status set_unit(build *b, fpx_program_op *op)
{
    const char *unit = NULL, *const slash = strrchr(op->name, '/');
    const char *const own = op->name + strlen(b->prefix);
    const char *const site = op->layer < 0 ? own : strchr(own, '/') + 1;
    char name[FPX_NAME_MAX];
    fpx_status status;

    (void)snprintf(name, sizeof name, "%.*s", (int)(slash - site), site);
    status = fpx_recipe_unit(b->recipe, op->layer, b->layers, name, (fpx_role)op->role, b->used,
                             &unit, b->err);
    if (status == FPX_OK && unit != NULL) {
        memcpy(op->attr.gemm.unit, unit, strlen(unit) + 1);
        op->attr.gemm.leaf = 0;
    }
    return status;
}

void build_op(build *b, int layer, fpx_op_kind kind, fpx_role role, const char *site,
              const char *suffix, const uint32_t *in, const uint32_t *out, const fpx_attr *attr)
{
    fpx_program_op op = { .kind = kind, .role = role, .layer = layer };
    uint32_t index;

    if (b->status != FPX_OK ||
        build_name_status(b, snprintf(op.name, sizeof op.name, "%s/%s", site, suffix), site) !=
            FPX_OK)
        return;
    for (; op.nin < FPX_MAX_IN && in[op.nin] != FPX_NO_TENSOR; op.nin++)
        op.in[op.nin] = in[op.nin];
    for (; op.nout < FPX_MAX_OUT && out[op.nout] != FPX_NO_TENSOR; op.nout++)
        op.out[op.nout] = out[op.nout];
    if (attr != NULL)
        op.attr = *attr;
    if (kind == FPX_OP_GEMM && (b->status = set_unit(b, &op)) != FPX_OK)
        return;
    b->status = fpx_program_add_op(b->program, &op, &index, b->err);
}

void build_shared_site(int layer, const char *op, char ret_site[FPX_NAME_MAX])
{
    if (layer < 0)
        (void)snprintf(ret_site, FPX_NAME_MAX, "%s", op);
    else
        (void)snprintf(ret_site, FPX_NAME_MAX, "layer.%d/%s", layer, op);
}

void build_site(const build *b, int layer, const char *op, char ret_site[FPX_NAME_MAX])
{
    char shared[FPX_NAME_MAX];

    build_shared_site(layer, op, shared);
    (void)snprintf(ret_site, FPX_NAME_MAX, "%s%.*s", b->prefix,
                   (int)(FPX_NAME_MAX - sizeof b->prefix), shared);
}

uint32_t build_of_micro(build *b, fpx_tensor_class cls, const fpx_format *format,
                        const uint64_t *dims, const char *name)
{
    return build_tensor(b, -1, cls, format, dims, "%s%s", b->prefix, name);
}

uint64_t build_random_site(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return hash | SITE_NAMED;
}

int build_is_own(const build *b, uint32_t tensor)
{
    const size_t length = strlen(b->prefix);

    return length > 0 &&
           strncmp(fpx_program_tensor_at(b->program, tensor)->name, b->prefix, length) == 0;
}

uint32_t build_draw(build *b, uint32_t micro)
{
    uint32_t *draw = &b->micros[micro].draw;

    if (*draw == FPX_NO_TENSOR && b->accumulate > 1)
        *draw = build_tensor(b, -1, FPX_TENSOR_INPUT, &fpx_int32, DIMS(2), "micro.%u/draw", micro);
    else if (*draw == FPX_NO_TENSOR)
        *draw = build_tensor(b, -1, FPX_TENSOR_INPUT, &fpx_int32, DIMS(2), "draw");
    return *draw;
}
