/* mma_plan.c - which calls the vector kernels have, their limits, and where everything lies in scratch. */
#include "mma_plan.h"

enum {
    FRACTION_MOST = 28, /* a term fits an int32 conversion */
    SIGNIFICANDS = 24,  /* bits of float32, for a product */
    /* Formats between these exponents have products well within float32: 2^-126 to 2^127. */
    NARROW_LEAST = -60,
    NARROW_MOST = 60,
    LINE = 64
};

/* Of sums of products, of sums of groups. */
static const struct mma_kernels *kernels_of(fpx_cpu_level level, int is_group)
{
    static const struct mma_kernels *const table[FPX_CPU_LEVELS][2] = {
#ifdef FPX_HAVE_AVX2
        [FPX_CPU_AVX2] = { &mma_kernels_avx2, &mma_group_kernels_avx2 },
#endif
#ifdef FPX_HAVE_AVX512
        [FPX_CPU_AVX512] = { &mma_kernels_avx512, &mma_group_kernels_avx512 },
#endif
    };
    return table[level][is_group];
}

/* Signed numbers, all of which float32 has. */
static int fits_float(const fpx_format *format)
{
    const unsigned char code[8] = { 0 };
    float value;

    return format->cls == FPX_CLASS_FLOAT && format->flags == 0 &&
           mma_least_exponent(format) >= -126 &&
           fpx_decode_f32(format, 1.0f, code, &value, 1) == FPX_OK;
}

static int is_half(const fpx_mma_model *model)
{
    return fpx_format_equal(&model->format, &fpx_fp16);
}

static int significand(const fpx_mma_model *model, const fpx_format *format)
{
    return mma_significand_bits(format) -
           (format->bits == 32 && format->mbits == 23 ? model->drop : 0);
}

static int ceil_log2(size_t n)
{
    return n <= 1 ? 0 : mma_top_bit(n - 1) + 1;
}

/* What both kinds of kernels ask of a model. */
static int has_sum(const fpx_mma_model *m)
{
    return m->sum == FPX_MMA_ALIGNED && m->c != FPX_MMA_C_JOINED &&
           m->zero == FPX_MMA_ZERO_POSITIVE && !m->flush_inputs && m->parities == 1 &&
           m->e_infinite == 0 && m->e_least >= -126 && m->e_least <= 127 &&
           m->e_zero != FPX_MMA_ZERO_ABSENT && m->e_zero <= mma_least_exponent(&m->format);
}

/* Those of mma_groups.c: groups are aligned runs of k, their sums and C's fit float64. */
static int has_groups(const fpx_mma_model *m, const fpx_mma_call *call)
{
    enum { PRODUCT_MOST = 36, SCALES = 2, FLOAT64 = 53 };
    const int head = SCALES + ceil_log2((size_t)MMA_GROUP * PRODUCT_MOST);

    return has_sum(m) && m->group == MMA_GROUP && m->block % MMA_GROUP == 0 &&
           m->c == FPX_MMA_C_EARLY && m->step == 0 && m->vectors == 1 && m->promote == 0 &&
           m->split <= 1 && fpx_format_equal(&m->format, &fpx_fp32) && m->round == FPX_RZ &&
           m->fraction + head + ceil_log2(m->block / MMA_GROUP + 2) < FLOAT64 &&
           fpx_format_equal(&call->a.format, &fpx_e2m1) &&
           fpx_format_equal(&call->b.format, &fpx_e2m1);
}

/* The sums and roundings of mma_lanes.c. */
static int has_products(const fpx_mma_model *m)
{
    if (!has_sum(m) || m->group != 0 || m->fraction > FRACTION_MOST)
        return 0;
    if (is_half(m))
        return m->round == FPX_RNE && m->fraction_out == fpx_fp16.mbits;
    return fpx_format_equal(&m->format, &fpx_fp32) && m->round == FPX_RZ;
}

