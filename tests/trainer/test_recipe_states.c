/* test_recipe_states.c - in which format each shipped recipe keeps the optimizer's numbers, and how they are scaled, against a
 * table written from what the recipes' sources say. */
#include "tiny_run.h"

/* scaling: "" none, "pow2" a power of two of the tensor, "coat" groups. What no row has is fp32. */
static const struct {
    const char *recipe, *tensor, *format, *scaling;
} rows[] = {
    /* FP8-LM: O1 weight FP16, no other master, gradients FP8; O2 first moment FP8, second FP16; O3 master FP16, scaled. */
    { "fp8-lm-o1", "master", "fp16", "" },
    { "fp8-lm-o1", "grad", "e4m3", "pow2" },
    { "fp8-lm-o2", "master", "fp16", "" },
    { "fp8-lm-o2", "grad", "e4m3", "pow2" },
    { "fp8-lm-o2", "m", "e4m3", "pow2" },
    { "fp8-lm-o2", "v", "fp16", "pow2" },
    { "fp8-lm-o3", "master", "fp16", "pow2" },
    { "fp8-lm-o3", "grad", "e4m3", "pow2" },
    { "fp8-lm-o3", "m", "e4m3", "pow2" },
    { "fp8-lm-o3", "v", "fp16", "pow2" },
    /* COAT: both moments E4M3 in groups of 128. */
    { "coat", "m", "e4m3", "coat" },
    { "coat", "v", "e4m3", "coat" },
    /* DeepSeek-V3: moments BF16, master and gradients FP32. */
    { "deepseek-v3", "m", "bf16", "" },
    { "deepseek-v3", "v", "bf16", "" },
};
enum { ROWS = sizeof rows / sizeof rows[0], SHIPPED = 32 };

static const char *const parameters[] = { "layer.0/attn.qkv/w", "layer.1/mlp.norm/gain", "head/w",
                                          "embed/w", "norm/gain" };

static uint32_t found(const fpx_program *p, const char *format, const char *one, const char *other)
{
    char name[3 * FPX_NAME_MAX];

    (void)snprintf(name, sizeof name, "%s%s%s", one, other, format);
    return fpx_program_find_tensor(p, name);
}

/* The optimizer's update of a parameter. */
static const fpx_program_op *update_of(const fpx_program *p, const char *parameter)
{
    char name[2 * FPX_NAME_MAX];

    (void)snprintf(name, sizeof name, "%s/adamw", parameter);
    const uint32_t op = fpx_program_find_op(p, name);
    ck_assert_msg(op != FPX_NO_TENSOR, "%s is missing", name);
    return fpx_program_op_at(p, op);
}

/* The tensor that holds it between the operations; an input of the update, or what that is made of. */
static uint32_t stored(const fpx_program *p, const char *parameter, const char *tensor)
{
    if (strcmp(tensor, "master") == 0)
        return found(p, "", parameter, "");
    if (strcmp(tensor, "grad") != 0)
        return found(p, tensor, parameter, ".");
    const uint32_t grad = update_of(p, parameter)->in[3];
    const uint32_t producer = fpx_program_tensor_at(p, grad)->producer;
    const fpx_program_op *made = fpx_program_op_at(p, producer);
    return made->kind == FPX_OP_DEQUANTIZE ? made->in[0] : grad;
}

static void check(const fpx_program *p, const char *recipe, const char *parameter,
                  const char *tensor, const char *format, const char *scaling)
{
    const uint32_t id = stored(p, parameter, tensor);

    ck_assert_msg(id != FPX_NO_TENSOR, "%s: no %s of %s", recipe, tensor, parameter);
    const fpx_program_tensor *t = fpx_program_tensor_at(p, id);
    const int scaled = t->scale != FPX_NO_TENSOR;
    const int groups = found(p, ".groups", t->name, "") != FPX_NO_TENSOR;

    if (strcmp(t->desc.format.name, format) != 0 || scaled != (strcmp(scaling, "pow2") == 0) ||
        groups != (strcmp(scaling, "coat") == 0))
        ck_abort_msg("%s: %s of %s is %s%s%s", recipe, tensor, parameter, t->desc.format.name,
                     scaled ? ", scaled" : "", groups ? ", in groups" : "");
    if (!scaled)
        return;
    const fpx_program_tensor *scale = fpx_program_tensor_at(p, t->scale);
    const fpx_program_op *made = fpx_program_op_at(p, scale->producer);
    ck_assert_uint_eq(made->kind, FPX_OP_SCALE);
    ck_assert_uint_eq(made->attr.scale.rule, FPX_SCALE_POW2);
}

START_TEST(states_are_those_of_the_table)
{
    static const char *const tensors[] = { "master", "grad", "m", "v" };
    const char *recipe_name = fpx_recipe_shipped((size_t)_i);
    fpx_experiment experiment = tiny_experiment(FPX_SWIGLU);
    fpx_model *model = NULL;
    size_t expected = 0;

    ck_assert_ptr_null(fpx_recipe_shipped(SHIPPED));
    if (recipe_name == NULL)
        return;
    experiment.model.width = experiment.model.hidden = 64;
    experiment.data.sequence = 32;
    fpx_recipe *recipe = tiny_recipe(recipe_name);
    MUST(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err));
    for (size_t n = 0; n < sizeof tensors / sizeof tensors[0]; n++) {
        const char *format = "fp32", *scaling = "";

        for (size_t r = 0; r < ROWS; r++)
            if (strcmp(rows[r].recipe, recipe_name) == 0 &&
                strcmp(rows[r].tensor, tensors[n]) == 0) {
                format = rows[r].format;
                scaling = rows[r].scaling;
                expected++;
            }
        for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++)
            check(model->program, recipe_name, parameters[i], tensors[n], format, scaling);
    }
    ck_assert_int_eq(expected > 0, recipe->nstates > 0);
    fpx_model_free(model);
    fpx_recipe_free(recipe);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, states_are_those_of_the_table, 0, SHIPPED);
}

int main(void)
{
    return tiny_run("recipe_states", add);
}
