/* test_recipe_steps.c - one traced step of every shipped recipe: format, scales, rounding and transform of every quantized
 * tensor as the trace has them, against a table written from what the recipes' sources say; and no two recipes
 * give the same weights, but for one that has two names. */
#include <fpx/opshape.h>
#include <fpx/optable.h>
#include <fpx/trace.h>

#include "tiny_run.h"

enum { LEVELS_NONE, LEVELS_ONE, LEVELS_TWO };
enum { TO_ZERO = 16 }; /* beside FPX_RNA: where ties go */

/* where: 'h' head, 'o' the layer after attention, '1' layer 1 (the last), '*' any; role 0: any. block: rows, columns of the
 * stored matrix, 0: all. scale NULL: none. The first row that fits decides. */
typedef struct row {
    const char *recipe;
    char where;
    const char *tensor, *role, *format, *scale;
    uint64_t block[2];
    int levels;
    uint32_t round, overflow, hadamard;
} row;

#define CAST(recipe, where, format)                                                                \
    {                                                                                              \
        recipe, where, "*", NULL, format, NULL, { 0, 0 }, 0, FPX_RNE, FPX_OVERFLOW_NONE, 0         \
    }
#define WHOLE(recipe, tensor, format)                                                              \
    {                                                                                              \
        recipe, '*', tensor, NULL, format, "fp32", { 0, 0 }, 1, FPX_RNE, FPX_SATFINITE, 0          \
    }
#define BLOCK(recipe, tensor, role, format, scale, rows, cols, levels, round, hadamard)            \
    {                                                                                              \
        recipe, '*', tensor, role, format, scale, { rows, cols }, levels, round, FPX_SATFINITE,    \
            hadamard                                                                               \
    }

#define FP4(recipe)                                                                                \
    CAST(recipe, 'h', "bf16"), BLOCK(recipe, "x", "fprop", "e2m1", "fp32", 1, 0, 1, FPX_RNE, 0),   \
        BLOCK(recipe, "w", "fprop", "e2m1", "fp32", 1, 0, 1, FPX_RNE, 0),                          \
        WHOLE(recipe, "dy", "e5m2"), WHOLE(recipe, "x", "e4m3"), WHOLE(recipe, "w", "e4m3")

