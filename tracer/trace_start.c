/* trace_start.c - a writer for a new trace, or for one that goes on. The folder of segments is the claim to the name
 * and carries the lock: one writer at a time. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace_layout.h"
#include "trace_master.h"
#include "trace_writer.h"

/* ---- a new one ---- */
static fpx_status allocate(fpx_trace_writer *w, fpx_error *err)
{
    size_t most = 0;

    for (size_t i = 0; i < w->layout->nrecords; i++) {
        const fpx_tensor *desc = &w->layout->records[i].desc;
        if (desc->packing == FPX_PACK_DENSE && fpx_tensor_count(desc) > most)
            most = fpx_tensor_count(desc);
    }
    w->row = calloc(1, w->schema.narrow_row);
    w->digests = calloc(w->layout->nrecords + w->schema.nops, sizeof *w->digests);
    if (most > 0)
        w->unpacked = malloc(most);
    if (w->row == NULL || w->digests == NULL || (most > 0 && w->unpacked == NULL))
        return fpx_error_set(err, FPX_ENOMEM, "%s: no memory for a step", w->path);
    return FPX_OK;
}

/* What its segments have in common with the master. */
static fpx_status digest_layout(fpx_trace_writer *w, fpx_error *err)
{
    fpx_layout_rows rows;
    const fpx_status status = fpx_layout_to_rows(w->layout, &rows, err);

    if (status != FPX_OK)
        return status;
    w->layout_digest = rows.digest;
    fpx_layout_rows_free(&rows);
    return FPX_OK;
}

