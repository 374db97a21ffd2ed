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

/* Gradients through a clipping quantizer: what does not go together. */
START_TEST(estimators_that_do_not_fit)
{
#define CLIP(place, scaling, round, more)                                                          \
    "  - {layer: \"*\", op: mlp.up, " place ", format: e2m1, scaling: " scaling ", round: " round  \
    ", overflow: satfinite" more "}\n"
    static const struct {
        const char *rules, *words;
    } cases[] = {
        { CLIP("role: \"*\", tensor: \"*\"", "mx-quest", "rnz", ", estimator: clip"),
          "rule 1: estimator 'clip' is of operands of fprop, whose gradients it makes; this rule "
          "also matches " },
        { CLIP("role: fprop, tensor: x", "mx-quest", "rnz", ", estimator: clip"),
          "estimator 'clip' is of x or of w of layer.0/mlp.up/fprop alone" },
        { CLIP("role: fprop, tensor: \"*\"", "nvfp4", "rne", ", estimator: clip"),
          "rule 1: estimator 'clip' goes with scaling mx-floor, mx-rceil or mx-quest" },
        { CLIP("role: fprop, tensor: \"*\"", "mx-floor-0.75", "rne", ", estimator: clip"),
          "rule 1: estimator 'clip' goes with scaling" },
        { CLIP("role: fprop, tensor: \"*\"", "tensor-current", "rne", ", estimator: clip"),
          "rule 1: estimator 'clip' goes with scaling" },
        { CLIP("role: fprop, tensor: \"*\"", "mx-quest", "rnz", ", estimator: straight"),
          "rule 1: estimator 'straight' is unknown; there is: none, clip, dge" },
        { CLIP("role: fprop, tensor: \"*\"", "tensor-current", "rnz", ""),
          "rule 1: round 'rnz' goes with scales of blocks only" },
        { CLIP("role: fprop, tensor: x", "mx-quest", "rne", ", transform: hadamard-32-plain")
              CLIP("role: fprop, tensor: w", "mx-quest", "rne", ", transform: hadamard-32"),
          "transformed otherwise" },
        { CLIP("role: wgrad, tensor: x", "mx-quest", "rne", ", transform: hadamard-32-after")
              CLIP("role: wgrad, tensor: dy", "mx-quest", "rne", ", transform: hadamard-32-fresh"),
          "transformed otherwise" },
    };
#undef CLIP
    const fpx_experiment experiment = wide_experiment();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fpx_recipe *recipe = NULL;
        fpx_model *model = NULL;
        char text[1024];

        snprintf(text, sizeof text, "name: r\nsource: t\nrules:\n%s", cases[i].rules);
        MUST(fpx_recipe_parse("r.yaml", text, &recipe, err));
        REFUSED(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err), FPX_EINVAL,
                cases[i].words);
        fpx_recipe_free(recipe);
    }
}
END_TEST