static const row rows[] = {
    CAST("bf16", '*', "bf16"),

    /* Transformer Engine, HYBRID; current and delayed scaling. */
    CAST("te-current", 'h', "bf16"),
    WHOLE("te-current", "dy", "e5m2"),
    WHOLE("te-current", "x", "e4m3"),
    WHOLE("te-current", "w", "e4m3"),
    CAST("fp8", 'h', "bf16"),
    WHOLE("fp8", "dy", "e5m2"),
    WHOLE("fp8", "x", "e4m3"),
    WHOLE("fp8", "w", "e4m3"),
    CAST("fp8-hopper", 'h', "bf16"),
    WHOLE("fp8-hopper", "dy", "e5m2"),
    WHOLE("fp8-hopper", "x", "e4m3"),
    WHOLE("fp8-hopper", "w", "e4m3"),
    /* FP8-LM with states of fewer bits: E4M3 forward and weights, E5M2 output gradients. */
    CAST("fp8-lm-o1", 'h', "bf16"),
    WHOLE("fp8-lm-o1", "dy", "e5m2"),
    WHOLE("fp8-lm-o1", "x", "e4m3"),
    WHOLE("fp8-lm-o1", "w", "e4m3"),
    CAST("fp8-lm-o2", 'h', "bf16"),
    WHOLE("fp8-lm-o2", "dy", "e5m2"),
    WHOLE("fp8-lm-o2", "x", "e4m3"),
    WHOLE("fp8-lm-o2", "w", "e4m3"),
    CAST("fp8-lm-o3", 'h', "bf16"),
    WHOLE("fp8-lm-o3", "dy", "e5m2"),
    WHOLE("fp8-lm-o3", "x", "e4m3"),
    WHOLE("fp8-lm-o3", "w", "e4m3"),
    CAST("coat", 'h', "bf16"),
    WHOLE("coat", "dy", "e5m2"),
    WHOLE("coat", "x", "e4m3"),
    WHOLE("coat", "w", "e4m3"),
    CAST("te-delayed", 'h', "bf16"),
    WHOLE("te-delayed", "dy", "e5m2"),
    WHOLE("te-delayed", "x", "e4m3"),
    WHOLE("te-delayed", "w", "e4m3"),

    /* FP8-LM: E4M3 forward and weights, E5M2 output gradients. */
    CAST("fp8-lm-gemm", 'h', "bf16"),
    WHOLE("fp8-lm-gemm", "dy", "e5m2"),
    WHOLE("fp8-lm-gemm", "x", "e4m3"),
    WHOLE("fp8-lm-gemm", "w", "e4m3"),

    /* MXFP8: E4M3 everywhere, 32 along k; a copy for each direction. */
    CAST("mxfp8", 'h', "bf16"),
    BLOCK("mxfp8", "x", "fprop", "e4m3", "e8m0", 1, 32, 1, FPX_RNE, 0),
    BLOCK("mxfp8", "w", "fprop", "e4m3", "e8m0", 1, 32, 1, FPX_RNE, 0),
    BLOCK("mxfp8", "dy", "dgrad", "e4m3", "e8m0", 1, 32, 1, FPX_RNE, 0),
    BLOCK("mxfp8", "w", "dgrad", "e4m3", "e8m0", 32, 1, 1, FPX_RNE, 0),
    BLOCK("mxfp8", "dy", "wgrad", "e4m3", "e8m0", 32, 1, 1, FPX_RNE, 0),
    BLOCK("mxfp8", "x", "wgrad", "e4m3", "e8m0", 32, 1, 1, FPX_RNE, 0),

    /* DeepSeek-V3: activations and their gradients 1x128, weights 128x128, E5M6 after attention for the backward pass. */
    CAST("deepseek-v3", 'h', "bf16"),
    { "deepseek-v3", 'o', "x", "wgrad", "e5m6", NULL, { 0, 0 }, 0, FPX_RNE, FPX_SATFINITE, 0 },
    BLOCK("deepseek-v3", "w", "fprop", "e4m3", "fp32", 128, 128, 1, FPX_RNE, 0),
    BLOCK("deepseek-v3", "x", "fprop", "e4m3", "fp32", 1, 128, 1, FPX_RNE, 0),
    BLOCK("deepseek-v3", "dy", "dgrad", "e4m3", "fp32", 1, 128, 1, FPX_RNE, 0),
    BLOCK("deepseek-v3", "x", "wgrad", "e4m3", "fp32", 128, 1, 1, FPX_RNE, 0),
    BLOCK("deepseek-v3", "dy", "wgrad", "e4m3", "fp32", 128, 1, 1, FPX_RNE, 0),

    /* NVFP4: 16 and 16x16, two levels; Hadamard on wgrad's operands only, stochastic gradients only; the last block and the
     * head in BF16. */
    CAST("nvfp4", 'h', "bf16"),
    CAST("nvfp4", '1', "bf16"),
    BLOCK("nvfp4", "x", "fprop", "e2m1", "ue4m3", 1, 16, 2, FPX_RNE, 0),
    BLOCK("nvfp4", "w", "fprop", "e2m1", "ue4m3", 16, 16, 2, FPX_RNE, 0),
    BLOCK("nvfp4", "dy", "dgrad", "e2m1", "ue4m3", 1, 16, 2, FPX_SR, 0),
    BLOCK("nvfp4", "x", "wgrad", "e2m1", "ue4m3", 16, 1, 2, FPX_RNE, 16),
    BLOCK("nvfp4", "dy", "wgrad", "e2m1", "ue4m3", 16, 1, 2, FPX_SR, 16),

    /* MXFP4: backward products only, stochastic, rotated by 64; a second level for 4/3. */
    CAST("mxfp4", 'h', "bf16"),
    { "mxfp4", '*', "*", "fprop", "bf16", NULL, { 0, 0 }, 0, FPX_RNE, FPX_OVERFLOW_NONE, 0 },
    BLOCK("mxfp4", "dy", "dgrad", "e2m1", "e8m0", 1, 32, 2, FPX_SR, 64),
    BLOCK("mxfp4", "w", "dgrad", "e2m1", "e8m0", 32, 1, 2, FPX_SR, 64),
    BLOCK("mxfp4", "dy", "wgrad", "e2m1", "e8m0", 32, 1, 2, FPX_SR, 64),
    BLOCK("mxfp4", "x", "wgrad", "e2m1", "e8m0", 32, 1, 2, FPX_SR, 64),

    /* Quartet: MXFP4 of x and w after a Hadamard transform of 32, ties toward zero; backward all operands, stochastic, with
     * 4/3 as a second level. */
    CAST("quartet", 'h', "bf16"),
    BLOCK("quartet", "x", "fprop", "e2m1", "e8m0", 1, 32, 1, FPX_RNA | TO_ZERO, 32),
    BLOCK("quartet", "w", "fprop", "e2m1", "e8m0", 1, 32, 1, FPX_RNA | TO_ZERO, 32),
    BLOCK("quartet", "dy", "dgrad", "e2m1", "e8m0", 1, 32, 2, FPX_SR, 32),
    BLOCK("quartet", "w", "dgrad", "e2m1", "e8m0", 32, 1, 2, FPX_SR, 32),
    BLOCK("quartet", "dy", "wgrad", "e2m1", "e8m0", 32, 1, 2, FPX_SR, 32),
    BLOCK("quartet", "x", "wgrad", "e2m1", "e8m0", 32, 1, 2, FPX_SR, 32),

    /* FP4, direct cast: token-wise activations, output-channel-wise weights, a real scale. */
    CAST("fp4-direct", 'h', "bf16"),
    BLOCK("fp4-direct", "x", "fprop", "e2m1", "fp32", 1, 0, 1, FPX_RNE, 0),
    BLOCK("fp4-direct", "w", "fprop", "e2m1", "fp32", 1, 0, 1, FPX_RNE, 0),
    WHOLE("fp4-direct", "dy", "e5m2"),
    WHOLE("fp4-direct", "x", "e4m3"),
    WHOLE("fp4-direct", "w", "e4m3"),
    /* Its remedies change no format. */
    FP4("fp4-occ"),
    FP4("fp4-dge"),
    FP4("fp4-dge-occ"),
};
enum { ROWS = sizeof rows / sizeof rows[0], RECIPES = 21 };

