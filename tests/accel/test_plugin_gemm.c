/* test_plugin_gemm.c - a plugin that multiplies matrices, by adopted memory and by staging: the bits of
 * the `cpu` device, for fp32 and for every narrower format, scaled and not. */
#include <fpx/convert.h>

#include "plugin_suite.h"

static const char *plugins;

enum { M = 37, N = 19, K = 300, BATCH = 3 }; /* odd edges, and more than one block of FPX_GEMM_KC */

static fpx_device *open_plugin(const char *file)
{
    char spec[4096];
    fpx_device *device = NULL;
    fpx_error err;

    snprintf(spec, sizeof spec, "%s/%s", plugins, file);
    if (fpx_device_open(spec, &device, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    return device;
}

/* A fixed sequence (Knuth's MMIX constants): the data is part of the test. */
static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 32);
}

/* One problem: operands a (M x K) and b (N x K, transposed) in `format`, and where they lie in one
 * buffer: a, b, their scales, d. */
typedef struct problem {
    fpx_call call;
    uint64_t a, b, scales, d, bytes;
} problem;

static fpx_tensor tensor(const fpx_format *format, uint64_t rows, uint64_t columns, int batched)
{
    const uint64_t shape[4] = { 1, BATCH, rows, columns };
    fpx_tensor t;

    ck_assert_int_eq(fpx_tensor_make(format, batched ? 4 : 2, batched ? shape : shape + 2, &t),
                     FPX_OK);
    return t;
}

static void add_scale(fpx_tensor *t, uint32_t buffer, uint64_t offset)
{
    t->nscales = 1;
    t->scale[0] = (fpx_scaling){ .format = fpx_fp32, .place = { buffer, 0, offset } };
}

static problem make_problem(const fpx_format *format, int batched, int scaled, uint32_t buffer)
{
    problem p = { .call = { .struct_size = sizeof(fpx_call),
                            .kind = FPX_OP_GEMM,
                            .name = "test/fprop",
                            .nin = 2,
                            .nout = 1,
                            .attr.gemm.trans_b = 1 } };
    fpx_tensor a = tensor(format, M, K, batched), b = tensor(format, N, K, batched);
    fpx_tensor d = tensor(&fpx_fp32, M, N, batched);

    p.b = (fpx_tensor_bytes(&a) + 63) / 64 * 64;
    p.scales = p.b + (fpx_tensor_bytes(&b) + 63) / 64 * 64;
    p.d = p.scales + 64;
    p.bytes = p.d + fpx_tensor_bytes(&d);
    a.place = (fpx_place){ buffer, 0, p.a };
    b.place = (fpx_place){ buffer, 0, p.b };
    d.place = (fpx_place){ buffer, 0, p.d };
    if (scaled) {
        add_scale(&a, buffer, p.scales);
        add_scale(&b, buffer, p.scales + sizeof(float));
    }
    p.call.in[0] = a;
    p.call.in[1] = b;
    p.call.out[0] = d;
    return p;
}

/* Finite random operands and, in the place of d, a pattern that no result has. */
static void fill(const problem *p, const fpx_format *format, unsigned char *memory)
{
    const size_t na = fpx_tensor_count(&p->call.in[0]), nb = fpx_tensor_count(&p->call.in[1]);
    const float scales[2] = { 0.7f, 1.0f / 3.0f };
    const fpx_conversion to = { .format = *format, .round = FPX_RNE, .overflow = FPX_SATFINITE };
    uint64_t state = 20250101;
    float *values = malloc((na + nb) * sizeof *values);

    ck_assert_ptr_nonnull(values);
    for (size_t i = 0; i < na + nb; i++)
        values[i] = (float)(next_random(&state) >> 8) * 0x1p-22f - 2.0f;
    memset(memory, 0xab, (size_t)p->bytes);
    ck_assert_int_eq(fpx_encode_f32(&to, 1.0f, values, memory + p->a, na), FPX_OK);
    ck_assert_int_eq(fpx_encode_f32(&to, 1.0f, values + na, memory + p->b, nb), FPX_OK);
    memcpy(memory + p->scales, scales, sizeof scales);
    free(values);
}

