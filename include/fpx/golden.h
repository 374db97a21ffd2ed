/* fpx/golden.h - a small text of digests, made for code review.
 *
 *     fpx golden 2
 *     experiment demo
 *     recipe fp8
 *     shadow both:fp64
 *     settings 0123456789abcdef0123456789abcdef
 *     reason first recording
 *     size 20 steps 131 rows
 *     step 0 0123456789abcdef0123456789abcdef 4c19ae
 *     ...
 *     row layer.0/attn.qkv/fprop 6f01c2 9a3be0 ... b03f51
 *     ...
 *     end 0123456789abcdef0123456789abcdef
 *
 * A step line holds the 128-bit chain digest of all steps up to it: it decides. A row holds, for each
 * step, the first 24 bits of one operation's digest (or of one shadow mode's figures): it
 * locates; where two rows agree by chance (once in 16 million) a later row is named. settings is a digest
 * of what experiment and recipe say (fpx_settings_digest). Each of these lines ends in the first 24 bits of
 * the digest (fpx_digest_bytes) of what stands before, and the last line is the digest of all lines before
 * it: an edit, a bad merge or a damaged file is seen, and where. */
#ifndef FPX_GOLDEN_H
#define FPX_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/digest.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FPX_GOLDEN_NAME = 128, FPX_GOLDEN_BYTES = 16 << 20 /* of the largest file */ };

typedef struct fpx_golden fpx_golden;

/* An empty golden with these rows (operations in program order, then shadow modes). Names are copied and
 * hold no white space. FPX_EINVAL: one does, is empty, or is longer than FPX_GOLDEN_NAME - 1; a header
 * has more than one line. FPX_ENOMEM. */
fpx_status fpx_golden_new(const char *experiment, const char *recipe, const char *shadow,
                          fpx_digest settings, const char *const *rows, size_t nrows,
                          fpx_golden **ret_golden);
void fpx_golden_free(fpx_golden *golden); /* NULL is fine */

/* Adds a step: one digest for each row. */
fpx_status fpx_golden_add_step(fpx_golden *golden, const fpx_digest *rows);

size_t fpx_golden_steps(const fpx_golden *golden);
const char *fpx_golden_header(const fpx_golden *golden,
                              const char *key); /* "recipe"; NULL: unknown */

/* Is `got` of the run that `expected`, read from `path`, was recorded of? FPX_EINVAL: a header differs; the
 * text says file, line and both values. */
fpx_status fpx_golden_same_run(const char *path, const fpx_golden *expected, const fpx_golden *got,
                               fpx_error *err);

/* FPX_EIO: also where it is no regular file; FPX_EFORMAT with file and line, or larger than
 * FPX_GOLDEN_BYTES. Write: FPX_EINVAL where there is nothing to write, or more than that, or reason has more
 * than one line. */
fpx_status fpx_golden_read(const char *path, fpx_golden **ret_golden, fpx_error *err);
fpx_status fpx_golden_write(const char *path, const fpx_golden *golden, const char *reason,
                            fpx_error *err);

typedef struct fpx_golden_difference {
    int found;
    int other_rows; /* the rows themselves differ: row is the first that one side lacks, or that
                     * stands elsewhere */
    uint64_t step;  /* the first step whose digests differ */
    char row
        [FPX_GOLDEN_NAME]; /* the first row that differs there; "": their marks agree by chance */
    uint64_t rows;         /* rows that differ there */
    int only_device; /* in all steps only the marks of `shadow:local:cpu` differ, whose figures tell which operations a
                      * device ran: no difference of bits is known, and none ruled out */
    uint64_t steps_expected, steps_got;
} fpx_golden_difference;

/* Compares as many steps as both have; how many that are, and the headers, are the caller's concern. */
void fpx_golden_compare(const fpx_golden *expected, const fpx_golden *got,
                        fpx_golden_difference *ret_difference);

#ifdef __cplusplus
}
#endif

#endif /* FPX_GOLDEN_H */
