/* program.c - the list of named operations of one step: built once, checked as it grows, then only
 * read. Every tensor is written by at most one operation, so names say everything. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/opshape.h>
#include <fpx/optable.h>
#include <fpx/program.h>

#include "name_index.h"

struct fpx_program {
    fpx_program_tensor *tensors;
    size_t ntensors, tensor_room;
    fpx_program_op *ops;
    size_t nops, op_room;
    name_index tensor_names, op_names;
};

_Static_assert(offsetof(fpx_program_tensor, name) == 0 && offsetof(fpx_program_op, name) == 0,
               "name_index finds names where entries begin");

fpx_status fpx_program_new(fpx_program **ret_program)
{
    fpx_program *program = calloc(1, sizeof *program);

    if (program == NULL)
        return FPX_ENOMEM;
    *ret_program = program;
    return FPX_OK;
}

void fpx_program_free(fpx_program *program)
{
    if (program == NULL)
        return;
    free(program->tensors);
    free(program->ops);
    free(program->tensor_names.slots);
    free(program->op_names.slots);
    free(program);
}

/* The array with room for one more entry of `size` bytes; NULL: no memory, and the old one stays. Programs
 * have hundreds, so doubling is plenty. */
static void *reserve(void *array, size_t count, size_t *room, size_t size)
{
    const size_t more = *room == 0 ? 64 : 2 * *room;
    void *grown;

    if (count < *room)
        return array;
    if (more > SIZE_MAX / size || (grown = realloc(array, more * size)) == NULL)
        return NULL;
    *room = more;
    return grown;
}

static int name_is_good(const char *name)
{
    return name[0] != '\0' && memchr(name, '\0', FPX_NAME_MAX) != NULL;
}

uint32_t fpx_program_find_tensor(const fpx_program *program, const char *name)
{
    return name_index_find(&program->tensor_names, program->tensors, sizeof *program->tensors,
                           name);
}

uint32_t fpx_program_find_op(const fpx_program *program, const char *name)
{
    return name_index_find(&program->op_names, program->ops, sizeof *program->ops, name);
}

/* The levels of scaling that the scale tensor makes: its own format, then those it has itself. 0: its shape is not that
 * of the blocks. */
static int set_levels(const fpx_program *program, const fpx_program_tensor *tensor,
                      fpx_tensor *desc)
{
    const fpx_tensor *scale = &program->tensors[tensor->scale].desc;
    const fpx_scaling block = desc->scale[0];
    const int blocked = desc->nscales > 0;
    uint64_t grid[FPX_MAX_DIMS];

    desc->nscales = 1;
    memset(desc->scale, 0, sizeof desc->scale);
    desc->scale[0].format = scale->format;
    if (!blocked)
        return 1;
    memcpy(desc->scale[0].block, block.block, sizeof block.block);
    if (scale->nscales >= FPX_MAX_SCALES || scale->ndim != desc->ndim ||
        fpx_tensor_scales(desc, 0, grid) == SIZE_MAX ||
        memcmp(grid, scale->shape, sizeof grid) != 0)
        return 0;
    for (size_t level = 0; level < scale->nscales; level++)
        desc->scale[desc->nscales++] = scale->scale[level];
    return 1;
}

