/* schedule.c - the learning rate of each step, in float64 with functions whose bits are the same on every
 * machine. */
#include <fpx/cpu.h>
#include <fpx/elemfn.h>
#include <fpx/train.h>

/* The share of the decay that is done: 0 before its steps, the last decay_share of all, 1 at the last one. */
static double decayed(const fpx_optimizer_config *o, uint64_t steps, uint64_t step)
{
    const uint64_t wanted = (uint64_t)(o->decay_share * (double)steps + 0.5);
    const uint64_t n = wanted > 0 ? wanted : 1;

    return step + n < steps ? 0.0 : (double)(step + n + 1 - steps) / (double)n;
}

static double rate_at(const fpx_optimizer_config *o, uint64_t steps, uint64_t step)
{
    const double pi = 0x1.921fb54442d18p+1; /* RN(pi) */
    const uint64_t last = steps > 0 ? steps - 1 : 0;
    double done = 1.0; /* of the way from the end of the warmup to the last step */
    double left;       /* of the way down */

    if (step < o->warmup)
        return o->learning_rate * ((double)(step + 1) / (double)o->warmup);
    if (o->schedule == FPX_WSD)
        done = decayed(o, steps, step);
    else if (step < last)
        done = (double)(step - o->warmup) / (double)(last - o->warmup);
    left = o->schedule == FPX_COSINE ? 0.5 * (1.0 + fpx_cos_f64(pi * done)) : 1.0 - done;
    return o->learning_rate * (o->final_share + (1.0 - o->final_share) * left);
}

double fpx_learning_rate(const fpx_experiment *experiment, uint64_t step)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const double rate = rate_at(&experiment->optimizer, experiment->steps, step);

    fpx_fpenv_leave(env);
    return rate;
}
