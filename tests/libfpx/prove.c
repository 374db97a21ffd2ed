/* prove.c - one proof over all 2^32 float32: a format in a rounding by a kernel, in all three overflows, against
 * thresholds from MPFR (thresholds.h); or a profile of CUDA against CUDA's own host functions. tests/prove.py runs it for
 * `./dev prove`, and keeps the results.
 *
 *   prove FORMAT ROUND KERNEL STATE     prove cuda/FORMAT/ROUND/OVERFLOW STATE     prove list
 *
 * STATE is a file that remembers which of 64 parts were right: an interrupted proof goes on there. Each float32 is
 * converted once as SatFinite, and once more in each other overflow where its block reaches above the largest value. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "convert_kernels.h"
#include "format_bits.h"
#include "thresholds.h"
#ifdef FPX_HAVE_CUDA_HEADERS
#include "cuda_oracle.h"
#endif

enum { BLOCK = 1 << 15, PARTS = 64 };

static const char *const round_names[] = { "rne", "rna", "rz", "ru", "rd", "ro" };

/* Magnitudes from `first` on have this code, until the next segment. */
typedef struct segment {
    uint32_t first;
    uint16_t code[3]; /* by overflow */
} segment;

static mode_oracle oracle;
static thresholds at;
static segment segments[2][MODE_CODES + 8]; /* by sign */
static uint32_t above[2]; /* the first magnitude that may differ between overflows */

static uint32_t first_float(double t)
{
    float f = (float)t;

    if ((double)f < t)
        f = nextafterf(f, INFINITY);
    return fpx_f32_bits(f);
}

static fpx_conversion conversion_of(int round, int overflow)
{
    fpx_conversion c = { .round = (uint8_t)round, .overflow = (uint8_t)overflow };

    c.format = oracle.format;
    return c;
}

static void make_segments(int round, int negative)
{
    const mode_spec *const s = oracle.spec;
    segment *const to = segments[negative];
    size_t n = 0;

    thresholds_find(s, round, negative, &at);
    to[n++].first = 0; /* zero itself */
    to[n++].first = 1;
    for (uint32_t c = 1; c <= s->max + 1; c++)
        to[n++].first = at.from[c] > 0x1p128 ? 0x7f800000 : first_float(at.from[c]);
    to[n++].first = 0x7f800000;
    to[n++].first = 0x7f800001;
    to[n].first = 0x80000000;
    above[negative] = to[s->max + 2].first;
    for (int overflow = 0; overflow < 3; overflow++) {
        const fpx_conversion c = conversion_of(round, overflow);
        const double specials[3] = { 0.0, INFINITY, NAN };
        for (size_t i = 1; i < n; i++)
            to[i].code[overflow] = (uint16_t)threshold_code(&oracle, &c, (uint32_t)i - 1, negative);
        for (size_t i = 0; i < 3; i++)
            to[i == 0 ? 0 : n - 3 + i].code[overflow] =
                (uint16_t)mode_encode(&oracle, &c, negative ? -specials[i] : specials[i], 0);
    }
}

/* How many of a block of consecutive floats have another code; *at_segment only ever moves up. */
static size_t wrong(int negative, int overflow, uint32_t first, const void *codes,
                    size_t *at_segment)
{
    const segment *k = &segments[negative][*at_segment];
    const uint8_t *const got8 = codes;
    const uint16_t *const got16 = codes;
    const int is_wide = oracle.format.bits > 8;
    size_t bad = 0;

    for (uint32_t i = 0; i < BLOCK; k++) {
        while (k[1].first <= first + i)
            k++;
        const uint32_t end = k[1].first - first < BLOCK ? k[1].first - first : BLOCK;
        size_t other = 0;
        const uint16_t want = k->code[overflow];
        if (is_wide) {
            for (uint32_t j = i; j < end; j++)
                other += got16[j] != want;
        } else {
            for (uint32_t j = i; j < end; j++)
                other += got8[j] != (uint8_t)want;
        }
        if (other != 0 && bad == 0)
            printf("%s: %zu of the floats %08" PRIx32 "..%08" PRIx32
                   ", sign %d, overflow %d are not 0x%x\n",
                   oracle.spec->name, other, first + i, first + end - 1, negative, overflow, want);
        bad += other;
        i = end;
        if (i == BLOCK)
            break;
    }
    *at_segment = (size_t)(k - segments[negative]);
    return bad;
}

