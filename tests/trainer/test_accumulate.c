/* test_accumulate.c - micro-batches: the bits of one large batch, however it is cut; and a run that is cut between two
 * micro-batches goes on with the same bits. */
#include "accumulate_run.h"

/* Batches of 12 and 14 sequences are no power of two: the tree has missing children. */
static const struct {
    uint32_t batch, accumulate, whole;
} cuts[] = { { 4, 2, 8 },  { 2, 4, 8 },  { 1, 8, 8 },  { 2, 3, 6 },
             { 4, 3, 12 }, { 2, 7, 14 }, { 2, 5, 10 }, { 1, 11, 11 } };

START_TEST(the_bits_of_one_batch)
{
    running whole, cut;

    dropout = _i % 2 != 0 ? 0.3 : 0.0;
    start(&whole, "fp32", cuts[_i].whole, 1);
    start(&cut, "fp32", cuts[_i].batch, cuts[_i].accumulate);
    SAME_DIGEST(finish(&whole), finish(&cut), "batch %u, accumulate %u", cuts[_i].batch,
                cuts[_i].accumulate);
    stop(&whole);
    stop(&cut);
}
END_TEST

/* Formats of states, and what is stored between micro-batches, do not stand in the way. */
static const char *const recipes[] = { "fp8",         "fp8-lm-o3",  "coat",        "fp8-lm-o1",
                                       "fp8-lm-o2",   "te-delayed", "fp8-lm-gemm", "tuned",
                                       "fp4-dge-occ", "deepseek-v3" };
enum { RECIPES = sizeof recipes / sizeof recipes[0] };

/* _i / RECIPES micro-batches of 3 a step are done when the run is cut. */
START_TEST(resume_within_a_step)
{
    const char *const recipe = recipes[_i % RECIPES];
    const int micro = _i / RECIPES;
    running whole, first, second;
    char path[96], chain[64] = "";
    fpx_step_result result;
    int done = 0;

    dropout = 0.1;
    (void)snprintf(path, sizeof path, "%s/m%d", folder, _i);
    start(&whole, recipe, 2, 3);
    start(&first, recipe, 2, 3);
    start(&second, recipe, 2, 3);
    for (int i = 0; i < micro; i++)
        MUST(fpx_trainer_micro_step(first.trainer, &done, &result, err));
    MUST(fpx_trainer_save(first.trainer, path, NULL, 0, "", err));
    MUST(fpx_trainer_load(second.trainer, path, NULL, 0, chain, err));
    ck_assert_uint_eq(fpx_trainer_next_step(second.trainer), (uint64_t)micro / 3);
    ck_assert_uint_eq(fpx_trainer_next_micro(second.trainer), (uint32_t)micro % 3);
    SAME_DIGEST(finish(&whole), finish(&second), "%s cut after %d micro-batches", recipe, micro);
    stop(&whole);
    stop(&first);
    stop(&second);
}
END_TEST

/* Every micro-batch of every step draws bits of its own: on equal rows, other ones are dropped. */
static fpx_status see_masks(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    const char *slash = strchr(op->name, '/');
    uint64_t *masks = context;

    (void)err;
    if (op->kind != FPX_OP_DROPOUT || strcmp(slash, "/embed.dropout/fprop") != 0)
        return FPX_OK;
    const float *y = view->out[0];
    const uint64_t micro = (uint64_t)(op->name[6] - '0');
    for (size_t i = 0; i < 64; i++)
        masks[3 * view->step + micro] |= (uint64_t)(y[i] == 0.0f) << i;
    return FPX_OK;
}

START_TEST(micro_batches_drop_what_others_keep)
{
    uint64_t masks[4 * 3] = { 0 };
    const fpx_observer observer = { .context = masks, .after_op = see_masks };
    running r;

    dropout = 0.5;
    start(&r, "fp32", 2, 3);
    ck_assert_int_eq(fpx_exec_attach(fpx_trainer_exec(r.trainer), &observer), FPX_OK);
    (void)finish(&r);
    for (size_t i = 0; i < 12; i++) {
        ck_assert(masks[i] != 0 && masks[i] != UINT64_MAX);
        for (size_t k = 0; k < i; k++)
            ck_assert(masks[i] != masks[k]);
    }
    stop(&r);
}
END_TEST

START_TEST(the_bits_of_any_device)
{
    running one, other;

    dropout = 0.1;
    start_on(&one, "cpu,threads=1,level=scalar", recipes[_i], 2, 3);
    start_on(&other, "cpu,threads=2", recipes[_i], 2, 3);
    SAME_DIGEST(finish(&one), finish(&other), "recipe %s", recipes[_i]);
    stop(&one);
    stop(&other);
}
END_TEST

/* All that are shipped, in a model that every block and transform fits: on another device, and cut within a step. */
enum { SHIPPED = 32, CUT_AFTER = 4 };

