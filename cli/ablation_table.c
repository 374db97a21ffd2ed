/* ablation_table.c - a row's verdict, and rows as lines. */
#include "ablation_table.h"

#include <math.h>
#include <string.h>

#include "results.h"

/* ---- verdicts ---- */
static const run_record *runs_of(const ablation_results *r, size_t rate, size_t arm)
{
    return r->runs + (rate * r->ablation->narms + arm) * r->ablation->seeds;
}

/* A value that is not finite has ended it, or its end is no better than knowing nothing. */
static int has_diverged(const fpx_ablation *a, const run_record *run)
{
    return run->finding[0] != '\0' || !(run->validation <= a->diverged_above);
}

static unsigned count_diverged(const fpx_ablation *a, const run_record *runs)
{
    unsigned n = 0;

    for (unsigned i = 0; i < a->seeds; i++)
        n += has_diverged(a, &runs[i]) ? 1 : 0;
    return n;
}

static void measure(const fpx_ablation *a, const run_record *runs, double *ret_values)
{
    for (unsigned i = 0; i < a->seeds; i++)
        ret_values[i] = a->measure == FPX_FLUSHED ? runs[i].flushed : runs[i].validation;
}

static size_t against_of(const fpx_ablation *a, const fpx_arm *arm)
{
    size_t i = 0;

    while (arm->against != NULL ? strcmp(a->arms[i].name, arm->against) != 0
                                : a->arms[i].kind != FPX_ARM_BASELINE)
        i++;
    return i;
}

ablation_row ablation_row_of(const ablation_results *r, size_t rate, size_t arm)
{
    const fpx_ablation *a = r->ablation;
    const size_t other = against_of(a, &a->arms[arm]);
    const run_record *theirs = runs_of(r, rate, other);
    ablation_row row = { .arm = &a->arms[arm],
                         .rate = r->rates[rate],
                         .runs = runs_of(r, rate, arm),
                         .reproduces = "" };
    double x[FPX_SEEDS_MAX], y[FPX_SEEDS_MAX];

    measure(a, row.runs, x);
    measure(a, theirs, y);
    mean_and_deviation(x, a->seeds, &row.mean, &row.deviation);
    for (unsigned i = 0; i < a->seeds; i++)
        row.flushed += row.runs[i].flushed / a->seeds;
    row.diverged = count_diverged(a, row.runs);
    if (other == arm)
        return row;
    row.against = &a->arms[other];
    row.difference = paired_difference(x, y, a->seeds);
    row.verdict = paired_verdict(&row.difference, a->margin);
    row.theirs = count_diverged(a, theirs);
    if (row.theirs > 0)
        row.verdict = VERDICT_INCONCLUSIVE;
    if (row.diverged > 0)
        row.verdict = VERDICT_DIVERGED;
    return row;
}

/* The verdict that each expectation takes for a yes; `open` and `no power` are neither yes nor no. */
static const char *reproduces(const ablation_row *row, unsigned seeds)
{
    if (row->arm->expect != FPX_EXPECT_NOTHING && row->theirs > 0 && row->diverged <= row->theirs)
        return "open"; /* what it is compared with is no better off */
    switch ((fpx_expectation)row->arm->expect) {
    case FPX_EXPECT_NOTHING:
        return "";
    case FPX_EXPECT_DIVERGES:
        if (row->verdict == VERDICT_DIVERGED)
            return row->diverged == seeds ? "yes" : "in part";
        break;
    case FPX_EXPECT_WORSE:
        if (row->verdict == VERDICT_DIVERGED)
            return row->diverged == seeds ? "yes" : "in part";
        if (row->verdict == VERDICT_WORSE)
            return "yes";
        break;
    case FPX_EXPECT_EQUAL:
        if (row->verdict == VERDICT_EQUAL)
            return "yes";
        break;
    case FPX_EXPECT_BETTER:
        if (row->verdict == VERDICT_BETTER)
            return "yes";
        break;
    }
    return row->verdict == VERDICT_NO_POWER       ? "no power"
           : row->verdict == VERDICT_INCONCLUSIVE ? "open"
                                                  : "no";
}

int ablation_power(ablation_row *rows, size_t n)
{
    int power = 1;

    for (size_t i = 0; i < n; i++)
        if (rows[i].arm->kind == FPX_ARM_CONTROL)
            power =
                power && (rows[i].verdict == VERDICT_WORSE || rows[i].verdict == VERDICT_DIVERGED);
    for (size_t i = 0; i < n; i++) {
        if (!power && rows[i].against != NULL && rows[i].verdict == VERDICT_EQUAL)
            rows[i].verdict = VERDICT_NO_POWER;
        rows[i].reproduces = reproduces(&rows[i], (unsigned)rows[i].difference.n);
    }
    return power;
}

