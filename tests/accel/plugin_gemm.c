/* plugin_gemm.c - a device that multiplies matrices and can do nothing else: the example of a plugin.
 * Its arithmetic is fpx/gemm.h's, so that its bits are those of the `cpu` device. Built two more
 * times: without `adopt` (PLUGIN_NO_ADOPT), for callers that must stage, and with the lowest bit of the third element of
 * the fifth product flipped (PLUGIN_WRONG). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fpx/accel.h>
#include <fpx/convert.h>
#include <fpx/gemm.h>

enum { MAX_BUFFERS = 64 };

typedef struct memory {
    unsigned char *address; /* NULL: the handle is free */
    uint64_t bytes;
    int owned;
} memory;

typedef struct plugin {
    memory buffers[MAX_BUFFERS]; /* handle - 1 */
    fpx_cpu_level level;
    float *operand[2]; /* decoded, `room` elements each; prepare makes them large enough */
    size_t room[2];
    void *scratch;
    size_t scratch_bytes;
    unsigned products;
} plugin;

static fpx_status plugin_open(const char *options, void **ret_device, char *text, size_t text_size)
{
    fpx_error err;

    if (options[0] != '\0') {
        snprintf(text, text_size, "no option is known, got '%s'", options);
        return FPX_EINVAL;
    }
    plugin *p = calloc(1, sizeof *p);
    if (p == NULL)
        return FPX_ENOMEM;
    const fpx_status status = fpx_cpu_choose(&p->level, &err);
    if (status != FPX_OK) {
        snprintf(text, text_size, "%s", err.text);
        free(p);
        return status;
    }
    *ret_device = p;
    return FPX_OK;
}

static void plugin_release(void *device, uint32_t buffer)
{
    plugin *p = device;

    if (buffer == 0 || buffer > MAX_BUFFERS)
        return;
    if (p->buffers[buffer - 1].owned)
        free(p->buffers[buffer - 1].address);
    p->buffers[buffer - 1] = (memory){ 0 };
}

static void plugin_close(void *device)
{
    plugin *p = device;

    for (uint32_t i = 1; i <= MAX_BUFFERS; i++)
        plugin_release(p, i);
    free(p->operand[0]);
    free(p->operand[1]);
    free(p->scratch);
    free(p);
}

/* The process number lets a test see that the process goes. */
static void plugin_describe(void *device, char *text, size_t text_size)
{
    const plugin *p = device;

    snprintf(text, text_size, "gemm plugin, kernel %s, process %ld", fpx_gemm_kernel_name(p->level),
             (long)getpid());
}

static fpx_status keep(plugin *p, void *address, uint64_t bytes, int owned, uint32_t *ret_buffer)
{
    for (uint32_t i = 0; i < MAX_BUFFERS; i++) {
        if (p->buffers[i].address == NULL) {
            p->buffers[i] = (memory){ address, bytes, owned };
            *ret_buffer = i + 1;
            return FPX_OK;
        }
    }
    return FPX_ENOMEM;
}

static fpx_status plugin_alloc(void *device, uint64_t bytes, uint32_t *ret_buffer)
{
    void *address = calloc(1, bytes > 0 ? (size_t)bytes : 1);

    if (address == NULL)
        return FPX_ENOMEM;
    const fpx_status status = keep(device, address, bytes, 1, ret_buffer);
    if (status != FPX_OK)
        free(address);
    return status;
}

#ifndef PLUGIN_NO_ADOPT
static fpx_status plugin_adopt(void *device, void *address, uint64_t bytes, uint32_t *ret_buffer)
{
    return keep(device, address, bytes, 0, ret_buffer);
}
#endif

/* bytes of a buffer from offset on; NULL where they do not all exist. */
static void *at(plugin *p, uint32_t buffer, uint64_t offset, uint64_t bytes)
{
    if (buffer == 0 || buffer > MAX_BUFFERS)
        return NULL;
    const memory *m = &p->buffers[buffer - 1];
    if (m->address == NULL || offset > m->bytes || bytes > m->bytes - offset)
        return NULL;
    return m->address + offset;
}