static fpx_status lock_folder(fpx_trace_writer *w, fpx_error *err)
{
    char *folder = fpx_segment_path(w->path, "");
    fpx_status status = FPX_OK;

    if (folder == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: no memory for a file name", w->path);
    w->lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->lock < 0)
        status = fpx_error_set(err, FPX_EIO, "%s: cannot be opened: %s", folder, strerror(errno));
    /* Where a file system has no locks, nothing is said: the lock only guards against a mistake. */
    else if (flock(w->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        status = fpx_error_set(err, FPX_EIO, "%s: another process is writing this trace", w->path);
    free(folder);
    return status;
}

/* A writer without files, or NULL and *ret_status. */
static fpx_trace_writer *make_writer(const char *path, const fpx_trace_layout *layout,
                                     uint64_t steps_hint, fpx_status *ret_status, fpx_error *err)
{
    fpx_trace_writer *w = calloc(1, sizeof *w);
    fpx_status status = FPX_ENOMEM;

    if (w != NULL) {
        w->lock = -1;
        w->segment = FPX_NO_SEGMENT;
        w->left = w->planned = steps_hint;
        w->path = fpx_trace_home(path);
    }
    if (w == NULL || w->path == NULL)
        fpx_error_set(err, status, "%s: no memory for a trace", path);
    else
        status = fpx_layout_copy(layout, &w->layout, err);
    if (status == FPX_OK)
        status = digest_layout(w, err);
    if (status == FPX_OK)
        status = fpx_schema_make(w->layout, &w->schema, err);
    if (status == FPX_OK)
        status = allocate(w, err);
    if (status == FPX_OK)
        return w;
    fpx_trace_close(w, NULL);
    *ret_status = status;
    return NULL;
}

/* The folder is the claim to the name: mkdir lets one caller through. */
static fpx_status claim(const char *path, fpx_error *err)
{
    struct stat info;
    char *folder = fpx_segment_path(path, "");
    fpx_status status = FPX_OK;

    if (folder == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: no memory for a file name", path);
    if (lstat(path, &info) == 0) {
        status = fpx_error_set(err, FPX_EIO,
                               "%s exists; a trace is never overwritten: remove it and %s, or "
                               "choose another name",
                               path, folder);
    } else {
        (void)rmdir(folder); /* an empty one is left of an interrupted start */
        if (mkdir(folder, 0777) != 0)
            status =
                fpx_error_set(err, FPX_EIO, "%s: cannot be made: %s%s", folder, strerror(errno),
                              errno == EEXIST ? " (of a trace that was removed?)" : "");
    }
    free(folder);
    return status;
}

fpx_status fpx_trace_create(const char *path, const fpx_trace_layout *layout, uint64_t steps_hint,
                            fpx_trace_writer **ret_writer, fpx_error *err)
{
    fpx_status status = FPX_OK;
    fpx_trace_writer *w = make_writer(path, layout, steps_hint, &status, err);

    if (w == NULL)
        return status;
    status = claim(path, err);
    if (status == FPX_OK) {
        status = lock_folder(w, err);
        if (status == FPX_OK)
            status = fpx_master_write(path, w->layout, 0, w->planned, err);
        if (status != FPX_OK) {
            char *folder = fpx_segment_path(path, "");
            if (folder != NULL)
                (void)rmdir(folder); /* empty: only this call made it */
            free(folder);
        }
    }
    if (status != FPX_OK) {
        fpx_trace_close(w, NULL);
        return status;
    }
    *ret_writer = w;
    return FPX_OK;
}

/* ---- going on with a trace ---- */
/* Finds next_step among the steps recorded, and the chain before it. */
static fpx_status find_place(fpx_trace_writer *w, uint64_t next_step, fpx_error *err)
{
    const size_t steps = fpx_trace_steps(w->earlier);
    size_t index = steps;

    if (steps == 0)
        return FPX_OK;
    const uint64_t first = fpx_trace_step_at(w->earlier, 0);
    const uint64_t last = fpx_trace_step_at(w->earlier, steps - 1);
    if (next_step < first || (next_step > last && next_step - last > 1))
        return fpx_error_set(err, FPX_EINVAL,
                             "%s holds steps %llu to %llu: going on at step %llu would leave a gap",
                             w->path, (unsigned long long)first, (unsigned long long)last,
                             (unsigned long long)next_step);
    while (index > 0 && fpx_trace_step_at(w->earlier, index - 1) >= next_step)
        index--;
    w->earlier_index = index;
    if (index == 0)
        return FPX_OK;
    w->has_last = 1;
    w->last = fpx_trace_step_at(w->earlier, index - 1);
    return fpx_trace_chain_at(w->earlier, index - 1, &w->chain, err);
}

/* The trace's own texts stay: its layout replaces the caller's once they agree. */
static fpx_status adopt(fpx_trace_writer *w, fpx_error *err)
{
    char text[512];
    const fpx_trace_layout *there = fpx_trace_layout_of(w->earlier);
    fpx_trace_layout *copy = NULL;

    if (fpx_layout_differs(there, w->layout, text, sizeof text))
        return fpx_error_set(err, FPX_EINVAL, "%s cannot be continued: %s", w->path, text);
    const fpx_status status = fpx_layout_copy(there, &copy, err);
    if (status != FPX_OK)
        return status;
    free(w->layout);
    w->layout = copy;
    w->schema.layout = copy;
    return digest_layout(w, err);
}

fpx_status fpx_trace_append(const char *path, const fpx_trace_layout *layout, uint64_t next_step,
                            uint64_t steps_hint, fpx_trace_writer **ret_writer, fpx_error *err)
{
    fpx_status status = FPX_OK;
    fpx_trace_writer *w = make_writer(path, layout, steps_hint, &status, err);

    if (w == NULL)
        return status;
    status = fpx_trace_open(path, &w->earlier, err); /* first: its messages say most */
    if (status == FPX_OK)
        status = lock_folder(w, err);
    if (status == FPX_OK) { /* again: another writer may just have ended */
        fpx_trace_free(w->earlier);
        w->earlier = NULL;
        status = fpx_trace_open(path, &w->earlier, err);
    }
    if (status == FPX_OK)
        status = adopt(w, err);
    if (status == FPX_OK)
        status = find_place(w, next_step, err);
    if (status != FPX_OK) {
        fpx_trace_close(w, NULL);
        return status;
    }
    w->segments = fpx_trace_segments(w->earlier);
    w->planned = steps_hint > 0 ? w->earlier_index + steps_hint : 0;
    *ret_writer = w;
    return FPX_OK;
}
