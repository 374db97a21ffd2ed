/* exec.c - runs a step program: each operation on the first device that takes it, in an arena that is
 * planned once; observers look after each operation. Nothing is allocated during a step. */
#include <stdlib.h>
#include <string.h>

#include <fpx/exec.h>
#include <fpx/opshape.h>

#include "plan.h"

typedef struct exec_device {
    fpx_device *device;
    uint32_t buffer; /* the arena adopted, or a buffer of the same size */
    int staged;      /* the device cannot see the arena: write before, read after */
} exec_device;

typedef struct exec_op {
    fpx_call call;
    exec_device *on;
    uint64_t kept[FPX_MAX_IN]; /* offset of the copy of an overwritten input, else of the input */
} exec_op;

struct fpx_exec {
    const fpx_program *program;
    exec_device *devices;
    size_t ndevices;
    exec_op *ops;
    uint64_t *offsets; /* of tensors in the arena */
    step_span *spans;
    fpx_arena *arena;
    uint64_t bytes; /* of the arena */
    char *base;     /* its address */
    fpx_observer *observers;
    size_t nobservers;
    unsigned keep;
};

/* Bytes from a scale tensor's start to what decodes: of scale[2] the second element, of blocks' scales the first. */
static uint64_t decode_offset(const fpx_tensor *scale)
{
    return scale->ndim == 1 ? fpx_format_size(&scale->format) : 0;
}

/* Places of a call's tensors and their scales, level by level: offsets of the plan in the device's buffer. */
static void set_places(const fpx_exec *exec, size_t index)
{
    const fpx_program_op *op = fpx_program_op_at(exec->program, index);
    exec_op *e = &exec->ops[index];

    for (uint32_t i = 0; i < op->nin + op->nout; i++) {
        const uint32_t id = i < op->nin ? op->in[i] : op->out[i - op->nin];
        fpx_tensor *t = i < op->nin ? &e->call.in[i] : &e->call.out[i - op->nin];
        uint32_t scale = fpx_program_tensor_at(exec->program, id)->scale;

        t->place.buffer = e->on->buffer;
        t->place.offset = exec->offsets[id];
        for (size_t level = 0; level < t->nscales; level++) {
            const fpx_program_tensor *s = fpx_program_tensor_at(exec->program, scale);

            t->scale[level].place.buffer = e->on->buffer;
            t->scale[level].place.offset = exec->offsets[scale] + decode_offset(&s->desc);
            scale = s->scale;
        }
    }
}

/* Where observers find the inputs: in-place operations get a copy behind the planned arena. Returns
 * the bytes that this operation's copies take. */
static uint64_t place_kept(const fpx_exec *exec, size_t index, uint64_t end)
{
    const fpx_program_op *op = fpx_program_op_at(exec->program, index);
    const fpx_op_shape *shape = fpx_op_shape_of((fpx_op_kind)op->kind);
    uint64_t used = 0;

    for (uint32_t i = 0; i < op->nin; i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(exec->program, op->in[i]);

        exec->ops[index].kept[i] = exec->offsets[op->in[i]];
        if (((shape->in_place >> i) & 1) && op->in[i] == op->out[i] &&
            (exec->keep & FPX_KEEP_INPUTS)) {
            exec->ops[index].kept[i] = end + used;
            used += (fpx_tensor_bytes(&t->desc) + 63) / 64 * 64;
        }
    }
    return used;
}

/* What a device says behind the operation's name, which it says once or twice. */
static const char *reason(const char *text, const char *name)
{
    for (const char *at; (at = strstr(text, name)) != NULL; text = at + strlen(name))
        ;
    return text + strspn(text, "': ");
}

static fpx_status choose_device(fpx_exec *exec, size_t index, fpx_error *err)
{
    exec_op *e = &exec->ops[index];
    fpx_error why = { 0 }; /* of the last device, the one with all operations */

    fpx_program_call(exec->program, index, &e->call);
    for (size_t d = 0; d < exec->ndevices; d++) {
        const fpx_status status = fpx_device_prepare(exec->devices[d].device, &e->call, &why);

        if (status == FPX_OK) {
            e->on = &exec->devices[d];
            return FPX_OK;
        }
        if (status != FPX_EUNSUPPORTED)
            return fpx_error_set(err, status, "%s", why.text);
    }
    return fpx_error_set(err, FPX_EUNSUPPORTED, "%s: no device offers %s with these formats%s%s",
                         e->call.name, fpx_op_shape_of((fpx_op_kind)e->call.kind)->name,
                         why.text[0] == '\0' ? "" : ": ", reason(why.text, e->call.name));
}

