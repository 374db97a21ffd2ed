/* codes_tensors.c - plans every tensor first, because a header comes before its data, then runs them in the
 * order of the file. */
#include "codes_tensors.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define FORMAT_KEY "fpx.format."
#define SCALE_KEY "fpx.scale."

enum { COPY_PIECE = 1 << 18 };

typedef struct plan {
    cli_tensor tensor;
    int convert;
    double scale; /* to state */
} plan;

typedef struct work {
    const char *from;
    const cli_tensor_job *job;
    fpx_st_stream *stream;
    fpx_st_sink *sink;
    plan *plans;
    fpx_st_info *infos; /* of the new file */
    size_t n;
    fpx_st_pair *pairs; /* of the new file */
    size_t npairs;
    char **texts; /* those of the pairs that are new */
    size_t ntexts;
    fpx_error *err;
} work;

/* Where the reader of one tensor stands. */
typedef struct cursor {
    fpx_st_stream *stream;
    const fpx_st_info *info;
    uint64_t at;
    char label[512]; /* for messages */
} cursor;

static fpx_status read_tensor(void *context, void *dst, size_t bytes, fpx_error *err)
{
    cursor *const c = context;
    const fpx_status status = fpx_st_stream_read(c->stream, c->info, c->at, dst, bytes, err);

    c->at += bytes;
    return status;
}

static fpx_status rewind_tensor(void *context, fpx_error *err)
{
    cursor *const c = context;

    (void)err;
    c->at = 0;
    return FPX_OK;
}

static fpx_status write_tensor(void *context, const void *src, size_t bytes, fpx_error *err)
{
    return fpx_st_sink_write(context, src, bytes, err);
}

static cli_codes_in codes_of(const work *w, const fpx_format *format, cursor *c)
{
    (void)snprintf(c->label, sizeof c->label, "%.256s: tensor '%.128s'", w->from, c->info->name);
    const cli_codes_in in = { .name = c->label,
                              .format = *format,
                              .packed = c->info->bits < 8,
                              .count = c->info->count,
                              .context = c,
                              .read = read_tensor,
                              .rewind = rewind_tensor };

    return in;
}

static fpx_status out_of_memory(const work *w)
{
    return fpx_error_set(w->err, FPX_ENOMEM, "%s: out of memory", w->from);
}

/* The value of PREFIX + name; NULL: none. */
static const char *stated(const work *w, const char *prefix, const char *name)
{
    const size_t length = strlen(prefix);
    size_t n = 0;
    const fpx_st_pair *const pairs = fpx_st_stream_pairs(w->stream, &n);

    for (size_t i = 0; i < n; i++) {
        if (strncmp(pairs[i].key, prefix, length) == 0 && strcmp(pairs[i].key + length, name) == 0)
            return pairs[i].value;
    }
    return NULL;
}

static fpx_status describe(const work *w, const fpx_st_info *info, cli_tensor *ret_tensor)
{
    const char *const format = stated(w, FORMAT_KEY, info->name);
    const char *const scale = stated(w, SCALE_KEY, info->name);
    cli_tensor t = { .info = info, .scale = 1.0 };
    char *end = NULL;

    if (info->format != NULL)
        t.format = *info->format;
    if (format != NULL && (info->dtype[0] != 'U' || fpx_format_parse(format, &t.format, NULL) ||
                           fpx_format_size(&t.format) * 8 != info->bits))
        return fpx_error_set(w->err, FPX_EFORMAT,
                             "%s: metadata '" FORMAT_KEY "%.64s' is '%.32s', which fits no %s",
                             w->from, info->name, format, info->dtype);
    if (scale != NULL) {
        t.is_scaled = 1;
        t.scale = strtod(scale, &end);
        if (end == scale || *end != '\0' || !isfinite(t.scale) || t.scale <= 0.0)
            return fpx_error_set(w->err, FPX_EFORMAT,
                                 "%s: metadata '" SCALE_KEY "%.64s' is '%.32s', no number above 0",
                                 w->from, info->name, scale);
    }
    *ret_tensor = t;
    return FPX_OK;
}