/* The same call on the `cpu` device, on a copy of the memory, d spoiled. */
static void check_bits(const problem *p, const fpx_format *format, const unsigned char *memory)
{
    const size_t n = fpx_tensor_count(&p->call.out[0]);
    fpx_device *cpu = NULL;
    fpx_arena *arena = NULL;
    fpx_error err;
    uint32_t buffer = 0;

    ck_assert_int_eq(fpx_arena_new(p->bytes, &arena, &err), FPX_OK);
    unsigned char *own = fpx_arena_address(arena);
    memcpy(own, memory, (size_t)p->d);
    memset(own + p->d, 0xcd, (size_t)(p->bytes - p->d));
    if (fpx_device_open("cpu,threads=1", &cpu, &err) != FPX_OK ||
        fpx_device_adopt(cpu, arena, &buffer, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    const problem same =
        make_problem(format, p->call.in[0].ndim == 4, p->call.in[0].nscales > 0, buffer);
    if (fpx_device_prepare(cpu, &same.call, &err) != FPX_OK ||
        fpx_device_run(cpu, &same.call, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    for (size_t i = 0; i < n; i++) {
        uint32_t x, y;
        memcpy(&x, memory + p->d + 4 * i, 4);
        memcpy(&y, own + p->d + 4 * i, 4);
        if (x != y)
            ck_abort_msg("%s, %d axes, %d scales: element %zu is %08x, not %08x", format->name,
                         p->call.in[0].ndim, p->call.in[0].nscales, i, x, y);
    }
    fpx_device_release(cpu, buffer);
    fpx_device_close(cpu);
    fpx_arena_free(arena);
}

static void check_format(fpx_device *device, const fpx_format *format, int batched, int scaled,
                         int adopting)
{
    problem p = make_problem(format, batched, scaled, 0);
    fpx_arena *arena = NULL;
    fpx_error err;
    uint32_t buffer = 0;

    ck_assert_int_eq(fpx_arena_new(p.bytes, &arena, &err), FPX_OK);
    unsigned char *memory = fpx_arena_address(arena);
    fill(&p, format, memory);
    if (adopting) {
        if (fpx_device_adopt(device, arena, &buffer, &err) != FPX_OK)
            ck_abort_msg("%s", err.text);
    } else {
        check_failure(fpx_device_adopt(device, arena, &buffer, &err), FPX_EUNSUPPORTED, &err,
                      "adopt");
        ck_assert_int_eq(fpx_device_alloc(device, p.bytes, &buffer, &err), FPX_OK);
        ck_assert_int_eq(fpx_device_write(device, buffer, 0, memory, p.bytes, &err), FPX_OK);
    }
    p = make_problem(format, batched, scaled, buffer);
    if (fpx_device_prepare(device, &p.call, &err) != FPX_OK ||
        fpx_device_run(device, &p.call, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    if (!adopting)
        ck_assert_int_eq(fpx_device_read(device, buffer, p.d, memory + p.d, p.bytes - p.d, &err),
                         FPX_OK);
    check_bits(&p, format, memory);
    fpx_device_release(device, buffer);
    fpx_arena_free(arena);
}

static const fpx_format *const formats[] = { &fpx_fp32, &fpx_bf16, &fpx_fp16,
                                             &fpx_e4m3, &fpx_e5m2, &fpx_e2m1 };

/* _i: 0 staged, 1 adopted. */
START_TEST(a_hosted_gemm_gives_the_cpus_bits)
{
    fpx_device *device = open_plugin(_i ? "plugin_gemm.so" : "plugin_gemm_staged.so");

    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++)
        for (int batched = 0; batched < 2; batched++)
            for (int scaled = 0; scaled < 2; scaled++)
                check_format(device, formats[f], batched, scaled, _i);
    fpx_device_close(device);
}
END_TEST

/* Three windows and a bit, at an odd offset: every byte arrives, those around stay. */
START_TEST(large_transfers_arrive_whole)
{
    const size_t bytes = 3 * (1 << 20) + 17, around = 5;
    fpx_device *device = open_plugin("plugin_gemm.so");
    fpx_error err;
    uint32_t buffer = 0;
    uint64_t state = 1;
    unsigned char *out = malloc(bytes), *in = malloc(bytes + 2 * around);

    ck_assert(out != NULL && in != NULL);
    for (size_t i = 0; i < bytes; i++)
        out[i] = (unsigned char)next_random(&state);
    ck_assert_int_eq(fpx_device_alloc(device, bytes + 2 * around, &buffer, &err), FPX_OK);
    ck_assert_int_eq(fpx_device_write(device, buffer, around, out, bytes, &err), FPX_OK);
    ck_assert_int_eq(fpx_device_read(device, buffer, 0, in, bytes + 2 * around, &err), FPX_OK);
    ck_assert_int_eq(memcmp(in + around, out, bytes), 0);
    for (size_t i = 0; i < around; i++)
        ck_assert(in[i] == 0 && in[around + bytes + i] == 0);

    ck_assert_int_eq(fpx_device_read(device, buffer, 0, in, 0, &err), FPX_OK);
    check_failure(fpx_device_write(device, buffer, 1, in, bytes + 2 * around, &err), FPX_EINVAL,
                  &err, "write");
    check_failure(fpx_device_read(device, buffer + 1, 0, in, 0, &err), FPX_EINVAL, &err, "read");
    fpx_device_release(device, buffer);
    check_failure(fpx_device_read(device, buffer, 0, in, 1, &err), FPX_EINVAL, &err, "read");
    fpx_device_close(device);
    free(out);
    free(in);
}
END_TEST

START_TEST(what_is_no_gemm_is_refused_with_text)
{
    fpx_device *device = open_plugin("plugin_gemm.so");
    problem p = make_problem(&fpx_e4m3, 0, 0, 1);
    fpx_error err;

    p.call.kind = FPX_OP_ROPE;
    check_failure(fpx_device_prepare(device, &p.call, &err), FPX_EUNSUPPORTED, &err,
                  "prepare of 'test/fprop' (operation 0, step 0): only dense matrix products");
    p = make_problem(&fpx_e4m3, 0, 0, 1);
    p.call.in[1].shape[0]++;
    check_failure(fpx_device_prepare(device, &p.call, &err), FPX_EINVAL, &err, "do not fit");
    p = make_problem(&fpx_e4m3, 0, 0, 1);
    ck_assert_int_eq(fpx_device_prepare(device, &p.call, &err), FPX_OK);
    check_failure(fpx_device_run(device, &p.call, &err), FPX_EINVAL, &err, "run"); /* no buffer */
    fpx_device_close(device);
}
END_TEST

/* How often the host has mapped an arena. */
static int mapped_arenas(fpx_device *device)
{
    char text[256], path[64], line[512];
    long host = 0;
    int n = 0;

    fpx_device_describe(device, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "process "));
    host = strtol(strstr(text, "process ") + strlen("process "), NULL, 10);
    snprintf(path, sizeof path, "/proc/%ld/maps", host);
    FILE *maps = fopen(path, "r");
    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof line, maps) != NULL)
        n += strstr(line, "fpx-arena") != NULL;
    fclose(maps);
    return n;
}

/* Two plugins at once, arenas released in another order than adopted. */
START_TEST(two_hosts_share_an_arena)
{
    fpx_device *first = open_plugin("plugin_gemm.so"), *second = open_plugin("plugin_gemm.so");
    fpx_arena *arena = NULL;
    fpx_error err;
    uint32_t a = 0, b = 0, c = 0;
    uint32_t word = 0x12345678, seen = 0;

    ck_assert_int_eq(fpx_arena_new(4096, &arena, &err), FPX_OK);
    ck_assert_int_eq(fpx_device_adopt(first, arena, &a, &err), FPX_OK);
    ck_assert_int_eq(fpx_device_adopt(first, arena, &c, &err), FPX_OK);
    ck_assert_int_eq(fpx_device_adopt(second, arena, &b, &err), FPX_OK);
    ck_assert_int_eq(fpx_device_write(first, a, 100, &word, 4, &err), FPX_OK);
    ck_assert_int_eq(memcmp((char *)fpx_arena_address(arena) + 100, &word, 4), 0);
    ck_assert_int_eq(mapped_arenas(first), 2);
    fpx_device_release(first, a);
    ck_assert_int_eq(mapped_arenas(first), 1);
    ck_assert_int_eq(fpx_device_read(first, c, 100, &seen, 4, &err), FPX_OK);
    ck_assert_uint_eq(seen, word);
    fpx_device_release(first, c);
    ck_assert_int_eq(mapped_arenas(first), 0);
    ck_assert_int_eq(fpx_device_adopt(first, arena, &a, &err), FPX_OK);
    fpx_device_close(first); /* with an adoption still open */
    seen = 0;
    ck_assert_int_eq(fpx_device_read(second, b, 100, &seen, 4, &err), FPX_OK);
    ck_assert_uint_eq(seen, word);
    fpx_device_release(second, b);
    fpx_device_close(second);
    fpx_arena_free(arena);
}
END_TEST

int main(void)
{
    plugins = getenv("FPX_TEST_PLUGINS");
    if (plugins == NULL) {
        puts("skipped: FPX_TEST_PLUGINS does not name the folder of the test plugins");
        return 77;
    }

    TCase *tc = tcase_create("gemm");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, note_resources, check_resources);
    tcase_add_loop_test(tc, a_hosted_gemm_gives_the_cpus_bits, 0, 2);
    tcase_add_test(tc, large_transfers_arrive_whole);
    tcase_add_test(tc, what_is_no_gemm_is_refused_with_text);
    tcase_add_test(tc, two_hosts_share_an_arena);
    return run_suite("plugin-gemm", &tc, 1);
}
