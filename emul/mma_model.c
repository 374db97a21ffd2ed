/* mma_model.c - what a model's fields may be, and which operands its sum has room for. */
#include <float.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "mma_block.h"

/* A field and its range under this model. */
typedef struct range {
    const char *name;
    int64_t least, most;
    const char *goes_with; /* what the range depends on; NULL: nothing */
} range;

static int is_ieee(const fpx_format *f)
{
    return fpx_format_is_valid(f) && f->cls == FPX_CLASS_FLOAT &&
           f->specials == FPX_SPECIALS_IEEE && f->flags == 0;
}

static fpx_status check_format(const fpx_mma_model *m, fpx_error *err)
{
    const fpx_format *const f = &m->format;

    if (!is_ieee(f))
        return fpx_error_set(err, FPX_EINVAL,
                             "model %s: format: Inf, NaN and a sign are needed, as in fp32",
                             m->name);
    if (m->nan_code <= f->max_code + 1 || m->nan_code >> (f->bits - 1) != 0)
        return fpx_error_set(err, FPX_EINVAL, "model %s: nan_code 0x%" PRIx64 " is no NaN of %s",
                             m->name, m->nan_code, f->name);
    return FPX_OK;
}

/* A value by its name where it has one. */
static void value_text(const char *field, int64_t value, char *ret_text, size_t room)
{
    const char *const *const names = fpx_mma_field_at(fpx_mma_field_find(field))->values;

    for (int64_t i = 0; names != NULL && names[i] != NULL; i++) {
        if (i == value) {
            (void)snprintf(ret_text, room, "%s", names[i]);
            return;
        }
    }
    (void)snprintf(ret_text, room, "%" PRId64, value);
}

static fpx_status out_of_range(const fpx_mma_model *m, const range *f, int64_t value,
                               fpx_error *err)
{
    char is[24], least[24], most[24];

    value_text(f->name, value, is, sizeof is);
    value_text(f->name, f->least, least, sizeof least);
    value_text(f->name, f->most, most, sizeof most);
    return fpx_error_set(err, FPX_EINVAL, "model %s: %s is %s, and may be %s%s%s%s%s", m->name,
                         f->name, is, least, f->most > f->least ? " to " : "",
                         f->most > f->least ? most : "", f->goes_with == NULL ? "" : ": ",
                         f->goes_with == NULL ? "" : f->goes_with);
}

static fpx_status check_ranges(const fpx_mma_model *m, fpx_error *err)
{
    const int64_t aligned = m->sum == FPX_MMA_ALIGNED;
    const int rounds_once = aligned || m->sum == FPX_MMA_EXACT;
    const int64_t joined = aligned && m->c == FPX_MMA_C_JOINED;
    const int64_t splits = m->split > 1;
    const range ranges[] = {
        { "sum", 0, FPX_MMA_TREE, NULL },
        { "c", 0, FPX_MMA_C_LATE, NULL },
        { "zero", 0, rounds_once ? FPX_MMA_ZERO_UNDERFLOW : 0,
          "a choice goes with sum aligned or exact" },
        { "round", 0, FPX_RZ, NULL },
        { "fraction_out", rounds_once ? 1 : m->format.mbits, m->format.mbits,
          "less than the format's goes with sum aligned or exact" },
        { "drop", 0, 22, NULL },
        { "flush_inputs", 0, 1, NULL },
        { "flush_results", 0, m->sum == FPX_MMA_TREE ? 1 : 0, "it goes with sum tree" },
        { "step", m->promote > 0 || splits ? 1 : 0, UINT32_MAX, "promote and split need one" },
        { "vectors", 1, UINT16_MAX, NULL },
        { "width", m->vectors > 1, m->vectors > 1 ? UINT16_MAX : 0,
          "it goes with vectors above 1" },
        { "block", aligned, aligned ? FPX_MMA_BLOCK_MAX : UINT32_MAX, "sum aligned has a limit" },
        { "fraction", aligned, aligned ? 48 : 0, "it goes with sum aligned" },
        { "group", 0, aligned ? 128 : 0, "it goes with sum aligned" },
        { "parities", aligned, joined ? 2 : aligned, "it goes with sum aligned, 2 with c joined" },
        { "fraction_sum", joined, joined ? 48 : 0, "it goes with sum aligned and c joined" },
        { "fraction_c", joined, joined ? 48 : 0, "it goes with sum aligned and c joined" },
        { "fraction_all", 0, joined ? 48 : 0, "it goes with sum aligned and c joined" },
        { "gap_c", 0, joined ? UINT8_MAX : 0, "it goes with sum aligned and c joined" },
        { "tile", splits, splits ? UINT32_MAX : 0, "it goes with split above 1" },
        { "deal", 0, splits ? FPX_MMA_DEAL_RUNS : 0, "a choice goes with split above 1" },
        { "combine", 0, splits ? FPX_MMA_PAIRWISE : 0, "a choice goes with split above 1" },
    };

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        const range *const f = &ranges[i];
        const int64_t value = fpx_mma_field_get(m, fpx_mma_field_find(f->name));
        if (value < f->least || value > f->most)
            return out_of_range(m, f, value, err);
    }
    return FPX_OK;
}