static fpx_status open_memory(fpx_exec *exec, fpx_error *err)
{
    fpx_status status = fpx_arena_new(exec->bytes, &exec->arena, err);

    if (status != FPX_OK)
        return status;
    exec->base = fpx_arena_address(exec->arena);
    for (size_t d = 0; d < exec->ndevices; d++) {
        exec_device *on = &exec->devices[d];

        status = fpx_device_adopt(on->device, exec->arena, &on->buffer, err);
        if (status == FPX_EUNSUPPORTED) {
            on->staged = 1;
            status = fpx_device_alloc(on->device, fpx_arena_bytes(exec->arena), &on->buffer, err);
        }
        if (status != FPX_OK)
            return status;
    }
    return FPX_OK;
}

static fpx_status build(fpx_exec *exec, fpx_device *const *devices, fpx_error *err)
{
    const size_t nops = fpx_program_ops(exec->program);
    uint64_t end = 0, extra = 0;
    fpx_status status;

    exec->devices = calloc(exec->ndevices, sizeof *exec->devices);
    exec->ops = calloc(nops + 1, sizeof *exec->ops);
    exec->offsets = calloc(fpx_program_tensors(exec->program) + 1, sizeof *exec->offsets);
    exec->spans = calloc(fpx_program_tensors(exec->program) + 1, sizeof *exec->spans);
    if (exec->devices == NULL || exec->ops == NULL || exec->offsets == NULL ||
        exec->spans == NULL ||
        step_plan(exec->program, exec->keep, exec->offsets, exec->spans, &end) != FPX_OK)
        return fpx_error_set(err, FPX_ENOMEM, "planning a step: out of memory");
    for (size_t d = 0; d < exec->ndevices; d++)
        exec->devices[d].device = devices[d];
    for (size_t i = 0; i < nops; i++) {
        if ((status = choose_device(exec, i, err)) != FPX_OK)
            return status;
        const uint64_t used = place_kept(exec, i, end);
        if (used > extra)
            extra = used;
    }
    exec->bytes = end + extra > 0 ? end + extra : 64;
    if (exec->keep & FPX_PLAN_ONLY)
        return FPX_OK;
    if ((status = open_memory(exec, err)) != FPX_OK)
        return status;
    for (size_t i = 0; i < nops; i++)
        set_places(exec, i);
    return FPX_OK;
}

fpx_status fpx_exec_new(const fpx_program *program, fpx_device *const *devices, size_t ndevices,
                        unsigned keep, fpx_exec **ret_exec, fpx_error *err)
{
    fpx_exec *exec;
    fpx_status status;

    if (ndevices == 0)
        return fpx_error_set(err, FPX_EINVAL, "an executor needs at least one device");
    if ((exec = calloc(1, sizeof *exec)) == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "executor: out of memory");
    exec->program = program;
    exec->ndevices = ndevices;
    exec->keep = keep;
    if ((status = build(exec, devices, err)) != FPX_OK) {
        fpx_exec_free(exec);
        return status;
    }
    *ret_exec = exec;
    return FPX_OK;
}

void fpx_exec_free(fpx_exec *exec)
{
    if (exec == NULL)
        return;
    for (size_t d = 0; exec->devices != NULL && d < exec->ndevices; d++)
        if (exec->devices[d].buffer != 0)
            fpx_device_release(exec->devices[d].device, exec->devices[d].buffer);
    fpx_arena_free(exec->arena);
    free(exec->devices);
    free(exec->ops);
    free(exec->offsets);
    free(exec->spans);
    free(exec->observers);
    free(exec);
}

fpx_status fpx_exec_attach(fpx_exec *exec, const fpx_observer *observer)
{
    fpx_observer *grown =
        realloc(exec->observers, (exec->nobservers + 1) * sizeof *exec->observers);

    if (grown == NULL)
        return FPX_ENOMEM;
    exec->observers = grown;
    exec->observers[exec->nobservers++] = *observer;
    return FPX_OK;
}

void *fpx_exec_data(const fpx_exec *exec, uint32_t tensor)
{
    return exec->base + exec->offsets[tensor];
}

void fpx_exec_span(const fpx_exec *exec, uint32_t tensor, uint32_t *ret_first, uint32_t *ret_last)
{
    *ret_first = exec->spans[tensor].first;
    *ret_last = exec->spans[tensor].last;
}

double fpx_exec_scale(const fpx_exec *exec, uint32_t tensor)
{
    const uint32_t scale = fpx_program_tensor_at(exec->program, tensor)->scale;
    const fpx_tensor *desc;
    const char *at;

    if (scale == FPX_NO_TENSOR)
        return 1.0;
    desc = &fpx_program_tensor_at(exec->program, scale)->desc;
    if (desc->ndim != 1)
        return 1.0;
    at = (const char *)fpx_exec_data(exec, scale) + decode_offset(desc);
    if (desc->format.bits == 64) {
        double value;
        memcpy(&value, at, sizeof value);
        return value;
    }
    float value;
    memcpy(&value, at, sizeof value);
    return (double)value;
}

const fpx_program *fpx_exec_program(const fpx_exec *exec)
{
    return exec->program;
}

