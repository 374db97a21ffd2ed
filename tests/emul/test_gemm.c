/* test_gemm.c - every kernel and thread count of fpx/gemm.h against a reference written here from the text of
 * that header, bit for bit, with canaries around and inside D; and what happens to wrong arguments. */
#include <check.h>
#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>
#include <fpx/gemm.h>
#include <fpx/pool.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

enum data { UNIFORM, WIDE, TINY, SPECIAL, DATA_KINDS };

/* One call and how its operands are made. Leading dimensions are the least plus pad. */
struct shape {
    size_t m, n, k, leaf, batch, pad;
    float alpha;
    enum data data;
};

static uint64_t state;

static uint64_t next(void) /* SplitMix64 */
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t bits_of(double x)
{
    uint64_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

/* Elements of either type are held in an array of bytes. */
static double get(const void *array, size_t i, int f64)
{
    return f64 ? ((const double *)array)[i] : (double)((const float *)array)[i];
}

static uint64_t get_bits(const void *array, size_t i, int f64)
{
    uint32_t u;

    if (f64)
        return bits_of(((const double *)array)[i]);
    memcpy(&u, (const float *)array + i, sizeof u);
    return u;
}

static void put_bits(void *array, size_t i, int f64, uint64_t bits)
{
    const uint32_t low = (uint32_t)bits;

    if (f64)
        memcpy((double *)array + i, &bits, sizeof bits);
    else
        memcpy((float *)array + i, &low, sizeof low);
}

static void put(void *array, size_t i, int f64, double x)
{
    if (f64)
        ((double *)array)[i] = x;
    else
        ((float *)array)[i] = (float)x;
}

static void put_random(void *array, size_t i, int f64, enum data data)
{
    static const uint32_t special[] = {
        0x7fc00000, 0xffc00001, 0x7f800001, 0x7f800000, 0xff800000,
        0x80000000, 0x00000001, 0x807fffff, 0x7f7fffff, 0x00800000
    };
    const uint64_t r = next();
    const double unit = (double)(r >> 11) * 0x1p-52 - 1.0;

    switch (data) {
    case WIDE: /* also huge cancellations, and sums that overflow once in a while */
        put(array, i, f64, ldexp(unit, (int)(r % 120) - 60));
        break;
    case TINY: /* products underflow, to -0 as well */
        put(array, i, f64, ldexp(unit, f64 ? -530 : -73));
        break;
    case SPECIAL:
        if (r % 64 < 10) {
            const uint32_t u = special[r % 64];
            float x;

            memcpy(&x, &u, sizeof x);
            if (!f64)
                put_bits(array, i, f64, u);
            else if (x != x)
                put_bits(array, i, f64, 0xfff8000000000123u | (uint64_t)u << 63);
            else
                put(array, i, f64, r % 64 == 6 ? 0x1p-1074 : (double)x);
            break;
        }
        /* fall through */
    default:
        put(array, i, f64, unit);
        break;
    }
}

/* ---- the reference: one element, as the header's sentences say ---- */

struct element {
    const fpx_gemm_call *call;
    const void *a, *b;
    size_t product, i, j;
    int f64;
};

static double in_type(double x, int f64)
{
    return f64 ? x : (double)(float)x;
}

static double operand_a(const struct element *e, size_t p)
{
    const fpx_gemm_call *c = e->call;
    const size_t at = c->trans_a ? p * c->lda + e->i : e->i * c->lda + p;

    return get(e->a, e->product * c->stride_a + at, e->f64);
}

static double operand_b(const struct element *e, size_t p)
{
    const fpx_gemm_call *c = e->call;
    const size_t at = c->trans_b ? e->j * c->ldb + p : p * c->ldb + e->j;

    return get(e->b, e->product * c->stride_b + at, e->f64);
}

static double add(double x, double y, int f64)
{
    return f64 ? x + y : (double)((float)x + (float)y);
}

static double reference_block(const struct element *e, size_t begin, size_t end)
{
    double sum = 0.0;

    for (size_t p = begin; p < end; p++) {
        const double x = operand_a(e, p), y = operand_b(e, p);

        sum = e->f64 ? fma(x, y, sum) : (double)fmaf((float)x, (float)y, (float)sum);
    }
    return sum;
}

static double reference_leaf(const struct element *e, size_t begin, size_t end)
{
    double sum = 0.0;

    for (size_t p = begin; p < end; p += 256) {
        const double block = reference_block(e, p, p + 256 < end ? p + 256 : end);

        sum = p == begin ? block : add(sum, block, e->f64);
    }
    return sum;
}

/* node(level, j) over `leaves`; a node of level l exists where j * 2^l < leaves. */
static double reference_node(const struct element *e, size_t leaf, size_t leaves, unsigned level,
                             size_t j)
{
    if (level == 0)
        return reference_leaf(e, j * leaf, (j + 1) * leaf);
    const double left = reference_node(e, leaf, leaves, level - 1, 2 * j);
    if (((2 * j + 1) << (level - 1)) >= leaves)
        return left;
    return add(left, reference_node(e, leaf, leaves, level - 1, 2 * j + 1), e->f64);
}

static uint64_t reference(const struct element *e)
{
    const fpx_gemm_call *c = e->call;
    const size_t leaf = c->leaf == 0 ? c->k : c->leaf, leaves = c->k / leaf;
    unsigned levels = 0;

    while (((size_t)1 << levels) < leaves)
        levels++;
    double sum = reference_node(e, leaf, leaves, levels, 0);
    if (!e->f64 && c->alpha != 1.0f)
        sum = (double)((float)sum * c->alpha + 0.0f);
    if (sum != sum)
        return e->f64 ? 0x7ff8000000000000u : 0x7fc00000u;

    double one[1];
    put(one, 0, e->f64, in_type(sum, e->f64));
    return get_bits(one, 0, e->f64);
}

/* ---- one case: operands, expected bits, every variant ---- */

enum { CANARY = 0xab, MARGIN = 64 }; /* elements of D before and after the matrix */

struct arena {
    fpx_gemm_call call;
    int f64;
    size_t elem, d_count; /* d_count: elements from the first to the last of D */
    char *a_raw, *b_raw, *d_raw;
    void *a, *b;
    uint64_t *expected;
    char *inside; /* of each element between first and last: whether it belongs to D */
};

static void *allocate(size_t bytes)
{
    void *p = malloc(bytes);

    if (p == NULL)
        ck_abort_msg("no memory for %zu bytes", bytes);
    return p;
}

/* Operands start one element off the allocation's alignment. */
static void *make_operand(size_t count, const struct arena *t, enum data data, char **ret_raw)
{
    *ret_raw = allocate((count + 1) * t->elem);
    void *array = *ret_raw + t->elem;

    for (size_t i = 0; i < count; i++)
        put_random(array, i, t->f64, data);
    return array;
}

static struct arena make_arena(const struct shape *s, int trans_a, int trans_b, int f64)
{
    struct arena t = { .f64 = f64, .elem = f64 ? sizeof(double) : sizeof(float) };
    fpx_gemm_call *c = &t.call;

    *c = (fpx_gemm_call){ .m = s->m,
                          .n = s->n,
                          .k = s->k,
                          .trans_a = trans_a,
                          .trans_b = trans_b,
                          .lda = (trans_a ? s->m : s->k) + s->pad,
                          .ldb = (trans_b ? s->k : s->n) + s->pad,
                          .ldd = s->n + s->pad,
                          .batch = s->batch,
                          .leaf = s->leaf,
                          .alpha = s->alpha };
    c->stride_a = (trans_a ? s->k : s->m) * c->lda + s->pad;
    c->stride_b = s->batch % 2 == 0 ? 0 : (trans_b ? s->n : s->k) * c->ldb; /* 0: B is shared */
    c->stride_d = s->m * c->ldd + s->pad;
    t.a = make_operand(s->batch * c->stride_a, &t, s->data, &t.a_raw);
    t.b = make_operand((trans_b ? s->n : s->k) * c->ldb * s->batch, &t, s->data, &t.b_raw);
    t.d_count = (s->batch - 1) * c->stride_d + (s->m - 1) * c->ldd + s->n;
    t.d_raw = allocate((t.d_count + 2 * MARGIN) * t.elem);
    t.expected = allocate(t.d_count * sizeof *t.expected);
    t.inside = allocate(t.d_count);
    memset(t.inside, 0, t.d_count);
    for (size_t p = 0; p < s->batch; p++)
        for (size_t i = 0; i < s->m; i++)
            for (size_t j = 0; j < s->n; j++) {
                const struct element e = { c, t.a, t.b, p, i, j, f64 };
                const size_t at = p * c->stride_d + i * c->ldd + j;

                t.expected[at] = reference(&e);
                t.inside[at] = 1;
            }
    return t;
}

static void free_arena(struct arena *t)
{
    free(t->a_raw);
    free(t->b_raw);
    free(t->d_raw);
    free(t->expected);
    free(t->inside);
}

static int is_canary(const char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)p[i] != CANARY)
            return 0;
    return 1;
}