/* Where the scale of a whole tensor comes from, and whose the scales of blocks are. window 0: the tensor at hand. */
static const struct source {
    const char *recipe, *tensor;
    uint32_t window, rule;
    const char *profile, *role; /* NULL: any */
} sources[] = {
    { "quartet", "*", 0, 0, "mx-quest",
      "fprop" }, /* from the standard deviation, no second level */
    { "quartet", "*", 0, FPX_SCALE_THREE_QUARTERS, "mx-ocp", NULL },
    { "te-current", "*", 0, FPX_SCALE_CURRENT, NULL, NULL },
    { "fp8", "*", 0, FPX_SCALE_CURRENT, NULL, NULL },
    { "fp8-hopper", "*", 0, FPX_SCALE_CURRENT, NULL, NULL },
    { "fp8-lm-o1", "w", 1, FPX_DELAYED_MS_AMP, NULL, NULL },
    { "fp8-lm-o1", "*", 16, FPX_DELAYED_MS_AMP, NULL, NULL },
    { "fp8-lm-o2", "w", 1, FPX_DELAYED_MS_AMP, NULL, NULL },
    { "fp8-lm-o2", "*", 16, FPX_DELAYED_MS_AMP, NULL, NULL },
    { "fp8-lm-o3", "w", 1, FPX_DELAYED_MS_AMP, NULL, NULL },
    { "fp8-lm-o3", "*", 16, FPX_DELAYED_MS_AMP, NULL, NULL },
    { "coat", "*", 0, FPX_SCALE_CURRENT, NULL, NULL },
    { "te-delayed", "*", 1024, FPX_DELAYED_TE, NULL, NULL },
    { "fp8-lm-gemm", "w", 1, FPX_DELAYED_MS_AMP, NULL, NULL },
    { "fp8-lm-gemm", "*", 16, FPX_DELAYED_MS_AMP, NULL, NULL },
    { "mxfp8", "*", 0, 0, "mx-te", NULL }, /* rounded up */
    { "deepseek-v3", "w", 0, 0, "tile-te-128x128", NULL },
    { "deepseek-v3", "*", 0, 0, "tile-te", NULL },
    { "nvfp4", "w", 0, FPX_SCALE_AMAX, "nvfp4-te-16x16", NULL },
    { "nvfp4", "*", 0, FPX_SCALE_AMAX, "nvfp4-te", NULL },
    { "fp4-direct", "*", 0, FPX_SCALE_CURRENT, "row-te", NULL },
    { "fp4-occ", "*", 0, FPX_SCALE_CURRENT, "row-te", NULL },
    { "fp4-dge", "*", 0, FPX_SCALE_CURRENT, "row-te", NULL },
    { "fp4-dge-occ", "*", 0, FPX_SCALE_CURRENT, "row-te", NULL },
    { "mxfp4", "*", 0, FPX_SCALE_THREE_QUARTERS, "mx-ocp", NULL }, /* rounded down */
};

