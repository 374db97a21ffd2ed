/* dump_band.c - loss_band.c on losses from standard input, one a line: prints those it flags. For test_guard.py. */
#include <stdio.h>

#include <fpx/loss_band.h>

int main(void)
{
    fpx_loss_band band = { .n = 0 };
    double loss, median, limit;

    for (size_t i = 0; scanf("%lf", &loss) == 1; i++)
        if (fpx_loss_band_add(&band, loss, &median, &limit))
            (void)printf("%zu %a %a\n", i, median, limit);
    return 0;
}
