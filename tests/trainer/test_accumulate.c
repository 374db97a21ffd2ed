/* test_accumulate.c - micro-batches: the bits of one large batch, however it is cut; and a run that is cut between two
 * micro-batches goes on with the same bits. */
#include <math.h>

#include <fpx/file.h>
#include <fpx/recipe.h>
#include <fpx/train.h>

#include "tiny_run.h"

enum { LETTERS = 4800 };

static char folder[64], corpus_path[96];

static void make_folder(void)
{
    char text[LETTERS];
    uint64_t seed = 5;

    (void)snprintf(folder, sizeof folder, "/tmp/fpx-accumulate-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(corpus_path, sizeof corpus_path, "%s/text", folder);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + (int)(tiny_random(&seed) % 26));
    MUST(fpx_file_write(corpus_path, text, sizeof text, err));
}

static void remove_folder(void)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

typedef struct running {
    fpx_experiment experiment;
    fpx_recipe *recipe;
    fpx_device *device;
    fpx_trainer *trainer;
} running;

/* A shipped one; "tuned": fp8-lm-o3 whose factors move at each second step. */
static fpx_recipe *find_recipe(const char *name)
{
    static const char word[] = ", factor: \"adaptive,freq=2,ratio=0.01,window=3\"";

    if (strcmp(name, "tuned") != 0)
        return tiny_recipe(name);
    fpx_recipe *o3 = tiny_recipe("fp8-lm-o3"), *tuned = NULL;
    const char *const main = strstr(o3->text, ", factor: main");
    char text[4096];

    ck_assert_ptr_nonnull(main);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(main - o3->text), o3->text, word,
                   main + strlen(", factor: main"));
    MUST(fpx_recipe_parse("tuned", text, &tuned, err));
    fpx_recipe_free(o3);
    return tuned;
}

static void start_on(running *r, const char *device, const char *recipe, uint32_t batch,
                     uint32_t accumulate)
{
    r->experiment = tiny_experiment(FPX_SWIGLU);
    r->experiment.data.corpus = corpus_path;
    r->experiment.data.batch = batch;
    r->experiment.data.accumulate = accumulate;
    r->experiment.steps = 4;
    r->recipe = find_recipe(recipe);
    r->device = tiny_device(device);
    MUST(fpx_trainer_new(&r->experiment, r->recipe, &r->device, 1, 0, &r->trainer, err));
}

static void start(running *r, const char *recipe, uint32_t batch, uint32_t accumulate)
{
    start_on(r, "cpu,threads=1", recipe, batch, accumulate);
}

static void stop(running *r)
{
    fpx_trainer_free(r->trainer);
    fpx_device_close(r->device);
    fpx_recipe_free(r->recipe);
}

/* Bits of loss, norm and all state after the rest of the run. */
static fpx_digest finish(running *r)
{
    fpx_step_result result[8] = { { 0 } };

    while (fpx_trainer_next_step(r->trainer) < r->experiment.steps) {
        const uint64_t step = fpx_trainer_next_step(r->trainer);

        MUST(fpx_trainer_step(r->trainer, &result[step], err));
        ck_assert(isfinite(result[step].loss));
    }
    const fpx_step_result *last = &result[r->experiment.steps - 1];
    return fpx_digest_chain(fpx_digest_bytes(last, sizeof *last),
                            tiny_state(fpx_trainer_exec(r->trainer)));
}

/* Batches of 12 and 14 sequences are no power of two: the tree has missing children. */
static const struct {
    uint32_t batch, accumulate, whole;
} cuts[] = { { 4, 2, 8 },  { 2, 4, 8 },  { 1, 8, 8 },  { 2, 3, 6 },
             { 4, 3, 12 }, { 2, 7, 14 }, { 2, 5, 10 }, { 1, 11, 11 } };

START_TEST(the_bits_of_one_batch)
{
    running whole, cut;

    start(&whole, "fp32", cuts[_i].whole, 1);
    start(&cut, "fp32", cuts[_i].batch, cuts[_i].accumulate);
    SAME_DIGEST(finish(&whole), finish(&cut), "batch %u, accumulate %u", cuts[_i].batch,
                cuts[_i].accumulate);
    stop(&whole);
    stop(&cut);
}
END_TEST

/* Formats of states, and what is stored between micro-batches, do not stand in the way. */
static const char *const recipes[] = { "fp8",       "fp8-lm-o3",  "coat",        "fp8-lm-o1",
                                       "fp8-lm-o2", "te-delayed", "fp8-lm-gemm", "tuned" };
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

START_TEST(the_bits_of_any_device)
{
    running one, other;

    start_on(&one, "cpu,threads=1,level=scalar", recipes[_i], 2, 3);
    start_on(&other, "cpu,threads=2", recipes[_i], 2, 3);
    SAME_DIGEST(finish(&one), finish(&other), "recipe %s", recipes[_i]);
    stop(&one);
    stop(&other);
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
    tcase_add_loop_test(tc, rewound_behind_a_resume, 0, RECIPES);
    tcase_add_loop_test(tc, rewound_at_once, 0, RECIPES);
    tcase_add_loop_test(tc, scales_move_on_as_in_the_libraries, 0, 3);
    tcase_add_loop_test(tc, the_bits_of_any_device, 0, RECIPES);
    tcase_add_test(tc, what_is_impossible_is_refused);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
