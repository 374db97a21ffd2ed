/* config_values.h - texts to values by a table of keys: their ranges and defaults, and one strict reader for each kind. */
#ifndef IO_CONFIG_VALUES_H
#define IO_CONFIG_VALUES_H

#include <stddef.h>

#include "config_load.h"

enum io_value_kind {
    KIND_TEXT,
    KIND_COUNT,
    KIND_SEED,
    KIND_REAL,
    KIND_SHA256,
    KIND_ACTIVATION, /* this and those below: one of a list of words */
    KIND_DATA,
    KIND_OPTIMIZER,
    KIND_SCHEDULE,
    KIND_MEASURE,
    KIND_ARM,
    KIND_EXPECTATION
};

/* Which ends of a range belong to it. */
enum io_value_ends { CLOSED, ABOVE_MIN, BELOW_MAX };

typedef struct io_value_row {
    const char *path;
    size_t from, to; /* offsets: char * in the texts, the value in what is filled */
    enum io_value_kind kind;
    enum io_value_ends ends;
    const char *absent; /* the default, where the key may be absent; NULL: the value stays 0 */
    double min, max;
} io_value_row;

/* Fills `to`, zeroed before, from `texts`; what was filled on failure is the caller's to free. prefix: of the paths in
 * errors, "arms[2]." or "". FPX_EFORMAT with label:line:column, FPX_ENOMEM. */
fpx_status io_values_fill(const char *label, const char *text, const char *prefix,
                          const io_value_row *table, size_t n, const void *texts, void *to,
                          fpx_error *err);

/* FPX_EFORMAT: `label:line:column: path what`, the place being that of the path's value. */
fpx_status io_value_refuse(const char *label, const char *text, const char *path, const char *what,
                           fpx_error *err);

#endif /* IO_CONFIG_VALUES_H */