fpx_status fpx_program_add_tensor(fpx_program *program, const fpx_program_tensor *tensor,
                                  uint32_t *ret_index, fpx_error *err)
{
    fpx_program_tensor *tensors, *added;
    fpx_tensor desc = tensor->desc;

    if (!name_is_good(tensor->name))
        return fpx_error_set(err, FPX_EINVAL, "a tensor needs a name of 1 to %d characters",
                             FPX_NAME_MAX - 1);
    if (fpx_program_find_tensor(program, tensor->name) != FPX_NO_TENSOR)
        return fpx_error_set(err, FPX_EINVAL, "tensor %s: the name is taken", tensor->name);
    if (tensor->scale != FPX_NO_TENSOR && tensor->scale >= program->ntensors)
        return fpx_error_set(err, FPX_EINVAL, "tensor %s: its scale does not exist", tensor->name);
    if (tensor->unquantized != FPX_NO_TENSOR && tensor->unquantized >= program->ntensors)
        return fpx_error_set(err, FPX_EINVAL, "tensor %s: its unquantized source does not exist",
                             tensor->name);
    if (fpx_tensor_bytes(&tensor->desc) > SIZE_MAX / 2)
        return fpx_error_set(err, FPX_EINVAL, "tensor %s: its size overflows", tensor->name);
    if (tensor->scale != FPX_NO_TENSOR && !set_levels(program, tensor, &desc))
        return fpx_error_set(err, FPX_EINVAL, "tensor %s: its scales are not those of its blocks",
                             tensor->name);
    tensors = reserve(program->tensors, program->ntensors, &program->tensor_room, sizeof *tensors);
    if (tensors != NULL)
        program->tensors = tensors;
    if (tensors == NULL || !name_index_reserve(&program->tensor_names, tensors, sizeof *tensors))
        return fpx_error_set(err, FPX_ENOMEM, "tensor %s: out of memory", tensor->name);
    added = &tensors[program->ntensors];
    *added = *tensor;
    added->producer = FPX_NO_TENSOR;
    added->desc = desc;
    name_index_add(&program->tensor_names, tensors, sizeof *tensors);
    *ret_index = (uint32_t)program->ntensors++;
    return FPX_OK;
}

/* What an operation may read: step inputs, state not yet updated (but the optimizer the new scale of a state), and
 * outputs of earlier operations. */
static fpx_status check_inputs(const fpx_program *program, const fpx_program_op *op, fpx_error *err)
{
    for (uint32_t i = 0; i < op->nin; i++) {
        const fpx_program_tensor *t;

        if (op->in[i] >= program->ntensors)
            return fpx_error_set(err, FPX_EINVAL, "%s: input %u does not exist", op->name, i);
        t = &program->tensors[op->in[i]];
        if (fpx_tensor_class_lasts(t->cls)) {
            const int new_scale = t->cls == FPX_TENSOR_STATE_SCALE && op->role == FPX_OPTIMIZER;

            if (t->producer != FPX_NO_TENSOR && !new_scale)
                return fpx_error_set(err, FPX_EINVAL, "%s: reads %s after %s updated it", op->name,
                                     t->name, program->ops[t->producer].name);
        } else if (t->cls != FPX_TENSOR_INPUT && t->producer == FPX_NO_TENSOR) {
            return fpx_error_set(err, FPX_EINVAL, "%s: reads %s, which no operation wrote before",
                                 op->name, t->name);
        }
    }
    return FPX_OK;
}

static fpx_status check_outputs(const fpx_program *program, const fpx_program_op *op,
                                const fpx_op_shape *shape, fpx_error *err)
{
    for (uint32_t i = 0; i < op->nout; i++) {
        const fpx_program_tensor *t;
        const int in_place = (shape->in_place >> i) & 1;

        if (op->out[i] >= program->ntensors)
            return fpx_error_set(err, FPX_EINVAL, "%s: output %u does not exist", op->name, i);
        t = &program->tensors[op->out[i]];
        if (t->producer != FPX_NO_TENSOR || t->cls == FPX_TENSOR_INPUT)
            return fpx_error_set(err, FPX_EINVAL, "%s: writes %s, which is written already",
                                 op->name, t->name);
        const int state = fpx_tensor_class_lasts(t->cls);
        if (in_place && state && op->in[i] != op->out[i] &&
            fpx_tensor_class_lasts(program->tensors[op->in[i]].cls))
            return fpx_error_set(
                err, FPX_EINVAL,
                "%s: output %s must be input %u, in place, or that be of this step", op->name,
                t->name, i);
        if (!in_place && state && op->role != FPX_OPTIMIZER)
            return fpx_error_set(err, FPX_EINVAL,
                                 "%s: state %s is only updated in place, or by the optimizer",
                                 op->name, t->name);
    }
    return FPX_OK;
}