static fpx_status multiply(const struct arena *t, const fpx_gemm_call *c, void *d, void *scratch,
                           fpx_pool *pool)
{
    return t->f64 ? fpx_gemm_f64(c, t->a, t->b, d, scratch, pool)
                  : fpx_gemm_f32(c, t->a, t->b, d, scratch, pool);
}

static void describe(char *text, size_t size, const struct arena *t, fpx_pool *pool)
{
    const fpx_gemm_call *c = &t->call;

    snprintf(text, size, "f%d %s, %zu threads, %zu x (%zu x %zu x %zu), %c%c, leaf %zu, alpha %a",
             t->f64 ? 64 : 32, fpx_cpu_level_name(c->level), fpx_pool_threads(pool), c->batch, c->m,
             c->n, c->k, c->trans_a ? 'T' : 'N', c->trans_b ? 'T' : 'N', c->leaf, (double)c->alpha);
}

static void check_result(const struct arena *t, fpx_pool *pool)
{
    const char *d = t->d_raw + MARGIN * t->elem;
    char text[200];

    describe(text, sizeof text, t, pool);
    if (!is_canary(t->d_raw, MARGIN * t->elem) ||
        !is_canary(d + t->d_count * t->elem, MARGIN * t->elem))
        ck_abort_msg("%s: wrote before or after D", text);
    for (size_t at = 0; at < t->d_count; at++) {
        const uint64_t got = get_bits(d, at, t->f64);

        if (!t->inside[at] && !is_canary(d + at * t->elem, t->elem))
            ck_abort_msg("%s: wrote between rows of D, offset %zu", text, at);
        if (t->inside[at] && got != t->expected[at])
            ck_abort_msg("%s: D at offset %zu is %016llx, not %016llx", text, at,
                         (unsigned long long)got, (unsigned long long)t->expected[at]);
    }
}

