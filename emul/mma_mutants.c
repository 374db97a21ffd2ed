/* mma_mutants.c - every model that is one parameter away from another. */
#include <fpx/mma_separate.h>

enum { VARIANTS = 4 };

/* Change `variant` of a field; 0: there is none. */
static int changed(const fpx_mma_model *model, size_t field, size_t variant, int64_t *ret_value)
{
    const int64_t value = fpx_mma_field_get(model, field);
    const fpx_mma_field *const f = fpx_mma_field_at(field);

    if (f->values != NULL) {
        for (size_t i = 0; i <= variant; i++) {
            if (f->values[i] == NULL)
                return 0;
        }
        *ret_value = (int64_t)variant;
        return *ret_value != value;
    }
    const int64_t twice = (int64_t)(2 * (uint64_t)value);
    const int64_t values[VARIANTS] = { value - 1, value + 1, twice, value / 2 };
    *ret_value = values[variant];
    /* 1 doubled is 1 + 1, 1 halved is 1 - 1: once is enough. */
    for (size_t i = 0; i < variant; i++) {
        if (values[i] == *ret_value)
            return 0;
    }
    return *ret_value != value;
}

fpx_status fpx_mma_mutant_next(const fpx_mma_model *model, size_t *cursor,
                               fpx_mma_model *ret_mutant, size_t *ret_field)
{
    while (fpx_mma_field_at(*cursor / VARIANTS) != NULL) {
        const size_t field = *cursor / VARIANTS, variant = *cursor % VARIANTS;
        fpx_mma_model mutant = *model;
        int64_t value = 0;

        ++*cursor;
        if (changed(model, field, variant, &value) &&
            fpx_mma_field_set(&mutant, field, value) == FPX_OK &&
            fpx_mma_model_check(&mutant, NULL) == FPX_OK) {
            *ret_mutant = mutant;
            *ret_field = field;
            return FPX_OK;
        }
    }
    return FPX_EINVAL;
}
