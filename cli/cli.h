/* cli.h - what every verb is made of: a row with its options, and a function that runs with their
 * values. Help and parsing come from the same rows. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <fpx/status.h>

/* Exit codes: DESIGN.md. */
enum { EXIT_HOLDS = 0, EXIT_FINDING = 1, EXIT_NO_VERDICT = 2 };
enum { CLI_MAX_OPTIONS = 24, CLI_MAX_POSITIONALS = 4, CLI_MAX_VALUES = 64 };

typedef struct cli_option {
    const char *name;  /* "--recipe" */
    const char *value; /* "NAME" in the help; NULL: a switch; "NAME...": may be given again */
    const char *help;
} cli_option;

typedef struct cli_args {
    const char *positional[CLI_MAX_POSITIONALS];
    size_t npositional;
    const char *option[CLI_MAX_OPTIONS]; /* value, or "" for a switch that is set; NULL: absent */
    const char *several[CLI_MAX_VALUES]; /* all values of the option that may be given again */
    size_t nseveral;
} cli_args;

typedef struct cli_verb {
    const char *name;
    const char *usage;         /* what follows the name */
    const char *summary;       /* one line */
    const char *detail;        /* a paragraph, and an example */
    const cli_option *options; /* ends with a NULL name */
    size_t min_positional, max_positional;
    int (*run)(const cli_args *args);
} cli_verb;

extern const cli_verb verb_train, verb_trace, verb_diff, verb_golden, verb_report, verb_demo,
    verb_bench, verb_doctor, verb_formats, verb_models, verb_gemm, verb_quantize, verb_dequantize,
    verb_tokenize, verb_sample;
extern const char cli_version[];

/* Prints "fpx: text" on stderr; returns EXIT_FINDING for FPX_EDEVICE and FPX_ENUMERIC, else
 * EXIT_NO_VERDICT. */
int cli_fail(const fpx_error *err);
int cli_is_finding(fpx_status status);
/* The same for a message of the command line's own; always EXIT_NO_VERDICT. */
int cli_usage(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An unsigned number; FPX_EINVAL with text that names the option. */
fpx_status cli_number(const char *name, const char *text, uint64_t min, uint64_t max,
                      uint64_t *ret_number, fpx_error *err);

/* FPX_EIO where a file (folder: a folder of files) cannot be made or changed at `path`: asked before a
 * run, not after it. NULL and "-" are fine. Nothing is left made. (outputs.h asks for all of a command.) */
fpx_status cli_can_write(const char *path, int folder, fpx_error *err);

/* The names that are nearest to a shell pattern that matched none: "a, b, c". name_at: of index 0 .. n - 1. */
void cli_nearest(const char *pattern, const char *(*name_at)(const void *of, size_t i),
                 const void *of, size_t n, char *ret_text, size_t room);

/* Text from a file or a command line, which a terminal must not obey: control characters become '?'. */
void cli_put(FILE *stream, const char *text);

/* 1 where stdout (or stderr) is a terminal that takes colours: not where NO_COLOR is set. */
int cli_colour(FILE *stream);

/* First of all: closed standard streams are opened, so that writing to a closed standard output fails; a
 * write beyond the file-size limit, or to a pipe that nobody reads, fails instead of ending the process. */
void cli_survive_surroundings(void);

/* Ctrl-C: the first asks for an orderly stop, which this reports; the second ends the process. */
void cli_catch_interrupt(void);
int cli_interrupted(void);

#endif /* CLI_CLI_H */