static void verdict_text(const ablation_row *row, char *ret_text, size_t room)
{
    static const char *const words[] = { "equal",        "worse",    "better",
                                         "inconclusive", "diverged", "NO POWER" };

    if (row->against == NULL)
        (void)snprintf(ret_text, room, row->diverged ? "baseline, diverged %u" : "baseline",
                       row->diverged);
    else if (row->verdict == VERDICT_DIVERGED)
        (void)snprintf(ret_text, room, "diverged %u of %zu", row->diverged, row->difference.n);
    else
        (void)snprintf(ret_text, room, "%s", words[row->verdict]);
}

/* ---- as text ---- */
/* The longest name: the first column's width. */
static int name_width(const fpx_ablation *a)
{
    size_t width = 0;

    for (size_t i = 0; i < a->narms; i++)
        width = strlen(a->arms[i].name) > width ? strlen(a->arms[i].name) : width;
    return (int)width;
}

static void print_row(const ablation_results *r, const ablation_row *row, FILE *out)
{
    char difference[64] = "", said[48], against[FPX_ARM_NAME + 8] = "", rate[24] = "";

    verdict_text(row, said, sizeof said);
    if (row->against != NULL && isfinite(row->difference.mean))
        (void)snprintf(difference, sizeof difference, "%+.4f +- %.4f", row->difference.mean,
                       row->difference.half);
    if (row->arm->against != NULL)
        (void)snprintf(against, sizeof against, " (to %s)", row->arm->against);
    if (r->ablation->nrates > 0)
        (void)snprintf(rate, sizeof rate, "%-8g ", row->rate);
    (void)fprintf(out, "%-*s %s", name_width(r->ablation), row->arm->name, rate);
    if (isfinite(row->mean))
        (void)fprintf(out, "%8.4f", row->mean);
    else
        (void)fprintf(out, "%8s", "-");
    (void)fprintf(out, "  %-19s  %-20s", difference, said);
    if (r->ablation->flushed != NULL)
        (void)fprintf(out, " %6.2f %%", 100.0 * row->flushed);
    if (row->arm->expect != FPX_EXPECT_NOTHING)
        (void)fprintf(out, "  %-8s  %s", fpx_expectation_name((fpx_expectation)row->arm->expect),
                      row->reproduces);
    else if (row->against != NULL)
        (void)fprintf(out, "  %-8s  -", "-"); /* so that no name comes to stand there */
    (void)fprintf(out, "%s\n", against);
}

static void print_head(const ablation_results *r, FILE *out)
{
    const fpx_ablation *a = r->ablation;
    const fpx_experiment *e = r->experiment;

    (void)fprintf(out, "%s: ", a->name);
    if (a->measure == FPX_FLUSHED)
        (void)fprintf(out, "share of %s stored as 0 by the last step", a->flushed);
    else
        (void)fprintf(out, "validation, bits per %s", r->unit);
    (void)fprintf(out, " (lower is better)\n%u paired seeds, %u steps of %llu tokens each\n",
                  a->seeds, e->steps,
                  (unsigned long long)e->data.accumulate * e->data.batch * e->data.sequence);
    (void)fprintf(out,
                  "differences with their 95 %% interval; equal: within %g, two one-sided tests at "
                  "5 %%\ndiverged: a NaN or Inf, or above %g bits\n",
                  a->margin, a->diverged_above);
    (void)fprintf(out, "\n%-*s %s%8s  %-19s  %-20s%s  %-8s  %s\n", name_width(a), "arm",
                  a->nrates > 0 ? "rate     " : "", "mean", "difference", "verdict",
                  a->flushed != NULL ? "  flushed" : "", "claimed", "reproduces");
}

/* Every run of the rate, and of the lower ones, has an end. */
static void print_stable(const ablation_results *r, FILE *out)
{
    (void)fprintf(out, "\nhighest stable learning rate (no run diverged, nor at a lower one)\n");
    for (size_t i = 0; i < r->ablation->narms; i++) {
        size_t n = 0;

        while (n < r->nrates && count_diverged(r->ablation, runs_of(r, n, i)) == 0)
            n++;
        (void)fprintf(out, "%-*s ", name_width(r->ablation), r->ablation->arms[i].name);
        if (n == 0)
            (void)fprintf(out, "none\n");
        else
            (void)fprintf(out, "%g%s\n", r->rates[n - 1],
                          n == r->nrates ? ", the highest that was tried" : "");
    }
}

