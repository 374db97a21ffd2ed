/* gemm_run.c - computes a loaded product, and writes D. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "codes_metadata.h"
#include "codes_npy.h"
#include "codes_piece.h"
#include "conversion_args.h"
#include "gemm_job.h"

/* Rows of D, those of all products, are apart. */
static void finish_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const gemm_job *const job = context;
    const size_t n = job->call.n;
    const unsigned char *const sums = job->sums;
    unsigned char *const d = job->d;

    (void)worker;
    (void)fpx_mma_finish(&job->epilogue, sums + begin * n * fpx_format_size(&job->epilogue.sums),
                         end - begin, n, d + begin * n * fpx_format_size(&job->d_format), NULL);
}

/* Rows of A at a time, so that Ctrl-C is heard and progress is seen about once a second; a kernel decodes B for each
 * strip anew, which is little beside STRIP rows. */
static size_t strip_rows(const gemm_job *job, fpx_cpu_level level)
{
    enum { STRIP = 256 };
    const fpx_mma_call *const call = &job->call;
    const char *const kernel = fpx_mma_kernel_name(&job->unit.preset.model, call, level);
    const int is_scalar = strcmp(kernel, "scalar") == 0;
    const double products = is_scalar ? 4e6 : 4e9; /* in a second, about */
    const double rows = products / ((double)call->n * (double)call->k);
    const size_t least = is_scalar ? 1 : STRIP;

    if (rows >= (double)call->m)
        return call->m;
    return rows > (double)least ? (size_t)rows : least;
}

/* The strips of one product are a batch whose B is shared. */
static fpx_mma_call strip_of(const fpx_mma_call *product, size_t rows, size_t s)
{
    fpx_mma_call strips = *product;

    strips.a.stride_batch = rows * product->a.stride_vector;
    strips.a.scale_stride_batch = rows * product->a.scale_stride_vector;
    strips.b.stride_batch = 0;
    strips.b.scale_stride_batch = 0;
    strips.stride_c_batch = rows * product->stride_c_row;
    strips = fpx_mma_call_at(&strips, s);
    strips.m = product->m - s * rows < rows ? product->m - s * rows : rows;
    return strips;
}

static void add_shares(fpx_mma_shares *sum, const fpx_mma_shares *more)
{
    sum->lanes += more->lanes;
    sum->scalar_lanes += more->scalar_lanes;
    sum->skipped_lanes += more->skipped_lanes;
    sum->fraction_lanes += more->fraction_lanes;
    sum->scalar_outputs += more->scalar_outputs;
}

static fpx_status run_sums(gemm_job *job, void *scratch, fpx_pool *pool, fpx_cpu_level level,
                           fpx_mma_shares *ret_shares, fpx_error *err)
{
    const fpx_mma_model *const model = &job->unit.preset.model;
    const size_t rows = strip_rows(job, level), m = job->call.m;
    const size_t strips = m / rows + (m % rows != 0);
    const size_t row_bytes = job->call.n * fpx_format_size(&model->format);
    const cli_codes_in d = { .name = job->words->out != NULL ? job->words->out : "D",
                             .count = (uint64_t)job->batch * m };
    time_t last = time(NULL);
    fpx_mma_shares sum = { 0 };
    fpx_status status = FPX_OK;

    for (size_t p = 0; p < job->batch && status == FPX_OK; p++) {
        const fpx_mma_call product = fpx_mma_call_at(&job->call, p);
        for (size_t s = 0; s < strips && status == FPX_OK; s++) {
            const fpx_mma_call strip = strip_of(&product, rows, s);
            const size_t row = p * m + s * rows;
            fpx_mma_shares shares = { 0 };
            if (cli_interrupted())
                return fpx_error_set(err, FPX_EINTERRUPTED, "interrupted; nothing is written");
            status = fpx_mma_run(model, &strip, (unsigned char *)job->sums + row * row_bytes,
                                 scratch, pool, level, &shares, err);
            add_shares(&sum, &shares);
            codes_progress(&d, row + strip.m, &last);
        }
    }
    *ret_shares = sum;
    return status;
}

/* Small products of a batch are one call, in which threads share all of them. */
static int is_small(const gemm_job *job)
{
    const fpx_mma_call *const call = &job->call;

    return (double)job->batch * (double)call->m * (double)call->n * (double)call->k < 4e6;
}

fpx_status gemm_job_run(gemm_job *job, fpx_pool *pool, fpx_cpu_level level,
                        fpx_mma_shares *ret_shares, fpx_error *err)
{
    const fpx_mma_model *const model = &job->unit.preset.model;
    const size_t bytes = fpx_mma_scratch(model, &job->call, level, fpx_pool_threads(pool));
    void *const scratch = bytes == SIZE_MAX ? NULL : gemm_room(bytes + 1, 1);
    fpx_status status = FPX_OK;

    if (scratch == NULL)
        return fpx_error_set(err, FPX_ENOMEM,
                             "A and B decoded: more than memory holds; multiply parts of them");
    if (is_small(job))
        status = fpx_mma_run(model, &job->call, job->sums, scratch, pool, level, ret_shares, err);
    else
        status = run_sums(job, scratch, pool, level, ret_shares, err);
    if (status == FPX_OK && job->finishes) {
        status = fpx_mma_finish(&job->epilogue, job->sums, 0, 0, job->d, err); /* its checks */
        if (status == FPX_OK)
            fpx_parallel_for(pool, job->batch * job->call.m, 1, finish_rows, job);
    }
    free(scratch);
    return status;
}

