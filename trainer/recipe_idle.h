/* recipe_idle.h - see recipe_idle.c. */
#ifndef TRAINER_RECIPE_IDLE_H
#define TRAINER_RECIPE_IDLE_H

#include <fpx/config.h>

/* used: of rules, units and states in this order, as fpx_recipe_operand and its like mark it. FPX_EINVAL: one of them decided
 * nothing; the text says which, and what there is where a pattern alone has nothing to match. */
fpx_status recipe_check_used(const fpx_recipe *recipe, const unsigned char *used, int layers,
                             fpx_error *err);

#endif /* TRAINER_RECIPE_IDLE_H */
