/* test_delayed.c - histories of scales over micro-batches: they move on as the two libraries' own do, and a step that begins
 * anew, also in another process, finds those of its beginning. */
#include "accumulate_run.h"

static const char *const recipes[] = { "fp8-lm-o1",   "fp8-lm-o2", "fp8-lm-o3", "te-delayed",
                                       "fp8-lm-gemm", "tuned",     "coat" };
enum { RECIPES = sizeof recipes / sizeof recipes[0] };

/* Resumed within a step, then the step begins anew, from histories that the new process has never seen. */
START_TEST(rewound_behind_a_resume)
{
    const char *const recipe = recipes[_i];
    running whole, first, second;
    char path[96], chain[64] = "";
    fpx_step_result result;
    int done = 0;

    (void)snprintf(path, sizeof path, "%s/r%d", folder, _i);
    start(&whole, recipe, 2, 3);
    start(&first, recipe, 2, 3);
    start(&second, recipe, 2, 3);
    for (int i = 0; i < 7; i++)
        MUST(fpx_trainer_micro_step(first.trainer, &done, &result, err));
    MUST(fpx_trainer_save(first.trainer, path, NULL, 0, "", err));
    MUST(fpx_trainer_load(second.trainer, path, NULL, 0, chain, err));
    MUST(fpx_trainer_micro_step(second.trainer, &done, &result, err));
    fpx_trainer_rewind(second.trainer);
    ck_assert_uint_eq(fpx_trainer_next_micro(second.trainer), 0);
    SAME_DIGEST(finish(&whole), finish(&second), "%s rewound behind a resume", recipe);
    stop(&whole);
    stop(&first);
    stop(&second);
}
END_TEST

/* A checkpoint between two steps is a place to begin anew as well. */
START_TEST(rewound_at_once)
{
    running whole, first, second;
    char path[96], chain[64] = "";
    fpx_step_result result;

    (void)snprintf(path, sizeof path, "%s/o%d", folder, _i);
    start(&whole, recipes[_i], 2, 3);
    start(&first, recipes[_i], 2, 3);
    start(&second, recipes[_i], 2, 3);
    MUST(fpx_trainer_step(first.trainer, &result, err));
    MUST(fpx_trainer_save(first.trainer, path, NULL, 0, "", err));
    MUST(fpx_trainer_load(second.trainer, path, NULL, 0, chain, err));
    fpx_trainer_rewind(second.trainer);
    SAME_DIGEST(finish(&whole), finish(&second), "%s rewound at once", recipes[_i]);
    stop(&whole);
    stop(&first);
    stop(&second);
}
END_TEST

/* ---- scales over micro-batches, as the libraries move theirs on ---- */
/* Transformer Engine: _amax_and_scale_update at the end of each pass, the history rolled and its first slot cleared. */
typedef struct te_meta {
    float scale, history[1024], max;
} te_meta;

static void te_update(te_meta *m)
{
    float amax = 0.0f;

    for (int i = 0; i < 1024; i++)
        amax = fmaxf(amax, m->history[i]);
    if (amax > 0.0f)
        m->scale = m->max / amax;
    const float first = m->history[0];
    memmove(m->history, m->history + 1, 1023 * sizeof first);
    m->history[1023] = first;
    m->history[0] = 0.0f;
}

/* MS-AMP: in time while less than 16 steps are known; the step's update is the optimizer's. */
typedef struct ms_meta {
    float scale, amax[16], max;
    size_t window;
    int counter;
} ms_meta;

static float ms_scale(const ms_meta *m, float amax)
{
    return amax > 0.0f ? (float)exp2(floor(log2((double)m->max / (double)amax))) : m->scale;
}

static float ms_cast(ms_meta *m, float amax)
{
    const int in_time = m->window == 1 || (size_t)m->counter < m->window;

    if (in_time)
        m->scale = ms_scale(m, amax);
    m->amax[0] = in_time ? amax : fmaxf(m->amax[0], amax);
    return m->scale;
}

static void ms_update(ms_meta *m)
{
    float top = 0.0f;

    for (size_t i = 0; i < m->window; i++)
        top = fmaxf(top, m->amax[i]);
    m->scale = ms_scale(m, top);
    memmove(m->amax + 1, m->amax, (m->window - 1) * sizeof top);
    m->amax[0] = 0.0f;
    m->counter++;
}

enum { SITES = 3, MICROS = 3 };
static const char *const sites[SITES] = { "layer.1/mlp.up/w.", "layer.1/mlp.up/x.",
                                          "layer.1/mlp.up/dy." };

typedef struct watching {
    int te, seen;
    te_meta te_metas[SITES];
    ms_meta ms_metas[SITES];
} watching;