static void make_call(const fpx_program *program, const fpx_program_op *op, size_t index,
                      fpx_call *call)
{
    memset(call, 0, sizeof *call);
    call->struct_size = sizeof *call;
    call->kind = op->kind;
    call->role = op->role;
    call->op = (uint32_t)index;
    memcpy(call->name, op->name, sizeof call->name);
    call->nin = op->nin;
    call->nout = op->nout;
    for (uint32_t i = 0; i < op->nin; i++)
        call->in[i] = program->tensors[op->in[i]].desc;
    for (uint32_t i = 0; i < op->nout; i++)
        call->out[i] = program->tensors[op->out[i]].desc;
    call->attr = op->attr;
}

fpx_status fpx_program_add_op(fpx_program *program, const fpx_program_op *op, uint32_t *ret_index,
                              fpx_error *err)
{
    const fpx_op_shape *shape = fpx_op_shape_of((fpx_op_kind)op->kind);
    fpx_program_op *ops;
    fpx_call call;
    fpx_status status;

    if (!name_is_good(op->name) || fpx_program_find_op(program, op->name) != FPX_NO_TENSOR)
        return fpx_error_set(err, FPX_EINVAL, "operation '%.63s': the name is empty or taken",
                             op->name);
    if (shape == NULL || op->nin < shape->min_in || op->nin > shape->max_in ||
        op->nout != shape->nout)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: unknown kind, or %u inputs and %u outputs are wrong", op->name,
                             op->nin, op->nout);
    if ((status = check_inputs(program, op, err)) != FPX_OK ||
        (status = check_outputs(program, op, shape, err)) != FPX_OK)
        return status;
    make_call(program, op, program->nops, &call);
    if ((status = fpx_call_check(&call, err)) != FPX_OK)
        return status;
    ops = reserve(program->ops, program->nops, &program->op_room, sizeof *ops);
    if (ops != NULL)
        program->ops = ops;
    if (ops == NULL || !name_index_reserve(&program->op_names, ops, sizeof *ops))
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", op->name);
    ops[program->nops] = *op;
    name_index_add(&program->op_names, ops, sizeof *ops);
    assert(program->tensors != NULL); /* check_outputs found every output among them */
    for (uint32_t i = 0; i < op->nout; i++)
        program->tensors[op->out[i]].producer = (uint32_t)program->nops;
    *ret_index = (uint32_t)program->nops++;
    return FPX_OK;
}

size_t fpx_program_tensors(const fpx_program *program)
{
    return program->ntensors;
}

size_t fpx_program_ops(const fpx_program *program)
{
    return program->nops;
}

const fpx_program_tensor *fpx_program_tensor_at(const fpx_program *program, size_t index)
{
    return &program->tensors[index];
}

const fpx_program_op *fpx_program_op_at(const fpx_program *program, size_t index)
{
    return &program->ops[index];
}

void fpx_program_call(const fpx_program *program, size_t op, fpx_call *ret_call)
{
    make_call(program, &program->ops[op], op, ret_call);
}

