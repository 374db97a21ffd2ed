/* recipe_refuse.h - the text that refuses a rule of a recipe: which recipe, where in its file, which rule, and why. */
#ifndef TRAINER_RECIPE_REFUSE_H
#define TRAINER_RECIPE_REFUSE_H

#include <fpx/config.h>

/* list: "rule", "unit", "state"; index from 0. Returns FPX_EINVAL with "recipe NAME, line L, rule N: " before the rest. */
__attribute__((format(printf, 5, 6))) fpx_status recipe_refuse(const fpx_recipe *recipe,
                                                               const char *list, unsigned index,
                                                               fpx_error *err, const char *format,
                                                               ...);

#endif /* TRAINER_RECIPE_REFUSE_H */
