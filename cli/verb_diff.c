/* verb_diff.c - fpx diff: two traces, or one trace against its own shadows. */
#include <stdio.h>

#include <fpx/report.h>

#include "cli.h"
#include "outputs.h"
#include "owed.h"
#include "results.h"

enum { OPT_POLICY, OPT_HTML, OPT_JUNIT, OPT_JSON };

static const cli_option options[] = {
    [OPT_POLICY] = { "--policy", "P", "exact (default), or ulp:N" },
    [OPT_HTML] = { "--html", "FILE", "write a page" },
    [OPT_JUNIT] = { "--junit", "FILE", "write JUnit XML; - is standard output" },
    [OPT_JSON] = { "--json", "FILE", "write JSON; - is standard output" },
    { NULL, NULL, NULL }
};

static void name_case(const cli_args *a, char *name, size_t room)
{
    (void)snprintf(name, room, "%s against %s", a->positional[0], a->positional[1]);
}

static fpx_status write_files(const cli_args *a, const fpx_diff *diff, const fpx_report_input *page,
                              fpx_error *err)
{
    const fpx_outcome outcome = fpx_diff_outcome(diff);
    fpx_status status = FPX_OK;
    char name[512], text[4096];

    fpx_report_diff_text(diff, text, sizeof text);
    name_case(a, name, sizeof name);
    if (a->option[OPT_JSON])
        status = fpx_report_diff_json(a->option[OPT_JSON], diff, err);
    if (status == FPX_OK && a->option[OPT_JUNIT] && outcome == FPX_NO_VERDICT)
        status = fpx_report_junit_error(a->option[OPT_JUNIT], "fpx.diff", name, text, err);
    else if (status == FPX_OK && a->option[OPT_JUNIT])
        status = fpx_report_junit(a->option[OPT_JUNIT], "fpx.diff", name,
                                  outcome == FPX_HOLDS ? NULL : text, err);
    if (status == FPX_OK && a->option[OPT_HTML])
        status = fpx_report_html(a->option[OPT_HTML], page, err);
    return status;
}

/* Where a result takes standard output, it is that result and nothing else. */
static FILE *text_stream(const cli_args *a)
{
    const FILE *page = cli_text_stream(a->option[OPT_HTML], NULL);

    return page == stderr ? stderr : cli_text_stream(a->option[OPT_JSON], a->option[OPT_JUNIT]);
}

static fpx_status diff_two(const cli_args *a, fpx_trace *x, fpx_trace *y, int *ret_code,
                           fpx_error *err)
{
    fpx_diff_policy policy = { 0 };
    fpx_diff diff;
    char text[4096];
    fpx_status status = FPX_OK;

    if (a->option[OPT_POLICY])
        status = fpx_diff_policy_parse(a->option[OPT_POLICY], &policy, err);
    if (status == FPX_OK)
        status = fpx_diff_traces(x, y, &policy, &diff, err);
    if (status != FPX_OK)
        return status;
    fpx_report_diff_text(&diff, text, sizeof text);
    (void)fputs(text, text_stream(a));
    *ret_code = (int)fpx_diff_outcome(&diff); /* its values are the exit codes */
    const fpx_report_input page = { .trace = x,
                                    .trace_name = a->positional[0],
                                    .other = y,
                                    .other_name = a->positional[1],
                                    .diff = &diff };
    return write_files(a, &diff, &page, err);
}

static fpx_status diff_own(const cli_args *a, fpx_trace *x, int *ret_code, fpx_error *err)
{
    fpx_shadow_finding finding;
    char text[4096];
    fpx_status status = fpx_diff_shadows(x, &finding, err);

    if (status != FPX_OK)
        return status;
    fpx_report_finding_text(fpx_trace_layout_of(x), &finding, text, sizeof text);
    (void)fputs(text, text_stream(a));
    *ret_code = (int)fpx_finding_outcome(&finding);
    if (a->option[OPT_JSON])
        status =
            fpx_report_finding_json(a->option[OPT_JSON], fpx_trace_layout_of(x), &finding, err);
    if (status == FPX_OK && a->option[OPT_HTML]) {
        const fpx_report_input page = { .trace = x,
                                        .trace_name = a->positional[0],
                                        .finding = &finding };
        status = fpx_report_html(a->option[OPT_HTML], &page, err);
    }
    return status;
}

static int run(const cli_args *a)
{
    fpx_trace *x = NULL, *y = NULL;
    fpx_error err = { 0 };
    int code = EXIT_NO_VERDICT;
    char name[512] = "";
    fpx_status status;

    if (a->npositional == 1 && (a->option[OPT_POLICY] || a->option[OPT_JUNIT]))
        return cli_usage("diff", "--policy and --junit need two traces");
    if (a->npositional == 2)
        name_case(a, name, sizeof name);
    cli_owe(a, a->npositional == 2 ? "fpx.diff/1" : "fpx.finding/1", a->option[OPT_JSON],
            a->option[OPT_JUNIT], name);
    const cli_file files[] = { { "the trace", a->positional[0], CLI_READS_TRACE },
                               { "the trace", a->positional[1], CLI_READS_TRACE },
                               { "--json", a->option[OPT_JSON], CLI_JSON },
                               { "--junit", a->option[OPT_JUNIT], CLI_JUNIT },
                               { "--html", a->option[OPT_HTML], CLI_HTML } };
    status = cli_check_files(files, sizeof files / sizeof files[0], &err);
    if (status == FPX_OK)
        status = fpx_trace_open(a->positional[0], &x, &err);
    if (status == FPX_OK && a->npositional == 2)
        status = fpx_trace_open(a->positional[1], &y, &err);
    if (status == FPX_OK)
        status = y ? diff_two(a, x, y, &code, &err) : diff_own(a, x, &code, &err);
    fpx_trace_free(x);
    fpx_trace_free(y);
    return status == FPX_OK ? code : cli_fail(&err);
}

const cli_verb verb_diff = {
    "diff",
    "A [B] [OPTIONS]",
    "the first place where two traces differ, or where one trace's shadows disagree",
    "A and B are traces (fpx train --trace). With A alone: the first result that its own shadow\n"
    "contradicts, by equality (local:cpu, local:UNIT) or by its error bound (local).\n"
    "Exit code 0: nothing; 1: named on standard output; 2: no verdict.\n"
    "example: fpx diff yesterday.h5 today.h5 --junit diff.xml",
    options,
    1,
    2,
    run,
};
