/* verb_dequantize.c - fpx dequantize: codes of a file to the numbers they stand for, piece by piece. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "codes_blocks.h"
#include "codes_npy.h"
#include "codes_tensors.h"
#include "conversion_args.h"
#include "outputs.h"

enum { OPT_OUT, OPT_FORMAT, OPT_TO, OPT_SCALE, OPT_PACKED, OPT_TENSOR };

static const cli_option options[] = {
    [OPT_OUT] = { "-o", "OUT", "the file to write; - is standard output" },
    [OPT_FORMAT] = { "--format", "F", "the format of a .npy file's codes" },
    [OPT_TO] = { "--to", "F", "fp32 (default), fp64, fp16, bf16" },
    [OPT_SCALE] = { "--scale", "S", "divide by this: the scale that quantize multiplied by" },
    [OPT_PACKED] = { "--packed", NULL, "the codes are packed, as quantize --packed does it" },
    [OPT_TENSOR] = { "--tensor", "NAME...",
                     "only these of a .safetensors file: a name or 'layers.*'; again" },
    { NULL, NULL, NULL }
};

static fpx_status target_of(const char *word, const fpx_format **ret_to, fpx_error *err)
{
    static const fpx_format *const targets[] = { &fpx_fp32, &fpx_fp64, &fpx_fp16, &fpx_bf16 };
    const fpx_format *const named = fpx_format_find(word != NULL ? word : "fp32");

    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        if (named == targets[i]) {
            *ret_to = named;
            return FPX_OK;
        }
    }
    return fpx_error_set(err, FPX_EINVAL, "--to '%.32s': one of fp32, fp64, fp16, bf16", word);
}

/* A warning, not an error: most of the numbers are what was asked for. */
static void say_lost(const fpx_format *to, const cli_codes_in *in, const cli_lost *lost)
{
    if (lost->overflowed + lost->underflowed == 0)
        return;
    (void)fputs("fpx: ", stderr);
    cli_put(stderr, in->name);
    (void)fprintf(stderr,
                  ": %" PRIu64 " values became Inf and %" PRIu64
                  " became 0, beyond what %s holds%s\n",
                  lost->overflowed, lost->underflowed, fpx_format_alias(to),
                  to->bits < 64 ? ": --to fp64 holds more" : "");
}

static fpx_status dequantize_npy(const cli_args *a, const fpx_format *to, fpx_error *err)
{
    const char *const path = a->positional[0];
    const int packed = a->option[OPT_PACKED] != NULL;
    const int is_named = a->option[OPT_FORMAT] != NULL;
    cli_npy_target target = { 0 };
    fpx_npy_reader *reader = NULL;
    cli_lost lost = { 0 };
    double scale = 1.0;
    fpx_npy_array array;
    fpx_format stated;
    cli_codes_in in;
    fpx_status status = is_named ? fpx_format_parse(a->option[OPT_FORMAT], &stated, err) : FPX_OK;

    if (status == FPX_OK && packed)
        status = is_named ? cli_can_pack(&stated, err)
                          : fpx_error_set(err, FPX_EINVAL, "--packed needs --format");
    if (status == FPX_OK && a->option[OPT_SCALE])
        status = cli_scale_parse(a->option[OPT_SCALE], &scale, err);
    /* As quantize multiplied: by the float32 that is nearest to it, but for float64. */
    if (to->bits < 64 && (float)scale > 0.0f && isfinite((float)scale))
        scale = (double)(float)scale;
    if (status == FPX_OK)
        status = fpx_npy_open(path, &reader, err);
    if (status == FPX_OK)
        status = cli_npy_in(reader, path, is_named ? &stated : NULL, packed, &in, err);
    if (status == FPX_OK)
        status = cli_npy_shape(fpx_npy_array_of(reader), packed ? &stated : NULL, to, 0, path,
                               &array, err);
    if (status == FPX_OK && packed)
        in.count = fpx_npy_count(&array);
    if (status == FPX_OK)
        status = fpx_npy_create(a->option[OPT_OUT], &array, &target.writer, err);
    if (status == FPX_OK) {
        const cli_codes_out out = cli_npy_out(&target, 0);
        target.size = array.size;
        status = cli_codes_dequantize(to, scale, &in, &out, &lost, err);
        status = fpx_npy_finish(target.writer, status, err);
    }
    if (status == FPX_OK)
        say_lost(to, &in, &lost);
    fpx_npy_close(reader);
    return status;
}

