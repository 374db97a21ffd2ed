/* op_gemm_runs.c - one float32 product by runs of k in which no scale changes and no leaf ends: the run's sum as without
 * scales (in the order of fpx/gemm.h, or a matrix unit's), then d = fma(sum, RN(scale_a scale_b), d), d from +0; leaves
 * combine by the tree. A promotion of partial sums to float32, as DeepSeek-V3 has it every 128 of k. */
#include "op_gemm_runs.h"

#include "op_levels.h"
#include "op_unit.h"

#if !FPX_REAL_IS_DOUBLE
typedef struct side {
    const fpx_tensor *t;
    const void *blocks;       /* scales; NULL: none */
    const fpx_format *format; /* of the scales */
    op_grid grid;
    float *factor; /* of each vector, in the run at hand */
} side;

typedef struct product {
    fpx_gemm_call g; /* of the longest run */
    side a, b;
    size_t k, leaf, longest, slots;
    size_t scratch, at_a, at_b, at_sum, at_slots, at_factors, bytes; /* work space */
    int unit;
} product;

static side side_of(const op_run *run, uint32_t i, int k_axis)
{
    const fpx_tensor *t = &run->call->in[i];
    side s = { .t = t, .blocks = run->blocks[i] };
    op_levels levels;

    if (op_levels_of(t, &levels) && levels.block != NULL) {
        s.format = &levels.block->format;
        s.grid = op_grid_of(t, levels.block, k_axis);
    }
    return s;
}

static size_t shorter(size_t longest, const side *s)
{
    return s->format != NULL && s->grid.block_k < longest ? s->grid.block_k : longest;
}

/* A matrix that the house's sum takes is float32; a unit's are codes. */
static size_t decoded_bytes(const product *p, const side *s)
{
    return p->unit || fpx_format_equal(&s->t->format, &fpx_fp32)
               ? 0
               : op_line(op_times(fpx_tensor_count(s->t), sizeof(float)));
}

static product product_of(const op_run *run)
{
    const fpx_call *call = run->call;
    const int ta = call->attr.gemm.trans_a != 0, tb = call->attr.gemm.trans_b != 0;
    const size_t m = (size_t)call->out[0].shape[0], n = (size_t)call->out[0].shape[1];
    product p = { .a = side_of(run, 0, !ta),
                  .b = side_of(run, 1, tb),
                  .k = (size_t)call->in[0].shape[!ta],
                  .unit = call->attr.gemm.unit[0] != '\0',
                  .slots = 1 };

    p.leaf = call->attr.gemm.leaf != 0 ? (size_t)call->attr.gemm.leaf : p.k;
    p.longest = shorter(shorter(p.leaf, &p.a), &p.b);
    for (size_t leaves = p.k / p.leaf; leaves > 1; leaves /= 2)
        p.slots++;
    p.g = (fpx_gemm_call){ .m = m,
                           .n = n,
                           .k = p.longest,
                           .trans_a = ta,
                           .trans_b = tb,
                           .lda = ta ? m : p.k,
                           .ldb = tb ? p.k : n,
                           .ldd = n,
                           .batch = 1,
                           .alpha = 1.0f,
                           .engine = run->engine,
                           .level = run->level };
    const size_t d = op_line(op_times(op_times(m, n), sizeof(float)));
    p.scratch = op_line(p.unit ? op_unit_slice_work(run, p.longest)
                               : fpx_gemm_f32_scratch(&p.g, fpx_pool_threads(run->pool)));
    p.at_a = p.scratch;
    p.at_b = op_plus(p.at_a, decoded_bytes(&p, &p.a));
    p.at_sum = op_plus(p.at_b, decoded_bytes(&p, &p.b));
    p.at_slots = op_plus(p.at_sum, d);
    p.at_factors = op_plus(p.at_slots, op_times(p.slots - 1, d)); /* the output is the first */
    p.bytes = op_plus(p.at_factors, op_times(m + n, sizeof(float)));
    return p;
}

size_t OP(op_gemm_runs_work)(const op_run *run)
{
    return product_of(run).bytes;
}

