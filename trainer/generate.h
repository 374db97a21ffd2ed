/* generate.h - text by a forward program whose parameters are set: shared by a trainer's sample and a sampler. */
#ifndef TRAINER_GENERATE_H
#define TRAINER_GENERATE_H

#include <fpx/exec.h>
#include <fpx/model.h>
#include <fpx/sample.h>
#include <fpx/tokenizer.h>

typedef struct generator {
    fpx_exec *exec;
    const fpx_model *model;
    const fpx_tokenizer *tokenizer; /* NULL: bytes are the tokens */
    size_t sequence, batch;
    size_t vocabulary; /* of the model */
    int ends;          /* token 0 ends the text */
} generator;

/* As fpx_sampler_run. */
fpx_status generate(const generator *g, const void *prompt, size_t count,
                    const fpx_sampling *sampling, char **ret_text, size_t *ret_count,
                    fpx_error *err);

#endif /* TRAINER_GENERATE_H */
