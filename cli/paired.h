/* paired.h - paired differences: mean, interval, and what may be said of them. */
#ifndef CLI_PAIRED_H
#define CLI_PAIRED_H

#include <stddef.h>

/* Of n differences x[i] - y[i]. */
typedef struct paired {
    size_t n;
    double mean;
    double deviation; /* unbiased; 0 of one pair */
    double
        half; /* of the two-sided 95 % interval of the mean: mean +- half; infinite of one pair */
    double
        half_tost; /* of the 90 % interval: both one-sided tests of equivalence hold at 5 % where it is within */
} paired;

/* x with probability p of Student's t below it, 0 < p < 1, freedom >= 1; to 1e-12 relative. */
double student_quantile(double p, size_t freedom);

/* deviation: unbiased, 0 where n is 1. n >= 1. */
void mean_and_deviation(const double *x, size_t n, double *ret_mean, double *ret_deviation);

/* n >= 1. A value that is not finite makes the mean so. */
paired paired_difference(const double *x, const double *y, size_t n);

typedef enum verdict {
    VERDICT_EQUAL,  /* the 90 % interval lies within +-margin (two one-sided tests, 5 % each) */
    VERDICT_WORSE,  /* else: the 95 % interval lies above 0 */
    VERDICT_BETTER, /* below 0 */
    VERDICT_INCONCLUSIVE, /* it holds 0, or there is no finite mean */
    VERDICT_DIVERGED,     /* a run of x did: not said here */
    VERDICT_NO_POWER      /* `equal` where a positive control was not detected: not said here */
} verdict;

/* What is smaller is better. */
verdict paired_verdict(const paired *d, double margin);

#endif /* CLI_PAIRED_H */
