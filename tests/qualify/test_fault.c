/* test_fault.c - the fault injector: each kind changes what it says and nothing else, reports it, and strikes
 * once. The operation under test adds 0, so that every code is known. */
#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/fault.h>
#include <fpx/format.h>

enum { N = 20, ROOM = 1024 };

typedef struct bench {
    fpx_device *device;
    fpx_fault_report report;
    fpx_call call;
    uint32_t buffer;
} bench;

static float value_at(uint64_t step, size_t i) /* other values at each step, both signs */
{
    const uint64_t z = (step * 1000 + i + 1) * UINT64_C(6364136223846793005);

    return (float)((double)(int64_t)z * 0x1p-60);
}

static fpx_tensor vector(const fpx_format *format, uint32_t buffer, uint64_t offset)
{
    const uint64_t shape[1] = { N };
    fpx_tensor t;

    ck_assert_int_eq(fpx_tensor_make(format, 1, shape, &t), FPX_OK);
    t.place = (fpx_place){ buffer, 0, offset };
    return t;
}

/* out_format fp32: x + 0; else: x as codes. The report is in the bench: it must not move. */
static void open_bench(bench *b, const fpx_fault *fault, const fpx_format *out_format)
{
    const int add = fpx_format_equal(out_format, &fpx_fp32);
    fpx_error err = { .text = "" };

    memset(b, 0, sizeof *b);
    if (fpx_fault_device(&fpx_accel_cpu, "threads=1", fault, &b->report, &b->device, &err) !=
        FPX_OK)
        ck_abort_msg("%s", err.text);
    ck_assert_int_eq(fpx_device_alloc(b->device, 3 * ROOM, &b->buffer, &err), FPX_OK);
    b->call = (fpx_call){ .struct_size = sizeof(fpx_call),
                          .kind = add ? FPX_OP_ADD : FPX_OP_QUANTIZE,
                          .name = "site",
                          .nin = add ? 2 : 1,
                          .nout = 1 };
    b->call.in[0] = vector(&fpx_fp32, b->buffer, 0);
    b->call.in[1] = vector(&fpx_fp32, b->buffer, ROOM);
    b->call.out[0] = vector(out_format, b->buffer, 2 * (uint64_t)ROOM);
    if (fpx_device_prepare(b->device, &b->call, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
}

static void run(bench *b, const char *name, uint64_t step, const float x[N], void *ret_codes)
{
    const float zero[N] = { 0 };
    fpx_error err = { .text = "" };
    const fpx_tensor *out = &b->call.out[0];

    b->call.step = step;
    snprintf(b->call.name, sizeof b->call.name, "%s", name);
    ck_assert_int_eq(fpx_device_write(b->device, b->buffer, 0, x, N * 4, &err), FPX_OK);
    ck_assert_int_eq(fpx_device_write(b->device, b->buffer, ROOM, zero, N * 4, &err), FPX_OK);
    if (fpx_device_run(b->device, &b->call, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    ck_assert_int_eq(fpx_device_read(b->device, b->buffer, out->place.offset, ret_codes,
                                     fpx_tensor_bytes(out), &err),
                     FPX_OK);
}

static void values_of(uint64_t step, float x[N], uint32_t bits[N])
{
    for (size_t i = 0; i < N; i++)
        x[i] = value_at(step, i);
    memcpy(bits, x, N * sizeof *x);
}

enum { STRUCK = 3 };

static const fpx_fault faults[] = {
    { .kind = FPX_FAULT_BIT, .step = STRUCK, .element = 7, .bit = 22, .op = "site" },
    { .kind = FPX_FAULT_BIT, .step = STRUCK, .element = 0, .bit = 31, .op = "site" },
    { .kind = FPX_FAULT_BIT, .step = STRUCK, .element = 19, .bit = 0, .op = "site" },
    { .kind = FPX_FAULT_ULP, .step = STRUCK, .element = 3, .op = "site" },
    { .kind = FPX_FAULT_ULP, .step = STRUCK, .element = 4, .op = "site" },
    { .kind = FPX_FAULT_STALE, .step = STRUCK, .op = "site" },
    { .kind = FPX_FAULT_TRUNCATE, .step = STRUCK, .bit = 12, .op = "site" },
    { .kind = FPX_FAULT_TRUNCATE, .step = STRUCK, .bit = 1, .op = "site" },
};
enum { FAULTS = sizeof faults / sizeof faults[0] };

/* What the fault makes of a code, in other words than the injector's. */
static uint32_t expected_code(const fpx_fault *f, size_t i, uint32_t code)
{
    float x;

    memcpy(&x, &code, sizeof x);
    if (f->kind == FPX_FAULT_STALE)
        x = value_at(STRUCK - 1, i);
    else if (f->kind == FPX_FAULT_BIT && i == f->element)
        code ^= UINT32_C(1) << f->bit;
    else if (f->kind == FPX_FAULT_ULP && i == f->element)
        x = nextafterf(x, x < 0 ? -HUGE_VALF : HUGE_VALF);
    else if (f->kind == FPX_FAULT_TRUNCATE)
        code = code >> f->bit << f->bit;
    if (f->kind == FPX_FAULT_STALE || f->kind == FPX_FAULT_ULP)
        memcpy(&code, &x, sizeof code);
    return code;
}

START_TEST(each_kind_does_what_it_says_once)
{
    const fpx_fault *f = &faults[_i];
    uint32_t clean[N], got[N];
    float x[N];
    bench b;

    open_bench(&b, f, &fpx_fp32);
    for (uint64_t step = 0; step < 7; step++) {
        values_of(step, x, clean);
        run(&b, "other", step, x, got);
        ck_assert_mem_eq(got, clean, sizeof clean);
        run(&b, "site", step, x, got);
        if (step == STRUCK) {
            uint64_t changed = 0, first = N;

            for (size_t i = 0; i < N; i++) {
                ck_assert_uint_eq(got[i], expected_code(f, i, clean[i]));
                first = got[i] != clean[i] && changed++ == 0 ? i : first;
            }
            ck_assert_uint_gt(changed, 0);
            ck_assert_uint_eq(b.report.changed, changed);
            ck_assert_uint_eq(b.report.element, first);
            ck_assert_uint_eq(b.report.before, clean[first]);
            ck_assert_uint_eq(b.report.after, got[first]);
            run(&b, "site", step, x, got); /* the same step again: it has struck */
        } else if (step < STRUCK) {
            ck_assert_uint_eq(b.report.changed, 0);
        }
        ck_assert_mem_eq(got, clean, sizeof clean);
    }
    ck_assert_uint_gt(b.report.changed, 0);
    fpx_device_close(b.device);
}
END_TEST

/* One code up in magnitude, wherever it stands. */
START_TEST(ulp_at_the_edges)
{
    static const uint32_t pairs[][2] = { { 0x00000000, 0x00000001 }, { 0x80000000, 0x80000001 },
                                         { 0x007fffff, 0x00800000 }, { 0x7f7fffff, 0x7f800000 },
                                         { 0xff7fffff, 0xff800000 }, { 0x3fffffff, 0x40000000 } };
    const fpx_fault fault = { .kind = FPX_FAULT_ULP, .step = 1, .element = 0, .op = "site" };
    uint32_t code = pairs[_i][0], got[N];
    float x[N] = { 0 };
    bench b;

    memcpy(x, &code, sizeof code);
    open_bench(&b, &fault, &fpx_fp32);
    run(&b, "site", 1, x, got);
    code = code == 0x80000000 ? 1 : pairs[_i][1]; /* -0 + 0 is +0 before it is struck */
    ck_assert_uint_eq(got[0], code);
    fpx_device_close(b.device);
}
END_TEST

/* Codes of one byte: the neighbours of the struck one are untouched. */
START_TEST(narrow_codes)
{
    const fpx_conversion to = { .format = fpx_e4m3, .round = FPX_RNE, .overflow = FPX_SATFINITE };
    const fpx_fault fault = { .kind = _i ? FPX_FAULT_TRUNCATE : FPX_FAULT_BIT,
                              .step = 0,
                              .element = 9,
                              .bit = 2,
                              .op = "site" };
    uint8_t clean[N], got[N];
    uint32_t bits[N];
    float x[N];
    bench b;

    open_bench(&b, &fault, &fpx_e4m3);
    b.call.attr.quantize.round = FPX_RNE;
    b.call.attr.quantize.overflow = FPX_SATFINITE;
    values_of(0, x, bits);
    ck_assert_int_eq(fpx_encode_f32(&to, 1.0f, x, clean, N), FPX_OK);
    run(&b, "site", 0, x, got);
    for (size_t i = 0; i < N; i++)
        ck_assert_uint_eq(got[i], _i ? clean[i] & 0xfc : (i == 9 ? clean[i] ^ 4 : clean[i]));
    fpx_device_close(b.device);
}
END_TEST

static const fpx_fault idle[] = {
    { .kind = FPX_FAULT_BIT,
      .step = 2,
      .element = N,
      .bit = 3,
      .op = "site" }, /* no such element */
    { .kind = FPX_FAULT_BIT, .step = 9, .element = 1, .bit = 3, .op = "site" }, /* no such step */
    { .kind = FPX_FAULT_BIT, .step = 2, .element = 1, .bit = 3, .op = "elsewhere" },
    { .kind = FPX_FAULT_BIT, .step = 2, .element = 1, .bit = 3, .out = 1, .op = "site" },
    { .kind = FPX_FAULT_BIT, .step = 2, .element = 1, .bit = 3, .out = UINT32_MAX, .op = "site" },
    { .kind = FPX_FAULT_STALE, .step = 0, .op = "site" }, /* nothing came before */
    { .kind = FPX_FAULT_TRUNCATE, .step = 2, .bit = 0, .op = "site" },
};

START_TEST(what_cannot_strike_says_so)
{
    uint32_t clean[N], got[N];
    float x[N];
    bench b;

    open_bench(&b, &idle[_i], &fpx_fp32);
    for (uint64_t step = 0; step < 5; step++) {
        values_of(step, x, clean);
        run(&b, "site", step, x, got);
        ck_assert_mem_eq(got, clean, sizeof clean);
    }
    ck_assert_uint_eq(b.report.changed, 0);
    fpx_device_close(b.device);
}
END_TEST

START_TEST(opening_and_names)
{
    static const char *const names[] = { "bit", "ulp", "stale", "truncate", "unknown" };
    fpx_fault fault = { .kind = FPX_FAULT_BIT, .op = "site" };
    fpx_error err = { .text = "" };
    fpx_accel staged = fpx_accel_cpu;
    fpx_device *device = NULL;
    fpx_fault_report report;
    fpx_arena *arena = NULL;
    uint32_t buffer = 0;
    char text[256];

    for (unsigned kind = 0; kind <= FPX_FAULT_KINDS; kind++)
        ck_assert_str_eq(fpx_fault_name((fpx_fault_kind)kind), names[kind]);
    ck_assert_int_eq(fpx_fault_device(&fpx_accel_cpu, "speed=9", &fault, &report, &device, &err),
                     FPX_EINVAL);
    ck_assert_msg(strstr(err.text, "speed: unknown option") != NULL, "%s", err.text);
    fault.kind = FPX_FAULT_KINDS;
    ck_assert_int_eq(fpx_fault_device(&fpx_accel_cpu, "", &fault, &report, &device, &err),
                     FPX_EINVAL);
    ck_assert_ptr_null(device);

    /* A device that cannot adopt stays one. */
    fault.kind = FPX_FAULT_BIT;
    staged.adopt = NULL;
    ck_assert_int_eq(fpx_arena_new(64, &arena, &err), FPX_OK);
    ck_assert_int_eq(fpx_fault_device(&staged, "threads=2", &fault, &report, &device, &err),
                     FPX_OK);
    ck_assert_int_eq(fpx_device_adopt(device, arena, &buffer, &err), FPX_EUNSUPPORTED);
    fpx_device_describe(device, text, sizeof text);
    ck_assert_msg(strstr(text, "2 threads") != NULL, "%s", text);
    fpx_device_close(device);
    ck_assert_int_eq(fpx_fault_device(&fpx_accel_cpu, "threads=1", &fault, &report, &device, &err),
                     FPX_OK);
    ck_assert_int_eq(fpx_device_adopt(device, arena, &buffer, &err), FPX_OK);
    fpx_device_release(device, buffer);
    fpx_device_close(device);
    fpx_arena_free(arena);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fault");
    TCase *tc = tcase_create("fault");
    SRunner *runner;

    tcase_add_loop_test(tc, each_kind_does_what_it_says_once, 0, FAULTS);
    tcase_add_loop_test(tc, ulp_at_the_edges, 0, 6);
    tcase_add_loop_test(tc, narrow_codes, 0, 2);
    tcase_add_loop_test(tc, what_cannot_strike_says_so, 0, sizeof idle / sizeof idle[0]);
    tcase_add_test(tc, opening_and_names);
    suite_add_tcase(s, tc);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
