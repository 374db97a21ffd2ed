/* schedule.c - the learning rate of each step, in float64 with functions whose bits are the same on every
 * machine. */
#include <fpx/cpu.h>
#include <fpx/elemfn.h>
#include <fpx/train.h>

static double rate_at(const fpx_optimizer_config *o, uint64_t steps, uint64_t step)
{
    const double pi = 0x1.921fb54442d18p+1; /* RN(pi) */
    const uint64_t last = steps > 0 ? steps - 1 : 0;
    double done = 1.0; /* of the way from the end of the warmup to the last step */

    if (step < o->warmup)
        return o->learning_rate * ((double)(step + 1) / (double)o->warmup);
    if (step < last)
        done = (double)(step - o->warmup) / (double)(last - o->warmup);
    return o->learning_rate *
           (o->final_share + (1.0 - o->final_share) * (0.5 * (1.0 + fpx_cos_f64(pi * done))));
}

double fpx_learning_rate(const fpx_experiment *experiment, uint64_t step)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const double rate = rate_at(&experiment->optimizer, experiment->steps, step);

    fpx_fpenv_leave(env);
    return rate;
}
