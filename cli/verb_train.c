/* verb_train.c - fpx train: one run, or a table of recipes over seeds. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/ablation.h>

#include "cli.h"
#include "owed.h"
#include "results.h"
#include "session.h"
#include "train_ablation.h"
#include "train_memory.h"
#include "train_table.h"

enum {
    OPT_RECIPE,
    OPT_DEVICE,
    OPT_SHADOW,
    OPT_SHADOW_EVERY,
    OPT_SHADOW_LAYERS,
    OPT_SHADOW_ROLES,
    OPT_TRACE,
    OPT_VALUES,
    OPT_CHECKPOINT,
    OPT_EVERY,
    OPT_RESUME,
    OPT_STEPS,
    OPT_SEED,
    OPT_SAMPLE,
    OPT_COMPARE,
    OPT_SEEDS,
    OPT_INIT,
    OPT_MEMORY,
    OPT_RUNS,
    OPT_JSON
};

static const cli_option options[] = {
    [OPT_RECIPE] = { "--recipe", "NAME",
                     "shipped recipe (fp32, bf16, fp8, ...; fpx doctor lists them) or FILE.yaml" },
    [OPT_DEVICE] = { "--device", "D",
                     "cpu[,threads=N][,level=L][,engine=E] or PLUGIN.so[,KEY=VALUE]" },
    [OPT_SHADOW] = { "--shadow", "MODE",
                     "local|operand|free|both[:fp32|:fp64]; equality: local:cpu, local:UNIT" },
    [OPT_SHADOW_EVERY] = { "--shadow-every", "N", "shadow only the steps that N divides" },
    [OPT_SHADOW_LAYERS] = { "--shadow-layers", "L,L,...",
                            "only these layers: 0,-1 are the first and the last, - is outside" },
    [OPT_SHADOW_ROLES] = { "--shadow-roles", "R,R,...", "only fprop, dgrad, wgrad or optimizer" },
    [OPT_TRACE] = { "--trace", "FILE", "write a trace: statistics and digest of every tensor" },
    [OPT_VALUES] = { "--values", "PATTERN", "also the values of tensors that match, '*' for all" },
    [OPT_CHECKPOINT] = { "--checkpoint", "DIR", "save the state there at the end, and on Ctrl-C" },
    [OPT_EVERY] = { "--every", "N", "and every N steps" },
    [OPT_RESUME] = { "--resume", "DIR", "go on from the newest checkpoint in DIR, and save there" },
    [OPT_STEPS] = { "--steps", "N",
                    "instead of the experiment's; the learning rate then falls over N" },
    [OPT_SEED] = { "--seed", "N", "instead of the experiment's" },
    [OPT_SAMPLE] = { "--sample", "TEXT", "let the trained model continue TEXT by 160 bytes" },
    [OPT_COMPARE] = { "--compare", "R,R,...", "train each recipe with each seed, print a table" },
    [OPT_SEEDS] = { "--seeds", "N", "with --compare: paired seeds 1..N (default 5)" },
    [OPT_INIT] = { "--init", "FILE",
                   "start from a checkpoint's parameters, or a Llama model's (.safetensors)" },
    [OPT_MEMORY] = { "--memory", NULL, "train nothing: print what a run needs, by kind" },
    [OPT_RUNS] = { "--runs", "FILE",
                   "of an ablation: where finished runs are kept (default runs/NAME.jsonl)" },
    [OPT_JSON] = { "--json", "FILE", "results as JSON; - is standard output" },
    { NULL, NULL, NULL }
};

static fpx_status numbers(const cli_args *a, session_options *o, fpx_error *err)
{
    fpx_status status = FPX_OK;

    if (a->option[OPT_STEPS])
        status = cli_number("--steps", a->option[OPT_STEPS], 1, UINT32_MAX, &o->steps, err);
    if (status == FPX_OK && a->option[OPT_SEED]) {
        status = cli_number("--seed", a->option[OPT_SEED], 0, UINT64_MAX, &o->seed, err);
        o->has_seed = 1;
    }
    if (status == FPX_OK && a->option[OPT_EVERY])
        status = cli_number("--every", a->option[OPT_EVERY], 1, UINT32_MAX, &o->every, err);
    if (status == FPX_OK && a->option[OPT_SHADOW_EVERY])
        status = cli_number("--shadow-every", a->option[OPT_SHADOW_EVERY], 1, UINT32_MAX,
                            &o->shadow_every, err);
    return status;
}

/* What the validation part says; preference: where there are pairs. */
typedef struct validation {
    double bits;
    fpx_preference preference;
} validation;

