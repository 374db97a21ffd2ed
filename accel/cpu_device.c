/* cpu_device.c - the built-in device: the reference for every operation kind. A call is checked whole
 * before anything is touched; the float64 or float32 instance then computes it in work space that
 * prepare has grown, with the library's floating-point environment. */
#include "cpu_device.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/device.h>
#include <fpx/opshape.h>

#include "cpu_memory.h"
#include "cpu_options.h"
#include "op_levels.h"
#include "op_run.h"

extern const op_impl op_table_f32[FPX_OP_KINDS], op_table_f64[FPX_OP_KINDS];
#ifdef FPX_HAVE_AVX2
extern const op_impl op_table_f32_avx2[FPX_OP_KINDS], op_table_f64_avx2[FPX_OP_KINDS];
#endif

/* Constants that calls with the same key share: rotary angles. */
typedef struct cpu_table {
    struct cpu_table *next;
    uint64_t key[4];
    void *data;
} cpu_table;

typedef struct cpu_device {
    fpx_pool *pool;
    cpu_options options;
    cpu_memory memory;
    cpu_table *tables;
    void *work;
    size_t work_bytes;
    int plan;       /* no work space is made */
    size_t planned; /* what it would have been */
} cpu_device;

/* [wide][vectors]: the same source compiled for both real types, plain and with AVX2. */
static const op_impl *table_of(const cpu_device *device, int wide)
{
#ifdef FPX_HAVE_AVX2
    if (device->options.level >= FPX_CPU_AVX2)
        return wide ? op_table_f64_avx2 : op_table_f32_avx2;
#endif
    (void)device;
    return wide ? op_table_f64 : op_table_f32;
}

static const op_impl *impl_of(const cpu_device *device, const fpx_call *call)
{
    return &table_of(device, op_real_tensor(call)->format.bits == 64)[call->kind];
}

static void set_text(char *text, size_t text_size, const char *message)
{
    if (text != NULL && text_size > 0)
        (void)snprintf(text, text_size, "%s", message);
}

static void cpu_close(void *device)
{
    cpu_device *d = device;

    if (d == NULL)
        return;
    while (d->tables != NULL) {
        cpu_table *next = d->tables->next;

        free(d->tables->data);
        free(d->tables);
        d->tables = next;
    }
    cpu_memory_free(&d->memory);
    fpx_pool_free(d->pool);
    free(d->work);
    free(d);
}

static fpx_status cpu_open(const char *options, void **ret_device, char *text, size_t text_size)
{
    fpx_error err = { .text = "out of memory" };
    cpu_device *d = calloc(1, sizeof *d);
    fpx_status status = FPX_ENOMEM;

    if (d != NULL && (status = cpu_options_parse(options, &d->options, &err)) == FPX_OK)
        status = fpx_pool_new(d->options.threads, &d->pool, &err);
    if (status != FPX_OK) {
        set_text(text, text_size, err.text);
        cpu_close(d);
        return status;
    }
    *ret_device = d;
    return FPX_OK;
}

static void cpu_describe(void *device, char *text, size_t text_size)
{
    const cpu_device *d = device;

    (void)snprintf(text, text_size, "cpu: kernels %s, %zu thread%s, engine %s",
                   fpx_gemm_kernel_name(d->options.level), fpx_pool_threads(d->pool),
                   fpx_pool_threads(d->pool) == 1 ? "" : "s",
                   d->options.engine == FPX_ENGINE_REPRO ? "repro" : "openblas");
}

void cpu_device_plan(void *device)
{
    ((cpu_device *)device)->plan = 1;
}

size_t cpu_device_planned(const void *device)
{
    return ((const cpu_device *)device)->planned;
}

size_t cpu_device_parallel_runs(const void *device)
{
    const cpu_device *d = device;

    return fpx_pool_parallel_runs(d->pool);
}

static fpx_status cpu_alloc(void *device, uint64_t bytes, uint32_t *ret_buffer)
{
    return cpu_memory_add(&((cpu_device *)device)->memory, NULL, bytes, ret_buffer);
}

static fpx_status cpu_adopt(void *device, void *address, uint64_t bytes, uint32_t *ret_buffer)
{
    if (address == NULL)
        return FPX_EINVAL;
    return cpu_memory_add(&((cpu_device *)device)->memory, address, bytes, ret_buffer);
}

static void cpu_release(void *device, uint32_t buffer)
{
    cpu_memory_remove(&((cpu_device *)device)->memory, buffer);
}

static fpx_status cpu_write(void *device, uint32_t buffer, uint64_t offset, const void *src,
                            uint64_t bytes)
{
    char *to = cpu_memory_at(&((cpu_device *)device)->memory, buffer, offset, bytes);

    if (to == NULL)
        return FPX_EINVAL;
    if (bytes > 0)
        memcpy(to, src, (size_t)bytes);
    return FPX_OK;
}

