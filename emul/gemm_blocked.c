/* gemm_blocked.c - one driver for every packed kernel and type. It cuts D into tiles and k into the blocks
 * of fpx/gemm.h; the order in which tiles are visited, and by whom, is free and never enters a number,
 * since each tile sees its blocks in order. */
#include <stdint.h>

#include "gemm_kernels.h"

enum {
    ALIGN = 64,   /* a cache line, and any vector */
    A_ROWS = 120, /* rows of packed A in use: 120 KiB of float32, in most second-level caches */
    B_BUDGET = 1 << 20, /* bytes of packed B before k is cut: measured best, 1 to 8 MiB */
    /* multiplications below which waking threads costs more than it saves */
    PARALLEL_MIN = 128 * 128 * 32
};

/* How k is cut: `leaves` of `leaf`, each of `per_leaf` blocks, all but a leaf's last of KC. */
struct cut {
    size_t leaf, per_leaf, leaves, blocks;
    size_t levels; /* sums that wait for a partner in the tree */
    int partial;   /* a leaf has several blocks, which D does not carry: one more waiting sum */
};

/* Where a product's scratch holds what, as sizes in bytes, each a multiple of ALIGN. */
struct plan {
    struct cut cut;
    size_t row_panels, column_panels;
    size_t chunk;     /* blocks of k that are packed and multiplied at a time */
    size_t a_stride;  /* one packed panel of A */
    size_t a_bytes;   /* one worker's packed A */
    size_t b_bytes;   /* packed B of one chunk, for all columns */
    size_t sum_bytes; /* one waiting sum: all tiles */
    size_t bytes;     /* all of a product, but for packed A */
    int by_batch;     /* threads share the batch, not the product */
};

