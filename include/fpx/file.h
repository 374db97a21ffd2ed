/* fpx/file.h - whole files: read into memory, written all or not at all, identified by SHA-256. */
#ifndef FPX_FILE_H
#define FPX_FILE_H

#include <stddef.h>

#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a whole file; the bytes are followed by a zero byte that is not counted. Free with free().
 * FPX_EIO: missing, a folder, unreadable; FPX_EFORMAT: larger than max bytes; FPX_ENOMEM. */
fpx_status fpx_file_read(const char *path, size_t max, char **ret_bytes, size_t *ret_count,
                         fpx_error *err);

/* Writes beside `path` under a name of its own (.NAME.PROCESS-NUMBER.tmp), syncs, renames: at any
 * moment `path` is absent, the old or the new file; of two writers at once the last to end stays.
 * FPX_EIO; then `path` has not changed and nothing is left. */
fpx_status fpx_file_write(const char *path, const void *bytes, size_t count, fpx_error *err);

/* SHA-256 (FIPS 180-4) of bytes as 64 lower-case hexadecimal digits and a terminator. */
void fpx_sha256_text(const void *bytes, size_t count, char ret_text[65]);

#ifdef __cplusplus
}
#endif

#endif /* FPX_FILE_H */
