/* config_values.c - texts of an experiment to values: a table of keys with their ranges and defaults, and
 * one strict reader for each kind of value. The locale and the rounding mode of the caller play no part. */
#include "config_values.h"

#include <errno.h>
#include <fenv.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quote.h"
#include "yaml_scan.h"

/* The names of values 0, 1, ... of a kind, as they are listed for a person. */
static const char *const words_of[] = { [KIND_ACTIVATION] = "swiglu, gelu",
                                        [KIND_DATA] = "text, instruct, preference",
                                        [KIND_OPTIMIZER] = "adamw, sgd, lion",
                                        [KIND_SCHEDULE] = "cosine, linear, wsd",
                                        [KIND_MEASURE] = "validation, flushed",
                                        [KIND_ARM] = "arm, baseline, control",
                                        [KIND_EXPECTATION] =
                                            "nothing, equal, worse, better, diverges" };

#define AT(KEY) #KEY, offsetof(io_experiment_texts, KEY), offsetof(fpx_experiment, KEY)

/* The upper ends only keep nonsense out: 2^20 is beyond any model that fits a machine, and sizes are
 * checked again where they are multiplied. */
/* The largest number that float32, as operations have it, rounds to 0: half its smallest, a tie. */
#define FLOAT32_ZERO 0x1p-150
static const io_value_row rows[] = {
    { AT(name), KIND_TEXT, CLOSED, NULL, 0, 0 },
    { AT(model.width), KIND_COUNT, CLOSED, NULL, 2, 1 << 20 },
    { AT(model.layers), KIND_COUNT, CLOSED, NULL, 1, 1 << 16 },
    { AT(model.heads), KIND_COUNT, CLOSED, NULL, 1, 1 << 16 },
    { AT(model.hidden), KIND_COUNT, CLOSED, NULL, 1, 1 << 24 },
    { AT(model.vocabulary), KIND_COUNT, CLOSED, NULL, 256, 1 << 24 }, /* a token is any byte */
    { AT(model.activation), KIND_ACTIVATION, CLOSED, NULL, 0, 0 },
    { AT(model.norm_eps), KIND_REAL, ABOVE_MIN, "1e-5", FLOAT32_ZERO, 1 },
    { AT(model.rope_base), KIND_REAL, ABOVE_MIN, "10000", 1, 1e12 },
    { AT(model.init_std), KIND_REAL, CLOSED, "0.02", 0, 1e6 },
    { AT(model.outliers), KIND_COUNT, CLOSED, "0", 0, 1 << 20 },
    { AT(model.dropout), KIND_REAL, BELOW_MAX, "0", 0, 1 },
    { AT(data.corpus), KIND_TEXT, CLOSED, NULL, 0, 0 },
    { AT(data.sha256), KIND_SHA256, CLOSED, NULL, 0, 0 },
    { AT(data.sequence), KIND_COUNT, CLOSED, NULL, 1, 1 << 20 },
    { AT(data.batch), KIND_COUNT, CLOSED, NULL, 1, 1 << 20 },
    { AT(data.accumulate), KIND_COUNT, CLOSED, "1", 1, 1 << 10 },
    { AT(data.validation), KIND_REAL, CLOSED, NULL, 0, 0.5 },
    { AT(data.tokens), KIND_TEXT, CLOSED, NULL, 0, 0 },
    { AT(data.tokenizer), KIND_TEXT, CLOSED, NULL, 0, 0 },
    { AT(data.kind), KIND_DATA, CLOSED, "text", 0, 0 },
    { AT(data.beta), KIND_REAL, ABOVE_MIN, "0.1", 0, 1e6 }, /* arXiv 2305.18290, appendix B */
    { AT(optimizer.kind), KIND_OPTIMIZER, CLOSED, "adamw", 0, 0 },
    { AT(optimizer.schedule), KIND_SCHEDULE, CLOSED, "cosine", 0, 0 },
    { AT(optimizer.learning_rate), KIND_REAL, CLOSED, NULL, 0, 1e6 },
    { AT(optimizer.final_share), KIND_REAL, CLOSED, "0.1", 0, 1 },
    { AT(optimizer.decay_share), KIND_REAL, ABOVE_MIN, "0.1", 0, 1 },
    { AT(optimizer.warmup), KIND_COUNT, CLOSED, NULL, 0, UINT32_MAX },
    { AT(optimizer.beta1), KIND_REAL, BELOW_MAX, "0.9", 0, 1 },
    { AT(optimizer.beta2), KIND_REAL, BELOW_MAX, "0.95", 0, 1 },
    { AT(optimizer.eps), KIND_REAL, ABOVE_MIN, "1e-8", FLOAT32_ZERO, 1 },
    { AT(optimizer.momentum), KIND_REAL, BELOW_MAX, "0.9", 0, 1 },
    { AT(optimizer.weight_decay), KIND_REAL, CLOSED, "0.1", 0, 1e6 },
    { AT(optimizer.clip), KIND_REAL, CLOSED, "1", 0, 1e30 },
    { AT(steps), KIND_COUNT, CLOSED, NULL, 1, UINT32_MAX },
    { AT(seed), KIND_SEED, CLOSED, NULL, 0, 0 },
    { AT(recipe), KIND_TEXT, CLOSED, NULL, 0, 0 },
};

