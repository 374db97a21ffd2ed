/* gemm_tiles.c - tiles of MR rows by two vectors: each lane of an accumulator is one element of D and walks its own fma
 * chain in rising k, so that vectors change nothing in the order of fpx/gemm.h. Compiled for each instruction set,
 * for float32, (with GEMM_F64) for float64, and (with GEMM_BF16, GEMM_FP16) for chains of float32 that hold numbers of
 * these formats, each fma rounded to them: gemm_narrow.h; (with GEMM_TREE) for trees of so many products: gemm_tree.h. */
#include <stdint.h>

/* Before loops over registers: they must vanish, at any level of optimization. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

#ifdef __AVX512F__
#include "gemm_avx512_dialect.h"
#else
#include "gemm_avx2_dialect.h"
#endif
#include "gemm_kernels.h"
#if defined(GEMM_BF16) || defined(GEMM_FP16)
#include "gemm_narrow.h"
#endif

enum { NV = 2, NR = NV * LANES };

_Static_assert((LANES * ((MR + LANES - 1) / LANES) - MR) * sizeof(real) <= GEMM_PACK_SLACK,
               "packing writes whole vectors");

#define INLINE static inline __attribute__((always_inline))
#ifdef GEMM_TREE
#include "gemm_tree.h"
#endif

/* Rows that are contiguous along k become the columns of a panel that is `width` wide. Rows beyond `valid` are
 * copies of the last. Where width is no multiple of LANES, vectors overlap: the later ones, in
 * rising k, are right. */
INLINE void pack_across(real *to, const real *from, size_t ld, size_t valid, size_t k,
                        const size_t width, const size_t vectors)
{
    const real *row[2 * LANES];
    size_t p = 0;

    for (size_t r = 0; r < vectors * LANES; r++)
        row[r] = from + (r < valid ? r : valid - 1) * ld;
    for (; k - p >= LANES; p += LANES) {
        vec block[2 * LANES];

        UNROLL
        for (size_t r = 0; r < vectors * LANES; r++)
            block[r] = v_load(row[r] + p);
        v_transpose(block);
        if (vectors == 2)
            v_transpose(block + LANES);
        UNROLL
        for (size_t q = 0; q < LANES; q++) {
            v_store(to + (p + q) * width, block[q]);
            if (vectors == 2)
                v_store(to + (p + q) * width + LANES, block[LANES + q]);
        }
    }
    for (; p < k; p++)
        for (size_t r = 0; r < width; r++)
            to[p * width + r] = row[r][p];
}

/* `panels` panels, `stride` bytes apart, of an operand that is contiguous across k: copies. Memory is read in
 * its order, several panels in turn. Whole vectors are read: they may reach into the next panel. */
INLINE void pack_along(real *to, size_t stride, const real *from, size_t ld, size_t panels,
                       size_t k, const size_t width)
{
    for (size_t p = 0; p < k; p++)
        for (size_t q = 0; q < panels; q++) {
            real *out = (real *)((char *)to + q * stride) + p * width;
            const real *in = from + p * ld + q * width;

            v_store(out, v_load(in));
            if (width > LANES)
                v_store(out + LANES, v_load(in + LANES));
        }
}

/* The last panel, of which `valid` columns exist. */
INLINE void pack_along_last(real *to, const real *from, size_t ld, size_t valid, size_t k,
                            const size_t width)
{
    const lanes low = v_first(valid), high = v_first(valid > LANES ? valid - LANES : 0);

    for (size_t p = 0; p < k; p++) {
        v_store(to + p * width, v_load_some(from + p * ld, low));
        if (width > LANES)
            v_store(to + p * width + LANES, v_load_some(from + p * ld + LANES, high));
    }
}

/* Panels of `width` of rows [0, count) that are contiguous along k, or across it. */
INLINE void pack(real *to, size_t stride, const real *from, size_t ld, int across, size_t count,
                 size_t k, const size_t width)
{
    enum { TOGETHER = 4 }; /* panels: more streams of stores than that compete for cache lines */
    const size_t vectors = width > LANES ? 2 : 1;
    size_t done = 0;

    for (; !across && count - done >= TOGETHER * width + LANES; done += TOGETHER * width)
        pack_along((real *)((char *)to + done / width * stride), stride, from + done, ld, TOGETHER,
                   k, width);
    for (; done < count; done += width) {
        real *panel = (real *)((char *)to + done / width * stride);
        const size_t valid = count - done < width ? count - done : width;

        if (across)
            pack_across(panel, from + done * ld, ld, valid, k, width, vectors);
        else
            pack_along_last(panel, from + done, ld, valid, k, width);
    }
}

static void pack_a(void *to, size_t a_stride, const void *a, size_t lda, int trans, size_t rows,
                   size_t k)
{
    pack(to, a_stride, a, lda, !trans, rows, k, MR);
}

static void pack_b(void *to, const void *b, size_t ldb, int trans, size_t columns, size_t k)
{
    pack(to, k * NR * sizeof(real), b, ldb, trans, columns, k, NR);
}