/* ---- D ---- */
static uint64_t count_of(const gemm_job *job)
{
    return (uint64_t)job->batch * job->call.m * job->call.n;
}

static size_t shape_of(const gemm_job *job, uint64_t shape[GEMM_AXES])
{
    size_t ndim = 0;

    if (job->is_batch)
        shape[ndim++] = job->batch;
    shape[ndim++] = job->call.m;
    shape[ndim++] = job->call.n;
    return ndim;
}

static fpx_status write_all(const gemm_job *job, const cli_codes_out *out, fpx_error *err)
{
    const size_t size = fpx_format_size(&job->d_format);
    codes_buffers *const b = calloc(1, sizeof *b);
    fpx_status status = b == NULL ? fpx_error_set(err, FPX_ENOMEM, "D: out of memory") : FPX_OK;

    for (uint64_t at = 0; at < count_of(job) && status == FPX_OK; at += CODES_PIECE) {
        const size_t n = codes_piece_at(count_of(job), at);
        memcpy(b->codes, (const unsigned char *)job->d + at * size, n * size);
        status = codes_write(out, &job->d_format, b, n, err);
    }
    free(b);
    return status;
}

static fpx_status write_npy(const gemm_job *job, const char *path, fpx_error *err)
{
    fpx_npy_array array = { .kind = 'u' };
    cli_npy_target target = { 0 };
    fpx_status status;

    array.ndim = (uint8_t)shape_of(job, array.shape);
    status = cli_npy_shape(&array, NULL, &job->d_format, 0, path, &array, err);
    target.size = array.size;
    if (status == FPX_OK)
        status = fpx_npy_create(path, &array, &target.writer, err);
    if (status == FPX_OK) {
        const cli_codes_out out = cli_npy_out(&target, 0);
        status = fpx_npy_finish(target.writer, write_all(job, &out, err), err);
    }
    return status;
}

static fpx_status write_tensor(void *context, const void *src, size_t bytes, fpx_error *err)
{
    return fpx_st_sink_write(context, src, bytes, err);
}

/* PREFIX + name, to be freed. */
static char *key_of(const char *prefix, const char *name)
{
    const size_t room = strlen(prefix) + strlen(name) + 1;
    char *const key = malloc(room);

    if (key != NULL)
        (void)snprintf(key, room, "%s%s", prefix, name);
    return key;
}

/* What the dtype and the codes do not say is in the metadata, as quantize has it. */
static fpx_status write_safetensors(const gemm_job *job, const gemm_place *place, fpx_error *err)
{
    const char *const name = place->tensor != NULL ? place->tensor : "D";
    const int is_own = fpx_st_dtype(&job->d_format) != NULL;
    char scale[CLI_SCALE_TEXT];
    char *const keys[] = { key_of(FORMAT_KEY, name), key_of(SCALE_KEY, name) };
    uint64_t shape[GEMM_AXES];
    fpx_st_info info = { .name = name, .dtype = cli_tensor_dtype(&job->d_format), .shape = shape };
    fpx_st_pair pairs[2];
    size_t npairs = 0;
    fpx_st_sink *sink = NULL;
    fpx_status status = keys[0] == NULL || keys[1] == NULL
                            ? fpx_error_set(err, FPX_ENOMEM, "D: out of memory")
                            : FPX_OK;

    info.ndim = shape_of(job, shape);
    cli_scale_text(job->scale, scale);
    if (!is_own)
        pairs[npairs++] = (fpx_st_pair){ keys[0], job->d_format.name };
    if (job->words->scale != NULL)
        pairs[npairs++] = (fpx_st_pair){ keys[1], scale };
    if (status == FPX_OK)
        status = fpx_st_sink_open(place->path, &info, 1, pairs, npairs, &sink, err);
    if (status == FPX_OK) {
        const cli_codes_out out = { .packed = is_own && job->d_format.bits < 8,
                                    .context = sink,
                                    .write = write_tensor };
        status = fpx_st_sink_close(sink, write_all(job, &out, err), err);
    }
    free(keys[0]);
    free(keys[1]);
    return status;
}

fpx_status gemm_job_write(const gemm_job *job, fpx_error *err)
{
    gemm_place place;
    const fpx_status status = gemm_place_parse(job->words->out, &place, err);

    if (status != FPX_OK)
        return status;
    return cli_is_safetensors(place.path) ? write_safetensors(job, &place, err)
                                          : write_npy(job, place.path, err);
}
