/* mma_peer.c - the matrix-unit reference behind a pipe, for mma_oracle.py and mma_public.py: jobs on standard input,
 * 64-bit codes of D on standard output.
 *   mma_peer --list: each preset on a line: NAME, output format, inputs, scales ("-": none), apart by tabs.
 *   job: "NAME A B C SCALE BLOCK M N K CHANGES...\n", A to SCALE names of formats ("-": no C, no scales), then
 *   codes of 32 bits (of 64 for fp64): A (m x k), B (n x k), C (m x n), scales of A and of B (k / BLOCK a
 *   vector, begun ones too).
 *   CHANGES of the model: "field=value", "field:difference"; "." ends them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/mma.h>
#include <fpx/mma_finish.h>

/* n codes from standard input, as unpacked codes of the format. */
static void *read_codes(const fpx_format *format, size_t n)
{
    const size_t size = fpx_format_size(format), word = size == 8 ? 8 : 4;
    unsigned char *const codes = calloc(n + 1, size);
    unsigned char code[8];

    if (codes == NULL)
        abort();
    for (size_t i = 0; i < n; i++) {
        if (fread(code, word, 1, stdin) != 1)
            abort();
        memcpy(codes + i * size, code, size); /* little-endian: the low bytes */
    }
    return codes;
}

static fpx_format format_of(const char *name)
{
    fpx_format format = { .bits = 0 };

    if (strcmp(name, "-") != 0 && fpx_format_parse(name, &format, NULL) != FPX_OK)
        abort();
    return format;
}

/* "field=value" or "field:difference". */
static void change(fpx_mma_model *model, const char *text)
{
    char name[32] = { 0 };
    const size_t length = strcspn(text, "=:");

    memcpy(name, text, length);
    const size_t field = fpx_mma_field_find(name);
    const int64_t by = strtol(text + length + (text[length] != '\0'), NULL, 10);
    if (fpx_mma_field_at(field) == NULL ||
        fpx_mma_field_set(model, field,
                          by + (text[length] == ':' ? fpx_mma_field_get(model, field) : 0)) !=
            FPX_OK)
        abort();
}

/* job: "finish SUMS FORMAT SCALE_A SCALE_B SCALE_D ROUND OVERFLOW BIAS ROWS COLUMNS\n": scales as 32 bits in base 16, round and
 * overflow as numbers (-1: cuBLASLt's conversion), BIAS a format or "-"; then the bias and the sums. Codes of 64 bits
 * come back. */
static void finish(void)
{
    char sums_format[20], format[20], bias_format[20];
    uint32_t scale[3];
    int round = 0, overflow = 0;
    size_t rows = 0, columns = 0;

    if (scanf("%19s %19s %" SCNx32 " %" SCNx32 " %" SCNx32 " %d %d %19s %zu %zu", sums_format,
              format, &scale[0], &scale[1], &scale[2], &round, &overflow, bias_format, &rows,
              &columns) != 10 ||
        getchar() != '\n')
        abort();
    const fpx_format to = format_of(format);
    fpx_mma_epilogue e = { .sums = format_of(sums_format),
                           .bias_format = format_of(bias_format),
                           .to = fpx_mma_conversion(&to) };
    if (round >= 0)
        e.to.round = (uint8_t)round;
    if (overflow >= 0)
        e.to.overflow = (uint8_t)overflow;
    memcpy(&e.scale_a, &scale[0], 4);
    memcpy(&e.scale_b, &scale[1], 4);
    memcpy(&e.scale_d, &scale[2], 4);
    void *const bias = e.bias_format.bits > 0 ? read_codes(&e.bias_format, columns) : NULL;
    void *const sums = read_codes(&e.sums, rows * columns);
    unsigned char *const out = calloc(rows * columns + 1, 8);
    e.bias = bias;
    if (out == NULL || fpx_mma_finish(&e, sums, rows, columns, out, NULL) != FPX_OK)
        abort();
    for (size_t i = 0; i < rows * columns; i++) {
        const uint64_t code = fpx_format_code(&e.to.format, out, i);
        if (fwrite(&code, 8, 1, stdout) != 1)
            abort();
    }
    (void)fflush(stdout);
    free(bias);
    free(sums);
    free(out);
}

static int list(void)
{
    fpx_mma_preset p;

    for (size_t i = 0; fpx_mma_preset_at(i, &p) == FPX_OK; i++)
        (void)printf("%s\t%s\t%s\t%s\n", p.model.name, p.model.format.name,
                     p.inputs == NULL ? "-" : p.inputs, p.scales == NULL ? "-" : p.scales);
    return 0;
}

int main(int argc, char **argv)
{
    char name[FPX_MMA_NAME_MAX], a[20], b[20], c[20], scale[20], word[32];
    size_t block = 0, m = 0, n = 0, k = 0;

    if (argc > 1 && strcmp(argv[1], "--list") == 0)
        return list();
    while (scanf("%47s", name) == 1) {
        if (strcmp(name, "finish") == 0) {
            finish();
            continue;
        }
        if (scanf("%19s %19s %19s %19s %zu %zu %zu %zu", a, b, c, scale, &block, &m, &n, &k) != 8)
            abort();
        fpx_mma_preset p;
        fpx_error err = { 0 };
        if (fpx_mma_preset_find(name, &p, &err) != FPX_OK)
            abort();
        while (scanf("%31s", word) == 1 && strcmp(word, ".") != 0) {
            change(&p.model, word);
        }
        if (getchar() != '\n')
            abort();
        const size_t scales = block == 0 ? 0 : (k + block - 1) / block;
        fpx_mma_call call = { .m = m,
                              .n = n,
                              .k = k,
                              .stride_c_row = n,
                              .stride_c_column = 1,
                              .stride_d = n,
                              .c_format = format_of(c) };
        call.a = (fpx_mma_operand){ .format = format_of(a),
                                    .stride_vector = k,
                                    .stride_k = 1,
                                    .scale_format = format_of(scale),
                                    .scale_block = block,
                                    .scale_stride_vector = scales,
                                    .scale_stride_k = 1 };
        call.b = call.a;
        call.b.format = format_of(b);
        call.a.codes = read_codes(&call.a.format, m * k);
        call.b.codes = read_codes(&call.b.format, n * k);
        if (call.c_format.bits > 0)
            call.c = read_codes(&call.c_format, m * n);
        if (block > 0) {
            call.a.scales = read_codes(&call.a.scale_format, m * scales);
            call.b.scales = read_codes(&call.b.scale_format, n * scales);
        }
        const size_t size = fpx_format_size(&p.model.format);
        unsigned char *const d = calloc(m * n + 1, size);
        if (d == NULL || fpx_mma(&p.model, &call, d, &err) != FPX_OK) {
            (void)fprintf(stderr, "mma_peer: %s\n", err.text);
            return 2;
        }
        for (size_t i = 0; i < m * n; i++) {
            const uint64_t code = fpx_format_code(&p.model.format, d, i);
            if (fwrite(&code, 8, 1, stdout) != 1)
                return 2;
        }
        (void)fflush(stdout);
        free((void *)(uintptr_t)call.a.codes);
        free((void *)(uintptr_t)call.b.codes);
        free((void *)(uintptr_t)call.c);
        free((void *)(uintptr_t)call.a.scales);
        free((void *)(uintptr_t)call.b.scales);
        free(d);
    }
    return 0;
}
