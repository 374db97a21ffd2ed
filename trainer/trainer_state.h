/* trainer_state.h - what a trainer owns: shared by trainer.c, evaluate.c and checkpoint.c. */
#ifndef TRAINER_STATE_H
#define TRAINER_STATE_H

#include <fpx/train.h>

struct fpx_trainer {
    const fpx_experiment *experiment;
    const fpx_recipe *recipe;
    fpx_device **devices;
    size_t ndevices;
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
    char start
        [9]; /* of parameters that were imported, their digest's first digits; "": the seed's */
};

/* The forward program with today's parameters in eval_model and eval_exec. */
fpx_status trainer_prepare_evaluation(fpx_trainer *t, fpx_error *err);

/* The histories as they are now are those before the step. */
void trainer_keep_histories(fpx_trainer *t);

/* n fp32 values into a parameter as it is stored: fp32, or codes of these with their scale. */
fpx_status trainer_store_values(fpx_trainer *t, uint32_t index, const float *values, size_t n);

#endif /* TRAINER_STATE_H */
