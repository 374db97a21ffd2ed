/* codes_tensors.c - plans every tensor first, because a header comes before its data, then runs them in the
 * order of the file. */
#include "codes_tensors.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "codes_metadata.h"

enum { COPY_PIECE = 1 << 18 };

typedef struct plan {
    cli_tensor tensor;
    int convert;
    int is_scales; /* of another tensor's blocks */
    int drop;      /* these scales are divided out */
    cli_tensor_plan to;
    char *scales; /* name of the tensor of scales that is new */
} plan;

typedef struct work {
    const char *from;
    const cli_tensor_job *job;
    fpx_st_stream *stream;
    fpx_st_sink *sink;
    plan *plans;
    size_t n;
    fpx_st_info *infos; /* of the new file */
    size_t nout;
    fpx_st_pair *pairs; /* of the new file */
    size_t npairs;
    char **texts; /* those of the pairs that are new */
    size_t ntexts;
    fpx_error *err;
} work;

static fpx_status read_tensor(void *context, void *dst, size_t bytes, fpx_error *err)
{
    cli_tensor_cursor *const c = context;
    const fpx_status status = fpx_st_stream_read(c->stream, c->info, c->at, dst, bytes, err);

    c->at += bytes;
    return status;
}

static fpx_status rewind_tensor(void *context, fpx_error *err)
{
    cli_tensor_cursor *const c = context;

    (void)err;
    c->at = 0;
    return FPX_OK;
}

static fpx_status write_tensor(void *context, const void *src, size_t bytes, fpx_error *err)
{
    return fpx_st_sink_write(context, src, bytes, err);
}

cli_codes_in cli_tensor_in(const char *from, const cli_tensor *tensor, cli_tensor_cursor *cursor)
{
    *cursor = (cli_tensor_cursor){ .stream = tensor->stream, .info = tensor->info };
    (void)snprintf(cursor->label, sizeof cursor->label, "%.256s: tensor '%.128s'", from,
                   tensor->info->name);
    const cli_codes_in in = { .name = cursor->label,
                              .format = tensor->format,
                              .packed = tensor->info->bits < 8,
                              .count = tensor->info->count,
                              .context = cursor,
                              .read = read_tensor,
                              .rewind = rewind_tensor };

    return in;
}

static fpx_status out_of_memory(const work *w)
{
    return fpx_error_set(w->err, FPX_ENOMEM, "%s: out of memory", w->from);
}

const char *cli_tensor_dtype(const fpx_format *format)
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

static fpx_status add_number(work *w, const char *prefix, const char *name, double number)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%.17g", number);
    return add_pair(w, prefix, name, text);
}

/* The name of its scales, which no other tensor may have. */
static fpx_status name_scales(const work *w, plan *p)
{
    const char *const name = p->tensor.info->name;
    const size_t room = strlen(name) + sizeof SCALES;

    p->scales = malloc(room);
    if (p->scales == NULL)
        return out_of_memory(w);
    (void)snprintf(p->scales, room, "%s" SCALES, name);
    for (size_t i = 0; i < w->n; i++) {
        if (strcmp(w->plans[i].tensor.info->name, p->scales) == 0)
            return fpx_error_set(w->err, FPX_EUNSUPPORTED,
                                 "%s: has a tensor '%.64s', the name of the scales of '%.64s'",
                                 w->from, p->scales, name);
    }
    return FPX_OK;
}

static fpx_status plan_tensor(work *w, plan *p)
{
    const char *const name = p->tensor.info->name;
    cli_tensor_cursor c;
    const cli_codes_in in = cli_tensor_in(w->from, &p->tensor, &c);
    fpx_status status = w->job->plan(w->job->context, &p->tensor, &in, &p->to, w->err);

    if (status != FPX_OK)
        return status;
    p->convert = 1;
    if (fpx_st_dtype(&p->to.format) == NULL)
        status = add_pair(w, FORMAT_KEY, name, p->to.format.name);
    if (status == FPX_OK && (p->to.scale != 1.0 || w->job->states_scale))
        status = add_number(w, SCALE_KEY, name, p->to.scale);
    if (status == FPX_OK && p->to.block != NULL)
        status = add_pair(w, BLOCK_KEY, name, p->to.block);
    if (status == FPX_OK && p->to.states_amax)
        status = add_number(w, AMAX_KEY, name, (double)p->to.amax);
    return status == FPX_OK && p->to.block != NULL ? name_scales(w, p) : status;
}

