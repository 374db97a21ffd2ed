/* trainer.c - owns a training program, its executor and its data; a step is: write the inputs, run the
 * program, read loss and norm. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fpx/convert.h>
#include <fpx/cpu.h>
#include <fpx/scale.h>
#include <fpx/stream.h>

#include "sites.h"
#include "trainer_state.h"

fpx_status trainer_store_values(fpx_trainer *t, uint32_t index, const float *values, size_t n)
{
    const fpx_program_tensor *p = fpx_program_tensor_at(t->model->program, index);
    const fpx_conversion conversion = { .format = p->desc.format };
    float amax = 0.0f, encode = 1.0f;

    if (p->scale != FPX_NO_TENSOR) {
        float *scale = fpx_exec_data(t->exec, p->scale);

        for (size_t k = 0; k < n; k++)
            amax = fabsf(values[k]) > amax ? fabsf(values[k]) : amax;
        encode = fpx_scale_pow2(&p->desc.format, amax);
        scale[0] = encode;
        scale[1] = 1.0f / encode;
    }
    if (fpx_format_equal(&p->desc.format, &fpx_fp32)) {
        memcpy(fpx_exec_data(t->exec, index), values, n * sizeof *values);
        return FPX_OK;
    }
    return fpx_encode_f32(&conversion, encode, values, fpx_exec_data(t->exec, index), n);
}

/* Factors of moments that are 0 still: 1. */
static void set_factors(fpx_trainer *t)
{
    const fpx_program *program = t->model->program;

    for (size_t i = 0; i < fpx_program_tensors(program); i++) {
        const fpx_program_tensor *p = fpx_program_tensor_at(program, i);
        const size_t length = strlen(p->name);
        const int groups = p->cls == FPX_TENSOR_STATE && length > 7 &&
                           strcmp(p->name + length - 7, ".groups") == 0;
        float *data = fpx_exec_data(t->exec, (uint32_t)i);

        for (size_t k = 0;
             (groups || p->cls == FPX_TENSOR_STATE_SCALE) && k < fpx_tensor_count(&p->desc); k++)
            data[k] = 1.0f;
    }
}

/* A power of two, so that what a norm gives and what the next product takes of it are the same, bit for bit, in FP32. */
static const float outlier_gain = 32.0f;

/* Spread evenly over the width. */
static int is_outlier(const fpx_model_config *c, size_t channel)
{
    return c->outliers > 0 && channel % (c->width / c->outliers) == 0 &&
           channel / (c->width / c->outliers) < c->outliers;
}

/* Of the norms of layers, and of the weights [outputs, width] behind them. */
static void set_outliers(const fpx_model_config *c, const char *name, float *values, size_t n)
{
    const int gain = strstr(name, "attn.norm/") || strstr(name, "mlp.norm/");
    const int weight = strstr(name, "attn.qkv/") || strstr(name, "mlp.up/");

    for (size_t k = 0; (gain || weight) && k < n; k++)
        if (is_outlier(c, k % c->width))
            values[k] *= gain ? outlier_gain : 1.0f / outlier_gain;
}

/* Normal with the experiment's deviation; what is added to the residual stream is divided by
 * sqrt(2 layers) (GPT-2); gains start at 1. */
static fpx_status initialise(fpx_trainer *t, fpx_error *err)
{
    const fpx_program *program = t->model->program;
    const fpx_model_config *c = &t->experiment->model;
    uint64_t site = SITE_INIT;
    fpx_status status = FPX_OK;

    set_factors(t);
    for (size_t i = 0; i < fpx_program_tensors(program) && status == FPX_OK; i++) {
        const fpx_program_tensor *p = fpx_program_tensor_at(program, i);
        const int gain = p->desc.ndim < 2;
        const int residual = strstr(p->name, "attn.out/") || strstr(p->name, "mlp.down/");
        const double std = c->init_std / (residual ? sqrt(2.0 * c->layers) : 1.0);
        const fpx_stream stream = { .seed = t->experiment->seed, .site = site };
        const size_t n = fpx_tensor_count(&p->desc);

        if (p->cls != FPX_TENSOR_PARAM)
            continue;
        float *values = malloc(n * sizeof *values);
        if (values == NULL)
            return fpx_error_set(err, FPX_ENOMEM, "trainer: out of memory");
        for (size_t k = 0; k < n; k++)
            values[k] = gain ? 1.0f : (float)(std * fpx_stream_normal(&stream, k));
        set_outliers(c, p->name, values, n);
        status = trainer_store_values(t, (uint32_t)i, values, n);
        if (status != FPX_OK)
            status =
                fpx_error_set(err, status, "%s: %s cannot store it", p->name, p->desc.format.name);
        free(values);
        site++;
    }
    return status;
}

