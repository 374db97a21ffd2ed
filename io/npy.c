/* npy.c - elements of a .npy file in pieces. Where the length of the input is known it is held against the
 * shape before anything is read; a pipe is judged at its end. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "byte_stream.h"
#include "npy_header.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "elements are handed over little-endian: this machine needs a swap"
#endif

struct fpx_npy_reader {
    io_source source;
    fpx_npy_array array;
    int swap;
    uint64_t begin; /* of the elements, in bytes */
    uint64_t count, done;
};

struct fpx_npy_writer {
    io_sink sink;
    size_t size;
    uint64_t count, done;
};

static fpx_status cut(const fpx_npy_reader *r, uint64_t bytes, fpx_error *err)
{
    return fpx_error_set(err, FPX_EFORMAT,
                         "%s: is cut: %" PRIu64 " of the %" PRIu64
                         " bytes of elements that its header states",
                         r->source.label, bytes, r->count * r->array.size);
}

/* Where the size is known. */
static fpx_status check_length(const fpx_npy_reader *r, fpx_error *err)
{
    const uint64_t have = r->source.size - r->begin;
    const uint64_t want = r->count * r->array.size;

    if (have < want)
        return cut(r, have, err);
    if (have > want)
        return fpx_error_set(err, FPX_EFORMAT,
                             "%s: %" PRIu64 " bytes after the last element: one array a file",
                             r->source.label, have - want);
    return FPX_OK;
}

static fpx_status read_header(fpx_npy_reader *r, fpx_error *err)
{
    const char *const label = r->source.label;
    unsigned char head[IO_NPY_PREFIX + 4];
    size_t got = 0;
    fpx_status status = io_source_read(&r->source, head, IO_NPY_PREFIX, &got, err);

    if (status != FPX_OK)
        return status;
    if (got < IO_NPY_PREFIX || memcmp(head, "\x93NUMPY", 6) != 0)
        return fpx_error_set(err, FPX_EFORMAT,
                             "%s: is no .npy file (numpy.save writes one; of an .npz, unzip it)",
                             label);
    if (head[6] < 1 || head[6] > 3 || head[7] != 0)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: .npy version %u.%u; known are 1.0, 2.0, 3.0", label, head[6],
                             head[7]);
    const size_t width = head[6] == 1 ? 2 : 4;
    status = io_source_read(&r->source, head + IO_NPY_PREFIX, width, &got, err);
    if (status != FPX_OK)
        return status;
    if (got < width)
        return fpx_error_set(err, FPX_EFORMAT, "%s: is cut inside its header", label);
    size_t length = 0;
    for (size_t i = width; i-- > 0;)
        length = length << 8 | head[IO_NPY_PREFIX + i];
    if (length > IO_NPY_MAX_HEADER)
        return fpx_error_set(err, FPX_EFORMAT, "%s: a header of %zu bytes; at most %d", label,
                             length, IO_NPY_MAX_HEADER);
    char *const text = calloc(length + 1, 1);
    if (text == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    status = io_source_read(&r->source, text, length, &got, err);
    if (status == FPX_OK && got < length)
        status = fpx_error_set(err, FPX_EFORMAT, "%s: is cut inside its header", label);
    if (status == FPX_OK)
        status = io_npy_parse(label, text, length, &r->array, &r->swap, err);
    free(text);
    return status;
}