/* Digits only: no sign, no 0x, no leading zero that YAML 1.1 would take for octal. */
static int read_whole(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return 0;
        const uint64_t digit = (uint64_t)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return 0;
        value = 10 * value + digit;
    }
    *ret_value = value;
    return 1;
}

/* Decimal only: strtod would also take nan, inf and hexadecimal. What float64 cannot hold is refused. */
static int read_real(const char *text, double *ret_value)
{
    char *end = NULL;

    if (text[strspn(text, "+-.0123456789eE")] != '\0')
        return 0;
    errno = 0;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || errno == ERANGE || !isfinite(value))
        return 0;
    *ret_value = value;
    return 1;
}

static int in_range(const io_value_row *r, double value)
{
    return value >= r->min && value <= r->max && !(r->ends == ABOVE_MIN && value == r->min) &&
           !(r->ends == BELOW_MAX && value == r->max);
}

static int read_sha256(const char *text, char **ret_text)
{
    static const char digits[] = "0123456789abcdefABCDEF";

    if (strlen(text) != 64 || strspn(text, digits) != 64)
        return 0;
    *ret_text = strdup(text);
    for (char *c = *ret_text; c != NULL && *c != '\0'; c++)
        *c = (char)(*c >= 'A' && *c <= 'F' ? *c - 'A' + 'a' : *c);
    return 1;
}

/* The place of the text in the list "one, two, three". */
static int read_word(const char *words, const char *text, uint32_t *ret_value)
{
    const size_t length = strlen(text);

    for (uint32_t i = 0; *words != '\0'; i++) {
        const size_t n = strcspn(words, ",");

        if (n == length && memcmp(words, text, n) == 0) {
            *ret_value = i;
            return 1;
        }
        words += n;
        words += strspn(words, ", ");
    }
    return 0;
}

/* 0 where the text is no value of this row. */
static int read_value(const io_value_row *r, const char *text, void *to)
{
    uint64_t whole;
    double real;

    switch (r->kind) {
    case KIND_TEXT:
        *(char **)to = strdup(text);
        return 1;
    case KIND_SHA256:
        return read_sha256(text, to);
    case KIND_ACTIVATION:
    case KIND_DATA:
    case KIND_OPTIMIZER:
    case KIND_SCHEDULE:
    case KIND_MEASURE:
    case KIND_ARM:
    case KIND_EXPECTATION:
        return read_word(words_of[r->kind], text, to);
    case KIND_SEED:
        return read_whole(text, to);
    case KIND_COUNT:
        if (!read_whole(text, &whole) || !in_range(r, (double)whole))
            return 0;
        *(uint32_t *)to = (uint32_t)whole;
        return 1;
    case KIND_REAL:
        if (!read_real(text, &real) || !in_range(r, real))
            return 0;
        *(double *)to = real;
        return 1;
    }
    return 0;
}

