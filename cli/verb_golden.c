/* verb_golden.c - fpx golden record|check: the bits of a run as a small text under review. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <fpx/diff.h>
#include <fpx/report.h>

#include "cli.h"
#include "owed.h"
#include "results.h"
#include "session.h"

enum { OPT_RECIPE, OPT_STEPS, OPT_SHADOW, OPT_DEVICE, OPT_REASON, OPT_JUNIT, OPT_JSON };

static const cli_option options[] = {
    [OPT_RECIPE] = { "--recipe", "NAME", "instead of the experiment's" },
    [OPT_STEPS] = { "--steps", "N", "run the first N steps (default 20, or the golden's)" },
    [OPT_SHADOW] = { "--shadow", "MODE", "record: also the shadows' figures (default none)" },
    [OPT_DEVICE] = { "--device", "D", "run on this device" },
    [OPT_REASON] = { "--reason", "TEXT", "record: why an existing golden changes, one line" },
    [OPT_JUNIT] = { "--junit", "FILE", "check: write JUnit XML" },
    [OPT_JSON] = { "--json", "FILE", "check: write JSON; - is standard output" },
    { NULL, NULL, NULL }
};

enum { DEFAULT_STEPS = 20 };

/* Runs the first steps and leaves the session open: its golden belongs to it. expected: what it must be a
 * run of, or NULL. */
static fpx_status collect(const cli_args *a, const fpx_golden *expected, const char *shadow,
                          uint64_t steps, session *s, fpx_error *err)
{
    const int records = strcmp(a->positional[0], "record") == 0;
    const cli_file files[] = {
        { "the golden", a->positional[2], records ? CLI_GOLDEN : CLI_READS },
        { "--json", a->option[OPT_JSON], CLI_JSON },
        { "--junit", a->option[OPT_JUNIT], CLI_JUNIT },
    };
    session_options o = session_defaults(a->positional[1]);
    fpx_step_result last;
    fpx_status status;

    o.files = files;
    o.nfiles = sizeof files / sizeof files[0];
    o.recipe = a->option[OPT_RECIPE];
    o.shadow = shadow;
    o.device = a->option[OPT_DEVICE];
    o.golden = 1;
    if ((status = session_open(&o, s, err)) != FPX_OK)
        return status;
    if (expected != NULL)
        status = fpx_golden_same_run(a->positional[2], expected, watch_golden(s->watch), err);
    if (status == FPX_OK && s->experiment->steps < steps)
        status = fpx_error_set(err, FPX_EINVAL, "%s has %u steps, not %llu", a->positional[1],
                               s->experiment->steps, (unsigned long long)steps);
    if (status == FPX_OK)
        status = session_run(s, steps, 1, &last, err);
    if (status != FPX_OK)
        (void)session_close(s, NULL);
    return status;
}

static fpx_status steps_asked(const cli_args *a, uint64_t otherwise, uint64_t *ret_steps,
                              fpx_error *err)
{
    *ret_steps = otherwise;
    return a->option[OPT_STEPS]
               ? cli_number("--steps", a->option[OPT_STEPS], 1, UINT32_MAX, ret_steps, err)
               : FPX_OK;
}

/* What an existing golden asks of the one that takes its place. An empty file is a new one. */
static fpx_status read_old(const cli_args *a, fpx_golden **ret_old, fpx_error *err)
{
    const cli_file file = { "the golden", a->positional[2], CLI_GOLDEN };
    const char *path = a->positional[2], *asked = a->option[OPT_SHADOW];
    struct stat st;
    fpx_status status = cli_check_files(&file, 1, err);

    if (status != FPX_OK || stat(path, &st) != 0 || st.st_size == 0)
        return status;
    if (a->option[OPT_REASON] == NULL)
        return fpx_error_set(err, FPX_EINVAL, "%s exists: to change it, say why with --reason TEXT",
                             path);
    if ((status = fpx_golden_read(path, ret_old, err)) != FPX_OK)
        return status;
    const char *had = fpx_golden_header(*ret_old, "shadow");
    if (strcmp(had, "none") != 0 && (asked == NULL || strcmp(asked, had) != 0))
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: has rows of the shadow %s, which would be lost: record with "
                             "--shadow %s, or remove the file first",
                             path, had, had);
    return FPX_OK;
}

