/* test_ops.c - the same bits from every operation whatever the instruction set, the number of threads and
 * the caller's floating-point environment; canonical NaN; what the device says of itself. */
#include <fenv.h>
#ifdef __x86_64__
#include <xmmintrin.h>
#endif

#include <fpx/cpu.h>

#include "cpu_device.h"
#include "ops_cases.h"

static const uint64_t seed = 7;

static const fpx_format *real_of(int i)
{
    return i ? &fpx_fp64 : &fpx_fp32;
}

/* Runs a case on a device of its own; returns a copy of its outputs, one after the other. */
static unsigned char *outputs(const op_case *c, const fpx_format *real, const char *options,
                              void (*disturb)(void), size_t *ret_bytes, size_t *ret_runs)
{
    fixture f;
    size_t bytes = 0, at = 0;

    fixture_open(&f, options, seed);
    const fpx_call call = c->build(&f, real);
    fenv_t saved;
    char text[256] = "";

    for (uint32_t i = 0; i < call.nout; i++)
        bytes += fpx_tensor_bytes(&call.out[i]);
    ck_assert_int_eq(fegetenv(&saved), 0);
    if (disturb != NULL)
        disturb();
#ifdef __x86_64__
    const unsigned before = _mm_getcsr();
#endif
    const fpx_status status = try_call(&f, &call, text, sizeof text);
#ifdef __x86_64__
    const unsigned after = _mm_getcsr();
#endif
    ck_assert_int_eq(fesetenv(&saved), 0);
    if (status != FPX_OK)
        ck_abort_msg("%s: %s", c->name, text);
#ifdef __x86_64__
    ck_assert_uint_eq(before & 0xffc0u, after & 0xffc0u); /* control bits are the caller's again */
#endif
    unsigned char *copy = malloc(bytes);
    ck_assert_ptr_nonnull(copy);
    for (uint32_t i = 0; i < call.nout; i++) {
        const size_t size = fpx_tensor_bytes(&call.out[i]);

        memcpy(copy + at, data_of(&f, &call.out[i]), size);
        at += size;
    }
    *ret_bytes = bytes;
    *ret_runs = cpu_device_parallel_runs(f.device);
    fixture_close(&f);
    return copy;
}

static void compare(const op_case *c, const fpx_format *real, const char *options,
                    void (*disturb)(void), const char *what)
{
    size_t bytes, other, runs, none;
    unsigned char *want = outputs(c, real, "threads=1,level=scalar", NULL, &bytes, &none);
    unsigned char *got = outputs(c, real, options, disturb, &other, &runs);

    const int split =
        !c->one_thread &&
        !((c->kind == FPX_OP_SCALE || c->kind == FPX_OP_SCALE_DELAYED) && real->bits == 64);

    ck_assert_uint_eq(none, 0);
    if (strstr(options, "threads=1") != NULL ? runs != 0 : split && runs == 0)
        ck_abort_msg("%s, %s: %zu loops ran on several threads", c->name, options, runs);
    for (size_t i = 0; i < bytes; i++)
        if (want[i] != got[i])
            ck_abort_msg("%s in %s, %s%s: byte %zu of %zu differs (seed %llu)", c->name, real->name,
                         options, what, i, bytes, (unsigned long long)seed);
    free(want);
    free(got);
}

START_TEST(levels_and_threads)
{
    static const char *const levels[] = { "scalar", "avx2", "avx512" };
    static const int threads[] = { 1, 2, 5 };

    for (int level = 0; level <= (int)fpx_cpu_detect(); level++)
        for (int t = 0; t < 3; t++)
            for (int wide = 0; wide < 2; wide++) {
                char options[64];

                (void)snprintf(options, sizeof options, "threads=%d,level=%s", threads[t],
                               levels[level]);
                compare(&op_cases[_i], real_of(wide), options, NULL, "");
            }
}
END_TEST

static void round_upward(void)
{
    (void)fesetround(FE_UPWARD);
}

static void round_to_zero(void)
{
    (void)fesetround(FE_TOWARDZERO);
}

#ifdef __x86_64__
/* Flush to zero, denormals are zero. */
static void flush_subnormals(void)
{
    _mm_setcsr(_mm_getcsr() | 0x8040u);
}
#endif

START_TEST(caller_environment)
{
    static const struct {
        void (*disturb)(void);
        const char *what;
    } modes[] = {
        { round_upward, " rounding upward" },
        { round_to_zero, " rounding to zero" },
#ifdef __x86_64__
        { flush_subnormals, " flushing subnormals" },
#endif
    };

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        for (int wide = 0; wide < 2; wide++)
            compare(&op_cases[_i], real_of(wide), "threads=2", modes[i].disturb, modes[i].what);
}
END_TEST

