/* nearest.c - "no such name" with the names that were perhaps meant. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

enum { NEAREST = 3, LENGTH = 64 };

/* Letters to insert, remove or exchange (Levenshtein), of the first LENGTH - 1; wildcards cost nothing. */
static size_t distance(const char *pattern, const char *name)
{
    size_t row[LENGTH];
    const size_t n = strnlen(name, LENGTH - 1);

    for (size_t k = 0; k <= n; k++)
        row[k] = k;
    for (const char *c = pattern; *c != '\0'; c++) {
        const int free_of_cost = *c == '*' || *c == '?';
        size_t diagonal = row[0];

        row[0] += !free_of_cost;
        for (size_t k = 1; k <= n; k++) {
            size_t best = diagonal + (name[k - 1] != *c && !free_of_cost);

            if (row[k] + !free_of_cost < best)
                best = row[k] + !free_of_cost;
            if (row[k - 1] + (*c != '*') < best)
                best = row[k - 1] + (*c != '*');
            diagonal = row[k];
            row[k] = best;
        }
    }
    return row[n];
}

void cli_nearest(const char *pattern, const char *(*name_at)(const void *of, size_t i),
                 const void *of, size_t n, char *ret_text, size_t room)
{
    const char *best[NEAREST] = { NULL };
    size_t far[NEAREST] = { 0 }, used = 0;

    for (size_t i = 0; i < n; i++) {
        const char *name = name_at(of, i);
        size_t d = distance(pattern, name);

        for (size_t k = 0; k < NEAREST; k++)
            if (best[k] == NULL || d < far[k]) {
                const char *pushed = best[k];
                const size_t was = far[k];

                best[k] = name;
                far[k] = d;
                if (pushed == NULL)
                    break;
                name = pushed;
                d = was;
            }
    }
    ret_text[0] = '\0';
    for (size_t k = 0; k < NEAREST && best[k] != NULL && used < room; k++)
        used += (size_t)snprintf(ret_text + used, room - used, "%s%s", k ? ", " : "", best[k]);
}
