/* mma_chain.c - FMA models, and TREE's of short blocks, in the tiles of the reproducible product. A lane has the reference's bits because it does the
 * reference's operations: operands and C are what their codes mean (mma_real.c), one fma for each k in rising order,
 * rounded to the model's format by the processor or by gemm_narrow.h, or the trees of gemm_tree.h. D holds the chains between blocks of k; those of
 * bf16 and fp16 lie in scratch as float32. */
#include "mma_chain.h"

#include <string.h>

#include "gemm_kernels.h"
#include "mma_real.h"

enum { LINE = 64 };

/* How the chains of a model are held. */
typedef struct holding {
    const fpx_format *format;
    uint8_t sum;
    uint32_t block; /* TREE */
    const struct gemm_kernels *kernels[FPX_CPU_LEVELS];
    int is_narrow; /* as float32 in scratch */
    uint64_t nan;  /* that the kernels write */
} holding;

#ifdef FPX_HAVE_AVX2
#define KERNELS_AVX2(REAL) [FPX_CPU_AVX2] = &gemm_kernels_avx2_##REAL,
#else
#define KERNELS_AVX2(REAL)
#endif
#ifdef FPX_HAVE_AVX512
#define KERNELS_AVX512(REAL) [FPX_CPU_AVX512] = &gemm_kernels_avx512_##REAL,
#else
#define KERNELS_AVX512(REAL)
#endif
#define KERNELS(REAL)                                                                              \
    {                                                                                              \
        [FPX_CPU_SCALAR] = NULL, KERNELS_AVX2(REAL) KERNELS_AVX512(REAL)                           \
    }

static const holding holdings[] = {
    { &fpx_fp32, FPX_MMA_FMA, 0, KERNELS(f32), 0, 0x7fc00000 },
    { &fpx_fp64, FPX_MMA_FMA, 0, KERNELS(f64), 0, 0x7ff8000000000000 },
    { &fpx_bf16, FPX_MMA_FMA, 0, KERNELS(bf16), 1, 0 },
    { &fpx_fp16, FPX_MMA_FMA, 0, KERNELS(fp16), 1, 0 },
    { &fpx_fp32, FPX_MMA_TREE, 2, KERNELS(tree2), 0, 0x7fc00000 },
    { &fpx_fp32, FPX_MMA_TREE, 4, KERNELS(tree4), 0, 0x7fc00000 },
};

static int holds(const holding *h, const fpx_mma_model *m)
{
    const int is_tree = m->sum == FPX_MMA_TREE;

    return h->sum == m->sum && fpx_format_equal(h->format, &m->format) &&
           (!is_tree || (h->block == m->block && m->step == 0 && m->flush_results));
}

/* NULL: the scalar reference. */
static const holding *holding_of(const fpx_mma_model *m, const fpx_mma_call *call,
                                 fpx_cpu_level level)
{
    const int is_plain = m->round == FPX_RNE && m->c == FPX_MMA_C_EARLY && m->vectors == 1 &&
                         m->promote == 0 && m->split <= 1 && m->drop == 0;
    const int has_scales = mma_real_has_scales(&call->a) && mma_real_has_scales(&call->b);
    const int fits_float = mma_real_fits_float(&call->a.format) &&
                           mma_real_fits_float(&call->b.format) &&
                           (call->c == NULL || mma_real_fits_float(&call->c_format));

    if (!is_plain || !has_scales || call->m == 0 || call->n == 0 || call->k == 0)
        return NULL;
    for (size_t i = 0; i < sizeof holdings / sizeof holdings[0]; i++) {
        const holding *const h = &holdings[i];
        if (h->kernels[level] != NULL && holds(h, m) && (fits_float || h->format == &fpx_fp64))
            return h;
    }
    return NULL;
}

/* A call and where everything lies in scratch. */
typedef struct chain {
    const holding *held;
    const fpx_mma_model *model;
    const fpx_mma_call *call;
    const struct gemm_kernels *kernels;
    fpx_gemm_call gemm;
    unsigned char *d;
    float *narrow; /* chains of narrow formats */
    void *a, *b, *gemm_scratch;
    size_t bytes;
} chain;

/* The place of rows x columns elements of `size` bytes after the others; the running size saturates. */
static void *take(chain *c, unsigned char *scratch, size_t rows, size_t columns, size_t size)
{
    unsigned char *const at = scratch == NULL || c->bytes == SIZE_MAX ? NULL : scratch + c->bytes;
    size_t wanted;

    if (__builtin_mul_overflow(rows, columns, &wanted) ||
        __builtin_mul_overflow(wanted, size, &wanted) ||
        __builtin_add_overflow(wanted, LINE - 1, &wanted) ||
        __builtin_add_overflow(c->bytes, wanted / LINE * LINE, &c->bytes))
        c->bytes = SIZE_MAX;
    return at;
}

