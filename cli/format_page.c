/* format_page.c - draws a format: its bits, its limits, its codes. Every figure is computed from the descriptor. */
#include "format_page.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "results.h"

enum {
    WIDE = 16,
    LISTED = 8
}; /* bits: drawn one by one up to WIDE, every code shown up to LISTED */

static int is_signed(const fpx_format *f)
{
    return (f->flags & FPX_FORMAT_UNSIGNED) == 0;
}

cli_format_facts cli_format_facts_of(const fpx_format *f)
{
    const uint64_t signs = is_signed(f) ? 2 : 1;
    const uint64_t all = f->bits < 64 ? UINT64_C(1) << f->bits : 0;
    cli_format_facts facts = { .has_zero = (f->flags & FPX_FORMAT_NO_ZERO) == 0, .finite = all };

    facts.least = facts.has_zero ? 1 : 0;
    facts.normal = facts.least;
    if (f->cls != FPX_CLASS_FLOAT)
        return facts;
    if (facts.has_zero && f->ebits > 0)
        facts.normal = UINT64_C(1) << f->mbits;
    else if (facts.has_zero)
        facts.normal = f->max_code + 1;
    facts.finite = signs * (f->max_code + 1);
    if (f->specials == FPX_SPECIALS_FNUZ || f->specials == FPX_SPECIALS_P3109)
        facts.finite--; /* NaN stands where -0 would */
    if (f->specials == FPX_SPECIALS_IEEE || f->specials == FPX_SPECIALS_P3109) {
        facts.infinities = signs;
        facts.infinity = f->max_code + 1;
    }
    facts.nans = all - facts.finite - facts.infinities;
    return facts;
}

const char *cli_format_specials(const fpx_format *f)
{
    static const char *const names[] = { "Inf NaN", "NaN", "-", "NaN", "Inf NaN" };

    return names[f->specials];
}

/* The three fields, highest bits first. */
typedef struct field {
    const char *name, *letter;
    int bits;
} field;

static size_t fields_of(const fpx_format *f, field ret_fields[3])
{
    size_t n = 0;

    if (f->cls != FPX_CLASS_FLOAT) {
        ret_fields[n++] = (field){ "two's complement", "i", f->bits };
        return n;
    }
    if (is_signed(f))
        ret_fields[n++] = (field){ "sign", "s", 1 };
    if (f->ebits > 0)
        ret_fields[n++] = (field){ "exponent", "e", f->ebits };
    if (f->mbits > 0)
        ret_fields[n++] = (field){ "fraction", "m", f->mbits };
    return n;
}

/* Columns that a field takes in the box, without its right edge. */
static int columns_of(const fpx_format *f, const field *part)
{
    if (f->bits <= WIDE)
        return 4 * part->bits - 1;
    return part->bits == 1 ? 3 : (part->bits <= 16 ? 19 : 35);
}

static void draw_edge(const fpx_format *f, const field *fields, size_t n)
{
    (void)printf("  +");
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < columns_of(f, &fields[i]); k++)
            (void)putchar('-');
        (void)putchar('+');
    }
    (void)putchar('\n');
}

/* Text in the middle of so many columns. */
static void draw_middle(const char *text, int columns)
{
    const int left = (columns - (int)strlen(text)) / 2;

    (void)printf("%*s%-*s", left > 0 ? left : 0, "", columns - (left > 0 ? left : 0), text);
}

/* The numbers of all bits, or of each field's first and last; no blanks at the end of the line. */
static void draw_numbers(const fpx_format *f, const field *fields, size_t n)
{
    int bit = f->bits - 1;

    (void)printf("\n   ");
    for (size_t i = 0; i < n; i++) {
        const int columns = columns_of(f, &fields[i]);
        const int last = bit - fields[i].bits + 1;
        if (f->bits <= WIDE) {
            for (int k = bit; k >= last; k--)
                (void)printf(k == 0 ? "%2d" : "%2d  ", k);
        } else if (fields[i].bits == 1) {
            (void)printf("%2d  ", bit);
        } else {
            const int length = printf("%2d%*d", bit, columns - 3, last);
            (void)printf("%*s", last == 0 ? 0 : columns + 1 - length, "");
        }
        bit = last - 1;
    }
    (void)putchar('\n');
}

static void draw_box(const fpx_format *f)
{
    field fields[3];
    const size_t n = fields_of(f, fields);
    char text[40];

    draw_numbers(f, fields, n);
    draw_edge(f, fields, n);
    (void)printf("  |");
    for (size_t i = 0; i < n; i++) {
        if (f->bits <= WIDE) {
            for (int k = 0; k < fields[i].bits; k++)
                (void)printf(k + 1 < fields[i].bits ? " %s  " : " %s ", fields[i].letter);
        } else {
            (void)snprintf(text, sizeof text, "%s", fields[i].bits == 1 ? "s" : fields[i].name);
            draw_middle(text, columns_of(f, &fields[i]));
        }
        (void)putchar('|');
    }
    (void)putchar('\n');
    draw_edge(f, fields, n);
    (void)printf("   ");
    for (size_t i = 0; i < n; i++)
        (void)printf("%s%s %d", i > 0 ? ", " : "", fields[i].name, fields[i].bits);
    (void)printf(f->cls == FPX_CLASS_FLOAT && f->ebits > 0 ? ", bias %d\n" : "\n", f->bias);
}

