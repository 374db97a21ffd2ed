/* npy_header.c - numpy's header is a Python dictionary of three keys. Read here is exactly that much of Python:
 * texts in either quotes, True, False, and a tuple of integers; anything else is named in a refusal. */
#include "npy_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quote.h"

typedef struct parser {
    const char *label, *at, *end; /* *end is a zero byte */
    fpx_error *err;
} parser;

/* The dtypes there are: kind and size. */
static const struct {
    char kind;
    uint8_t size;
} dtypes[] = {
    { 'f', 2 }, { 'f', 4 }, { 'f', 8 }, { 'u', 1 }, { 'u', 2 },
    { 'u', 4 }, { 'i', 4 }, { 'V', 1 }, { 'V', 2 },
};

static int has_dtype(char kind, size_t size)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (dtypes[i].kind == kind && dtypes[i].size == size)
            return 1;
    }
    return 0;
}

static fpx_status malformed(const parser *p, const char *what)
{
    char quoted[40];

    if (p->at < p->end && *p->at == '\0')
        return fpx_error_set(p->err, FPX_EFORMAT, "%s: malformed .npy header: %s at a zero byte",
                             p->label, what);
    io_quote(p->at, quoted, sizeof quoted);
    return fpx_error_set(p->err, FPX_EFORMAT, "%s: malformed .npy header: %s at '%s'", p->label,
                         what, quoted);
}

static void skip_blanks(parser *p)
{
    while (*p->at == ' ' || *p->at == '\n' || *p->at == '\t')
        p->at++;
}

static int take(parser *p, char c)
{
    skip_blanks(p);
    if (*p->at != c)
        return 0;
    p->at++;
    return 1;
}

/* 'text' or "text" without escapes into room bytes; 0 where there is none, or a longer one. */
static int take_text(parser *p, char *ret_text, size_t room)
{
    skip_blanks(p);
    const char quote = *p->at;
    if (quote != '\'' && quote != '"')
        return 0;
    const char *const close = strchr(p->at + 1, quote);
    if (close == NULL || (size_t)(close - p->at) > room)
        return 0;
    const size_t length = (size_t)(close - p->at) - 1;
    memcpy(ret_text, p->at + 1, length);
    ret_text[length] = '\0';
    p->at = close + 1;
    return 1;
}

static fpx_status bad_dtype(const parser *p, const char *descr, const char *why)
{
    char quoted[64];

    io_quote(descr, quoted, sizeof quoted);
    return fpx_error_set(
        p->err, FPX_EUNSUPPORTED,
        "%s: dtype %s%s; known are float16, float32, float64, and codes as uint8, uint16, uint32, "
        "int32 or ml_dtypes' (opaque bytes): convert it with numpy's astype",
        p->label, quoted, why);
}

static fpx_status parse_descr(parser *p, fpx_npy_array *a, int *ret_swap)
{
    char text[32];

    skip_blanks(p);
    if (*p->at == '[' || *p->at == '(')
        return bad_dtype(p, p->at, " is a structure");
    if (!take_text(p, text, sizeof text))
        return malformed(p, "no dtype");

    const char *at = text;
    const int is_big = *at == '>';
    at += *at != '\0' && strchr("<>|=", *at) != NULL;
    const char kind = *at;
    char *end = NULL;
    const unsigned long size =
        kind != '\0' && at[1] >= '0' && at[1] <= '9' ? strtoul(at + 1, &end, 10) : 0;

    if (kind == 'O')
        return bad_dtype(p, text, " is an array of Python objects, which are never read");
    if (end == NULL || *end != '\0')
        return bad_dtype(p, text, " is unknown");
    a->kind = kind;
    if (kind == 'f' && size == 1) /* older ml_dtypes: float8_e5m2 */
        a->kind = 'V';
    a->size = (uint8_t)(size & 0xff);
    if (!has_dtype(a->kind, size))
        return bad_dtype(p, text, " is not read here");
    *ret_swap = is_big && size > 1;
    return FPX_OK;
}

static fpx_status parse_order(parser *p, int *ret_fortran)
{
    static const char *const words[] = { "False", "True" };

    skip_blanks(p);
    for (int i = 0; i < 2; i++) {
        if (strncmp(p->at, words[i], strlen(words[i])) == 0) {
            p->at += strlen(words[i]);
            *ret_fortran = i;
            return FPX_OK;
        }
    }
    return malformed(p, "fortran_order is neither True nor False");
}

static fpx_status parse_shape(parser *p, fpx_npy_array *a)
{
    if (!take(p, '('))
        return malformed(p, "the shape is no tuple");
    a->ndim = 0;
    while (!take(p, ')')) {
        uint64_t extent = 0;

        if (a->ndim == FPX_NPY_MAX_DIMS)
            return fpx_error_set(p->err, FPX_EUNSUPPORTED, "%s: more than %d axes: reshape it",
                                 p->label, FPX_NPY_MAX_DIMS);
        skip_blanks(p);
        if (*p->at < '0' || *p->at > '9')
            return malformed(p, "the shape holds something that is no number from 0 up");
        for (; *p->at >= '0' && *p->at <= '9'; p->at++) {
            const unsigned digit = (unsigned)(*p->at - '0');
            if (extent > (UINT64_MAX - digit) / 10)
                return fpx_error_set(p->err, FPX_EFORMAT, "%s: its shape is beyond any memory",
                                     p->label);
            extent = extent * 10 + digit;
        }
        if (*p->at == 'L') /* Python 2 */
            p->at++;
        a->shape[a->ndim++] = extent;
        if (!take(p, ',')) {
            skip_blanks(p);
            if (*p->at != ')')
                return malformed(p, "the shape is not closed");
        }
    }
    return FPX_OK;
}