/* The tensors of the new file, in the order of the old one. */
static void lay_out(work *w)
{
    for (size_t i = 0; i < w->n; i++) {
        const plan *const p = &w->plans[i];
        if (p->drop)
            continue;
        fpx_st_info *const info = &w->infos[w->nout++];
        *info = *p->tensor.info;
        if (!p->convert)
            continue;
        info->dtype = cli_tensor_dtype(&p->to.format);
        if (p->to.block != NULL)
            w->infos[w->nout++] = (fpx_st_info){ .name = p->scales,
                                                 .dtype = p->to.scales_dtype,
                                                 .ndim = p->to.scales_ndim,
                                                 .shape = p->to.scales_shape };
    }
}

/* Is this a statement about a tensor that is converted? It is made anew, or no longer true. */
static int is_replaced(const work *w, const char *key)
{
    static const char *const prefixes[] = { FORMAT_KEY, SCALE_KEY, BLOCK_KEY, AMAX_KEY };

    for (size_t k = 0; k < sizeof prefixes / sizeof prefixes[0]; k++) {
        const size_t length = strlen(prefixes[k]);
        if (strncmp(key, prefixes[k], length) != 0)
            continue;
        for (size_t i = 0; i < w->n; i++) {
            if (w->plans[i].convert && strcmp(w->plans[i].tensor.info->name, key + length) == 0)
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
    w->infos = calloc(2 * w->n + 1, sizeof *w->infos);
    w->pairs = calloc(4 * w->n + nold + 1, sizeof *w->pairs);
    w->texts = calloc(4 * w->n + 1, sizeof *w->texts);
    return w->plans != NULL && w->infos != NULL && w->pairs != NULL && w->texts != NULL;
}

/* Is the tensor asked for? Of the words of --tensor that name it, those are marked that find a tensor to convert. */
static int is_asked(const work *w, const plan *p, char *found)
{
    const cli_tensor *const t = &p->tensor;
    int asked = w->job->nonly == 0;
    const int wanted = !p->is_scales && w->job->wanted(w->job->context, t);

    for (size_t k = 0; k < w->job->nonly; k++) {
        const char *const word = w->job->only[k];
        if (strcmp(word, t->info->name) != 0 && fnmatch(word, t->info->name, 0) != 0)
            continue;
        asked = 1;
        found[k] = (char)(found[k] | (wanted ? 2 : 1));
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
        cli_tensor *const tensor = &w->plans[i].tensor;
        status = cli_tensor_describe(w->from, w->stream, &infos[i], tensor, w->err);
        w->plans[i].to.scale = 1.0;
        if (status == FPX_OK && tensor->scales != NULL)
            w->plans[tensor->scales - infos].is_scales = 1;
    }
    for (size_t i = 0; i < w->n && status == FPX_OK; i++) {
        plan *const p = &w->plans[i];
        if (!is_asked(w, p, found))
            continue;
        chosen++;
        if (p->tensor.scales != NULL)
            w->plans[p->tensor.scales - infos].drop = 1;
        status = plan_tensor(w, p);
    }
    if (status == FPX_OK)
        lay_out(w);
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
    fpx_status status = FPX_OK;

    for (size_t i = 0; i < w->n && status == FPX_OK; i++) {
        const plan *const p = &w->plans[i];
        cli_tensor_cursor c;
        const cli_codes_in in = cli_tensor_in(w->from, &p->tensor, &c);
        const char *const own = p->convert ? fpx_st_dtype(&p->to.format) : NULL;
        const cli_codes_out out = { .packed = own != NULL && p->to.format.bits < 8,
                                    .context = w->sink,
                                    .write = write_tensor };
        if (p->convert)
            status = w->job->convert(w->job->context, &p->tensor, &p->to, &in, &out, w->err);
        else if (!p->drop)
            status = copy_tensor(w, p->tensor.info);
    }
    return status;
}

static void release(work *w)
{
    for (size_t i = 0; i < w->ntexts; i++)
        free(w->texts[i]);
    for (size_t i = 0; i < w->n && w->plans != NULL; i++) {
        free(w->plans[i].scales);
        free(w->plans[i].to.scales_shape);
    }
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
        status = fpx_st_sink_open(to, w.infos, w.nout, w.pairs, w.npairs, &sink, err);
    if (status == FPX_OK) {
        w.sink = sink;
        status = fpx_st_sink_close(sink, run_all(&w), err);
    }
    release(&w);
    return status;
}