static fpx_status plugin_write(void *device, uint32_t buffer, uint64_t offset, const void *src,
                               uint64_t bytes)
{
    void *dst = at(device, buffer, offset, bytes);

    if (dst == NULL)
        return FPX_EINVAL;
    memcpy(dst, src, (size_t)bytes);
    return FPX_OK;
}

static fpx_status plugin_read(void *device, uint32_t buffer, uint64_t offset, void *dst,
                              uint64_t bytes)
{
    const void *src = at(device, buffer, offset, bytes);

    if (src == NULL)
        return FPX_EINVAL;
    memcpy(dst, src, (size_t)bytes);
    return FPX_OK;
}

/* 1 for a tensor that this device reads: dense, unpacked, at most one fp32 scale for all of it. */
static int is_readable(const fpx_tensor *t)
{
    if (t->packing != FPX_PACK_NONE || !fpx_tensor_is_dense(t) || t->nscales > 1 ||
        (t->ndim != 2 && t->ndim != 4))
        return 0;
    if (t->format.cls != FPX_CLASS_FLOAT || t->format.bits > 32)
        return 0;
    const fpx_scaling *s = &t->scale[0];
    if (t->nscales == 1 && !fpx_format_equal(&s->format, &fpx_fp32))
        return 0;
    for (size_t i = 0; t->nscales == 1 && i < t->ndim; i++)
        if (s->block[i] != 0 && s->block[i] < t->shape[i])
            return 0;
    return 1;
}

/* The fpx/gemm.h call; alpha is left 1. FPX_EINVAL: shapes that do not fit together. */
static fpx_status shape_call(const plugin *p, const fpx_call *call, fpx_gemm_call *ret_gemm)
{
    const fpx_tensor *a = &call->in[0], *b = &call->in[1], *d = &call->out[0];
    const size_t r = a->ndim - 2u, c = a->ndim - 1u;
    fpx_gemm_call g = { .trans_a = (int)call->attr.gemm.trans_a,
                        .trans_b = (int)call->attr.gemm.trans_b,
                        .lda = a->shape[c],
                        .ldb = b->shape[c],
                        .ldd = d->shape[c],
                        .batch = 1,
                        .leaf = call->attr.gemm.leaf,
                        .alpha = 1.0f,
                        .engine = FPX_ENGINE_REPRO,
                        .level = p->level };

    g.m = g.trans_a ? a->shape[c] : a->shape[r];
    g.k = g.trans_a ? a->shape[r] : a->shape[c];
    g.n = g.trans_b ? b->shape[r] : b->shape[c];
    if (b->ndim != a->ndim || d->ndim != a->ndim || d->shape[r] != g.m || d->shape[c] != g.n ||
        (g.trans_b ? b->shape[c] : b->shape[r]) != g.k)
        return FPX_EINVAL;
    for (size_t i = 0; i < r; i++) {
        if (b->shape[i] != a->shape[i] || d->shape[i] != a->shape[i])
            return FPX_EINVAL;
        g.batch *= a->shape[i];
    }
    g.stride_a = g.m * g.k;
    g.stride_b = g.k * g.n;
    g.stride_d = g.m * g.n;
    *ret_gemm = g;
    return FPX_OK;
}

static fpx_status check_call(const plugin *p, const fpx_call *call, fpx_gemm_call *ret_gemm,
                             char *text, size_t text_size)
{
    if (call->kind != FPX_OP_GEMM || call->nin != 2 || call->nout != 1 ||
        !is_readable(&call->in[0]) || !is_readable(&call->in[1]) ||
        !fpx_format_equal(&call->out[0].format, &fpx_fp32) || !fpx_tensor_is_dense(&call->out[0])) {
        snprintf(text, text_size, "only dense matrix products with an fp32 result");
        return FPX_EUNSUPPORTED;
    }
    if (call->attr.gemm.unit[0] != '\0') {
        snprintf(text, text_size, "no matrix unit is known, such as %.40s", call->attr.gemm.unit);
        return FPX_EUNSUPPORTED;
    }
    const fpx_status status = shape_call(p, call, ret_gemm);
    if (status != FPX_OK)
        snprintf(text, text_size, "the shapes of a, b and d do not fit together");
    return status;
}