static fpx_status widen_all(const fpx_program *program, const fpx_format *format, fpx_program *wide,
                            fpx_error *err)
{
    fpx_status status = FPX_OK;
    uint32_t index;

    for (size_t i = 0; i < program->ntensors && status == FPX_OK; i++) {
        fpx_program_tensor t = program->tensors[i];

        if (t.desc.format.cls == FPX_CLASS_FLOAT && t.desc.format.bits <= format->bits) {
            t.desc.format = *format;
            t.desc.packing = FPX_PACK_NONE;
        }
        t.desc.nscales = 0;
        t.scale = FPX_NO_TENSOR;
        status = fpx_program_add_tensor(wide, &t, &index, err);
    }
    for (size_t i = 0; i < program->nops && status == FPX_OK; i++) {
        fpx_program_op op = program->ops[i];

        if (op.kind == FPX_OP_SCALE)
            op.attr.scale.target = *format;
        if (op.kind == FPX_OP_SCALE_DELAYED)
            op.attr.delayed.target = *format;
        if (op.kind == FPX_OP_GEMM) /* a unit has its inputs' formats, which are gone */
            memset(op.attr.gemm.unit, 0, sizeof op.attr.gemm.unit);
        status = fpx_program_add_op(wide, &op, &index, err);
    }
    return status;
}

fpx_status fpx_program_widen(const fpx_program *program, const fpx_format *format,
                             fpx_program **ret_program, fpx_error *err)
{
    fpx_program *wide;
    fpx_status status;

    if (fpx_program_new(&wide) != FPX_OK)
        return fpx_error_set(err, FPX_ENOMEM, "widening a program: out of memory");
    if ((status = widen_all(program, format, wide, err)) != FPX_OK) {
        fpx_program_free(wide);
        return status;
    }
    *ret_program = wide;
    return FPX_OK;
}

/* The names are those of the other. */
static int copy_names(name_index *index, const name_index *from)
{
    *index = (name_index){ .slots = calloc(from->room + 1, sizeof *index->slots) };
    if (index->slots == NULL)
        return 0;
    index->room = from->room;
    index->count = from->count;
    if (from->room > 0)
        memcpy(index->slots, from->slots, from->room * sizeof *index->slots);
    return 1;
}

static fpx_status edit(fpx_program *p, const fpx_program *from, const fpx_attr *attrs,
                       fpx_error *err)
{
    fpx_status status = FPX_OK;

    p->tensors = malloc((from->ntensors + 1) * sizeof *p->tensors);
    p->ops = malloc((from->nops + 1) * sizeof *p->ops);
    if (p->tensors == NULL || p->ops == NULL ||
        !copy_names(&p->tensor_names, &from->tensor_names) ||
        !copy_names(&p->op_names, &from->op_names))
        return fpx_error_set(err, FPX_ENOMEM, "a program: out of memory");
    p->tensor_room = (p->ntensors = from->ntensors) + 1;
    p->op_room = (p->nops = from->nops) + 1;
    memcpy(p->tensors, from->tensors, from->ntensors * sizeof *p->tensors);
    memcpy(p->ops, from->ops, from->nops * sizeof *p->ops);
    for (size_t i = 0; i < p->nops && status == FPX_OK; i++) {
        fpx_call call;

        p->ops[i].attr = attrs[i];
        make_call(p, &p->ops[i], i, &call);
        status = fpx_call_check(&call, err);
    }
    return status;
}

fpx_status fpx_program_edit(const fpx_program *program, const fpx_attr *attrs,
                            fpx_program **ret_program, fpx_error *err)
{
    fpx_program *edited;
    fpx_status status;

    if (fpx_program_new(&edited) != FPX_OK)
        return fpx_error_set(err, FPX_ENOMEM, "a program: out of memory");
    if ((status = edit(edited, program, attrs, err)) != FPX_OK) {
        fpx_program_free(edited);
        return status;
    }
    *ret_program = edited;
    return FPX_OK;
}

void fpx_program_flops(const fpx_program *program, double *ret_gemm, double *ret_all)
{
    double gemm = 0.0, all = 0.0;

    for (size_t i = 0; i < program->nops; i++) {
        fpx_call call;
        double flops;

        make_call(program, &program->ops[i], i, &call);
        flops = fpx_op_info_of((fpx_op_kind)call.kind)->flops(&call);
        all += flops;
        if (call.kind == FPX_OP_GEMM)
            gemm += flops;
    }
    *ret_gemm = gemm;
    *ret_all = all;
}
