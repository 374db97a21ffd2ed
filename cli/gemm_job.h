/* gemm_job.h - a product as the command line asks for it, loaded and checked: what computes, explains or judges it
 * needs nothing else. */
#ifndef CLI_GEMM_JOB_H
#define CLI_GEMM_JOB_H

#include <fpx/mma_finish.h>
#include <fpx/mma_run.h>

#include "gemm_array.h"
#include "unit_args.h"

/* Words as given; NULL: absent. */
typedef struct gemm_words {
    const char *model, *path;
    const char *a, *b, *c, *bias; /* files, as gemm_place_parse takes them */
    const char *a_format, *b_format, *c_format, *bias_format;
    const char *a_scales, *b_scales, *scale_format;
    int trans_a, trans_b; /* A is stored k x m, B n x k */
    const char *out_format, *round, *overflow, *scale;
    const char *out;
} gemm_words;

typedef struct gemm_job {
    const gemm_words *words;
    cli_unit unit;            /* unit.preset.model computes */
    gemm_array a, b, c, bias; /* c, bias: codes NULL where there is none */
    size_t batch;             /* 1 or more; call.batch is the same */
    int is_batch;             /* D has the axis of a batch, be it 1 */
    fpx_mma_call call;        /* of arrays that the job holds; D without gaps */
    void *sums;               /* of the unit: codes of its format, batch x m x n */
    int finishes;             /* the epilogue follows: a scale, a bias or another format */
    fpx_mma_epilogue epilogue;
    double scale;        /* --scale; 1 */
    fpx_format d_format; /* of D, and D itself: sums where nothing follows */
    void *d;
} gemm_job;

/* Reads and checks all of it; sums and d are room for results. The text of an error says what to do. To be released
 * in any case. words must live as long. */
fpx_status gemm_job_load(const gemm_words *words, gemm_job *ret_job, fpx_error *err);
void gemm_job_release(gemm_job *job);

/* Sums, and D. FPX_EUNSUPPORTED, FPX_ENOMEM with text. */
fpx_status gemm_job_run(gemm_job *job, fpx_pool *pool, fpx_cpu_level level,
                        fpx_mma_shares *ret_shares, fpx_error *err);

/* D into words->out; the tensor of a .safetensors file is D where none is named. Nothing at out has changed on
 * failure. */
fpx_status gemm_job_write(const gemm_job *job, fpx_error *err);

#endif /* CLI_GEMM_JOB_H */
