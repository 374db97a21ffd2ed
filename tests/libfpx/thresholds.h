/* thresholds.h - where a format's codes begin, computed with MPFR: values and midpoints are exact there, and rounding
 * is monotone, so that all numbers between two thresholds have one code. For each rounding, of magnitudes. */
#ifndef FPX_THRESHOLDS_H
#define FPX_THRESHOLDS_H

#include <mpfr.h>

#include "mode_oracle.h"

typedef struct thresholds {
    double
        from[MODE_CODES +
             1]; /* from[c]: the smallest float64 > 0 whose code is c or above; max + 1: overflow */
} thresholds;

/* The value of a magnitude code, max + 1 included: significand * 2^exponent. */
static inline void threshold_value(const mode_spec *s, uint32_t code, mpfr_t ret_value)
{
    const int last = (s->flags & MODE_TWOS) != 0 ? -6 : -s->bias - s->mbits;
    const uint32_t e = (s->flags & MODE_TWOS) != 0 ? 0 : code >> s->mbits;
    const uint32_t fraction = (s->flags & MODE_TWOS) != 0 ? code : code & ((1u << s->mbits) - 1);

    if ((s->flags & MODE_TWOS) != 0)
        mpfr_set_ui_2exp(ret_value, fraction, last, MPFR_RNDN);
    else if (e == 0 && (s->flags & MODE_NO_ZERO) == 0)
        mpfr_set_ui_2exp(ret_value, fraction, last + 1, MPFR_RNDN);
    else
        mpfr_set_ui_2exp(ret_value, fraction + (1u << s->mbits), last + (int)e, MPFR_RNDN);
}

/* The smallest float64 that is y or above (or strictly above). */
static inline double threshold_at(const mpfr_t y, int strictly)
{
    double x = mpfr_get_d(y, MPFR_RNDU);

    /* No conversion is trusted: exact comparisons decide. */
    while (x > 0 && mpfr_cmp_d(y, nextafter(x, 0.0)) <= 0)
        x = nextafter(x, 0.0);
    while (mpfr_cmp_d(y, x) > 0 || (strictly && mpfr_cmp_d(y, x) == 0))
        x = nextafter(x, INFINITY);
    return x;
}

static inline void thresholds_find(const mode_spec *s, int round, int negative,
                                   thresholds *ret_thresholds)
{
    const int away = (round == FPX_RU && !negative) || (round == FPX_RD && negative);
    mpfr_t low;
    mpfr_t high;
    mpfr_t middle;

    mpfr_inits2(80, low, high, middle, (mpfr_ptr)NULL);
    ret_thresholds->from[0] = 0;
    for (uint32_t c = 1; c <= s->max + 1; c++) {
        threshold_value(s, c - 1, low);
        threshold_value(s, c, high);
        mpfr_add(middle, low, high, MPFR_RNDN);
        mpfr_div_2ui(middle, middle, 1, MPFR_RNDN);
        double at = 0;
        switch (round) {
        case FPX_RNE: /* the tie belongs to the even one of c - 1, c */
            at = threshold_at(middle, c % 2 != 0);
            break;
        case FPX_RNA:
            at = threshold_at(middle, 0);
            break;
        case FPX_RO: /* all that lies between goes to the odd one */
            at = c % 2 != 0 ? threshold_at(low, 1) : threshold_at(high, 0);
            break;
        default:
            at = away ? threshold_at(low, 1) : threshold_at(high, 0);
            break;
        }
        ret_thresholds->from[c] = at;
    }
    mpfr_clears(low, high, middle, (mpfr_ptr)NULL);
    mpfr_free_cache();
}

/* What the code of a magnitude becomes: signs, overflow, negatives of unsigned formats. magnitude max + 1: above. */
static inline uint32_t threshold_code(const mode_oracle *o, const fpx_conversion *c,
                                      uint32_t magnitude, int negative)
{
    const mode_spec *const s = o->spec;

    if (negative && (s->flags & MODE_UNSIGNED) != 0)
        return magnitude == 0 && (s->flags & MODE_NO_ZERO) == 0 ? 0 : mode_below_zero(o, c, 0);
    if (magnitude <= s->max)
        return mode_signed(o, magnitude, negative);
    return (s->flags & MODE_TWOS) != 0 ? mode_signed(o, s->max, negative)
                                       : mode_over(o, c, negative, 0);
}

#endif /* FPX_THRESHOLDS_H */