static fpx_status plugin_prepare(void *device, const fpx_call *call, char *text, size_t text_size)
{
    plugin *p = device;
    fpx_gemm_call g;

    const fpx_status status = check_call(p, call, &g, text, text_size);
    if (status != FPX_OK)
        return status;
    for (size_t i = 0; i < 2; i++) {
        const size_t n = fpx_tensor_count(&call->in[i]);
        if (n > p->room[i]) {
            float *larger = realloc(p->operand[i], n * sizeof *larger);
            if (larger == NULL)
                return FPX_ENOMEM;
            p->operand[i] = larger;
            p->room[i] = n;
        }
    }
    const size_t bytes = fpx_gemm_f32_scratch(&g, 1);
    if (bytes > p->scratch_bytes) {
        void *larger = realloc(p->scratch, bytes);
        if (larger == NULL)
            return FPX_ENOMEM;
        p->scratch = larger;
        p->scratch_bytes = bytes;
    }
    return FPX_OK;
}

/* Decodes operand i without its scale, which multiplies *scale. */
static fpx_status decode(plugin *p, const fpx_tensor *t, size_t i, float *scale)
{
    const void *codes = at(p, t->place.buffer, t->place.offset, fpx_tensor_bytes(t));

    if (codes == NULL || fpx_tensor_count(t) > p->room[i])
        return FPX_EINVAL;
    if (t->nscales == 1) {
        const fpx_place *place = &t->scale[0].place;
        const void *stored = at(p, place->buffer, place->offset, sizeof(float));
        float factor;
        if (stored == NULL)
            return FPX_EINVAL;
        memcpy(&factor, stored, sizeof factor);
        *scale *= factor;
    }
    return fpx_decode_f32(&t->format, 1.0f, codes, p->operand[i], fpx_tensor_count(t));
}

static fpx_status plugin_run(void *device, const fpx_call *call, char *text, size_t text_size)
{
    plugin *p = device;
    fpx_gemm_call g;

    fpx_status status = check_call(p, call, &g, text, text_size);
    for (size_t i = 0; i < 2 && status == FPX_OK; i++)
        status = decode(p, &call->in[i], i, &g.alpha);
    if (status != FPX_OK)
        return status;
    const fpx_place *place = &call->out[0].place;
    float *d = at(p, place->buffer, place->offset, fpx_tensor_bytes(&call->out[0]));
    if (d == NULL || fpx_gemm_f32_scratch(&g, 1) > p->scratch_bytes)
        return FPX_EINVAL;
    status = fpx_gemm_f32(&g, p->operand[0], p->operand[1], d, p->scratch, NULL);
#ifdef PLUGIN_WRONG
    if (status == FPX_OK && ++p->products == 5)
        ((unsigned char *)(d + 2))[0] ^= 1;
#endif
    return status;
}

static const fpx_accel table = {
    .struct_size = sizeof(fpx_accel),
    .version = FPX_ACCEL_VERSION,
    .name = "gemm",
    .open = plugin_open,
    .close = plugin_close,
    .describe = plugin_describe,
    .alloc = plugin_alloc,
#ifndef PLUGIN_NO_ADOPT
    .adopt = plugin_adopt,
#endif
    .release = plugin_release,
    .write = plugin_write,
    .read = plugin_read,
    .prepare = plugin_prepare,
    .run = plugin_run,
};

__attribute__((visibility("default"))) fpx_accel_entry_fn fpx_accel_entry;

const fpx_accel *fpx_accel_entry(uint32_t version)
{
    return version == FPX_ACCEL_VERSION ? &table : NULL;
}