static fpx_status watch_scale(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    watching *w = context;
    float amax = 0.0f, want;

    (void)err;
    for (int site = 0; site < SITES && op->kind == FPX_OP_SCALE_DELAYED; site++) {
        const float *const x = view->in[1], *const scale = view->out[1];
        te_meta *const te = &w->te_metas[site];
        ms_meta *const ms = &w->ms_metas[site];

        if (strstr(op->name, sites[site]) == NULL)
            continue;
        for (size_t i = 0;
             i < fpx_tensor_count(&fpx_program_tensor_at(view->program, op->in[1])->desc); i++)
            amax = fmaxf(amax, fabsf(x[i]));
        const uint64_t slots = fpx_program_tensor_at(view->program, op->in[0])->desc.shape[0] - 2;
        ck_assert_uint_eq(slots, w->te && site == 0 ? 1024 / MICROS : w->te ? 1024 : ms->window);
        if (w->te) {
            want = te->scale;
            te->history[0] = amax;
            for (int i = 0; i < (site == 0 ? MICROS : 1); i++) /* a weight is cast once a step */
                te_update(te);
        } else {
            want = ms_cast(ms, amax);
            if (site == 0 || strncmp(op->name, "micro.2/", 8) == 0)
                ms_update(ms);
        }
        if (scale[0] != want)
            ck_abort_msg("%s, step %d: scale %a, not %a", op->name, (int)view->step,
                         (double)scale[0], (double)want);
        w->seen++;
    }
    return FPX_OK;
}

START_TEST(scales_move_on_as_in_the_libraries)
{
    enum { STEPS = 20 }; /* more than MS-AMP's window */
    static const char *const delayed[] = { "te-delayed", "fp8-lm-gemm", "fp8-lm-o3" };
    static watching w;
    const fpx_observer observer = { .context = &w, .after_op = watch_scale };
    fpx_step_result result;
    running r;

    memset(&w, 0, sizeof w);
    w.te = _i == 0;
    for (int site = 0; site < SITES; site++) {
        w.te_metas[site].scale = w.ms_metas[site].scale = 1.0f;
        w.te_metas[site].max = w.ms_metas[site].max = site == 2 ? 57344.0f : 448.0f;
        w.ms_metas[site].window = site == 0 ? 1 : 16;
    }
    start(&r, delayed[_i], 2, MICROS);
    r.experiment.steps = STEPS;
    r.experiment.optimizer.learning_rate = 0.05; /* so that amax change */
    ck_assert_int_eq(fpx_exec_attach(fpx_trainer_exec(r.trainer), &observer), FPX_OK);
    for (int i = 0; i < STEPS; i++)
        MUST(fpx_trainer_step(r.trainer, &result, err));
    ck_assert_int_eq(w.seen, STEPS * (1 + 2 * MICROS));
    stop(&r);
}
END_TEST

/* Names of micro-batches are longer, so that short forms stand in them: evaluation, which has none, finds the histories. */
START_TEST(evaluation_finds_the_histories)
{
    static const char text[] = "name: long\nsource: none\nrules:\n"
                               "  - {layer: \"0\", op: mlp.down, role: fprop, tensor: \"*\", "
                               "format: e4m3, scaling: tensor-delayed,"
                               " round: rne, overflow: satfinite, transform: hadamard-16}\n";
    running r = { .experiment = tiny_experiment(FPX_SWIGLU) };
    fpx_step_result result;
    double bits = 0.0;
    int words = 0, histories = 0;

    r.experiment.data.corpus = corpus_path;
    r.experiment.data.accumulate = 11;
    r.experiment.model.hidden = 16;
    r.experiment.steps = 2;
    MUST(fpx_recipe_parse("long", text, &r.recipe, err));
    r.device = tiny_device("cpu,threads=1");
    MUST(fpx_trainer_new(&r.experiment, r.recipe, &r.device, 1, 0, &r.trainer, err));
    MUST(fpx_trainer_step(r.trainer, &result, err));
    MUST(fpx_trainer_evaluate(r.trainer, &bits, err));
    ck_assert(isfinite(bits));
    const fpx_program *p = fpx_trainer_model(r.trainer)->program;
    for (size_t i = 0; i < fpx_program_tensors(p); i++) {
        const char *const name = fpx_program_tensor_at(p, i)->name;

        histories += strstr(name, "/x.h16.e4m3.") != NULL && strstr(name, ".history") != NULL;
        words += strstr(name, "/x.h16.e4m3.tensor-delayed") != NULL;
    }
    ck_assert_int_eq(histories, 11);
    ck_assert_msg(words == 0, "the word fits: the test shows nothing");
    stop(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("delayed");
    TCase *tc = tcase_create("delayed");

    tcase_set_timeout(tc, 60);
    tcase_add_unchecked_fixture(tc, make_folder, remove_folder);
    tcase_add_loop_test(tc, rewound_behind_a_resume, 0, RECIPES);
    tcase_add_loop_test(tc, rewound_at_once, 0, RECIPES);
    tcase_add_loop_test(tc, scales_move_on_as_in_the_libraries, 0, 3);
    tcase_add_test(tc, evaluation_finds_the_histories);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