/* The three keys, each once, in any order. */
static fpx_status parse_keys(parser *p, fpx_npy_array *a, int *ret_swap, int *ret_fortran)
{
    static const char *const keys[] = { "descr", "fortran_order", "shape" };
    unsigned seen = 0;

    if (!take(p, '{'))
        return malformed(p, "no '{'");
    while (!take(p, '}')) {
        char key[16] = "";
        fpx_status status = FPX_OK;
        unsigned k = 0;

        if (!take_text(p, key, sizeof key))
            return malformed(p, "no key of a .npy file");
        while (k < 3 && strcmp(key, keys[k]) != 0)
            k++;
        if (k == 3 || (seen & 1u << k) != 0 || !take(p, ':'))
            return malformed(p, "a key that is unknown, repeated or without a value");
        seen |= 1u << k;
        if (k == 0)
            status = parse_descr(p, a, ret_swap);
        else if (k == 1)
            status = parse_order(p, ret_fortran);
        else
            status = parse_shape(p, a);
        if (status != FPX_OK)
            return status;
        if (!take(p, ',')) {
            skip_blanks(p);
            if (*p->at != '}')
                return malformed(p, "',' or '}' expected");
        }
    }
    skip_blanks(p);
    if (p->at != p->end)
        return malformed(p, "something after the '}'");
    return seen == 7 ? FPX_OK : malformed(p, "descr, fortran_order or shape is missing");
}

uint64_t fpx_npy_count(const fpx_npy_array *array)
{
    uint64_t count = 1;

    for (size_t i = 0; i < array->ndim; i++)
        count *= array->shape[i];
    return count;
}

int io_npy_is_valid(const fpx_npy_array *array)
{
    uint64_t bytes =
        array->size; /* of the axes that are not 0: strides are computed from them, too */

    if (!has_dtype(array->kind, array->size) || array->ndim > FPX_NPY_MAX_DIMS)
        return 0;
    for (size_t i = 0; i < array->ndim; i++) {
        if (array->shape[i] == 0)
            continue;
        if (bytes > INT64_MAX / array->shape[i]) /* a file's length is signed */
            return 0;
        bytes *= array->shape[i];
    }
    return 1;
}

fpx_status io_npy_parse(const char *label, const char *text, size_t n, fpx_npy_array *ret_array,
                        int *ret_swap, fpx_error *err)
{
    parser p = { label, text, text + n, err };
    fpx_npy_array a = { 0 };
    int swap = 0;
    int fortran = 0;
    int long_axes = 0;
    const fpx_status status = parse_keys(&p, &a, &swap, &fortran);

    if (status != FPX_OK)
        return status;
    if (!io_npy_is_valid(&a))
        return fpx_error_set(err, FPX_EFORMAT, "%s: its shape is beyond any memory", label);
    for (size_t i = 0; i < a.ndim; i++)
        long_axes += a.shape[i] > 1;
    if (fortran && long_axes > 1 && fpx_npy_count(&a) > 0)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: is in Fortran order: save numpy.ascontiguousarray of it", label);
    *ret_array = a;
    *ret_swap = swap;
    return FPX_OK;
}

size_t io_npy_format(const fpx_npy_array *array, char ret_bytes[IO_NPY_ROOM])
{
    static const char magic[] = "\x93NUMPY\1";
    size_t at = IO_NPY_PREFIX + 2;

    memset(ret_bytes, ' ', IO_NPY_ROOM);
    memcpy(ret_bytes, magic, sizeof magic); /* the minor version is its zero byte */
    at += (size_t)snprintf(ret_bytes + at, IO_NPY_ROOM - at,
                           "{'descr': '%c%c%u', 'fortran_order': False, 'shape': (",
                           array->size == 1 ? '|' : '<', array->kind, array->size);
    for (size_t i = 0; i < array->ndim; i++)
        at += (size_t)snprintf(ret_bytes + at, IO_NPY_ROOM - at, "%llu%s",
                               (unsigned long long)array->shape[i],
                               i + 1 < array->ndim ? ", " : (array->ndim == 1 ? "," : ""));
    at += (size_t)snprintf(ret_bytes + at, IO_NPY_ROOM - at, "), }");
    ret_bytes[at] = ' ';

    const size_t total = (at + 1 + 63) / 64 * 64; /* elements begin at a multiple of 64 */
    ret_bytes[total - 1] = '\n';
    ret_bytes[IO_NPY_PREFIX] = (char)((total - IO_NPY_PREFIX - 2) & 0xff);
    ret_bytes[IO_NPY_PREFIX + 1] = (char)((total - IO_NPY_PREFIX - 2) >> 8);
    return total;
}
