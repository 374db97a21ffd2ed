/* trainer_state.h - what a trainer owns: shared by trainer.c, evaluate.c and checkpoint.c. */
#ifndef TRAINER_STATE_H
#define TRAINER_STATE_H

#include <fpx/train.h>

/* Margins of pairs: how many, their sum, and how many are above 0. */
typedef struct pair_count {
    double sum;
    size_t n, right;
} pair_count;

struct fpx_trainer {
    const fpx_experiment *experiment;
    const fpx_recipe *recipe;
    fpx_device **devices;
    size_t ndevices;
    unsigned plan; /* FPX_PLAN_ONLY: there are no values; else 0 */
    fpx_corpus *corpus;
    fpx_model *model;
    fpx_exec *exec;
    fpx_model *eval_model; /* forward pass only, made when first needed */
    fpx_exec *eval_exec;
    uint64_t next_step;
    uint32_t next_micro; /* of it */
    char *histories;     /* of scales, as they were before the step; fp32 */
    size_t histories_bytes;
    int reading; /* the observer that fills loss and norm is attached */
    float loss, norm;
    pair_count pairs; /* of the step so far */
    float *reference; /* preference.c; NULL where there are no preferences */
    size_t prepared;  /* batches of it */
    char start
        [9]; /* of parameters that were imported, their digest's first digits; "": the seed's */
};

/* The forward program with today's parameters in eval_model and eval_exec. */
fpx_status trainer_prepare_evaluation(fpx_trainer *t, fpx_error *err);

/* The histories as they are now are those before the step. */
void trainer_keep_histories(fpx_trainer *t);

/* n fp32 values into a parameter as it is stored: fp32, or codes of these with their scale. */
fpx_status trainer_store_values(fpx_trainer *t, uint32_t index, const float *values, size_t n);

/* ---- preference.c ---- */
/* Room for the reference, where the experiment has preferences. FPX_ENOMEM. */
fpx_status preference_new(fpx_trainer *t, fpx_error *err);
/* Log-probabilities of all its batches: those of training, then those of validation; 0 without preferences. */
size_t preference_count(const fpx_trainer *t);
/* All of it that is not there yet. */
fpx_status preference_finish(fpx_trainer *t, fpx_error *err);
/* Those of a batch into the program's input, where it has one; batch counts as above. */
void preference_write(const fpx_trainer *t, size_t batch, fpx_exec *exec, uint32_t input);
/* The margins of a batch. */
void preference_add(pair_count *count, const fpx_model *model, const float *margin);
fpx_preference preference_of(const pair_count *count);

#endif /* TRAINER_STATE_H */
