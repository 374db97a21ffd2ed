/* gemm_run.c - computes a loaded product, and writes D. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

fpx_status gemm_job_run(gemm_job *job, fpx_pool *pool, fpx_cpu_level level,
                        fpx_mma_shares *ret_shares, fpx_error *err)
{
    const fpx_mma_model *const model = &job->unit.preset.model;
    const size_t bytes = fpx_mma_scratch(model, &job->call, level, fpx_pool_threads(pool));
    void *const scratch = bytes == SIZE_MAX ? NULL : malloc(bytes + 1);
    fpx_status status = FPX_OK;

    if (scratch == NULL)
        return fpx_error_set(err, FPX_ENOMEM,
                             "A and B decoded: more than memory holds; multiply parts of them");
    status = fpx_mma_run(model, &job->call, job->sums, scratch, pool, level, ret_shares, err);
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
