/* test_program.c - what a step program takes and what it refuses, with texts that name the culprit; that a
 * widened program is the same one in another precision. */
#include <fpx/optable.h>

#include "tiny_run.h"

static uint32_t add_tensor(fpx_program *p, const char *name, fpx_tensor_class cls,
                           const fpx_format *format, uint64_t rows, uint64_t columns)
{
    fpx_program_tensor t = { .cls = cls, .scale = FPX_NO_TENSOR, .unquantized = FPX_NO_TENSOR };
    const uint64_t shape[2] = { rows, columns };
    uint32_t index = 0;

    snprintf(t.name, sizeof t.name, "%s", name);
    ck_assert_int_eq(fpx_tensor_make(format, columns ? 2 : 1, shape, &t.desc), FPX_OK);
    MUST(fpx_program_add_tensor(p, &t, &index, err));
    return index;
}

static uint32_t plain(fpx_program *p, const char *name, fpx_tensor_class cls)
{
    return add_tensor(p, name, cls, &fpx_fp32, 4, 6);
}

/* An operation of up to three inputs; FPX_NO_TENSOR ends the list. */
static fpx_program_op make_op(const char *name, fpx_op_kind kind, uint32_t a, uint32_t b,
                              uint32_t out)
{
    fpx_program_op op = { .kind = kind, .nin = b == FPX_NO_TENSOR ? 1 : 2, .nout = 1 };

    snprintf(op.name, sizeof op.name, "%s", name);
    op.in[0] = a;
    op.in[1] = b;
    op.out[0] = out;
    return op;
}

static fpx_program *empty(void)
{
    fpx_program *p = NULL;

    ck_assert_int_eq(fpx_program_new(&p), FPX_OK);
    return p;
}

START_TEST(tensors_are_checked)
{
    fpx_program *p = empty();
    fpx_program_tensor t = {
        .cls = FPX_TENSOR_INPUT, .name = "x", .scale = FPX_NO_TENSOR, .unquantized = FPX_NO_TENSOR
    };
    uint32_t index = 77;

    ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, 1, (uint64_t[]){ 3 }, &t.desc), FPX_OK);
    MUST(fpx_program_add_tensor(p, &t, &index, err));
    ck_assert_uint_eq(index, 0);
    index = 77;
    REFUSED(fpx_program_add_tensor(p, &t, &index, err), FPX_EINVAL, "tensor x: the name is taken");
    t.name[0] = '\0';
    REFUSED(fpx_program_add_tensor(p, &t, &index, err), FPX_EINVAL, "1 to 63 characters");
    memset(t.name, 'n', sizeof t.name);
    REFUSED(fpx_program_add_tensor(p, &t, &index, err), FPX_EINVAL, "1 to 63 characters");
    strcpy(t.name, "y");
    t.scale = 1;
    REFUSED(fpx_program_add_tensor(p, &t, &index, err), FPX_EINVAL, "y: its scale does not exist");
    t.scale = FPX_NO_TENSOR;
    t.unquantized = 1;
    REFUSED(fpx_program_add_tensor(p, &t, &index, err), FPX_EINVAL, "unquantized source");
    t.unquantized = FPX_NO_TENSOR;
    t.desc.shape[0] = UINT64_MAX / 2;
    REFUSED(fpx_program_add_tensor(p, &t, &index, err), FPX_EINVAL, "size overflows");
    ck_assert_uint_eq(index, 77);
    ck_assert_uint_eq(fpx_program_tensors(p), 1);
    ck_assert_uint_eq(fpx_program_find_tensor(p, "x"), 0);
    ck_assert_uint_eq(fpx_program_find_tensor(p, "y"), FPX_NO_TENSOR);
    fpx_program_free(p);
}
END_TEST

