/* verb_quantize.c - fpx quantize: numbers of a file to codes of a format, piece by piece. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "codes_blocks.h"
#include "codes_npy.h"
#include "codes_tensors.h"
#include "conversion_args.h"
#include "outputs.h"
#include "owed.h"
#include "results.h"

enum {
    OPT_OUT,
    OPT_FORMAT,
    OPT_FROM,
    OPT_PROFILE,
    OPT_ROUND,
    OPT_OVERFLOW,
    OPT_SCALE,
    OPT_BLOCK,
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
    [OPT_SCALE] = { "--scale", "S",
                    "multiply by this first; amax: the largest finite one fills F" },
    [OPT_BLOCK] = { "--block", "B", "a scale for each block of a tensor: mx-ocp, nvfp4-te, ..." },
    [OPT_SR_BITS] = { "--sr-bits", "N", "random bits of sr, 1 to 32 (default 32, or P's own)" },
    [OPT_SR_VARIANT] = { "--sr-variant", "V", "of IEEE P3109: a (default), b, c" },
    [OPT_SEED] = { "--seed", "N", "of the random bits (default 0)" },
    [OPT_PACKED] = { "--packed", NULL, "4-bit codes two a byte, 6-bit codes four in three bytes" },
    [OPT_TENSOR] = { "--tensor", "NAME...",
                     "only these of a .safetensors file: a name or 'layers.*'; again" },
    [OPT_STATS] = { "--stats", NULL, "say what was lost: saturated, underflowed, SQNR, exponents" },
    [OPT_JSON] = { "--json", "FILE", "the same as JSON; - is standard output" },
    { NULL, NULL, NULL }
};

typedef struct quantizing {
    const cli_args *args;
    cli_quantizer quantizer;
    int scale_amax;
    const fpx_blocking *block; /* NULL: no blocks */
    fpx_blocking blocking;
    cli_loss *loss;  /* NULL: nobody asked */
    json_t *results; /* of the tensors; NULL: no --json */
} quantizing;

/* The profile's rules around the format and the rounding that are asked for. */
static fpx_status use_block(quantizing *q, fpx_error *err)
{
    static const int excluded[] = { OPT_SCALE, OPT_PROFILE, OPT_OVERFLOW, OPT_PACKED,
                                    OPT_FROM,  OPT_STATS,   OPT_JSON };
    const fpx_conversion *const c = &q->quantizer.conversion;
    fpx_blocking *const b = &q->blocking;

    if (!cli_is_safetensors(q->args->positional[0]))
        return fpx_error_set(err, FPX_EINVAL,
                             "--block %s: codes and scales are two tensors, which .safetensors "
                             "holds and .npy does not",
                             b->name);
    for (size_t i = 0; i < sizeof excluded / sizeof excluded[0]; i++) {
        if (q->args->option[excluded[i]] != NULL)
            return fpx_error_set(err, FPX_EINVAL, "%s does not go with --block",
                                 options[excluded[i]].name);
    }
    b->element.format = c->format;
    if (q->args->option[OPT_ROUND] != NULL) { /* else the profile's own, ties and all */
        b->element.round = c->round;
        b->ties_to_zero = 0;
    }
    b->element.sr_bits = c->sr_bits;
    b->element.sr_variant = c->sr_variant;
    if (fpx_blocking_check(b) != FPX_OK)
        return fpx_error_set(err, FPX_EUNSUPPORTED, "--block %s: its elements cannot be %s",
                             b->name, c->format.name);
    q->block = b;
    return FPX_OK;
}

