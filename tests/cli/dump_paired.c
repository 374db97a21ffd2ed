/* dump_paired.c - paired.c on standard input, for test_ablation.py. "q P FREEDOM": a quantile of Student's t. "d MARGIN N
 * x.. y..": mean, deviation, both half widths and the verdict's number. */
#include <stdio.h>

#include "paired.h"

int main(void)
{
    double p, x[64], y[64];
    size_t n;
    char what;

    while (scanf(" %c", &what) == 1) {
        if (scanf("%lf %zu", &p, &n) != 2 || n < 1 || n > 1000000)
            return 1;
        if (what == 'q') {
            (void)printf("%.17g\n", student_quantile(p, n));
            continue;
        }
        for (size_t i = 0; i < 2 * n; i++)
            if (n > 64 || scanf("%lf", i < n ? &x[i] : &y[i - n]) != 1)
                return 1;
        const paired d = paired_difference(x, y, n);

        (void)printf("%.17g %.17g %.17g %.17g %d\n", d.mean, d.deviation, d.half, d.half_tost,
                     (int)paired_verdict(&d, p));
    }
    return 0;
}
