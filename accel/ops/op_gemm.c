/* op_gemm.c - matrix products of any formats: codes, times the scales of their blocks where that is exact, become reals in
 * work space, the product runs in the order of fpx/gemm.h, and the two decode factors of whole operands multiply the
 * finished sum once. */
#include "op_gemm_runs.h"
#include "op_kernels.h"
#include "op_levels.h"
#include "op_unit.h"

/* A unit has its own order, which float64, a reference for all, does not take. */
static int has_unit(const op_run *run)
{
    return !FPX_REAL_IS_DOUBLE && run->call->attr.gemm.unit[0] != '\0';
}

static int is_real(const fpx_tensor *t)
{
    return fpx_format_equal(&t->format, &REAL_FORMAT);
}

fpx_status OP(op_gemm_accept)(const op_run *run)
{
    for (uint32_t i = 0; i < 2; i++) {
        const fpx_tensor *t = &run->call->in[i];
        op_levels levels;

        if (!op_levels_of(t, &levels) || (levels.block != NULL && is_real(t)))
            return op_refuse(run, FPX_EUNSUPPORTED,
                             "in[%u]: this device takes one fp32 scale for a whole operand, and "
                             "scales in e8m0, ue4m3 or fp32 for blocks of a matrix of codes",
                             i);
        if (!is_real(t) && real_decode(&t->format, 1, "", run->work, 0) != FPX_OK)
            return op_refuse(run, FPX_EUNSUPPORTED, "in[%u]: %.*s cannot be decoded", i,
                             (int)sizeof t->format.name, t->format.name);
    }
    return has_unit(run) ? op_unit_accept(run) : FPX_OK;
}

static fpx_gemm_call make_call(const op_run *run)
{
    const fpx_call *call = run->call;
    const fpx_tensor *a = &call->in[0], *d = &call->out[0];
    const size_t axis = (size_t)d->ndim - 2;
    fpx_gemm_call g = { .m = (size_t)d->shape[axis],
                        .n = (size_t)d->shape[axis + 1],
                        .k = (size_t)a->shape[axis + (call->attr.gemm.trans_a ? 0 : 1)],
                        .trans_a = (int)call->attr.gemm.trans_a,
                        .trans_b = (int)call->attr.gemm.trans_b,
                        .batch = d->ndim == 4 ? (size_t)(d->shape[0] * d->shape[1]) : 1,
                        .leaf = (size_t)call->attr.gemm.leaf,
                        .alpha = 1.0f,
                        .engine = run->engine,
                        .level = run->level };

    g.lda = g.trans_a ? g.m : g.k;
    g.ldb = g.trans_b ? g.k : g.n;
    g.ldd = g.n;
    g.stride_a = g.m * g.k;
    g.stride_b = g.k * g.n;
    g.stride_d = g.m * g.n;
    return g;
}

/* Work space: the product's scratch, then the decoded operands. */
size_t OP(op_gemm_work)(const op_run *run)
{
    const fpx_gemm_call g = make_call(run);

#if !FPX_REAL_IS_DOUBLE
    if (op_by_runs(run))
        return OP(op_gemm_runs_work)(run);
#endif
    if (has_unit(run))
        return op_unit_work(run);
    size_t bytes = op_line(real_gemm_scratch(&g, fpx_pool_threads(run->pool)));

    for (uint32_t i = 0; i < 2; i++) {
        const fpx_tensor *t = &run->call->in[i];
        uint64_t grid[FPX_MAX_DIMS];
        op_levels levels;

        if (is_real(t))
            continue;
        bytes = op_plus(bytes, op_line(op_times(fpx_tensor_count(t), sizeof(fpx_real))));
        if (op_levels_of(t, &levels) && levels.block != NULL)
            bytes =
                op_plus(bytes, op_line(op_times(fpx_tensor_scales(t, 0, grid), sizeof(fpx_real))));
    }
    return bytes;
}

typedef struct decode_job {
    const fpx_format *format;
    const char *codes;
    fpx_real *to;
} decode_job;

static void decode_range(void *context, size_t begin, size_t end, size_t worker)
{
    const decode_job *j = context;
    const fpx_status status = real_decode(
        j->format, 1, j->codes + begin * fpx_format_size(j->format), j->to + begin, end - begin);

    (void)worker;
    (void)status; /* op_gemm_accept has asked for this format */
}