static void gather(const side *s, size_t vectors, size_t k)
{
    const size_t size = s->format == NULL ? 0 : fpx_format_size(s->format);

    for (size_t v = 0; v < vectors; v++) {
        s->factor[v] = 1.0f;
        if (s->format == NULL)
            continue;
        const size_t at =
            v / s->grid.block_v * s->grid.stride_v + k / s->grid.block_k * s->grid.stride_k;
        (void)fpx_decode_f32(s->format, 1, (const char *)s->blocks + at * size, &s->factor[v], 1);
    }
}

typedef struct row_job {
    const float *sum, *a, *b; /* a: of rows, b: of columns */
    float *d;
    size_t n;
    int first;
} row_job;

static void scale_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const row_job *j = context;
    const float *b = j->b;

    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const float *sum = j->sum + i * j->n, a = j->a[i];
        float *restrict d = j->d + i * j->n;

        if (j->first)
            for (size_t k = 0; k < j->n; k++)
                d[k] = canonical(real_fma(sum[k], a * b[k], 0.0f));
        else
            for (size_t k = 0; k < j->n; k++)
                d[k] = canonical(real_fma(sum[k], a * b[k], d[k]));
    }
}

static void add_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const row_job *j = context;

    (void)worker;
    for (size_t i = begin * j->n; i < end * j->n; i++)
        j->d[i] = canonical(j->d[i] + j->sum[i]);
}

/* Where the run that starts at k ends. */
static size_t run_end(const product *p, size_t k)
{
    const side *const sides[2] = { &p->a, &p->b };
    size_t end = (k / p->leaf + 1) * p->leaf;

    for (size_t i = 0; i < 2; i++) {
        const size_t block = sides[i]->grid.block_k;

        if (sides[i]->format != NULL && (k / block + 1) * block < end)
            end = (k / block + 1) * block;
    }
    return end < p->k ? end : p->k;
}

fpx_status OP(op_gemm_runs)(const op_run *run, float alpha)
{
    product p = product_of(run);
    char *work = run->work;
    const size_t m = p.g.m, n = p.g.n, width = op_line(m * n * sizeof(float)) / sizeof(float);
    float *sum = (float *)(void *)(work + p.at_sum);
    float *slots = (float *)(void *)(work + p.at_slots); /* of slot 1 */
    const float *a = p.unit ? NULL : OP(op_gemm_decode)(run, 0, work + p.at_a);
    const float *b = p.unit ? NULL : OP(op_gemm_decode)(run, 1, work + p.at_b);
    size_t top = 0, leaf = 0;
    fpx_status status = FPX_OK;

    p.a.factor = (float *)(void *)(work + p.at_factors);
    p.b.factor = p.a.factor + m;
    row_job j = { .sum = sum, .a = p.a.factor, .b = p.b.factor, .n = n };
    for (size_t k = 0, end; k < p.k && status == FPX_OK; k = end) {
        end = run_end(&p, k);
        p.g.k = end - k;
        status = p.unit ? op_unit_slice(run, k, end - k, sum, work)
                        : fpx_gemm_f32(&p.g, a + k * (p.g.trans_a ? m : 1),
                                       b + k * (p.g.trans_b ? 1 : n), sum, work, run->pool);
        gather(&p.a, m, k);
        gather(&p.b, n, k);
        j.first = k % p.leaf == 0;
        j.d = top == 0 ? run->out[0] : slots + (top - 1) * width;
        fpx_parallel_for(run->pool, m, grain_rows(n), scale_rows, &j);
        if (end % p.leaf != 0 && end != p.k)
            continue;
        /* A finished leaf is added to its left neighbour as often as its number ends in ones: the tree. At the end
         * every node that lacks a right child passes on. */
        for (size_t ones = leaf++; top > 0 && (ones % 2 != 0 || end == p.k); ones /= 2, top--) {
            row_job add = { .sum = slots + (top - 1) * width,
                            .d = top == 1 ? run->out[0] : slots + (top - 2) * width,
                            .n = n };
            fpx_parallel_for(run->pool, m, grain_rows(n), add_rows, &add);
        }
        top++;
    }
    if (status != FPX_OK)
        return op_refuse(run, status, "the matrix product was refused: %s",
                         fpx_status_text(status));
    OP(op_gemm_times)(run, alpha);
    return FPX_OK;
}
#endif
