/* format_parse.c - formats that the table does not list: IEEE P3109's family and any (e, m, bias, specials),
 * made from their names. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <fpx/format.h>

fpx_status fpx_format_p3109(unsigned width, unsigned precision, int is_unsigned, int is_extended,
                            fpx_format *ret_format)
{
    fpx_format f = { .cls = FPX_CLASS_FLOAT };

    if (width < 3 || width > 15 || precision < 1 || precision > width)
        return FPX_EINVAL;

    const unsigned ebits = width - precision + (is_unsigned ? 1 : 0);
    const uint64_t all = (UINT64_C(1) << (is_unsigned ? width : width - 1)) - 1;
    if (ebits > 11)
        return FPX_EINVAL;
    char name[48] = { 0 }; /* room for any two numbers; these have two digits at most */
    (void)snprintf(name, sizeof name, "binary%up%u%c%c", width, precision, is_unsigned ? 'u' : 's',
                   is_extended ? 'e' : 'f');
    memcpy(f.name, name, sizeof f.name);
    f.bits = (uint8_t)width;
    f.ebits = (uint8_t)ebits;
    f.mbits = (uint8_t)(precision - 1);
    f.bias = (int16_t)(ebits > 0 ? 1 << (ebits - 1) : 0);
    if (is_unsigned) { /* NaN is the last code, Inf the one before it */
        f.flags = FPX_FORMAT_UNSIGNED;
        f.specials = is_extended ? FPX_SPECIALS_IEEE : FPX_SPECIALS_NAN_ONLY;
        f.max_code = all - (is_extended ? 2 : 1);
        f.nan_code = all;
    } else { /* NaN stands where -0 would */
        f.specials = is_extended ? FPX_SPECIALS_P3109 : FPX_SPECIALS_FNUZ;
        f.max_code = all - (is_extended ? 1 : 0);
        f.nan_code = all + 1;
    }
    if (!fpx_format_is_valid(&f))
        return FPX_EINVAL;
    *ret_format = f;
    return FPX_OK;
}

/* A decimal number of at most 4 digits, without leading zeros, at *at, which moves behind it; 0 where there is none. */
static int take_number(const char **at, const char *prefix, unsigned *ret_number)
{
    const size_t skip = strlen(prefix);
    const char *digit = *at + skip;
    unsigned number = 0;

    if (strncmp(*at, prefix, skip) != 0 || !isdigit((unsigned char)*digit) ||
        (digit[0] == '0' && isdigit((unsigned char)digit[1])))
        return 0;
    for (int n = 0; isdigit((unsigned char)*digit); n++, digit++) {
        if (n == 4)
            return 0;
        number = number * 10 + (unsigned)(*digit - '0');
    }
    *ret_number = number;
    *at = digit;
    return 1;
}

/* What is wrong with a name: NULL, nothing; NOT_THIS, it is of another kind. */
static const char NOT_THIS[] = "";

static const char *parse_p3109(const char *name, fpx_format *ret_format)
{
    unsigned width = 0;
    unsigned precision = 0;

    if (!take_number(&name, "binary", &width) || !take_number(&name, "p", &precision))
        return NOT_THIS;
    const char *const domain = *name == '\0' ? "se" : name;
    if ((domain[0] != 's' && domain[0] != 'u') || (domain[1] != 'e' && domain[1] != 'f') ||
        domain[2] != '\0')
        return "IEEE P3109's names end in se, sf, ue or uf";
    if (width < 3 || width > 15 || precision < 1 || precision > width)
        return "IEEE P3109's formats here have 3 to 15 bits and a precision of 1 to as many";
    if (fpx_format_p3109(width, precision, domain[0] == 'u', domain[1] == 'e', ret_format) !=
        FPX_OK)
        return "its values would leave the range of float64";
    return NULL;
}

/* What a suffix makes of the largest magnitude. */
static const struct {
    const char *suffix;
    uint8_t specials;
} endings[] = {
    { "", FPX_SPECIALS_IEEE },     { "ieee", FPX_SPECIALS_IEEE },   { "fn", FPX_SPECIALS_NAN_ONLY },
    { "fnuz", FPX_SPECIALS_FNUZ }, { "finite", FPX_SPECIALS_NONE },
};

static int finish(fpx_format *f, const char *suffix)
{
    const uint64_t all = (UINT64_C(1) << (f->ebits + f->mbits)) - 1;
    const uint64_t infinity = all - ((UINT64_C(1) << f->mbits) - 1);

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (strcmp(suffix, endings[i].suffix) != 0)
            continue;
        f->specials = endings[i].specials;
        switch (f->specials) {
        case FPX_SPECIALS_IEEE: /* the quiet NaN: the fraction's highest bit */
            f->max_code = infinity - 1;
            f->nan_code = infinity | (f->mbits > 0 ? UINT64_C(1) << (f->mbits - 1) : 0);
            break;
        case FPX_SPECIALS_NAN_ONLY:
            f->max_code = all - 1;
            f->nan_code = all;
            break;
        case FPX_SPECIALS_FNUZ:
            f->max_code = all;
            f->nan_code = all + 1;
            break;
        default:
            f->max_code = all;
            break;
        }
        return 1;
    }
    return 0;
}

static const char *parse_fields(const char *name, fpx_format *ret_format)
{
    fpx_format f = { .cls = FPX_CLASS_FLOAT };
    const char *at = name;
    unsigned ebits = 0;
    unsigned mbits = 0;
    unsigned bias = 0;

    if (*at == 'u') {
        f.flags = FPX_FORMAT_UNSIGNED;
        at++;
    }
    if (!take_number(&at, "e", &ebits) || !take_number(&at, "m", &mbits))
        return NOT_THIS;
    if (strlen(name) >= sizeof f.name)
        return "names have at most 15 characters";
    memcpy(f.name, name, strlen(name));
    const unsigned bits = ebits + mbits + (f.flags == 0);
    if (bits < 2 || bits > 16)
        return "2 to 16 bits are possible, the sign included";
    f.ebits = (uint8_t)ebits;
    f.mbits = (uint8_t)mbits;
    f.bits = (uint8_t)bits;
    if (!take_number(&at, "b", &bias)) {
        bias = ebits > 0 ? 1u << (ebits - 1) : 0;
        bias -= bias > 0 && strcmp(at, "fnuz") != 0;
    }
    f.bias = (int16_t)bias;
    if (!finish(&f, at))
        return "it may end in ieee, fn, fnuz or finite";
    if (!fpx_format_is_valid(&f))
        return "its fields do not fit together: ieee (also without an ending) takes a fraction bit "
               "and "
               "an exponent bit, and all values must lie in float64's range";
    *ret_format = f;
    return NULL;
}

fpx_status fpx_format_parse(const char *name, fpx_format *ret_format, fpx_error *err)
{
    const fpx_format *const known = fpx_format_find(name);

    if (known != NULL) {
        *ret_format = *known;
        return FPX_OK;
    }
    const char *wrong = parse_p3109(name, ret_format);
    if (wrong == NOT_THIS)
        wrong = parse_fields(name, ret_format);
    if (wrong == NULL)
        return FPX_OK;
    if (wrong != NOT_THIS)
        return fpx_error_set(err, FPX_EINVAL,
                             "no format '%.48s': %s (`fpx formats --help` says more)", name, wrong);
    return fpx_error_set(
        err, FPX_EINVAL,
        "no format '%.48s': a name of `fpx formats`, binary<K>p<P><s|u><e|f> (IEEE P3109), or "
        "[u]e<E>m<M>[b<BIAS>][ieee|fn|fnuz|finite] of at most 16 bits",
        name);
}
