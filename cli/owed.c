/* owed.c - one place for all verbs: what a verb owes is noted when it begins, what it failed of when it says so, and
 * the files are written when it is over. */
#include "owed.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <fpx/report.h>

#include "outputs.h"
#include "results.h"

enum { WORDS = CLI_MAX_POSITIONALS + CLI_MAX_OPTIONS + CLI_MAX_VALUES + 2 };

static struct {
    const cli_args *args; /* NULL: nothing is owed */
    const char *schema, *json, *junit;
    char name[512];
    int failed;
    fpx_error why;
} owed;

void cli_owe(const cli_args *args, const char *schema, const char *json, const char *junit,
             const char *name)
{
    owed.args = args;
    owed.schema = schema;
    owed.json = json;
    owed.junit = junit;
    owed.failed = 0;
    (void)snprintf(owed.name, sizeof owed.name, "%s", name);
}

void cli_owe_nothing(void)
{
    owed.args = NULL;
}

void cli_owed_failure(const fpx_error *err)
{
    owed.failed = 1;
    owed.why = *err;
}

/* A standard output that has failed takes nothing more, and that has been said. */
static int is_wanted(const char *path)
{
    return path != NULL && (strcmp(path, "-") != 0 || !ferror(stdout));
}

/* The command may have failed before it looked at its files, so every word of it may be one. */
static int may_write(void)
{
    const cli_args *a = owed.args;
    cli_file files[WORDS] = { { "--json", owed.json, CLI_JSON },
                              { "--junit", owed.junit, CLI_JUNIT } };
    fpx_error err = { 0 };
    size_t n = 2;

    for (size_t i = 0; i < a->npositional; i++)
        files[n++] = (cli_file){ "the command", a->positional[i], CLI_READS_TRACE };
    for (size_t i = 0; i < CLI_MAX_OPTIONS; i++)
        if (a->option[i] != owed.json && a->option[i] != owed.junit)
            files[n++] = (cli_file){ "the command", a->option[i], CLI_READS_TRACE };
    for (size_t i = 0; i < a->nseveral; i++)
        files[n++] = (cli_file){ "the command", a->several[i], CLI_READS_TRACE };
    return cli_check_files(files, n, &err) == FPX_OK;
}

int cli_settle(int code)
{
    const int is_finding = code == EXIT_FINDING;
    fpx_error err = { 0 };

    if (owed.args == NULL || !owed.failed || !may_write())
        return code;
    if (is_wanted(owed.json) &&
        cli_write_json(owed.json, cli_json_failure(owed.schema, is_finding, owed.why.text), &err) !=
            FPX_OK)
        (void)cli_fail(&err);
    if (is_wanted(owed.junit)) {
        char suite[64];

        (void)snprintf(suite, sizeof suite, "%.*s", (int)strcspn(owed.schema, "/"), owed.schema);
        if (fpx_report_junit_error(owed.junit, suite, owed.name, owed.why.text, &err) != FPX_OK)
            (void)cli_fail(&err);
    }
    return code;
}
