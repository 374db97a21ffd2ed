/* gemm_tree.h - steps of gemm_tiles.c for units that add GEMM_TREE products by halves, then the sum to the chain (CDNA2):
 * every product and sum is a float32, to nearest even, and where subnormal a zero of its sign. These are the reference's
 * operations, one for one; the processor's own flushing is not used, since it looks at a number before it is rounded as
 * a subnormal. */
#ifndef FPX_GEMM_TREE_H
#define FPX_GEMM_TREE_H

_Static_assert(FPX_GEMM_KC % GEMM_TREE == 0, "a block of k ends where a tree does");

INLINE vec product(const real *a, const real *b, size_t p)
{
    return v_flushed(v_mul(v_spread(a + p * MR), v_load(b + p * NR)));
}

INLINE vec sum(vec x, vec y)
{
    return v_flushed(v_add(x, y));
}

INLINE vec pair(const real *a, const real *b, size_t p, const size_t count)
{
    return count == 1 ? product(a, b, p) : sum(product(a, b, p), product(a, b, p + 1));
}

/* 1 to 4 products: the left half is the largest power of two below their count. */
INLINE vec tree(const real *a, const real *b, const size_t count)
{
    return count <= 2 ? pair(a, b, 0, count) : sum(pair(a, b, 0, 2), pair(a, b, 2, count - 2));
}

INLINE void add_tree(const real *a, const real *b, vec *c, const int rows, const size_t count)
{
    UNROLL
    for (size_t i = 0; i < (size_t)rows; i++) {
        c[NV * i] = sum(c[NV * i], tree(a + i, b, count));
        c[NV * i + 1] = sum(c[NV * i + 1], tree(a + i, b + LANES, count));
    }
}

INLINE void steps(const real *a, const real *b, size_t k, vec *c, const int rows)
{
    for (; k >= GEMM_TREE; k -= GEMM_TREE) {
        add_tree(a, b, c, rows, GEMM_TREE);
        a += (size_t)GEMM_TREE * MR;
        b += (size_t)GEMM_TREE * NR;
    }
    if (k == 1)
        add_tree(a, b, c, rows, 1);
    else if (k == 2)
        add_tree(a, b, c, rows, 2);
    else if (k == 3)
        add_tree(a, b, c, rows, 3);
}

#endif /* FPX_GEMM_TREE_H */
