/* metric_compare.c - comparison figures, compiled plain and (x86) with AVX2: metric_level.c chooses. Sums have a fixed
 * order: the same bits on every machine. */
#ifdef __AVX2__
#include <immintrin.h>
#endif
#include <math.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/cpu.h>

#include "format_bits.h"
#include "metric_level.h"

/* Before loops over registers: they must vanish, at any level of optimization. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 4")
#endif

enum { LANES = METRIC_LANES, CHUNK = METRIC_CHUNK };

/* Sums of a comparison, in lanes. */
typedef struct compare_state {
    double error[LANES], reference[LANES];
    double xx[LANES], rr[LANES], xr[LANES]; /* over elements finite in both */
} compare_state;

static double error_of(double x, double r)
{
    if (isfinite(x) && isfinite(r))
        return fabs(x - r);
    const int same = (isnan(x) && isnan(r)) || x == r; /* == : the same Inf */
    return same ? 0.0 : (double)INFINITY;
}

static double ratio_of(double error, double bound)
{
    if (error == 0.0)
        return 0.0;
    if (isnan(bound) || !(bound > 0.0))
        return (double)INFINITY;
    return isinf(bound) ? 0.0 : error / bound;
}

static double cosine_of(double xx, double rr, double xr)
{
    if (xx == 0.0 || rr == 0.0)
        return xx == 0.0 && rr == 0.0 ? 1.0 : 0.0;
    return xr / (sqrt(xx) * sqrt(rr));
}

static void compare_element(compare_state *s, fpx_comparison *out, double x, double r, size_t i)
{
    const size_t lane = i % LANES;
    const double error = error_of(x, r);

    out->nonfinite += isinf(error) && !(isfinite(x) && isfinite(r));
    if (error > out->max_abs_error) {
        out->max_abs_error = error;
        out->max_abs_index = i;
    }
    s->error[lane] += error * error;
    if (isfinite(r))
        s->reference[lane] += r * r;
    if (isfinite(x) && isfinite(r)) {
        s->xx[lane] += x * x;
        s->rr[lane] += r * r;
        s->xr[lane] += x * r;
    }
}

static void compare_bound(fpx_comparison *out, double error, double bound, size_t i)
{
    const double ratio = ratio_of(error, bound);

    if (ratio > out->max_bound_ratio) {
        out->max_bound_ratio = ratio;
        out->max_bound_index = i;
    }
    out->above_bound += error > bound || (isnan(bound) && error > 0.0);
}

static void note_unbounded(fpx_comparison *out, size_t i)
{
    if (out->unbounded++ == 0)
        out->unbounded_index = i;
}

/* n values of a piece: float32 times a scale, or float64. */
typedef struct piece {
    const void *values;
    int is_narrow;
    double scale; /* of narrow ones */
} piece;

static inline __attribute__((always_inline)) double value_of(const piece *p, size_t i,
                                                             const int narrow)
{
    return narrow ? (double)((const float *)p->values)[i] * p->scale
                  : ((const double *)p->values)[i];
}

static void compare_slowly(compare_state *s, fpx_comparison *out, const piece *x, const piece *r,
                           const double *bound, size_t n, size_t first)
{
    for (size_t i = 0; i < n; i++) {
        const double a = value_of(x, i, x->is_narrow);
        const double b = value_of(r, i, r->is_narrow);

        compare_element(s, out, a, b, first + i);
        if (bound == NULL)
            continue;
        compare_bound(out, error_of(a, b), bound[i], first + i);
        if (bound[i] == (double)INFINITY && !(a == b))
            note_unbounded(out, first + i);
    }
}

/* Four lanes: compilers keep LANES of these in registers, which they do not do for arrays. */
typedef double quad __attribute__((vector_size(4 * sizeof(double))));
typedef int64_t quad_mask __attribute__((vector_size(4 * sizeof(double))));
enum { QUAD = 4, QUADS = LANES / QUAD };

static inline __attribute__((always_inline)) void load_quad(const piece *p, size_t i,
                                                            const int narrow, quad *ret)
{
    if (narrow) {
#ifdef __AVX2__
        *ret = _mm256_cvtps_pd(
            _mm_loadu_ps((const float *)p->values + i)); /* compilers convert two and two */
#else
        for (size_t k = 0; k < QUAD; k++)
            (*ret)[k] = (double)((const float *)p->values)[i + k];
#endif
        *ret *= p->scale;
    } else {
        memcpy(ret, (const double *)p->values + i, sizeof *ret);
    }
}

