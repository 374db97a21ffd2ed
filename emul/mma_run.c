/* mma_run.c - a call in vector kernels: rows and panels are packed, then tiles run the schedule, each on its own. */
#include <string.h>

#include "mma_chain.h"
#include "mma_plan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define set_control _mm_setcsr
#else
static void set_control(unsigned control)
{
    (void)control;
}
#endif

static void pack_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const mma_job *const job = context;

    (void)worker;
    for (size_t row = begin; row < end; row++)
        job->kernels->pack_row(job, row);
}

static void pack_panels(void *context, size_t begin, size_t end, size_t worker)
{
    const mma_job *const job = context;

    (void)worker;
    for (size_t panel = begin; panel < end; panel++)
        job->kernels->pack_panel(job, panel);
}

static uint64_t code_of_lane(const mma_job *job, float x)
{
    const fpx_conversion conversion = { .format = fpx_fp16, .overflow = FPX_OVERFLOW_NONE };
    uint32_t bits = 0;

    if (!job->is_half)
        memcpy(&bits, &x, sizeof bits);
    else
        (void)fpx_encode_f32(&conversion, 1.0f, &x, &bits, 1); /* exact */
    return bits;
}

float mma_lane(const mma_tile *tile, const mma_op *op, size_t row, size_t column, float acc)
{
    const fpx_fpenv saved = fpx_fpenv_enter();
    const mma_job *const job = tile->job;
    const fpx_mma_call *const call = job->call;
    const size_t i = tile->row + row, j = tile->panel * job->kernels->width + column;
    mma_acc c = { &job->model->format, code_of_lane(job, acc) };

    if (op->is_c)
        c = (mma_acc){ &call->c_format,
                       fpx_format_code(&call->c_format, call->c,
                                       i * call->stride_c_row + j * call->stride_c_column) };
    const mma_output o = {
        job->model, { &call->a, i, NULL }, { &call->b, j, NULL }, call->k, NULL
    };
    c = mma_block(&o, &op->span, op->first, op->count, c);
    const float out = (float)fpx_format_value(c.format, c.code);
    fpx_fpenv_leave(saved);
    return out;
}

/* Codes of a tile: conversions of a whole one cost less than of each row. */
enum { TILE = MMA_ROWS * MMA_WIDTH_MAX };

static void load_c(mma_tile *tile)
{
    const mma_job *const job = tile->job;
    const fpx_mma_call *const call = job->call;
    const size_t width = job->kernels->width, size = fpx_format_size(&call->c_format);
    unsigned char codes[TILE * sizeof(uint32_t)] = { 0 };

    if (call->c == NULL) {
        memset(tile->state, 0, tile->rows * width * sizeof(float));
        return;
    }
    for (size_t row = 0; row < tile->rows; row++) {
        const size_t at =
            (tile->row + row) * call->stride_c_row + tile->panel * width * call->stride_c_column;
        const unsigned char *const c = (const unsigned char *)call->c + at * size;
        unsigned char *const to = codes + row * width * size;

        if (call->stride_c_column == 1)
            memcpy(to, c, tile->columns * size);
        for (size_t j = 0; call->stride_c_column != 1 && j < tile->columns; j++)
            memcpy(to + j * size, c + j * call->stride_c_column * size, size);
    }
    (void)fpx_decode_f32(&call->c_format, 1.0f, codes, tile->state, tile->rows * width);
}

static void store_d(const mma_tile *tile)
{
    const mma_job *const job = tile->job;
    const fpx_mma_model *const model = job->model;
    const fpx_conversion conversion = { .format = model->format,
                                        .overflow = FPX_OVERFLOW_NONE,
                                        .nan = FPX_NAN_POSITIVE,
                                        .nan_code = model->nan_code };
    const size_t width = job->kernels->width, size = fpx_format_size(&model->format);
    const float *const out = tile->state + (size_t)job->schedule.result * MMA_ROWS * width;
    unsigned char codes[TILE * sizeof(uint32_t)];

    (void)fpx_encode_f32(&conversion, 1.0f, out, codes, tile->rows * width); /* exact */
    for (size_t row = 0; row < tile->rows; row++) {
        const size_t at = (tile->row + row) * job->call->stride_d + tile->panel * width;
        memcpy(job->d + at * size, codes + row * width * size, tile->columns * size);
    }
}

static void run_ops(mma_tile *tile)
{
    const mma_job *const job = tile->job;
    const size_t width = job->kernels->width;
    const fpx_fpenv saved = fpx_fpenv_enter();

    set_control(job->kernels->control);
    for (size_t n = 0; n < job->schedule.nops; n++) {
        const mma_op *const op = &job->schedule.ops[n];

        switch ((enum mma_op_kind)op->kind) {
        case MMA_OP_ZERO:
            memset(tile->state + (size_t)op->to * MMA_ROWS * width, 0,
                   tile->rows * width * sizeof(float));
            memset(tile->dead[op->to], 0, sizeof tile->dead[op->to]);
            break;
        case MMA_OP_BLOCK:
            job->kernels->block(tile, op);
            tile->shares->lanes += tile->rows * tile->columns;
            tile->shares->fraction_lanes += tile->fraction_rows * tile->columns;
            break;
        case MMA_OP_ADD:
            set_control(MMA_CSR_NEAREST);
            job->kernels->add(tile, op);
            set_control(job->kernels->control);
            break;
        }
    }
    fpx_fpenv_leave(saved);
}