static void say_right(const io_value_row *r, char *ret_text, size_t room)
{
    switch (r->kind) {
    case KIND_TEXT:
        (void)snprintf(ret_text, room, "a text");
        break;
    case KIND_SHA256:
        (void)snprintf(ret_text, room, "64 hexadecimal digits");
        break;
    case KIND_ACTIVATION:
    case KIND_DATA:
    case KIND_OPTIMIZER:
    case KIND_SCHEDULE:
    case KIND_MEASURE:
    case KIND_ARM:
    case KIND_EXPECTATION:
        (void)snprintf(ret_text, room, "one of %s", words_of[r->kind]);
        break;
    case KIND_SEED:
        (void)snprintf(ret_text, room, "a whole number from 0 to %" PRIu64, UINT64_MAX);
        break;
    case KIND_COUNT:
        (void)snprintf(ret_text, room, "a whole number from %.0f to %.0f", r->min, r->max);
        break;
    case KIND_REAL:
        (void)snprintf(ret_text, room, "a number %s %g%s and %s %g",
                       r->ends == ABOVE_MIN ? "above" : "at least", r->min,
                       r->min == FLOAT32_ZERO ? " (0 in float32)" : "",
                       r->ends == BELOW_MAX ? "below" : "at most", r->max);
        break;
    }
}

fpx_status io_value_refuse(const char *label, const char *text, const char *path, const char *what,
                           fpx_error *err)
{
    io_yaml_place key, value;

    if (!io_yaml_find(text, strlen(text), path, 1, &key, &value))
        return fpx_error_set(err, FPX_EFORMAT, "%s: %s %s", label, path, what);
    return fpx_error_set(err, FPX_EFORMAT, "%s:%zu:%zu: %s %s", label, value.line, value.column,
                         path, what);
}

static fpx_status fill_row(const char *label, const char *text, const char *prefix,
                           const io_value_row *r, const char *from, void *to, fpx_error *err)
{
    char given[64], right[96], what[sizeof given + sizeof right + 32], path[128];

    if (from == NULL)
        from = r->absent;
    if (from == NULL)
        return FPX_OK;
    if (!read_value(r, from, to)) {
        io_quote(from, given, sizeof given);
        say_right(r, right, sizeof right);
        (void)snprintf(what, sizeof what, "is '%s', but must be %s", given, right);
        (void)snprintf(path, sizeof path, "%s%s", prefix, r->path);
        return io_value_refuse(label, text, path, what, err);
    }
    if ((r->kind == KIND_TEXT || r->kind == KIND_SHA256) && *(char **)to == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    return FPX_OK;
}

fpx_status io_values_fill(const char *label, const char *text, const char *prefix,
                          const io_value_row *table, size_t n, const void *texts, void *to,
                          fpx_error *err)
{
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    fpx_status status = FPX_OK;
    fenv_t env;

    if (plain == (locale_t)0)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    const locale_t callers = uselocale(plain); /* of this thread only */
    (void)fegetenv(&env);
    (void)fesetenv(FE_DFL_ENV);
    for (size_t i = 0; i < n && status == FPX_OK; i++)
        status = fill_row(label, text, prefix, &table[i],
                          *(char *const *)(const void *)((const char *)texts + table[i].from),
                          (char *)to + table[i].to, err);
    (void)fesetenv(&env);
    (void)uselocale(callers);
    freelocale(plain);
    return status;
}

/* Sums over tokens are a tree over the sequences of a whole step: a micro-batch is a whole subtree of it. */
static fpx_status check_batch(const char *label, const char *text, const fpx_data_config *d,
                              fpx_error *err)
{
    char what[128];

    if (d->accumulate == 1 || (d->batch & (d->batch - 1)) == 0)
        return FPX_OK;
    (void)snprintf(what, sizeof what,
                   "is %" PRIu32 ", but must be a power of two where accumulate is above 1",
                   d->batch);
    return io_value_refuse(label, text, "data.batch", what, err);
}

/* A key that says nothing to the optimizer or schedule at hand is a slip; and defaults that depend on them. */
static fpx_status check_optimizer(const char *label, const char *text,
                                  const struct io_optimizer_texts *texts, fpx_optimizer_config *o,
                                  fpx_error *err)
{
    const struct {
        const char *path, *given, *of;
        int used;
    } keys[] = {
        { "optimizer.beta1", texts->beta1, "adamw and lion", o->kind != FPX_SGD },
        { "optimizer.beta2", texts->beta2, "adamw and lion", o->kind != FPX_SGD },
        { "optimizer.eps", texts->eps, "adamw", o->kind == FPX_ADAMW },
        { "optimizer.momentum", texts->momentum, "sgd", o->kind == FPX_SGD },
        { "optimizer.decay_share", texts->decay_share, "wsd", o->schedule == FPX_WSD },
    };
    char what[64];

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].given == NULL || keys[i].used)
            continue;
        (void)snprintf(what, sizeof what, "is a key of %s only: remove it", keys[i].of);
        return io_value_refuse(label, text, keys[i].path, what, err);
    }
    if (o->kind == FPX_LION && texts->beta2 == NULL)
        o->beta2 = 0.99; /* Lion's own (arXiv 2302.06675), not AdamW's */
    return FPX_OK;
}