/* The state that forward and backward pass move on, to its copy or back: where a step begins, and begins anew. Returns its
 * bytes. */
enum keeping { KEEP_NONE, KEEP, BRING_BACK };
static size_t move_histories(fpx_trainer *t, enum keeping how)
{
    const fpx_program *program = t->model->program;
    size_t bytes = 0;

    for (size_t i = 0; i < fpx_program_tensors(program); i++) {
        const fpx_program_tensor *p = fpx_program_tensor_at(program, i);

        if (p->cls != FPX_TENSOR_STATE || p->producer == FPX_NO_TENSOR ||
            fpx_program_op_at(program, p->producer)->role == FPX_OPTIMIZER)
            continue;
        const size_t n = (size_t)fpx_tensor_bytes(&p->desc);
        if (how == KEEP)
            memcpy(t->histories + bytes, fpx_exec_data(t->exec, (uint32_t)i), n);
        else if (how == BRING_BACK)
            memcpy(fpx_exec_data(t->exec, (uint32_t)i), t->histories + bytes, n);
        bytes += n;
    }
    return bytes;
}

void trainer_keep_histories(fpx_trainer *t)
{
    (void)move_histories(t, KEEP);
}

/* Memory is mapped before it is there: what exceeds the machine would end the process by and by, after hours. */
static fpx_status check_memory(const fpx_trainer *t, fpx_error *err)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const double there = (double)pages * (double)page, gib = 1073741824.0;
    double needed = 0.0;

    for (size_t i = 0; i < fpx_program_tensors(t->model->program); i++) {
        const fpx_program_tensor *p = fpx_program_tensor_at(t->model->program, i);

        needed += fpx_tensor_class_lasts(p->cls) ? (double)fpx_tensor_bytes(&p->desc) : 0.0;
    }
    if (pages <= 0 || page <= 0 || needed <= there)
        return FPX_OK;
    return fpx_error_set(err, FPX_ENOMEM,
                         "%s: parameters and moments need %.1f GiB, this machine has %.1f: take a "
                         "smaller model, or a recipe that stores them in fewer bits",
                         t->experiment->name, needed / gib, there / gib);
}

static fpx_status build(fpx_trainer *t, fpx_device *const *devices, size_t ndevices, unsigned keep,
                        fpx_error *err)
{
    const fpx_experiment *e = t->experiment;
    fpx_status status;

    if ((status = fpx_corpus_new(e, &t->corpus, err)) != FPX_OK)
        return status;
    const size_t possible =
        fpx_corpus_train_steps(t->corpus) / (e->data.accumulate + !e->data.accumulate);
    if (e->steps > possible)
        return fpx_error_set(
            err, FPX_EINVAL,
            "%s: %u steps of %u x %u x %u tokens would repeat tokens; the corpus gives %zu "
            "steps: lower steps, batch, accumulate or sequence, or take a larger corpus",
            e->name, e->steps, e->data.accumulate, e->data.batch, e->data.sequence, possible);
    if ((status = fpx_model_build(e, t->recipe, 1, 0, 0, &t->model, err)) != FPX_OK ||
        (!t->plan && (status = check_memory(t, err)) != FPX_OK) ||
        (status = fpx_exec_new(t->model->program, devices, ndevices, keep, &t->exec, err)) !=
            FPX_OK)
        return status;
    t->histories_bytes = move_histories(t, KEEP_NONE);
    if ((t->histories = calloc(t->histories_bytes + 1, 1)) == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "trainer: out of memory");
    if ((status = preference_new(t, err)) != FPX_OK)
        return status;
    return t->plan ? FPX_OK : initialise(t, err);
}

