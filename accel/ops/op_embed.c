/* op_embed.c - rows of a table by token id, and the sum of gradients of each row's tokens in the order
 * of a matrix product with the one-hot matrix: tokens that are absent would add +0 to sums that are
 * never -0, so leaving them out changes no bit. */
#include <string.h>

#include "op_kernels.h"

typedef struct embed_job {
    const int32_t *tokens;
    const fpx_real *table;
    fpx_real *y;
    size_t width;
} embed_job;

static void embed_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const embed_job *j = context;

    (void)worker;
    for (size_t m = begin; m < end; m++)
        memcpy(j->y + m * j->width, j->table + (size_t)j->tokens[m] * j->width,
               j->width * sizeof *j->y);
}

fpx_status OP(op_embed)(const op_run *run)
{
    const size_t m = (size_t)run->call->in[0].shape[0];
    embed_job j = { run->in[0], run->in[1], run->out[0], (size_t)run->call->in[1].shape[1] };
    const fpx_status status = op_check_ids(run, j.tokens, m, run->call->in[1].shape[0], 0);

    if (status == FPX_OK)
        fpx_parallel_for(run->pool, m, grain_rows(j.width), embed_rows, &j);
    return status;
}

typedef struct embed_grad_job {
    const fpx_real *dy;
    fpx_real *dtable, *sums; /* [V,C]; [leaves,C]: node sums of one row of the table */
    size_t *first,
        *order;   /* tokens of id v, in order: order[first[v]] .. order[first[v + 1] - 1] */
    size_t *node; /* for each worker [leaves]: which leaf, then node, a row of sums is */
    size_t vocabulary, width, leaf, leaves;
} embed_grad_job;

/* Tokens by id, stable: a counting sort. first has V + 1 entries. */
static void sort_tokens(const embed_grad_job *j, const int32_t *tokens, size_t m)
{
    memset(j->first, 0, (j->vocabulary + 1) * sizeof *j->first);
    for (size_t i = 0; i < m; i++)
        j->first[tokens[i] + 1]++;
    for (size_t v = 0; v < j->vocabulary; v++)
        j->first[v + 1] += j->first[v];
    for (size_t i = 0; i < m; i++)
        j->order[j->first[tokens[i]]++] = i;
    memmove(j->first + 1, j->first, j->vocabulary * sizeof *j->first); /* ends became starts */
    j->first[0] = 0;
}

static void add_slice(fpx_real *to, const fpx_real *x, size_t n)
{
    for (size_t c = 0; c < n; c++)
        to[c] += x[c];
}

/* Sums of the leaves in which token v occurs; returns how many. Chains of a block of FPX_GEMM_KC
 * tokens of the leaf start at +0, blocks are added in order. */
static size_t leaf_sums(const embed_grad_job *j, size_t v, size_t begin, size_t n, size_t *node)
{
    fpx_real block[OP_CHUNK];
    size_t count = 0;

    for (size_t i = j->first[v]; i < j->first[v + 1];) {
        const size_t leaf = j->order[i] / j->leaf;
        const size_t number = j->order[i] % j->leaf / FPX_GEMM_KC;
        fpx_real *sum;

        memset(block, 0, n * sizeof *block);
        for (; i < j->first[v + 1] && j->order[i] / j->leaf == leaf &&
               j->order[i] % j->leaf / FPX_GEMM_KC == number;
             i++)
            add_slice(block, j->dy + j->order[i] * j->width + begin, n);
        if (count > 0 && node[count - 1] == leaf) {
            add_slice(j->sums + (count - 1) * j->width + begin, block, n);
            continue;
        }
        sum = j->sums + count * j->width + begin;
        memcpy(sum, block, n * sizeof *sum);
        node[count++] = leaf;
    }
    return count;
}

/* The tree over leaves, of which only `count` are there: siblings meet, the others pass. Entries of
 * node below `kept` are of the level above already. */
static void combine(const embed_grad_job *j, size_t begin, size_t n, size_t *node, size_t count)
{
    for (size_t size = j->leaves; size > 1 && count > 1; size = (size + 1) / 2) {
        size_t kept = 0;

        for (size_t i = 0; i < count; i++) {
            fpx_real *to = j->sums + kept * j->width + begin;
            const fpx_real *from = j->sums + i * j->width + begin;

            if (kept > 0 && node[kept - 1] == node[i] / 2) {
                add_slice(to - j->width, from, n);
                continue;
            }
            if (kept != i)
                memcpy(to, from, n * sizeof *to);
            node[kept++] = node[i] / 2;
        }
        count = kept;
    }
}

static void embed_grad_columns(void *context, size_t first, size_t last, size_t worker)
{
    const embed_grad_job *j = context;
    size_t *node = j->node + worker * j->leaves;

    for (size_t v = 0; v < j->vocabulary; v++)
        for (size_t begin = first; begin < last; begin += OP_CHUNK) {
            const size_t n = last - begin < OP_CHUNK ? last - begin : OP_CHUNK;
            const size_t count = leaf_sums(j, v, begin, n, node);
            fpx_real *row = j->dtable + v * j->width + begin;

            combine(j, begin, n, node, count);
            for (size_t c = 0; c < n; c++)
                row[c] = count > 0 ? canonical(j->sums[begin + c]) : 0;
        }
}

size_t OP(op_embed_grad_work)(const op_run *run)
{
    const fpx_call *call = run->call;
    const size_t m = (size_t)call->in[0].shape[0], width = (size_t)call->out[0].shape[1];
    const size_t leaves = call->attr.tokens.leaf == 0 ? 1 : m / (size_t)call->attr.tokens.leaf;
    const size_t indices = op_plus(op_plus((size_t)call->out[0].shape[0] + 1, m),
                                   op_times(leaves, fpx_pool_threads(run->pool)));

    return op_plus(op_line(op_times(op_times(leaves, width), sizeof(fpx_real))),
                   op_times(indices, sizeof(size_t)));
}

fpx_status OP(op_embed_grad)(const op_run *run)
{
    const fpx_call *call = run->call;
    const size_t m = (size_t)call->in[0].shape[0];
    embed_grad_job j = { .dy = run->in[1],
                         .dtable = run->out[0],
                         .sums = run->work,
                         .vocabulary = (size_t)call->out[0].shape[0],
                         .width = (size_t)call->out[0].shape[1],
                         .leaf = call->attr.tokens.leaf == 0 ? m : (size_t)call->attr.tokens.leaf };
    const fpx_status status = op_check_ids(run, run->in[0], m, j.vocabulary, 0);

    if (status != FPX_OK)
        return status;
    j.leaves = m / j.leaf;
    j.first =
        (size_t *)(void *)((char *)run->work + op_line(j.leaves * j.width * sizeof(fpx_real)));
    j.order = j.first + j.vocabulary + 1;
    j.node = j.order + m;
    sort_tokens(&j, run->in[0], m);
    fpx_parallel_for(run->pool, j.width, 16, embed_grad_columns, &j);
    return FPX_OK;
}