static void lay_out(chain *c, fpx_cpu_level level, size_t threads, unsigned char *scratch)
{
    const fpx_mma_call *const call = c->call;
    unsigned char *const base =
        scratch == NULL ? NULL : scratch + (LINE - (uintptr_t)scratch % LINE) % LINE;
    const int a_across = mma_real_is_across(&call->a), b_across = mma_real_is_across(&call->b);
    const size_t stride = call->stride_d > call->n ? call->stride_d : call->n; /* m = 1: any */
    int overflow;

    c->held = holding_of(c->model, call, level);
    c->kernels = c->held->kernels[level];
    c->gemm = (fpx_gemm_call){ .m = call->m,
                               .n = call->n,
                               .k = call->k,
                               .trans_a = a_across,
                               .trans_b = !b_across,
                               .lda = a_across ? call->m : call->k,
                               .ldb = b_across ? call->n : call->k,
                               .ldd = c->held->is_narrow ? call->n : stride,
                               .batch = 1,
                               .alpha = 1.0f,
                               .level = level };
    c->bytes = 0;
    c->a = take(c, base, call->m, call->k, c->kernels->elem);
    c->b = take(c, base, call->n, call->k, c->kernels->elem);
    c->narrow = take(c, base, c->held->is_narrow ? call->m : 0, call->n, sizeof(float));
    const size_t gemm = gemm_blocked_scratch(c->kernels, &c->gemm, threads, GEMM_CHAIN, &overflow);
    c->gemm_scratch = take(c, base, overflow ? SIZE_MAX : gemm, 1, 1);
    c->bytes = c->bytes > SIZE_MAX - LINE ? SIZE_MAX : c->bytes + LINE;
}

/* Row i of the chains. */
static void *chain_row(const chain *c, size_t i)
{
    if (c->held->is_narrow)
        return c->narrow + i * c->gemm.ldd;
    return c->d + i * c->gemm.ldd * c->kernels->elem;
}

static void decode(const chain *c, const void *from, void *to, size_t n)
{
    const fpx_format *const f = &c->call->c_format;

    if (c->kernels->elem == sizeof(double))
        (void)fpx_decode_f64(f, 1.0, from, to, n);
    else
        (void)fpx_decode_f32(f, 1.0f, from, to, n);
}

/* Chains start at C. */
static void start_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const chain *const c = context;
    const fpx_mma_call *const call = c->call;
    const size_t size = fpx_format_size(&call->c_format), elem = c->kernels->elem;

    (void)worker;
    for (size_t i = begin; i < end; i++) {
        unsigned char *const to = chain_row(c, i);
        const unsigned char *const from =
            (const unsigned char *)call->c + i * call->stride_c_row * size;

        if (call->c == NULL)
            memset(to, 0, call->n * elem);
        else if (call->stride_c_column != 1)
            for (size_t j = 0; j < call->n; j++)
                decode(c, from + j * call->stride_c_column * size, to + j * elem, 1);
        else if (to != from) /* C may be D, and is then its own start */
            decode(c, from, to, call->n);
        if (call->c != NULL && c->model->flush_inputs)
            mma_real_flush(&call->c_format, to, call->n, elem == sizeof(double));
        if (c->held->is_narrow)
            mma_real_plain_nans((float *)(void *)to, call->n);
    }
}

/* Chains to codes of D, NaN to the model's. */
static void finish_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const chain *const c = context;
    const fpx_mma_model *const model = c->model;
    const size_t size = fpx_format_size(&model->format);
    const fpx_conversion conversion = { .format = model->format,
                                        .overflow = FPX_OVERFLOW_NONE,
                                        .nan = FPX_NAN_POSITIVE,
                                        .nan_code = model->nan_code };

    (void)worker;
    for (size_t i = begin; i < end; i++) {
        unsigned char *const to = c->d + i * c->call->stride_d * size;

        if (c->held->is_narrow)
            (void)fpx_encode_f32(&conversion, 1.0f, chain_row(c, i), to, c->call->n); /* exact */
        for (size_t j = 0; !c->held->is_narrow && j < c->call->n; j++) {
            if (memcmp(to + j * size, &c->held->nan, size) == 0)
                memcpy(to + j * size, &model->nan_code, size);
        }
    }
}

const char *mma_chain_name(const fpx_mma_model *model, const fpx_mma_call *call,
                           fpx_cpu_level level)
{
    const holding *const h = holding_of(model, call, level);

    return h == NULL ? NULL : h->kernels[level]->name;
}

size_t mma_chain_scratch(const fpx_mma_model *model, const fpx_mma_call *call, fpx_cpu_level level,
                         size_t threads)
{
    chain c = { .model = model, .call = call };

    lay_out(&c, level, threads, NULL);
    return c.bytes;
}

int mma_chain_run(const fpx_mma_model *model, const fpx_mma_call *call, void *d, void *scratch,
                  fpx_pool *pool, fpx_cpu_level level)
{
    chain c = { .model = model, .call = call, .d = d };
    atomic_int lost = 0;

    lay_out(&c, level, fpx_pool_threads(pool), scratch);
    const int is_double = c.kernels->elem == sizeof(double);
    mma_real a = { model, &call->a, call->m, call->k, is_double, c.a, &lost, { 0 } };
    mma_real b = { model, &call->b, call->n, call->k, is_double, c.b, &lost, { 0 } };

    mma_real_set_scales(&a);
    mma_real_set_scales(&b);
    fpx_parallel_for(pool, c.gemm.trans_a ? call->k : call->m, 1, mma_real_rows, &a);
    fpx_parallel_for(pool, c.gemm.trans_b ? call->n : call->k, 1, mma_real_rows, &b);
    if (atomic_load(&lost))
        return 0;
    fpx_parallel_for(pool, call->m, 1, start_rows, &c);
    gemm_blocked_run(c.kernels, &c.gemm, c.a, c.b, chain_row(&c, 0), c.gemm_scratch, pool,
                     GEMM_CHAIN);
    if (c.held->is_narrow || model->nan_code != c.held->nan)
        fpx_parallel_for(pool, call->m, 1, finish_rows, &c);
    return 1;
}