fpx_status fpx_trainer_new(const fpx_experiment *experiment, const fpx_recipe *recipe,
                           fpx_device *const *devices, size_t ndevices, unsigned keep,
                           fpx_trainer **ret_trainer, fpx_error *err)
{
    fpx_trainer *t = calloc(1, sizeof *t);
    fpx_status status;
    fpx_fpenv env;

    if (t == NULL || (t->devices = calloc(ndevices + 1, sizeof(fpx_device *))) == NULL) {
        free(t);
        return fpx_error_set(err, FPX_ENOMEM, "trainer: out of memory");
    }
    t->experiment = experiment;
    t->recipe = recipe;
    t->ndevices = ndevices;
    t->plan = keep & FPX_PLAN_ONLY;
    for (size_t i = 0; i < ndevices; i++)
        t->devices[i] = devices[i];
    env = fpx_fpenv_enter();
    status = build(t, devices, ndevices, keep, err);
    fpx_fpenv_leave(env);
    if (status != FPX_OK) {
        fpx_trainer_free(t);
        return status;
    }
    *ret_trainer = t;
    return FPX_OK;
}

void fpx_trainer_free(fpx_trainer *trainer)
{
    if (trainer == NULL)
        return;
    fpx_exec_free(trainer->exec);
    fpx_model_free(trainer->model);
    fpx_exec_free(trainer->eval_exec);
    fpx_model_free(trainer->eval_model);
    fpx_corpus_free(trainer->corpus);
    free(trainer->histories);
    free(trainer->reference);
    free(trainer->devices);
    free(trainer);
}

const fpx_model *fpx_trainer_model(const fpx_trainer *trainer)
{
    return trainer->model;
}

fpx_exec *fpx_trainer_exec(fpx_trainer *trainer)
{
    return trainer->exec;
}

uint64_t fpx_trainer_next_step(const fpx_trainer *trainer)
{
    return trainer->next_step;
}

/* b^n by squaring in float64: exact order of operations, so the same bits everywhere. */
static double power(double b, uint64_t n)
{
    double r = 1.0;

    while (n > 0) {
        if (n & 1)
            r *= b;
        b *= b;
        n >>= 1;
    }
    return r;
}

static void write_hyper(fpx_trainer *t, double rate)
{
    const fpx_optimizer_config *o = &t->experiment->optimizer;
    const uint64_t n = t->next_step + 1;
    float *hyper = fpx_exec_data(t->exec, t->model->hyper);

    hyper[0] = (float)rate;
    hyper[1] = (float)(1.0 / (1.0 - power(o->beta1, n)));
    hyper[2] = (float)(1.0 / (1.0 - power(o->beta2, n)));
}

/* Where the random bits of this micro-batch are in their streams. */
static void write_draw(fpx_trainer *t, uint32_t micro)
{
    if (t->model->micro[micro].draw == FPX_NO_TENSOR)
        return;
    int32_t *draw = fpx_exec_data(t->exec, t->model->micro[micro].draw);
    draw[0] = (int32_t)(uint32_t)t->next_step;
    draw[1] = (int32_t)micro;
}

/* The loss and the norm are read when their operations have run: their memory may be used again. */
static fpx_status read_results(void *context, const fpx_op_view *view, fpx_error *err)
{
    fpx_trainer *t = context;
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);

    (void)err;
    for (uint32_t o = 0; o < op->nout; o++) {
        if (op->out[o] == t->model->loss)
            memcpy(&t->loss, view->out[o], sizeof t->loss);
        if (op->out[o] == t->model->norm)
            memcpy(&t->norm, view->out[o], sizeof t->norm);
        for (uint32_t i = 0; t->reference != NULL && i < t->model->accumulate; i++)
            if (op->out[o] == t->model->micro[i].margin)
                preference_add(&t->pairs, t->model, view->out[o]);
    }
    return FPX_OK;
}

uint32_t fpx_trainer_next_micro(const fpx_trainer *trainer)
{
    return trainer->next_micro;
}

