/* test_device.c - specs, devices in this process, arenas. Plugins in a host: test_plugin.c. */

#include "plugin_suite.h"

/* A device that notes what reached it and returns what it was told to. */
typedef struct spy {
    fpx_status status;
    uint32_t buffer;
    const void *address;
    int closed, released, ran;
    const char *text;
} spy;

static fpx_status spy_open(const char *options, void **ret_device, char *text, size_t text_size)
{
    (void)options, (void)ret_device, (void)text, (void)text_size;
    return FPX_EUNSUPPORTED;
}

static void spy_close(void *device)
{
    ((spy *)device)->closed++;
}

static void spy_describe(void *device, char *text, size_t text_size)
{
    (void)device;
    memset(text, 's', text_size); /* not terminated */
}

static fpx_status spy_alloc(void *device, uint64_t bytes, uint32_t *ret_buffer)
{
    const spy *s = device;

    (void)bytes;
    *ret_buffer = s->buffer;
    return s->status;
}

static fpx_status spy_adopt(void *device, void *address, uint64_t bytes, uint32_t *ret_buffer)
{
    ((spy *)device)->address = address;
    return spy_alloc(device, bytes, ret_buffer);
}

static void spy_release(void *device, uint32_t buffer)
{
    (void)buffer;
    ((spy *)device)->released++;
}

static fpx_status spy_write(void *device, uint32_t buffer, uint64_t offset, const void *src,
                            uint64_t bytes)
{
    (void)buffer, (void)offset, (void)src, (void)bytes;
    return ((const spy *)device)->status;
}

static fpx_status spy_read(void *device, uint32_t buffer, uint64_t offset, void *dst,
                           uint64_t bytes)
{
    (void)buffer, (void)offset, (void)dst, (void)bytes;
    return ((const spy *)device)->status;
}

static fpx_status spy_run(void *device, const fpx_call *call, char *text, size_t text_size)
{
    spy *s = device;

    (void)call;
    s->ran++;
    if (s->status != FPX_OK && s->text != NULL)
        snprintf(text, text_size, "%s", s->text);
    return s->status;
}

static const fpx_accel spy_table = {
    .struct_size = sizeof(fpx_accel),
    .version = FPX_ACCEL_VERSION,
    .name = "spy",
    .open = spy_open,
    .close = spy_close,
    .describe = spy_describe,
    .alloc = spy_alloc,
    .adopt = spy_adopt,
    .release = spy_release,
    .write = spy_write,
    .read = spy_read,
    .prepare = spy_run,
    .run = spy_run,
};

static fpx_device *wrap(spy *s)
{
    fpx_device *device = NULL;
    fpx_error err;

    ck_assert_int_eq(fpx_device_from_table("spy,x=1", &spy_table, s, &device, &err), FPX_OK);
    return device;
}

static const fpx_call a_call = { .struct_size = sizeof(fpx_call),
                                 .kind = FPX_OP_GEMM,
                                 .op = 7,
                                 .step = 41000,
                                 .name = "layer.0/attn.qkv/fprop" };

START_TEST(a_wrapped_table_is_called)
{
    spy s = { .status = FPX_OK, .buffer = 5 };
    fpx_device *device = wrap(&s);
    fpx_arena *arena = NULL;
    fpx_error err;
    uint32_t buffer = 0;
    char text[16];

    ck_assert_str_eq(fpx_device_name(device), "spy,x=1");
    fpx_device_describe(device, text, sizeof text);
    ck_assert_uint_eq(strlen(text), sizeof text - 1);
    fpx_device_describe(device, text, 0);

    ck_assert_int_eq(fpx_device_alloc(device, 64, &buffer, &err), FPX_OK);
    ck_assert_uint_eq(buffer, 5);
    ck_assert_int_eq(fpx_arena_new(1000, &arena, &err), FPX_OK);
    ck_assert_int_eq(fpx_device_adopt(device, arena, &buffer, &err), FPX_OK);
    ck_assert_ptr_eq(s.address, fpx_arena_address(arena));
    ck_assert_int_eq(fpx_device_prepare(device, &a_call, &err), FPX_OK);
    ck_assert_int_eq(fpx_device_run(device, &a_call, &err), FPX_OK);
    ck_assert_int_eq(s.ran, 2);
    fpx_device_release(device, buffer);
    ck_assert_int_eq(s.released, 1);
    fpx_device_close(device);
    ck_assert_int_eq(s.closed, 1);
    fpx_arena_free(arena);
}
END_TEST