fpx_status fpx_mma_model_check(const fpx_mma_model *m, fpx_error *err)
{
    fpx_status status = check_format(m, err);

    if (status == FPX_OK)
        status = check_ranges(m, err);
    if (status != FPX_OK)
        return status;
    if (m->c == FPX_MMA_C_JOINED && m->sum != FPX_MMA_ALIGNED)
        return fpx_error_set(err, FPX_EINVAL, "model %s: c: joined goes with sum aligned", m->name);
    if (m->sum != FPX_MMA_ALIGNED && (m->e_zero != 0 || m->e_least != 0 || m->e_infinite != 0))
        return fpx_error_set(
            err, FPX_EINVAL,
            "model %s: e_zero, e_least and e_infinite must be 0: they go with sum aligned",
            m->name);
    /* A group has one scale. */
    if (m->group > 0 && (m->vectors > 1 || m->block % m->group != 0 || m->step % m->group != 0))
        return fpx_error_set(
            err, FPX_EINVAL,
            "model %s: group goes with vectors 1, and block and step are multiples of "
            "it, %u",
            m->name, m->group);
    if (m->step > 0 && (m->promote % m->step != 0 || m->tile % m->step != 0))
        return fpx_error_set(err, FPX_EINVAL,
                             "model %s: promote and tile must be multiples of step, %" PRIu32,
                             m->name, m->step);
    return FPX_OK;
}

static int ceil_log2(unsigned n)
{
    return n <= 1 ? 0 : mma_top_bit(n - 1) + 1;
}

/* The least e with |x| < 2^e for every finite x. */
static int bound_exponent(const fpx_format *format)
{
    const mma_number largest = mma_number_of(format, format->max_code);

    return mma_top_bit(largest.m) + largest.q + 1;
}

static int last_place(const fpx_format *format)
{
    return mma_least_exponent(format) - format->mbits;
}

/* ALIGNED: everything fits 62 bits. A term is below 2^(E + head). */
static fpx_status aligned_room(const fpx_mma_model *m, const fpx_format *a, const fpx_format *b,
                               int is_scaled, fpx_error *err)
{
    const unsigned group = m->group == 0 ? 1 : m->group;
    const int top = bound_exponent(a) + bound_exponent(b) + ceil_log2(group);
    const int head = m->group == 0 ? 2 + 2 * is_scaled : top + 2 * is_scaled;
    const int cut_at = m->fraction > m->fraction_sum ? m->fraction : m->fraction_sum;
    const int all = cut_at > m->fraction_c ? cut_at : m->fraction_c;
    const int sum_bits = all + (head > 2 ? head : 2) + ceil_log2(m->block / group + 2);
    const int group_bits = m->group == 0 ? 0 : top - last_place(a) - last_place(b) + 8 * is_scaled;

    if (mma_significand_bits(a) - (a->mbits == 23 ? m->drop : 0) > 24 ||
        mma_significand_bits(b) - (b->mbits == 23 ? m->drop : 0) > 24)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "model %s: %s times %s: significands of at most 24 bits are aligned",
                             m->name, a->name, b->name);
    if (sum_bits > 62 || group_bits > 62)
        return fpx_error_set(
            err, FPX_EUNSUPPORTED,
            "model %s: %s times %s: sums of %d bits (groups %d), of 62; a lower fraction, block or "
            "group, or narrower formats fit",
            m->name, a->name, b->name, sum_bits, group_bits);
    return FPX_OK;
}

