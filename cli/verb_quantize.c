/* verb_quantize.c - fpx quantize: numbers of a file to codes of a format, piece by piece. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "codes_npy.h"
#include "codes_tensors.h"
#include "conversion_args.h"
#include "outputs.h"
#include "results.h"

enum {
    OPT_OUT,
    OPT_FORMAT,
    OPT_FROM,
    OPT_PROFILE,
    OPT_ROUND,
    OPT_OVERFLOW,
    OPT_SCALE,
    OPT_SR_BITS,
    OPT_SR_VARIANT,
    OPT_SEED,
    OPT_PACKED,
    OPT_TENSOR,
    OPT_STATS,
    OPT_JSON
};

static const cli_option options[] = {
    [OPT_OUT] = { "-o", "OUT", "the file to write; - is standard output" },
    [OPT_FORMAT] = { "--format", "F", "the format to round to; fpx formats lists them" },
    [OPT_FROM] = { "--from", "F", "the format of IN's codes, where IN holds no floats" },
    [OPT_PROFILE] = { "--profile", "P",
                      "a vendor's NaN, zero, sign and overflow rules: ocp, cuda-float, ..." },
    [OPT_ROUND] = { "--round", "R", "rne (default), rna, rz, ru, rd, ro, sr" },
    [OPT_OVERFLOW] = { "--overflow", "O", "satfinite (default), satpropagate, none" },
    [OPT_SCALE] = { "--scale", "S", "multiply by this first; amax: the largest fills the format" },
    [OPT_SR_BITS] = { "--sr-bits", "N", "random bits of sr, 1 to 32 (default)" },
    [OPT_SR_VARIANT] = { "--sr-variant", "V", "of IEEE P3109: a (default), b, c" },
    [OPT_SEED] = { "--seed", "N", "of the random bits (default 0)" },
    [OPT_PACKED] = { "--packed", NULL, "4-bit codes two a byte, 6-bit codes four in three bytes" },
    [OPT_TENSOR] = { "--tensor", "NAME", "only this one of a .safetensors file" },
    [OPT_STATS] = { "--stats", NULL, "say what was lost: saturated, underflowed, SQNR, exponents" },
    [OPT_JSON] = { "--json", "FILE", "the same as JSON; - is standard output" },
    { NULL, NULL, NULL }
};

typedef struct quantizing {
    const cli_args *args;
    cli_quantizer quantizer;
    int scale_amax;
    cli_loss *loss;  /* NULL: nobody asked */
    json_t *results; /* of the tensors; NULL: no --json */
} quantizing;

static fpx_status parse(const cli_args *a, quantizing *q, fpx_error *err)
{
    const cli_conversion_words words = { .format = a->option[OPT_FORMAT],
                                         .profile = a->option[OPT_PROFILE],
                                         .round = a->option[OPT_ROUND],
                                         .overflow = a->option[OPT_OVERFLOW],
                                         .sr_bits = a->option[OPT_SR_BITS],
                                         .sr_variant = a->option[OPT_SR_VARIANT] };
    const char *const scale = a->option[OPT_SCALE];
    cli_quantizer *const z = &q->quantizer;
    const cli_file files[] = { { "the input", a->positional[0], CLI_READS },
                               { "-o", a->option[OPT_OUT], CLI_ARRAYS },
                               { "--json", a->option[OPT_JSON], CLI_JSON } };
    fpx_status status = cli_check_kinds(a->positional[0], a->option[OPT_OUT], err);

    if (status == FPX_OK)
        status = cli_conversion_parse(&words, &z->conversion, err);
    z->scale = 1.0;
    q->scale_amax = scale != NULL && strcmp(scale, "amax") == 0;
    if (status == FPX_OK && scale != NULL && !q->scale_amax)
        status = cli_scale_parse(scale, &z->scale, err);
    if (status == FPX_OK && a->option[OPT_SEED])
        status = cli_number("--seed", a->option[OPT_SEED], 0, UINT64_MAX, &z->seed, err);
    if (status == FPX_OK && a->option[OPT_SEED] && z->conversion.round != FPX_SR)
        status = fpx_error_set(err, FPX_EINVAL, "random bits need --round sr");
    if (status == FPX_OK && a->option[OPT_PACKED])
        status = cli_can_pack(&z->conversion.format, err);
    if (status == FPX_OK)
        status = cli_check_files(files, sizeof files / sizeof files[0], err);
    return status;
}

