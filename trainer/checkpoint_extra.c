/* checkpoint_extra.c - what a checkpoint holds beside tensors of the program. */
#include "checkpoint_extra.h"

#include <string.h>

/* Within a step, what fpx_trainer_rewind goes back to: no other tensor has a name without a place. */
#define HISTORIES "histories"

static size_t histories_of(const fpx_trainer *t, uint32_t micro)
{
    return micro == 0 ? 0 : t->histories_bytes / sizeof(float);
}

size_t checkpoint_add_histories(const fpx_trainer *t, fpx_st_entry *entry)
{
    const uint64_t count = histories_of(t, t->next_micro);

    if (count == 0)
        return 0;
    *entry = (fpx_st_entry){ .name = HISTORIES, .data = t->histories };
    (void)fpx_tensor_make(&fpx_fp32, 1, &count, &entry->desc);
    return 1;
}

/* At a step's beginning they are those of the state, which has been read. */
fpx_status checkpoint_load_histories(const fpx_st_file *file, const char *path, fpx_trainer *t,
                                     uint32_t micro, int copy, fpx_error *err)
{
    const fpx_st_entry *entry = fpx_st_find(file, HISTORIES);
    const uint64_t count = histories_of(t, micro);
    fpx_tensor desc;

    if (count == 0) {
        if (copy)
            trainer_keep_histories(t);
        return FPX_OK;
    }
    (void)fpx_tensor_make(&fpx_fp32, 1, &count, &desc);
    if (entry == NULL || !fpx_tensor_same_kind(&entry->desc, &desc))
        return fpx_error_set(err, FPX_EINVAL, "%s: " HISTORIES " is missing, or of another length",
                             path);
    if (copy)
        memcpy(t->histories, entry->data, t->histories_bytes);
    return FPX_OK;
}

#define REFERENCE "preference/reference" /* log-probabilities: preference.c */

/* Whether it is known whole. */
static int has_reference(const fpx_trainer *t)
{
    return t->reference != NULL && t->prepared * t->experiment->data.batch == preference_count(t);
}

static fpx_status reference_tensor(const fpx_trainer *t, fpx_tensor *ret_desc)
{
    const uint64_t n = preference_count(t);

    return fpx_tensor_make(&fpx_fp32, 1, &n, ret_desc);
}

size_t checkpoint_add_reference(const fpx_trainer *t, fpx_st_entry *entry)
{
    *entry = (fpx_st_entry){ .name = REFERENCE, .data = t->reference };
    return has_reference(t) && reference_tensor(t, &entry->desc) == FPX_OK;
}

/* Before the first step it can still be made. */
fpx_status checkpoint_load_reference(fpx_trainer *t, const fpx_st_file *file, const char *path,
                                     int begun, int copy, fpx_error *err)
{
    const fpx_st_entry *entry = fpx_st_find(file, REFERENCE);
    fpx_tensor desc;

    if (t->reference == NULL || (entry == NULL && !begun))
        return FPX_OK;
    if (entry == NULL || reference_tensor(t, &desc) != FPX_OK ||
        !fpx_tensor_same_kind(&entry->desc, &desc))
        return fpx_error_set(err, FPX_EFORMAT, "%s: %s %s", path, REFERENCE,
                             entry == NULL ? "is missing" : "has another format or shape");
    if (copy) {
        memcpy(t->reference, entry->data, fpx_tensor_bytes(&desc));
        t->prepared = preference_count(t) / t->experiment->data.batch;
    }
    return FPX_OK;
}
