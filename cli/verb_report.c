/* verb_report.c - fpx report: one trace (and what it is compared with) as a page. */
#include <stdio.h>
#include <string.h>

#include <fpx/report.h>

#include "cli.h"
#include "outputs.h"

enum { OPT_OUT, OPT_AGAINST, OPT_TITLE };

static const cli_option options[] = {
    [OPT_OUT] = { "-o", "OUT.html", "the page to write (required); - is standard output" },
    [OPT_AGAINST] = { "--against", "TRACE", "compare with this trace" },
    [OPT_TITLE] = { "--title", "TEXT", "heading of the page" },
    { NULL, NULL, NULL }
};

static fpx_status make_page(const cli_args *a, fpx_trace *trace, fpx_trace *other, fpx_error *err)
{
    const fpx_diff_policy exact = { 0 };
    fpx_report_input page = { .trace = trace,
                              .trace_name = a->positional[0],
                              .other = other,
                              .other_name = a->option[OPT_AGAINST],
                              .title = a->option[OPT_TITLE] };
    fpx_shadow_finding finding;
    fpx_diff diff;
    fpx_status status = fpx_diff_shadows(trace, &finding, err);

    page.finding = &finding;
    if (status == FPX_OK && other != NULL) {
        status = fpx_diff_traces(trace, other, &exact, &diff, err);
        page.diff = &diff;
    }
    return status == FPX_OK ? fpx_report_html(a->option[OPT_OUT], &page, err) : status;
}

static int run(const cli_args *a)
{
    fpx_trace *trace = NULL, *other = NULL;
    fpx_error err = { 0 };
    fpx_status status;

    if (a->option[OPT_OUT] == NULL)
        return cli_usage("report", "where to? -o OUT.html is missing");
    const cli_file files[] = { { "the trace", a->positional[0], CLI_READS_TRACE },
                               { "the trace", a->option[OPT_AGAINST], CLI_READS_TRACE },
                               { "-o", a->option[OPT_OUT], CLI_HTML } };
    status = cli_check_files(files, sizeof files / sizeof files[0], &err);
    if (status == FPX_OK)
        status = fpx_trace_open(a->positional[0], &trace, &err);
    if (status == FPX_OK && a->option[OPT_AGAINST])
        status = fpx_trace_open(a->option[OPT_AGAINST], &other, &err);
    if (status == FPX_OK)
        status = make_page(a, trace, other, &err);
    fpx_trace_free(trace);
    fpx_trace_free(other);
    if (status != FPX_OK)
        return cli_fail(&err);
    if (strcmp(a->option[OPT_OUT], "-") != 0)
        (void)printf("%s written: open it in a browser\n", a->option[OPT_OUT]);
    return EXIT_HOLDS;
}

const cli_verb verb_report = {
    "report",
    "TRACE -o OUT.html [OPTIONS]",
    "one self-contained page: loss curves, errors by layer and step, what was found",
    "example: fpx report run.h5 --against other.h5 -o run.html",
    options,
    1,
    1,
    run,
};
