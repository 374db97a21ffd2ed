/* checkpoint_extra.h - what a checkpoint holds beside tensors of the program: histories that a rewind goes back to, and the
 * reference of preferences. */
#ifndef TRAINER_CHECKPOINT_EXTRA_H
#define TRAINER_CHECKPOINT_EXTRA_H

#include <fpx/safetensors.h>

#include "trainer_state.h"

/* 1: *entry is written; 0: there is none to save. */
size_t checkpoint_add_histories(const fpx_trainer *t, fpx_st_entry *entry);
size_t checkpoint_add_reference(const fpx_trainer *t, fpx_st_entry *entry);

/* Looks, and where copy is 1 takes them. FPX_EINVAL, FPX_EFORMAT: missing, or of another shape. */
fpx_status checkpoint_load_histories(const fpx_st_file *file, const char *path, fpx_trainer *t,
                                     uint32_t micro, int copy, fpx_error *err);
fpx_status checkpoint_load_reference(fpx_trainer *t, const fpx_st_file *file, const char *path,
                                     int begun, int copy, fpx_error *err);

#endif /* TRAINER_CHECKPOINT_EXTRA_H */