/* The remedies of FP4 (arXiv 2501.17116): two-sided clamping of activations at the .99 quantile of the tensor, the residual added
 * back; the weight's gradient times the estimator's slope, k = 5, at most 3, in float32. Of every layer but the head. */
static const struct remedy {
    const char *recipe;
    double alpha, k, cap; /* 0: none */
} remedies[] = {
    { "fp4-occ", 0.99, 0.0, 0.0 },
    { "fp4-dge", 0.0, 5.0, 3.0 },
    { "fp4-dge-occ", 0.99, 5.0, 3.0 },
};

static fpx_experiment small_experiment(void)
{
    fpx_experiment e = tiny_experiment(FPX_SWIGLU);

    e.model.width = 64;
    e.model.hidden = 64;
    e.data.sequence = 32;
    return e;
}

/* ---- tracing a step ---- */
typedef struct tracing {
    fpx_trace_writer *writer;
    size_t record;
} tracing;

static fpx_status put(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    tracing *t = context;
    fpx_status status = FPX_OK;

    for (uint32_t o = 0; o < op->nout && status == FPX_OK; o++)
        status = fpx_trace_put(t->writer, t->record++, view->out[o],
                               fpx_exec_scale(view->exec, op->out[o]), err);
    return status;
}

static void make_records(const fpx_program *p, fpx_trace_record *records, size_t *ret_count)
{
    size_t n = 0;

    for (size_t i = 0; i < fpx_program_ops(p); i++) {
        const fpx_program_op *op = fpx_program_op_at(p, i);

        for (uint32_t o = 0; o < op->nout; o++, n++) {
            const fpx_program_tensor *t = fpx_program_tensor_at(p, op->out[o]);
            fpx_trace_record *r = &records[n];

            *r = (fpx_trace_record){ .layer = op->layer, .op_index = (uint32_t)i, .desc = t->desc };
            snprintf(r->tensor, sizeof r->tensor, "%s", t->name);
            snprintf(r->op, sizeof r->op, "%s", op->name);
            snprintf(r->kind, sizeof r->kind, "%s", fpx_op_shape_of((fpx_op_kind)op->kind)->name);
            snprintf(r->role, sizeof r->role, "%s", fpx_role_name((fpx_role)op->role));
            snprintf(r->device, sizeof r->device, "cpu");
        }
    }
    *ret_count = n;
}

static const char one[] = "cpu,threads=1";

/* Runs a step of the recipe into the trace; returns the digest of the weights and the rest of the state after it. draw: the step that random bits
 * belong to. */