struct product {
    const struct gemm_kernels *kernels;
    const fpx_gemm_call *call;
    const struct plan *plan;
    enum gemm_order order;
    const char *a, *b;
    char *d;
    char *packed_a, *packed_b, *sums;
    size_t first, last; /* blocks of the chunk in work */
    size_t grid_rows, grid_columns;
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static struct cut cut_k(const fpx_gemm_call *call, enum gemm_order order)
{
    struct cut cut = { .leaf = call->leaf == 0 ? call->k : call->leaf };

    cut.per_leaf = (cut.leaf - 1) / FPX_GEMM_KC + 1;
    cut.leaves = call->k / cut.leaf;
    cut.blocks = cut.leaves * cut.per_leaf;
    cut.partial = cut.per_leaf > 1 && order != GEMM_CHAIN;
    for (size_t rest = cut.leaves - 1; rest > 0; rest /= 2)
        cut.levels++;
    return cut;
}

/* Block `index` covers k from *ret_begin, for the returned length. */
static size_t block_range(const struct cut *cut, size_t index, size_t *ret_begin)
{
    const size_t within = index % cut->per_leaf * FPX_GEMM_KC;

    *ret_begin = index / cut->per_leaf * cut->leaf + within;
    return smaller(FPX_GEMM_KC, cut->leaf - within);
}

/* Products and sums of sizes that stick at SIZE_MAX. */
static size_t times(size_t a, size_t b)
{
    return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

static size_t plus(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static size_t aligned(size_t bytes)
{
    return bytes > SIZE_MAX - ALIGN ? SIZE_MAX : (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t multiplications(const fpx_gemm_call *call)
{
    return times(times(call->m, call->n), call->k);
}

static struct plan make_plan(const struct gemm_kernels *kernels, const fpx_gemm_call *call,
                             size_t threads, enum gemm_order order)
{
    struct plan plan = { .cut = cut_k(call, order) };
    const size_t depth = smaller(FPX_GEMM_KC, plan.cut.leaf);

    plan.row_panels = (call->m - 1) / kernels->mr + 1;
    plan.column_panels = (call->n - 1) / kernels->nr + 1;
    plan.a_stride = aligned(kernels->mr * depth * kernels->elem + GEMM_PACK_SLACK);
    plan.a_bytes = smaller(plan.row_panels, A_ROWS / kernels->mr) * plan.a_stride;

    const size_t b_panel = kernels->nr * depth * kernels->elem;
    const size_t b_block = times(plan.column_panels, b_panel);
    const size_t fitting = b_block > 0 ? B_BUDGET / b_block : 0; /* never 0: no extent is */
    plan.chunk = smaller(plan.cut.blocks, fitting + 1);
    plan.b_bytes = aligned(times(plan.chunk, b_block));

    const size_t tile = kernels->mr * kernels->nr * kernels->elem;
    plan.sum_bytes = aligned(times(times(plan.row_panels, plan.column_panels), tile));
    plan.bytes =
        plus(plan.b_bytes, times(plan.sum_bytes, plan.cut.levels + (plan.cut.partial ? 1 : 0)));
    plan.by_batch = call->batch >= 4 * threads ||
                    (call->batch >= threads && multiplications(call) < PARALLEL_MIN);
    return plan;
}

size_t gemm_blocked_scratch(const struct gemm_kernels *kernels, const fpx_gemm_call *call,
                            size_t threads, enum gemm_order order, int *ret_overflow)
{
    const struct plan plan = make_plan(kernels, call, threads, order);
    size_t bytes = times(threads, plan.a_bytes);

    bytes = plus(bytes, plan.by_batch ? times(threads, plan.bytes) : plan.bytes);
    bytes = plus(bytes, ALIGN); /* the caller's pointer has any alignment */
    *ret_overflow = bytes > PTRDIFF_MAX;
    return bytes;
}

/* What becomes of the chains of block `index`. Leaves are counted like a binary counter: sum[l] waits where
 * bit l of the number of leaves done is set, and leaf j merges with every sum that its own increment
 * carries over; the last leaf merges with all, which passes nodes without a right child on. */
static struct gemm_block describe_block(const struct product *w, size_t index)
{
    const struct cut *cut = &w->plan->cut;
    const size_t leaf = index / cut->per_leaf, within = index % cut->per_leaf;
    char *partial = w->sums + cut->levels * w->plan->sum_bytes;
    size_t begin;
    struct gemm_block block = {
        .k = block_range(cut, index, &begin),
        .ldd = w->call->ldd,
        .goes_on = w->order == GEMM_CHAIN,
        .scaled = w->order == GEMM_BLOCKS_SCALED,
        .alpha = w->call->alpha,
    };

    if (block.goes_on)
        return block;
    if (within > 0)
        block.add[block.adds++] = partial;
    if (within + 1 < cut->per_leaf) {
        block.keep = partial;
        return block;
    }
    const int last = leaf + 1 == cut->leaves;
    for (size_t level = 0; level < cut->levels; level++) {
        char *sum = w->sums + level * w->plan->sum_bytes;

        if ((leaf >> level & 1) != 0) {
            block.add[block.adds++] = sum;
        } else if (!last) {
            block.keep = sum;
            break;
        }
    }
    return block;
}

static char *packed_b_at(const struct product *w, size_t block, size_t panel, size_t k)
{
    const struct plan *plan = w->plan;
    const size_t depth = smaller(FPX_GEMM_KC, plan->cut.leaf);
    const size_t panels = (block - w->first) * plan->column_panels;

    return w->packed_b + (panels * depth + panel * k) * w->kernels->nr * w->kernels->elem;
}

/* Packs B: unit u is column panel u % column_panels of the chunk's block u / column_panels. */
static void pack_range(void *context, size_t begin, size_t end, size_t worker)
{
    const struct product *w = context;
    const fpx_gemm_call *call = w->call;
    const size_t panels = w->plan->column_panels, nr = w->kernels->nr;

    (void)worker;
    while (begin < end) {
        const size_t block = w->first + begin / panels, panel = begin % panels;
        const size_t count = smaller(panels - panel, end - begin);
        const size_t columns = smaller(call->n - panel * nr, count * nr);
        size_t k_begin;
        const size_t k = block_range(&w->plan->cut, block, &k_begin);
        const size_t from =
            call->trans_b ? panel * nr * call->ldb + k_begin : k_begin * call->ldb + panel * nr;

        w->kernels->pack_b(packed_b_at(w, block, panel, k), w->b + from * w->kernels->elem,
                           call->ldb, call->trans_b, columns, k);
        begin += count;
    }
}

/* Row panels [row, row_end) times column panels [column, column_end), for one block. */
static void multiply_block(const struct product *w, size_t index, size_t row, size_t row_end,
                           size_t column, size_t column_end, char *packed_a)
{
    const struct gemm_kernels *kernels = w->kernels;
    const fpx_gemm_call *call = w->call;
    const struct plan *plan = w->plan;
    const struct gemm_block block = describe_block(w, index);
    const size_t mr = kernels->mr, nr = kernels->nr, elem = kernels->elem;
    const size_t rows_end = smaller(call->m, row_end * mr);
    size_t k_begin;

    (void)block_range(&plan->cut, index, &k_begin);
    const size_t from =
        call->trans_a ? k_begin * call->lda + row * mr : row * mr * call->lda + k_begin;
    kernels->pack_a(packed_a, plan->a_stride, w->a + from * elem, call->lda, call->trans_a,
                    rows_end - row * mr, block.k);
    for (size_t c = column; c < column_end; c++) {
        const char *b = packed_b_at(w, index, c, block.k);

        for (size_t r = row; r < row_end; r++)
            kernels->tile(&block, packed_a + (r - row) * plan->a_stride, b,
                          (c * plan->row_panels + r) * mr * nr * elem,
                          w->d + (r * mr * call->ldd + c * nr) * elem,
                          smaller(mr, call->m - r * mr), smaller(nr, call->n - c * nr));
    }
}

/* Where cell `index` of `count` begins among `panels`. */
static size_t cell_begin(size_t index, size_t count, size_t panels)
{
    return index * (panels / count) + smaller(index, panels % count);
}

static void multiply_cell(const struct product *w, size_t cell, size_t worker)
{
    const struct plan *plan = w->plan;
    const size_t gr = cell / w->grid_columns; /* NOLINT(clang-analyzer-core.DivideZero): >= 1 */
    const size_t gc = cell % w->grid_columns;
    const size_t row_end = cell_begin(gr + 1, w->grid_rows, plan->row_panels);
    const size_t column = cell_begin(gc, w->grid_columns, plan->column_panels);
    const size_t column_end = cell_begin(gc + 1, w->grid_columns, plan->column_panels);
    const size_t step = A_ROWS / w->kernels->mr;
    char *packed_a = w->packed_a + worker * plan->a_bytes;

    if (column == column_end)
        return;
    for (size_t row = cell_begin(gr, w->grid_rows, plan->row_panels); row < row_end; row += step)
        for (size_t index = w->first; index < w->last; index++)
            multiply_block(w, index, row, smaller(row_end, row + step), column, column_end,
                           packed_a);
}

static void multiply_range(void *context, size_t begin, size_t end, size_t worker)
{
    const struct product *w = context;

    for (size_t cell = begin; cell < end; cell++)
        multiply_cell(w, cell, worker);
}

/* A grid of `threads` cells over D whose largest cell is least work: tiles, and the packing of its rows of A
 * (as much as one tile each). Rows are preferred: cells side by side pack the same A. */
static void choose_grid(struct product *w, size_t threads)
{
    size_t best = SIZE_MAX;

    for (size_t columns = 1; columns <= threads; columns++) {
        if (threads % columns != 0)
            continue;
        const size_t rows = threads / columns;
        const size_t r = (w->plan->row_panels - 1) / rows + 1;
        const size_t c = (w->plan->column_panels - 1) / columns + 1;
        const size_t work = times(r, c + 1);
        if (work < best) {
            best = work;
            w->grid_rows = rows;
            w->grid_columns = columns;
        }
    }
}

/* Worker w's packed A is packed_a + w * a_bytes. pool NULL: on this thread, as worker `worker`. */
static void run_product(struct product *w, fpx_pool *pool, size_t worker)
{
    const size_t blocks = w->plan->cut.blocks;
    const size_t threads = fpx_pool_threads(pool);

    choose_grid(w, threads);
    for (w->first = 0; w->first < blocks; w->first = w->last) {
        w->last = w->first + smaller(w->plan->chunk, blocks - w->first);
        const size_t panels = (w->last - w->first) * w->plan->column_panels;

        if (threads == 1) {
            pack_range(w, 0, panels, worker);
            multiply_range(w, 0, 1, worker);
        } else {
            fpx_parallel_for(pool, panels, 4, pack_range, w);
            fpx_parallel_for(pool, threads, 1, multiply_range, w);
        }
    }
}

/* Product `index` of the batch, with its scratch after everyone's packed A. */
static struct product make_product(const struct product *base, size_t index, size_t slot,
                                   size_t slots)
{
    const fpx_gemm_call *call = base->call;
    const size_t elem = base->kernels->elem;
    struct product w = *base;

    w.a += index * call->stride_a * elem;
    w.b += index * call->stride_b * elem;
    w.d += index * call->stride_d * elem;
    w.packed_b = base->packed_a + slots * base->plan->a_bytes + slot * base->plan->bytes;
    w.sums = w.packed_b + base->plan->b_bytes;
    return w;
}

struct batch_job {
    const struct product *base;
    size_t slots;
};

static void batch_range(void *context, size_t begin, size_t end, size_t worker)
{
    const struct batch_job *job = context;

    for (size_t index = begin; index < end; index++) {
        struct product w = make_product(job->base, index, worker, job->slots);

        run_product(&w, NULL, worker);
    }
}

void gemm_blocked_run(const struct gemm_kernels *kernels, const fpx_gemm_call *call, const void *a,
                      const void *b, void *d, void *scratch, fpx_pool *pool, enum gemm_order order)
{
    const size_t threads = fpx_pool_threads(pool);
    const struct plan plan = make_plan(kernels, call, threads, order);
    const size_t skip = (ALIGN - (uintptr_t)scratch % ALIGN) % ALIGN;
    const struct product base = { .kernels = kernels,
                                  .call = call,
                                  .plan = &plan,
                                  .order = order,
                                  .a = a,
                                  .b = b,
                                  .d = d,
                                  .packed_a = (char *)scratch + skip };
    struct batch_job job = { &base, threads };

    if (times(multiplications(call), call->batch) < PARALLEL_MIN) {
        job.slots = 1;
        fpx_parallel_for(NULL, call->batch, 1, batch_range, &job);
    } else if (plan.by_batch) {
        fpx_parallel_for(pool, call->batch, 1, batch_range, &job);
    } else {
        const fpx_fpenv saved = fpx_fpenv_enter(); /* one thread works outside of the pool */
        for (size_t index = 0; index < call->batch; index++) {
            struct product w = make_product(&base, index, 0, threads);

            run_product(&w, pool, 0);
        }
        fpx_fpenv_leave(saved);
    }
}
