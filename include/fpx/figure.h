/* fpx/figure.h - what a shadow said about one output of one operation. */
#ifndef FPX_FIGURE_H
#define FPX_FIGURE_H

#ifdef __cplusplus
extern "C" {
#endif

/* All of one kind, so that a trace stores it as a row of numbers. NaN: does not apply. */
typedef struct fpx_figure {
    double max_abs; /* largest |value - reference|; Inf of values of which one alone is finite */
    double rms;     /* root mean square of the same differences */
    double rms_reference; /* of the reference, over the same elements */
    double cosine;        /* similarity of value and reference, over the same elements */
    double ratio; /* largest |value - reference| / bound; above 1 is a finding. -1: no verdict, for
                             an element that differs has an infinite bound (an overflow inside) */
    double mismatches; /* elements that disagree: other bits (equality), above the bound, or finite
                             on one side only. NaN, as all the rest: the shadow did not look */
    double element;    /* logical index of the first of these; without any, of the first without a
                             bound, else of the largest ratio (or difference) */
    double expected, actual;           /* values there: the reference's and the program's */
    double expected_bits, actual_bits; /* codes there; of a float64 in value, not in bits: NaN */
} fpx_figure;

enum { FPX_FIGURE_FIELDS = 11 };

#ifdef __cplusplus
}
#endif

#endif /* FPX_FIGURE_H */