static int has_operand(const fpx_mma_operand *o)
{
    return fits_float(&o->format) &&
           (o->scales == NULL || fpx_format_equal(&o->scale_format, &fpx_e8m0));
}

static int has_c(const fpx_mma_model *m, const fpx_mma_call *call)
{
    /* Float32's sum of two fp16 numbers, rounded again to fp16, is theirs rounded once (24 >= 2 11 + 2); of others not. */
    const int adds = m->c == FPX_MMA_C_LATE || m->promote > 0 || m->split > 1;

    if (call->c == NULL)
        return 1;
    return fits_float(&call->c_format) && m->e_zero <= mma_least_exponent(&call->c_format) &&
           (!adds || !is_half(m) || fpx_format_equal(&call->c_format, &fpx_fp16));
}

const struct mma_kernels *mma_plan_kernels(const fpx_mma_model *model, const fpx_mma_call *call,
                                           fpx_cpu_level level)
{
    const fpx_mma_operand *const a = &call->a, *const b = &call->b;

    if (call->m == 0 || call->n == 0 || call->k == 0 || call->k > UINT32_MAX || !has_c(model, call))
        return NULL;
    if (has_groups(model, call))
        return kernels_of(level, 1);
    if (!has_products(model) || !has_operand(a) || !has_operand(b) ||
        significand(model, &a->format) + significand(model, &b->format) > SIGNIFICANDS)
        return NULL;
    return kernels_of(level, 0);
}

static int is_narrow(const fpx_mma_operand *o)
{
    const mma_number largest = mma_number_of(&o->format, o->format.max_code);

    return o->scales == NULL && mma_least_exponent(&o->format) - o->format.mbits >= NARROW_LEAST &&
           largest.e <= NARROW_MOST;
}

/* The model's own where it has one. */
static int least_of(const fpx_mma_model *m, const fpx_format *format)
{
    return m->e_least != 0 ? m->e_least : mma_least_exponent(format);
}

static void set_limits(mma_job *job)
{
    const fpx_mma_model *const m = job->model;
    const int fraction = m->fraction;
    const int head = 2 + ceil_log2(m->block + (size_t)1); /* the sum is below 2^(E + head) */

    job->is_half = is_half(m);
    job->is_wide = !is_narrow(&job->call->a) || !is_narrow(&job->call->b);
    job->least_c = job->call->c == NULL ? mma_least_exponent(&m->format)
                                        : mma_least_exponent(&job->call->c_format);
    job->least_a = least_of(m, &job->call->a.format);
    job->least_b = least_of(m, &job->call->b.format);
    job->terms_max = fraction > FRACTION_MOST ? 0 : UINT32_C(1) << (FRACTION_MOST + 1 - fraction);
    job->mask = UINT32_MAX << (m->format.mbits - m->fraction_out);
    job->least = fraction - 126;
    job->most = 127 - head < fraction + 126 ? 127 - head : fraction + 126;
}

/* The place of count elements of `size` bytes after the others, on a cache line; the running size saturates. */
static void *take(unsigned char *scratch, size_t *bytes, size_t count, size_t size)
{
    size_t wanted, end;
    void *const at = scratch == NULL || *bytes == SIZE_MAX ? NULL : scratch + *bytes;

    if (__builtin_mul_overflow(count, size, &wanted) ||
        __builtin_add_overflow(wanted, LINE - 1, &wanted) ||
        __builtin_add_overflow(*bytes, wanted / LINE * LINE, &end))
        end = SIZE_MAX;
    *bytes = end;
    return at;
}

static size_t elements(size_t rows, size_t k)
{
    size_t product;

    return __builtin_mul_overflow(rows, k, &product) ? SIZE_MAX : product;
}