static void run_tiles(void *context, size_t begin, size_t end, size_t worker)
{
    const mma_job *const job = context;
    const size_t width = job->kernels->width;
    fpx_mma_shares shares = { 0 };

    for (size_t t = begin; t < end; t++) {
        const size_t strip = t / job->panels, panel = t % job->panels;
        const size_t row = strip * MMA_ROWS, column = panel * width;
        mma_tile tile = { .job = job,
                          .row = row,
                          .rows = job->call->m - row < MMA_ROWS ? job->call->m - row : MMA_ROWS,
                          .panel = panel,
                          .columns = job->call->n - column < width ? job->call->n - column : width,
                          .state = (float *)(void *)(job->states + worker * job->state_stride),
                          .shares = &shares };

        for (size_t i = 0; i < tile.rows; i++) {
            tile.form[i] = job->kernels->is_group
                               ? 0
                               : mma_plan_form(job, &job->a.extent[row + i], &job->b.extent[panel]);
            tile.fraction_rows += (tile.form[i] & MMA_FORM_FRACTION) != 0;
        }
        load_c(&tile);
        run_ops(&tile);
        store_d(&tile);
    }
    job->shares[worker] = shares;
}

/* The scalar reference's rows, those of all products of a batch. */
struct scalar_job {
    const fpx_mma_model *model;
    const fpx_mma_call *call;
    void *d;
};

static void scalar_range(void *context, size_t begin, size_t end, size_t worker)
{
    const struct scalar_job *const job = context;

    (void)worker;
    for (size_t at = begin; at < end; at++) {
        const size_t p = at / job->call->m, row = at % job->call->m;
        const fpx_mma_call one = fpx_mma_call_at(job->call, p);
        mma_rows(job->model, &one, mma_d_at(job->model, job->call, job->d, p), row, row + 1);
    }
}

/* One product in kernels. */
static void run_product(mma_job *job, size_t threads, void *scratch, fpx_pool *pool,
                        fpx_mma_shares *sum)
{
    (void)mma_plan_layout(job, threads, scratch);
    memset(job->shares, 0, threads * sizeof *job->shares);
    fpx_parallel_for(pool, job->call->m, 1, pack_rows, job);
    fpx_parallel_for(pool, job->panels, 1, pack_panels, job);
    fpx_parallel_for(pool, job->strips * job->panels, 1, run_tiles, job);
    for (size_t w = 0; w < threads; w++) {
        sum->lanes += job->shares[w].lanes;
        sum->scalar_lanes += job->shares[w].scalar_lanes;
        sum->skipped_lanes += job->shares[w].skipped_lanes;
        sum->fraction_lanes += job->shares[w].fraction_lanes;
    }
}

const char *fpx_mma_kernel_name(const fpx_mma_model *model, const fpx_mma_call *call,
                                fpx_cpu_level level)
{
    if (mma_call_check(model, call, NULL) != FPX_OK)
        return "scalar";

    const struct mma_kernels *const kernels = mma_plan_kernels(model, call, level);
    const char *const chain = mma_chain_name(model, call, level);
    return chain != NULL ? chain : kernels != NULL ? kernels->name : "scalar";
}

size_t fpx_mma_scratch(const fpx_mma_model *model, const fpx_mma_call *call, fpx_cpu_level level,
                       size_t threads)
{
    mma_job job = { .model = model, .call = call };

    if (mma_call_check(model, call, NULL) != FPX_OK)
        return 0;
    if (mma_chain_name(model, call, level) != NULL)
        return mma_chain_scratch(model, call, level, threads);
    job.kernels = mma_plan_kernels(model, call, level);
    return job.kernels == NULL ? 0 : mma_plan_layout(&job, threads, NULL);
}

fpx_status fpx_mma_run(const fpx_mma_model *model, const fpx_mma_call *call, void *d, void *scratch,
                       fpx_pool *pool, fpx_cpu_level level, fpx_mma_shares *ret_shares,
                       fpx_error *err)
{
    const fpx_status status = mma_call_check(model, call, err);
    const size_t threads = fpx_pool_threads(pool), products = mma_products(call);
    fpx_mma_shares sum = { 0 };

    if (status != FPX_OK)
        return status;
    const int has_chain = mma_chain_name(model, call, level) != NULL;
    const struct mma_kernels *const kernels = mma_plan_kernels(model, call, level);
    if ((has_chain || kernels != NULL) && scratch == NULL)
        return fpx_error_set(err, FPX_EINVAL,
                             "model %s: scratch memory is needed: see fpx_mma_scratch",
                             model->name);
    if (!has_chain && kernels == NULL) {
        struct scalar_job scalar = { model, call, d };
        fpx_parallel_for(pool, products * call->m, 1, scalar_range, &scalar);
        sum.scalar_outputs = (uint64_t)products * call->m * call->n;
    }
    for (size_t p = 0; (has_chain || kernels != NULL) && p < products; p++) {
        const fpx_mma_call one = fpx_mma_call_at(call, p);
        void *const at = mma_d_at(model, call, d, p);

        if (has_chain && mma_chain_run(model, &one, at, scratch, pool, level)) {
            sum.lanes += (uint64_t)call->m * call->n;
        } else if (kernels == NULL) { /* a scale that float32 cannot hold */
            struct scalar_job scalar = { model, &one, at };
            fpx_parallel_for(pool, call->m, 1, scalar_range, &scalar);
            sum.scalar_outputs += (uint64_t)call->m * call->n;
        } else {
            mma_job job = { .model = model, .call = &one, .d = at, .kernels = kernels };
            run_product(&job, threads, scratch, pool, &sum);
        }
    }
    if (ret_shares != NULL)
        *ret_shares = sum;
    return FPX_OK;
}