/* Words, in lines of at most 100 columns; those after the first are indented. */
static void print_wrapped(FILE *out, const char *text)
{
    enum { WIDTH = 100 };
    size_t column = 0;

    while (*text != '\0') {
        const size_t n = strcspn(text, " \n"), next = n + strspn(text + n, " \n");

        if (column > 0 && column + 1 + n > WIDTH)
            column = (size_t)fprintf(out, "\n   ") - 1;
        column += (size_t)fprintf(out, "%s%.*s", column > 0 ? " " : "", (int)n, text);
        text += next;
    }
    (void)fputc('\n', out);
}

static void print_claims(const fpx_ablation *a, FILE *out)
{
    char line[3 * 4096 + 64]; /* three of the file's texts, each of at most 4096 bytes */

    (void)fprintf(out, "\nclaims\n");
    for (size_t i = 0; i < a->narms; i++) {
        if (a->arms[i].claim == NULL)
            continue;
        (void)snprintf(line, sizeof line, "- %s: %s (%s)", a->arms[i].name, a->arms[i].claim,
                       a->arms[i].source);
        print_wrapped(out, line);
    }
    (void)snprintf(line, sizeof line, "margin: %s", a->margin_reason);
    print_wrapped(out, line);
}

void ablation_print(const ablation_results *r, FILE *out)
{
    ablation_row rows[FPX_ARMS_MAX];
    const size_t n = r->ablation->narms;

    print_head(r, out);
    for (size_t k = 0; k < r->nrates; k++) {
        for (size_t i = 0; i < n; i++)
            rows[i] = ablation_row_of(r, k, i);
        const int power = ablation_power(rows, n);

        if (k > 0)
            (void)fputc('\n', out);
        for (size_t i = 0; i < n; i++)
            print_row(r, &rows[i], out);
        if (!power)
            (void)fprintf(out,
                          "no power%s: a positive control was not seen to be bad, so that "
                          "'equal' would say nothing\n",
                          r->ablation->nrates > 0 ? " at this rate" : "");
    }
    if (r->ablation->nrates > 0)
        print_stable(r, out);
    print_claims(r->ablation, out);
}

/* ---- as JSON ---- */
static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

static json_t *row_json(const fpx_ablation *a, const ablation_row *row)
{
    json_t *validation = json_array(), *flushed = json_array(), *findings = json_array();
    char said[48];

    for (unsigned i = 0; i < a->seeds; i++) {
        (void)json_array_append_new(validation, cli_json_number(row->runs[i].validation));
        (void)json_array_append_new(flushed, cli_json_number(row->runs[i].flushed));
        (void)json_array_append_new(findings, json_string(row->runs[i].finding));
    }
    verdict_text(row, said, sizeof said);
    const int compared = row->against != NULL;
    return json_pack(
        "{s:s, s:s, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:s, s:s, s:o, s:o, s:s}",
        "arm", row->arm->name, "recipe", row->arm->recipe, "learning_rate", row->rate, "against",
        text_or_null(compared ? row->against->name : NULL), "validation", validation, "flushed",
        flushed, "findings", findings, "mean", cli_json_number(row->mean), "difference",
        compared ? cli_json_number(row->difference.mean) : json_null(), "half_95",
        compared ? cli_json_number(row->difference.half) : json_null(), "diverged",
        (int)row->diverged, "half_90",
        compared ? cli_json_number(row->difference.half_tost) : json_null(), "verdict", said,
        "expect", fpx_expectation_name((fpx_expectation)row->arm->expect), "claim",
        text_or_null(row->arm->claim), "source", text_or_null(row->arm->source), "reproduces",
        row->reproduces);
}

json_t *ablation_json(const ablation_results *r)
{
    const fpx_ablation *a = r->ablation;
    ablation_row rows[FPX_ARMS_MAX];
    json_t *list = json_array(), *powers = json_array();

    for (size_t k = 0; k < r->nrates; k++) {
        for (size_t i = 0; i < a->narms; i++)
            rows[i] = ablation_row_of(r, k, i);
        (void)json_array_append_new(powers, json_boolean(ablation_power(rows, a->narms)));
        for (size_t i = 0; i < a->narms; i++)
            (void)json_array_append_new(list, row_json(a, &rows[i]));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:f, s:s, s:f, s:o, s:o}", "schema",
                     "fpx.ablation/1", "ablation", a->name, "experiment", r->experiment->name,
                     "measure", a->measure == FPX_FLUSHED ? "flushed" : "validation", "seeds",
                     (int)a->seeds, "steps", (json_int_t)r->experiment->steps, "margin", a->margin,
                     "margin_reason", a->margin_reason, "diverged_above", a->diverged_above,
                     "power", powers, "rows", list);
}