START_TEST(operations_are_checked)
{
    fpx_program *p = empty();
    const uint32_t x = plain(p, "x", FPX_TENSOR_INPUT), w = plain(p, "w", FPX_TENSOR_PARAM);
    const uint32_t y = plain(p, "y", FPX_TENSOR_ACTIVATION);
    const uint32_t z = plain(p, "z", FPX_TENSOR_ACTIVATION);
    const uint32_t other = add_tensor(p, "other", FPX_TENSOR_ACTIVATION, &fpx_fp32, 6, 4);
    fpx_program_op op = make_op("add", FPX_OP_ADD, x, y, z);
    uint32_t index = 77;

    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL,
            "add: reads y, which no operation wrote before");
    op.in[1] = 99;
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL, "input 1 does not exist");
    op = make_op("add", FPX_OP_ADD, x, w, 99);
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL, "output 0 does not exist");
    op = make_op("add", FPX_OP_ADD, x, w, x);
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL, "writes x, which is written");
    op = make_op("add", FPX_OP_ADD, x, w, w);
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL,
            "state w is only updated in place");
    op = make_op("add", FPX_OP_ADD, x, w, other);
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL, "fp32[6,4]");
    op = make_op("add", FPX_OP_ADD, x, FPX_NO_TENSOR, y);
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL, "add: unknown kind, or 1 inputs");
    op = make_op("add", FPX_OP_ADD, x, w, y);
    op.nout = 2;
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL, "2 outputs are wrong");
    op = make_op("add", FPX_OP_KINDS, x, w, y);
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL, "unknown kind");
    op = make_op("", FPX_OP_ADD, x, w, y);
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL, "name is empty");
    ck_assert_uint_eq(index, 77);
    ck_assert_uint_eq(fpx_program_ops(p), 0);

    op = make_op("add", FPX_OP_ADD, x, w, y);
    MUST(fpx_program_add_op(p, &op, &index, err));
    ck_assert_uint_eq(fpx_program_tensor_at(p, y)->producer, index);
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL, "name is empty or taken");
    op = make_op("again", FPX_OP_ADD, x, w, y);
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL, "writes y, which is written");
    ck_assert_uint_eq(fpx_program_find_op(p, "add"), index);
    ck_assert_uint_eq(fpx_program_find_op(p, "again"), FPX_NO_TENSOR);
    fpx_program_free(p);
}
END_TEST

/* param, m, v updated in place; reading any of them afterwards would be ambiguous and is refused. */
START_TEST(state_is_updated_once_and_last)
{
    fpx_program *p = empty();
    const uint32_t w = plain(p, "w", FPX_TENSOR_PARAM), m = plain(p, "m", FPX_TENSOR_STATE);
    const uint32_t v = plain(p, "v", FPX_TENSOR_STATE), g = plain(p, "g", FPX_TENSOR_INPUT);
    const uint32_t factor = add_tensor(p, "factor", FPX_TENSOR_INPUT, &fpx_fp32, 1, 0);
    const uint32_t hyper = add_tensor(p, "hyper", FPX_TENSOR_INPUT, &fpx_fp32, 3, 0);
    const uint32_t y = plain(p, "y", FPX_TENSOR_ACTIVATION);
    fpx_program_op op = { .name = "adamw",
                          .kind = FPX_OP_ADAMW,
                          .role = FPX_OPTIMIZER,
                          .nin = 6,
                          .nout = 3,
                          .in = { w, m, v, g, factor, hyper },
                          .out = { w, v, m },
                          .attr.adamw = { 0.9, 0.95, 1e-8, 0.1 } };
    uint32_t index;

    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL,
            "adamw: output v must be input 1, in place");
    op.out[1] = m;
    op.out[2] = v;
    MUST(fpx_program_add_op(p, &op, &index, err));
    op = make_op("late", FPX_OP_ADD, g, w, y);
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL,
            "late: reads w after adamw updated it");
    fpx_program_free(p);
}
END_TEST

/* A history that micro-batches hand on: the state is written from what this step made of it. */
START_TEST(state_may_come_from_this_step)
{
    fpx_program *p = empty();
    const uint32_t x = add_tensor(p, "x", FPX_TENSOR_INPUT, &fpx_fp32, 3, 0);
    const uint32_t history = add_tensor(p, "history", FPX_TENSOR_STATE, &fpx_fp32, 6, 0);
    const uint32_t other = add_tensor(p, "other", FPX_TENSOR_STATE, &fpx_fp32, 6, 0);
    const uint32_t between = add_tensor(p, "between", FPX_TENSOR_SCALE, &fpx_fp32, 6, 0);
    const uint32_t one = add_tensor(p, "one", FPX_TENSOR_SCALE, &fpx_fp32, 2, 0);
    const uint32_t two = add_tensor(p, "two", FPX_TENSOR_SCALE, &fpx_fp32, 2, 0);
    fpx_program_op op = { .name = "first",
                          .kind = FPX_OP_SCALE_DELAYED,
                          .nin = 2,
                          .nout = 2,
                          .in = { history, x },
                          .out = { between, one },
                          .attr.delayed.target = fpx_e4m3 };
    uint32_t index;

    MUST(fpx_program_add_op(p, &op, &index, err));
    (void)snprintf(op.name, sizeof op.name, "second");
    op.out[1] = two;
    op.out[0] = other;
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL,
            "second: output other must be input 0, in place, or that be of this step");
    op.in[0] = between;
    op.out[0] = history;
    MUST(fpx_program_add_op(p, &op, &index, err));
    fpx_program_free(p);
}
END_TEST

