/* cpu.c - what this processor can run, what the user allows, and a clean floating-point environment.
 * A level counts only if the operating system saves its registers too (XGETBV), else it would fault. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <xmmintrin.h>
#elif !defined(__aarch64__)
#include <fenv.h>
#endif

static const char *const level_names[FPX_CPU_LEVELS] = { "scalar", "avx2", "avx512" };

const char *fpx_cpu_level_name(fpx_cpu_level level)
{
    return (unsigned)level < FPX_CPU_LEVELS ? level_names[level] : "unknown";
}

#if defined(__x86_64__)
/* XCR0: bits 1, 2 are SSE and AVX state; 5, 6, 7 the AVX-512 mask and upper registers. */
static uint32_t saved_registers(void)
{
    uint32_t low = 0;
    uint32_t high = 0;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low;
}

static int has_all(uint32_t word, uint32_t bits)
{
    return (word & bits) == bits;
}

static fpx_cpu_level probe(void)
{
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;

    /* Leaf 1 ECX: FMA 12, OSXSAVE 27, AVX 28, F16C 29. */
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has_all(c, 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29))
        return FPX_CPU_SCALAR;
    /* Leaf 7 EBX: AVX2 5; AVX-512 F 16, DQ 17, CD 28, BW 30, VL 31. */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has_all(b, 1u << 5))
        return FPX_CPU_SCALAR;

    const uint32_t saved = saved_registers();
    if (!has_all(saved, 0x06))
        return FPX_CPU_SCALAR;
    if (has_all(b, 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31) && has_all(saved, 0xe6))
        return FPX_CPU_AVX512;
    return FPX_CPU_AVX2;
}
#else
static fpx_cpu_level probe(void)
{
    return FPX_CPU_SCALAR;
}
#endif

fpx_cpu_level fpx_cpu_detect(void)
{
    /* CPUID traps under virtualisation (tens of microseconds): asked once. Racing threads write
     * the same value. */
    static atomic_int once = -1;
    int level = atomic_load_explicit(&once, memory_order_relaxed);

    if (level < 0) {
        level = (int)probe();
        atomic_store_explicit(&once, level, memory_order_relaxed);
    }
    return (fpx_cpu_level)level;
}

fpx_status fpx_cpu_choose(fpx_cpu_level *ret_level, fpx_error *err)
{
    const fpx_cpu_level have = fpx_cpu_detect();
    const char *const word = getenv("FPX_CPU");

    if (word == NULL || word[0] == '\0') {
        *ret_level = have < FPX_CPU_AVX2 ? have : FPX_CPU_AVX2;
        return FPX_OK;
    }
    for (int level = 0; level < FPX_CPU_LEVELS; level++) {
        if (strcmp(word, level_names[level]) != 0)
            continue;
        if (level > (int)have) {
            return fpx_error_set(err, FPX_EINVAL,
                                 "FPX_CPU=%s: this machine has no more than %s; unset FPX_CPU or "
                                 "lower it",
                                 word, level_names[have]);
        }
        *ret_level = (fpx_cpu_level)level;
        return FPX_OK;
    }
    return fpx_error_set(err, FPX_EINVAL, "FPX_CPU=%.64s: use scalar, avx2 or avx512", word);
}

int fpx_cpu_is_reproducible(const char *device)
{
    return strncmp(device, "cpu", 3) == 0 && (device[3] == '\0' || device[3] == ',') &&
           strstr(device, "engine=openblas") == NULL;
}

fpx_cpu_level fpx_cpu_in_use(void)
{
    static atomic_int once = -1; /* racing threads read the same environment */
    int level = atomic_load_explicit(&once, memory_order_relaxed);

    if (level < 0) {
        fpx_cpu_level chosen = FPX_CPU_SCALAR;
        if (fpx_cpu_choose(&chosen, NULL) != FPX_OK)
            chosen = FPX_CPU_SCALAR;
        level = (int)chosen;
        atomic_store_explicit(&once, level, memory_order_relaxed);
    }
    return (fpx_cpu_level)level;
}

#if defined(__x86_64__)
/* MXCSR after reset: exceptions masked (bits 7..12), round to nearest, no FTZ (15), no DAZ (6). */
enum { MXCSR_CLEAN = 0x1f80 };

fpx_fpenv fpx_fpenv_enter(void)
{
    const fpx_fpenv saved = { .mxcsr = _mm_getcsr() };

    _mm_setcsr(MXCSR_CLEAN);
    return saved;
}

void fpx_fpenv_leave(fpx_fpenv saved)
{
    _mm_setcsr(saved.mxcsr);
}
#elif defined(__aarch64__)
/* FPCR 0: round to nearest, no flush to zero, no traps, IEEE half precision. */
fpx_fpenv fpx_fpenv_enter(void)
{
    uint64_t fpcr = 0;

    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" : : "r"(UINT64_C(0)) : "memory");
    return (fpx_fpenv){ .mxcsr = (uint32_t)fpcr };
}

void fpx_fpenv_leave(fpx_fpenv saved)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)saved.mxcsr) : "memory");
}
#else
/* Elsewhere C offers the rounding mode only. */
fpx_fpenv fpx_fpenv_enter(void)
{
    const fpx_fpenv saved = { .mxcsr = (uint32_t)fegetround() };

    fesetround(FE_TONEAREST);
    return saved;
}

void fpx_fpenv_leave(fpx_fpenv saved)
{
    fesetround((int)saved.mxcsr);
}
#endif
