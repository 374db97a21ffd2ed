/* verb_formats.c - fpx formats: the formats there are, and every value of a small one. */
#include <inttypes.h>
#include <stdio.h>

#include <fpx/format.h>

#include "cli.h"

static const cli_option options[] = { { NULL, NULL, NULL } };

static void print_row(const fpx_format *f)
{
    const char *const specials[] = { "IEEE Inf, NaN", "NaN only", "none" };

    if (f->cls == FPX_CLASS_INT)
        return;
    (void)printf("%-6s %4u %4u/%-3u %5d %14.8g %14.4g  %-14s %s\n", f->name, f->bits, f->ebits,
                 f->mbits, f->bias, fpx_format_max(f), fpx_format_value(f, 1),
                 specials[f->specials], fpx_format_alias(f));
}

static void print_codes(const fpx_format *f)
{
    const int digits = (f->bits + 3) / 4;

    (void)printf("\nbits: sign 1, exponent %u, fraction %u\n", f->ebits, f->mbits);
    for (uint64_t code = 0; code < UINT64_C(1) << f->bits; code++)
        (void)printf("0x%0*" PRIx64 " %-14.9g%s", digits, code, fpx_format_value(f, code),
                     code % 4 == 3 ? "\n" : "");
}

static int run(const cli_args *a)
{
    const fpx_format *one = a->npositional ? fpx_format_find(a->positional[0]) : NULL;

    if (a->npositional && one == NULL)
        return cli_usage("formats", "no format '%s'; fpx formats lists them", a->positional[0]);
    (void)printf("%-6s %4s %8s %5s %14s %14s  %-14s %s\n", "name", "bits", "e/m", "bias", "max",
                 "min", "specials", "alias");
    for (size_t i = 0; fpx_format_at(i) != NULL; i++)
        if (one == NULL || fpx_format_equal(one, fpx_format_at(i)))
            print_row(fpx_format_at(i));
    if (one != NULL && one->bits <= 8)
        print_codes(one);
    return EXIT_HOLDS;
}

const cli_verb verb_formats = {
    "formats",
    "[NAME]",
    "number formats: bits, limits, and every value of a small one",
    "example: fpx formats e4m3",
    options,
    0,
    1,
    run,
};