static int record(const cli_args *a)
{
    const char *path = a->positional[2], *reason = a->option[OPT_REASON];
    fpx_golden_difference d = { 0 };
    fpx_golden *old = NULL;
    fpx_error err = { 0 };
    uint64_t steps;
    fpx_status status;
    session s;

    if (a->option[OPT_JUNIT] || a->option[OPT_JSON])
        return cli_usage("golden", "--junit and --json belong to check: record has no verdict");
    if ((status = read_old(a, &old, &err)) == FPX_OK &&
        (status = steps_asked(a, DEFAULT_STEPS, &steps, &err)) == FPX_OK)
        status = collect(a, NULL, a->option[OPT_SHADOW], steps, &s, &err);
    if (status == FPX_OK && session_print_finding(&s, stdout)) {
        (void)printf("%s: not recorded: such bits are no reference\n", path);
        (void)session_close(&s, NULL);
        fpx_golden_free(old);
        return EXIT_FINDING;
    }
    if (status == FPX_OK) {
        if (old != NULL)
            fpx_golden_compare(old, watch_golden(s.watch), &d);
        status = fpx_golden_write(path, watch_golden(s.watch), reason ? reason : "first recording",
                                  &err);
        (void)session_close(&s, NULL);
    }
    if (status == FPX_OK && old != NULL && d.found)
        (void)printf("%s: changed, first at step %llu in %s\n", path, (unsigned long long)d.step,
                     d.row);
    else if (status == FPX_OK)
        (void)printf("%s: %s, %llu steps\n", path, old ? "same digests as before" : "recorded",
                     (unsigned long long)steps);
    fpx_golden_free(old);
    return status == FPX_OK ? EXIT_HOLDS : cli_fail(&err);
}

/* A row of the equality shadow says what a device ran. Where nothing here contradicts that device, another row than the
 * recorded one is no other bits; but the chain digests, which decide, have it in them. */
static fpx_outcome outcome_of(const fpx_golden_difference *d, const session *s)
{
    if (!d->found)
        return FPX_HOLDS;
    return d->only_device && !s->finding.shadow.found && !s->finding.nonfinite.found
               ? FPX_NO_VERDICT
               : FPX_FINDING;
}

/* device: what fpx_device_describe said of the device that ran. */
static void describe(const char *path, const fpx_golden_difference *d, fpx_outcome outcome,
                     const char *device, char *text, size_t room)
{
    if (!d->found)
        (void)snprintf(text, room, "%s holds: %llu steps have the recorded bits", path,
                       (unsigned long long)d->steps_got);
    else if (outcome == FPX_NO_VERDICT)
        (void)snprintf(
            text, room,
            "%s: no verdict: the marks of all operations agree in %llu steps, but not those of "
            "%s, which tell what the device ran: recorded on another device than this run's "
            "(%s), or by another version, they were not compared\n"
            "check with the --device of the recording, or record without --shadow",
            path, (unsigned long long)d->steps_got, d->row, device);
    else if (d->other_rows)
        (void)snprintf(text, room, "%s: the program itself differs, first at %s", path, d->row);
    else if (d->rows == 0)
        (void)snprintf(text, room,
                       "%s: first difference at step %llu, in an operation whose mark agrees by "
                       "chance: compare traces (fpx train ... --trace, then fpx diff)",
                       path, (unsigned long long)d->step);
    else
        (void)snprintf(text, room,
                       "%s: first difference at step %llu in %s (%llu row%s in that step)\n"
                       "to see the element: fpx train ... --trace new.h5 --values '*' with both "
                       "versions, then fpx diff",
                       path, (unsigned long long)d->step, d->row, (unsigned long long)d->rows,
                       d->rows == 1 ? " differs" : "s differ");
}

static void put_escaped(const char *text, const char *also, FILE *out)
{
    for (; *text != '\0'; text++)
        if (*text == '%' || *text == '\r' || *text == '\n' || strchr(also, *text) != NULL)
            (void)fprintf(out, "%%%02X", (unsigned)(unsigned char)*text);
        else
            (void)fputc(*text, out);
}

/* A workflow command of GitHub Actions: the finding stands at the change it belongs to. In a value of one
 * %, line ends, and in a property also : and , are escaped. */
static void annotate(const char *path, const fpx_golden_difference *d, FILE *out)
{
    const char *on = getenv("GITHUB_ACTIONS");
    char title[256], text[512];

    if (on == NULL || strcmp(on, "true") != 0 || !d->found)
        return;
    (void)snprintf(title, sizeof title, "fpx golden: %s",
                   d->row[0] != '\0' ? d->row : "other bits");
    if (d->other_rows)
        (void)snprintf(text, sizeof text, "%s: the program itself differs, first at %s", path,
                       d->row);
    else
        (void)snprintf(text, sizeof text, "%s: first difference at step %llu in operation %s", path,
                       (unsigned long long)d->step, d->row);
    (void)fputs("::error title=", out);
    put_escaped(title, ":,", out);
    (void)fputs("::", out);
    put_escaped(text, "", out);
    (void)fputc('\n', out);
}