/* Without a transform, and with signs, which the way back has on the other side; backward operands as they are. */
START_TEST(gradients_go_back_the_way)
{
    static const struct {
        const char *transform;
        uint32_t signs, back;
    } ways[] = { { "none", 0, 0 },
                 { "hadamard-32", FPX_SIGNS_BEFORE, FPX_SIGNS_AFTER },
                 { "hadamard-32-fresh", FPX_SIGNS_BEFORE, FPX_SIGNS_AFTER },
                 { "hadamard-32-after", FPX_SIGNS_AFTER, FPX_SIGNS_BEFORE },
                 { "hadamard-32-plain", FPX_SIGNS_NONE, FPX_SIGNS_NONE } };
    const fpx_experiment experiment = wide_experiment();

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        fpx_recipe *recipe =
            recipe_of("role: fprop, tensor: \"*\", estimator: clip",
                      "format: e2m1, scaling: mx-floor, overflow: satfinite", ways[i].transform);
        fpx_model *model = NULL;

        MUST(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err));
        const fpx_program *p = model->program;
        const fpx_program_op *fprop =
            fpx_program_op_at(p, fpx_program_find_op(p, "layer.1/mlp.up/fprop"));
        const fpx_program_op *dgrad =
            fpx_program_op_at(p, fpx_program_find_op(p, "layer.1/mlp.up/dgrad"));
        const fpx_program_op *clip =
            fpx_program_op_at(p, fpx_program_find_op(p, "layer.1/mlp.up/dx/clip"));
        const uint32_t x = fpx_program_tensor_at(p, fprop->in[0])->unquantized;

        ck_assert_uint_eq(dgrad->in[1], fpx_program_find_tensor(p, "layer.1/mlp.up/w.copy"));
        ck_assert_uint_eq(clip->kind, FPX_OP_QUANTIZE_BLOCK_GRAD);
        ck_assert(clip->in[0] == fprop->in[0] && clip->in[1] == x && clip->in[2] == dgrad->out[0]);
        const uint32_t turn = fpx_program_find_op(p, "layer.1/mlp.up/dx/transform");
        ck_assert_int_eq(turn == FPX_NO_TENSOR, i == 0);
        if (i > 0) {
            const fpx_program_op *back = fpx_program_op_at(p, turn),
                                 *there = rotation(p, fprop->in[0]);

            ck_assert_uint_eq(there->attr.hadamard.signs, ways[i].signs);
            ck_assert_uint_eq(back->attr.hadamard.signs, ways[i].back);
            ck_assert(back->in[0] == clip->out[0] && back->nin == there->nin &&
                      (back->nin == 1 || back->in[1] == there->in[1]) &&
                      back->attr.hadamard.site == there->attr.hadamard.site &&
                      back->attr.hadamard.axis == there->attr.hadamard.axis);
        }
        fpx_model_free(model);
        fpx_recipe_free(recipe);
    }
}
END_TEST

/* A weight's copies with signs of each pass are of their own micro-batch, and so is all that is made of them. */
START_TEST(passes_do_not_share)
{
    fpx_experiment experiment = wide_experiment();
    fpx_recipe *recipe = NULL;
    fpx_model *model = NULL;

    experiment.data.accumulate = 2;
    MUST(fpx_recipe_parse(
        "r.yaml",
        "name: r\nsource: t\nrules:\n"
        "  - {layer: \"*\", op: mlp.up, role: fprop, tensor: \"*\", format: e2m1, scaling: "
        "mx-floor, "
        "round: rne, overflow: satfinite, transform: hadamard-32-after, estimator: clip}\n"
        "  - {layer: \"*\", op: mlp.up, role: \"*\", tensor: \"*\", format: e4m3, scaling: "
        "mx-rceil, "
        "round: rne, overflow: satfinite}\n",
        &recipe, err));
    MUST(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err));
    const fpx_program *p = model->program;
    for (int m = 0; m < 2; m++) {
        char name[FPX_NAME_MAX];

        (void)snprintf(name, sizeof name, "micro.%d/layer.0/mlp.up/dgrad", m);
        const fpx_program_op *dgrad = fpx_program_op_at(p, fpx_program_find_op(p, name));
        const uint32_t w = dgrad->in[1], copy = fpx_program_tensor_at(p, w)->unquantized;
        const fpx_program_op *decode =
            fpx_program_op_at(p, fpx_program_tensor_at(p, copy)->producer);
        const uint32_t tensors[] = { w, copy, decode->in[0] };

        ck_assert_uint_eq(decode->kind, FPX_OP_DEQUANTIZE);
        for (size_t i = 0; i < 3; i++)
            ck_assert_msg(strncmp(fpx_program_tensor_at(p, tensors[i])->name, name, 8) == 0,
                          "%s reads %s", name, fpx_program_tensor_at(p, tensors[i])->name);
    }
    fpx_model_free(model);
    fpx_recipe_free(recipe);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, both_operands_turn_alike);
    tcase_add_loop_test(tc, transforms_that_do_not_fit, 0, 3);
    tcase_add_test(tc, estimators_that_do_not_fit);
    tcase_add_test(tc, gradients_go_back_the_way);
    tcase_add_test(tc, passes_do_not_share);
}

int main(void)
{
    return tiny_run("transforms", add);
}
