/* fpx/train.h - the trainer: a model, its data and its optimizer, one step at a time. */
#ifndef FPX_TRAIN_H
#define FPX_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/config.h>
#include <fpx/device.h>
#include <fpx/exec.h>
#include <fpx/model.h>
#include <fpx/status.h>
#include <fpx/tokenizer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- data ---- */
typedef struct fpx_corpus fpx_corpus;

/* Opens the tokens (a text's bytes, a text through data.tokenizer, or data.tokens, which stays mapped and must not be
 * cut meanwhile), checks the sha256 where the experiment gives one and that the vocabulary has every token, and draws
 * the order of the windows from the seed. Windows of sequence + 1 tokens overlap by the one that is only a target,
 * so no token is an input twice. FPX_EIO: cannot be read; FPX_EFORMAT: other sha256, no tokens or no tokenizer;
 * FPX_EINVAL: a token beyond the vocabulary, or too short for one batch of training and one of validation. */
fpx_status fpx_corpus_new(const fpx_experiment *experiment, fpx_corpus **ret_corpus,
                          fpx_error *err);
void fpx_corpus_free(fpx_corpus *corpus); /* NULL is fine */

size_t fpx_corpus_tokens(const fpx_corpus *corpus);
size_t fpx_corpus_bytes(const fpx_corpus *corpus); /* that its tokens take in memory */
/* Of its tokens, and of where records begin and are answered: 64 hexadecimal digits that stay as long as the corpus. */
const char *fpx_corpus_digest(const fpx_corpus *corpus);
const fpx_tokenizer *fpx_corpus_tokenizer(const fpx_corpus *corpus); /* NULL: none */
size_t fpx_corpus_train_steps(const fpx_corpus *corpus); /* batches before a token would repeat */
size_t fpx_corpus_valid_batches(const fpx_corpus *corpus);

/* Batch `index` of training (step * accumulate + micro-batch) or validation: tokens and targets int32[batch * sequence]; the
 * target of a position is the next token. Of data.kind instruct a sequence is one record: prompt, response and token 0,
 * then zeros; what is no token of the response, nor its end, is no target (-1). Of data.kind preference sequences 2i and
 * 2i + 1 are of one record, with its chosen and its rejected response. index must be below the counts above. */
void fpx_corpus_train(const fpx_corpus *corpus, size_t index, int32_t *tokens, int32_t *targets);
void fpx_corpus_valid(const fpx_corpus *corpus, size_t index, int32_t *tokens, int32_t *targets);

/* Learning rate of a step (0-based) of an experiment, in float64. */
double fpx_learning_rate(const fpx_experiment *experiment, uint64_t step);

/* ---- training ---- */
typedef struct fpx_trainer fpx_trainer;

/* Builds the training program and its executor on these devices (fpx_exec_new's order), initial weights
 * from the seed. keep: enum fpx_exec_keep; with FPX_PLAN_ONLY there are no weights, the machine may be smaller than the
 * model, and only fpx_trainer_model, _exec and _memory may be asked. experiment, recipe, devices must outlive the trainer.
 * FPX_ENOMEM: also where parameters and moments are larger than the machine's memory, with text.
 * FPX_EINVAL: also where steps * accumulate * batch * sequence would repeat a token; the text says how many steps the
 * corpus gives. */
fpx_status fpx_trainer_new(const fpx_experiment *experiment, const fpx_recipe *recipe,
                           fpx_device *const *devices, size_t ndevices, unsigned keep,
                           fpx_trainer **ret_trainer, fpx_error *err);
void fpx_trainer_free(fpx_trainer *trainer); /* NULL is fine */

/* Before the first step: all parameters from a checkpoint of fpx train (a file, or a folder: its newest; of any
 * experiment and recipe with this model), or from a .safetensors file with the names of Llama's checkpoints (F32, F16,
 * BF16; heads, norm_eps and rope_base are the experiment's to say). FPX_EINVAL: a parameter is missing or has another
 * shape; FPX_EUNSUPPORTED: the file holds what this model cannot represent (biases, other norms, GPT-2's model, ...);
 * FPX_EIO, FPX_EFORMAT. The text names the tensor; on error nothing has changed (but for FPX_EIO in the midst). */
fpx_status fpx_trainer_import(fpx_trainer *trainer, const char *checkpoint, fpx_error *err);

const fpx_model *fpx_trainer_model(const fpx_trainer *trainer);
fpx_exec *fpx_trainer_exec(fpx_trainer *trainer);           /* to attach observers */
uint64_t fpx_trainer_next_step(const fpx_trainer *trainer); /* 0 for a new one */

/* Of data.kind preference, else zeros: over pairs, the mean of beta times what this model prefers the chosen response
 * by more than the reference does, in nats, and the share of pairs in which that is above 0. */
typedef struct fpx_preference {
    double margin, accuracy;
} fpx_preference;

typedef struct fpx_step_result {
    uint64_t step;
    double loss; /* mean over tokens, or pairs; nats */
    double norm; /* of the gradient before clipping */
    double learning_rate;
    fpx_preference preference; /* of the rest of it, where a step was resumed within */
} fpx_step_result;

/* What steps of data.kind preference need of the parameters as they are before the first: the reference's
 * log-probabilities of all records that the run will see. Does one batch of it; *ret_left: how many are left. The
 * first step does what is left by itself; a checkpoint holds them. */
