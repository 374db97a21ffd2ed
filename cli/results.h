/* results.h - what the verbs share to hand results to other programs. */
#ifndef CLI_RESULTS_H
#define CLI_RESULTS_H

#include <jansson.h>
#include <stdio.h>

#include <fpx/status.h>

/* JSON has no NaN and no infinity: these become strings. */
json_t *cli_json_number(double x);

/* The result of a run that failed: {"schema", "status": "failed", "verdict", "text"}; verdict "none", or "finding". */
json_t *cli_json_failure(const char *schema, int is_finding, const char *text);

/* Writes and releases root; path "-" is standard output. root may be NULL: FPX_ENOMEM. FPX_EIO. */
fpx_status cli_write_json(const char *path, json_t *root, fpx_error *err);

/* Where text for people goes: stderr where one of the results (NULL: none) takes standard output, which then
 * is that result and nothing else. */
FILE *cli_text_stream(const char *json, const char *junit);

#endif /* CLI_RESULTS_H */
