/* yaml_scan.h - what libcyaml does not say about a YAML text: whether it is one plain document, and at
 * which line and column a key stands. */
#ifndef IO_YAML_SCAN_H
#define IO_YAML_SCAN_H

#include <stddef.h>

#include <fpx/status.h>

typedef struct io_yaml_place {
    size_t line, column; /* from 1; the column counts characters */
} io_yaml_place;

/* One document, without aliases, zero characters or nesting below anything that a configuration has.
 * FPX_EFORMAT with `label:line:column: what`. */
fpx_status io_yaml_check(const char *label, const char *text, size_t count, fpx_error *err);

/* Where the nth (from 1) node of this path stands, paths as in "model.width", "rules[2].op", "" for the
 * root: its key (its value where it has none) and its value. 0: there is none. */
int io_yaml_find(const char *text, size_t count, const char *path, unsigned nth,
                 io_yaml_place *ret_key, io_yaml_place *ret_value);

#endif /* IO_YAML_SCAN_H */