static void begin(running *r, const char *device, const char *recipe)
{
    r->experiment = tiny_experiment(FPX_SWIGLU);
    r->experiment.model.width = r->experiment.model.hidden = 64;
    r->experiment.data.corpus = corpus_path;
    r->experiment.data.sequence = 32;
    r->experiment.data.accumulate = 3;
    r->experiment.steps = 2;
    r->recipe = tiny_recipe(recipe);
    r->device = tiny_device(device);
    MUST(fpx_trainer_new(&r->experiment, r->recipe, &r->device, 1, 0, &r->trainer, err));
}

START_TEST(every_recipe_accumulates)
{
    const char *const recipe = fpx_recipe_shipped((size_t)_i);
    running whole, first, second;
    char path[96], chain[64] = "";
    fpx_step_result result;
    int done = 0;

    ck_assert_ptr_null(fpx_recipe_shipped(SHIPPED));
    if (recipe == NULL)
        return;
    (void)snprintf(path, sizeof path, "%s/r%d", folder, _i);
    begin(&whole, "cpu,threads=1", recipe);
    begin(&first, "cpu,threads=3", recipe);
    begin(&second, "cpu,threads=1,level=scalar", recipe);
    for (int i = 0; i < CUT_AFTER; i++)
        MUST(fpx_trainer_micro_step(first.trainer, &done, &result, err));
    MUST(fpx_trainer_save(first.trainer, path, NULL, 0, "", err));
    MUST(fpx_trainer_load(second.trainer, path, NULL, 0, chain, err));
    SAME_DIGEST(finish(&whole), finish(&second), "%s: other bits on another device", recipe);
    stop(&whole);
    stop(&first);
    stop(&second);
}
END_TEST

/* The scaling's word where it fits into the longest name of its kind, its tag in all of them where it does not. */
START_TEST(names_that_would_be_too_long)
{
    static const struct {
        const char *recipe;
        uint32_t accumulate;
        const char *there, *absent;
    } names[] = {
        { "mxfp4", 1, "layer.0/attn.qkv/dy.h64f.e2m1.mx-floor-0.75.row.sr", NULL },
        { "mxfp4", 3, "micro.0/layer.0/attn.qkv/dy.h64f.e2m1.mxf34.row.sr",
          "micro.0/layer.0/attn.qkv/dy.h64f.e2m1.mx-floor-0.75.row.sr" },
        { "mxfp4", 3, "layer.1/attn.qkv/w.h64f.e2m1.mx-floor-0.75.col.sr", NULL },
        { "nvfp4", 3, "micro.2/layer.0/attn.qkv/dy.h16.e2m1.nvfp4.col.sr", NULL },
        { "quartet", 3, "micro.0/layer.0/attn.qkv/x.h32n.e2m1.mx-quest.row.rnz", NULL },
        { "quartet", 3, "micro.2/layer.0/attn.qkv/w.h32a.e2m1.mxf34.col.sr", NULL },
        { "quartet", 1, "layer.0/attn.qkv/w.h32a.e2m1.mx-floor-0.75.col.sr", NULL },
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fpx_experiment e = tiny_experiment(FPX_SWIGLU);
        fpx_recipe *recipe = tiny_recipe(names[i].recipe);
        fpx_model *model = NULL;

        e.model.width = e.model.hidden = 64;
        e.data.sequence = 32;
        e.data.accumulate = names[i].accumulate;
        MUST(fpx_model_build(&e, recipe, 1, 0, 0, &model, err));
        ck_assert_msg(fpx_program_find_tensor(model->program, names[i].there) != FPX_NO_TENSOR,
                      "%s is missing", names[i].there);
        if (names[i].absent != NULL)
            ck_assert_msg(fpx_program_find_tensor(model->program, names[i].absent) == FPX_NO_TENSOR,
                          "%s is there", names[i].absent);
        fpx_model_free(model);
        fpx_recipe_free(recipe);
    }
}
END_TEST

/* Long words everywhere: whatever a recipe says has a name in the last micro-batch of the largest step, and in the last layer of
 * the deepest model (their product is too large to build: what the other is short of its widest number must be left over). */
static const struct {
    uint32_t accumulate, layers;
    size_t left;
} wide[] = { { 1024, 1, sizeof "681" - sizeof "0" }, { 2, 682, sizeof "1023" - sizeof "1" } };
static const struct {
    const char *format, *rest;
} long_rules[] = {
    { "binary8p3", "scaling: tile-128, round: rna, overflow: none" },
    { "e3m4b5fn", "scaling: mx-floor-0.75, round: rna, overflow: none" },
    { "e3m4b5fn", "scaling: mx-floor-0.75, round: rnz, overflow: none, transform: "
                  "hadamard-32-fresh" },
    { "e5m10b15fnuz", "scaling: ms-amp-exact-1, round: rna, overflow: satfinite, transform: "
                      "hadamard-32-fresh" },
};
enum { WIDE = 2, LONG_RULES = sizeof long_rules / sizeof long_rules[0] };

static void shape_wide(fpx_experiment *e, uint32_t accumulate, uint32_t layers)
{
    e->model.width = e->model.hidden = 64;
    e->model.layers = layers;
    e->model.dropout = 0.1;
    e->data.sequence = 32;
    e->data.batch = 1;
    e->data.accumulate = accumulate;
}