#define LN_2 0x1.62e42fefa39efp-1

static int has_pairs(const session *s)
{
    return s->experiment->data.kind == FPX_DATA_PREFERENCE;
}

/* NULL, or one not found: null. */
static json_t *spot_json(const session_spot *f)
{
    return f != NULL && f->found
               ? json_pack("{s:I, s:s, s:s, s:s}", "step", (json_int_t)f->step, "operation", f->op,
                           "tensor", f->tensor, "text", f->what)
               : json_null();
}

/* Losses that left their band: how many, the rule, and the first of them. */
static json_t *spikes_json(const session *s)
{
    json_t *list = json_array();

    for (uint64_t i = 0; i < s->nspikes && i < SESSION_SPIKES; i++)
        (void)json_array_append_new(
            list, json_pack("{s:I, s:f, s:f, s:f}", "step", (json_int_t)s->spikes[i].step, "loss",
                            s->spikes[i].loss, "median", s->spikes[i].median, "limit",
                            s->spikes[i].limit));
    return json_pack("{s:I, s:I, s:f, s:o}", "count", (json_int_t)s->nspikes, "window",
                     (json_int_t)FPX_LOSS_BAND_STEPS, "deviations", FPX_LOSS_BAND_WIDTH, "first",
                     list);
}

/* Of preferences; validation: NULL, or the mean loss and what its pairs say. */
static json_t *preference_json(const fpx_step_result *r, int ran, const validation *v)
{
    json_t *of = v == NULL ? json_null()
                           : json_pack("{s:o, s:o, s:o}", "loss", cli_json_number(v->bits * LN_2),
                                       "margin", cli_json_number(v->preference.margin), "accuracy",
                                       cli_json_number(v->preference.accuracy));

    return json_pack("{s:o, s:o, s:o}", "margin",
                     ran ? cli_json_number(r->preference.margin) : json_null(), "accuracy",
                     ran ? cli_json_number(r->preference.accuracy) : json_null(), "validation", of);
}

/* As digits in a text where it is no int64, the largest that jansson's integers are. */
static json_t *seed_json(uint64_t seed)
{
    return seed <= INT64_MAX ? json_integer((json_int_t)seed)
                             : json_sprintf("%llu", (unsigned long long)seed);
}

/* "bits_per_byte" or, beside a null, "bits_per_token". null: there is none, for no step was left to run, or nothing
 * is held back for validation. */
static fpx_status write_json(const char *path, const session *s, const fpx_step_result *r,
                             const validation *v, fpx_error *err)
{
    const double *const bits_per_byte = v != NULL ? &v->bits : NULL;
    const uint64_t next = fpx_trainer_next_step(s->trainer);
    const int ran = next > s->first_step;
    const int in_bytes = strcmp(fpx_trainer_unit(s->trainer), "byte") == 0;
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
                  "fpx.train/1", "experiment", s->experiment->name, "recipe", s->recipe->name,
                  "seed", seed_json(s->experiment->seed), "steps", (json_int_t)next, "loss",
                  ran ? cli_json_number(r->loss) : json_null(), "gradient_norm",
                  ran ? cli_json_number(r->norm) : json_null(), "bits_per_byte",
                  bits_per_byte && in_bytes ? cli_json_number(*bits_per_byte) : json_null(),
                  "finding", spot_json(session_first(&s->finding)), "nonfinite",
                  spot_json(&s->finding.nonfinite), "spikes", spikes_json(s));

    if (root != NULL && has_pairs(s))
        (void)json_object_set_new(root, "preference", preference_json(r, ran, v));
    else if (root != NULL && !in_bytes)
        (void)json_object_set_new(root, "bits_per_token",
                                  bits_per_byte ? cli_json_number(*bits_per_byte) : json_null());

    return cli_write_json(path, root, err);
}

