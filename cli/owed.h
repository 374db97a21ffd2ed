/* owed.h - the result files that a command was asked for, when it ends without having the result: they say so, in
 * the place of an older result that would be taken for this run's. */
#ifndef CLI_OWED_H
#define CLI_OWED_H

#include <fpx/status.h>

#include "cli.h"

/* From here on the command owes these files: what refuses the command line itself (cli_usage; cli_check_files, where a
 * file is in the way of another) comes before, or withdraws them. schema: "fpx.golden/1"; json, junit: paths or NULL;
 * name: JUnit's name of the case. args outlives the command. */
void cli_owe(const cli_args *args, const char *schema, const char *json, const char *junit,
             const char *name);
void cli_owe_nothing(void);

/* cli_fail says what the command failed of. */
void cli_owed_failure(const fpx_error *err);

/* After the command: where it failed, each file gets {"schema", "status": "failed", "verdict", "text"}, verdict
 * "none", or "finding" where the failure is one; or a test case with an error. A file that is named anywhere else in
 * the command, or is none of fpx's, stays as it is. Returns code. */
int cli_settle(int code);

#endif /* CLI_OWED_H */