/* What one array lost, said at once: tensors are many, and their counts are large. */
static fpx_status report(const quantizing *q, const char *name, double scale, fpx_error *err)
{
    const fpx_conversion *const c = &q->quantizer.conversion;
    FILE *const out = strcmp(q->args->option[OPT_OUT], "-") == 0
                          ? stderr
                          : cli_text_stream(q->args->option[OPT_JSON], NULL);

    if (q->args->option[OPT_STATS]) {
        cli_put(out, name);
        (void)fprintf(out, ": %s, %s, %s, scale %.9g\n", c->format.name, cli_round_name(c),
                      cli_overflow_name(c), scale);
        cli_loss_print(out, q->loss, &c->format, scale);
    }
    if (q->results != NULL) {
        json_t *const one = cli_loss_json(q->loss, scale);
        if (json_object_set_new(one, "name", json_string(name)) != 0 ||
            json_object_set_new(one, "scale", json_real(scale)) != 0 ||
            json_array_append_new(q->results, one) != 0)
            return fpx_error_set(err, FPX_ENOMEM,
                                 "%s: its counts fit no JSON (a name without UTF-8, or no memory)",
                                 name);
    }
    return FPX_OK;
}

static fpx_status quantize_one(const quantizing *q, const char *name, double scale, uint64_t site,
                               const cli_codes_in *in, const cli_codes_out *out, fpx_error *err)
{
    cli_quantizer z = q->quantizer;

    z.scale = scale;
    z.site = site;
    if (q->loss != NULL)
        memset(q->loss, 0, sizeof *q->loss);
    const fpx_status status = cli_codes_quantize(&z, in, out, q->loss, err);
    return status == FPX_OK && q->loss != NULL ? report(q, name, scale, err) : status;
}

static fpx_status quantize_npy(const quantizing *q, fpx_error *err)
{
    const char *const path = q->args->positional[0];
    const char *const from = q->args->option[OPT_FROM];
    const int packed = q->args->option[OPT_PACKED] != NULL;
    const fpx_format *const to = &q->quantizer.conversion.format;
    double scale = q->quantizer.scale;
    cli_npy_target target = { 0 };
    fpx_npy_reader *reader = NULL;
    fpx_npy_array array;
    fpx_format stated;
    cli_codes_in in;
    fpx_status status = from != NULL ? fpx_format_parse(from, &stated, err) : FPX_OK;

    if (status == FPX_OK)
        status = fpx_npy_open(path, &reader, err);
    if (status == FPX_OK)
        status = cli_npy_in(reader, path, from != NULL ? &stated : NULL, 0, &in, err);
    if (status == FPX_OK)
        status = cli_npy_shape(fpx_npy_array_of(reader), NULL, to, packed, path, &array, err);
    if (status == FPX_OK && q->scale_amax)
        status = cli_codes_find_scale(to, &in, &scale, err);
    if (status == FPX_OK)
        status = fpx_npy_create(q->args->option[OPT_OUT], &array, &target.writer, err);
    if (status == FPX_OK) {
        const cli_codes_out out = cli_npy_out(&target, packed);
        target.size = array.size;
        status = quantize_one(q, path, scale, 0, &in, &out, err);
        status = fpx_npy_finish(target.writer, status, err);
    }
    fpx_npy_close(reader);
    return status;
}

static int is_float(const void *context, const cli_tensor *t)
{
    (void)context;
    return t->info->format != NULL && t->format.cls == FPX_CLASS_FLOAT && t->format.bits >= 16;
}

static fpx_status plan(void *context, const cli_tensor *t, const cli_codes_in *in,
                       fpx_format *ret_format, double *ret_scale, fpx_error *err)
{
    const quantizing *const q = context;
    const fpx_format *const to = &q->quantizer.conversion.format;

    if (t->scale != 1.0)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "tensor '%.64s' is scaled already (metadata fpx.scale): dequantize it "
                             "first",
                             t->info->name);
    if (fpx_st_dtype(to) != NULL && to->bits < 8 && t->info->count * to->bits % 8 != 0)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "tensor '%.64s': its elements are no whole number of bytes of %u-bit "
                             "codes, which .safetensors needs: name the others with --tensor",
                             t->info->name, to->bits);
    *ret_format = *to;
    *ret_scale = q->quantizer.scale;
    return q->scale_amax ? cli_codes_find_scale(to, in, ret_scale, err) : FPX_OK;
}