/* A failure of the device's own is passed on with its text and ends nothing. */
START_TEST(a_failure_names_device_and_call)
{
    spy s = { .status = FPX_ENUMERIC, .buffer = 1, .text = "row 3 is NaN" };
    fpx_device *device = wrap(&s);
    fpx_error err;
    uint32_t buffer = 99;

    check_failure(fpx_device_run(device, &a_call, &err), FPX_ENUMERIC, &err, "'spy,x=1'");
    check_failure(FPX_ENUMERIC, FPX_ENUMERIC, &err,
                  "run of 'layer.0/attn.qkv/fprop' (operation 7, step 41000): row 3 is NaN");
    check_failure(fpx_device_alloc(device, 1, &buffer, &err), FPX_ENUMERIC, &err, "alloc");
    ck_assert_uint_eq(buffer, 99);
    ck_assert_int_eq(fpx_device_run(device, &a_call, NULL), FPX_ENUMERIC);
    s.status = FPX_OK;
    ck_assert_int_eq(fpx_device_run(device, &a_call, &err), FPX_OK);
    fpx_device_close(device);
}
END_TEST

/* What the ABI does not know ends the device. */
START_TEST(a_lie_ends_the_device)
{
    const int handle_lie = _i;
    spy s = { .status = handle_lie ? FPX_OK : (fpx_status)12345, .buffer = 0 };
    fpx_device *device = wrap(&s);
    const char *piece = handle_lie ? "alloc: it returned success and the handle 0"
                                   : "alloc: it returned 12345, which is no status";
    fpx_error err;
    uint32_t buffer = 99;
    char text[256];

    check_failure(fpx_device_alloc(device, 1, &buffer, &err), FPX_EDEVICE, &err, piece);
    ck_assert_uint_eq(buffer, 99);
    s.status = FPX_OK;
    check_failure(fpx_device_run(device, &a_call, &err), FPX_EDEVICE, &err, piece);
    ck_assert_int_eq(s.ran, 0);
    fpx_device_describe(device, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, piece));
    fpx_device_release(device, 1);
    ck_assert_int_eq(s.released, 0);
    fpx_device_close(device);
    ck_assert_int_eq(s.closed, 1);
}
END_TEST

START_TEST(malformed_requests_do_not_reach_the_device)
{
    spy s = { .status = FPX_OK, .buffer = 1 };
    fpx_device *device = wrap(&s);
    fpx_error err;
    fpx_call call = a_call;
    char byte = 0;

    call.struct_size--;
    check_failure(fpx_device_run(device, &call, &err), FPX_EINVAL, &err, "malformed");
    call = a_call;
    call.nin = FPX_MAX_IN + 1;
    check_failure(fpx_device_prepare(device, &call, &err), FPX_EINVAL, &err, "malformed");
    ck_assert_int_eq(s.ran, 0);
    check_failure(fpx_device_write(device, 1, UINT64_MAX, &byte, 1, &err), FPX_EINVAL, &err,
                  "overflow");
    check_failure(fpx_device_read(device, 1, 1, &byte, UINT64_MAX, &err), FPX_EINVAL, &err,
                  "overflow");
    fpx_device_close(device);
}
END_TEST

START_TEST(a_table_is_checked)
{
    fpx_accel table = spy_table;
    fpx_device *device = NULL;
    fpx_arena *arena = NULL;
    fpx_error err;
    spy s = { .status = FPX_OK, .buffer = 1 };
    uint32_t buffer = 0;

    table.version = FPX_ACCEL_VERSION + 1;
    check_failure(fpx_device_from_table("t", &table, &s, &device, &err), FPX_EUNSUPPORTED, &err,
                  "version 3");
    table = spy_table;
    table.struct_size = 8;
    check_failure(fpx_device_from_table("t", &table, &s, &device, &err), FPX_EUNSUPPORTED, &err,
                  "8 bytes");
    table = spy_table;
    table.run = NULL;
    check_failure(fpx_device_from_table("t", &table, &s, &device, &err), FPX_EDEVICE, &err,
                  "'run'");
    ck_assert_ptr_null(device);

    table = spy_table;
    table.adopt = NULL;
    ck_assert_int_eq(fpx_arena_new(64, &arena, &err), FPX_OK);
    ck_assert_int_eq(fpx_device_from_table("t", &table, &s, &device, &err), FPX_OK);
    check_failure(fpx_device_adopt(device, arena, &buffer, &err), FPX_EUNSUPPORTED, &err, "adopt");
    fpx_device_close(device);
    fpx_arena_free(arena);
}
END_TEST

