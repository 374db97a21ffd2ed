/* checkpoint_file.c - which files of a folder are checkpoints, and which is the newest. */
#include "checkpoint_file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* step-000120.safetensors: the step it is of. A number that does not fit is no step. */
static int is_checkpoint(const char *name, unsigned long long *ret_step)
{
    char *end;

    if (strncmp(name, "step-", 5) != 0 || name[5] < '0' || name[5] > '9')
        return 0;
    errno = 0;
    const unsigned long long step = strtoull(name + 5, &end, 10);
    if (errno != 0 || strcmp(end, ".safetensors") != 0)
        return 0;
    *ret_step = step;
    return 1;
}

int checkpoint_newest(const char *dir, unsigned long long below, char ret_path[CHECKPOINT_PATH],
                      unsigned long long *ret_step)
{
    DIR *d = opendir(dir);
    int found = 0;

    if (d == NULL)
        return -1;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        unsigned long long step = 0;

        if (is_checkpoint(e->d_name, &step) && step < below && (!found || step >= *ret_step)) {
            *ret_step = step;
            found = 1;
            (void)snprintf(ret_path, CHECKPOINT_PATH, "%s/%s", dir, e->d_name);
        }
    }
    (void)closedir(d);
    return found;
}

fpx_status checkpoint_find(const char *checkpoint, char ret_path[CHECKPOINT_PATH], fpx_error *err)
{
    unsigned long long number;
    struct stat st;

    if (stat(checkpoint, &st) != 0)
        return fpx_error_set(err, FPX_EIO, "%s: cannot open: %s", checkpoint, strerror(errno));
    if (!S_ISDIR(st.st_mode)) {
        if (snprintf(ret_path, CHECKPOINT_PATH, "%s", checkpoint) < CHECKPOINT_PATH)
            return FPX_OK;
        return fpx_error_set(err, FPX_EIO, "a path of more than %d bytes", CHECKPOINT_PATH - 1);
    }
    return checkpoint_newest(checkpoint, ULLONG_MAX, ret_path, &number) > 0
               ? FPX_OK
               : fpx_error_set(err, FPX_EIO, "%s: holds no checkpoint (step-*.safetensors)",
                               checkpoint);
}