/* Numbers that are narrower than what they are to become, or have a scale to be divided out; indices are no
 * numbers. */
static int is_narrower(const void *context, const cli_tensor *t)
{
    const fpx_format *const to = context;

    return t->format.bits > 0 && t->format.cls != FPX_CLASS_INT &&
           (t->format.bits < to->bits || (t->is_scaled && fpx_format_equal(&t->format, to)));
}

static fpx_status plan(void *context, const cli_tensor *t, const cli_codes_in *in,
                       cli_tensor_plan *plan, fpx_error *err)
{
    fpx_blocking blocking;

    plan->format = *(const fpx_format *)context;
    return t->block != NULL ? cli_blocks_of(t, in, &blocking, err) : FPX_OK;
}

static fpx_status convert(void *context, const cli_tensor *t, const cli_tensor_plan *plan,
                          const cli_codes_in *in, const cli_codes_out *out, fpx_error *err)
{
    cli_lost lost;

    const fpx_status status =
        t->block != NULL ? cli_blocks_dequantize(&plan->format, t, in, out, &lost, err)
                         : cli_codes_dequantize(&plan->format, t->scale, in, out, &lost, err);
    if (status == FPX_OK)
        say_lost(context, in, &lost);
    return status;
}

static int run(const cli_args *a)
{
    const int tensors = cli_is_safetensors(a->positional[0]);
    const fpx_format *to = NULL;
    fpx_cpu_level level;
    fpx_error err = { 0 };
    fpx_status status;

    if (a->option[OPT_OUT] == NULL)
        return cli_usage("dequantize", "-o OUT is needed");
    if (tensors && (a->option[OPT_FORMAT] || a->option[OPT_SCALE] || a->option[OPT_PACKED]))
        return cli_usage("dequantize", "--format, --scale and --packed are for .npy: .safetensors "
                                       "states them itself");
    if (!tensors && a->option[OPT_TENSOR])
        return cli_usage("dequantize", "--tensor is for .safetensors: .npy holds one array");
    const cli_file files[] = { { "the input", a->positional[0], CLI_READS },
                               { "-o", a->option[OPT_OUT], CLI_ARRAYS } };
    status = cli_check_kinds(a->positional[0], a->option[OPT_OUT], &err);
    if (status == FPX_OK)
        status = cli_check_files(files, sizeof files / sizeof files[0], &err);
    if (status == FPX_OK)
        status = target_of(a->option[OPT_TO], &to, &err);
    if (status == FPX_OK)
        status = fpx_cpu_choose(&level, &err);
    if (status != FPX_OK)
        return cli_fail(&err);
    cli_catch_interrupt();
    if (tensors) {
        fpx_format target = *to;
        const cli_tensor_job job = { .only = a->several,
                                     .nonly = a->nseveral,
                                     .unwanted =
                                         "holds no numbers that are narrower than --to, nor "
                                         "scaled ones of its format (see --to)",
                                     .context = &target,
                                     .wanted = is_narrower,
                                     .plan = plan,
                                     .convert = convert };
        status = cli_tensors_run(a->positional[0], a->option[OPT_OUT], &job, &err);
    } else {
        status = dequantize_npy(a, to, &err);
    }
    return status == FPX_OK ? EXIT_HOLDS : cli_fail(&err);
}

const cli_verb verb_dequantize = {
    "dequantize",
    "IN -o OUT [--format F] [OPTIONS]",
    "the numbers that the codes of a .npy or .safetensors file stand for",
    "Exact, then divided by the scale with one rounding to --to; what --to cannot hold is counted "
    "on\n"
    "standard error. A .npy file of codes needs --format; bf16 is written as uint16. In a "
    ".safetensors\n"
    "file every number narrower than --to is converted, with the format, scale and blocks that "
    "quantize\n"
    "noted; all else is copied. - is a .npy pipe.\n"
    "example: fpx dequantize codes.npy -o values.npy --format e4m3 --scale 12.5",
    options,
    1,
    1,
    run,
};
