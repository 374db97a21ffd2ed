/* unit_args.h - matrix units as the command line names them: a row of the table, or a file with one of one's own. */
#ifndef CLI_UNIT_ARGS_H
#define CLI_UNIT_ARGS_H

#include <fpx/config.h>
#include <fpx/mma.h>

/* A unit; its texts live until it is freed. */
typedef struct cli_unit {
    fpx_mma_preset preset;
    fpx_unit *file; /* NULL: a row of the table */
} cli_unit;

/* 1 where the name is a file's: it ends in ".yaml". */
int cli_unit_is_file(const char *name);

/* FPX_EIO, FPX_EFORMAT, FPX_EINVAL with text: where in the file, what is wrong. To be freed on FPX_OK only. */
fpx_status cli_unit_read(const char *path, cli_unit *ret_unit, fpx_error *err);
void cli_unit_free(cli_unit *unit);

/* 1 where `part` is the row's name or the first parts of it ("hopper", "hopper/wgmma"); NULL: any. */
int cli_unit_is_of(const fpx_mma_preset *preset, const char *part);

/* Rows whose names begin so. */
size_t cli_unit_count(const char *part);

/* The names and first parts of names that are nearest to one that there is not. */
void cli_unit_nearest(const char *name, char *ret_text, size_t room);

#endif /* CLI_UNIT_ARGS_H */
