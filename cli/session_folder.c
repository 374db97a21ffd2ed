/* session_folder.c - one run at a time saves into a folder of checkpoints, and only its own. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session.h"

fpx_status folder_open(session *s, fpx_error *err)
{
    const char *dir = s->options.checkpoint;

    if (dir == NULL)
        return FPX_OK;
    if (!s->options.resume) {
        s->made_folder = mkdir(dir, 0777) == 0;
        if (!s->made_folder && errno != EEXIST)
            return fpx_error_set(err, FPX_EIO, "%s: cannot make the folder: %s", dir,
                                 strerror(errno));
    }
    s->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->lock < 0)
        return fpx_error_set(err, FPX_EIO, "%s: cannot open the folder of checkpoints: %s", dir,
                             strerror(errno));
    /* Where a file system has no locks, nothing is said: the lock only guards against a mistake. */
    if (flock(s->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return fpx_error_set(
            err, FPX_EIO,
            "%s: another run is saving its checkpoints there: wait for its end, or "
            "name another folder",
            dir);
    return s->options.resume ? FPX_OK : fpx_trainer_check_folder(s->trainer, dir, err);
}

void folder_close(session *s)
{
    if (s->lock >= 0)
        (void)close(s->lock); /* and with it the lock */
    if (s->made_folder)
        (void)rmdir(s->options.checkpoint); /* only an empty one goes */
}
