/* schedule.c - the learning rate of each step, in float64 with functions whose bits are the same on every
 * machine. */
#include <fpx/elemfn.h>
#include <fpx/train.h>

double fpx_learning_rate(const fpx_experiment *experiment, uint64_t step)
{
    const fpx_optimizer_config *o = &experiment->optimizer;
    const double pi = 0x1.921fb54442d18p+1; /* RN(pi) */
    const uint64_t left = experiment->steps > o->warmup ? experiment->steps - o->warmup : 1;
    double done;

    if (step < o->warmup)
        return o->learning_rate * ((double)(step + 1) / (double)o->warmup);
    done = (double)(step - o->warmup) / (double)left;
    if (done > 1.0)
        done = 1.0;
    return o->learning_rate *
           (o->final_share + (1.0 - o->final_share) * (0.5 * (1.0 + fpx_cos_f64(pi * done))));
}
