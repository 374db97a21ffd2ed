/* bits.c - what libfpx computes, as one line of digest for each function, format and policy: the same text from every
 * machine, compiler and instruction set. Without arguments it prints; `bits FILE` compares with a golden and names
 * the first line that differs. The golden says what the bits are, not that they are right: other tests do that. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/elemfn.h>
#include <fpx/reduce.h>
#include <fpx/stream.h>

enum { N = 1 << 13 };

static FILE *out;

/* FNV-1a, 64 bits: no collision resistance is needed, and no library. */
static uint64_t digest(const void *data, size_t n)
{
    const unsigned char *const bytes = data;
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
    return h;
}

static void line(const char *what, const char *name, const void *data, size_t n)
{
    (void)fprintf(out, "%016" PRIx64 "  %s %s\n", digest(data, n), what, name);
}

/* A third any bits at all, a third of moderate size, a third on or beside a short number (ties). */
static void fill(float *x, double *x64)
{
    const fpx_stream stream = { .seed = 1, .site = 2 };

    for (size_t i = 0; i < N; i++) {
        uint32_t u = fpx_stream_u32(&stream, i);
        uint64_t v = (uint64_t)u << 32 | fpx_stream_u32(&stream, N + i);

        if (i % 3 == 1) {
            u = (u & 0x83ffffffu) | 0x3c000000u;
            v = (v & UINT64_C(0x807fffffffffffff)) | UINT64_C(0x3f80000000000000);
        } else if (i % 3 == 2) {
            u = (u & 0xfff00000u) + u % 3 - 1;
            v = (v & UINT64_C(0xfffe000000000000)) + v % 3 - 1;
        }
        memcpy(&x[i], &u, sizeof u);
        memcpy(&x64[i], &v, sizeof v);
    }
}

static void conversions(const float *x, const double *x64)
{
    static uint64_t codes[N];
    static uint32_t random[N];
    static float back[N];
    static double back64[N];
    const fpx_stream stream = { .seed = 3, .site = 4 };

    fpx_stream_u32_array(&stream, 0, random, N);
    for (size_t f = 0; fpx_format_at(f) != NULL; f++) {
        fpx_conversion c = { .format = *fpx_format_at(f) };
        const size_t bytes = fpx_format_size(&c.format) * N;

        if (c.format.cls == FPX_CLASS_INT)
            continue;
        for (int round = FPX_RNE; round <= FPX_SR; round++) {
            for (int overflow = FPX_SATFINITE; overflow <= FPX_OVERFLOW_NONE; overflow++) {
                char name[64];

                c.round = (uint8_t)round;
                c.overflow = (uint8_t)overflow;
                c.sr_bits = 11;
                c.sr_variant = (uint8_t)overflow; /* each variant once */
                (void)snprintf(name, sizeof name, "%s round %d overflow %d", c.format.name, round,
                               overflow);
                if (round == FPX_SR)
                    (void)fpx_encode_f64_random(&c, 1.0, x64, random, codes, N);
                else
                    (void)fpx_encode_f64(&c, 1.0, x64, codes, N);
                line("encode_f64", name, codes, bytes);
                if (round == FPX_SR)
                    (void)fpx_encode_f32_random(&c, 0.75f, x, random, codes, N);
                else
                    (void)fpx_encode_f32(&c, 0.75f, x, codes, N);
                line("encode_f32", name, codes, bytes);
            }
        }
        (void)fpx_decode_f64(&c.format, 0.75, codes, back64, N);
        line("decode_f64", c.format.name, back64, sizeof back64);
        if (fpx_decode_f32(&c.format, 0.75f, codes, back, N) == FPX_OK)
            line("decode_f32", c.format.name, back, sizeof back);
    }
}

static const struct {
    const char *name;
    float (*f32)(float);
    double (*f64)(double);
} functions[] = {
    { "exp", fpx_exp_f32, fpx_exp_f64 },    { "log", fpx_log_f32, fpx_log_f64 },
    { "sin", fpx_sin_f32, fpx_sin_f64 },    { "cos", fpx_cos_f32, fpx_cos_f64 },
    { "tanh", fpx_tanh_f32, fpx_tanh_f64 },
};

static void elementary(const float *x, const double *x64)
{
    static float y[N];
    static double y64[N];

    for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++) {
        for (size_t i = 0; i < N; i++) {
            y[i] = functions[f].f32(x[i]);
            y64[i] = functions[f].f64(x64[i]);
        }
        line("f32", functions[f].name, y, sizeof y);
        line("f64", functions[f].name, y64, sizeof y64);
    }
}

static void sums(const float *x, const double *x64)
{
    static float moderate[N];
    static double moderate64[N];
    const fpx_stream stream = { .seed = 5, .site = 6, .step = 7 };
    float s[2];
    double s64[3];

    fpx_stream_normal_array(&stream, 3, moderate64, N);
    line("stream", "normal", moderate64, sizeof moderate64);
    for (size_t i = 0; i < N; i++)
        moderate[i] = (float)moderate64[i];
    s[0] = fpx_sum_f32(FPX_CPU_SCALAR, moderate, N - 5);
    s[1] = fpx_dot_f32(FPX_CPU_SCALAR, moderate, moderate + 5, N - 5);
    s64[0] = fpx_sum_f64(FPX_CPU_SCALAR, moderate64, N - 5);
    s64[1] = fpx_dot_f64(FPX_CPU_SCALAR, moderate64, moderate64 + 5, N - 5);
    s64[2] = fpx_sumsq_f32(FPX_CPU_SCALAR, moderate, N);
    line("sums", "f32", s, sizeof s);
    line("sums", "f64", s64, sizeof s64);
    s[0] = fpx_amax_f32(FPX_CPU_SCALAR, x, N); /* there are NaN */
    s64[0] = fpx_amax_f64(FPX_CPU_SCALAR, x64, N);
    line("amax", "f32", s, sizeof s[0]);
    line("amax", "f64", s64, sizeof s64[0]);
}

static int compare(const char *path, FILE *made)
{
    FILE *const golden = fopen(path, "r");
    char want[160];
    char got[160];

    if (golden == NULL) {
        (void)fprintf(stderr, "bits: cannot read %s\n", path);
        return EXIT_FAILURE;
    }
    rewind(made);
    for (int n = 1;; n++) {
        const char *const a = fgets(want, sizeof want, golden);
        const char *const b = fgets(got, sizeof got, made);

        if (a == NULL && b == NULL) {
            (void)printf("%d lines agree with %s\n", n - 1, path);
            (void)fclose(golden);
            return n > 100 ? EXIT_SUCCESS : EXIT_FAILURE; /* an empty golden proves nothing */
        }
        if (a == NULL || b == NULL || strcmp(want, got) != 0) {
            (void)fprintf(stderr, "%s:%d: golden  %s    computed  %s", path, n,
                          a ? want : "(none)\n", b ? got : "(none)\n");
            (void)fclose(golden);
            return EXIT_FAILURE;
        }
    }
}

int main(int argc, char **argv)
{
    static float x[N];
    static double x64[N];
    const fpx_fpenv env = fpx_fpenv_enter();
    int status = EXIT_SUCCESS;

    out = argc > 1 ? tmpfile() : stdout;
    if (out == NULL)
        return EXIT_FAILURE;
    fill(x, x64);
    conversions(x, x64);
    elementary(x, x64);
    sums(x, x64);
    if (argc > 1)
        status = compare(argv[1], out);
    fpx_fpenv_leave(env);
    return status;
}