static fpx_status finish(const cli_args *a, session *s, const fpx_step_result *r, fpx_error *err)
{
    validation v = { .bits = 0.0 };
    const int validates = s->experiment->data.validation > 0.0;
    fpx_status status = FPX_OK;

    if (validates) {
        status = fpx_trainer_evaluate_pairs(s->trainer, &v.bits, &v.preference, err);
        if (status == FPX_OK && has_pairs(s))
            (void)fprintf(stderr, "validation: loss %.4f  margin %.4f  accuracy %.3f\n",
                          v.bits * LN_2, v.preference.margin, v.preference.accuracy);
        else if (status == FPX_OK)
            (void)fprintf(stderr, "validation: %.4f bits per %s\n", v.bits,
                          fpx_trainer_unit(s->trainer));
        session_spot *f = &s->finding.nonfinite;

        if (status == FPX_OK && !isfinite(v.bits) && !f->found) {
            f->found = 1;
            f->step = r->step;
            (void)snprintf(f->what, sizeof f->what, "validation after it gives %g", v.bits);
        }
    }
    if (status == FPX_OK && a->option[OPT_SAMPLE] &&
        !s->finding.nonfinite.found) { /* NaN draws nothing */
        char text[161];

        status = fpx_trainer_sample(s->trainer, a->option[OPT_SAMPLE], sizeof text - 1, text, err);
        if (status == FPX_OK)
            (void)fprintf(cli_text_stream(a->option[OPT_JSON], NULL), "%s%s\n",
                          a->option[OPT_SAMPLE], text);
    }
    if (status == FPX_OK && a->option[OPT_JSON])
        status = write_json(a->option[OPT_JSON], s, r, validates ? &v : NULL, err);
    return status;
}

/* A run that the guard has ended: there is nothing to validate. */
static fpx_status finish_early(const cli_args *a, const session *s, const fpx_step_result *r,
                               fpx_error *err)
{
    return a->option[OPT_JSON] ? write_json(a->option[OPT_JSON], s, r, NULL, err) : FPX_OK;
}

/* The file says all that these options would. */
static int ablation(const cli_args *a)
{
    for (size_t i = 0; options[i].name != NULL; i++)
        if (a->option[i] && i != OPT_RUNS && i != OPT_JSON)
            return cli_usage("train",
                             "an ablation goes with --runs and --json, not %s: its file "
                             "says the rest",
                             options[i].name);
    cli_owe(a, "fpx.ablation/1", a->option[OPT_JSON], NULL, "");
    return ablation_train(a->positional[0], a->option[OPT_RUNS], a->option[OPT_JSON]);
}

