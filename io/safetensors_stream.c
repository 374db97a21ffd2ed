/* safetensors_stream.c - tensors in and out in pieces. The digest needs tensors in the order of their names,
 * which is not the order of the file: it is a pass of its own, over what the system still has in memory. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "byte_stream.h"
#include "safetensors_header.h"

enum { PIECE = 1 << 20 };

struct fpx_st_stream {
    io_source source;
    io_st_header header;
    uint64_t data_at;
};

struct fpx_st_sink {
    io_atomic_file file;
    const fpx_st_info *infos;
    size_t ninfos;
    const fpx_st_pair *pairs;
    size_t npairs;
    size_t digest_at, data_at;
    uint64_t bytes, done;
};

static fpx_status out_of_memory(const char *path, fpx_error *err)
{
    return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
}

static fpx_status read_at(const char *path, int fd, uint64_t at, void *dst, size_t count,
                          fpx_error *err)
{
    char *to = dst;

    while (count > 0) {
        const ssize_t n = pread(fd, to, count < PIECE ? count : PIECE, (off_t)at);
        if (n == 0)
            return fpx_error_set(err, FPX_EFORMAT, "%s: has become shorter", path);
        if (n < 0)
            return fpx_error_set(err, FPX_EIO, "%s: cannot read", path);
        to += n;
        at += (uint64_t)n;
        count -= (size_t)n;
    }
    return FPX_OK;
}

/* The digest of a file that is open. */
static fpx_status digest_of(const char *path, int fd, uint64_t data_at,
                            const fpx_st_info *const *by_name, size_t n, const fpx_st_pair *pairs,
                            size_t npairs, char ret_text[IO_ST_DIGEST_ROOM], fpx_error *err)
{
    char *piece = malloc(PIECE);
    XXH3_state_t *state = piece != NULL ? io_st_digest_begin(pairs, npairs, n) : NULL;
    fpx_status status = state == NULL ? out_of_memory(path, err) : FPX_OK;

    for (size_t i = 0; i < n && status == FPX_OK; i++) {
        io_st_digest_head(state, by_name[i]);
        for (uint64_t at = 0; at < by_name[i]->bytes && status == FPX_OK; at += PIECE) {
            const uint64_t left = by_name[i]->bytes - at;
            const size_t count = left < PIECE ? (size_t)left : PIECE;
            status = read_at(path, fd, data_at + by_name[i]->offset + at, piece, count, err);
            if (status == FPX_OK)
                (void)XXH3_128bits_update(state, piece, count);
        }
    }
    if (status == FPX_OK)
        io_st_digest_end(state, ret_text);
    else
        (void)XXH3_freeState(state);
    free(piece);
    return status;
}

static fpx_status read_stream(fpx_st_stream *s, fpx_error *err)
{
    const char *const path = s->source.label;
    unsigned char first[8];
    char digest[IO_ST_DIGEST_ROOM];
    size_t got = 0;
    size_t length = 0;
    fpx_status status = io_source_read(&s->source, first, sizeof first, &got, err);

    if (status == FPX_OK)
        status = io_st_length(path, first, got, s->source.size, &length, err);
    if (status != FPX_OK)
        return status;
    char *const text = malloc(length + 1);
    if (text == NULL)
        return out_of_memory(path, err);
    s->data_at = sizeof first + length;
    status = io_source_read(&s->source, text, length, &got, err);
    if (status == FPX_OK && got < length)
        status = fpx_error_set(err, FPX_EFORMAT, "%s: has become shorter", path);
    if (status == FPX_OK)
        status =
            io_st_header_parse(path, text, length, s->source.size - s->data_at, &s->header, err);
    free(text);
    const char *const stated =
        status == FPX_OK ? io_st_header_metadata(&s->header, IO_ST_DIGEST) : NULL;
    if (stated == NULL)
        return status;
    status = digest_of(path, s->source.fd, s->data_at, s->header.by_name, s->header.ninfos,
                       s->header.pairs, s->header.npairs, digest, err);
    return status == FPX_OK ? io_st_compare_digest(path, stated, digest, err) : status;
}

fpx_status fpx_st_stream_open(const char *path, fpx_st_stream **ret_stream, fpx_error *err)
{
    fpx_st_stream *s = calloc(1, sizeof *s);

    if (s == NULL)
        return out_of_memory(path, err);
    fpx_status status = io_source_open(path, &s->source, err);
    if (status != FPX_OK) {
        free(s);
        return status;
    }
    if (!s->source.is_regular || s->source.start != 0)
        status = fpx_error_set(err, FPX_EUNSUPPORTED,
                               "%s: safetensors are not read in order: give a file, no pipe",
                               s->source.label);
    else
        status = read_stream(s, err);
    if (status != FPX_OK) {
        fpx_st_stream_close(s);
        return status;
    }
    *ret_stream = s;
    return FPX_OK;
}

void fpx_st_stream_close(fpx_st_stream *stream)
{
    if (stream == NULL)
        return;
    io_st_header_free(&stream->header);
    io_source_close(&stream->source);
    free(stream);
}

