/* main.c - the one binary: finds the verb, parses its options from its table, runs it, maps the exit code. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "owed.h"

const char cli_version[] = FPX_VERSION;

static const cli_verb *const verbs[] = { &verb_train,    &verb_diff,       &verb_golden,
                                         &verb_trace,    &verb_report,     &verb_demo,
                                         &verb_quantize, &verb_dequantize, &verb_gemm,
                                         &verb_formats,  &verb_models,     &verb_tokenize,
                                         &verb_sample,   &verb_bench,      &verb_doctor };
enum { VERBS = sizeof verbs / sizeof verbs[0] };

/* The code for "no verdict" and "a finding" as other programs expect them. */
typedef struct exit_style {
    const char *name;
    int codes[3];
} exit_style;

static const exit_style styles[] = { { "fpx", { 0, 1, 2 } },
                                     { "git", { 0, 1, 125 } },
                                     { "nagios", { 0, 2, 3 } } };

static void print_tasks(FILE *out)
{
    (void)fprintf(
        out, "fpx %s - is low-precision training arithmetic right, and where did it go wrong?\n\n",
        cli_version);
    (void)fputs(
        "Three tasks, and how to start each:\n"
        "  did this change alter any bit, and where first?\n"
        "      fpx golden record experiments/demo.yaml demo.golden --reason \"first recording\"\n"
        "      fpx golden check experiments/demo.yaml demo.golden\n"
        "  a loss spiked: which step, operation, tensor, element?\n"
        "      fpx train experiments/demo.yaml --shadow both --trace run.h5 --values '*'\n"
        "      fpx report run.h5 -o run.html;  fpx diff run.h5 other.h5\n"
        "  what arithmetic does a device do, and does it always?\n"
        "      fpx train experiments/demo.yaml --device ./plugin.so --shadow local:cpu --trace "
        "dut.h5\n"
        "      fpx diff dut.h5\n\n"
        "See it work first:  fpx demo\n\nVerbs (fpx VERB --help):\n",
        out);
    for (size_t i = 0; i < VERBS; i++)
        (void)fprintf(out, "  %-11s %s\n", verbs[i]->name, verbs[i]->summary);
    (void)fputs(
        "\nExit codes: 0 holds, 1 a finding, 2 no verdict (--exit-style=git|nagios maps them).\n",
        out);
}

static void print_help(const cli_verb *verb)
{
    (void)printf("usage: fpx %s%s%s\n\n%s.\n\n%s\n\nOptions:\n", verb->name,
                 verb->usage[0] ? " " : "", verb->usage, verb->summary, verb->detail);
    for (const cli_option *o = verb->options; o->name != NULL; o++) {
        char left[64];

        (void)snprintf(left, sizeof left, "%s%s%s", o->name, o->value ? " " : "",
                       o->value ? o->value : "");
        (void)printf("  %-24s %s\n", left, o->help);
    }
    (void)printf("  %-24s %s\n", "--help", "this text");
    (void)puts("\nExit codes: 0 holds, 1 a finding, 2 no verdict. --exit-style=git or nagios, "
               "given before the\n"
               "verb, maps them: 2 to 125, or 1 to 2 and 2 to 3.");
}

int cli_usage(const char *verb, const char *format, ...)
{
    va_list args;

    (void)fprintf(stderr, "fpx%s%s: ", verb[0] ? " " : "", verb);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "\n(fpx%s%s --help says more)\n", verb[0] ? " " : "", verb);
    return EXIT_NO_VERDICT;
}

int cli_is_finding(fpx_status status)
{
    return status == FPX_EDEVICE || status == FPX_ENUMERIC;
}

int cli_fail(const fpx_error *err)
{
    cli_owed_failure(err);
    (void)fputs("fpx: ", stderr);
    cli_put(stderr, err->text);
    (void)fputc('\n', stderr);
    return cli_is_finding(err->status) ? EXIT_FINDING : EXIT_NO_VERDICT;
}

/* Its value may be one of several. */
static int is_several(const cli_option *o)
{
    const size_t length = o->value != NULL ? strlen(o->value) : 0;

    return length > 3 && strcmp(o->value + length - 3, "...") == 0;
}

/* The row of this name; that without a name where there is none. */
static size_t option_at(const cli_verb *verb, const char *name, size_t length)
{
    size_t k = 0;

    while (verb->options[k].name != NULL && (strlen(verb->options[k].name) != length ||
                                             strncmp(verb->options[k].name, name, length) != 0))
        k++;
    return k;
}