static size_t part_of_format(fpx_encode_f32_fn *encode, int round, uint32_t part)
{
    static float x[BLOCK];
    static uint16_t codes[BLOCK];
    const uint32_t length = (uint32_t)((UINT64_C(1) << 32) / PARTS);
    const uint32_t begin = part * length;
    const int negative = begin >> 31 != 0;
    size_t k[3] = { 0 };
    size_t bad = 0;

    for (uint32_t done = 0; done < length; done += BLOCK) {
        const uint32_t bits = begin + done;
        const uint32_t first = bits & 0x7fffffffu;
        for (uint32_t i = 0; i < BLOCK; i++)
            x[i] = fpx_bits_f32(bits + i);
        for (int overflow = 0; overflow < 3; overflow++) {
            const int is_scale = negative && (oracle.spec->flags & MODE_UNSIGNED) != 0;
            if (overflow > 0 && first + BLOCK <= above[negative] && !is_scale)
                continue;
            const fpx_conversion c = conversion_of(round, overflow);
            encode(&c, 1.0f, x, NULL, codes, BLOCK);
            bad += wrong(negative, overflow, first, codes, &k[overflow]);
        }
    }
    return bad;
}

#ifdef FPX_HAVE_CUDA_HEADERS
static size_t part_of_cuda(const cuda_case *k, uint32_t part)
{
    static float x[BLOCK];
    static uint8_t codes[BLOCK];
    const uint32_t length = (uint32_t)((UINT64_C(1) << 32) / PARTS);
    fpx_conversion c;
    size_t bad = 0;

    if (cuda_conversion(k, "cuda-float", &c) != FPX_OK)
        return 1;
    for (uint32_t done = 0; done < length; done += BLOCK) {
        const uint32_t bits = part * length + done;
        for (uint32_t i = 0; i < BLOCK; i++)
            x[i] = fpx_bits_f32(bits + i);
        fpx_encode_f32(&c, 1.0f, x, codes, BLOCK);
        for (uint32_t i = 0; i < BLOCK; i++) {
            const uint8_t want = k->from_float(x[i]);
            if (codes[i] != want && bad++ == 0)
                printf("%s: %08" PRIx32 " gave 0x%02x, cuda 0x%02x\n", k->format->name, bits + i,
                       codes[i], want);
        }
    }
    return bad;
}
#endif

/* Bit p of the result: part p was found right before. */
static uint64_t parts_done(const char *state, const char *what)
{
    FILE *const file = fopen(state, "r");
    uint64_t done = 0;
    char name[64];
    unsigned part = 0;

    while (file != NULL && fscanf(file, "%63s %u", name, &part) == 2) {
        if (strcmp(name, what) == 0 && part < PARTS)
            done |= UINT64_C(1) << part;
    }
    if (file != NULL)
        fclose(file);
    return done;
}

typedef size_t part_fn(const void *how, uint32_t part);

/* All parts that are not yet done; each is noted at once. */
static int prove(const char *what, const char *state, part_fn *check, const void *how)
{
    const uint64_t before = parts_done(state, what);
    const clock_t start = clock();
    const int watched = isatty(STDERR_FILENO) == 1;
    uint32_t now = 0;

    for (uint32_t part = 0; part < PARTS; part++) {
        if ((before >> part & 1) != 0)
            continue;
        const size_t bad = check(how, part);
        if (bad != 0) {
            printf("%s: %zu differences in part %" PRIu32 " of %d\n", what, bad, part, PARTS);
            return EXIT_FAILURE;
        }
        FILE *const file = fopen(state, "a");
        if (file == NULL || fprintf(file, "%s %" PRIu32 "\n", what, part) < 0 ||
            fclose(file) != 0) {
            perror(state);
            return 2;
        }
        now++;
        const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (watched)
            fprintf(stderr, "\r%s: part %" PRIu32 " of %d, %.0f M/s, %.0f s left   ", what,
                    part + 1, PARTS, now * 67.108864 / seconds, seconds / now * (PARTS - 1 - part));
    }
    if (watched)
        fprintf(stderr, "\n");
    printf("%s: all 2^32 float32, 0 differences\n", what);
    return EXIT_SUCCESS;
}

