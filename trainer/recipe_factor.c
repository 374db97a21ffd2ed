/* recipe_factor.c - the factor of a stored gradient's scale in the three modes that FP8-LM's authors have published. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/recipe.h>

/* paper: arXiv 2310.18313, section 2.1, its two changes read as factors. adaptive: MS-AMP's pull request 140 with the defaults
 * of pull request 21 of MS-AMP-Examples (wgrad-auto-scaling-freq, -ratio, -window). main: MS-AMP's main branch, a constant
 * 1 / sqrt(ranks). There is one rank: all three begin with 1 (paper's beginning is unstated: choice). */
static const struct mode {
    const char *name;
    fpx_factor_rule rule;
} modes[] = {
    { "paper", { 1, 1, 1000, 1e-5 } },
    { "adaptive", { 1, 10, 100, 1e-3 } },
    { "main", { 0, 0, 0, 0.0 } },
};

enum { MODES = sizeof modes / sizeof modes[0], MOST = 1 << 24 }; /* a float32 counts that far */

static int is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

/* "freq=10" */
static int change(const char *text, size_t length, fpx_factor_rule *rule)
{
    const char *const equals = memchr(text, '=', length);
    char *end = NULL;

    if (equals == NULL)
        return 0;
    const size_t name = (size_t)(equals - text);
    const double value = strtod(equals + 1, &end);
    const int whole = value >= 1.0 && value <= MOST && value == floor(value);
    if (end == equals + 1 || end != text + length)
        return 0;
    if (is_word(text, name, "ratio") && value >= 0.0 && value < 1.0)
        rule->ratio = value;
    else if (is_word(text, name, "freq") && whole)
        rule->every = (uint32_t)value;
    else if (is_word(text, name, "window") && whole)
        rule->window = (uint32_t)value;
    else
        return 0;
    return 1;
}

fpx_status fpx_factor_parse(const char *text, fpx_factor_rule *ret_factor, fpx_error *err)
{
    size_t length = strcspn(text, ","), i = 0;

    while (i < MODES && !is_word(text, length, modes[i].name))
        i++;
    if (i == MODES)
        return fpx_error_set(err, FPX_EINVAL, "'%s' is no factor; there is: paper, adaptive, main",
                             text);
    fpx_factor_rule rule = modes[i].rule;
    for (const char *at = text + length; *at != '\0'; at += length) {
        length = strcspn(++at, ",");
        if (!rule.tuned || !change(at, length, &rule))
            return fpx_error_set(err, FPX_EINVAL,
                                 "factor '%s': '%.*s' cannot be: paper and adaptive have freq=N, "
                                 "window=N (1 to %d), ratio=X (0 to 1), main has nothing",
                                 text, (int)length, at, MOST);
    }
    *ret_factor = rule;
    return FPX_OK;
}
