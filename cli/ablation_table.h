/* ablation_table.h - from the results of an ablation's runs to verdicts, as a table for people and as JSON. */
#ifndef CLI_ABLATION_TABLE_H
#define CLI_ABLATION_TABLE_H

#include <jansson.h>
#include <stdio.h>

#include <fpx/ablation.h>
#include <fpx/config.h>

#include "paired.h"
#include "run_store.h"

typedef struct ablation_results {
    const fpx_ablation *ablation;
    const fpx_experiment *experiment;
    const char *unit;    /* of validation: "byte", "token" */
    const double *rates; /* [nrates]: the experiment's alone where the file has none */
    size_t nrates;
    run_record *runs; /* [nrates][arms][seeds] */
} ablation_results;

/* One arm at one learning rate. */
typedef struct ablation_row {
    const fpx_arm *arm, *against; /* against NULL: it is the baseline */
    double rate;
    const run_record *runs; /* [seeds] */
    double mean, deviation; /* of the measure */
    double flushed;         /* mean share */
    unsigned diverged;      /* runs */
    unsigned theirs;        /* runs of `against` that did */
    paired difference;      /* to `against` */
    verdict verdict;
    const char
        *reproduces; /* the claim: "yes", "no", "in part", "open", "no power"; "": there is none */
} ablation_row;

/* Of arm and rate, all but `no power`, which needs the controls' rows: those of a rate are given to ablation_power. */
ablation_row ablation_row_of(const ablation_results *r, size_t rate, size_t arm);

/* rows: [arms] of one rate. Whether every positive control is worse than what it is compared with, or diverged; where
 * not, `equal` becomes `no power`. Fills in `reproduces`. */
int ablation_power(ablation_row *rows, size_t n);

void ablation_print(const ablation_results *r, FILE *out);
json_t *ablation_json(const ablation_results *r); /* schema fpx.ablation/1; NULL: out of memory */

#endif /* CLI_ABLATION_TABLE_H */