/* Scratch one byte off any alignment, with a canary after its end. */
static void run_variant(struct arena *t, fpx_cpu_level level, fpx_pool *pool)
{
    t->call.level = level;
    t->call.engine = FPX_ENGINE_REPRO;
    const size_t threads = fpx_pool_threads(pool);
    const size_t bytes =
        t->f64 ? fpx_gemm_f64_scratch(&t->call, threads) : fpx_gemm_f32_scratch(&t->call, threads);
    char *scratch = allocate(bytes + 1 + MARGIN);

    memset(scratch, CANARY, bytes + 1 + MARGIN);
    memset(t->d_raw, CANARY, (t->d_count + 2 * MARGIN) * t->elem);
    ck_assert_int_eq(multiply(t, &t->call, t->d_raw + MARGIN * t->elem, scratch + 1, pool), FPX_OK);
    check_result(t, pool);
    if (!is_canary(scratch + 1 + bytes, MARGIN))
        ck_abort_msg("wrote after the scratch memory");
    free(scratch);
}

static fpx_pool *pools[3]; /* 1, 2 and 5 threads */

static void set_up(void)
{
    static const size_t threads[3] = { 1, 2, 5 };

    state = 20240607;
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(fpx_pool_new(threads[i], &pools[i], NULL), FPX_OK);
}

static void tear_down(void)
{
    for (size_t i = 0; i < 3; i++)
        fpx_pool_free(pools[i]);
}