static fpx_digest run_step(const char *recipe_name, const char *on, const char *trace, int32_t draw,
                           fpx_model **ret_model)
{
    const fpx_experiment experiment = small_experiment();
    fpx_recipe *recipe = tiny_recipe(recipe_name);
    fpx_device *device = tiny_device(on);
    fpx_trace_layout layout = { .recipe = recipe->text };
    fpx_digest weights = { { 0 } };
    fpx_model *model = NULL;
    fpx_exec *exec = NULL;
    tracing t = { .record = 0 };

    MUST(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err));
    const fpx_program *p = model->program;
    MUST(fpx_exec_new(p, &device, 1, 0, &exec, err));
    tiny_fill(exec, 11, 256);
    if (model->micro[0].draw != FPX_NO_TENSOR) {
        ((int32_t *)fpx_exec_data(exec, model->micro[0].draw))[0] = draw;
        ((int32_t *)fpx_exec_data(exec, model->micro[0].draw))[1] = 0;
    }
    if (trace != NULL) {
        fpx_trace_record *records = calloc(fpx_program_ops(p) * FPX_MAX_OUT, sizeof *records);
        const fpx_observer observer = { .context = &t, .after_op = put };

        make_records(p, records, &layout.nrecords);
        layout.records = records;
        MUST(fpx_trace_create(trace, &layout, 1, &t.writer, err));
        MUST(fpx_trace_begin(t.writer, 0, err));
        ck_assert_int_eq(fpx_exec_attach(exec, &observer), FPX_OK);
        free(records);
    }
    MUST(fpx_exec_step(exec, 0, err));
    if (trace != NULL) {
        MUST(fpx_trace_commit(t.writer, err));
        MUST(fpx_trace_close(t.writer, err));
    }
    for (size_t i = 0; i < fpx_program_tensors(p); i++) {
        const fpx_program_tensor *w = fpx_program_tensor_at(p, i);

        if (fpx_tensor_class_lasts(w->cls))
            weights = fpx_digest_chain(
                weights, fpx_digest_tensor(&w->desc, fpx_exec_data(exec, (uint32_t)i)));
    }
    fpx_exec_free(exec);
    fpx_device_close(device);
    fpx_recipe_free(recipe);
    if (ret_model != NULL)
        *ret_model = model;
    else
        fpx_model_free(model);
    return weights;
}

/* ---- the table ---- */
/* "dy" of "layer.0/attn.qkv/dy.h16.e2m1.nvfp4.col.sr". */
static void operand_name(const char *tensor, char ret_name[8])
{
    const char *at = strrchr(tensor, '/') + 1;

    snprintf(ret_name, 8, "%.*s", (int)strcspn(at, "."), at);
}

static int fits(const row *r, const char *recipe, const fpx_trace_record *record)
{
    char operand[8];
    const int head = strncmp(record->tensor, "head/", 5) == 0;
    const int out = strstr(record->tensor, "/attn.out/") != NULL;

    operand_name(record->tensor, operand);
    return strcmp(r->recipe, recipe) == 0 &&
           (r->where == '*' || (r->where == 'h' && head) || (r->where == 'o' && out) ||
            (r->where == '1' && record->layer == 1)) &&
           (r->tensor[0] == '*' || strcmp(r->tensor, operand) == 0) &&
           (r->role == NULL || strcmp(r->role, record->role) == 0);
}

static uint32_t hadamard_of(const fpx_program *p, const fpx_program_tensor *codes)
{
    const fpx_program_tensor *from = fpx_program_tensor_at(p, codes->unquantized);

    if (from->producer == FPX_NO_TENSOR)
        return 0;
    const fpx_program_op *op = fpx_program_op_at(p, from->producer);
    return op->kind == FPX_OP_HADAMARD ? op->attr.hadamard.size : 0;
}

