/* verb_formats.c - fpx formats: the formats there are, and a page on one of them, or on any that has a name. */
#include <stdio.h>
#include <string.h>

#include <fpx/format.h>

#include "cli.h"
#include "format_page.h"
#include "owed.h"
#include "results.h"

enum { OPT_JSON };

static const cli_option options[] = { [OPT_JSON] = { "--json", "FILE",
                                                     "the same as JSON; - is standard output" },
                                      { NULL, NULL, NULL } };

/* Groups by what a format is for: of width up to `bits`, signed or not. */
static const struct {
    const char *title;
    int is_unsigned;
    unsigned bits;
} groups[] = {
    { "4 and 6 bits", 0, 6 },
    { "8 bits", 0, 8 },
    { "more than 8 bits", 0, 64 },
    { "block scales", 1, 64 },
};

enum { GROUPS = sizeof groups / sizeof groups[0] };

static size_t group_of(const fpx_format *f)
{
    const int is_unsigned = (f->flags & FPX_FORMAT_UNSIGNED) != 0;
    size_t g = 0;

    while (g < GROUPS - 1 && (groups[g].is_unsigned != is_unsigned || f->bits > groups[g].bits))
        g++;
    return g;
}

static void print_row(const fpx_format *f)
{
    const cli_format_facts facts = cli_format_facts_of(f);
    const char *const alias = fpx_format_alias(f);
    const int has_alias = strcmp(alias, f->name) != 0;
    char layout[16];

    if (f->cls == FPX_CLASS_FLOAT)
        (void)snprintf(layout, sizeof layout, "%s%u.%u",
                       (f->flags & FPX_FORMAT_UNSIGNED) != 0 ? "" : "1.", f->ebits, f->mbits);
    else
        (void)snprintf(layout, sizeof layout, "i%u", f->bits);
    (void)printf("  %-11s %7s %4d %12.6g %10.4g  %*s%s%s\n", f->name, layout, f->bias,
                 fpx_format_max(f), fpx_format_value(f, facts.least), has_alias ? -7 : 0,
                 cli_format_specials(f), has_alias ? "  " : "", has_alias ? alias : "");
}

static void print_list(void)
{
    (void)printf("  %-11s %7s %4s %12s %10s  %-7s  %s\n", "name", "s.e.m", "bias", "max", "least",
                 "special", "also");
    for (size_t g = 0; g < GROUPS; g++) {
        (void)printf("%s\n", groups[g].title);
        for (size_t i = 0; fpx_format_at(i) != NULL; i++) {
            if (group_of(fpx_format_at(i)) == g)
                print_row(fpx_format_at(i));
        }
    }
    (void)fputs("and by name\n"
                "  binary<K>p<P>[s|u][e|f]      IEEE P3109: K bits, precision P; signed or not,\n"
                "                               extended (with Inf) or finite\n"
                "  [u]e<E>m<M>[b<BIAS>][ieee|fn|fnuz|finite]    one's own, at most 16 bits\n",
                stdout);
}

static json_t *list_json(const fpx_format *one)
{
    json_t *const list = json_array();

    if (one != NULL)
        (void)json_array_append_new(list, cli_format_json(one));
    for (size_t i = 0; one == NULL && fpx_format_at(i) != NULL; i++)
        (void)json_array_append_new(list, cli_format_json(fpx_format_at(i)));
    return json_pack("{s:s, s:o}", "schema", "fpx.formats/1", "formats", list);
}

static int run(const cli_args *a)
{
    const char *const json = a->option[OPT_JSON];
    fpx_error err = { 0 };
    fpx_format one;
    fpx_status status = FPX_OK;

    cli_owe(a, "fpx.formats/1", json, NULL, "");
    if (a->npositional > 0)
        status = fpx_format_parse(a->positional[0], &one, &err);
    if (status == FPX_OK && json != NULL)
        status = cli_write_json(json, list_json(a->npositional > 0 ? &one : NULL), &err);
    if (status != FPX_OK)
        return cli_fail(&err);
    if (json != NULL && strcmp(json, "-") == 0)
        return EXIT_HOLDS;
    if (a->npositional > 0)
        cli_format_page(&one);
    else
        print_list();
    return EXIT_HOLDS;
}

const cli_verb verb_formats = {
    "formats",
    "[NAME] [--json FILE]",
    "number formats: bits, limits, and every value of a small one",
    "NAME: one of the list, an alias, binary8p4se of IEEE P3109, or one's own such as e3m4b5fn.\n"
    "example: fpx formats e4m3",
    options,
    0,
    1,
    run,
};