static const struct {
    const char *spec;
    fpx_status status;
    const char *piece;
} bad_specs[] = {
    { "", FPX_EINVAL, "no such device" },
    { ",threads=2", FPX_EINVAL, "no such device" },
    { "cpus", FPX_EINVAL, "device 'cpus': open: no such device" },
    { "cpu,nonsense=1", FPX_EINVAL, "device 'cpu,nonsense=1': open: " },
    { "no-such-plugin.so", FPX_EIO, "No such file" },
    { "./no/such/plugin", FPX_EIO, "'./no/such/plugin': No such file" },
    { "/no/such.so,key=value", FPX_EIO, "'/no/such.so': No such file" },
};

START_TEST(bad_specs_are_refused)
{
    fpx_device *device = NULL;
    fpx_error err;

    check_failure(fpx_device_open(bad_specs[_i].spec, &device, &err), bad_specs[_i].status, &err,
                  bad_specs[_i].piece);
    ck_assert_ptr_null(device);
    ck_assert_int_eq(fpx_device_open(bad_specs[_i].spec, &device, NULL), bad_specs[_i].status);
}
END_TEST

START_TEST(the_cpu_device_opens)
{
    static const char *const specs[] = { "cpu", "cpu,threads=2,level=scalar" };
    fpx_device *device = NULL;
    fpx_error err;
    char text[256] = "";

    if (fpx_device_open(specs[_i], &device, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    ck_assert_str_eq(fpx_device_name(device), specs[_i]);
    fpx_device_describe(device, text, sizeof text);
    ck_assert_str_ne(text, "");
    fpx_device_close(device);
}
END_TEST

START_TEST(an_arena_is_zeroed_aligned_and_sealed)
{
    static const uint64_t sizes[] = { 0, 1, 63, 4096, 4097, 1 << 20 };
    fpx_error err;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        fpx_arena *arena = NULL;
        ck_assert_int_eq(fpx_arena_new(sizes[i], &arena, &err), FPX_OK);
        unsigned char *bytes = fpx_arena_address(arena);
        ck_assert_uint_eq(fpx_arena_bytes(arena), sizes[i]);
        ck_assert_uint_eq((uintptr_t)bytes % 64, 0);
        for (uint64_t k = 0; k < sizes[i]; k++)
            if (bytes[k] != 0)
                ck_abort_msg("byte %llu of %llu is not 0", (unsigned long long)k,
                             (unsigned long long)sizes[i]);
        memset(bytes, 0xff, (size_t)sizes[i]);
        fpx_arena_free(arena);
    }
    fpx_arena *none = NULL;
    check_failure(fpx_arena_new(UINT64_MAX, &none, &err), FPX_ENOMEM, &err, "too large");
    check_failure(fpx_arena_new(UINT64_C(1) << 60, &none, &err), FPX_ENOMEM, &err, "memory");
    ck_assert_ptr_null(none);
    fpx_arena_free(NULL);
    fpx_device_close(NULL);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("in-process");

    tcase_add_checked_fixture(tc, note_resources, check_resources);
    tcase_add_test(tc, a_wrapped_table_is_called);
    tcase_add_test(tc, a_failure_names_device_and_call);
    tcase_add_loop_test(tc, a_lie_ends_the_device, 0, 2);
    tcase_add_test(tc, malformed_requests_do_not_reach_the_device);
    tcase_add_test(tc, a_table_is_checked);
    tcase_add_loop_test(tc, bad_specs_are_refused, 0, sizeof bad_specs / sizeof bad_specs[0]);
    tcase_add_loop_test(tc, the_cpu_device_opens, 0, 2);
    tcase_add_test(tc, an_arena_is_zeroed_aligned_and_sealed);
    return run_suite("device", &tc, 1);
}