static void check_shape(const struct shape *s)
{
    for (int variant = 0; variant < 8; variant++) {
        struct arena t = make_arena(s, variant & 1, variant >> 1 & 1, variant >> 2 & 1);

        for (int level = FPX_CPU_SCALAR; level <= (int)fpx_cpu_detect(); level++)
            for (size_t i = 0; i < 3; i++)
                run_variant(&t, (fpx_cpu_level)level, pools[i]);
        free_arena(&t);
    }
}

/* Around the sizes of tiles, vectors, k-blocks and trees. */
START_TEST(chosen_shapes)
{
    static const struct shape shapes[] = {
        { 1, 1, 1, 0, 1, 0, 1.0f, UNIFORM },     { 1, 1, 1, 0, 1, 0, 0.5f, TINY },
        { 6, 16, 256, 0, 1, 0, 1.0f, UNIFORM },  { 7, 17, 257, 0, 1, 3, 1.0f, WIDE },
        { 5, 15, 255, 0, 1, 1, 1.0f, SPECIAL },  { 13, 33, 513, 0, 1, 0, 0.3f, SPECIAL },
        { 6, 8, 768, 256, 1, 0, 1.0f, WIDE },    { 12, 20, 1280, 256, 1, 2, 1.0f, UNIFORM },
        { 4, 9, 7, 1, 1, 0, 1.0f, WIDE },        { 11, 18, 1500, 300, 1, 0, 1.0f, WIDE },
        { 9, 12, 44, 4, 1, 5, -2.0f, TINY },     { 3, 40, 1100, 1100, 1, 0, 1.0f, UNIFORM },
        { 8, 24, 64, 0, 3, 2, 0.125f, UNIFORM }, { 17, 5, 33, 11, 4, 1, 1.0f, SPECIAL },
        { 1, 50, 40, 0, 1, 0, 1.0f, UNIFORM },   { 50, 1, 40, 0, 1, 0, 1.0f, UNIFORM },
        { 20, 30, 40, 0, 9, 1, 3.0f, WIDE },     { 10, 10, 130, 10, 1, 0, 0.0f, SPECIAL },
    };

    check_shape(&shapes[_i]);
}
END_TEST

/* Large enough for threads and for k in several chunks of packed B: 2 threads split rows, 5 may split
 * columns too. */
START_TEST(large_shapes)
{
    static const struct shape shapes[] = {
        { 131, 140, 300, 0, 1, 1, 1.0f, UNIFORM },  { 5, 700, 300, 0, 1, 0, 1.0f, WIDE },
        { 250, 33, 768, 256, 1, 0, 1.0f, SPECIAL }, { 64, 64, 32, 0, 20, 0, 0.125f, UNIFORM },
        { 70, 90, 130, 26, 3, 0, 1.0f, UNIFORM },
    };

    check_shape(&shapes[_i]);
    ck_assert_uint_eq(fpx_pool_parallel_runs(pools[0]), 0);
    ck_assert_uint_gt(fpx_pool_parallel_runs(pools[1]), 0);
    ck_assert_uint_gt(fpx_pool_parallel_runs(pools[2]), 0);
}
END_TEST

/* Packed B of this many columns holds few k-blocks, so that sums wait between chunks. */
START_TEST(many_columns)
{
    const struct shape s = { 2, 9000, 520, _i == 0 ? 0 : 104, 1, 0, 1.0f, UNIFORM };

    for (int f64 = 0; f64 < 2; f64++) {
        struct arena t = make_arena(&s, 0, 0, f64);

        for (int level = FPX_CPU_AVX2; level <= (int)fpx_cpu_detect(); level++)
            for (size_t i = 0; i < 3; i++)
                run_variant(&t, (fpx_cpu_level)level, pools[i]);
        free_arena(&t);
    }
}
END_TEST

START_TEST(random_shapes)
{
    state = 77 + (uint64_t)_i;
    for (int round = 0; round < 6; round++) {
        const size_t leaves = 1 + next() % 9, leaf = 1 + next() % (next() % 4 == 0 ? 300 : 40);
        const struct shape s = { 1 + next() % 30,
                                 1 + next() % 50,
                                 leaves * leaf,
                                 next() % 2 == 0 ? leaf : 0,
                                 1 + next() % 3,
                                 next() % 4,
                                 next() % 2 == 0 ? 1.0f : 0.7f,
                                 (enum data)(next() % DATA_KINDS) };

        check_shape(&s);
    }
}
END_TEST