/* All sums of a piece of whole lanes, its errors, and whether one is above `most`. Returns 0, and has added nothing, where
 * the squares of the errors are too many for a finite sum. */
static inline __attribute__((always_inline)) int add_sums_of(compare_state *s, const piece *x,
                                                             const piece *r, size_t n, double most,
                                                             double *error, int *ret_above,
                                                             const int narrow_x, const int narrow_r)
{
    const piece from_x = *x, from_r = *r; /* nothing written can be one of these */
    quad ee[QUADS], xx[QUADS], xr[QUADS], rr[QUADS], top = { most, most, most, most };
    quad_mask above = { 0 };
    double sum[LANES];

    memcpy(ee, s->error, sizeof ee);
    memcpy(xx, s->xx, sizeof xx);
    memcpy(xr, s->xr, sizeof xr);
    memcpy(rr, s->rr, sizeof rr);
    for (size_t i = 0; i < n; i += LANES) {
        UNROLL
        for (size_t q = 0; q < QUADS; q++) {
            quad a, b;

            load_quad(&from_x, i + q * QUAD, narrow_x, &a);
            load_quad(&from_r, i + q * QUAD, narrow_r, &b);
            const quad difference = a - b;
            const quad e = (quad)((quad_mask)difference & INT64_MAX);

            memcpy(error + i + q * QUAD, &e, sizeof e);
            above |= e > top;
            ee[q] += e * e;
            xx[q] += a * a;
            xr[q] += a * b;
            rr[q] += b * b;
        }
    }
    memcpy(sum, ee, sizeof sum);
    if (!isfinite(metric_fold(sum)))
        return 0;
    memcpy(s->error, ee, sizeof ee);
    memcpy(s->xx, xx, sizeof xx);
    memcpy(s->xr, xr, sizeof xr);
    memcpy(s->rr, rr, sizeof rr);
    *ret_above = (above[0] | above[1] | above[2] | above[3]) != 0;
    return 1;
}

typedef int sums_fn(compare_state *s, const piece *x, const piece *r, size_t n, double most,
                    double *error, int *ret_above);

#define SUMS(name, narrow_x, narrow_r)                                                             \
    static int name(compare_state *s, const piece *x, const piece *r, size_t n, double most,       \
                    double *error, int *ret_above)                                                 \
    {                                                                                              \
        return add_sums_of(s, x, r, n, most, error, ret_above, narrow_x, narrow_r);                \
    }

SUMS(sums_wide, 0, 0)
SUMS(sums_wide_narrow, 0, 1)
SUMS(sums_narrow_wide, 1, 0)
SUMS(sums_narrow, 1, 1)

/* The largest, and where it first is, if it is larger than the one so far. */
static void take_largest(const double *x, size_t n, size_t first, double *most, uint64_t *index)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] > *most) {
            *most = x[i];
            *index = first + i;
        }
}

/* Whether no error / bound can be above `most`, at most 1, as rounded: multiplying says so of most pieces, sooner than
 * dividing. Small bounds, whose product would round too far, and NaN are not decided here. */
static int all_below(double most, const double *error, const double *bound, size_t n)
{
    const double least = most <= 1.0 && most >= 0x1p-100 ? most * (1.0 - 0x1p-50) : 0.0;
    uint64_t open = 0;

    for (size_t i = 0; i < n; i++) {
        const int below = (error[i] <= bound[i] * least) & (bound[i] >= 0x1p-900);

        open += below | (error[i] == 0.0) ? 0 : 1;
    }
    return open == 0;
}