/* A value as m * 2^q, m odd: "2^-9", "7 * 2^6". Exact, and short where decimal digits are not. */
static void power_text(double value, char *ret_text, size_t room)
{
    int e = 0;
    double m = frexp(value, &e);

    while (m != floor(m)) {
        m *= 2.0;
        e--;
    }
    if (m == 1.0)
        (void)snprintf(ret_text, room, "2^%d", e);
    else
        (void)snprintf(ret_text, room, "%.17g * 2^%d", m, e);
}

static void print_value(const fpx_format *f, const char *name, uint64_t code)
{
    char power[48];

    power_text(fpx_format_value(f, code), power, sizeof power);
    (void)printf("  %-13s 0x%0*" PRIx64 "  %.17g", name, (f->bits + 3) / 4, code,
                 fpx_format_value(f, code));
    (void)printf(f->bits <= 32 ? " = %s\n" : "\n", power);
}

static void print_formula(const fpx_format *f, const cli_format_facts *facts)
{
    const char *const sign = is_signed(f) ? "(-1)^s * " : "";

    (void)putchar('\n');
    if (f->cls == FPX_CLASS_FIXED) {
        (void)printf("  value = i / %u\n", 1u << f->mbits);
    } else if (f->cls == FPX_CLASS_INT) {
        (void)printf("  value = i\n");
    } else if (f->ebits == 0) {
        (void)printf("  value = %sm * 2^%d\n", sign, 1 - f->bias - f->mbits);
    } else {
        (void)printf("  value = %s2^(e %c %d)%s", sign, f->bias < 0 ? '+' : '-',
                     f->bias < 0 ? -f->bias : f->bias, f->mbits > 0 ? " * 1.m" : "");
        if (facts->has_zero && f->mbits > 0)
            (void)printf(",  where e = 0: %s0.m * 2^%d\n", sign, 1 - f->bias);
        else
            (void)printf(facts->has_zero ? ",  where e = 0: 0\n" : "\n");
    }
}

static void print_specials(const fpx_format *f, const cli_format_facts *facts)
{
    const int digits = (f->bits + 3) / 4;
    const uint64_t sign = is_signed(f) ? UINT64_C(1) << (f->bits - 1) : 0;

    if (f->cls != FPX_CLASS_FLOAT)
        return;
    (void)printf("  %-13s ", "Inf");
    if (facts->infinities == 0)
        (void)printf("none\n");
    else if (facts->infinities == 1)
        (void)printf("0x%0*" PRIx64 "\n", digits, facts->infinity);
    else
        (void)printf("0x%0*" PRIx64 ", 0x%0*" PRIx64 "\n", digits, facts->infinity, digits,
                     facts->infinity | sign);
    (void)printf("  %-13s ", "NaN");
    if (facts->nans == 0)
        (void)printf("none\n");
    else if (facts->nans == 1)
        (void)printf("0x%0*" PRIx64 "\n", digits, f->nan_code);
    else
        (void)printf("0x%0*" PRIx64 ", 0x%0*" PRIx64 "%s\n", digits, f->nan_code, digits,
                     f->nan_code | sign, facts->nans > 2 ? "; all above Inf are NaN" : "");
}

static void print_limits(const fpx_format *f, const cli_format_facts *facts)
{
    const double largest = fpx_format_max(f);

    print_value(f, "largest", f->max_code);
    if (f->cls == FPX_CLASS_FLOAT && facts->normal <= f->max_code && facts->normal != facts->least)
        print_value(f, "least normal", facts->normal);
    print_value(f, "least", facts->least);
    if (f->cls == FPX_CLASS_FLOAT) {
        const double low =
            fpx_format_value(f, facts->normal <= f->max_code ? facts->normal : facts->least);
        (void)printf("  %-13s 2^%d .. 2^%d%s\n", "binades", ilogb(low), ilogb(largest),
                     facts->normal > facts->least ? ", and the subnormal ones" : "");
        (void)printf("  %-13s %u bit%s: nearest errs by at most 2^-%u of a normal value\n",
                     "precision", f->mbits + 1u, f->mbits > 0 ? "s" : "", f->mbits + 1u);
    }
    print_specials(f, facts);
    if (f->bits < 64)
        (void)printf("  %-13s %" PRIu64 " of %" PRIu64 "%s\n", "finite codes", facts->finite,
                     UINT64_C(1) << f->bits,
                     f->specials < FPX_SPECIALS_FNUZ && is_signed(f) && f->cls == FPX_CLASS_FLOAT
                         ? ", 0 and -0 among them"
                         : "");
}