/* The caller's rounding mode, FTZ and DAZ change no bit, and are there again afterwards. */
START_TEST(caller_environment)
{
    const struct shape shapes[] = { { 30, 40, 300, 100, 1, 0, 0.7f, TINY },
                                    { 90, 90, 100, 0, 1, 0, 0.7f, TINY } };

    for (size_t i = 0; i < 4; i++) /* each alone and by threads */
        for (int f64 = 0; f64 < 2; f64++) {
            struct arena t = make_arena(&shapes[i / 2], 1, 0, f64);

            for (int level = FPX_CPU_SCALAR; level <= (int)fpx_cpu_detect(); level++) {
                fesetround(FE_TOWARDZERO);
#if defined(__x86_64__)
                _mm_setcsr(_mm_getcsr() | 0x8040u); /* FTZ, DAZ */
                const unsigned before = _mm_getcsr() & 0xffc0u;
#endif
                run_variant(&t, (fpx_cpu_level)level, pools[i % 2]);
#if defined(__x86_64__)
                ck_assert_uint_eq(_mm_getcsr() & 0xffc0u, before);
                _mm_setcsr(_mm_getcsr() & ~0x8040u);
#endif
                ck_assert_int_eq(fegetround(), FE_TOWARDZERO);
                fesetround(FE_TONEAREST);
            }
            free_arena(&t);
        }
}
END_TEST

START_TEST(wrong_arguments)
{
    const fpx_gemm_call good = { .m = 3,
                                 .n = 4,
                                 .k = 6,
                                 .lda = 6,
                                 .ldb = 4,
                                 .ldd = 4,
                                 .batch = 1,
                                 .alpha = 1.0f,
                                 .level = FPX_CPU_SCALAR };
    fpx_gemm_call bad[24];
    size_t count = 0;
    float x[64] = { 0 }, d[64];
    double xd[64] = { 0 }, dd[64];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        bad[i] = good;
    bad[count++].m = 0;
    bad[count++].n = 0;
    bad[count++].k = 0;
    bad[count++].batch = 0;
    bad[count++].lda = 5;
    bad[count++].ldb = 3;
    bad[count++].ldd = 3;
    bad[count].trans_a = 1;
    bad[count++].lda = 2;
    bad[count].trans_b = 1;
    bad[count++].ldb = 5;
    bad[count++].batch = 2; /* stride_d is 0 */
    bad[count++].leaf = 4;
    bad[count++].leaf = 12;
    bad[count++].engine = (fpx_gemm_engine)7;
    bad[count++].level = FPX_CPU_LEVELS;
    bad[count++].lda = SIZE_MAX / 2;
    bad[count++].ldb = SIZE_MAX / 4;
    bad[count++].ldd = SIZE_MAX / 8;
    bad[count].batch = SIZE_MAX / 2;
    bad[count++].stride_d = SIZE_MAX / 2;
    bad[count].batch = SIZE_MAX / 2;
    bad[count++].stride_d = 1;
    bad[count].n = SIZE_MAX / 2;
    bad[count].ldb = SIZE_MAX / 2;
    bad[count++].ldd = SIZE_MAX / 2;

    memset(d, CANARY, sizeof d);
    memset(dd, CANARY, sizeof dd);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(fpx_gemm_f32_scratch(&bad[i], 2), 0);
        ck_assert_uint_eq(fpx_gemm_f64_scratch(&bad[i], 2), 0);
        if (fpx_gemm_f32(&bad[i], x, x, d, NULL, NULL) != FPX_EINVAL ||
            fpx_gemm_f64(&bad[i], xd, xd, dd, NULL, NULL) != FPX_EINVAL)
            ck_abort_msg("wrong call %zu was accepted", i);
    }
    ck_assert_int_eq(fpx_gemm_f32(&good, NULL, x, d, NULL, NULL), FPX_EINVAL);
    ck_assert_int_eq(fpx_gemm_f32(&good, x, NULL, d, NULL, NULL), FPX_EINVAL);
    ck_assert_int_eq(fpx_gemm_f32(&good, x, x, NULL, NULL, NULL), FPX_EINVAL);
    ck_assert(is_canary((const char *)d, sizeof d) && is_canary((const char *)dd, sizeof dd));
    ck_assert_int_eq(fpx_gemm_f32(&good, x, x, d, NULL, NULL), FPX_OK);
}
END_TEST