/* The dtype that holds a format: its own, or unsigned integers of its size. */
static const char *dtype_of(const fpx_format *format)
{
    const char *const own = fpx_st_dtype(format);

    if (own != NULL)
        return own;
    return format->bits <= 8 ? "U8" : (format->bits <= 16 ? "U16" : "U32");
}

static fpx_status add_pair(work *w, const char *prefix, const char *name, const char *value)
{
    const size_t room = strlen(prefix) + strlen(name) + 1;
    char *const key = malloc(room + strlen(value) + 1); /* and its value in one piece */

    if (key == NULL)
        return out_of_memory(w);
    (void)snprintf(key, room, "%s%s", prefix, name);
    memcpy(key + room, value, strlen(value) + 1);
    w->texts[w->ntexts++] = key;
    w->pairs[w->npairs++] = (fpx_st_pair){ key, key + room };
    return FPX_OK;
}

static fpx_status plan_tensor(work *w, size_t i, fpx_format *ret_format)
{
    plan *const p = &w->plans[i];
    cursor c = { .stream = w->stream, .info = p->tensor.info };
    const cli_codes_in in = codes_of(w, &p->tensor.format, &c);
    fpx_status status =
        w->job->plan(w->job->context, &p->tensor, &in, ret_format, &p->scale, w->err);
    char text[32];

    if (status != FPX_OK)
        return status;
    p->convert = 1;
    w->infos[i].dtype = dtype_of(ret_format);
    if (fpx_st_dtype(ret_format) == NULL)
        status = add_pair(w, FORMAT_KEY, p->tensor.info->name, ret_format->name);
    if (status == FPX_OK && (p->scale != 1.0 || w->job->states_scale)) {
        (void)snprintf(text, sizeof text, "%.17g", p->scale);
        status = add_pair(w, SCALE_KEY, p->tensor.info->name, text);
    }
    return status;
}

/* Is this a statement about a tensor that is converted? It is made anew, or no longer true. */
static int is_replaced(const work *w, const char *key)
{
    static const char *const prefixes[] = { FORMAT_KEY, SCALE_KEY };

    for (size_t k = 0; k < 2; k++) {
        const size_t length = strlen(prefixes[k]);
        if (strncmp(key, prefixes[k], length) != 0)
            continue;
        for (size_t i = 0; i < w->n; i++) {
            if (w->plans[i].convert && strcmp(w->infos[i].name, key + length) == 0)
                return 1;
        }
    }
    return 0;
}

/* Room for what the new file says of each tensor; 0 where there is none. */
static int reserve(work *w)
{
    size_t nold = 0;

    (void)fpx_st_stream_infos(w->stream, &w->n);
    (void)fpx_st_stream_pairs(w->stream, &nold);
    w->plans = calloc(w->n + 1, sizeof *w->plans);
    w->infos = calloc(w->n + 1, sizeof *w->infos);
    w->pairs = calloc(2 * w->n + nold + 1, sizeof *w->pairs);
    w->texts = calloc(2 * w->n + 1, sizeof *w->texts);
    return w->plans != NULL && w->infos != NULL && w->pairs != NULL && w->texts != NULL;
}

/* Is the tensor asked for? Of the words of --tensor that name it, those are marked that find a tensor to convert. */
static int is_asked(const work *w, const cli_tensor *t, char *found)
{
    int asked = w->job->nonly == 0;
    const int wanted = w->job->wanted(w->job->context, t);

    for (size_t k = 0; k < w->job->nonly; k++) {
        const char *const word = w->job->only[k];
        if (strcmp(word, t->info->name) != 0 && fnmatch(word, t->info->name, 0) != 0)
            continue;
        asked = 1;
        found[k] |= (char)(wanted ? 2 : 1);
    }
    return asked && wanted;
}

static const char *name_at(const void *of, size_t i)
{
    return ((const fpx_st_info *)of)[i].name;
}