/* A program of 300 of each grows past every reserve; the calls hold what was added. */
/* Codes in blocks of 2 x 3 under scales under a scale; the matrix of scales has to be that of the blocks. */
START_TEST(scales_have_levels)
{
    fpx_program *p = empty();
    const uint32_t whole = add_tensor(p, "whole", FPX_TENSOR_SCALE, &fpx_fp32, 2, 0);
    const uint64_t shape[2] = { 4, 7 }, grid[2] = { 2, 3 }, other[2] = { 3, 2 };
    fpx_program_tensor t = {
        .cls = FPX_TENSOR_SCALE, .layer = -1, .scale = whole, .unquantized = FPX_NO_TENSOR
    };
    uint32_t scales, wrong, codes;

    snprintf(t.name, sizeof t.name, "scales");
    ck_assert_int_eq(fpx_tensor_make(&fpx_ue4m3, 2, grid, &t.desc), FPX_OK);
    MUST(fpx_program_add_tensor(p, &t, &scales, err));
    snprintf(t.name, sizeof t.name, "wrong");
    ck_assert_int_eq(fpx_tensor_make(&fpx_ue4m3, 2, other, &t.desc), FPX_OK);
    MUST(fpx_program_add_tensor(p, &t, &wrong, err));
    snprintf(t.name, sizeof t.name, "codes");
    ck_assert_int_eq(fpx_tensor_make(&fpx_e2m1, 2, shape, &t.desc), FPX_OK);
    t.desc.nscales = 1;
    t.desc.scale[0].block[0] = 2;
    t.desc.scale[0].block[1] = 3;
    t.scale = wrong;
    REFUSED(fpx_program_add_tensor(p, &t, &codes, err), FPX_EINVAL, "not those of its blocks");
    t.scale = scales;
    MUST(fpx_program_add_tensor(p, &t, &codes, err));
    const fpx_tensor *desc = &fpx_program_tensor_at(p, codes)->desc;
    ck_assert_uint_eq(desc->nscales, 2);
    ck_assert(fpx_format_equal(&desc->scale[0].format, &fpx_ue4m3));
    ck_assert(fpx_format_equal(&desc->scale[1].format, &fpx_fp32));
    ck_assert(desc->scale[0].block[0] == 2 && desc->scale[0].block[1] == 3);
    ck_assert(desc->scale[1].block[0] == 0 && desc->scale[1].block[1] == 0);
    fpx_program_free(p);
}
END_TEST

/* Each name gives its own entry, and is taken; others give none. */
static void check_names(fpx_program *p)
{
    const fpx_program_tensor *last = fpx_program_tensor_at(p, fpx_program_tensors(p) - 1);
    fpx_program_tensor again = *last;
    fpx_program_op op = *fpx_program_op_at(p, 0);
    uint32_t index = 77;

    for (size_t i = 0; i < fpx_program_tensors(p); i++)
        ck_assert_uint_eq(fpx_program_find_tensor(p, fpx_program_tensor_at(p, i)->name), i);
    for (size_t i = 0; i < fpx_program_ops(p); i++)
        ck_assert_uint_eq(fpx_program_find_op(p, fpx_program_op_at(p, i)->name), i);
    ck_assert_uint_eq(fpx_program_find_tensor(p, "t"), FPX_NO_TENSOR);
    ck_assert_uint_eq(fpx_program_find_tensor(p, "t301"), FPX_NO_TENSOR);
    ck_assert_uint_eq(fpx_program_find_op(p, "t0"), FPX_NO_TENSOR);
    REFUSED(fpx_program_add_tensor(p, &again, &index, err), FPX_EINVAL, "the name is taken");
    REFUSED(fpx_program_add_op(p, &op, &index, err), FPX_EINVAL, "empty or taken");
    ck_assert_uint_eq(index, 77);
    snprintf(again.name, sizeof again.name, "new");
    MUST(fpx_program_add_tensor(p, &again, &index, err));
    ck_assert_uint_eq(fpx_program_find_tensor(p, "new"), index);
}

START_TEST(programs_grow)
{
    fpx_program *p = empty();
    uint32_t last = plain(p, "t0", FPX_TENSOR_INPUT), index = 0;

    for (uint32_t i = 1; i <= 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%u", i);
        const uint32_t next = plain(p, name, FPX_TENSOR_ACTIVATION);
        fpx_program_op op = make_op(name, FPX_OP_ADD, last, last, next);
        MUST(fpx_program_add_op(p, &op, &index, err));
        ck_assert_uint_eq(index, i - 1);
        last = next;
    }
    for (uint32_t i = 0; i < 300; i++) {
        fpx_call call;

        fpx_program_call(p, i, &call);
        ck_assert_str_eq(call.name, fpx_program_op_at(p, i)->name);
        ck_assert_uint_eq(call.op, i);
        ck_assert_uint_eq(call.struct_size, sizeof call);
        ck_assert_uint_eq(call.in[0].shape[1], 6);
        ck_assert_uint_eq(fpx_program_op_at(p, i)->in[0], i);
        ck_assert_uint_eq(fpx_program_op_at(p, i)->out[0], i + 1);
    }

    fpx_attr *attrs = calloc(fpx_program_ops(p), sizeof *attrs);
    fpx_program *edited = NULL, *wide = NULL;

    MUST(fpx_program_edit(p, attrs, &edited, err));
    MUST(fpx_program_widen(p, &fpx_fp64, &wide, err));
    check_names(p);
    check_names(edited);
    check_names(wide);
    free(attrs);
    fpx_program_free(edited);
    fpx_program_free(wide);
    fpx_program_free(p);
}
END_TEST

