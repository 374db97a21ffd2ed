/* verb_tokenize.c - fpx tokenize: learns a vocabulary from a text, turns texts into tokens and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/file.h>
#include <fpx/npy.h>
#include <fpx/tokenizer.h>

#include "cli.h"
#include "outputs.h"

enum { OPT_OUT, OPT_VOCABULARY, OPT_TOKENIZER, OPTIONS };
enum { TEXT_MAX = 1 << 30 }; /* bytes: texts are held in memory */

static const cli_option options[] = {
    [OPT_OUT] = { "-o", "OUT", "the file to write; of decode, - is standard output" },
    [OPT_VOCABULARY] = { "--vocabulary", "N", "train: tokens, 257 to 65536 (default 4096)" },
    [OPT_TOKENIZER] = { "--tokenizer", "FILE", "encode, decode: what train wrote" },
    { NULL, NULL, NULL }
};

static fpx_status train(const cli_args *a, fpx_error *err)
{
    const char *asked = a->option[OPT_VOCABULARY] ? a->option[OPT_VOCABULARY] : "4096";
    fpx_tokenizer *tokenizer = NULL;
    uint64_t vocabulary = 0;
    fpx_error why = { 0 };
    char *text = NULL, *file = NULL;
    size_t count = 0, bytes = 0;
    fpx_status status =
        cli_number("--vocabulary", asked, FPX_TOKENIZER_MIN, FPX_TOKENIZER_MAX, &vocabulary, err);

    if (status == FPX_OK)
        status = fpx_file_read(a->positional[1], TEXT_MAX, &text, &count, err);
    if (status == FPX_OK && (status = fpx_tokenizer_train(text, count, (uint32_t)vocabulary,
                                                          &tokenizer, &why)) != FPX_OK)
        (void)fpx_error_set(err, status, "%s: %s", a->positional[1], why.text);
    if (status == FPX_OK)
        status = fpx_tokenizer_text(tokenizer, &file, &bytes, err);
    if (status == FPX_OK)
        status = fpx_file_write(a->option[OPT_OUT], file, bytes, err);
    if (status == FPX_OK)
        (void)fprintf(stderr, "%s: %u tokens%s\n", a->option[OPT_OUT],
                      fpx_tokenizer_vocabulary(tokenizer),
                      fpx_tokenizer_vocabulary(tokenizer) < vocabulary
                          ? ": no other pair occurs twice in the text"
                          : "");
    fpx_tokenizer_free(tokenizer);
    free(text);
    free(file);
    return status;
}

static fpx_status encode(const cli_args *a, fpx_error *err)
{
    fpx_tokenizer *tokenizer = NULL;
    fpx_npy_writer *writer = NULL;
    fpx_npy_array array = { .kind = 'u', .size = sizeof(uint16_t), .ndim = 1 };
    uint16_t *tokens = NULL;
    char *text = NULL;
    size_t count = 0;
    fpx_status status = fpx_tokenizer_read(a->option[OPT_TOKENIZER], &tokenizer, err);

    if (status == FPX_OK)
        status = fpx_file_read(a->positional[1], TEXT_MAX, &text, &count, err);
    if (status == FPX_OK && (tokens = malloc((count + 1) * sizeof *tokens)) == NULL)
        status = fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", a->positional[1]);
    if (status == FPX_OK) {
        const size_t n = fpx_tokenizer_encode(tokenizer, text, count, tokens);

        array.shape[0] = n;
        status = fpx_npy_create(a->option[OPT_OUT], &array, &writer, err);
        if (status == FPX_OK)
            status = fpx_npy_finish(writer, fpx_npy_write(writer, tokens, n, err), err);
        if (status == FPX_OK)
            (void)fprintf(stderr, "%zu bytes, %zu tokens, %.3f bytes a token\n", count, n,
                          (double)count / (double)(n > 0 ? n : 1));
    }
    fpx_tokenizer_free(tokenizer);
    free(tokens);
    free(text);
    return status;
}