fpx_status fpx_trainer_prepare(fpx_trainer *trainer, size_t *ret_left, fpx_error *err);

/* The next step, or the rest of one. Fails with FPX_EINVAL after the experiment's last one. */
fpx_status fpx_trainer_step(fpx_trainer *trainer, fpx_step_result *ret_result, fpx_error *err);

/* The next micro-batch alone; with the step's last one also the optimizer, and *ret_result then is filled.
 * *ret_done: whether the step is done. The state in between can be saved as well. */
fpx_status fpx_trainer_micro_step(fpx_trainer *trainer, int *ret_done, fpx_step_result *ret_result,
                                  fpx_error *err);
uint32_t fpx_trainer_next_micro(const fpx_trainer *trainer); /* 0: a step begins */

/* The step in progress, or one that failed, begins anew. Its optimizer must not have run. */
void fpx_trainer_rewind(fpx_trainer *trainer);

/* Mean bits per byte over the whole validation part, with the recipe's forward arithmetic; per token where data.tokens
 * is given without a tokenizer (fpx_trainer_unit: "byte", "token"); of preferences the mean loss of a pair ("pair").
 * FPX_EINVAL: data.validation is 0. */
fpx_status fpx_trainer_evaluate(fpx_trainer *trainer, double *ret_bits_per_byte, fpx_error *err);
/* The same, and what the validation's pairs say; zeros where there are none. */
fpx_status fpx_trainer_evaluate_pairs(fpx_trainer *trainer, double *ret_bits,
                                      fpx_preference *ret_preference, fpx_error *err);
const char *fpx_trainer_unit(const fpx_trainer *trainer);

/* Writes at most `count` bytes of as many tokens that continue `prompt` (its last `sequence` tokens are seen), drawn at
 * temperature 1 with the seed's stream; ret_text has room for count + 1 bytes; bytes that do not print become '?'.
 * FPX_EUNSUPPORTED: data.tokens without a tokenizer; else as fpx_sampler_run (fpx/sample.h). */
fpx_status fpx_trainer_sample(fpx_trainer *trainer, const char *prompt, size_t count,
                              char *ret_text, fpx_error *err);

/* ---- memory ---- */
typedef enum fpx_memory_kind {
    FPX_MEMORY_MASTER,   /* parameters as they are kept, with their scales */
    FPX_MEMORY_GRADIENT, /* of parameters, as the optimizer or the next micro-batch finds them */
    FPX_MEMORY_M,        /* moments, with their scales or groups */
    FPX_MEMORY_V,
    FPX_MEMORY_COMPUTE,    /* what is made of parameters alone and read by the products of a step */
    FPX_MEMORY_ACTIVATION, /* of the forward pass, quantized or not */
    FPX_MEMORY_WORK, /* all the rest: inputs, gradients of activations, fp32 between operations */
    FPX_MEMORY_KINDS
} fpx_memory_kind;

/* Bytes, from the plan of the arena. */
typedef struct fpx_memory {
    uint64_t parameters; /* a count */
    uint64_t
        most[FPX_MEMORY_KINDS]; /* the largest sum that each kind has during a step, by itself */
    uint64_t together
        [FPX_MEMORY_KINDS]; /* their sums when all of them are largest, in lines of 64 bytes */
    uint32_t fullest;       /* the operation at which that is */
    uint64_t gap;           /* arena less all of those: room that no tensor fits */
    uint64_t arena;
    uint64_t evaluation; /* arena of the forward pass for validation; 0 without one */
    uint64_t corpus;     /* the text and the order of its windows */
} fpx_memory;

/* FPX_ENOMEM. */
fpx_status fpx_trainer_memory(fpx_trainer *trainer, fpx_memory *ret_memory, fpx_error *err);

/* ---- checkpoints: DIR/step-000020.safetensors, whole or not at all ---- */

/* State that belongs to others (a free shadow, a trace's chain digest) rides along. */
typedef struct fpx_checkpoint_extra {
    const char *prefix; /* "shadow.free": its tensors are stored under prefix/name */
    fpx_exec *exec;     /* whose PARAM and STATE tensors */
} fpx_checkpoint_extra;

/* Before a new run saves into DIR, which need not exist. FPX_EINVAL: it holds checkpoints of another model,
 * experiment, recipe, seed or number of steps, or files of such names that are none; FPX_EUNSUPPORTED: a state has a
 * format that no checkpoint holds (below 8 bits, e5m6, ...). */
fpx_status fpx_trainer_check_folder(const fpx_trainer *trainer, const char *dir, fpx_error *err);

/* Writes the state after the steps, and the micro-batches of the next one, done so far. chain: text stored with it, may be "". FPX_EIO. */
fpx_status fpx_trainer_save(const fpx_trainer *trainer, const char *dir,
                            const fpx_checkpoint_extra *extras, size_t nextras, const char *chain,
                            fpx_error *err);

/* Restores the newest checkpoint in DIR. FPX_EIO: none there; FPX_EFORMAT: corrupt (the text says which file,
 * and what to do); FPX_EINVAL: of another model, experiment or recipe. ret_chain has room for 64 bytes.
 * On error the trainer is as it was. */
fpx_status fpx_trainer_load(fpx_trainer *trainer, const char *dir,
                            const fpx_checkpoint_extra *extras, size_t nextras, char ret_chain[64],
                            fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_TRAIN_H */
