/* gemm_scalar.c - the order of fpx/gemm.h, written down: slow, obvious, the judge of every other kernel.
 * Compiled twice, for float32 and (with GEMM_F64) for float64. */
#include <math.h>

#include "gemm_kernels.h"

#ifdef GEMM_F64
typedef double real;
#define FMA fma
#define GEMM_SCALAR gemm_scalar_f64
enum { SCALED = 0 };
#else
typedef float real;
#define FMA fmaf
#define GEMM_SCALAR gemm_scalar_f32
enum { SCALED = 1 };
#endif

/* Columns computed side by side: their chains do not wait for each other. */
enum { WIDE = 8 };

struct operands {
    const fpx_gemm_call *call;
    const real *a, *b;
};

/* sum[c] = the chain over [begin, end) of row i and column j + c. */
static void chains(const struct operands *o, size_t i, size_t j, size_t columns, size_t begin,
                   size_t end, real *sum)
{
    const fpx_gemm_call *call = o->call;
    const real *a = call->trans_a ? o->a + i : o->a + i * call->lda;
    const real *b = call->trans_b ? o->b + j * call->ldb : o->b + j;
    const size_t a_step = call->trans_a ? call->lda : 1;
    const size_t b_step = call->trans_b ? 1 : call->ldb;
    const size_t b_next = call->trans_b ? call->ldb : 1;

    for (size_t c = 0; c < columns; c++)
        sum[c] = 0;
    for (size_t p = begin; p < end; p++)
        for (size_t c = 0; c < columns; c++)
            sum[c] = FMA(a[p * a_step], b[p * b_step + c * b_next], sum[c]);
}

/* The sum of one leaf, k from begin to end: blocks in order. */
static void leaf_sum(const struct operands *o, size_t i, size_t j, size_t columns, size_t begin,
                     size_t end, real *sum)
{
    for (size_t block = begin; block < end; block += FPX_GEMM_KC) {
        const size_t rest = end - block;
        real part[WIDE];

        chains(o, i, j, columns, block, block + (rest < FPX_GEMM_KC ? rest : FPX_GEMM_KC), part);
        for (size_t c = 0; c < columns; c++)
            sum[c] = block == begin ? part[c] : sum[c] + part[c];
        if (rest <= FPX_GEMM_KC)
            break;
    }
}

/* The sum of leaves [first, first + count): the left child of their node holds the largest power of
 * two below count, the right child the rest. */
static void tree_sum(const struct operands *o, size_t i, size_t j, size_t columns, size_t leaf,
                     size_t first, size_t count, real *sum)
{
    real right[WIDE];
    size_t half = 1;

    if (count == 1) {
        leaf_sum(o, i, j, columns, first * leaf, (first + 1) * leaf, sum);
        return;
    }
    while (half < count - half)
        half *= 2;
    tree_sum(o, i, j, columns, leaf, first, half, sum);
    tree_sum(o, i, j, columns, leaf, first + half, count - half, right);
    for (size_t c = 0; c < columns; c++)
        sum[c] += right[c];
}

static real finish(const fpx_gemm_call *call, real x)
{
    if (SCALED && call->alpha != 1.0f) {
        x *= (real)call->alpha;
        x += 0; /* -0 becomes +0 */
    }
    return x != x ? (real)NAN : x; /* the canonical bits: gcc and clang give 0x7fc00000 */
}

void GEMM_SCALAR(const fpx_gemm_call *call, const real *a, const real *b, real *d, size_t begin,
                 size_t end)
{
    const size_t leaf = call->leaf == 0 ? call->k : call->leaf;

    for (size_t row = begin; row < end; row++) {
        const size_t product = row / call->m, i = row % call->m;
        const struct operands o = { call, a + product * call->stride_a,
                                    b + product * call->stride_b };
        real *to = d + product * call->stride_d + i * call->ldd;

        for (size_t j = 0; j < call->n; j += WIDE) {
            const size_t columns = call->n - j < WIDE ? call->n - j : WIDE;
            real sum[WIDE];

            tree_sum(&o, i, j, columns, leaf, 0, call->k / leaf, sum);
            for (size_t c = 0; c < columns; c++)
                to[j + c] = finish(call, sum[c]);
        }
    }
}