/* "--name value", "--name=value" or a switch; everything else is positional, "-" too. */
static int parse(const cli_verb *verb, int argc, char **argv, cli_args *args)
{
    int only_positional = 0;

    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        const size_t length = strcspn(word, "=");
        const size_t k = option_at(verb, word, length);

        if (word[0] != '-' || word[1] == '\0' || only_positional) {
            if (args->npositional == verb->max_positional)
                return cli_usage(verb->name, "unexpected '%s'", word);
            args->positional[args->npositional++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_positional = 1;
            continue;
        }
        if (verb->options[k].name == NULL)
            return cli_usage(verb->name, "unknown option %.*s", (int)length, word);
        if (args->option[k] != NULL && !is_several(&verb->options[k]))
            return cli_usage(verb->name, "%s is given twice", verb->options[k].name);
        if (verb->options[k].value == NULL && word[length] == '=')
            return cli_usage(verb->name, "%s takes no value", verb->options[k].name);
        if (verb->options[k].value == NULL)
            args->option[k] = "";
        else if (word[length] == '=')
            args->option[k] = word + length + 1;
        else if (i + 1 < argc)
            args->option[k] = argv[++i];
        else
            return cli_usage(verb->name, "%s needs a value: %s", verb->options[k].name,
                             verb->options[k].value);
        if (is_several(&verb->options[k]) && args->nseveral == CLI_MAX_VALUES)
            return cli_usage(verb->name, "%s is given more than %d times", verb->options[k].name,
                             CLI_MAX_VALUES);
        if (is_several(&verb->options[k]))
            args->several[args->nseveral++] = args->option[k];
    }
    if (args->npositional < verb->min_positional)
        return cli_usage(verb->name, "too little is given: fpx %s %s", verb->name, verb->usage);
    return 0;
}

fpx_status cli_number(const char *name, const char *text, uint64_t min, uint64_t max,
                      uint64_t *ret_number, fpx_error *err)
{
    char *end = NULL;
    const int digits = text[0] >= '0' && text[0] <= '9';
    unsigned long long n = 0;

    errno = 0;
    if (digits)
        n = strtoull(text, &end, 10);
    if (!digits || *end != '\0' || errno == ERANGE || n < min || n > max)
        return fpx_error_set(err, FPX_EINVAL, "%s '%s': expected a number from %llu to %llu", name,
                             text, (unsigned long long)min, (unsigned long long)max);
    *ret_number = n;
    return FPX_OK;
}

static int run_verb(const cli_verb *verb, int argc, char **argv)
{
    cli_args args = { 0 };
    int failed;

    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(verb);
            return EXIT_HOLDS;
        }
    failed = parse(verb, argc, argv, &args);
    return failed ? failed : cli_settle(verb->run(&args));
}

/* Results that could not be written are no results: a full disk behind stdout is no verdict. A run that has
 * none has said why. */
static int flush_output(int code)
{
    const int failed = fflush(stdout) != 0;

    if (!failed && !ferror(stdout))
        return code;
    if (code != EXIT_NO_VERDICT)
        (void)fprintf(stderr, "fpx: cannot write to standard output%s%s\n", failed ? ": " : "",
                      failed ? strerror(errno) : "");
    return EXIT_NO_VERDICT;
}

int main(int argc, char **argv)
{
    const exit_style *style = &styles[0];
    int first = 1;

    cli_survive_surroundings();
    while (first < argc && strncmp(argv[first], "--exit-style=", 13) == 0) {
        style = NULL;
        for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++)
            if (strcmp(argv[first] + 13, styles[i].name) == 0)
                style = &styles[i];
        if (style == NULL) {
            (void)fprintf(stderr, "fpx: %s: expected fpx, git or nagios\n", argv[first]);
            return EXIT_NO_VERDICT;
        }
        first++;
    }
    for (size_t i = 0; i < VERBS && first + 2 == argc && strcmp(argv[first], "help") == 0; i++)
        if (strcmp(argv[first + 1], verbs[i]->name) == 0) {
            print_help(verbs[i]);
            return style->codes[flush_output(EXIT_HOLDS)];
        }
    if (first == argc || strcmp(argv[first], "--help") == 0 ||
        (strcmp(argv[first], "help") == 0 && first + 1 == argc)) {
        print_tasks(stdout);
        return style->codes[flush_output(EXIT_HOLDS)];
    }
    if (strcmp(argv[first], "--version") == 0) {
        (void)printf("fpx %s\n", cli_version);
        return style->codes[flush_output(EXIT_HOLDS)];
    }
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(argv[first], verbs[i]->name) == 0)
            return style
                ->codes[flush_output(run_verb(verbs[i], argc - first - 1, argv + first + 1))];
    (void)fprintf(stderr, "fpx: unknown verb '%s'; fpx without arguments lists them\n",
                  argv[first]);
    return style->codes[EXIT_NO_VERDICT];
}