/* Adds, scales and stores the chains of one tile: c[2 i] and c[2 i + 1] are row i. */
INLINE void finish(const struct gemm_block *block, vec *c, size_t offset, real *d, size_t columns,
                   const int rows)
{
    for (size_t s = 0; s < block->adds; s++) {
        const real *earlier = (const real *)(block->add[s] + offset);

        UNROLL
        for (int t = 0; t < rows * NV; t++)
            c[t] = v_add(v_load(earlier + (size_t)t * LANES), c[t]);
    }
    if (block->keep != NULL) {
        real *keep = (real *)(block->keep + offset);

        UNROLL
        for (int t = 0; t < rows * NV; t++)
            v_store(keep + (size_t)t * LANES, c[t]);
        return;
    }
    if (block->scaled) {
        const vec alpha = v_all((real)block->alpha);

        UNROLL
        for (int t = 0; t < rows * NV; t++)
            c[t] = v_add(v_mul(c[t], alpha), v_zero());
    }
    if (columns == NR) {
        UNROLL
        for (size_t i = 0; i < (size_t)rows; i++) {
            v_store(d + i * block->ldd, v_canonical(c[NV * i]));
            v_store(d + i * block->ldd + LANES, v_canonical(c[NV * i + 1]));
        }
    } else {
        const lanes low = v_first(columns);
        const lanes high = v_first(columns > LANES ? columns - LANES : 0);

        UNROLL
        for (size_t i = 0; i < (size_t)rows; i++) {
            v_store_some(d + i * block->ldd, low, v_canonical(c[NV * i]));
            v_store_some(d + i * block->ldd + LANES, high, v_canonical(c[NV * i + 1]));
        }
    }
}

/* Where the chains of one tile start. */
INLINE void begin(const struct gemm_block *block, vec *c, const real *d, size_t columns,
                  const int rows)
{
    const lanes low = v_first(columns);
    const lanes high = v_first(columns > LANES ? columns - LANES : 0);

    if (!block->goes_on) {
        UNROLL
        for (int t = 0; t < rows * NV; t++)
            c[t] = v_zero();
        return;
    }
    UNROLL
    for (size_t i = 0; i < (size_t)rows; i++) {
        c[NV * i] = v_load_some(d + i * block->ldd, low);
        c[NV * i + 1] = v_load_some(d + i * block->ldd + LANES, high);
    }
}

#ifndef GEMM_TREE
INLINE void steps(const real *a, const real *b, size_t k, vec *c, const int rows)
{
    for (; k > 0; k--) {
        const vec b0 = v_load(b), b1 = v_load(b + LANES);

        UNROLL
        for (size_t i = 0; i < (size_t)rows; i++) {
            const vec x = v_spread(a + i);

            c[NV * i] = v_fma(x, b0, c[NV * i]);
            c[NV * i + 1] = v_fma(x, b1, c[NV * i + 1]);
        }
        a += MR;
        b += NR;
    }
}
#endif

INLINE void tile_rows(const struct gemm_block *block, const real *a, const real *b, size_t offset,
                      real *d, size_t columns, const int rows)
{
    vec c[MR * NV];

    for (size_t s = 0; s < block->adds; s++)
        for (size_t line = 0; line < sizeof(vec) * MR * NV; line += 64)
            _mm_prefetch(block->add[s] + offset + line, _MM_HINT_T0);
    begin(block, c, d, columns, rows);
    steps(a, b, block->k, c, rows);
    finish(block, c, offset, d, columns, rows);
}

#define CASE(ROWS)                                                                                 \
    case ROWS:                                                                                     \
        tile_rows(block, a, b, offset, d, columns, ROWS);                                          \
        break

static __attribute__((noinline)) void tile_any(const struct gemm_block *block, const void *a,
                                               const void *b, size_t offset, void *d, size_t rows,
                                               size_t columns)
{
    switch (rows) {
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
        CASE(5);
        CASE(6);
#ifdef __AVX512F__
        CASE(7);
        CASE(8);
        CASE(9);
        CASE(10);
        CASE(11);
        CASE(12);
#endif
    }
}

#ifdef TILE_CONTROL
/* The rounding of narrow chains; a call stands between the control word and the arithmetic. */
static void tile(const struct gemm_block *block, const void *a, const void *b, size_t offset,
                 void *d, size_t rows, size_t columns)
{
    const unsigned saved = _mm_getcsr();

    _mm_setcsr(TILE_CONTROL);
    tile_any(block, a, b, offset, d, rows, columns);
    _mm_setcsr(saved);
}
#define TILE tile
#else
#define TILE tile_any
#endif

const struct gemm_kernels KERNELS = {
    .name = ISA_NAME,
    .elem = sizeof(real),
    .mr = MR,
    .nr = NR,
    .pack_a = pack_a,
    .pack_b = pack_b,
    .tile = TILE,
};