/* Element times scale, exactly: a float64 where the sum's operations take such, else half the exponents that a product has in
 * the long accumulator. */
static int has_range(const fpx_format *element, const fpx_format *scale, int is_float64)
{
    enum { ACCUMULATOR_MOST = 2944 /* fpx/exact.h */ };
    const int least = is_float64 ? DBL_MIN_EXP - DBL_MANT_DIG : FPX_ACCUMULATOR_LOWEST / 2;
    const int most = is_float64 ? DBL_MAX_EXP : ACCUMULATOR_MOST / 2;

    return last_place(element) + last_place(scale) >= least &&
           bound_exponent(element) + bound_exponent(scale) <= most;
}

static fpx_status operand_room(const fpx_mma_model *m, const fpx_mma_operand *o, const char *which,
                               fpx_error *err)
{
    /* Times a scale of 4 bits it is a float64. */
    const int is_long = mma_significand_bits(&o->format) > 49;
    const int sums_codes = m->sum == FPX_MMA_FMA || m->sum == FPX_MMA_TREE;

    if (!fpx_format_is_valid(&o->format) || o->format.cls == FPX_CLASS_INT ||
        (o->packing == FPX_PACK_DENSE && o->format.bits != 4) || o->packing > FPX_PACK_DENSE)
        return fpx_error_set(err, FPX_EINVAL, "%s: its format or packing is none that codes have",
                             which);
    if (m->flush_inputs && !is_ieee(&o->format))
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "model %s flushes subnormals, which %s of %s has not as IEEE 754 does",
                             m->name, o->format.name, which);
    if (o->scales == NULL)
        return FPX_OK;
    if ((sums_codes && is_long) || mma_significand_bits(&o->scale_format) > 4 ||
        o->scale_format.ebits > 8)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: scales of %s do not go with %s and model %s: multiply D instead",
                             which, o->scale_format.name, o->format.name, m->name);
    if (!fpx_format_is_valid(&o->scale_format) || o->scale_format.cls != FPX_CLASS_FLOAT ||
        o->scale_block == 0 || (m->group > 0 && o->scale_block % m->group != 0))
        return fpx_error_set(
            err, FPX_EINVAL,
            "%s: a scale for each %zu elements of k: model %s takes multiples of %u", which,
            o->scale_block, m->name, m->group > 0 ? m->group : 1u);
    if (!has_range(&o->format, &o->scale_format, sums_codes))
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: %s times scales of %s has exponents beyond those of model %s",
                             which, o->format.name, o->scale_format.name, m->name);
    return FPX_OK;
}

fpx_status mma_block_room(const fpx_mma_model *model, const fpx_mma_call *call, fpx_error *err)
{
    fpx_status status = operand_room(model, &call->a, "A", err);

    if (status == FPX_OK)
        status = operand_room(model, &call->b, "B", err);
    if (status == FPX_OK && call->c != NULL &&
        (!fpx_format_is_valid(&call->c_format) || call->c_format.cls != FPX_CLASS_FLOAT))
        status = fpx_error_set(err, FPX_EINVAL, "C: its format is not one of float numbers");
    if (status == FPX_OK && call->c != NULL && model->flush_inputs && !is_ieee(&call->c_format))
        status = fpx_error_set(err, FPX_EUNSUPPORTED,
                               "C: model %s flushes subnormals of IEEE 754's "
                               "formats",
                               model->name);
    if (status == FPX_OK && model->sum == FPX_MMA_ALIGNED)
        status = aligned_room(model, &call->a.format, &call->b.format,
                              call->a.scales != NULL || call->b.scales != NULL, err);
    return status;
}
