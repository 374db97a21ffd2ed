/* test_transforms.c - rotated operands: both of a product along what it sums over, with one set of signs, whatever
 * quantizes them; and transforms that are refused. */
#include "tiny_run.h"

/* Every size of transform divides what some product sums over. */
static fpx_experiment wide_experiment(void)
{
    fpx_experiment e = tiny_experiment(FPX_SWIGLU);

    e.model.width = 64;
    e.model.hidden = 64;
    e.data.sequence = 32;
    return e;
}

static fpx_recipe *recipe_of(const char *place, const char *scaling, const char *transform)
{
    fpx_recipe *recipe = NULL;
    char text[512];

    snprintf(text, sizeof text,
             "name: r\nsource: t\nrules:\n  - {layer: \"*\", op: mlp.up, %s, %s, round: rne, "
             "transform: %s}\n",
             place, scaling, transform);
    MUST(fpx_recipe_parse("r.yaml", text, &recipe, err));
    return recipe;
}

/* What rotated an operand of a product; the operand is quantized, so it has a source. */
static const fpx_program_op *rotation(const fpx_program *p, uint32_t operand)
{
    const uint32_t source = fpx_program_tensor_at(p, operand)->unquantized;

    ck_assert_uint_ne(source, FPX_NO_TENSOR);
    return fpx_program_op_at(p, fpx_program_tensor_at(p, source)->producer);
}

/* Scalings whose copies would do for both directions, were they not rotated; and one of one direction. */
START_TEST(both_operands_turn_alike)
{
    static const char *const scalings[] = {
        "format: bf16, scaling: none, overflow: none",
        "format: e4m3, scaling: tensor-current, overflow: satfinite",
        "format: e4m3, scaling: tensor-delayed, overflow: satfinite",
        "format: e2m1, scaling: nvfp4-16x16, overflow: satfinite",
        "format: e4m3, scaling: mx-rceil, overflow: satfinite",
    };
    const fpx_experiment experiment = wide_experiment();
    fpx_model *model = NULL;
    size_t products = 0;

    for (size_t s = 0; s < sizeof scalings / sizeof scalings[0]; s++) {
        fpx_recipe *recipe = recipe_of("role: \"*\", tensor: \"*\"", scalings[s], "hadamard-16");

        MUST(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err));
        const fpx_program *p = model->program;

        for (size_t i = 0; i < fpx_program_ops(p); i++) {
            const fpx_program_op *op = fpx_program_op_at(p, i);

            if (op->kind != FPX_OP_GEMM || strstr(op->name, "mlp.up") == NULL)
                continue;
            const fpx_program_op *a = rotation(p, op->in[0]), *b = rotation(p, op->in[1]);

            products++;
            ck_assert_uint_eq(a->kind, FPX_OP_HADAMARD);
            ck_assert_uint_eq(b->kind, FPX_OP_HADAMARD);
            ck_assert_msg(a->attr.hadamard.site == b->attr.hadamard.site, "%s, %s: other signs",
                          op->name, scalings[s]);
            ck_assert_msg(a->attr.hadamard.axis == !op->attr.gemm.trans_a &&
                              b->attr.hadamard.axis == op->attr.gemm.trans_b,
                          "%s, %s: an axis that is not summed over", op->name, scalings[s]);
        }
        fpx_model_free(model);
        fpx_recipe_free(recipe);
    }
    ck_assert_uint_eq(products, 2 * 3 * sizeof scalings / sizeof scalings[0]); /* layers, roles */
}
END_TEST

/* Operands of a product whose transforms would not cancel; a size that does not divide k. */
START_TEST(transforms_that_do_not_fit)
{
    static const struct {
        const char *place, *transform, *words;
    } cases[] = { { "role: wgrad, tensor: x", "hadamard-16", "transformed otherwise" },
                  { "role: wgrad, tensor: \"*\"", "hadamard-128", "does not divide" },
                  { "role: wgrad, tensor: \"*\"", "hadamard-17",
                    "unknown transform 'hadamard-17'; there is: none" } };
    const fpx_experiment experiment = wide_experiment();
    fpx_recipe *recipe = recipe_of(cases[_i].place, "format: bf16, scaling: none, overflow: none",
                                   cases[_i].transform);
    fpx_model *model = NULL;

    REFUSED(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err), FPX_EINVAL,
            cases[_i].words);
    fpx_recipe_free(recipe);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, both_operands_turn_alike);
    tcase_add_loop_test(tc, transforms_that_do_not_fit, 0, 3);
}

int main(void)
{
    return tiny_run("transforms", add);
}