static fpx_status write_results(const cli_args *a, const fpx_golden_difference *d,
                                fpx_outcome outcome, const char *text, const char *device,
                                fpx_error *err)
{
    static const char *const verdicts[] = { "holds", "finding", "no verdict" };
    const char *json = a->option[OPT_JSON], *junit = a->option[OPT_JUNIT];

    if (json != NULL) {
        json_t *root =
            json_pack("{s:s, s:b, s:s, s:o, s:s?, s:s, s:s}", "schema", "fpx.golden/1", "holds",
                      !d->found, "verdict", verdicts[outcome], "step",
                      d->found ? json_integer((json_int_t)d->step) : json_null(), "operation",
                      d->row[0] != '\0' ? d->row : NULL, "text", text, "device", device);
        const fpx_status status = cli_write_json(json, root, err);

        if (status != FPX_OK)
            return status;
    }
    if (junit != NULL && outcome == FPX_NO_VERDICT)
        return fpx_report_junit_error(junit, "fpx.golden", a->positional[2], text, err);
    return junit ? fpx_report_junit(junit, "fpx.golden", a->positional[2], d->found ? text : NULL,
                                    err)
                 : FPX_OK;
}

static int check(const cli_args *a)
{
    const char *path = a->positional[2];
    fpx_golden_difference d;
    fpx_outcome outcome = FPX_NO_VERDICT;
    fpx_golden *expected = NULL;
    fpx_error err = { 0 };
    uint64_t steps;
    char text[2048], device[512];
    fpx_status status;
    session s;

    if (a->option[OPT_REASON] || a->option[OPT_SHADOW])
        return cli_usage("golden",
                         "--reason and --shadow belong to record; check takes the golden's");
    cli_owe(a, "fpx.golden/1", a->option[OPT_JSON], a->option[OPT_JUNIT], path);
    if (fpx_golden_read(path, &expected, &err) != FPX_OK)
        return cli_fail(&err);
    const char *shadow = fpx_golden_header(expected, "shadow");
    status = steps_asked(a, fpx_golden_steps(expected), &steps, &err);
    if (status == FPX_OK && steps > fpx_golden_steps(expected))
        status = fpx_error_set(&err, FPX_EINVAL, "%s holds %zu steps, not %llu", path,
                               fpx_golden_steps(expected), (unsigned long long)steps);
    if (status == FPX_OK)
        status = collect(a, expected, strcmp(shadow, "none") == 0 ? NULL : shadow, steps, &s, &err);
    if (status == FPX_OK) {
        FILE *out = cli_text_stream(a->option[OPT_JSON], a->option[OPT_JUNIT]);

        fpx_golden_compare(expected, watch_golden(s.watch), &d);
        outcome = outcome_of(&d, &s);
        fpx_device_describe(s.devices[0], device, sizeof device);
        describe(path, &d, outcome, device, text, sizeof text);
        (void)fprintf(out, "%s\n", text);
        if (outcome == FPX_FINDING)
            annotate(path, &d, out);
        status = write_results(a, &d, outcome, text, device, &err);
        (void)session_close(&s, NULL);
    }
    fpx_golden_free(expected);
    if (status != FPX_OK)
        return cli_fail(&err);
    return (int)outcome; /* its values are the exit codes */
}

static int run(const cli_args *a)
{
    if (strcmp(a->positional[0], "record") == 0)
        return record(a);
    if (strcmp(a->positional[0], "check") == 0)
        return check(a);
    return cli_usage("golden", "'%s': expected record or check", a->positional[0]);
}

const cli_verb verb_golden = {
    "golden",
    "record|check EXPERIMENT FILE [OPTIONS]",
    "the bits of a run as a small text; check names the first differing operation",
    "record runs the first steps of EXPERIMENT and writes their digests to FILE; an existing FILE\n"
    "changes only with --reason. check runs them again and compares; with GITHUB_ACTIONS=true it "
    "also\n"
    "prints the finding as an annotation. Exit code 2: only rows of shadow local:cpu differ, as "
    "those\n"
    "of another device do.\n"
    "example: fpx golden check experiments/demo.yaml tests/goldens/demo-fp8.golden --junit fpx.xml",
    options,
    3,
    3,
    run,
};