static void check_record(const fpx_program *p, const row *r, const fpx_trace_record *record)
{
    const fpx_program_tensor *codes =
        fpx_program_tensor_at(p, fpx_program_find_tensor(p, record->tensor));
    const fpx_program_op *op = fpx_program_op_at(p, codes->producer);
    const int block = op->kind == FPX_OP_QUANTIZE_BLOCK || op->kind == FPX_OP_QUANTIZE_BLOCK_RANDOM;
    const uint32_t ties = block && op->attr.block.ties_to_zero != 0 ? TO_ZERO : 0;
    const uint32_t round = ties | (block ? op->attr.block.round : op->attr.quantize.round);
    const uint32_t overflow = block ? op->attr.block.overflow : op->attr.quantize.overflow;
    const char *what = record->tensor;

    ck_assert_msg(strcmp(record->desc.format.name, r->format) == 0, "%s is %s", what,
                  record->desc.format.name);
    ck_assert_msg(record->desc.nscales == r->levels, "%s has %u levels", what,
                  record->desc.nscales);
    if (r->levels > 0)
        ck_assert_msg(strcmp(record->desc.scale[0].format.name, r->scale) == 0 &&
                          record->desc.scale[0].block[0] == r->block[0] &&
                          record->desc.scale[0].block[1] == r->block[1],
                      "%s: scales %s of %u x %u", what, record->desc.scale[0].format.name,
                      (unsigned)record->desc.scale[0].block[0],
                      (unsigned)record->desc.scale[0].block[1]);
    if (r->levels > 1)
        ck_assert_msg(strcmp(record->desc.scale[1].format.name, "fp32") == 0 &&
                          record->desc.scale[1].block[0] == 0,
                      "%s: the second level is %s", what, record->desc.scale[1].format.name);
    ck_assert_msg(round == r->round && overflow == r->overflow, "%s: round %u, overflow %u", what,
                  round, overflow);
    ck_assert_msg((strstr(record->kind, "random") != NULL) == (r->round == FPX_SR), "%s: %s", what,
                  record->kind);
    ck_assert_msg(hadamard_of(p, codes) == r->hadamard, "%s: transform of %u", what,
                  hadamard_of(p, codes));
}

/* The scale of the whole, through the blocks' scales where there are such. */
static void check_source(const fpx_program *p, const char *recipe, const fpx_program_tensor *codes)
{
    const fpx_program_op *op = fpx_program_op_at(p, codes->producer);
    const fpx_program_tensor *scale;
    char operand[8];
    size_t at = 0;

    if (codes->scale == FPX_NO_TENSOR)
        return;
    operand_name(codes->name, operand);
    while (strcmp(sources[at].recipe, recipe) != 0 ||
           (sources[at].tensor[0] != '*' && strcmp(sources[at].tensor, operand) != 0) ||
           (sources[at].role != NULL &&
            strcmp(sources[at].role, fpx_role_name((fpx_role)op->role)) != 0))
        ck_assert_msg(++at < sizeof sources / sizeof sources[0], "%s: no source", codes->name);
    scale = fpx_program_tensor_at(p, codes->scale);
    if (op->kind == FPX_OP_QUANTIZE_BLOCK || op->kind == FPX_OP_QUANTIZE_BLOCK_RANDOM) {
        ck_assert_str_eq(op->attr.block.profile, sources[at].profile);
        if (scale->scale == FPX_NO_TENSOR)
            return;
        scale = fpx_program_tensor_at(p, scale->scale);
    }
    const fpx_program_op *made = fpx_program_op_at(p, scale->producer);
    if (sources[at].window == 0) {
        ck_assert_uint_eq(made->kind, FPX_OP_SCALE);
        ck_assert_msg(made->attr.scale.rule == sources[at].rule, "%s: rule %u", codes->name,
                      made->attr.scale.rule);
        return;
    }
    ck_assert_uint_eq(made->kind, FPX_OP_SCALE_DELAYED);
    ck_assert_uint_eq(made->attr.delayed.rule, sources[at].rule);
    ck_assert_uint_eq(fpx_program_tensor_at(p, made->in[0])->desc.shape[0], 2 + sources[at].window);
}

/* Every product of the forward pass that is remedied takes clamped codes and is compensated; every weight gradient that is goes to
 * the optimizer through the estimator. Of other recipes: none. */