/* Tokens of a file as the tokenizer has them: u2, or u4 of values that fit. */
static fpx_status narrow(const fpx_npy_map *map, const char *path, uint16_t **ret_tokens,
                         fpx_error *err)
{
    const fpx_npy_array *array = &map->array;
    const size_t n = (size_t)fpx_npy_count(array);
    uint16_t *tokens;

    if (array->kind != 'u' || (array->size != 2 && array->size != 4) || array->ndim != 1)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: tokens are one axis of uint16 or uint32 (fpx tokenize encode "
                             "writes them)",
                             path);
    if ((tokens = malloc((n + 1) * sizeof *tokens)) == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
    if (array->size == 2)
        memcpy(tokens, map->data, n * sizeof *tokens);
    for (size_t i = 0; i < n && array->size == 4; i++) {
        uint32_t token;

        memcpy(&token, (const unsigned char *)map->data + 4 * i, sizeof token);
        if (token >= FPX_TOKENIZER_MAX) {
            free(tokens);
            return fpx_error_set(err, FPX_EINVAL, "%s: token %zu is %u; no tokenizer has it", path,
                                 i, token);
        }
        tokens[i] = (uint16_t)token;
    }
    *ret_tokens = tokens;
    return FPX_OK;
}

static fpx_status put_text(const char *path, const char *text, size_t count, fpx_error *err)
{
    if (strcmp(path, "-") != 0)
        return fpx_file_write(path, text, count, err);
    (void)fwrite(text, 1, count, stdout); /* main looks at the stream's state */
    return FPX_OK;
}

static fpx_status decode(const cli_args *a, fpx_error *err)
{
    fpx_tokenizer *tokenizer = NULL;
    fpx_npy_map map = { .file = NULL };
    uint16_t *tokens = NULL;
    char *text = NULL;
    size_t count = 0;
    fpx_error why = { 0 };
    fpx_status status = fpx_tokenizer_read(a->option[OPT_TOKENIZER], &tokenizer, err);

    if (status == FPX_OK)
        status = fpx_npy_map_open(a->positional[1], &map, err);
    if (status == FPX_OK)
        status = narrow(&map, a->positional[1], &tokens, err);
    if (status == FPX_OK) {
        const size_t n = (size_t)fpx_npy_count(&map.array);

        status = fpx_tokenizer_decode(tokenizer, tokens, n, NULL, &count, &why);
        if (status == FPX_OK && (text = malloc(count + 1)) == NULL)
            status = fpx_error_set(&why, FPX_ENOMEM, "out of memory");
        if (status == FPX_OK)
            status = fpx_tokenizer_decode(tokenizer, tokens, n, text, &count, &why);
        if (status != FPX_OK)
            (void)fpx_error_set(err, status, "%s: %s", a->positional[1], why.text);
    }
    if (status == FPX_OK)
        status = put_text(a->option[OPT_OUT], text, count, err);
    fpx_tokenizer_free(tokenizer);
    fpx_npy_map_close(&map);
    free(tokens);
    free(text);
    return status;
}

typedef struct action {
    const char *name;
    fpx_status (*run)(const cli_args *a, fpx_error *err);
    cli_file_kind writes;
    int takes[OPTIONS];
} action;

static const action actions[] = {
    { "train", train, CLI_TOKENIZER, { [OPT_OUT] = 1, [OPT_VOCABULARY] = 1 } },
    { "encode", encode, CLI_ARRAYS, { [OPT_OUT] = 1, [OPT_TOKENIZER] = 1 } },
    { "decode", decode, CLI_ARRAYS, { [OPT_OUT] = 1, [OPT_TOKENIZER] = 1 } },
};
enum { ACTIONS = sizeof actions / sizeof actions[0] };

static int run(const cli_args *a)
{
    size_t k = 0;
    fpx_error err = { 0 };

    while (k < ACTIONS && strcmp(actions[k].name, a->positional[0]) != 0)
        k++;
    if (k == ACTIONS)
        return cli_usage("tokenize", "'%s': expected train, encode or decode", a->positional[0]);
    for (size_t i = 0; i < OPTIONS; i++) {
        if (a->option[i] && !actions[k].takes[i])
            return cli_usage("tokenize", "%s has no %s", actions[k].name, options[i].name);
        if (!a->option[i] && actions[k].takes[i] && i != OPT_VOCABULARY)
            return cli_usage("tokenize", "%s needs %s %s", actions[k].name, options[i].name,
                             options[i].value);
    }
    if (actions[k].writes == CLI_TOKENIZER && a->option[OPT_OUT] &&
        strcmp(a->option[OPT_OUT], "-") == 0)
        return cli_usage("tokenize", "%s writes a file: -o FILE", actions[k].name);
    const cli_file files[] = { { "the input", a->positional[1], CLI_READS },
                               { "--tokenizer", a->option[OPT_TOKENIZER], CLI_READS },
                               { "-o", a->option[OPT_OUT], actions[k].writes } };

    if (cli_check_files(files, sizeof files / sizeof files[0], &err) != FPX_OK ||
        actions[k].run(a, &err) != FPX_OK)
        return cli_fail(&err);
    return EXIT_HOLDS;
}

const cli_verb verb_tokenize = {
    "tokenize",
    "train|encode|decode IN -o OUT [OPTIONS]",
    "learn a byte-pair vocabulary; turn text into tokens and back",
    "train: a vocabulary from a text. encode: a text to a .npy file of uint16 tokens, as\n"
    "data.tokens takes them. decode: back, without loss. Byte-level: any file is a text.\n"
    "example: fpx tokenize train datasets/kjv-genesis-exodus.txt --vocabulary 1024 -o kjv.bpe\n"
    "         fpx tokenize encode datasets/kjv-genesis-exodus.txt --tokenizer kjv.bpe -o kjv.npy\n"
    "         fpx tokenize decode kjv.npy --tokenizer kjv.bpe -o kjv.txt",
    options,
    2,
    2,
    run,
};
