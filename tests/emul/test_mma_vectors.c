/* test_mma_vectors.c - presets against outputs of real tensor cores, recorded by north-numerical-computing/MATLAB-tensor-core
 * (folder model_validation, or its first part beside the tree): every stored dot product, bit for bit.
 *
 * test_mma_vectors FOLDER: 77 where the folder is absent; FPX_TENSOR_CORE_VECTORS names another one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/mma.h>

/* Files DEVICE/INPUT/{a,b,c,d}_DEVICE_*.txt and the preset that they are of. */
static const struct set {
    const char *device, *input, *output, *preset;
    int c_is_zero; /* the recorded instruction had none, whatever the c file says */
} sets[] = {
    { "V100", "fp16", "fp32", "volta/mma.sync/fp16-fp32", 0 },
    { "V100", "fp16", "fp16", "volta/mma.sync/fp16-fp16", 0 },
    { "A100", "fp16", "fp32", "ampere/mma.sync/fp16-fp32", 0 },
    { "A100", "fp16", "fp16", "ampere/mma.sync/fp16-fp16", 0 },
    { "A100", "bf16", "fp32", "ampere/mma.sync/bf16-fp32", 0 },
    { "A100", "tf32", "fp32", "ampere/mma.sync/tf32-fp32", 0 },
    { "A2", "fp16", "fp32", "ampere/mma.sync/fp16-fp32", 0 },
    { "A2", "fp16", "fp16", "ampere/mma.sync/fp16-fp16", 0 },
    { "A2", "bf16", "fp32", "ampere/mma.sync/bf16-fp32", 0 },
    { "A2", "tf32", "fp32", "ampere/mma.sync/tf32-fp32", 0 },
    { "Ada", "fp16", "fp32", "ada/mma.sync/fp16-fp32", 0 },
    { "Ada", "fp16", "fp16", "ada/mma.sync/fp16-fp16", 0 },
    { "Ada", "bf16", "fp32", "ada/mma.sync/bf16-fp32", 0 },
    { "Ada", "tf32", "fp32", "ada/mma.sync/tf32-fp32", 0 },
    { "Ada", "E4M3", "fp32", "ada/mma.sync/fp8-fp32", 0 },
    { "Ada", "E4M3", "fp16", "ada/mma.sync/fp8-fp16", 0 },
    { "Ada", "E5M2", "fp32", "ada/mma.sync/fp8-fp32", 0 },
    { "Ada", "E5M2", "fp16", "ada/mma.sync/fp8-fp16", 0 },
    { "L40S", "fp16", "fp32", "ada/mma.sync/fp16-fp32", 0 },
    { "L40S", "fp16", "fp16", "ada/mma.sync/fp16-fp16", 0 },
    { "L40S", "bf16", "fp32", "ada/mma.sync/bf16-fp32", 0 },
    { "L40S", "tf32", "fp32", "ada/mma.sync/tf32-fp32", 0 },
    { "L40S", "E4M3", "fp32", "ada/mma.sync/fp8-fp32", 0 },
    { "L40S", "E5M2", "fp32", "ada/mma.sync/fp8-fp32", 0 },
    { "H100", "fp16", "fp32", "hopper/mma.sync/fp16-fp32", 0 },
    { "H100", "fp16", "fp16", "hopper/mma.sync/fp16-fp16", 0 },
    { "H100", "bf16", "fp32", "hopper/mma.sync/bf16-fp32", 0 },
    { "H100", "tf32", "fp32", "hopper/mma.sync.k4/tf32-fp32", 0 },
    { "H100", "E4M3", "fp32", "hopper/wgmma/fp8-fp32", 1 },
    { "H100", "E4M3", "fp16", "hopper/mma.sync/fp8-fp16", 0 },
    { "H100", "E5M2", "fp32", "hopper/wgmma/fp8-fp32", 1 },
    { "H100", "E5M2", "fp16", "hopper/mma.sync/fp8-fp16", 0 },
    { "H200", "fp16", "fp32", "hopper/mma.sync/fp16-fp32", 0 },
    { "H200", "fp16", "fp16", "hopper/mma.sync/fp16-fp16", 0 },
    { "H200", "bf16", "fp32", "hopper/mma.sync/bf16-fp32", 0 },
    { "H200", "tf32", "fp32", "hopper/mma.sync.k4/tf32-fp32", 0 },
    { "H200", "E4M3", "fp32", "hopper/wgmma/fp8-fp32", 1 },
    { "H200", "E4M3", "fp16", "hopper/mma.sync/fp8-fp16", 0 },
    { "H200", "E5M2", "fp32", "hopper/wgmma/fp8-fp32", 1 },
    { "H200", "E5M2", "fp16", "hopper/mma.sync/fp8-fp16", 0 },
    { "B200", "fp16", "fp32", "blackwell/mma.sync/fp16-fp32", 0 },
    { "B200", "fp16", "fp16", "blackwell/mma.sync/fp16-fp16", 0 },
    { "B200", "bf16", "fp32", "blackwell/mma.sync/bf16-fp32", 0 },
    { "B200", "tf32", "fp32", "blackwell/mma.sync.k4/tf32-fp32", 0 },
    { "B200", "E4M3", "fp32", "blackwell/mma.sync/fp8-fp32", 0 },
    { "B200", "E4M3", "fp16", "blackwell/mma.sync/fp8-fp16", 0 },
    { "B200", "E5M2", "fp32", "blackwell/mma.sync/fp8-fp32", 0 },
    { "B200", "E5M2", "fp16", "blackwell/mma.sync/fp8-fp16", 0 },
};

enum { SETS = sizeof sets / sizeof sets[0], LINE = 1024, K_MAX = 64 };