static void check_wide_tensor(const fpx_program_tensor *from, const fpx_program_tensor *to,
                              const fpx_format *format)
{
    const int keeps =
        from->desc.format.cls == FPX_CLASS_INT || from->desc.format.bits > format->bits;

    ck_assert_str_eq(from->name, to->name);
    ck_assert_uint_eq(from->cls, to->cls);
    ck_assert_int_eq(from->layer, to->layer);
    ck_assert_uint_eq(from->producer, to->producer);
    ck_assert_uint_eq(from->unquantized, to->unquantized);
    ck_assert_uint_eq(to->scale, FPX_NO_TENSOR);
    ck_assert_uint_eq(to->desc.nscales, 0);
    ck_assert(fpx_format_equal(&to->desc.format, keeps ? &from->desc.format : format));
    ck_assert_mem_eq(from->desc.shape, to->desc.shape, sizeof from->desc.shape);
}

START_TEST(widened_program_is_the_same_program)
{
    static const char *const recipes[] = { "fp32", "bf16", "fp8" };
    const fpx_format *format = _i % 2 ? &fpx_fp64 : &fpx_fp32;
    fpx_experiment experiment = tiny_experiment(FPX_SWIGLU);
    fpx_recipe *recipe = tiny_recipe(recipes[_i / 2]);
    fpx_program *wide = NULL;
    fpx_model *model = NULL;

    MUST(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err));
    MUST(fpx_program_widen(model->program, format, &wide, err));
    ck_assert_uint_eq(fpx_program_ops(wide), fpx_program_ops(model->program));
    ck_assert_uint_eq(fpx_program_tensors(wide), fpx_program_tensors(model->program));
    for (size_t i = 0; i < fpx_program_tensors(wide); i++)
        check_wide_tensor(fpx_program_tensor_at(model->program, i), fpx_program_tensor_at(wide, i),
                          format);
    for (size_t i = 0; i < fpx_program_ops(wide); i++) {
        fpx_program_op a = *fpx_program_op_at(model->program, i), b = *fpx_program_op_at(wide, i);

        if (a.kind == FPX_OP_SCALE) {
            ck_assert(fpx_format_equal(&b.attr.scale.target, format));
            b.attr.scale.target = a.attr.scale.target;
        }
        ck_assert_mem_eq(&a, &b, sizeof a);
    }
    fpx_program_free(wide);
    fpx_model_free(model);
    fpx_recipe_free(recipe);
}
END_TEST

/* A training step multiplies three times the forward products of its linear layers: 6 M inputs outputs;
 * attention's two products have four backward. */
START_TEST(flops_of_a_step)
{
    fpx_experiment e = tiny_experiment(FPX_SWIGLU);
    fpx_recipe *recipe = tiny_recipe("fp32");
    const double m = 12, c = 8, f = 11, v = 256, t = 6, b = 2;
    const double linear = 2 * (3 * c * c + c * c + 2 * c * f + f * c) + c * v;
    double gemm = 0, all = 0;
    fpx_model *model = NULL;

    MUST(fpx_model_build(&e, recipe, 1, 0, 0, &model, err));
    fpx_program_flops(model->program, &gemm, &all);
    ck_assert_double_eq_tol(gemm, 6 * m * linear + 2 * 12 * b * t * t * c, 0.5);
    ck_assert(all > gemm && all < 2 * gemm);
    fpx_model_free(model);
    fpx_recipe_free(recipe);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, tensors_are_checked);
    tcase_add_test(tc, operations_are_checked);
    tcase_add_test(tc, state_is_updated_once_and_last);
    tcase_add_test(tc, state_may_come_from_this_step);
    tcase_add_test(tc, scales_have_levels);
    tcase_add_test(tc, programs_grow);
    tcase_add_loop_test(tc, widened_program_is_the_same_program, 0, 6);
    tcase_add_test(tc, flops_of_a_step);
}

int main(void)
{
    return tiny_run("program", add);
}
