/* format_page.h - one format for a person, and for a program. */
#ifndef CLI_FORMAT_PAGE_H
#define CLI_FORMAT_PAGE_H

#include <jansson.h>
#include <stdint.h>

#include <fpx/format.h>

/* What can be counted and named of a format. Magnitudes are codes with sign 0. */
typedef struct cli_format_facts {
    int has_zero;
    uint64_t least;                    /* magnitude of the least value above 0 */
    uint64_t normal;                   /* of the least normal one; above max_code: there is none */
    uint64_t finite, infinities, nans; /* codes of each kind; of fp64 modulo 2^64 */
    uint64_t infinity;                 /* magnitude of +Inf, where there is one */
} cli_format_facts;

cli_format_facts cli_format_facts_of(const fpx_format *format);

/* "Inf NaN", "NaN", "-". */
const char *cli_format_specials(const fpx_format *format);

/* Bit box, limits, special codes, every value where there are at most 256 codes: 80 columns, standard output. */
void cli_format_page(const fpx_format *format);

/* NULL: out of memory. */
json_t *cli_format_json(const fpx_format *format);

#endif /* CLI_FORMAT_PAGE_H */
