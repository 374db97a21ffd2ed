/* conversion_args.c - words to policies, from tables. */
#include "conversion_args.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/profile.h>

#include "cli.h"

/* In the order of the enumerations of fpx/convert.h. */
static const char *const rounds[] = { "rne", "rna", "rz", "ru", "rd", "ro", "sr", NULL };
static const char *const overflows[] = { "satfinite", "satpropagate", "none", NULL };
static const char *const variants[] = { "a", "b", "c", NULL };

static fpx_status find(const char *option, const char *word, const char *const *words,
                       uint8_t *ret_index, fpx_error *err)
{
    char all[96] = "";
    size_t length = 0;

    for (uint8_t i = 0; word != NULL && words[i] != NULL; i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret_index = i;
            return FPX_OK;
        }
        length += (size_t)snprintf(all + length, sizeof all - length, "%s%s", i > 0 ? ", " : "",
                                   words[i]);
    }
    return word == NULL
               ? FPX_OK
               : fpx_error_set(err, FPX_EINVAL, "%s '%.32s': one of %s", option, word, all);
}

/* What the profile has instead, as options. */
static void add_alternatives(const fpx_profile *profile, const fpx_conversion *asked, uint8_t round,
                             fpx_error *err)
{
    char text[sizeof err->text];
    char all[128] = "";
    size_t length = 0;

    for (uint8_t o = 0; overflows[o] != NULL; o++) {
        if (fpx_profile_offers(profile, &asked->format, o, round, NULL) == FPX_OK)
            length += (size_t)snprintf(all + length, sizeof all - length, "%s--overflow %s",
                                       length > 0 ? ", " : "", overflows[o]);
    }
    if (length == 0)
        return;
    (void)snprintf(text, sizeof text, "%s", err->text);
    (void)fpx_error_set(err, err->status, "%.300s; it has: %s", text, all);
}

/* A vendor's rules around what the words say: its own rounding where they name none. */
static fpx_status apply_profile(const cli_conversion_words *words, fpx_conversion *c,
                                fpx_error *err)
{
    const fpx_profile *const profile = fpx_profile_find(words->profile);
    const fpx_conversion asked = *c;
    char all[128] = "";
    size_t length = 0;

    if (profile == NULL) {
        for (size_t i = 0; fpx_profile_at(i) != NULL; i++)
            length += (size_t)snprintf(all + length, sizeof all - length, "%s%s", i > 0 ? ", " : "",
                                       fpx_profile_at(i)->name);
        return fpx_error_set(err, FPX_EINVAL, "--profile '%.32s': one of %s", words->profile, all);
    }
    fpx_status status = fpx_profile_apply(profile, &asked.format, asked.overflow, c);
    if (status == FPX_OK && words->round != NULL)
        c->round = asked.round;
    const fpx_status offers =
        fpx_profile_offers(profile, &asked.format, asked.overflow, c->round, err);
    if (offers != FPX_OK && err != NULL)
        add_alternatives(profile, &asked, c->round, err);
    return offers != FPX_OK ? offers : status;
}

/* A profile that is a vendor's product draws its own number of bits, in its own way; a standard leaves both open. */
static fpx_status check_random_bits(const cli_conversion_words *words, const fpx_conversion *c,
                                    uint64_t bits, fpx_error *err)
{
    static const char *const open[] = { "ocp", "p3109" };
    const fpx_profile *const profile = fpx_profile_find(words->profile);
    int is_open = profile == NULL;

    for (size_t i = 0; i < sizeof open / sizeof open[0] && !is_open; i++)
        is_open = strcmp(profile->name, open[i]) == 0;
    if (is_open || c->round != FPX_SR)
        return FPX_OK;
    if (words->sr_bits != NULL && bits != c->sr_bits)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "--sr-bits %s: --profile %s rounds to %s with %u random bits; leave "
                             "--sr-bits out",
                             words->sr_bits, profile->name, c->format.name, c->sr_bits);
    if (words->sr_variant != NULL && strcmp(words->sr_variant, variants[FPX_SR_A]) != 0)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "--sr-variant %s: --profile %s has %s alone; leave --sr-variant out",
                             words->sr_variant, profile->name, variants[FPX_SR_A]);
    return FPX_OK;
}