static fpx_status parse(const cli_args *a, quantizing *q, fpx_error *err)
{
    cli_conversion_words words = { .format = a->option[OPT_FORMAT],
                                   .profile = a->option[OPT_PROFILE],
                                   .round = a->option[OPT_ROUND],
                                   .overflow = a->option[OPT_OVERFLOW],
                                   .sr_bits = a->option[OPT_SR_BITS],
                                   .sr_variant = a->option[OPT_SR_VARIANT] };
    const char *const scale = a->option[OPT_SCALE];
    cli_quantizer *const z = &q->quantizer;
    fpx_cpu_level level;
    const cli_file files[] = { { "the input", a->positional[0], CLI_READS },
                               { "-o", a->option[OPT_OUT], CLI_ARRAYS },
                               { "--json", a->option[OPT_JSON], CLI_JSON } };
    fpx_status status = cli_check_kinds(a->positional[0], a->option[OPT_OUT], err);

    if (status == FPX_OK && a->option[OPT_BLOCK])
        status = cli_block_parse(a->option[OPT_BLOCK], &q->blocking, err);
    if (status == FPX_OK && words.format == NULL)
        words.format = q->blocking.element.format.name;
    if (status == FPX_OK)
        status = cli_conversion_parse(&words, &z->conversion, err);
    if (status == FPX_OK && a->option[OPT_BLOCK])
        status = use_block(q, err);
    z->scale = 1.0;
    q->scale_amax = scale != NULL && strcmp(scale, "amax") == 0;
    if (status == FPX_OK && scale != NULL && !q->scale_amax)
        status = cli_scale_parse(scale, &z->scale, err);
    if (status == FPX_OK) /* a level that this machine lacks is no wish to be passed over */
        status = fpx_cpu_choose(&level, err);
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

/* The scale of one array, as the source's precision has it. */
static fpx_status scale_of(const quantizing *q, const cli_codes_in *in, double *ret_scale,
                           fpx_error *err)
{
    cli_amax amax;

    *ret_scale = q->quantizer.scale;
    if (!q->scale_amax)
        return cli_codes_check_scale(in, ret_scale, err);
    const fpx_status status = cli_codes_find_scale(&q->quantizer.conversion.format, in, &amax, err);
    if (status != FPX_OK)
        return status;
    *ret_scale = amax.scale;
    if (amax.nan + amax.inf > 0) {
        (void)fputs("fpx: ", stderr);
        cli_put(stderr, in->name);
        (void)fprintf(stderr, ": --scale amax leaves out %" PRIu64 " NaN and %" PRIu64 " Inf%s\n",
                      amax.nan, amax.inf,
                      amax.nan + amax.inf == amax.count ? ", which is all there is: scale 1" : "");
    }
    return FPX_OK;
}

/* What one array lost, said at once: tensors are many, and their counts are large. */
static fpx_status report(const quantizing *q, const char *name, double scale, fpx_error *err)
{
    const fpx_conversion *const c = &q->quantizer.conversion;
    char text[CLI_SCALE_TEXT];
    FILE *const out = strcmp(q->args->option[OPT_OUT], "-") == 0
                          ? stderr
                          : cli_text_stream(q->args->option[OPT_JSON], NULL);

    if (q->args->option[OPT_STATS]) {
        cli_scale_text(scale, text);
        cli_put(out, name);
        (void)fprintf(out, ": %s, %s, %s, scale %s\n", c->format.name, cli_round_name(c),
                      cli_overflow_name(c), text);
        if (c->round == FPX_SR)
            (void)fprintf(out, "  %-12s %14" PRIu64 "  %u bits, variant %s\n", "seed",
                          q->quantizer.seed, c->sr_bits, cli_sr_variant_name(c));
        if (q->args->option[OPT_PROFILE])
            (void)fprintf(out, "  %-12s %14s\n", "profile", q->args->option[OPT_PROFILE]);
        if (q->scale_amax)
            (void)fprintf(out, "  %-12s %14" PRIu64 "  NaN and Inf, which amax leaves out\n",
                          "left out", q->loss->nan + q->loss->inf);
        cli_loss_print(out, q->loss, &c->format, scale);
    }
    if (q->results != NULL) {
        json_t *const one = cli_loss_json(q->loss, scale);
        if (json_object_set_new(one, "name", json_string(name)) != 0 ||
            json_object_set_new(one, "scale", json_real(scale)) != 0 ||
            (q->scale_amax && json_object_set_new(one, "amax_left_out",
                                                  json_integer((json_int_t)q->loss->nan +
                                                               (json_int_t)q->loss->inf)) != 0) ||
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
    char text[CLI_SCALE_TEXT];
    double scale = 1.0;
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
    if (status == FPX_OK)
        status = scale_of(q, &in, &scale, err);
    if (status == FPX_OK)
        status = fpx_npy_create(q->args->option[OPT_OUT], &array, &target.writer, err);
    if (status == FPX_OK) {
        const cli_codes_out out = cli_npy_out(&target, packed);
        target.size = array.size;
        status = quantize_one(q, path, scale, 0, &in, &out, err);
        status = fpx_npy_finish(target.writer, status, err);
    }
    if (status == FPX_OK && q->scale_amax && q->loss == NULL) { /* .npy has no place for it */
        cli_scale_text(scale, text);
        (void)fputs("fpx: ", stderr);
        cli_put(stderr, q->args->option[OPT_OUT]);
        (void)fprintf(stderr, ": scale %s (fpx dequantize --scale %s divides by it)\n", text, text);
    }
    fpx_npy_close(reader);
    return status;
}

static int is_float(const void *context, const cli_tensor *t)
{
    const quantizing *const q = context;

    if (q->block != NULL && (t->info->ndim < 2 || t->info->count == 0))
        return 0;
    return t->info->format != NULL && t->format.cls == FPX_CLASS_FLOAT && t->format.bits >= 16;
}

static fpx_status plan(void *context, const cli_tensor *t, const cli_codes_in *in,
                       cli_tensor_plan *plan, fpx_error *err)
{
    const quantizing *const q = context;
    const fpx_format *const to = &q->quantizer.conversion.format;

    if (t->scale != 1.0)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s is scaled already (metadata fpx.scale): dequantize it first",
                             in->name);
    if (fpx_st_dtype(to) != NULL && to->bits < 8 && t->info->count * to->bits % 8 != 0)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: its elements are no whole number of bytes of %u-bit codes, which "
                             ".safetensors needs: name the others with --tensor, once for each "
                             "name or pattern",
                             in->name, to->bits);
    plan->format = *to;
    return q->block != NULL ? cli_blocks_plan(q->block, t, in, plan, err)
                            : scale_of(q, in, &plan->scale, err);
}

/* FNV-1a of 64 bits: each tensor has random bits of its own, whatever else is in the file. */
static uint64_t site_of(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return hash;
}

static fpx_status convert(void *context, const cli_tensor *t, const cli_tensor_plan *plan,
                          const cli_codes_in *in, const cli_codes_out *out, fpx_error *err)
{
    const quantizing *const q = context;
    const fpx_stream stream = { .seed = q->quantizer.seed, .site = site_of(t->info->name) };

    if (q->block != NULL)
        return cli_blocks_quantize(q->block, plan->amax, &stream, t, in, out, err);
    return quantize_one(q, t->info->name, plan->scale, stream.site, in, out, err);
}

static fpx_status quantize_tensors(quantizing *q, fpx_error *err)
{
    const fpx_format *const to = &q->quantizer.conversion.format;
    const cli_tensor_job job = { .only = q->args->several,
                                 .nonly = q->args->nseveral,
                                 .states_scale = q->args->option[OPT_SCALE] != NULL,
                                 .unwanted = q->block == NULL
                                                 ? "holds no floats of 16 bits or more"
                                                 : "holds no floats of 16 bits or more along two "
                                                   "axes or more",
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
    json_t *const root =
        json_pack("{s:s, s:s, s:s?, s:s, s:s, s:O}", "schema", "fpx.quantize/1", "format",
                  c->format.name, "profile", q->args->option[OPT_PROFILE], "round",
                  cli_round_name(c), "overflow", cli_overflow_name(c), "arrays", q->results);

    if (c->round == FPX_SR) { /* the seed as text: JSON's readers hold 53 bits */
        char seed[24];
        (void)snprintf(seed, sizeof seed, "%" PRIu64, q->quantizer.seed);
        (void)json_object_set_new(root, "seed", json_string(seed));
        (void)json_object_set_new(root, "sr_bits", json_integer(c->sr_bits));
        (void)json_object_set_new(root, "sr_variant", json_string(cli_sr_variant_name(c)));
    }

    return cli_write_json(q->args->option[OPT_JSON], root, err);
}

static int run(const cli_args *a)
{
    quantizing q = { .args = a };
    fpx_error err = { 0 };
    fpx_status status;
    const int tensors = cli_is_safetensors(a->positional[0]);

    if (a->option[OPT_OUT] == NULL ||
        (a->option[OPT_FORMAT] == NULL && a->option[OPT_BLOCK] == NULL))
        return cli_usage("quantize", "-o OUT and --format F (or --block B) are needed");
    if (tensors && a->option[OPT_FROM])
        return cli_usage("quantize", "--from is for .npy: .safetensors states its formats");
    if (!tensors && a->option[OPT_TENSOR])
        return cli_usage("quantize", "--tensor is for .safetensors: .npy holds one array");
    cli_owe(a, "fpx.quantize/1", a->option[OPT_JSON], NULL, "");
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
    "IN -o OUT --format F|--block B [OPTIONS]",
    "round the numbers of a .npy or .safetensors file to codes of a format",
    "One rounding from the source's own precision: float64, float32, float16, bfloat16 (bfloat16 "
    "in\n"
    ".npy, or other codes: --from). With --scale the product is rounded before it, in float64 for\n"
    "float64, else in float32. A .npy file gets unsigned integers, one code an element (float16,\n"
    "float32, float64 as they are); the scale of amax is said on standard error. A .safetensors "
    "file\n"
    "gets the format's dtype, or U8, U16, U32 with metadata fpx.format.NAME, and fpx.scale.NAME; "
    "what\n"
    "is no float is copied. - is a .npy pipe. Memory stays bounded for files of any size.\n"
    "--block B writes a tensor of scales, NAME_scale, beside each tensor of codes with two axes or "
    "more.\n"
    "docs/quantize.md says which bits sr draws and what becomes of NaN.\n"
    "example: fpx quantize weights.npy -o codes.npy --format e4m3 --scale amax --stats",
    options,
    1,
    1,
    run,
};