/* Rotary embedding turns pairs: every head has an even width. */
static fpx_status check_width(const char *label, const char *text, const fpx_model_config *m,
                              fpx_error *err)
{
    char what[128];

    if (m->outliers > m->width) {
        (void)snprintf(what, sizeof what, "is %" PRIu32 ", but the width has %" PRIu32 " channels",
                       m->outliers, m->width);
        return io_value_refuse(label, text, "model.outliers", what, err);
    }
    if (m->width % m->heads == 0 && m->width / m->heads % 2 == 0)
        return FPX_OK;
    (void)snprintf(what, sizeof what,
                   "is %" PRIu32 ", but must be an even multiple of heads, %" PRIu32, m->width,
                   m->heads);
    return io_value_refuse(label, text, "model.width", what, err);
}

/* One source of tokens; pairs of answers lie in one batch. */
static fpx_status check_data(const char *label, const char *text, const struct io_data_texts *texts,
                             const fpx_data_config *d, fpx_error *err)
{
    char what[128];

    if (d->corpus == NULL && d->tokens == NULL)
        return io_value_refuse(label, text, "data",
                               "lacks the key 'corpus' (a text) or 'tokens' (a .npy file)", err);
    if (d->corpus != NULL && d->tokens != NULL)
        return io_value_refuse(label, text, "data.tokens",
                               "and data.corpus are both given: leave one of them out", err);
    if (d->kind != FPX_DATA_TEXT && d->tokens != NULL)
        return io_value_refuse(
            label, text, "data.tokens",
            "has no prompts and responses: data.kind instruct and preference take a "
            "data.corpus",
            err);
    if (d->kind != FPX_DATA_PREFERENCE && texts->beta != NULL)
        return io_value_refuse(label, text, "data.beta",
                               "is a key of data.kind preference only: remove it", err);
    (void)snprintf(what, sizeof what,
                   "is %" PRIu32 ", but must be even: the chosen and the rejected response are a "
                   "sequence each",
                   d->batch);
    return d->kind == FPX_DATA_PREFERENCE && d->batch % 2 != 0
               ? io_value_refuse(label, text, "data.batch", what, err)
               : FPX_OK;
}

fpx_status io_experiment_fill(const char *label, const char *text, const io_experiment_texts *texts,
                              fpx_experiment *ret_experiment, fpx_error *err)
{
    fpx_status status = io_values_fill(label, text, "", rows, sizeof rows / sizeof rows[0], texts,
                                       ret_experiment, err);

    if (status == FPX_OK)
        status = check_data(label, text, &texts->data, &ret_experiment->data, err);
    if (status == FPX_OK)
        status = check_width(label, text, &ret_experiment->model, err);
    if (status == FPX_OK)
        status = check_batch(label, text, &ret_experiment->data, err);
    if (status == FPX_OK)
        status = check_optimizer(label, text, &texts->optimizer, &ret_experiment->optimizer, err);
    return status;
}