typedef struct sweep {
    fpx_encode_f32_fn *encode;
    int round;
} sweep;

static size_t sweep_part(const void *how, uint32_t part)
{
    const sweep *const s = how;

    return part_of_format(s->encode, s->round, part);
}

static int prove_format(const char *format, const char *round, const char *kernel,
                        const char *state)
{
    char what[64];
    size_t f = 0;
    int r = 0;
    const int level = strcmp(kernel, "scalar") == 0 ? FPX_CPU_SCALAR
                      : strcmp(kernel, "avx2") == 0 ? FPX_CPU_AVX2
                                                    : FPX_CPU_AVX512;

    while (f < MODE_FORMATS && strcmp(format, mode_specs[f].name) != 0)
        f++;
    while (r < FPX_SR && strcmp(round, round_names[r]) != 0)
        r++;
    if (f == MODE_FORMATS || r == FPX_SR || level > (int)fpx_cpu_detect() ||
        strcmp(fpx_convert_kernels_for((fpx_cpu_level)level)->name, kernel) != 0) {
        fprintf(stderr, "prove: no %s/%s by %s here\n", format, round, kernel);
        return 2;
    }
    mode_oracle_init(&oracle, &mode_specs[f]);
    make_segments(r, 0);
    make_segments(r, 1);
    (void)snprintf(what, sizeof what, "%s/%s/%s", format, round, kernel);
    const sweep how = {
        fpx_convert_kernels_for((fpx_cpu_level)level)->encode_f32[fpx_width_slot(&oracle.format)], r
    };
    return prove(what, state, sweep_part, &how);
}

#ifdef FPX_HAVE_CUDA_HEADERS
static size_t cuda_part(const void *how, uint32_t part)
{
    return part_of_cuda(how, part);
}
#endif

#ifdef FPX_HAVE_CUDA_HEADERS
static void cuda_name(const cuda_case *k, char what[64])
{
    (void)snprintf(what, 64, "cuda/%s/%s/%s", k->format->name, round_names[k->round],
                   k->overflow == FPX_SATFINITE ? "satfinite" : "none");
}
#endif

static int prove_cuda(const char *name, const char *state)
{
#ifdef FPX_HAVE_CUDA_HEADERS
    for (size_t i = 0; i < CUDA_CASES; i++) {
        char what[64];
        cuda_name(&cuda_cases[i], what);
        if (strcmp(what, name) == 0)
            return prove(what, state, cuda_part, &cuda_cases[i]);
    }
#endif
    (void)state;
    fprintf(stderr, "prove: no %s here (prove list)\n", name);
    return 2;
}

static void list(void)
{
    for (size_t f = 0; f < MODE_FORMATS; f++)
        printf("%s\n", mode_specs[f].name);
#ifdef FPX_HAVE_CUDA_HEADERS
    for (size_t i = 0; i < CUDA_CASES; i++) {
        char what[64];
        cuda_name(&cuda_cases[i], what);
        printf("cuda %s\n", what);
    }
#endif
    for (int level = FPX_CPU_SCALAR; level <= (int)fpx_cpu_detect(); level++)
        printf("kernel %s\n", fpx_convert_kernels_for((fpx_cpu_level)level)->name);
}

int main(int argc, char **argv)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    int status = 2;

    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        list();
        status = 0;
    } else if (argc == 3) {
        status = prove_cuda(argv[1], argv[2]);
    } else if (argc == 5) {
        status = prove_format(argv[1], argv[2], argv[3], argv[4]);
    } else {
        fprintf(
            stderr,
            "usage: prove FORMAT ROUND KERNEL STATE | cuda/FORMAT/ROUND/OVERFLOW STATE | list\n");
    }
    fpx_fpenv_leave(env);
    return status;
}
