/* checkpoint.c - all state that a step reads, in one safetensors file, written whole or not at all. The
 * file says what it is a checkpoint of, so that a wrong one is refused before anything changes. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <fpx/file.h>
#include <fpx/safetensors.h>

#include "checkpoint_extra.h"
#include "checkpoint_file.h"
#include "trainer_state.h"

/* Whether reading `read` reads `tensor`: itself, its scales, their scale. */
static int reads(const fpx_program *program, uint32_t read, uint32_t tensor)
{
    while (read != FPX_NO_TENSOR && read != tensor)
        read = fpx_program_tensor_at(program, read)->scale;
    return read == tensor;
}

/* Whether an operation from `from` on reads what one before it has made; never at a step's begin. */
static int is_open(const fpx_program *program, uint32_t tensor, size_t from)
{
    if (from == 0 || fpx_program_tensor_at(program, tensor)->producer >= from)
        return 0; /* also of what nothing produces */
    for (size_t i = from; i < fpx_program_ops(program); i++) {
        const fpx_program_op *op = fpx_program_op_at(program, i);

        for (uint32_t k = 0; k < op->nin; k++)
            if (reads(program, op->in[k], tensor))
                return 1;
    }
    return 0;
}

/* What the operations from `from` on need of the past. */
static int is_state(const fpx_program *program, uint32_t tensor, size_t from)
{
    const uint32_t cls = fpx_program_tensor_at(program, tensor)->cls;

    return fpx_tensor_class_lasts(cls) || is_open(program, tensor, from);
}

/* The next operation: 0, or within a step the first of the next micro-batch. */
static size_t next_op(const fpx_trainer *t, uint32_t micro)
{
    return micro == 0 ? 0 : t->model->micro[micro - 1].end;
}

static size_t count_state(const fpx_exec *exec, size_t from)
{
    const fpx_program *program = fpx_exec_program(exec);
    size_t n = 0;

    for (size_t i = 0; i < fpx_program_tensors(program); i++)
        n += (size_t)is_state(program, (uint32_t)i, from);
    return n;
}

#define START " start=" /* of imported parameters: fpx_trainer_import */

/* What must be equal for a checkpoint to fit: the experiment's text and the recipe's, and what the
 * command line can override. */
static void identity(const fpx_trainer *t, char experiment[65], char recipe[65], char run[64])
{
    (void)snprintf(run, 64, "steps=%u seed=%llu%s%s", t->experiment->steps,
                   (unsigned long long)t->experiment->seed, t->start[0] ? START : "", t->start);
    fpx_sha256_text(t->experiment->text, strlen(t->experiment->text), experiment);
    fpx_sha256_text(t->recipe->text, strlen(t->recipe->text), recipe);
}

enum { STORED_NAME = 2 * FPX_NAME_MAX };

static void stored_name(const char *prefix, const char *name, char out[STORED_NAME])
{
    (void)snprintf(out, STORED_NAME, "%s%s%s", prefix, prefix[0] ? "/" : "", name);
}

/* A scale is a tensor of its own here. Codes that the file has no dtype for, which occur within a step (check_formats), lie
 * as they are under one of their size. */
static fpx_tensor codes_of(const fpx_program_tensor *t)
{
    fpx_tensor codes = t->desc;

    codes.nscales = 0;
    if (codes.format.bits < 8 || fpx_st_dtype(&codes.format) == NULL) {
        const size_t size = fpx_format_size(&codes.format);

        codes.format = size == 1 ? fpx_e4m3 : size == 2 ? fpx_fp16 : fpx_fp32;
    }
    return codes;
}

static size_t add_entries(const char *prefix, const fpx_exec *exec, size_t from,
                          fpx_st_entry *entries, char (*names)[STORED_NAME])
{
    const fpx_program *program = fpx_exec_program(exec);
    size_t n = 0;

    for (size_t i = 0; i < fpx_program_tensors(program); i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(program, i);

        if (!is_state(program, (uint32_t)i, from))
            continue;
        stored_name(prefix, t->name, names[n]);
        entries[n] = (fpx_st_entry){ .name = names[n],
                                     .desc = codes_of(t),
                                     .data = fpx_exec_data(exec, (uint32_t)i) };
        n++;
    }
    return n;
}