/* FNV-1a of 64 bits: each tensor has random bits of its own, whatever else is in the file. */
static uint64_t site_of(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return hash;
}

static fpx_status convert(void *context, const cli_tensor *t, double scale, const cli_codes_in *in,
                          const cli_codes_out *out, fpx_error *err)
{
    return quantize_one(context, t->info->name, scale, site_of(t->info->name), in, out, err);
}

static fpx_status quantize_tensors(quantizing *q, fpx_error *err)
{
    const fpx_format *const to = &q->quantizer.conversion.format;
    const cli_tensor_job job = { .only = q->args->option[OPT_TENSOR],
                                 .unwanted = "holds no floats of 16 bits or more",
                                 .context = q,
                                 .wanted = is_float,
                                 .plan = plan,
                                 .convert = convert };

    if (to->bits > 32 && fpx_st_dtype(to) == NULL)
        return fpx_error_set(err, FPX_EUNSUPPORTED, "%s: .safetensors cannot hold it", to->name);
    if (q->args->option[OPT_PACKED] && fpx_st_dtype(to) == NULL)
        return fpx_error_set(err, FPX_EINVAL, "--packed: .safetensors has no packed dtype for %s",
                             to->name);
    return cli_tensors_run(q->args->positional[0], q->args->option[OPT_OUT], &job, err);
}

static fpx_status write_results(quantizing *q, fpx_error *err)
{
    const fpx_conversion *const c = &q->quantizer.conversion;
    json_t *const root = json_pack("{s:s, s:s, s:s, s:s, s:O}", "schema", "fpx.quantize/1",
                                   "format", c->format.name, "round", cli_round_name(c), "overflow",
                                   cli_overflow_name(c), "arrays", q->results);

    return cli_write_json(q->args->option[OPT_JSON], root, err);
}

static int run(const cli_args *a)
{
    quantizing q = { .args = a };
    fpx_error err = { 0 };
    fpx_status status;
    const int tensors = cli_is_safetensors(a->positional[0]);

    if (a->option[OPT_OUT] == NULL || a->option[OPT_FORMAT] == NULL)
        return cli_usage("quantize", "-o OUT and --format F are needed");
    if (tensors && a->option[OPT_FROM])
        return cli_usage("quantize", "--from is for .npy: .safetensors states its formats");
    if (!tensors && a->option[OPT_TENSOR])
        return cli_usage("quantize", "--tensor is for .safetensors: .npy holds one array");
    status = parse(a, &q, &err);
    if (status != FPX_OK)
        return cli_fail(&err);
    cli_catch_interrupt();
    if (a->option[OPT_STATS] || a->option[OPT_JSON])
        q.loss = calloc(1, sizeof *q.loss);
    if (a->option[OPT_JSON])
        q.results = json_array();
    if ((q.loss == NULL && (a->option[OPT_STATS] || a->option[OPT_JSON])) ||
        (q.results == NULL && a->option[OPT_JSON]))
        status = fpx_error_set(&err, FPX_ENOMEM, "out of memory");
    if (status == FPX_OK)
        status = tensors ? quantize_tensors(&q, &err) : quantize_npy(&q, &err);
    if (status == FPX_OK && q.results != NULL)
        status = write_results(&q, &err);
    json_decref(q.results);
    free(q.loss);
    return status == FPX_OK ? EXIT_HOLDS : cli_fail(&err);
}

const cli_verb verb_quantize = {
    "quantize",
    "IN -o OUT --format F [OPTIONS]",
    "round the numbers of a .npy or .safetensors file to codes of a format",
    "One rounding from the source's own precision: float64, float32, float16, bfloat16 (bfloat16 "
    "in\n"
    ".npy, or other codes: --from). A .npy file gets unsigned integers, one code an element "
    "(float16,\n"
    "float32, float64 as they are). A .safetensors file gets the format's dtype, or U8, U16, U32 "
    "with\n"
    "metadata fpx.format.NAME, and fpx.scale.NAME; what is no float is copied. - is a .npy pipe.\n"
    "Memory stays bounded for files of any size.\n"
    "example: fpx quantize weights.npy -o codes.npy --format e4m3 --scale amax --stats",
    options,
    1,
    1,
    run,
};