/* Scratch is refused where it is needed; the right kernel says its name. */
START_TEST(levels)
{
    const fpx_gemm_call call = { .m = 3,
                                 .n = 4,
                                 .k = 6,
                                 .lda = 6,
                                 .ldb = 4,
                                 .ldd = 4,
                                 .batch = 1,
                                 .alpha = 1.0f,
                                 .level = FPX_CPU_AVX2 };
    float x[64] = { 0 }, d[64];

    ck_assert_str_eq(fpx_gemm_kernel_name(FPX_CPU_SCALAR), "scalar");
    if (fpx_cpu_detect() < FPX_CPU_AVX2)
        return;
    ck_assert_str_eq(fpx_gemm_kernel_name(FPX_CPU_AVX2), "avx2");
    ck_assert_uint_gt(fpx_gemm_f32_scratch(&call, 1), 0);
    ck_assert_int_eq(fpx_gemm_f32(&call, x, x, d, NULL, NULL), FPX_EINVAL);
}
END_TEST

/* Small integers are exact in any order: OpenBLAS gives the same values, and alpha and NaN are finished
 * alike. */
START_TEST(openblas_engine)
{
    enum { M = 9, N = 11, K = 40 };
    fpx_gemm_call call = { .m = M,
                           .n = N,
                           .k = K,
                           .lda = K,
                           .ldb = N,
                           .ldd = N,
                           .batch = 2,
                           .stride_a = M * K,
                           .stride_b = K * N,
                           .stride_d = M * N,
                           .leaf = 8,
                           .alpha = 0.5f,
                           .engine = FPX_ENGINE_OPENBLAS,
                           .level = FPX_CPU_SCALAR };
    float a[2 * M * K], b[2 * K * N], d[2 * M * N], e[2 * M * N];
    double ad[2 * M * K], bd[2 * K * N], dd[2 * M * N], ed[2 * M * N];

    for (size_t i = 0; i < 2 * M * K; i++)
        ad[i] = (double)(a[i] = (float)(next() % 17) - 8.0f);
    for (size_t i = 0; i < 2 * K * N; i++)
        bd[i] = (double)(b[i] = (float)(next() % 17) - 8.0f);
    put_bits(a, 5, 0, 0xffc01234);
    put_bits(ad, 5, 1, 0xfff8000000001234u);
    ck_assert_uint_eq(fpx_gemm_f32_scratch(&call, 2), 0);
    ck_assert_int_eq(fpx_gemm_f32(&call, a, b, d, NULL, pools[1]), FPX_OK);
    ck_assert_int_eq(fpx_gemm_f64(&call, ad, bd, dd, NULL, pools[1]), FPX_OK);
    call.engine = FPX_ENGINE_REPRO;
    ck_assert_int_eq(fpx_gemm_f32(&call, a, b, e, NULL, pools[1]), FPX_OK);
    ck_assert_int_eq(fpx_gemm_f64(&call, ad, bd, ed, NULL, pools[1]), FPX_OK);
    ck_assert_mem_eq(d, e, sizeof d);
    ck_assert_mem_eq(dd, ed, sizeof dd);
    call.engine = FPX_ENGINE_OPENBLAS;
    call.m = call.lda = (size_t)1 << 31;
    call.batch = 1;
    call.trans_a = 1;
    ck_assert_int_eq(fpx_gemm_f32(&call, a, b, d, NULL, NULL), FPX_EUNSUPPORTED);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gemm");
    TCase *tc = tcase_create("gemm");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, chosen_shapes, 0, 18);
    tcase_add_loop_test(tc, large_shapes, 0, 5);
    tcase_add_loop_test(tc, many_columns, 0, 2);
    tcase_add_loop_test(tc, random_shapes, 0, 12);
    tcase_add_test(tc, caller_environment);
    tcase_add_test(tc, wrong_arguments);
    tcase_add_test(tc, levels);
    tcase_add_test(tc, openblas_engine);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