static fpx_status make_folder(const char *dir, fpx_error *err)
{
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return fpx_error_set(err, FPX_EIO, "%s: cannot make the folder: %s", dir, strerror(errno));
    return FPX_OK;
}

fpx_status fpx_trainer_save(const fpx_trainer *trainer, const char *dir,
                            const fpx_checkpoint_extra *extras, size_t nextras, const char *chain,
                            fpx_error *err)
{
    const fpx_trainer *t = trainer;
    const size_t from = next_op(t, t->next_micro);
    size_t room = count_state(t->exec, from) + 1, n = 0;
    const fpx_tokenizer *tokenizer = fpx_corpus_tokenizer(t->corpus);
    char experiment[65], recipe[65], run[64], step[24], micro[16], path[4096], *vocabulary = NULL;
    size_t bytes = 0;
    fpx_status status;

    for (size_t i = 0; i < nextras; i++)
        room += count_state(extras[i].exec, from);
    fpx_st_entry *entries = calloc(room + 1, sizeof *entries);
    char(*names)[STORED_NAME] = calloc(room + 1, sizeof *names);

    if (entries == NULL || names == NULL) {
        status = fpx_error_set(err, FPX_ENOMEM, "checkpoint: out of memory");
    } else if ((status = make_folder(dir, err)) == FPX_OK &&
               (tokenizer == NULL ||
                (status = fpx_tokenizer_text(tokenizer, &vocabulary, &bytes, err)) == FPX_OK)) {
        n = add_entries("", t->exec, from, entries, names);
        for (size_t i = 0; i < nextras; i++)
            n += add_entries(extras[i].prefix, extras[i].exec, from, entries + n, names + n);
        n += checkpoint_add_histories(t, &entries[n]);
        n += checkpoint_add_reference(t, &entries[n]);
        identity(t, experiment, recipe, run);
        (void)snprintf(step, sizeof step, "%llu", (unsigned long long)t->next_step);
        (void)snprintf(micro, sizeof micro, "%u", t->next_micro);
        (void)snprintf(path, sizeof path, "%s/step-%06llu.safetensors", dir,
                       (unsigned long long)t->next_step);
        fpx_st_pair pairs[10] = { { CHECKPOINT_STEP, step },
                                  { "fpx.experiment", experiment },
                                  { "fpx.recipe", recipe },
                                  { "fpx.run", run },
                                  { "fpx.data", fpx_corpus_digest(t->corpus) },
                                  { "fpx.chain", chain },
                                  { CHECKPOINT_EXPERIMENT, t->experiment->text },
                                  { CHECKPOINT_RECIPE, t->recipe->text } };
        size_t npairs = 8;

        if (tokenizer != NULL)
            pairs[npairs++] = (fpx_st_pair){ CHECKPOINT_TOKENIZER, vocabulary };
        if (t->next_micro != 0) /* absent: 0 */
            pairs[npairs++] = (fpx_st_pair){ "fpx.micro", micro };
        status = fpx_st_write(path, entries, n, pairs, npairs, err);
    }
    free(vocabulary);
    free(entries);
    free(names);
    return status;
}

/* Looks at every tensor of one executor; copies only in the second pass, so that an error changes
 * nothing. */
static fpx_status load_state(const fpx_st_file *file, const char *path, const char *prefix,
                             fpx_exec *exec, size_t from, int copy, fpx_error *err)
{
    const fpx_program *program = fpx_exec_program(exec);

    for (size_t i = 0; i < fpx_program_tensors(program); i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(program, i);
        const fpx_st_entry *entry;
        char name[STORED_NAME];

        if (!is_state(program, (uint32_t)i, from))
            continue;
        stored_name(prefix, t->name, name);
        entry = fpx_st_find(file, name);
        const fpx_tensor codes = codes_of(t);
        if (entry == NULL || !fpx_tensor_same_kind(&entry->desc, &codes))
            return fpx_error_set(err, FPX_EINVAL, "%s: %s %s", path, name,
                                 entry != NULL ? "has another format or shape"
                                 : prefix[0] == '\0'
                                     ? "is missing: a checkpoint of another model"
                                     : "is missing: the checkpoint was made without this shadow; a "
                                       "free shadow has to run from step 0, or from a checkpoint "
                                       "made with it; --shadow local can begin here");
        if (copy)
            memcpy(fpx_exec_data(exec, (uint32_t)i), entry->data, fpx_tensor_bytes(&t->desc));
    }
    return FPX_OK;
}

