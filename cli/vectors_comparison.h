/* vectors_comparison.h - a verdict on a pair of matrix units, and how it is said: as text and as JSON. */
#ifndef CLI_VECTORS_COMPARISON_H
#define CLI_VECTORS_COMPARISON_H

#include <jansson.h>

#include <fpx/mma_separate.h>

/* One comparison. status: FPX_EUNSUPPORTED where the two have no input in common, and text says why. */
typedef struct vectors_comparison {
    const fpx_mma_preset *x, *y;
    const char *of; /* NULL: x's name */
    char what[256]; /* the other's name, or a mutant's field and value */
    fpx_status status;
    fpx_error err;
    fpx_mma_separation s;
} vectors_comparison;

/* Names of the first unit and of what came out: "equivalent", "separated", "unresolved", "refused". */
const char *vectors_first(const vectors_comparison *c);
const char *vectors_verdict(const vectors_comparison *c);

/* An object of "comparisons"; NULL: no memory. */
json_t *vectors_json(const vectors_comparison *c);

/* ---- vectors_page.c: on standard output ---- */
/* All of one that has a verdict, its input or proof with it; one line of a list. */
void vectors_print(const vectors_comparison *c);
void vectors_print_row(const vectors_comparison *c);

#endif /* CLI_VECTORS_COMPARISON_H */
