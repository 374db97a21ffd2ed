/* train_memory.h - fpx train --memory: what a run would need, by kind, and nothing is trained. */
#ifndef CLI_TRAIN_MEMORY_H
#define CLI_TRAIN_MEMORY_H

#include "session.h"

/* json: path, "-" or NULL. Returns an exit code. */
int train_memory(const session_options *options, const char *json);

#endif /* CLI_TRAIN_MEMORY_H */