void fpx_trainer_rewind(fpx_trainer *trainer)
{
    trainer->next_micro = 0;
    (void)move_histories(trainer, BRING_BACK);
}

/* Everything that a step reads; its later micro-batches write the same again. */
static void write_inputs(fpx_trainer *t, double rate)
{
    const fpx_model *m = t->model;
    const size_t tokens = (size_t)t->experiment->data.batch * t->experiment->data.sequence;
    size_t count = 0;

    for (uint32_t i = 0; i < m->accumulate; i++) {
        int32_t *targets = fpx_exec_data(t->exec, m->micro[i].targets);

        fpx_corpus_train(t->corpus, (size_t)t->next_step * m->accumulate + i,
                         fpx_exec_data(t->exec, m->micro[i].tokens), targets);
        for (size_t k = 0; k < tokens; k++)
            count += targets[k] >= 0;
        write_draw(t, i);
        preference_write(t, (size_t)t->next_step * m->accumulate + i, t->exec,
                         m->micro[i].reference);
    }
    if (t->reference != NULL)
        count = (size_t)m->accumulate * t->experiment->data.batch / 2;
    if (m->count != FPX_NO_TENSOR)
        *(float *)fpx_exec_data(t->exec, m->count) = (float)count;
    write_hyper(t, rate);
}

static fpx_status run_micro(fpx_trainer *t, double rate, int *ret_done, fpx_error *err)
{
    const fpx_model *m = t->model;
    const size_t first = t->next_micro == 0 ? 0 : m->micro[t->next_micro - 1].end;
    const int last = t->next_micro + 1 == m->accumulate;
    const uint32_t next = last ? 0 : t->next_micro + 1; /* an observer may rewind, to save */
    fpx_status status;

    if ((status = preference_finish(t, err)) != FPX_OK)
        return status;
    write_inputs(t, rate);
    if (t->next_micro == 0) {
        t->pairs = (pair_count){ .n = 0 };
        trainer_keep_histories(t);
    }
    status = fpx_exec_part(t->exec, t->next_step, first,
                           last ? fpx_program_ops(m->program) : m->micro[t->next_micro].end, err);
    if (status != FPX_OK)
        return status;
    t->next_micro = next;
    *ret_done = last;
    return FPX_OK;
}

static fpx_status watch_results(fpx_trainer *t, fpx_error *err)
{
    const fpx_observer o = { .context = t,
                             .after_op = read_results,
                             .looks = fpx_looks_at_outputs };

    if (t->reading)
        return FPX_OK;
    if (fpx_exec_attach(t->exec, &o) != FPX_OK)
        return fpx_error_set(err, FPX_ENOMEM, "trainer: out of memory");
    t->reading = 1;
    return FPX_OK;
}

fpx_status fpx_trainer_micro_step(fpx_trainer *trainer, int *ret_done, fpx_step_result *ret_result,
                                  fpx_error *err)
{
    fpx_trainer *t = trainer;
    const uint64_t step = t->next_step;
    const fpx_fpenv env = fpx_fpenv_enter();
    const double rate = fpx_learning_rate(t->experiment, step);
    fpx_status status = FPX_OK;
    int done = 0;

    if (step >= t->experiment->steps)
        status = fpx_error_set(err, FPX_EINVAL, "%s: all %u steps are done", t->experiment->name,
                               t->experiment->steps);
    if (status == FPX_OK && (status = watch_results(t, err)) == FPX_OK)
        status = run_micro(t, rate, &done, err);
    fpx_fpenv_leave(env);
    if (status != FPX_OK)
        return status;
    *ret_done = done;
    if (done) {
        t->next_step = step + 1;
        *ret_result = (fpx_step_result){ .step = step,
                                         .loss = (double)t->loss,
                                         .norm = (double)t->norm,
                                         .learning_rate = rate,
                                         .preference = preference_of(&t->pairs) };
    }
    return FPX_OK;
}

fpx_status fpx_trainer_step(fpx_trainer *trainer, fpx_step_result *ret_result, fpx_error *err)
{
    fpx_status status = FPX_OK;

    for (int done = 0; !done && status == FPX_OK;)
        status = fpx_trainer_micro_step(trainer, &done, ret_result, err);
    return status;
}