static fpx_status cpu_read(void *device, uint32_t buffer, uint64_t offset, void *dst,
                           uint64_t bytes)
{
    const char *from = cpu_memory_at(&((cpu_device *)device)->memory, buffer, offset, bytes);

    if (from == NULL)
        return FPX_EINVAL;
    if (bytes > 0)
        memcpy(dst, from, (size_t)bytes);
    return FPX_OK;
}

static op_run begin_run(const cpu_device *d, const fpx_call *call, char *text, size_t text_size)
{
    return (op_run){ .call = call,
                     .work = d->work,
                     .pool = d->pool,
                     .level = d->options.level,
                     .engine = d->options.engine,
                     .text = text,
                     .text_size = text_size };
}

/* Shapes, then what the operation itself asks for. */
static fpx_status check(const cpu_device *d, const op_run *run)
{
    fpx_status status;

    if (run->call->struct_size < sizeof(fpx_call)) {
        set_text(run->text, run->text_size, "the call is of an older, shorter layout");
        return FPX_EINVAL;
    }
    if ((status = op_check_call(run)) != FPX_OK)
        return status;
    const op_impl *impl = impl_of(d, run->call);
    return impl->accept == NULL ? FPX_OK : impl->accept(run);
}

static const cpu_table *find_table(const cpu_device *d, const uint64_t key[4])
{
    const cpu_table *t = d->tables;

    while (t != NULL && memcmp(t->key, key, sizeof t->key) != 0)
        t = t->next;
    return t;
}

static fpx_status prepare_table(cpu_device *d, const op_impl *impl, const fpx_call *call)
{
    uint64_t key[4];
    const size_t bytes = impl->table_bytes(call, key);

    if (find_table(d, key) != NULL)
        return FPX_OK;
    cpu_table *t = calloc(1, sizeof *t);
    if (t == NULL || (t->data = cpu_memory_block(bytes)) == NULL) {
        free(t);
        return FPX_ENOMEM;
    }
    memcpy(t->key, key, sizeof key);
    impl->table_fill(call, t->data);
    t->next = d->tables;
    d->tables = t;
    return FPX_OK;
}

static fpx_status prepare_work(cpu_device *d, size_t bytes)
{
    void *work;

    if (d->plan && bytes <= SIZE_MAX / 2) {
        d->planned = bytes > d->planned ? bytes : d->planned;
        return FPX_OK;
    }
    if (bytes <= d->work_bytes)
        return FPX_OK;
    if ((work = cpu_memory_block(bytes)) == NULL)
        return FPX_ENOMEM;
    free(d->work);
    d->work = work;
    d->work_bytes = bytes;
    return FPX_OK;
}

static fpx_status cpu_prepare(void *device, const fpx_call *call, char *text, size_t text_size)
{
    cpu_device *d = device;
    const op_run run = begin_run(d, call, text, text_size);
    fpx_status status = check(d, &run);

    if (status != FPX_OK)
        return status;
    const op_impl *impl = impl_of(d, call);
    if (impl->work != NULL)
        status = prepare_work(d, impl->work(&run));
    if (status == FPX_OK && impl->table_bytes != NULL) {
        const fpx_fpenv saved = fpx_fpenv_enter();

        status = prepare_table(d, impl, call);
        fpx_fpenv_leave(saved);
    }
    return status == FPX_OK ? FPX_OK : op_refuse(&run, status, "no memory for the work space");
}

/* The tensor's first element; NULL, with text, where its memory is not all there. */
static void *resolve(const cpu_device *d, const op_run *run, const fpx_place *place, uint64_t bytes,
                     size_t align, const char *what, uint32_t i)
{
    char *address = cpu_memory_at(&d->memory, place->buffer, place->offset, bytes);

    if (address == NULL) {
        (void)op_refuse(run, FPX_EINVAL,
                        "%s[%" PRIu32 "]: buffer %" PRIu32 " has no %" PRIu64
                        " bytes at offset %" PRIu64,
                        what, i, place->buffer, bytes, place->offset);
        return NULL;
    }
    if ((uintptr_t)address % align != 0) {
        (void)op_refuse(run, FPX_EINVAL,
                        "%s[%" PRIu32 "]: offset %" PRIu64 " is not a multiple of %zu", what, i,
                        place->offset, align);
        return NULL;
    }
    return address;
}

