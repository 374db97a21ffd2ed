/* test_model.c - the gradient of the whole model: each element of each parameter's gradient, as the float64
 * training program computes it, is the slope of the float64 forward program's loss. */
#include <math.h>

#include "tiny_run.h"

enum { VOCABULARY = 19 };

typedef struct run {
    fpx_model *model;
    fpx_program *program; /* in float64 */
    fpx_device *device;
    fpx_exec *exec;
    size_t ops; /* that make the loss */
} run;

static run open_run_of(fpx_activation activation, const char *recipe_name, int training,
                       double dropout, fpx_data_kind kind)
{
    fpx_experiment experiment = tiny_experiment(activation);
    fpx_recipe *recipe = tiny_recipe(recipe_name);
    run r = { .device = tiny_device("cpu,threads=1") };

    experiment.model.vocabulary = VOCABULARY;
    experiment.model.dropout = dropout;
    experiment.data.kind = kind;
    experiment.data.beta = 0.1;
    MUST(fpx_model_build(&experiment, recipe, training, 0, 0, &r.model, err));
    MUST(fpx_program_widen(r.model->program, &fpx_fp64, &r.program, err));
    MUST(fpx_exec_new(r.program, &r.device, 1, FPX_KEEP_ALL, &r.exec, err));
    fpx_recipe_free(recipe);
    r.ops = fpx_program_ops(r.program);
    return r;
}

static run open_run(fpx_activation activation, const char *recipe_name, int training)
{
    return open_run_of(activation, recipe_name, training, 0.0, FPX_DATA_TEXT);
}

static void close_run(run *r)
{
    fpx_exec_free(r->exec);
    fpx_program_free(r->program);
    fpx_model_free(r->model);
    fpx_device_close(r->device);
}

static double loss_of(const run *r)
{
    MUST(fpx_exec_part(r->exec, 0, 0, r->ops, err));
    return *(const double *)fpx_exec_data(r->exec, r->model->loss);
}

/* Central differences at h and 2h, the error term in h^2 removed (Richardson): off by h^4 times a
 * fifth derivative and by 2^-53 loss / h, both about 1e-12. */
static double slope(const run *r, double *at)
{
    const double h = 0x1p-10, x = *at;
    double difference[2];

    for (int i = 0; i < 2; i++) {
        const double step = h * (double)(i + 1);

        *at = x + step;
        const double up = loss_of(r);
        *at = x - step;
        difference[i] = (up - loss_of(r)) / (2.0 * step);
    }
    *at = x;
    return (4.0 * difference[0] - difference[1]) / 3.0;
}

static uint32_t gradient_of(const fpx_program *program, const char *parameter)
{
    char name[2 * FPX_NAME_MAX];
    const char *slash = strrchr(parameter, '/');

    snprintf(name, sizeof name, "%.*sd%s", (int)(slash + 1 - parameter), parameter, slash + 1);
    const uint32_t id = fpx_program_find_tensor(program, name);
    if (id == FPX_NO_TENSOR)
        ck_abort_msg("%s has no gradient %s", parameter, name);
    return id;
}

static double rms_of(const double *x, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum / (double)n);
}

static const struct {
    fpx_activation activation;
    const char *recipe;
    uint64_t seed;
    double dropout;
    fpx_data_kind kind;
} gradients[] = { { FPX_SWIGLU, "fp32", 1, 0, FPX_DATA_TEXT },
                  { FPX_GELU, "fp32", 2, 0, FPX_DATA_TEXT },
                  /* its quantizers are the identity when widened */
                  { FPX_SWIGLU, "fp8", 3, 0, FPX_DATA_TEXT },
                  { FPX_SWIGLU, "fp32", 4, 0.2, FPX_DATA_TEXT },
                  { FPX_SWIGLU, "fp32", 6, 0, FPX_DATA_PREFERENCE } };

