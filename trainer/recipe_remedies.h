/* recipe_remedies.h - the words of a rule for what is done about a narrow operand: estimators and clamps. */
#ifndef TRAINER_RECIPE_REMEDIES_H
#define TRAINER_RECIPE_REMEDIES_H

#include <fpx/recipe.h>

/* Fills clipped, estimated, dge, clamp, clamp_over and compensation of a rule that is otherwise read. FPX_EINVAL: a word or number
 * that is wrong, or where it has no meaning. */
fpx_status recipe_read_remedies(const fpx_recipe *recipe, unsigned index, fpx_role role,
                                const char *tensor, fpx_operand_rule *rule, fpx_error *err);

#endif /* TRAINER_RECIPE_REMEDIES_H */
