/* cpu_options.c - a list of key=value, each key once in a table; what the words mean is checked against
 * this machine and this build, so that an open device can run what it promises. */
#include "cpu_options.h"

#include <string.h>

enum { MAX_THREADS = 1024 }; /* as FPX_THREADS */

typedef struct word {
    const char *text;
    size_t length;
} word;

static int word_is(word w, const char *text)
{
    return strlen(text) == w.length && memcmp(w.text, text, w.length) == 0;
}

/* Decimal digits only: strtoul would take "-1" and " 2". */
static fpx_status set_threads(word value, cpu_options *o, fpx_error *err)
{
    size_t n = 0;

    for (size_t i = 0; i < value.length; i++) {
        if (value.text[i] < '0' || value.text[i] > '9' || n > MAX_THREADS) {
            n = 0;
            break;
        }
        n = 10 * n + (size_t)(value.text[i] - '0');
    }
    if (n < 1 || n > MAX_THREADS)
        return fpx_error_set(err, FPX_EINVAL, "threads=%.*s: use 1 to %d", (int)value.length,
                             value.text, MAX_THREADS);
    o->threads = n;
    return FPX_OK;
}

static fpx_status set_level(word value, cpu_options *o, fpx_error *err)
{
    for (int level = 0; level < FPX_CPU_LEVELS; level++) {
        if (!word_is(value, fpx_cpu_level_name((fpx_cpu_level)level)))
            continue;
        if (level > (int)fpx_cpu_detect())
            return fpx_error_set(err, FPX_EUNSUPPORTED,
                                 "level=%.*s: this machine has no more than %s", (int)value.length,
                                 value.text, fpx_cpu_level_name(fpx_cpu_detect()));
        o->level = (fpx_cpu_level)level;
        return FPX_OK;
    }
    return fpx_error_set(err, FPX_EINVAL, "level=%.*s: use scalar, avx2 or avx512",
                         (int)value.length, value.text);
}

/* Whether an engine was built in is known by asking it for a product of one element. */
static fpx_status set_engine(word value, cpu_options *o, fpx_error *err)
{
    const fpx_gemm_call one = { .m = 1,
                                .n = 1,
                                .k = 1,
                                .lda = 1,
                                .ldb = 1,
                                .ldd = 1,
                                .batch = 1,
                                .alpha = 1.0f,
                                .engine = FPX_ENGINE_OPENBLAS };
    const float x = 1.0f;
    float d;

    if (word_is(value, "repro")) {
        o->engine = FPX_ENGINE_REPRO;
        return FPX_OK;
    }
    if (!word_is(value, "openblas"))
        return fpx_error_set(err, FPX_EINVAL, "engine=%.*s: use repro or openblas",
                             (int)value.length, value.text);
    if (fpx_gemm_f32(&one, &x, &x, &d, NULL, NULL) != FPX_OK)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "engine=openblas: libopenblas.so.0 is not here; use repro");
    o->engine = FPX_ENGINE_OPENBLAS;
    return FPX_OK;
}

static const struct {
    const char *key;
    fpx_status (*set)(word value, cpu_options *o, fpx_error *err);
} keys[] = { { "threads", set_threads }, { "level", set_level }, { "engine", set_engine } };

static fpx_status set(word key, word value, cpu_options *o, fpx_error *err)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (word_is(key, keys[i].key))
            return keys[i].set(value, o, err);
    return fpx_error_set(err, FPX_EINVAL, "%.*s: unknown option; use threads=N, level=L, engine=E",
                         (int)key.length, key.text);
}

fpx_status cpu_options_parse(const char *options, cpu_options *ret_options, fpx_error *err)
{
    cpu_options o = { .engine = FPX_ENGINE_REPRO };
    fpx_status status = fpx_cpu_choose(&o.level, err);
    const char *s = options == NULL ? "" : options;

    while (status == FPX_OK && *s != '\0') {
        const size_t length = strcspn(s, ","), key = strcspn(s, "=,");
        const word value = { s + key + 1, length > key ? length - key - 1 : 0 };

        status = set((word){ s, key }, value, &o, err);
        s += length + (s[length] == ',');
    }
    if (status == FPX_OK)
        *ret_options = o;
    return status;
}
