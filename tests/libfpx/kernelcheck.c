/* kernelcheck.c - every kernel of every instruction-set level against the scalar one, bit for bit:
 * edge classes, odd lengths, misaligned buffers, canaries. With --bench it times them as well.
 *
 *   kernelcheck [--bench] [NAME]      rows whose name contains NAME; exit 0 all equal, 1 not */
#include "kernelcheck.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const kc_row *const tables[] = { kc_rows_convert, kc_rows_stream, kc_rows_elemfn,
                                        kc_rows_reduce,  kc_rows_gemm,   kc_rows_block };

enum { PRINTED = 5, GUARD = 0xa5 };

kc_buffer kc_buffer_new(size_t bytes, size_t misalign)
{
    kc_buffer b = { NULL, NULL, bytes };

    b.base = malloc(bytes + 2 * KC_CANARY + 64 + 64);
    if (b.base == NULL)
        abort();
    const size_t past = (size_t)((uintptr_t)(b.base + KC_CANARY) % 64);
    b.data = b.base + KC_CANARY + (64 - past) % 64 + misalign % 64;
    memset(b.data - KC_CANARY, GUARD, bytes + 2 * (size_t)KC_CANARY);
    return b;
}

int kc_buffer_intact(const kc_buffer *b)
{
    for (size_t i = 0; i < KC_CANARY; i++) {
        if (b->data[b->bytes + i] != GUARD || b->data[-1 - (ptrdiff_t)i] != GUARD)
            return 0;
    }
    return 1;
}

void kc_buffer_free(kc_buffer *b)
{
    free(b->base);
    b->base = NULL;
}

uint64_t kc_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

const char *kc_two_levels(const kc_row *row, fpx_cpu_level level)
{
    (void)row;
#ifdef FPX_HAVE_AVX2
    if (level >= FPX_CPU_AVX2)
        return "avx2";
#endif
    (void)level;
    return "scalar";
}

void kc_differ(const kc_row *row, size_t already, const char *format, ...)
{
    va_list args;

    if (already >= PRINTED)
        return;
    printf("  %s: ", row->name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("%s\n", already + 1 == PRINTED ? " (and no more of these printed)" : "");
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* 16 M elements: well past every cache, so that memcpy is the limit to compare with. */
enum { BENCH_ELEMENTS = 1 << 24, BENCH_RUNS = 7 };

static void bench_row(const kc_row *row, fpx_cpu_level level, unsigned char *src,
                      unsigned char *dst)
{
    const size_t moved = (row->src_bytes + row->dst_bytes) * (size_t)BENCH_ELEMENTS;
    double best = 1e9;
    double best_copy = 1e9;

    for (int run = 0; run < BENCH_RUNS; run++) {
        double t = seconds();
        row->bench(row, level, src, dst, BENCH_ELEMENTS);
        t = seconds() - t;
        best = t < best ? t : best;
        /* memcpy reads and writes as many bytes in all as the kernel does. */
        t = seconds();
        memcpy(dst, src, moved / 2);
        t = seconds() - t;
        best_copy = t < best_copy ? t : best_copy;
    }
    printf("bench %-28s %-7s %9.0f M/s  %5.2f of memcpy\n", row->name, fpx_cpu_level_name(level),
           BENCH_ELEMENTS / best * 1e-6, best_copy / best);
}

/* Whether a level has a kernel of its own; what runs instead was checked one level below. */
static int has_own_kernel(const kc_row *row, fpx_cpu_level level)
{
    if (level > fpx_cpu_detect()) {
        printf("skip  %-28s %-7s this machine lacks it\n", row->name, fpx_cpu_level_name(level));
        return 0;
    }
    if (level > FPX_CPU_SCALAR &&
        strcmp(row->kernel(row, level), row->kernel(row, level - 1)) == 0) {
        printf("none  %-28s %-7s runs the %s kernel\n", row->name, fpx_cpu_level_name(level),
               row->kernel(row, level));
        return 0;
    }
    return 1;
}

static size_t check_row(const kc_row *row, fpx_cpu_level level)
{
    const size_t bad = row->check(row, level);

    printf("%-5s %-28s %s\n", bad == 0 ? "ok" : "BAD", row->name, fpx_cpu_level_name(level));
    return bad;
}

int main(int argc, char **argv)
{
    const int bench = argc > 1 && strcmp(argv[1], "--bench") == 0;
    const char *const only = argc > 1 + bench ? argv[1 + bench] : "";
    const fpx_fpenv env = fpx_fpenv_enter();
    unsigned char *const src = bench ? malloc((size_t)BENCH_ELEMENTS * 8) : NULL;
    unsigned char *const dst = bench ? malloc((size_t)BENCH_ELEMENTS * 8) : NULL;
    size_t bad = 0;

    if (bench) {
        uint64_t state = 1;
        if (src == NULL || dst == NULL)
            return 2;
        /* Bytes whose float32 reading is mostly within an 8-bit format's range. */
        for (size_t i = 0; i < (size_t)BENCH_ELEMENTS * 2; i++) {
            const uint32_t u = 0x3c000000u + (uint32_t)(kc_random(&state) >> 38);
            memcpy(src + 4 * i, &u, sizeof u);
        }
        memset(dst, 0, (size_t)BENCH_ELEMENTS * 8);
    }
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (const kc_row *row = tables[t]; row->name != NULL; row++) {
            if (strstr(row->name, only) == NULL)
                continue;
            for (int level = 0; level < FPX_CPU_LEVELS; level++) {
                if (!has_own_kernel(row, (fpx_cpu_level)level))
                    continue;
                bad += check_row(row, (fpx_cpu_level)level);
                if (bench && row->bench != NULL)
                    bench_row(row, (fpx_cpu_level)level, src, dst);
            }
        }
    }
    free(src);
    free(dst);
    fpx_fpenv_leave(env);
    printf("%zu differences\n", bad);
    return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