START_TEST(gradient_is_the_slope_of_the_loss)
{
    const double dropout = gradients[_i].dropout;
    const fpx_data_kind kind = gradients[_i].kind;
    run train = open_run_of(gradients[_i].activation, gradients[_i].recipe, 1, dropout, kind);
    run forward =
        open_run_of(gradients[_i].activation, gradients[_i].recipe, dropout > 0.0, dropout, kind);
    size_t elements = 0, tensors = 0;
    double worst = 0.0;

    if (dropout > 0.0) /* which only a training program has: as far as its loss */
        forward.ops = fpx_program_find_op(forward.program, "loss/fprop") + 1;
    tiny_fill(train.exec, gradients[_i].seed, VOCABULARY);
    tiny_fill(forward.exec, gradients[_i].seed, VOCABULARY);
    const double loss = loss_of(&train);
    ck_assert(loss > (kind == FPX_DATA_TEXT ? 1.0 : 0.5) && loss == loss_of(&forward));
    for (size_t i = 0; i < fpx_program_tensors(forward.program); i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(forward.program, i);

        if (t->cls != FPX_TENSOR_PARAM)
            continue;
        const size_t n = fpx_tensor_count(&t->desc);
        const double *g = fpx_exec_data(train.exec, gradient_of(train.program, t->name));
        const double rms = rms_of(g, n);
        double *x = fpx_exec_data(forward.exec, (uint32_t)i);

        ck_assert_msg(rms > 1e-6, "%s: rms of the gradient is %g: nothing to test", t->name, rms);
        for (size_t k = 0; k < n; k++) {
            const double d = slope(&forward, x + k);
            const double share = fabs(g[k] - d) / fmax(fabs(g[k]), rms);

            worst = share > worst ? share : worst;
            if (!(share < 1e-6))
                ck_abort_msg("seed %" PRIu64 ", %s[%zu]: gradient %.17g, slope %.17g, rms %g",
                             gradients[_i].seed, t->name, k, g[k], d, rms);
        }
        elements += n;
        tensors++;
    }
    ck_assert_uint_eq(elements, train.model->parameters);
    ck_assert_uint_eq(tensors, 2 + 1 + 2 * 6);
    printf("seed %" PRIu64 ", recipe %s: %zu elements of %zu tensors, worst %.1e of 1e-6\n",
           gradients[_i].seed, gradients[_i].recipe, elements, tensors, worst);
    close_run(&train);
    close_run(&forward);
}
END_TEST

/* Evaluation has none; and what is dropped is another loss. */
START_TEST(dropout_is_for_training)
{
    run with = open_run_of(FPX_SWIGLU, "fp32", 1, 0.2, FPX_DATA_TEXT),
        without = open_run(FPX_SWIGLU, "fp32", 1);
    run forward = open_run_of(FPX_SWIGLU, "fp32", 0, 0.2, FPX_DATA_TEXT);
    run *const runs[] = { &with, &without, &forward };
    double loss[3];

    for (int i = 0; i < 3; i++) {
        tiny_fill(runs[i]->exec, 5, VOCABULARY);
        loss[i] = loss_of(runs[i]);
    }
    ck_assert(loss[0] != loss[1] && loss[1] == loss[2]);
    for (int i = 0; i < 3; i++) {
        size_t n = 0;

        for (size_t k = 0; k < fpx_program_ops(runs[i]->program); k++)
            n += fpx_program_op_at(runs[i]->program, k)->kind == FPX_OP_DROPOUT;
        /* Embedding, and in two layers probabilities and both outputs; forward and backward. */
        ck_assert_uint_eq(n, i == 0 ? 2 * (1 + 2 * 3) : 0);
        close_run(runs[i]);
    }
}
END_TEST

/* The norm that clipping sees is that of all gradients; the factor scales them to the limit. */
START_TEST(norm_is_over_all_gradients)
{
    run train = open_run(FPX_SWIGLU, "fp32", 1);
    double sum = 0.0;

    tiny_fill(train.exec, 4, VOCABULARY);
    (void)loss_of(&train);
    for (size_t i = 0; i < fpx_program_tensors(train.program); i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(train.program, i);

        if (t->cls != FPX_TENSOR_PARAM)
            continue;
        const size_t n = fpx_tensor_count(&t->desc);
        const double *g = fpx_exec_data(train.exec, gradient_of(train.program, t->name));
        sum += rms_of(g, n) * rms_of(g, n) * (double)n;
    }
    const double norm = *(const double *)fpx_exec_data(train.exec, train.model->norm);
    const double factor = *(const double *)fpx_exec_data(
        train.exec, fpx_program_find_tensor(train.program, "clip/factor"));
    ck_assert_double_eq_tol(norm, sqrt(sum), 1e-12 * norm);
    ck_assert_double_eq_tol(factor, norm > 1.0 ? 1.0 / norm : 1.0, 1e-12);
    close_run(&train);
}
END_TEST