/* The operation's accept has seen that these are the levels that there are. */
static fpx_status resolve_scales(const cpu_device *d, op_run *run, uint32_t i)
{
    const fpx_tensor *t = &run->call->in[i];
    op_levels levels;

    (void)op_levels_of(t, &levels);
    for (size_t level = 0; level < t->nscales; level++) {
        const fpx_scaling *s = &t->scale[level];
        const size_t size = fpx_format_size(&s->format);
        uint64_t grid[FPX_MAX_DIMS];
        const void *at =
            resolve(d, run, &s->place, op_times(fpx_tensor_scales(t, level, grid), size), size,
                    "scale of in", i);

        if (at == NULL)
            return FPX_EINVAL;
        if (s == levels.block)
            run->blocks[i] = at;
        else
            run->decode[i] = at;
    }
    return FPX_OK;
}

static fpx_status resolve_all(const cpu_device *d, op_run *run)
{
    const fpx_call *call = run->call;

    for (uint32_t i = 0; i < call->nin; i++) {
        const fpx_tensor *t = &call->in[i];

        run->in[i] =
            resolve(d, run, &t->place, fpx_tensor_bytes(t), fpx_format_size(&t->format), "in", i);
        if (run->in[i] == NULL)
            return FPX_EINVAL;
        if (t->nscales > 0 && resolve_scales(d, run, i) != FPX_OK)
            return FPX_EINVAL;
    }
    for (uint32_t i = 0; i < call->nout; i++) {
        const fpx_tensor *t = &call->out[i];

        run->out[i] =
            resolve(d, run, &t->place, fpx_tensor_bytes(t), fpx_format_size(&t->format), "out", i);
        if (run->out[i] == NULL)
            return FPX_EINVAL;
    }
    return FPX_OK;
}

static int overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    const uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;

    return x < y + b_bytes && y < x + a_bytes;
}

/* Outputs overlap nothing, except that out[i] of an in-place kind may be exactly in[i]. */
static fpx_status check_overlap(const op_run *run)
{
    const fpx_call *call = run->call;
    const unsigned in_place = fpx_op_shape_of((fpx_op_kind)call->kind)->in_place;

    for (uint32_t o = 0; o < call->nout; o++) {
        const size_t bytes = fpx_tensor_bytes(&call->out[o]);
        const int same = (in_place >> o & 1) != 0 && run->out[o] == run->in[o];

        for (uint32_t i = 0; i < call->nin; i++)
            if (!(same && i == o) &&
                overlap(run->out[o], bytes, run->in[i], fpx_tensor_bytes(&call->in[i])))
                return op_refuse(run, FPX_EINVAL, "out[%" PRIu32 "] overlaps in[%" PRIu32 "]", o,
                                 i);
        for (uint32_t i = 0; i < o; i++)
            if (overlap(run->out[o], bytes, run->out[i], fpx_tensor_bytes(&call->out[i])))
                return op_refuse(run, FPX_EINVAL, "out[%" PRIu32 "] overlaps out[%" PRIu32 "]", o,
                                 i);
    }
    return FPX_OK;
}

/* What prepare made: work space is there if it is large enough, a table if it is found. */
static fpx_status find_prepared(const cpu_device *d, const op_impl *impl, op_run *run)
{
    if (impl->work != NULL && impl->work(run) > d->work_bytes)
        return op_refuse(run, FPX_EINVAL, "the call was not prepared");
    if (impl->table_bytes != NULL) {
        uint64_t key[4];
        const cpu_table *t;

        (void)impl->table_bytes(run->call, key);
        if ((t = find_table(d, key)) == NULL)
            return op_refuse(run, FPX_EINVAL, "the call was not prepared");
        run->table = t->data;
    }
    return FPX_OK;
}

static fpx_status cpu_run(void *device, const fpx_call *call, char *text, size_t text_size)
{
    const cpu_device *d = device;
    op_run run = begin_run(d, call, text, text_size);
    fpx_status status;

    if ((status = check(d, &run)) != FPX_OK || (status = resolve_all(d, &run)) != FPX_OK ||
        (status = check_overlap(&run)) != FPX_OK)
        return status;
    const op_impl *impl = impl_of(d, call);
    if ((status = find_prepared(d, impl, &run)) != FPX_OK)
        return status;
    const fpx_fpenv saved = fpx_fpenv_enter();
    status = impl->run(&run);
    fpx_fpenv_leave(saved);
    return status;
}

const fpx_accel fpx_accel_cpu = { .struct_size = sizeof(fpx_accel),
                                  .version = FPX_ACCEL_VERSION,
                                  .name = "cpu",
                                  .open = cpu_open,
                                  .close = cpu_close,
                                  .describe = cpu_describe,
                                  .alloc = cpu_alloc,
                                  .adopt = cpu_adopt,
                                  .release = cpu_release,
                                  .write = cpu_write,
                                  .read = cpu_read,
                                  .prepare = cpu_prepare,
                                  .run = cpu_run };