const fpx_real *OP(op_gemm_decode)(const op_run *run, uint32_t i, void *to)
{
    const fpx_tensor *t = &run->call->in[i];
    decode_job j = { &t->format, run->in[i], to };

    if (is_real(t))
        return run->in[i];
    fpx_parallel_for(run->pool, fpx_tensor_count(t), OP_GRAIN, decode_range, &j);
    return j.to;
}

typedef struct block_job {
    fpx_real *x;
    const fpx_real *scales;
    op_grid grid; /* v: rows, k: columns */
    size_t cols;
} block_job;

/* Rows times the scales of their blocks. */
static void block_range(void *context, size_t begin, size_t end, size_t worker)
{
    const block_job *j = context;
    const size_t width = j->grid.block_k;

    (void)worker;
    for (size_t r = begin; r < end; r++) {
        const fpx_real *scale = j->scales + r / j->grid.block_v * j->grid.stride_v;
        fpx_real *x = j->x + r * j->cols;

        if (width == 1) {
            for (size_t c = 0; c < j->cols; c++)
                x[c] *= scale[c];
            continue;
        }
        for (size_t c = 0; c < j->cols; c += width) {
            const size_t stop = j->cols - c < width ? j->cols : c + width;
            const fpx_real s = scale[c / width];

            for (size_t i = c; i < stop; i++)
                x[i] *= s;
        }
    }
}

void OP(op_gemm_decode_blocks)(const op_run *run, uint32_t i, fpx_real *to, fpx_real *scales)
{
    const fpx_tensor *t = &run->call->in[i];
    uint64_t grid[FPX_MAX_DIMS];
    op_levels levels;

    (void)OP(op_gemm_decode)(run, i, to);
    if (!op_levels_of(t, &levels) || levels.block == NULL) /* accept has seen them */
        return;
    block_job b = { to, scales, op_grid_of(t, levels.block, 1), (size_t)t->shape[1] };

    (void)real_decode(&levels.block->format, 1, run->blocks[i], scales,
                      fpx_tensor_scales(t, 0, grid));
    fpx_parallel_for(run->pool, (size_t)t->shape[0], grain_rows(b.cols), block_range, &b);
}

static const fpx_real *operand(const op_run *run, uint32_t i, char **work)
{
    const fpx_tensor *t = &run->call->in[i];
    fpx_real *x = (fpx_real *)(void *)*work;
    uint64_t grid[FPX_MAX_DIMS];

    if (is_real(t))
        return run->in[i];
    *work += op_line(fpx_tensor_count(t) * sizeof(fpx_real));
    OP(op_gemm_decode_blocks)(run, i, x, (fpx_real *)(void *)*work);
    if (run->blocks[i] != NULL)
        *work += op_line(fpx_tensor_scales(t, 0, grid) * sizeof(fpx_real));
    return x;
}

typedef struct alpha_job {
    fpx_real *d;
    fpx_real alpha;
} alpha_job;

static void multiply_range(void *context, size_t begin, size_t end, size_t worker)
{
    const alpha_job *j = context;

    (void)worker;
    for (size_t i = begin; i < end; i++)
        j->d[i] = canonical(j->d[i] * j->alpha + 0);
}

void OP(op_gemm_times)(const op_run *run, fpx_real alpha)
{
    alpha_job j = { run->out[0], alpha };

    if (alpha != 1)
        fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->out[0]), OP_GRAIN, multiply_range,
                         &j);
}

fpx_status OP(op_gemm)(const op_run *run)
{
    fpx_gemm_call g = make_call(run);
    fpx_real alpha = 1;
    fpx_status status;

    for (uint32_t i = 0; i < 2; i++)
        if (run->decode[i] != NULL)
            alpha *= (fpx_real)*run->decode[i];
#if !FPX_REAL_IS_DOUBLE
    if (op_by_runs(run))
        return OP(op_gemm_runs)(run, alpha);
    if (has_unit(run))
        return op_unit_run(run, alpha);
#endif
    const size_t scratch = op_line(real_gemm_scratch(&g, fpx_pool_threads(run->pool)));
    char *work = (char *)run->work + scratch;
    const fpx_real *a = operand(run, 0, &work), *b = operand(run, 1, &work);
#if !FPX_REAL_IS_DOUBLE
    g.alpha = alpha;
#endif
    status = real_gemm(&g, a, b, run->out[0], run->work, run->pool);
    if (status != FPX_OK)
        return op_refuse(run, status, "the matrix product was refused: %s",
                         fpx_status_text(status));
#if FPX_REAL_IS_DOUBLE
    OP(op_gemm_times)(run, alpha);
#endif
    return FPX_OK;
}