const fpx_st_info *fpx_st_stream_infos(const fpx_st_stream *stream, size_t *ret_n)
{
    *ret_n = stream->header.ninfos;
    return stream->header.infos;
}

const fpx_st_pair *fpx_st_stream_pairs(const fpx_st_stream *stream, size_t *ret_n)
{
    *ret_n = stream->header.npairs;
    return stream->header.pairs;
}

fpx_status fpx_st_stream_read(fpx_st_stream *stream, const fpx_st_info *info, uint64_t from,
                              void *dst, size_t count, fpx_error *err)
{
    if (from > info->bytes || count > info->bytes - from)
        return fpx_error_set(err, FPX_EINVAL, "%s: more asked for than the tensor has",
                             stream->source.label);
    return read_at(stream->source.label, stream->source.fd, stream->data_at + info->offset + from,
                   dst, count, err);
}

const char *fpx_st_dtype(const fpx_format *format)
{
    return io_st_dtype(format);
}

/* What the caller leaves to be computed; the sum of all bytes. */
static fpx_status complete(const char *path, fpx_st_info *infos, size_t n, uint64_t *ret_bytes,
                           fpx_error *err)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        fpx_st_info *const info = &infos[i];
        const io_st_dtype_row *row = info->dtype != NULL ? io_st_dtype_find(info->dtype) : NULL;
        const char *const name = info->name != NULL ? info->name : "";

        if (row == NULL)
            return io_st_refuse(path, FPX_EINVAL, name, "has a dtype that safetensors lack", err);
        info->dtype = row->name;
        info->format = row->format;
        info->bits = row->bits;
        if (!io_st_size(row->bits, info->ndim, info->shape, &info->count, &info->bytes))
            return io_st_refuse(path, FPX_EINVAL, name,
                                "is no whole number of bytes, or larger than any memory", err);
        if (info->bytes > INT64_MAX / 4 || sum > INT64_MAX / 2)
            return io_st_refuse(path, FPX_EINVAL, name, "makes the file larger than any disk", err);
        sum += info->bytes;
    }
    *ret_bytes = sum;
    return FPX_OK;
}

fpx_status fpx_st_sink_open(const char *path, fpx_st_info *infos, size_t ninfos,
                            const fpx_st_pair *pairs, size_t npairs, fpx_st_sink **ret_sink,
                            fpx_error *err)
{
    fpx_st_sink sink = { .infos = infos, .ninfos = ninfos, .pairs = pairs, .npairs = npairs };
    char *head = NULL;
    fpx_status status = complete(path, infos, ninfos, &sink.bytes, err);

    if (status == FPX_OK)
        status = io_st_make_head(path, infos, ninfos, pairs, npairs, &head, &sink.data_at,
                                 &sink.digest_at, err);
    if (status != FPX_OK)
        return status;
    fpx_st_sink *const made = malloc(sizeof *made);
    if (made == NULL) {
        free(head);
        return out_of_memory(path, err);
    }
    status = io_atomic_open(path, &sink.file, err);
    if (status == FPX_OK) {
        status = io_atomic_write(&sink.file, head, sink.data_at, err);
        if (status != FPX_OK)
            (void)io_atomic_close(&sink.file, status, NULL);
    }
    free(head);
    if (status != FPX_OK) {
        free(made);
        return status;
    }
    *made = sink;
    *ret_sink = made;
    return FPX_OK;
}

fpx_status fpx_st_sink_write(fpx_st_sink *sink, const void *src, size_t count, fpx_error *err)
{
    if (count > sink->bytes - sink->done)
        return fpx_error_set(err, FPX_EINVAL, "%s: more data than its tensors have",
                             sink->file.path);
    sink->done += count;
    return io_atomic_write(&sink->file, src, count, err);
}

static fpx_status put_digest(const fpx_st_sink *sink, fpx_error *err)
{
    const fpx_st_info **by_name = io_st_by_name(sink->infos, sink->ninfos);
    char digest[IO_ST_DIGEST_ROOM];

    if (by_name == NULL)
        return out_of_memory(sink->file.path, err);
    fpx_status status = digest_of(sink->file.path, sink->file.fd, sink->data_at, by_name,
                                  sink->ninfos, sink->pairs, sink->npairs, digest, err);
    free(by_name);
    if (status == FPX_OK && pwrite(sink->file.fd, digest, IO_ST_DIGEST_ROOM - 1,
                                   (off_t)sink->digest_at) != IO_ST_DIGEST_ROOM - 1)
        status = fpx_error_set(err, FPX_EIO, "%s: cannot write its digest", sink->file.path);
    return status;
}

fpx_status fpx_st_sink_close(fpx_st_sink *sink, fpx_status status, fpx_error *err)
{
    if (sink == NULL)
        return status;
    if (status == FPX_OK && sink->done != sink->bytes)
        status = fpx_error_set(err, FPX_EINVAL, "%s: data is missing", sink->file.path);
    if (status == FPX_OK)
        status = put_digest(sink, err);
    status = io_atomic_close(&sink->file, status, err);
    free(sink);
    return status;
}