/* Out of memory is "another" too. */
static int same_tokenizer(const fpx_trainer *t, const char *saved)
{
    const fpx_tokenizer *tokenizer = fpx_corpus_tokenizer(t->corpus);
    char *text = NULL;
    size_t count;

    if (tokenizer != NULL && fpx_tokenizer_text(tokenizer, &text, &count, NULL) != FPX_OK)
        return 0;
    const int same = text == NULL ? saved == NULL : saved != NULL && strcmp(text, saved) == 0;

    free(text);
    return same;
}

/* resuming: the trainer does not know from where the run started, the checkpoint does. */
static fpx_status check_identity(const fpx_trainer *t, const fpx_st_file *file, const char *path,
                                 int resuming, uint64_t *ret_step, uint32_t *ret_micro,
                                 fpx_error *err)
{
    const char *step = fpx_st_metadata(file, CHECKPOINT_STEP),
               *of = fpx_st_metadata(file, "fpx.experiment");
    const char *with = fpx_st_metadata(file, "fpx.recipe"), *as = fpx_st_metadata(file, "fpx.run");
    const char *within = fpx_st_metadata(file, "fpx.micro"),
               *data = fpx_st_metadata(file, "fpx.data"); /* absent: from before there was one */
    char experiment[65], recipe[65], run[64], *end = NULL;
    unsigned long long value;

    if (step == NULL || of == NULL || with == NULL || as == NULL)
        return fpx_error_set(err, FPX_EFORMAT, "%s: not a checkpoint of fpx train", path);
    identity(t, experiment, recipe, run);
    if (strcmp(of, experiment) != 0 || strcmp(with, recipe) != 0)
        return fpx_error_set(
            err, FPX_EINVAL,
            "%s: was made with another %s; resume with the same text, or train into "
            "another folder",
            path, strcmp(of, experiment) != 0 ? "experiment file" : "recipe");
    const char *start = resuming ? strstr(as, START) : NULL;
    const size_t length = start != NULL ? (size_t)(start - as) : strlen(as);

    if (length != strlen(run) || strncmp(as, run, length) != 0)
        return fpx_error_set(err, FPX_EINVAL, "%s: was made with %s, this run has %s", path, as,
                             run);
    if (!same_tokenizer(t, fpx_st_metadata(file, CHECKPOINT_TOKENIZER)))
        return fpx_error_set(err, FPX_EINVAL, "%s: was made with another tokenizer", path);
    if (data != NULL && strcmp(data, fpx_corpus_digest(t->corpus)) != 0)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: was made with other data: %s gives other tokens now; resume with "
                             "the same data, or train into another folder",
                             path,
                             t->experiment->data.tokens ? t->experiment->data.tokens
                                                        : t->experiment->data.corpus);
    value = strtoull(step, &end, 10);
    if (end == step || *end != '\0' || value > t->experiment->steps)
        return fpx_error_set(err, FPX_EFORMAT, "%s: step '%s' makes no sense", path, step);
    const unsigned long micro = within == NULL ? 0 : strtoul(within, &end, 10);
    if (*end != '\0' || micro >= t->experiment->data.accumulate ||
        (micro > 0 && value == t->experiment->steps))
        return fpx_error_set(err, FPX_EFORMAT, "%s: micro-batch '%s' makes no sense", path, within);
    *ret_step = value;
    *ret_micro = (uint32_t)micro;
    return FPX_OK;
}

/* Known before the first step, not at the first save. */
static fpx_status check_formats(const fpx_program *program, fpx_error *err)
{
    for (size_t i = 0; i < fpx_program_tensors(program); i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(program, i);
        const fpx_format *format = &t->desc.format;

        if (fpx_tensor_class_lasts(t->cls) && (format->bits < 8 || fpx_st_dtype(format) == NULL))
            return fpx_error_set(err, FPX_EUNSUPPORTED,
                                 "%s is %s, which a checkpoint cannot hold: train without one, or "
                                 "store it as fp32, bf16, fp16, e4m3 or e5m2",
                                 t->name, format->name);
    }
    return FPX_OK;
}

