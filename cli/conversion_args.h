/* conversion_args.h - the words of the command line that name a conversion: DESIGN.md's names. */
#ifndef CLI_CONVERSION_ARGS_H
#define CLI_CONVERSION_ARGS_H

#include <fpx/convert.h>

/* As given; NULL: absent, and the default holds: rne, satfinite, 32 bits, variant a, or the profile's. */
typedef struct cli_conversion_words {
    const char *format; /* needed */
    const char *profile;
    const char *round, *overflow, *sr_bits, *sr_variant;
} cli_conversion_words;

/* FPX_EINVAL with text: an unknown word, or random bits without `sr`. FPX_EUNSUPPORTED: the profile does not offer
 * this; the text says what there is instead. */
fpx_status cli_conversion_parse(const cli_conversion_words *words, fpx_conversion *ret_conversion,
                                fpx_error *err);

/* "rne", "satfinite", "a". */
const char *cli_round_name(const fpx_conversion *conversion);
const char *cli_overflow_name(const fpx_conversion *conversion);
const char *cli_sr_variant_name(const fpx_conversion *conversion);

/* A finite number above 0. FPX_EINVAL. */
fpx_status cli_scale_parse(const char *text, double *ret_scale, fpx_error *err);

/* The shortest text that cli_scale_parse takes back to the same number. */
enum { CLI_SCALE_TEXT = 32 };
void cli_scale_text(double scale, char ret_text[CLI_SCALE_TEXT]);

/* Is this a .safetensors file by its name? */
int cli_is_safetensors(const char *path);

/* FPX_EINVAL where one is .safetensors and the other is not. "-" is .npy. */
fpx_status cli_check_kinds(const char *in, const char *out, fpx_error *err);

#endif /* CLI_CONVERSION_ARGS_H */