static void fail(const char *path, const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", path, what);
    exit(1);
}

static FILE *open_file(const char *folder, const struct set *s, char operand, const char *kind)
{
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/%s/%s/%c_%s_%s.txt", folder, s->device, s->input, operand,
                   s->device, kind);
    FILE *const file = fopen(path, "r");
    if (file == NULL)
        fail(path, "cannot be opened, though its device is here");
    return file;
}

static float float_of(uint32_t word)
{
    float x;

    memcpy(&x, &word, sizeof x);
    return x;
}

/* Words of one line in base 16 or 2; 0 at the end of the file. */
static size_t read_words(FILE *file, int base, uint32_t *words)
{
    char line[LINE];
    size_t n = 0;

    if (fgets(line, sizeof line, file) == NULL)
        return 0;
    for (char *at = strtok(line, " \t\r\n"); at != NULL; at = strtok(NULL, " \t\r\n")) {
        if (n == K_MAX)
            fail(line, "more words than a vector has");
        words[n++] = (uint32_t)strtoul(at, NULL, base);
    }
    return n;
}

/* Codes of values that the format has: those of a and b; c is rounded to nearest even, as it was for the recording. */
static void encode(const fpx_format *format, const uint32_t *words, size_t n, void *codes)
{
    const fpx_conversion conversion = { .format = *format };

    for (size_t i = 0; i < n; i++) {
        const float x = float_of(words[i]);
        if (fpx_encode_f32(&conversion, 1.0f, &x, (char *)codes + i * fpx_format_size(format), 1) !=
            FPX_OK)
            fail(format->name, "is no format to encode");
    }
}

static const fpx_format *format_of(const char *name)
{
    char lower[8] = { 0 };

    for (size_t i = 0; i + 1 < sizeof lower && name[i] != '\0'; i++)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    return fpx_format_find(lower);
}

/* One set; how many vectors it has, and how many of them differ. */
static void compare(const char *folder, const struct set *s, size_t *ret_count, size_t *ret_bad)
{
    FILE *const a = open_file(folder, s, 'a', s->input), *const b =
                                                             open_file(folder, s, 'b', s->input);
    FILE *const c = open_file(folder, s, 'c', "fp32"), *const d =
                                                           open_file(folder, s, 'd', s->output);
    const fpx_format *const format = format_of(s->input);
    uint32_t words[K_MAX], recorded[K_MAX];
    unsigned char codes_a[4 * K_MAX], codes_b[4 * K_MAX], code_c[4] = { 0 }, code_d[4];
    fpx_mma_preset p;
    fpx_error err = { 0 };
    size_t k;

    if (fpx_mma_preset_find(s->preset, &p, &err) != FPX_OK)
        fail(s->preset, err.text);
    while ((k = read_words(a, 16, words)) > 0) {
        encode(format, words, k, codes_a);
        if (read_words(b, 16, words) != k)
            fail(s->device, "a and b are not of the same length");
        encode(format, words, k, codes_b);
        if (read_words(c, 2, words) != 1 || read_words(d, 2, recorded) != 1)
            fail(s->device, "c or d ends too early");
        encode(&p.model.format, words, 1, code_c);
        const fpx_mma_operand operand = { .format = *format, .stride_k = 1, .codes = codes_a };
        fpx_mma_call call = { .m = 1,
                              .n = 1,
                              .k = k,
                              .a = operand,
                              .b = operand,
                              .c_format = p.model.format,
                              .c = s->c_is_zero ? NULL : code_c };
        call.b.codes = codes_b;
        if (fpx_mma(&p.model, &call, code_d, &err) != FPX_OK)
            fail(s->preset, err.text);
        float got = 0;
        uint32_t bits;
        (void)fpx_decode_f32(&p.model.format, 1.0f, code_d, &got, 1);
        memcpy(&bits, &got, sizeof bits);
        if (bits != recorded[0] && (*ret_bad)++ < 3)
            (void)printf(
                "%s %s %s line %zu: %s gives 0x%08" PRIx32 ", the device gave 0x%08" PRIx32 "\n",
                s->device, s->input, s->output, *ret_count + 1, s->preset, bits, recorded[0]);
        (*ret_count)++;
    }
    (void)fclose(a);
    (void)fclose(b);
    (void)fclose(c);
    (void)fclose(d);
}

int main(int argc, char **argv)
{
    const char *const other = getenv("FPX_TENSOR_CORE_VECTORS");
    const char *const folder = other != NULL ? other : argc > 1 ? argv[1] : "";
    size_t all = 0, all_bad = 0, compared = 0, empty = 0;
    char path[4096];

    for (size_t i = 0; i < SETS; i++) {
        size_t count = 0, bad = 0;
        (void)snprintf(path, sizeof path, "%s/%s", folder, sets[i].device);
        FILE *const here = fopen(path, "r");
        if (here == NULL) {
            (void)printf("%s %s to %s: absent\n", sets[i].device, sets[i].input, sets[i].output);
            continue;
        }
        (void)fclose(here);
        compare(folder, &sets[i], &count, &bad);
        (void)printf("%s %s to %s, %s: %zu outputs, %zu differ\n", sets[i].device, sets[i].input,
                     sets[i].output, sets[i].preset, count, bad);
        all += count;
        all_bad += bad;
        compared++;
        empty += count == 0;
    }
    if (compared == 0) {
        (void)printf(
            "skipped: no recorded outputs in %s (FPX_TENSOR_CORE_VECTORS names a folder of them)\n",
            folder);
        return 77;
    }
    (void)printf("%zu of %d sets, %zu outputs of hardware: %zu differences\n", compared, (int)SETS,
                 all, all_bad);
    return all_bad > 0 || empty > 0;
}
