/* ops_fixture.h - a `cpu` device with one adopted arena, random data in it, and calls on it: what the
 * tests of operations share. */
#ifndef FPX_TESTS_OPS_FIXTURE_H
#define FPX_TESTS_OPS_FIXTURE_H

#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/device.h>

enum { ARENA_BYTES = 8 << 20 };

typedef struct fixture {
    void *device;
    uint32_t buffer;
    char *arena;
    size_t used;
    uint64_t random;
} fixture;

static inline void fixture_open(fixture *f, const char *options, uint64_t seed)
{
    char text[256] = "";
    const fpx_status status = fpx_accel_cpu.open(options, &f->device, text, sizeof text);

    if (status != FPX_OK)
        ck_abort_msg("open \"%s\": %s", options, text);
    f->arena = calloc(1, ARENA_BYTES); /* pages that are not used are never touched */
    ck_assert_ptr_nonnull(f->arena);
    ck_assert_int_eq(fpx_accel_cpu.adopt(f->device, f->arena, ARENA_BYTES, &f->buffer), FPX_OK);
    f->used = 0;
    f->random = seed;
}

static inline void fixture_close(fixture *f)
{
    fpx_accel_cpu.release(f->device, f->buffer);
    fpx_accel_cpu.close(f->device);
    free(f->arena);
}

/* splitmix64 (Steele, Lea, Flood 2014): every seed is good. */
static inline uint64_t next_random(fixture *f)
{
    uint64_t z = (f->random += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* In [-1, 1), a multiple of 2^-23: exact in float32, too. */
static inline double next_uniform(fixture *f)
{
    return (double)(int64_t)(next_random(f) >> 40) * 0x1p-23 - 1.0;
}

/* Zeroed memory in the arena for a tensor of `ndim` extents. */
static inline fpx_tensor new_tensor(fixture *f, const fpx_format *format, size_t ndim,
                                    const uint64_t *shape)
{
    fpx_tensor t;

    ck_assert_int_eq(fpx_tensor_make(format, ndim, shape, &t), FPX_OK);
    t.place.buffer = f->buffer;
    t.place.offset = f->used;
    f->used += (fpx_tensor_bytes(&t) + 63) / 64 * 64;
    ck_assert_uint_le(f->used, ARENA_BYTES);
    return t;
}

#define SHAPE(...)                                                                                 \
    (sizeof((uint64_t[]){ __VA_ARGS__ }) / 8), (uint64_t[])                                        \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static inline void *data_of(const fixture *f, const fpx_tensor *t)
{
    return f->arena + t->place.offset;
}

static inline double get(const fixture *f, const fpx_tensor *t, size_t i)
{
    return t->format.bits == 64 ? ((const double *)data_of(f, t))[i]
                                : (double)((const float *)data_of(f, t))[i];
}

static inline void set(const fixture *f, const fpx_tensor *t, size_t i, double x)
{
    if (t->format.bits == 64)
        ((double *)data_of(f, t))[i] = x;
    else
        ((float *)data_of(f, t))[i] = (float)x;
}

/* offset + scale * uniform */
static inline fpx_tensor random_tensor(fixture *f, const fpx_format *format, double offset,
                                       double scale, size_t ndim, const uint64_t *shape)
{
    const fpx_tensor t = new_tensor(f, format, ndim, shape);

    for (size_t i = 0; i < fpx_tensor_count(&t); i++)
        set(f, &t, i, offset + scale * next_uniform(f));
    return t;
}

/* Ids in [low, limit). */
static inline fpx_tensor random_ids(fixture *f, uint64_t n, int32_t low, int32_t limit)
{
    const fpx_tensor t = new_tensor(f, &fpx_int32, SHAPE(n));
    int32_t *ids = data_of(f, &t);

    for (size_t i = 0; i < n; i++)
        ids[i] = low + (int32_t)(next_random(f) % (uint64_t)(limit - low));
    return t;
}

static inline fpx_call new_call(fpx_op_kind kind)
{
    fpx_call call;

    memset(&call, 0, sizeof call);
    call.struct_size = sizeof call;
    call.kind = kind;
    (void)snprintf(call.name, sizeof call.name, "test.%d", (int)kind);
    return call;
}

static inline void add_in(fpx_call *call, fpx_tensor t)
{
    call->in[call->nin++] = t;
}

static inline void add_out(fpx_call *call, fpx_tensor t)
{
    call->out[call->nout++] = t;
}

/* OK or the first status that is not; text is filled then. */
static inline fpx_status try_call(const fixture *f, const fpx_call *call, char *text, size_t size)
{
    const fpx_status status = fpx_accel_cpu.prepare(f->device, call, text, size);

    return status != FPX_OK ? status : fpx_accel_cpu.run(f->device, call, text, size);
}

static inline void run_call(const fixture *f, const fpx_call *call)
{
    char text[512] = "";
    const fpx_status status = try_call(f, call, text, sizeof text);

    if (status != FPX_OK)
        ck_abort_msg("kind %u: status %d: %s", call->kind, (int)status, text);
}

#endif /* FPX_TESTS_OPS_FIXTURE_H */