static void check_remedies(const fpx_program *p, const char *recipe)
{
    const struct remedy none = { recipe, 0.0, 0.0, 0.0 }, *want = &none;
    const size_t linears = 2 * 4; /* of two layers */
    size_t clamps = 0, sums = 0, slopes = 0;

    for (size_t i = 0; i < sizeof remedies / sizeof remedies[0]; i++)
        if (strcmp(remedies[i].recipe, recipe) == 0)
            want = &remedies[i];
    for (size_t i = 0; i < fpx_program_ops(p); i++) {
        const fpx_program_op *op = fpx_program_op_at(p, i);

        if (op->kind == FPX_OP_CLAMP) {
            clamps++;
            ck_assert(op->attr.clamp.alpha == want->alpha &&
                      op->attr.clamp.over == FPX_CLAMP_TENSOR);
        } else if (op->kind == FPX_OP_ADD_RESIDUAL) {
            const fpx_program_tensor *base = fpx_program_tensor_at(p, op->in[0]);
            const fpx_program_op *product = fpx_program_op_at(p, base->producer);
            const fpx_program_tensor *codes = fpx_program_tensor_at(p, product->in[0]);

            sums++;
            ck_assert_uint_eq(product->kind, FPX_OP_GEMM);
            ck_assert_uint_eq(codes->unquantized, op->in[2]); /* the clamped */
            ck_assert_uint_eq(
                fpx_program_op_at(p, fpx_program_tensor_at(p, op->in[2])->producer)->in[0],
                op->in[1]);
            ck_assert_uint_eq(fpx_program_tensor_at(p, op->in[3])->cls, FPX_TENSOR_PARAM);
        } else if (op->kind == FPX_OP_DGE) {
            const fpx_program_tensor *dw = fpx_program_tensor_at(p, op->in[0]);

            slopes++;
            ck_assert(op->attr.dge.k == want->k && op->attr.dge.cap == want->cap &&
                      op->attr.dge.rule == FPX_DGE_PAPER);
            ck_assert_uint_eq(fpx_program_op_at(p, dw->producer)->kind, FPX_OP_GEMM);
            ck_assert_uint_eq(fpx_program_tensor_at(p, op->in[1])->cls, FPX_TENSOR_PARAM);
        } else if (op->kind == FPX_OP_ADAMW && want->k > 0.0) {
            const fpx_program_tensor *grad = fpx_program_tensor_at(p, op->in[3]);
            const int linear =
                strstr(op->name, "/attn.qkv/") != NULL || strstr(op->name, "/attn.out/") != NULL ||
                strstr(op->name, "/mlp.up/") != NULL || strstr(op->name, "/mlp.down/") != NULL;

            ck_assert_int_eq(fpx_program_op_at(p, grad->producer)->kind == FPX_OP_DGE, linear);
        }
    }
    ck_assert_uint_eq(clamps, want->alpha > 0.0 ? linears : 0);
    ck_assert_uint_eq(sums, clamps);
    ck_assert_uint_eq(slopes, want->k > 0.0 ? linears : 0);
}