/* NaN of either sign with a payload goes in; what is computed from it is the one NaN. */
static void plant_nan(const fixture *f, const fpx_tensor *t)
{
    const size_t n = fpx_tensor_count(t);

    for (size_t i = 0; i < n; i += 1 + n / 7) {
        const uint64_t wide = UINT64_C(0xfff8000000012345);
        const uint32_t narrow = (i & 1) ? 0xffc12345u : 0x7fc54321u;

        if (t->format.bits == 64)
            memcpy((double *)data_of(f, t) + i, &wide, sizeof wide);
        else if (t->format.bits == 32)
            memcpy((float *)data_of(f, t) + i, &narrow, sizeof narrow);
    }
}

static int is_other_nan(const fixture *f, const fpx_tensor *t, size_t i, int *seen)
{
    if (t->format.bits == 64) {
        uint64_t bits;

        memcpy(&bits, (const double *)data_of(f, t) + i, sizeof bits);
        *seen |= (bits & INT64_MAX) > UINT64_C(0x7ff0000000000000);
        return *seen && (bits & INT64_MAX) > UINT64_C(0x7ff0000000000000) &&
               bits != UINT64_C(0x7ff8000000000000);
    }
    uint32_t bits;
    memcpy(&bits, (const float *)data_of(f, t) + i, sizeof bits);
    *seen |= (bits & INT32_MAX) > 0x7f800000u;
    return (bits & INT32_MAX) > 0x7f800000u && bits != 0x7fc00000u;
}

START_TEST(canonical_nan)
{
    const op_case *c = &op_cases[_i];
    fixture f;
    int seen = 0;

    if (c->moves || c->kind == FPX_OP_QUANTIZE || c->kind == FPX_OP_SCALE ||
        c->kind == FPX_OP_SCALE_DELAYED || c->kind == FPX_OP_QUANTIZE_RANDOM ||
        c->kind == FPX_OP_QUANTIZE_BLOCK || c->kind == FPX_OP_QUANTIZE_BLOCK_RANDOM)
        return; /* moves bits; keeps the sign by contract; gives factor 1 by contract */
    for (int level = 0; level <= (int)fpx_cpu_detect(); level++)
        for (int wide = 0; wide < 2; wide++) {
            char options[64];

            (void)snprintf(options, sizeof options, "threads=2,level=%s",
                           fpx_cpu_level_name((fpx_cpu_level)level));
            fixture_open(&f, options, seed);
            const fpx_call call = c->build(&f, real_of(wide));
            for (uint32_t i = 0; i < call.nin; i++)
                if (call.in[i].format.cls == FPX_CLASS_FLOAT)
                    plant_nan(&f, &call.in[i]);
            if ((call.kind == FPX_OP_GEMM || call.kind == FPX_OP_DEQUANTIZE) &&
                call.in[0].format.bits == 8)
                memset(data_of(&f, &call.in[0]), 0xff, 3); /* NaN codes of E4M3, negative */
            run_call(&f, &call);
            for (uint32_t o = 0; o < call.nout; o++)
                for (size_t i = 0;
                     call.out[o].format.bits >= 32 && i < fpx_tensor_count(&call.out[o]); i++)
                    if (is_other_nan(&f, &call.out[o], i, &seen))
                        ck_abort_msg("%s in %s, level %s: out[%u][%zu] is a NaN with other bits",
                                     c->name, real_of(wide)->name,
                                     fpx_cpu_level_name((fpx_cpu_level)level), o, i);
            fixture_close(&f);
        }
    if (!seen)
        ck_abort_msg("%s: no NaN came out: the test says nothing", c->name);
}
END_TEST

START_TEST(describes_itself)
{
    fixture f;
    char text[128];

    fixture_open(&f, "threads=3,level=scalar,engine=repro", seed);
    fpx_accel_cpu.describe(f.device, text, sizeof text);
    ck_assert_str_eq(text, "cpu: kernels scalar, 3 threads, engine repro");
    fixture_close(&f);
    if (fpx_cpu_detect() >= FPX_CPU_AVX2) {
        fixture_open(&f, "level=avx2,threads=1", seed);
        fpx_accel_cpu.describe(f.device, text, sizeof text);
        ck_assert_str_eq(text, "cpu: kernels avx2, 1 thread, engine repro");
        fixture_close(&f);
    } else {
        printf("not run: level avx2, which this machine lacks\n");
    }
}
END_TEST

/* Every kind has a case above: a new one cannot be forgotten. */
START_TEST(every_kind_is_covered)
{
    unsigned char covered[FPX_OP_KINDS] = { 0 };

    for (size_t i = 0; i < OP_CASES; i++)
        covered[op_cases[i].kind] = 1;
    for (int kind = 0; kind < FPX_OP_KINDS; kind++)
        if (!covered[kind])
            ck_abort_msg("kind %d has no case", kind);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ops");
    TCase *tc = tcase_create("bits");

    printf("seed %llu\n", (unsigned long long)seed);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, levels_and_threads, 0, OP_CASES);
    tcase_add_loop_test(tc, caller_environment, 0, OP_CASES);
    tcase_add_loop_test(tc, canonical_nan, 0, OP_CASES);
    tcase_add_test(tc, describes_itself);
    tcase_add_test(tc, every_kind_is_covered);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
