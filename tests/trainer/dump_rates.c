/* dump_rates.c - the learning rates of schedules from standard input, "SCHEDULE STEPS WARMUP RATE FINAL_SHARE DECAY_SHARE" a line:
 * a line of rates, in float64, one a step. For test_schedule.py. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <fpx/train.h>

int main(void)
{
    fpx_experiment e = { .steps = 0 };
    fpx_optimizer_config *const o = &e.optimizer;
    char word[8];

    while (scanf("%7s %" SCNu32 " %" SCNu32 " %la %la %la", word, &e.steps, &o->warmup,
                 &o->learning_rate, &o->final_share, &o->decay_share) == 6) {
        o->schedule = strcmp(word, "cosine") == 0   ? FPX_COSINE
                      : strcmp(word, "linear") == 0 ? FPX_LINEAR
                                                    : FPX_WSD;
        for (uint64_t step = 0; step < e.steps; step++)
            (void)printf("%a ", fpx_learning_rate(&e, step));
        (void)printf("\n");
    }
    return 0;
}