START_TEST(traced_quantizers_are_those_of_the_table)
{
    const char *recipe = fpx_recipe_shipped((size_t)_i);
    char folder[] = "/tmp/fpx-recipe-XXXXXX", path[64], command[96];
    unsigned char used[ROWS] = { 0 };
    fpx_trace *trace = NULL;
    fpx_model *model = NULL;
    size_t seen = 0;

    if (recipe == NULL)
        return;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/step.h5", folder);
    (void)run_step(recipe, one, path, 0, &model);
    MUST(fpx_trace_open(path, &trace, err));
    const fpx_trace_layout *layout = fpx_trace_layout_of(trace);
    for (size_t i = 0; i < layout->nrecords; i++) {
        const fpx_trace_record *record = &layout->records[i];
        const fpx_program_tensor *t = fpx_program_tensor_at(
            model->program, fpx_program_find_tensor(model->program, record->tensor));
        char operand[8];
        size_t at = 0;

        if (t->unquantized == FPX_NO_TENSOR)
            continue;
        operand_name(record->tensor, operand);
        if (strcmp(operand, "dy") != 0 && strcmp(operand, "x") != 0 && strcmp(operand, "w") != 0)
            continue; /* a stored gradient */
        seen++;
        while (at < ROWS && !fits(&rows[at], recipe, record))
            at++;
        ck_assert_msg(at < ROWS, "%s: nothing in the table is %s, %s", recipe, record->tensor,
                      record->role);
        used[at] = 1;
        check_record(model->program, &rows[at], record);
        check_source(model->program, recipe, t);
    }
    for (size_t i = 0; i < ROWS; i++)
        ck_assert_msg(strcmp(rows[i].recipe, recipe) != 0 || used[i], "%s: row %zu is not there",
                      recipe, i);
    check_remedies(model->program, recipe);
    printf("%s: %zu quantized tensors of a traced step are as the table says\n", recipe, seen);
    ck_assert_msg((seen == 0) == (strcmp(recipe, "fp32") == 0), "%s: %zu", recipe, seen);
    fpx_trace_free(trace);
    fpx_model_free(model);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* fp8 is te-current's short name. */
static int is_same_recipe(const char *one_name, const char *other)
{
    return strcmp(one_name, "fp8") == 0 && strcmp(other, "te-current") == 0;
}

START_TEST(recipes_differ)
{
    fpx_digest weights[RECIPES];
    size_t n = 0;

    for (const char *name; (name = fpx_recipe_shipped(n)) != NULL; n++) {
        ck_assert_uint_lt(n, RECIPES);
        weights[n] = run_step(name, one, NULL, 0, NULL);
        for (size_t i = 0; i < n; i++)
            ck_assert_msg(fpx_digest_equal(weights[i], weights[n]) ==
                              is_same_recipe(fpx_recipe_shipped(i), name),
                          "%s beside %s", name, fpx_recipe_shipped(i));
    }
}
END_TEST

/* Threads and instruction sets never enter a number. */
START_TEST(recipes_have_one_result)
{
    const char *name = fpx_recipe_shipped((size_t)_i);

    if (name == NULL)
        return;
    const fpx_digest weights = run_step(name, one, NULL, 3, NULL);
    ck_assert(fpx_digest_equal(weights, run_step(name, "cpu,threads=3", NULL, 3, NULL)));
    ck_assert(
        fpx_digest_equal(weights, run_step(name, "cpu,threads=2,level=scalar", NULL, 3, NULL)));
}
END_TEST

/* The same draw gives the same step, another draw another. */
START_TEST(random_bits_are_the_steps)
{
    const fpx_digest first = run_step("nvfp4", one, NULL, 5, NULL);

    ck_assert(fpx_digest_equal(first, run_step("nvfp4", one, NULL, 5, NULL)));
    ck_assert(!fpx_digest_equal(first, run_step("nvfp4", one, NULL, 6, NULL)));
}
END_TEST

/* "-1" is the last layer, "-" none of them. */
START_TEST(layers_from_the_end)
{
    static const struct {
        const char *pattern;
        int layer, matches;
    } cases[] = { { "-1", 11, 1 },    { "-1", 1, 0 },  { "-1", -1, 0 },     { "-[1-8]", 4, 1 },
                  { "-[1-8]", 3, 0 }, { "-", 11, 0 },  { "-", -1, 1 },      { "*1", 11, 1 },
                  { "-12", 0, 1 },    { "*1", 10, 0 }, { "-[1-8]", -1, 0 }, { "[!-]*", 3, 1 } };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fpx_operand_rule rule;
        fpx_recipe *recipe = NULL;
        char text[512];

        snprintf(text, sizeof text,
                 "name: r\nsource: t\nrules:\n  - {layer: \"%s\", op: \"*\", role: \"*\", tensor: "
                 "\"*\", "
                 "format: bf16, scaling: none, round: rne, overflow: none}\n",
                 cases[i].pattern);
        MUST(fpx_recipe_parse("r.yaml", text, &recipe, err));
        MUST(fpx_recipe_operand(recipe, cases[i].layer, 12, "mlp.up", FPX_FPROP, "x", NULL, &rule,
                                err));
        ck_assert_msg(rule.quantized == cases[i].matches, "%s and layer %d of 12", cases[i].pattern,
                      cases[i].layer);
        fpx_recipe_free(recipe);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, traced_quantizers_are_those_of_the_table, 0, RECIPES);
    tcase_add_test(tc, recipes_differ);
    tcase_add_loop_test(tc, recipes_have_one_result, 0, RECIPES);
    tcase_add_test(tc, random_bits_are_the_steps);
    tcase_add_test(tc, layers_from_the_end);
}

int main(void)
{
    return tiny_run("recipe_steps", add);
}
