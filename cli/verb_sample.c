/* verb_sample.c - fpx sample: a checkpoint continues a text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/sample.h>

#include "cli.h"

enum { OPT_PROMPT, OPT_TOKENS, OPT_TEMPERATURE, OPT_TOP_K, OPT_SEED, OPT_DEVICE };

static const cli_option options[] = {
    [OPT_PROMPT] = { "--prompt", "TEXT", "the text to continue" },
    [OPT_TOKENS] = { "--tokens", "N", "how many at most (default 160)" },
    [OPT_TEMPERATURE] = { "--temperature", "T", "0: always the likeliest; default 1" },
    [OPT_TOP_K] = { "--top-k", "K", "draw among the K likeliest only" },
    [OPT_SEED] = { "--seed", "N", "of the draws (default 1): the same seed, the same text" },
    [OPT_DEVICE] = { "--device", "D", "as of fpx train; default cpu" },
    { NULL, NULL, NULL }
};

static fpx_status read_temperature(const char *text, double *ret_value, fpx_error *err)
{
    char *end = NULL;
    const double value = strtod(text, &end);

    if (text[0] == '\0' || text[strspn(text, ".0123456789eE-+")] != '\0' || *end != '\0' ||
        !(value >= 0.0) || isinf(value))
        return fpx_error_set(err, FPX_EINVAL, "--temperature '%s': expected a number of at least 0",
                             text);
    *ret_value = value;
    return FPX_OK;
}

static fpx_status read_options(const cli_args *a, fpx_sampling *s, fpx_error *err)
{
    uint64_t tokens = 160, top_k = 0;
    fpx_status status = FPX_OK;

    *s = (fpx_sampling){ .temperature = 1.0, .seed = 1 };
    if (a->option[OPT_TOKENS])
        status = cli_number("--tokens", a->option[OPT_TOKENS], 1, 1 << 24, &tokens, err);
    if (status == FPX_OK && a->option[OPT_TOP_K])
        status = cli_number("--top-k", a->option[OPT_TOP_K], 1, 1 << 24, &top_k, err);
    if (status == FPX_OK && a->option[OPT_SEED])
        status = cli_number("--seed", a->option[OPT_SEED], 0, UINT64_MAX, &s->seed, err);
    if (status == FPX_OK && a->option[OPT_TEMPERATURE])
        status = read_temperature(a->option[OPT_TEMPERATURE], &s->temperature, err);
    s->tokens = (size_t)tokens;
    s->top_k = (uint32_t)top_k;
    return status;
}

/* Bytes of the well-formed UTF-8 character at `at` (Unicode's table 3-7); 0: none. */
static size_t character(const unsigned char *at, size_t count)
{
    static const struct {
        unsigned char first, last, low, high; /* of byte 1; of byte 2 */
        size_t bytes;
    } rows[] = { { ' ', '~', 0, 0, 1 },         { '\n', '\n', 0, 0, 1 },
                 { '\t', '\t', 0, 0, 1 },       { 0xc2, 0xc2, 0xa0, 0xbf, 2 }, /* no C1 controls */
                 { 0xc3, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
                 { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
                 { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
                 { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 } };

    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        int good = at[0] >= rows[r].first && at[0] <= rows[r].last && rows[r].bytes <= count;

        for (size_t i = 1; i < rows[r].bytes && good; i++)
            good =
                at[i] >= (i == 1 ? rows[r].low : 0x80) && at[i] <= (i == 1 ? rows[r].high : 0xbf);
        if (good)
            return rows[r].bytes;
    }
    return 0;
}

/* Lines and characters as they are; what a terminal would obey, or is no character, becomes '?'. */
static void put(const char *text, size_t count)
{
    for (size_t i = 0; i < count;) {
        const size_t n = character((const unsigned char *)text + i, count - i);

        (void)fwrite(n > 0 ? text + i : "?", 1, n > 0 ? n : 1, stdout);
        i += n > 0 ? n : 1;
    }
}

static int run(const cli_args *a)
{
    const char *const prompt = a->option[OPT_PROMPT];
    fpx_device *devices[2] = { NULL, NULL };
    size_t ndevices = 0;
    fpx_sampler *sampler = NULL;
    fpx_sampling sampling;
    fpx_error err = { 0 };
    char *text = NULL;
    size_t count = 0;
    fpx_status status;

    if (prompt == NULL)
        return cli_usage("sample", "--prompt TEXT is needed: what is to be continued");
    status = read_options(a, &sampling, &err);
    if (status == FPX_OK && a->option[OPT_DEVICE] &&
        (status = fpx_device_open(a->option[OPT_DEVICE], &devices[0], &err)) == FPX_OK)
        ndevices++;
    if (status == FPX_OK && (status = fpx_device_open("cpu", &devices[ndevices], &err)) == FPX_OK)
        ndevices++;
    if (status == FPX_OK)
        status = fpx_sampler_open(a->positional[0], devices, ndevices, &sampler, &err);
    if (status == FPX_OK)
        status = fpx_sampler_run(sampler, prompt, strlen(prompt), &sampling, &text, &count, &err);
    if (status == FPX_OK) {
        put(prompt, strlen(prompt));
        put(text, count);
        (void)putchar('\n');
    }
    free(text);
    fpx_sampler_free(sampler);
    for (size_t i = 0; i < ndevices; i++)
        fpx_device_close(devices[i]);
    return status == FPX_OK ? EXIT_HOLDS : cli_fail(&err);
}

const cli_verb verb_sample = {
    "sample",
    "CHECKPOINT --prompt TEXT [OPTIONS]",
    "let a trained model continue a text",
    "CHECKPOINT is a file or a folder of fpx train --checkpoint (its newest is taken). Model, "
    "recipe\n"
    "and tokenizer are in it; the forward pass is the recipe's, a sequence at a time.\n"
    "example: fpx sample runs --prompt 'And God said' --tokens 100 --temperature 0.8 --top-k 40",
    options,
    1,
    1,
    run,
};
