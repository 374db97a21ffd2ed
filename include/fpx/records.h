/* fpx/records.h - prompts and responses from JSON Lines: one object a line, {"prompt": "...", "response": "..."}, or
 * of preferences {"prompt": "...", "chosen": "...", "rejected": "..."}. */
#ifndef FPX_RECORDS_H
#define FPX_RECORDS_H

#include <stddef.h>

#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* UTF-8 without zero bytes, no text empty. Plain data. */
typedef struct fpx_record {
    char *prompt, *response; /* the chosen one, of a preference */
    char *rejected;          /* NULL: no preference */
    size_t line;             /* in the file, from 1 */
} fpx_record;

typedef struct fpx_records {
    fpx_record *at;
    size_t n;
} fpx_records;

/* Reads `count` bytes; label stands for the file's name in errors; preferences: 0 or 1. Empty lines, other keys and a
 * byte order mark at the beginning are passed over. FPX_EFORMAT: a line that is no JSON object, lacks one of the texts
 * or has an empty one, a file without records; the text says the line. FPX_ENOMEM. *ret_records is to be freed by the
 * function below. */
fpx_status fpx_records_parse(const char *label, const char *text, size_t count, int preferences,
                             fpx_records *ret_records, fpx_error *err);
void fpx_records_free(fpx_records *records); /* one of zeros is fine */

#ifdef __cplusplus
}
#endif

#endif /* FPX_RECORDS_H */