fpx_status fpx_trainer_check_folder(const fpx_trainer *trainer, const char *dir, fpx_error *err)
{
    const fpx_status holds = check_formats(trainer->model->program, err);
    unsigned long long below = ULLONG_MAX;
    char path[CHECKPOINT_PATH];
    fpx_error why = { 0 };

    if (holds != FPX_OK)
        return holds;
    while (checkpoint_newest(dir, below, path, &below) > 0) {
        fpx_st_file *file = NULL;
        uint64_t step;
        uint32_t micro;
        fpx_status status = fpx_st_open(path, &file, &why);

        if (status == FPX_OK)
            status = check_identity(trainer, file, path, 0, &step, &micro, &why);
        fpx_st_close(file);
        if (status != FPX_OK)
            return fpx_error_set(
                err, FPX_EINVAL,
                "%s: holds checkpoints of another run: go on with that one by --resume, or "
                "name another folder (%s)",
                dir, why.text);
    }
    return FPX_OK;
}

/* The newest file is damaged: from where could the run go on? */
static fpx_status say_next(const char *dir, unsigned long long damaged, const fpx_error *why,
                           fpx_error *err)
{
    unsigned long long step = 0;
    char path[CHECKPOINT_PATH];

    if (checkpoint_newest(dir, damaged, path, &step) > 0)
        return fpx_error_set(err, why->status, "%s; remove it to go on from step %llu", why->text,
                             step);
    return fpx_error_set(
        err, why->status,
        "%s; there is no earlier checkpoint to go on from: train anew into another "
        "folder",
        why->text);
}

fpx_status fpx_trainer_load(fpx_trainer *trainer, const char *dir,
                            const fpx_checkpoint_extra *extras, size_t nextras, char ret_chain[64],
                            fpx_error *err)
{
    fpx_st_file *file = NULL;
    uint64_t step = 0;
    uint32_t micro = 0;
    char path[CHECKPOINT_PATH];
    const char *chain;
    unsigned long long number = 0;
    fpx_error why = { 0 };
    const int found = checkpoint_newest(dir, ULLONG_MAX, path, &number);
    fpx_status status;

    if (found < 0)
        return fpx_error_set(err, FPX_EIO, "%s: cannot open the folder of checkpoints: %s", dir,
                             strerror(errno));
    if (found == 0)
        return fpx_error_set(err, FPX_EIO, "%s: holds no checkpoint (step-*.safetensors)", dir);
    if ((status = fpx_st_open(path, &file, &why)) == FPX_EFORMAT)
        return say_next(dir, number, &why, err);
    if (status != FPX_OK)
        return fpx_error_set(err, status, "%s", why.text);
    status = check_identity(trainer, file, path, 1, &step, &micro, err);
    const size_t from = next_op(trainer, micro);
    for (int copy = 0; copy < 2 && status == FPX_OK; copy++) {
        status = load_state(file, path, "", trainer->exec, from, copy, err);
        for (size_t i = 0; i < nextras && status == FPX_OK; i++)
            status = load_state(file, path, extras[i].prefix, extras[i].exec, from, copy, err);
        if (status == FPX_OK)
            status = checkpoint_load_histories(file, path, trainer, micro, copy, err);
        if (status == FPX_OK)
            status =
                checkpoint_load_reference(trainer, file, path, step > 0 || micro > 0, copy, err);
    }
    if (status == FPX_OK) {
        const char *start = strstr(fpx_st_metadata(file, "fpx.run"), START);

        trainer->next_step = step;
        trainer->next_micro = micro;
        (void)snprintf(trainer->start, sizeof trainer->start, "%s",
                       start != NULL ? start + strlen(START) : "");
        chain = fpx_st_metadata(file, "fpx.chain");
        (void)snprintf(ret_chain, 64, "%s", chain ? chain : "");
    }
    fpx_st_close(file);
    return status;
}