/* A word that nothing came of is a slip. */
static fpx_status check_words(const work *w, const fpx_st_info *infos, const char *found)
{
    char near[160];

    for (size_t k = 0; k < w->job->nonly; k++) {
        const char *const word = w->job->only[k];
        if (found[k] == 0) {
            cli_nearest(word, name_at, infos, w->n, near, sizeof near);
            return fpx_error_set(w->err, FPX_EINVAL, "%s: has no tensor '%.64s'; nearest: %s",
                                 w->from, word, near);
        }
        if (found[k] == 1)
            return fpx_error_set(w->err, FPX_EINVAL, "%s: tensor '%.64s' %s", w->from, word,
                                 w->job->unwanted);
    }
    return FPX_OK;
}

static fpx_status plan_all(work *w)
{
    char found[CLI_MAX_VALUES] = { 0 };
    size_t nold = 0;
    size_t chosen = 0;
    const fpx_st_info *const infos = fpx_st_stream_infos(w->stream, &w->n);
    const fpx_st_pair *const old = fpx_st_stream_pairs(w->stream, &nold);
    fpx_status status = FPX_OK;

    for (size_t i = 0; i < w->n && status == FPX_OK; i++) {
        fpx_format format;

        w->infos[i] = infos[i];
        status = describe(w, &infos[i], &w->plans[i].tensor);
        if (status == FPX_OK && is_asked(w, &w->plans[i].tensor, found)) {
            chosen++;
            status = plan_tensor(w, i, &format);
        }
    }
    if (status == FPX_OK)
        status = check_words(w, infos, found);
    if (status == FPX_OK && chosen == 0)
        return fpx_error_set(w->err, FPX_EINVAL, "%s: nothing to convert: each tensor %s", w->from,
                             w->job->unwanted);
    for (size_t i = 0; i < nold && status == FPX_OK; i++) {
        if (!is_replaced(w, old[i].key))
            w->pairs[w->npairs++] = old[i];
    }
    return status;
}

static fpx_status copy_tensor(const work *w, const fpx_st_info *info)
{
    char *const piece = malloc(COPY_PIECE);
    fpx_status status = piece == NULL ? out_of_memory(w) : FPX_OK;

    for (uint64_t at = 0; at < info->bytes && status == FPX_OK; at += COPY_PIECE) {
        const uint64_t left = info->bytes - at;
        const size_t n = left < COPY_PIECE ? (size_t)left : COPY_PIECE;
        status = fpx_st_stream_read(w->stream, info, at, piece, n, w->err);
        if (status == FPX_OK)
            status = fpx_st_sink_write(w->sink, piece, n, w->err);
    }
    free(piece);
    return status;
}

static fpx_status run_all(const work *w)
{
    size_t n = 0;
    const fpx_st_info *const infos = fpx_st_stream_infos(w->stream, &n);
    fpx_status status = FPX_OK;

    for (size_t i = 0; i < n && status == FPX_OK; i++) {
        const plan *const p = &w->plans[i];
        cursor c = { .stream = w->stream, .info = &infos[i] };
        const cli_codes_in in = codes_of(w, &p->tensor.format, &c);
        const cli_codes_out out = { .packed = w->infos[i].bits < 8,
                                    .context = w->sink,
                                    .write = write_tensor };
        status = p->convert
                     ? w->job->convert(w->job->context, &p->tensor, p->scale, &in, &out, w->err)
                     : copy_tensor(w, &infos[i]);
    }
    return status;
}

static void release(work *w)
{
    for (size_t i = 0; i < w->ntexts; i++)
        free(w->texts[i]);
    free(w->texts);
    free(w->pairs);
    free(w->infos);
    free(w->plans);
    fpx_st_stream_close(w->stream);
}

fpx_status cli_tensors_run(const char *from, const char *to, const cli_tensor_job *job,
                           fpx_error *err)
{
    work w = { .from = from, .job = job, .err = err };
    fpx_st_sink *sink = NULL;
    fpx_status status = fpx_st_stream_open(from, &w.stream, err);

    if (status != FPX_OK)
        return status;
    if (reserve(&w))
        status = plan_all(&w);
    else
        status = out_of_memory(&w);
    if (status == FPX_OK)
        status = fpx_st_sink_open(to, w.infos, w.n, w.pairs, w.npairs, &sink, err);
    if (status == FPX_OK) {
        w.sink = sink;
        status = fpx_st_sink_close(sink, run_all(&w), err);
    }
    release(&w);
    return status;
}
