/* op_clamp.c - a matrix held between two quantiles of itself, of its rows or of its columns (outlier clamping, arXiv 2501.17116):
 * signed values, two elements of the sorted sequence, found by counting digits, so that nothing is sorted and no order enters. In
 * float64, where quantizers are the identity, so is this. */
#include <string.h>

#include "op_kernels.h"

typedef struct clamp_job {
    const fpx_real *x;
    fpx_real *y;
    size_t rows, cols;
    double alpha;
    uint32_t over;
    size_t (*counts)[2][256]; /* of each worker */
    uint32_t prefix[2];       /* of TENSOR: digits known so far, */
    unsigned shift;           /* and where the next is */
    float low, high;
} clamp_job;

#if FPX_REAL_IS_DOUBLE
size_t OP(op_clamp_work)(const op_run *run)
{
    (void)run;
    return 0;
}

static void copy_range(void *context, size_t begin, size_t end, size_t worker)
{
    const clamp_job *j = context;

    (void)worker;
    memcpy(j->y + begin, j->x + begin, (end - begin) * sizeof *j->x);
}

fpx_status OP(op_clamp)(const op_run *run)
{
    clamp_job j = { .x = run->in[0], .y = run->out[0] };

    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[0]), OP_GRAIN, copy_range, &j);
    return FPX_OK;
}
#else
/* Elements whose quantiles are taken together: number i lies at at + i * step. */
typedef struct vector {
    const float *at;
    size_t n, step;
} vector;

size_t OP(op_clamp_work)(const op_run *run)
{
    return op_times(fpx_pool_threads(run->pool), sizeof(size_t[2][256]));
}

/* Integers in the order of the floats: -0 before +0, NaN of either sign above all. */
static uint32_t key_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    if (x != x)
        return UINT32_MAX;
    return bits >> 31 != 0 ? ~bits : bits | UINT32_C(1) << 31;
}

static float value_of(uint32_t key)
{
    const uint32_t bits = key == UINT32_MAX ? 0x7fc00000u
                          : key >> 31 != 0  ? key ^ UINT32_C(1) << 31
                                            : ~key;
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Counts the digit at `shift` of those keys that have a prefix above it. The first digit has none above: one count serves both. */
static void count(vector v, const uint32_t prefix[2], unsigned shift, size_t counts[2][256])
{
    if (shift == 24) {
        for (size_t i = 0; i < v.n; i++)
            counts[0][key_of(v.at[i * v.step]) >> 24]++;
        memcpy(counts[1], counts[0], sizeof counts[1]);
        return;
    }
    const uint32_t low = prefix[0] >> (shift + 8), high = prefix[1] >> (shift + 8);

    for (size_t i = 0; i < v.n; i++) { /* few have: branches that are foreseen */
        const uint32_t key = key_of(v.at[i * v.step]), above = key >> (shift + 8);

        if (above == low)
            counts[0][key >> shift & 255]++;
        if (above == high)
            counts[1][key >> shift & 255]++;
    }
}

/* The digit below which fewer than rank + 1 keys lie goes into the prefix; what lies below it leaves the rank. */
static void choose(size_t counts[2][256], unsigned shift, uint32_t prefix[2], size_t rank[2])
{
    for (size_t q = 0; q < 2; q++) {
        uint32_t digit = 0;

        while (rank[q] >= counts[q][digit])
            rank[q] -= counts[q][digit++];
        prefix[q] |= digit << shift;
    }
}

/* Numbers (1 - alpha) n and alpha n of n sorted elements, as MS-AMP's code has them: products in float64, cut. */
static void ranks_of(double alpha, size_t n, size_t rank[2])
{
    rank[0] = (size_t)((1.0 - alpha) * (double)n);
    rank[1] = (size_t)(alpha * (double)n);
}

static float held(float x, float low, float high)
{
    if (low != low || high != high)
        return REAL_NAN;
    return x < low ? low : x > high ? high : x;
}

/* ---- one vector a worker: rows or columns ---- */
static void vector_range(void *context, size_t begin, size_t end, size_t worker)
{
    const clamp_job *j = context;
    const int rowwise = j->over == FPX_CLAMP_ROW;
    const size_t step = rowwise ? 1 : j->cols, n = rowwise ? j->cols : j->rows;

    for (size_t i = begin; i < end; i++) {
        const size_t at = rowwise ? i * j->cols : i;
        const vector v = { j->x + at, n, step };
        uint32_t prefix[2] = { 0, 0 };
        size_t rank[2];

        ranks_of(j->alpha, n, rank);
        for (unsigned shift = 32; shift > 0;) {
            shift -= 8;
            memset(j->counts[worker], 0, sizeof *j->counts);
            count(v, prefix, shift, j->counts[worker]);
            choose(j->counts[worker], shift, prefix, rank);
        }
        const float low = value_of(prefix[0]), high = value_of(prefix[1]);
        for (size_t e = 0; e < n; e++)
            j->y[at + e * step] = held(v.at[e * step], low, high);
    }
}

/* ---- all workers on one tensor ---- */
static void count_range(void *context, size_t begin, size_t end, size_t worker)
{
    const clamp_job *j = context;

    count((vector){ j->x + begin, end - begin, 1 }, j->prefix, j->shift, j->counts[worker]);
}

static void hold_range(void *context, size_t begin, size_t end, size_t worker)
{
    const clamp_job *j = context;

    (void)worker;
    for (size_t i = begin; i < end; i++)
        j->y[i] = held(j->x[i], j->low, j->high);
}

static void clamp_tensor(const op_run *run, clamp_job *j)
{
    const size_t n = j->rows * j->cols, threads = fpx_pool_threads(run->pool);
    size_t rank[2];

    ranks_of(j->alpha, n, rank);
    for (unsigned shift = 32; shift > 0;) {
        j->shift = shift -= 8;
        memset(j->counts, 0, threads * sizeof *j->counts);
        fpx_parallel_for(run->pool, n, OP_GRAIN, count_range, j);
        for (size_t t = 1; t < threads; t++)
            for (size_t i = 0; i < 512; i++)
                j->counts[0][i / 256][i % 256] += j->counts[t][i / 256][i % 256];
        choose(j->counts[0], shift, j->prefix, rank);
    }
    j->low = value_of(j->prefix[0]);
    j->high = value_of(j->prefix[1]);
    fpx_parallel_for(run->pool, n, OP_GRAIN, hold_range, j);
}

fpx_status OP(op_clamp)(const op_run *run)
{
    const fpx_tensor *x = &run->call->in[0];
    clamp_job j = { .x = run->in[0],
                    .y = run->out[0],
                    .rows = (size_t)x->shape[0],
                    .cols = (size_t)x->shape[1],
                    .alpha = run->call->attr.clamp.alpha,
                    .over = run->call->attr.clamp.over,
                    .counts = run->work };

    if (j.over == FPX_CLAMP_TENSOR)
        clamp_tensor(run, &j);
    else if (j.over == FPX_CLAMP_ROW)
        fpx_parallel_for(run->pool, j.rows, grain_rows(j.cols), vector_range, &j);
    else
        fpx_parallel_for(run->pool, j.cols, grain_rows(j.rows), vector_range, &j);
    return FPX_OK;
}
#endif