const char *fpx_exec_op_device(const fpx_exec *exec, uint32_t op)
{
    return fpx_device_name(exec->ops[op].on->device);
}

uint64_t fpx_exec_arena_bytes(const fpx_exec *exec)
{
    return exec->bytes;
}

/* Moves one tensor, and its scales, between the arena and a device that cannot see it. */
static fpx_status stage(const fpx_exec *exec, const exec_op *e, const fpx_tensor *t, int to_device,
                        fpx_error *err)
{
    const uint64_t bytes = fpx_tensor_bytes(t), offset = t->place.offset;
    fpx_status status;

    if (!to_device)
        return fpx_device_read(e->on->device, e->on->buffer, offset, exec->base + offset, bytes,
                               err);
    status =
        fpx_device_write(e->on->device, e->on->buffer, offset, exec->base + offset, bytes, err);
    for (size_t level = 0; level < t->nscales && status == FPX_OK; level++) {
        const uint64_t at = t->scale[level].place.offset;
        uint64_t grid[FPX_MAX_DIMS];

        status = fpx_device_write(
            e->on->device, e->on->buffer, at, exec->base + at,
            fpx_tensor_scales(t, level, grid) * fpx_format_size(&t->scale[level].format), err);
    }
    return status;
}

static fpx_status run(const fpx_exec *exec, exec_op *e, fpx_error *err)
{
    fpx_status status = FPX_OK;

    if (!e->on->staged)
        return fpx_device_run(e->on->device, &e->call, err);
    for (uint32_t i = 0; i < e->call.nin && status == FPX_OK; i++)
        status = stage(exec, e, &e->call.in[i], 1, err);
    if (status == FPX_OK)
        status = fpx_device_run(e->on->device, &e->call, err);
    for (uint32_t i = 0; i < e->call.nout && status == FPX_OK; i++)
        status = stage(exec, e, &e->call.out[i], 0, err);
    return status;
}

static fpx_status show(const fpx_exec *exec, uint32_t index, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(exec->program, index);
    const exec_op *e = &exec->ops[index];
    fpx_op_view view = { .program = exec->program,
                         .exec = exec,
                         .op = index,
                         .step = e->call.step,
                         .device = fpx_device_name(e->on->device) };

    for (uint32_t i = 0; i < op->nin; i++)
        view.in[i] = exec->base + e->kept[i];
    for (uint32_t i = 0; i < op->nout; i++)
        view.out[i] = exec->base + exec->offsets[op->out[i]];
    for (size_t k = 0; k < exec->nobservers; k++) {
        const fpx_observer *o = &exec->observers[k];
        const fpx_status status = o->after_op ? o->after_op(o->context, &view, err) : FPX_OK;

        if (status != FPX_OK)
            return status;
    }
    return FPX_OK;
}

int fpx_looks_at_outputs(const void *context, uint64_t step, uint32_t op)
{
    (void)context;
    (void)step;
    (void)op;
    return 0;
}

static int is_looked_at(const fpx_exec *exec, uint64_t step, uint32_t op)
{
    for (size_t k = 0; k < exec->nobservers; k++) {
        const fpx_observer *o = &exec->observers[k];

        if (o->after_op != NULL && (o->looks == NULL || o->looks(o->context, step, op)))
            return 1;
    }
    return 0;
}

fpx_status fpx_exec_op(fpx_exec *exec, uint64_t step, uint32_t op, fpx_error *err)
{
    exec_op *e = &exec->ops[op];
    fpx_status status;

    e->call.step = step;
    for (uint32_t i = 0; i < e->call.nin; i++)
        if (e->kept[i] != e->call.in[i].place.offset && is_looked_at(exec, step, op))
            memcpy(exec->base + e->kept[i], exec->base + e->call.in[i].place.offset,
                   fpx_tensor_bytes(&e->call.in[i]));
    status = run(exec, e, err);
    return status == FPX_OK ? show(exec, op, err) : status;
}

fpx_status fpx_exec_part(fpx_exec *exec, uint64_t step, size_t first, size_t end, fpx_error *err)
{
    const size_t nops = fpx_program_ops(exec->program);
    fpx_status status = FPX_OK;

    for (size_t k = 0; k < exec->nobservers && status == FPX_OK; k++)
        if (first == 0 && exec->observers[k].begin_step)
            status = exec->observers[k].begin_step(exec->observers[k].context, exec, step, err);
    for (size_t i = first; i < end && status == FPX_OK; i++)
        status = fpx_exec_op(exec, step, (uint32_t)i, err);
    for (size_t k = 0; k < exec->nobservers && status == FPX_OK; k++)
        if (end == nops && exec->observers[k].end_step)
            status = exec->observers[k].end_step(exec->observers[k].context, exec, step, err);
    return status;
}

fpx_status fpx_exec_step(fpx_exec *exec, uint64_t step, fpx_error *err)
{
    return fpx_exec_part(exec, step, 0, fpx_program_ops(exec->program), err);
}