static void take_planes(mma_planes *planes, size_t rows, size_t padded, size_t k, int is_wide,
                        int is_a, unsigned char *scratch, size_t *bytes)
{
    const size_t n = elements(padded, k);

    planes->value = take(scratch, bytes, n, sizeof(float));
    if (is_wide)
        planes->fraction = take(scratch, bytes, n, sizeof(float));
    if (is_a)
        planes->exponent_a = take(scratch, bytes, n, sizeof(int32_t));
    else
        planes->exponent_b = take(scratch, bytes, n, sizeof(int16_t));
    planes->extent = take(scratch, bytes, rows, sizeof(mma_extent));
}

static void take_groups(mma_job *job, unsigned char *scratch, size_t *bytes)
{
    const size_t m = job->call->m, n = elements(job->panels, job->kernels->width);
    const size_t groups = job->call->k / MMA_GROUP + (job->call->k % MMA_GROUP != 0);
    const size_t of_a = elements(m, groups), of_b = elements(n, groups);
    mma_groups *const a = &job->group_a, *const b = &job->group_b;

    job->groups = groups;
    a->value_a = take(scratch, bytes, of_a, MMA_GROUP);
    a->sum = take(scratch, bytes, of_a, sizeof(int32_t));
    a->used_a = take(scratch, bytes, of_a, sizeof(int32_t));
    a->exponent_a = take(scratch, bytes, of_a, sizeof(int32_t));
    a->scale = take(scratch, bytes, of_a, sizeof(double));
    b->value_b = take(scratch, bytes, of_b, MMA_GROUP);
    b->used_b = take(scratch, bytes, of_b, sizeof(int16_t));
    b->exponent_b = take(scratch, bytes, of_b, sizeof(int16_t));
    b->scale = take(scratch, bytes, of_b, sizeof(double));
}

size_t mma_plan_layout(mma_job *job, size_t threads, unsigned char *scratch)
{
    const fpx_mma_call *const call = job->call;
    const size_t width = job->kernels->width;
    unsigned char *const base =
        scratch == NULL ? NULL : scratch + (LINE - (uintptr_t)scratch % LINE) % LINE;
    size_t bytes = 0;
    mma_schedule *const s = &job->schedule;

    job->panels = call->n / width + (call->n % width != 0);
    job->strips = call->m / MMA_ROWS + (call->m % MMA_ROWS != 0);
    job->state_stride = sizeof(float) * MMA_REGS * MMA_ROWS * width;
    set_limits(job);
    s->ops = NULL;
    s->order = NULL;
    mma_schedule_make(job->model, call->k, call->c != NULL, s);
    mma_op *const ops = take(base, &bytes, s->nops, sizeof(mma_op));
    uint32_t *const order = take(base, &bytes, call->k, sizeof(uint32_t));
    if (job->kernels->is_group) {
        take_groups(job, base, &bytes);
    } else {
        take_planes(&job->a, call->m, call->m, call->k, job->is_wide, 1, base, &bytes);
        take_planes(&job->b, job->panels, elements(job->panels, width), call->k, job->is_wide, 0,
                    base, &bytes);
    }
    job->states = take(base, &bytes, threads, job->state_stride);
    job->shares = take(base, &bytes, threads, LINE);
    if (base != NULL) {
        s->ops = ops;
        s->order = order;
        mma_schedule_make(job->model, call->k, call->c != NULL, s);
        job->order = s->is_ascending ? NULL : order;
    }
    return bytes > SIZE_MAX - LINE ? SIZE_MAX : bytes + LINE;
}

uint8_t mma_plan_form(const mma_job *job, const mma_extent *a, const mma_extent *b)
{
    enum { FLOAT_MOST = 127, PRODUCT_MOST = 124 };
    const int fits = !a->is_small && !b->is_small && a->most <= FLOAT_MOST &&
                     b->most <= FLOAT_MOST && a->most + b->most <= PRODUCT_MOST;

    return (uint8_t)((a->is_special || b->is_special ? MMA_FORM_SPECIAL : 0) |
                     (job->is_wide && !fits ? MMA_FORM_FRACTION : 0));
}