/* Errors with a bound of Inf. Such a bound's exponent of ones carries into the sign's place. */
static void find_unbounded(fpx_comparison *out, const double *error, const double *bound, size_t n,
                           size_t first)
{
    uint64_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= (fpx_f64_bits(bound[i]) & INT64_MAX) + (UINT64_C(1) << 52);
    if (any >> 63 == 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (bound[i] == (double)INFINITY && error[i] > 0.0)
            note_unbounded(out, first + i);
}

/* Whole lanes of finite numbers whose squared differences do not overflow: nothing else leaves the sums
 * of errors finite. Returns 0, and has done nothing, for others. An element that only one of
 * `reference` and `rr` counts has an Inf error: as long as this one returns 1 they are the same. */
static int compare_finite(compare_state *s, fpx_comparison *out, const piece *x, const piece *r,
                          const double *bound, size_t n, size_t first)
{
    static sums_fn *const sums[2][2] = { { sums_wide, sums_wide_narrow },
                                         { sums_narrow_wide, sums_narrow } };
    double error[CHUNK], ratio[CHUNK];
    uint64_t above = 0;
    int larger;

    if (!sums[x->is_narrow][r->is_narrow](s, x, r, n, out->max_abs_error, error, &larger))
        return 0;
    if (larger)
        take_largest(error, n, first, &out->max_abs_error, &out->max_abs_index);
    memcpy(s->reference, s->rr, sizeof s->rr);
    if (bound == NULL)
        return 1;
    find_unbounded(out, error, bound, n, first);
    if (all_below(out->max_bound_ratio, error, bound, n))
        return 1;
    /* ratio_of without branches: a finite error over an infinite bound is 0. */
    for (size_t i = 0; i < n; i++) {
        const double quotient = error[i] / bound[i];
        const double valid = bound[i] > 0.0 ? quotient : (double)INFINITY;
        ratio[i] = error[i] == 0.0 ? 0.0 : valid;
    }
    for (size_t i = 0; i < n; i++) {
        const double known = bound[i] == bound[i] ? bound[i] : 0.0;
        above += error[i] > known ? 1 : 0;
    }
    take_largest(ratio, n, first, &out->max_bound_ratio, &out->max_bound_index);
    out->above_bound += above;
    return 1;
}

static void finish_comparison(const compare_state *s, fpx_comparison *out)
{
    if (out->count > 0) {
        out->rms_error = sqrt(metric_fold(s->error) / (double)out->count);
        out->rms_reference = sqrt(metric_fold(s->reference) / (double)out->count);
    }
    if (out->rms_error != 0.0)
        out->relative_rms_error = out->rms_error / out->rms_reference;
    out->cosine = cosine_of(metric_fold(s->xx), metric_fold(s->rr), metric_fold(s->xr));
}

static void compare_piece(compare_state *s, fpx_comparison *out, const piece *x, const piece *r,
                          const double *bound, size_t n, size_t first)
{
    if (n % LANES != 0 || !compare_finite(s, out, x, r, bound, n, first))
        compare_slowly(s, out, x, r, bound, n, first);
}

/* Room for the values of a piece that have to be made. */
typedef union room {
    float narrow[CHUNK];
    double wide[CHUNK];
} room;

static int is_aligned(const void *p, size_t size)
{
    return (uintptr_t)p % size == 0;
}

/* Elements first to first + n - 1, where they are or made in `to`. */
static piece piece_of(const fpx_coded *c, size_t first, size_t n, room *to)
{
    const void *at = (const unsigned char *)c->codes + first * fpx_format_size(c->format);

    if (fpx_format_equal(c->format, &fpx_fp32) && is_aligned(at, sizeof(float)))
        return (piece){ at, 1, c->scale };
    if (fpx_format_equal(c->format, &fpx_fp64) && is_aligned(at, sizeof(double)) && c->scale == 1.0)
        return (piece){ at, 0, 1.0 };
    if (fpx_decode_f32(c->format, 1.0f, at, to->narrow, n) == FPX_OK)
        return (piece){ to->narrow, 1, c->scale };
    fpx_decode_f64(c->format, c->scale, at, to->wide, n); /* refuses only invalid formats */
    return (piece){ to->wide, 0, 1.0 };
}

fpx_status METRIC_NAME(metric_compare)(const fpx_coded *x, const fpx_coded *reference,
                                       const double *bound, size_t n,
                                       fpx_comparison *ret_comparison)
{
    compare_state state = { { 0 }, { 0 }, { 0 }, { 0 }, { 0 } };
    fpx_comparison out = { .count = n, .cosine = 1.0 };
    room rooms[2];

    if (!fpx_format_is_valid(x->format) || !fpx_format_is_valid(reference->format))
        return FPX_EINVAL;
    const fpx_fpenv env = fpx_fpenv_enter();
    for (size_t i = 0; i < n; i += CHUNK) {
        const size_t here = n - i < CHUNK ? n - i : CHUNK;
        const piece a = piece_of(x, i, here, &rooms[0]);
        const piece b = piece_of(reference, i, here, &rooms[1]);

        compare_piece(&state, &out, &a, &b, bound == NULL ? NULL : bound + i, here, i);
    }
    finish_comparison(&state, &out);
    fpx_fpenv_leave(env);
    *ret_comparison = out;
    return FPX_OK;
}