/* Both programs have the same parameters under the same names: evaluation copies them by name. */
START_TEST(forward_and_training_share_parameters)
{
    run train = open_run(_i ? FPX_GELU : FPX_SWIGLU, "fp8", 1);
    run forward = open_run(_i ? FPX_GELU : FPX_SWIGLU, "fp8", 0);
    /* embed and head, gains, then qkv, out, up, down of each layer */
    const uint64_t c = 8, f = 11, up = _i ? 1 : 2;
    const uint64_t expected = 2 * VOCABULARY * c + 5 * c + 2 * (4 * c * c + up * c * f + c * f);

    for (size_t i = 0; i < fpx_program_tensors(forward.model->program); i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(forward.model->program, i);
        const uint32_t other = fpx_program_find_tensor(train.model->program, t->name);

        ck_assert_msg(other != FPX_NO_TENSOR, "%s", t->name);
        ck_assert(fpx_tensor_same_kind(&t->desc,
                                       &fpx_program_tensor_at(train.model->program, other)->desc));
    }
    ck_assert_uint_eq(train.model->parameters, expected);
    ck_assert_uint_eq(forward.model->parameters, expected);
    ck_assert_uint_eq(forward.model->hyper, FPX_NO_TENSOR);
    ck_assert_uint_eq(forward.model->norm, FPX_NO_TENSOR);
    close_run(&train);
    close_run(&forward);
}
END_TEST

START_TEST(impossible_shapes_are_refused)
{
    const fpx_experiment good = tiny_experiment(FPX_SWIGLU);
    fpx_recipe *recipe = tiny_recipe("fp32");
    fpx_model *model = NULL;
    fpx_experiment e = good;

    e.model.heads = 3;
    REFUSED(fpx_model_build(&e, recipe, 1, 0, 0, &model, err), FPX_EINVAL, "width 8");
    e = good, e.model.heads = 8; /* head width 1 */
    REFUSED(fpx_model_build(&e, recipe, 1, 0, 0, &model, err), FPX_EINVAL, "even");
    e = good, e.model.heads = 0;
    REFUSED(fpx_model_build(&e, recipe, 1, 0, 0, &model, err), FPX_EINVAL, "heads 0");
    e = good, e.model.layers = 0;
    REFUSED(fpx_model_build(&e, recipe, 1, 0, 0, &model, err), FPX_EINVAL, "at least 1");
    e = good, e.model.layers = 2000; /* more parameters than a program has places for */
    REFUSED(fpx_model_build(&e, recipe, 1, 0, 0, &model, err), FPX_EINVAL, "4096 parameter");
    e = good, e.data.batch = 0;
    REFUSED(fpx_model_build(&e, recipe, 1, 0, 0, &model, err), FPX_EINVAL, "at least 1");
    ck_assert_ptr_null(model);
    MUST(fpx_model_build(&e, recipe, 1, 3, 4, &model, err)); /* overridden */
    ck_assert_uint_eq(fpx_program_tensor_at(model->program, model->micro[0].tokens)->desc.shape[0],
                      12);
    fpx_model_free(model);
    fpx_recipe_free(recipe);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, gradient_is_the_slope_of_the_loss, 0,
                        sizeof gradients / sizeof gradients[0]);
    tcase_add_test(tc, dropout_is_for_training);
    tcase_add_test(tc, norm_is_over_all_gradients);
    tcase_add_loop_test(tc, forward_and_training_share_parameters, 0, 2);
    tcase_add_test(tc, impossible_shapes_are_refused);
}

int main(void)
{
    return tiny_run("model", add);
}
