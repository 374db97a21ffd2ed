/* checkpoint_file.h - which file is a checkpoint, and under which keys of its metadata it says what made it. */
#ifndef TRAINER_CHECKPOINT_FILE_H
#define TRAINER_CHECKPOINT_FILE_H

#include <fpx/status.h>

#define CHECKPOINT_STEP "fpx.step"
#define CHECKPOINT_EXPERIMENT "fpx.experiment.text"
#define CHECKPOINT_RECIPE "fpx.recipe.text"
#define CHECKPOINT_TOKENIZER "fpx.tokenizer.text" /* absent: none */

enum { CHECKPOINT_PATH = 4096 };

/* The file itself, or a folder's newest checkpoint. FPX_EIO: there is none. */
fpx_status checkpoint_find(const char *checkpoint, char ret_path[CHECKPOINT_PATH], fpx_error *err);

/* The highest step below `below` among the files of the folder; unfinished ones (.step-*.tmp) do not count. Returns
 * 0 where there is none, -1 where the folder cannot be read. */
int checkpoint_newest(const char *dir, unsigned long long below, char ret_path[CHECKPOINT_PATH],
                      unsigned long long *ret_step);

#endif /* TRAINER_CHECKPOINT_FILE_H */