static int run(const cli_args *a)
{
    session_options o = session_defaults(a->positional[0]);
    const cli_file json = { "--json", a->option[OPT_JSON], CLI_JSON };
    fpx_step_result last = { 0 };
    fpx_error err = { 0 }, closing = { 0 };
    fpx_status status;
    session s;

    if (fpx_is_ablation(a->positional[0]))
        return ablation(a);
    if (a->option[OPT_RUNS])
        return cli_usage("train", "--runs goes with an ablation: a file that has arms");
    if (a->option[OPT_SEEDS] && !a->option[OPT_COMPARE])
        return cli_usage("train", "--seeds needs --compare R,R,... (one seed: --seed N)");
    for (size_t i = 0; a->option[OPT_COMPARE] && options[i].name != NULL; i++)
        if (a->option[i] && i != OPT_COMPARE && i != OPT_SEEDS && i != OPT_STEPS && i != OPT_JSON)
            return cli_usage("train", "--compare goes with --seeds, --steps and --json, not %s",
                             options[i].name);
    if (a->option[OPT_COMPARE]) {
        cli_owe(a, "fpx.compare/1", a->option[OPT_JSON], NULL, "");
        return train_table(a->positional[0], a->option[OPT_COMPARE],
                           a->option[OPT_SEEDS] ? a->option[OPT_SEEDS] : "5", a->option[OPT_STEPS],
                           a->option[OPT_JSON]);
    }
    if (a->option[OPT_MEMORY] &&
        (a->option[OPT_RESUME] || a->option[OPT_CHECKPOINT] || a->option[OPT_TRACE] ||
         a->option[OPT_SAMPLE] || a->option[OPT_SHADOW] || a->option[OPT_INIT]))
        return cli_usage("train", "--memory trains nothing and counts no shadows: leave --resume, "
                                  "--init, --checkpoint, --trace, --sample and --shadow out");
    if (a->option[OPT_RESUME] && a->option[OPT_CHECKPOINT])
        return cli_usage("train", "--resume DIR also saves there: leave --checkpoint out");
    if (a->option[OPT_RESUME] && a->option[OPT_INIT])
        return cli_usage("train", "--init starts a run, --resume goes on with one: leave one out");
    if (a->option[OPT_EVERY] && !a->option[OPT_RESUME] && !a->option[OPT_CHECKPOINT])
        return cli_usage("train", "--every needs --checkpoint DIR (or --resume DIR)");
    if (a->option[OPT_SAMPLE] && a->option[OPT_SAMPLE][0] == '\0')
        return cli_usage("train", "--sample needs a prompt of at least one byte");
    if (a->option[OPT_VALUES] && !a->option[OPT_TRACE])
        return cli_usage("train", "--values needs --trace FILE");
    if (!a->option[OPT_SHADOW] && (a->option[OPT_SHADOW_EVERY] || a->option[OPT_SHADOW_LAYERS] ||
                                   a->option[OPT_SHADOW_ROLES]))
        return cli_usage("train", "--shadow-every, --shadow-layers and --shadow-roles say where "
                                  "--shadow MODE looks, which is missing");
    cli_owe(a, a->option[OPT_MEMORY] ? "fpx.memory/1" : "fpx.train/1", a->option[OPT_JSON], NULL,
            "");
    o.files = &json;
    o.nfiles = 1;
    o.guard = 1;
    o.recipe = a->option[OPT_RECIPE];
    o.device = a->option[OPT_DEVICE];
    o.init = a->option[OPT_INIT];
    o.shadow = a->option[OPT_SHADOW];
    o.shadow_layers = a->option[OPT_SHADOW_LAYERS];
    o.shadow_roles = a->option[OPT_SHADOW_ROLES];
    o.trace = a->option[OPT_TRACE];
    o.values = a->option[OPT_VALUES];
    o.samples = a->option[OPT_SAMPLE] != NULL;
    o.resume = a->option[OPT_RESUME] != NULL;
    o.checkpoint = o.resume ? a->option[OPT_RESUME] : a->option[OPT_CHECKPOINT];
    if (numbers(a, &o, &err) != FPX_OK)
        return cli_fail(&err);
    o.plan = a->option[OPT_MEMORY] != NULL;
    if (o.plan)
        return train_memory(&o, a->option[OPT_JSON]);
    if (session_open(&o, &s, &err) != FPX_OK)
        return cli_fail(&err);
    cli_catch_interrupt();
    if (s.first_step == s.experiment->steps)
        (void)fprintf(stderr, "already finished: %u of %u steps are done\n", s.experiment->steps,
                      s.experiment->steps);
    status = session_run(&s, 0, 0, &last, &err);
    if (status == FPX_EINTERRUPTED && o.checkpoint == NULL) {
        const fpx_error said = err;

        (void)fpx_error_set(&err, status, "%s; nothing is saved (--checkpoint DIR would have)",
                            said.text);
    }
    if (status == FPX_OK)
        status = s.ended ? finish_early(a, &s, &last, &err) : finish(a, &s, &last, &err);
    const int found = session_print_finding(&s, cli_text_stream(a->option[OPT_JSON], NULL));
    if (session_close(&s, &closing) != FPX_OK && status == FPX_OK)
        return cli_fail(&closing);
    const int code = status == FPX_OK ? EXIT_HOLDS : cli_fail(&err);

    return found ? EXIT_FINDING : code;
}

const cli_verb verb_train = {
    "train",
    "EXPERIMENT [OPTIONS]",
    "train a small language model, shadowed and traced as asked",
    "EXPERIMENT is a YAML file: model, data, optimizer, steps, seed, recipe. Or an ablation:\n"
    "arms over paired seeds, a table of verdicts beside what is claimed (docs/ablations.md).\n"
    "example: fpx train experiments/default.yaml --recipe fp8 --shadow both --trace run.h5\n"
    "         fpx train experiments/default.yaml --compare fp32,bf16,fp8 --seeds 5\n"
    "         fpx train ablations/optimizer-formats.yaml",
    options,
    1,
    1,
    run,
};