enum { TEXT_ROOM = 32, CELL = 16 };

/* The exact value in at most CELL characters: in decimal where that is enough. */
static void value_text(double value, char ret_text[TEXT_ROOM])
{
    if (!isfinite(value)) {
        (void)snprintf(ret_text, TEXT_ROOM, "%s", isnan(value) ? "NaN" : "Inf");
        return;
    }
    const int length = snprintf(ret_text, TEXT_ROOM, "%.12g", value);
    if (length > CELL || strchr(ret_text, 'e') != NULL || strtod(ret_text, NULL) != value)
        power_text(value, ret_text, TEXT_ROOM);
}

/* Rows of codes 0 .. of sign 0; what the others are is said in a line. */
static void print_codes(const fpx_format *f)
{
    const uint64_t n = UINT64_C(1) << (f->bits - (is_signed(f) ? 1 : 0));
    const uint64_t across = n < 4 ? n : 4;
    char text[TEXT_ROOM];

    (void)printf("\n        ");
    for (uint64_t k = 0; k < across; k++)
        (void)printf(k + 1 < across ? "  +%-14" PRIu64 " " : "  +%" PRIu64, k);
    for (uint64_t code = 0; code < n; code++) {
        const double value = fpx_format_value(f, code);
        if (code % across == 0)
            (void)printf("\n  0x%0*" PRIx64 "%*s", (f->bits + 3) / 4, code, f->bits > 4 ? 2 : 3,
                         "");
        value_text(value, text);
        if (code % across + 1 < across)
            (void)printf("  %-16s", text);
        else
            (void)printf("  %s", text);
    }
    (void)putchar('\n');
    if (f->cls != FPX_CLASS_FLOAT)
        (void)printf("  0x%" PRIx64 " + c is c's value - %g; 0x%" PRIx64
                     " is read, never written\n",
                     n, ldexp(1.0, f->bits - 1 - f->mbits), n);
    else if (is_signed(f))
        (void)printf("  0x%" PRIx64 " + c is the negative of c%s\n", n,
                     f->specials >= FPX_SPECIALS_FNUZ ? ", but itself is NaN" : "");
}

void cli_format_page(const fpx_format *f)
{
    const cli_format_facts facts = cli_format_facts_of(f);
    const char *const alias = fpx_format_alias(f);

    (void)printf("%s: %u bits%s%s\n", f->name, f->bits, strcmp(alias, f->name) ? ", " : "",
                 strcmp(alias, f->name) ? alias : "");
    draw_box(f);
    print_formula(f, &facts);
    print_limits(f, &facts);
    if (f->bits <= LISTED)
        print_codes(f);
}

static json_t *code_json(const fpx_format *f, uint64_t code)
{
    char text[24];

    (void)snprintf(text, sizeof text, "0x%0*" PRIx64, (f->bits + 3) / 4, code);
    return json_pack("{s:s, s:o}", "code", text, "value",
                     cli_json_number(fpx_format_value(f, code)));
}

json_t *cli_format_json(const fpx_format *f)
{
    static const char *const specials[] = { "ieee", "nan-only", "none", "fnuz", "p3109" };
    static const char *const classes[] = { "float", "integer", "fixed" };
    const cli_format_facts facts = cli_format_facts_of(f);
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:i, s:b, s:i, s:i, s:i, s:s, s:o, s:o}", "name", f->name,
                  "alias", fpx_format_alias(f), "class", classes[f->cls], "bits", f->bits, "signed",
                  is_signed(f), "exponent_bits", f->ebits, "fraction_bits", f->mbits, "bias",
                  f->bias, "specials", specials[f->specials], "max", code_json(f, f->max_code),
                  "least", code_json(f, facts.least));

    if (f->cls == FPX_CLASS_FLOAT && facts.normal <= f->max_code)
        (void)json_object_set_new(root, "least_normal", code_json(f, facts.normal));
    if (facts.infinities > 0)
        (void)json_object_set_new(root, "inf", code_json(f, facts.infinity));
    if (facts.nans > 0)
        (void)json_object_set_new(root, "nan", code_json(f, f->nan_code));
    if (f->bits <= 32) {
        (void)json_object_set_new(root, "finite_codes", json_integer((json_int_t)facts.finite));
        (void)json_object_set_new(root, "nan_codes", json_integer((json_int_t)facts.nans));
        (void)json_object_set_new(root, "inf_codes", json_integer((json_int_t)facts.infinities));
    }
    if (f->bits <= LISTED) {
        json_t *const values = json_array();
        for (uint64_t code = 0; code < UINT64_C(1) << f->bits; code++)
            (void)json_array_append_new(values, cli_json_number(fpx_format_value(f, code)));
        (void)json_object_set_new(root, "values", values);
    }
    return root;
}