/* Quantized copies of a micro-batch's own, and shared ones. */
static void count_copies(const fpx_program *p, size_t *ret_own, size_t *ret_shared)
{
    *ret_own = *ret_shared = 0;
    for (size_t i = 0; i < fpx_program_ops(p); i++) {
        const fpx_program_op *const op = fpx_program_op_at(p, i);
        const size_t quantizes = strstr(op->name, "/quantize") != NULL;
        const size_t shared = strstr(op->name, "/w.") != NULL;

        *ret_own += quantizes && !shared;
        *ret_shared += quantizes && shared;
    }
}

/* A name that holds the format's was the one to fit here; others stand in for those of wider numbers. */
static size_t longer(size_t longest, const char *name, const char *format, size_t left)
{
    const size_t length = strlen(name) + (strstr(name, format) != NULL ? 0 : left);

    return length > longest ? length : longest;
}

START_TEST(every_recipe_has_names)
{
    const int shape = _i % WIDE, rule = _i / WIDE;
    char text[512];
    fpx_experiment e = tiny_experiment(FPX_SWIGLU);
    fpx_recipe *recipe = NULL;
    fpx_model *one = NULL, *model = NULL;
    const size_t left = wide[shape].left;
    size_t longest = 0, own, shared, own_now, shared_now;

    (void)snprintf(text, sizeof text,
                   "name: long\nsource: none\nrules:\n  - {layer: \"*\", op: \"*\", role: \"*\", "
                   "tensor: \"*\", format: %s, %s}\n",
                   long_rules[rule].format, long_rules[rule].rest);
    MUST(fpx_recipe_parse("long", text, &recipe, err));
    shape_wide(&e, 1, wide[shape].layers);
    MUST(fpx_model_build(&e, recipe, 1, 0, 0, &one, err));
    shape_wide(&e, wide[shape].accumulate, wide[shape].layers);
    MUST(fpx_model_build(&e, recipe, 1, 0, 0, &model, err));

    const fpx_program *const p = model->program;
    for (size_t i = 0; i < fpx_program_tensors(p); i++)
        longest = longer(longest, fpx_program_tensor_at(p, i)->name, long_rules[rule].format, left);
    for (size_t i = 0; i < fpx_program_ops(p); i++)
        longest = longer(longest, fpx_program_op_at(p, i)->name, long_rules[rule].format, left);
    ck_assert_uint_le(longest, FPX_NAME_MAX - 1);
    count_copies(one->program, &own, &shared);
    count_copies(p, &own_now, &shared_now);
    ck_assert_uint_gt(own, 0);
    ck_assert_uint_gt(shared, 0);
    ck_assert_uint_eq(own_now, own * wide[shape].accumulate);
    ck_assert_uint_eq(shared_now, shared);
    fpx_model_free(one);
    fpx_model_free(model);
    fpx_recipe_free(recipe);
}
END_TEST

START_TEST(what_is_impossible_is_refused)
{
    running r;
    fpx_trainer *trainer = NULL;

    start(&r, "fp32", 2, 2);
    r.experiment.data.batch = 3;
    REFUSED(fpx_trainer_new(&r.experiment, r.recipe, &r.device, 1, 0, &trainer, err), FPX_EINVAL,
            "power of two");
    r.experiment.data.batch = 2;
    r.experiment.steps = 200;
    REFUSED(fpx_trainer_new(&r.experiment, r.recipe, &r.device, 1, 0, &trainer, err), FPX_EINVAL,
            "would repeat tokens; the corpus gives 159 steps");
    r.experiment.data.accumulate = 0;
    r.experiment.steps = 4;
    REFUSED(fpx_trainer_new(&r.experiment, r.recipe, &r.device, 1, 0, &trainer, err), FPX_EINVAL,
            "accumulate must be at least 1");
    stop(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("accumulate");
    TCase *tc = tcase_create("accumulate");

    tcase_set_timeout(tc, 60);
    tcase_add_unchecked_fixture(tc, make_folder, remove_folder);
    tcase_add_loop_test(tc, the_bits_of_one_batch, 0, sizeof cuts / sizeof cuts[0]);
    tcase_add_loop_test(tc, resume_within_a_step, 0, 7 * RECIPES);
    tcase_add_loop_test(tc, the_bits_of_any_device, 0, RECIPES);
    tcase_add_loop_test(tc, every_recipe_accumulates, 0, SHIPPED);
    tcase_add_test(tc, micro_batches_drop_what_others_keep);
    tcase_add_test(tc, names_that_would_be_too_long);
    tcase_add_test(tc, what_is_impossible_is_refused);
    suite_add_tcase(s, tc);
    TCase *names = tcase_create("names");

    tcase_set_timeout(names, 60);
    tcase_add_loop_test(names, every_recipe_has_names, 0, WIDE * LONG_RULES);
    suite_add_tcase(s, names);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