fpx_status fpx_npy_open(const char *path, fpx_npy_reader **ret_reader, fpx_error *err)
{
    fpx_npy_reader *r = calloc(1, sizeof *r);
    fpx_status status;

    if (r == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
    status = io_source_open(path, &r->source, err);
    if (status != FPX_OK) {
        free(r);
        return status;
    }
    status = read_header(r, err);
    if (status == FPX_OK) {
        r->begin = r->source.at;
        r->count = fpx_npy_count(&r->array);
        if (r->source.is_regular)
            status = check_length(r, err);
    }
    if (status != FPX_OK) {
        fpx_npy_close(r);
        return status;
    }
    *ret_reader = r;
    return FPX_OK;
}

void fpx_npy_close(fpx_npy_reader *reader)
{
    if (reader == NULL)
        return;
    io_source_close(&reader->source);
    free(reader);
}

const fpx_npy_array *fpx_npy_array_of(const fpx_npy_reader *reader)
{
    return &reader->array;
}

static void swap_bytes(unsigned char *bytes, size_t size, size_t n)
{
    for (size_t i = 0; i < n; i++, bytes += size) {
        for (size_t k = 0; k < size / 2; k++) {
            const unsigned char keep = bytes[k];
            bytes[k] = bytes[size - 1 - k];
            bytes[size - 1 - k] = keep;
        }
    }
}

fpx_status fpx_npy_read(fpx_npy_reader *reader, void *dst, size_t n, fpx_error *err)
{
    const size_t size = reader->array.size;
    size_t got = 0;

    if (n > reader->count - reader->done)
        return fpx_error_set(err, FPX_EINVAL, "%s: more elements asked for than there are",
                             reader->source.label);
    fpx_status status = io_source_read(&reader->source, dst, n * size, &got, err);
    if (status != FPX_OK)
        return status;
    if (got < n * size)
        return cut(reader, reader->done * size + got, err);
    if (reader->swap)
        swap_bytes(dst, size, n);
    reader->done += n;
    if (reader->done == reader->count) { /* a pipe must end here, too */
        char more;
        status = io_source_read(&reader->source, &more, 1, &got, err);
        if (status == FPX_OK && got > 0)
            status = fpx_error_set(err, FPX_EFORMAT,
                                   "%s: goes on after the last element: one array a file",
                                   reader->source.label);
    }
    return status;
}

fpx_status fpx_npy_rewind(fpx_npy_reader *reader, fpx_error *err)
{
    const fpx_status status = io_source_seek(&reader->source, reader->begin, err);

    if (status == FPX_OK)
        reader->done = 0;
    return status;
}

/* The header was read and the length held against it: what is mapped is what was checked. */
static fpx_status map_file(const fpx_npy_reader *r, fpx_npy_map *ret_map, fpx_error *err)
{
    if (!r->source.is_regular || r->source.start != 0)
        return fpx_error_set(err, FPX_EUNSUPPORTED, "%s: must be a file, it is mapped",
                             r->source.label);
    if (r->swap)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: is big-endian; save it little-endian (numpy: astype('<u2'))",
                             r->source.label);
    if (r->source.size > SIZE_MAX)
        return fpx_error_set(err, FPX_ENOMEM, "%s: larger than the address space", r->source.label);
    const size_t bytes = (size_t)r->source.size;
    const unsigned char *file = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, r->source.fd, 0);

    if (file == MAP_FAILED)
        return fpx_error_set(err, FPX_ENOMEM, "%s: cannot be mapped: %s", r->source.label,
                             strerror(errno));
    *ret_map =
        (fpx_npy_map){ .array = r->array, .data = file + r->begin, .file = file, .bytes = bytes };
    return FPX_OK;
}

fpx_status fpx_npy_map_open(const char *path, fpx_npy_map *ret_map, fpx_error *err)
{
    fpx_npy_reader *r = NULL;
    fpx_status status = fpx_npy_open(path, &r, err);

    if (status == FPX_OK)
        status = map_file(r, ret_map, err);
    fpx_npy_close(r);
    return status;
}

void fpx_npy_map_close(fpx_npy_map *map)
{
    if (map->file != NULL)
        (void)munmap((void *)(uintptr_t)map->file, map->bytes);
    *map = (fpx_npy_map){ .file = NULL };
}

fpx_status fpx_npy_create(const char *path, const fpx_npy_array *array, fpx_npy_writer **ret_writer,
                          fpx_error *err)
{
    char head[IO_NPY_ROOM];

    if (!io_npy_is_valid(array))
        return fpx_error_set(err, FPX_EINVAL, "%s: no array that a .npy file holds", path);
    fpx_npy_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
    fpx_status status = io_sink_open(path, &w->sink, err);
    if (status != FPX_OK) {
        free(w);
        return status;
    }
    w->size = array->size;
    w->count = fpx_npy_count(array);
    status = io_sink_write(&w->sink, head, io_npy_format(array, head), err);
    if (status != FPX_OK) {
        (void)io_sink_close(&w->sink, status, NULL);
        free(w);
        return status;
    }
    *ret_writer = w;
    return FPX_OK;
}

fpx_status fpx_npy_write(fpx_npy_writer *writer, const void *src, size_t n, fpx_error *err)
{
    if (n > writer->count - writer->done)
        return fpx_error_set(err, FPX_EINVAL, "%s: more elements than its shape has",
                             writer->sink.label);
    writer->done += n;
    return io_sink_write(&writer->sink, src, n * writer->size, err);
}

fpx_status fpx_npy_finish(fpx_npy_writer *writer, fpx_status status, fpx_error *err)
{
    if (writer == NULL)
        return status;
    if (status == FPX_OK && writer->done != writer->count)
        status = fpx_error_set(err, FPX_EINVAL, "%s: elements are missing", writer->sink.label);
    status = io_sink_close(&writer->sink, status, err);
    free(writer);
    return status;
}