fpx_status cli_conversion_parse(const cli_conversion_words *words, fpx_conversion *ret_conversion,
                                fpx_error *err)
{
    fpx_conversion c = { 0 };
    uint64_t bits = 32;
    fpx_status status = fpx_format_parse(words->format, &c.format, err);

    if (status != FPX_OK && err != NULL &&
        (strncmp(words->format, "mx", 2) == 0 || strncmp(words->format, "nv", 2) == 0))
        return fpx_error_set(
            err, FPX_EINVAL,
            "--format %.32s: codes with a scale for each block are made by --block "
            "mx-ocp, nvfp4-te, ... (in C: fpx/block.h)",
            words->format);
    if (status == FPX_OK && c.format.cls == FPX_CLASS_INT)
        status = fpx_error_set(err, FPX_EINVAL, "--format %s: indices are not rounded to",
                               c.format.name);
    if (status == FPX_OK)
        status = find("--round", words->round, rounds, &c.round, err);
    if (status == FPX_OK)
        status = find("--overflow", words->overflow, overflows, &c.overflow, err);
    if (status == FPX_OK && words->profile != NULL)
        status = apply_profile(words, &c, err);
    if (status == FPX_OK)
        status = find("--sr-variant", words->sr_variant, variants, &c.sr_variant, err);
    if (status == FPX_OK && words->sr_bits != NULL)
        status = cli_number("--sr-bits", words->sr_bits, 1, 32, &bits, err);
    if (status == FPX_OK && words->profile != NULL)
        status = check_random_bits(words, &c, bits, err);
    if (status == FPX_OK && c.round != FPX_SR &&
        (words->sr_bits != NULL || words->sr_variant != NULL))
        status = fpx_error_set(err, FPX_EINVAL, "random bits need --round sr");
    if (status != FPX_OK)
        return status;
    if (c.round == FPX_SR && (words->sr_bits != NULL || c.sr_bits == 0))
        c.sr_bits = (uint8_t)bits; /* else the profile's */
    *ret_conversion = c;
    return FPX_OK;
}

const char *cli_round_name(const fpx_conversion *conversion)
{
    return rounds[conversion->round];
}

const char *cli_overflow_name(const fpx_conversion *conversion)
{
    return overflows[conversion->overflow];
}

const char *cli_sr_variant_name(const fpx_conversion *conversion)
{
    return variants[conversion->sr_variant];
}

fpx_status cli_scale_parse(const char *text, double *ret_scale, fpx_error *err)
{
    char *end = NULL;
    const double scale = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(scale) || !(scale > 0.0))
        return fpx_error_set(err, FPX_EINVAL, "--scale '%.32s': a finite number above 0", text);
    *ret_scale = scale;
    return FPX_OK;
}

void cli_scale_text(double scale, char ret_text[CLI_SCALE_TEXT])
{
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(ret_text, CLI_SCALE_TEXT, "%.*g", digits, scale);
        if (strtod(ret_text, NULL) == scale)
            return;
    }
}

int cli_is_safetensors(const char *path)
{
    static const char ending[] = ".safetensors";
    const size_t length = strlen(path);

    return length >= sizeof ending && strcmp(path + length + 1 - sizeof ending, ending) == 0;
}

fpx_status cli_check_kinds(const char *in, const char *out, fpx_error *err)
{
    if (cli_is_safetensors(in) == cli_is_safetensors(out))
        return FPX_OK;
    return fpx_error_set(err, FPX_EINVAL,
                         "%s and %s: .safetensors become .safetensors, all else is .npy", in, out);
}
