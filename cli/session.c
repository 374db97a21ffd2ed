/* session.c - opens a run in the order in which its parts need each other, and closes it backwards. */
#include "session.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fpx/recipe.h>

#include "cli.h"
#include "session_guard.h"

session_options session_defaults(const char *experiment)
{
    return (session_options){ .experiment = experiment, .steps = UINT64_MAX };
}

/* Is it the built-in device with its own, reproducible arithmetic? Then it is the shadows' reference too. */
static int is_reference(const char *spec)
{
    return strncmp(spec, "cpu", 3) == 0 && (spec[3] == '\0' || spec[3] == ',') &&
           strstr(spec, "engine=openblas") == NULL;
}

static fpx_status open_devices(session *s, fpx_error *err)
{
    const char *spec = s->options.device ? s->options.device : "cpu";
    fpx_status status;

    if (s->options.injected != NULL) {
        s->devices[s->ndevices++] = s->options.injected;
        spec = "cpu";
    } else if (!is_reference(spec)) {
        if ((status = fpx_device_open(spec, &s->own, err)) != FPX_OK)
            return status;
        s->devices[s->ndevices++] = s->own;
        spec = "cpu";
    }
    if ((status = fpx_device_open(spec, &s->reference, err)) != FPX_OK)
        return status;
    s->devices[s->ndevices++] = s->reference;
    for (size_t i = 0; i < s->ndevices && s->options.plan; i++)
        fpx_device_plan(s->devices[i]);
    return FPX_OK;
}

/* The line of the experiment that begins with this key. */
static unsigned line_of(const session *s, const char *key)
{
    unsigned line = 1;

    for (const char *at = s->experiment->text; *at != '\0'; line++) {
        if (strncmp(at, key, strlen(key)) == 0)
            return line;
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    return 1;
}

static fpx_status read_files(session *s, fpx_error *err)
{
    const session_options *o = &s->options;
    fpx_error why = { 0 };
    fpx_status status = fpx_experiment_read(o->experiment, &s->experiment, err);

    if (status != FPX_OK)
        return status;
    if (o->steps != UINT64_MAX)
        s->experiment->steps = (uint32_t)o->steps;
    if (o->has_seed)
        s->experiment->seed = o->seed;
    if (o->learning_rate > 0.0)
        s->experiment->optimizer.learning_rate = o->learning_rate;
    if (o->recipe != NULL)
        return fpx_recipe_load(o->recipe, &s->recipe, err);
    status = fpx_recipe_load(s->experiment->recipe, &s->recipe, &why);
    if (status == FPX_EINVAL) /* no recipe of that name: who asked for it? */
        return fpx_error_set(err, status, "%s:%u: %s", o->experiment, line_of(s, "recipe:"),
                             why.text);
    return status == FPX_OK ? FPX_OK : fpx_error_set(err, status, "%s", why.text);
}

/* Everything that this command reads and writes, before anything is made. */
static fpx_status check_files(const session *s, fpx_error *err)
{
    const session_options *o = &s->options;
    const char *recipe = o->recipe ? o->recipe : s->experiment->recipe;
    char plugin[4096];

    (void)snprintf(plugin, sizeof plugin, "%.*s", (int)strcspn(o->device ? o->device : "", ","),
                   o->device ? o->device : "");
    cli_file files[16] = {
        { "the experiment", o->experiment, CLI_READS },
        { "the experiment's corpus", s->experiment->data.corpus, CLI_READS },
        { "the experiment's tokens", s->experiment->data.tokens, CLI_READS },
        { "the experiment's tokenizer", s->experiment->data.tokenizer, CLI_READS },
        { "the recipe", strstr(recipe, ".yaml") ? recipe : NULL, CLI_READS },
        { "the device", strstr(plugin, ".so") ? plugin : NULL, CLI_READS },
        { "--init", o->init, CLI_READS },
        { "--trace", o->trace, CLI_TRACE },
        { o->resume ? "--resume" : "--checkpoint", o->checkpoint, CLI_FOLDER },
    };
    size_t n = 9;

    for (size_t i = 0; i < o->nfiles && n < sizeof files / sizeof files[0]; i++)
        files[n++] = o->files[i];
    return cli_check_files(files, n, err);
}

/* What can be known before hours of training is said before them. */
static fpx_status check_sample(const session *s, fpx_error *err)
{
    const fpx_data_config *d = &s->experiment->data;

    if (s->options.samples && d->tokens != NULL && d->tokenizer == NULL)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: --sample needs a text, but data.tokens has none: give "
                             "data.tokenizer, or leave --sample out",
                             s->options.experiment);
    return FPX_OK;
}

static fpx_status open_shadows(session *s, const fpx_shadow_spec *specs, size_t n, fpx_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const fpx_status status = fpx_shadow_new(fpx_trainer_exec(s->trainer), &specs[i],
                                                 s->reference, &s->shadows[s->nshadows], err);
        fpx_observer observer;

        if (status != FPX_OK)
            return status;
        observer = fpx_shadow_observer(s->shadows[s->nshadows++]);
        if (fpx_exec_attach(fpx_trainer_exec(s->trainer), &observer) != FPX_OK)
            return fpx_error_set(err, FPX_ENOMEM, "out of memory");
    }
    return sample_shadows(s, err);
}

/* Free shadows have state of their own; it travels in the checkpoint. */
static size_t extras(const session *s, fpx_checkpoint_extra *ret_extras)
{
    size_t n = 0;

    for (size_t i = 0; i < s->nshadows; i++)
        if (fpx_shadow_exec(s->shadows[i]) != NULL)
            ret_extras[n++] = (fpx_checkpoint_extra){ .prefix = "shadow.free",
                                                      .exec = fpx_shadow_exec(s->shadows[i]) };
    return n;
}

static fpx_status resume(session *s, char ret_chain[64], fpx_error *err)
{
    fpx_checkpoint_extra extra[FPX_SHADOW_MAX];
    const size_t n = extras(s, extra);
    const fpx_status status =
        fpx_trainer_load(s->trainer, s->options.checkpoint, extra, n, ret_chain, err);

    for (size_t i = 0; i < s->nshadows && status == FPX_OK; i++)
        fpx_shadow_restored(s->shadows[i]);
    return status;
}

/* A trace that goes on must be the one the checkpoint was saved beside; a new one has no past to fit. */
static fpx_status check_chain(const session *s, const char *saved, int goes_on, fpx_error *err)
{
    char now[FPX_DIGEST_TEXT];

    if (!goes_on || saved[0] == '\0')
        return FPX_OK;
    fpx_digest_text(watch_chain(s->watch), now);
    if (strcmp(now, saved) == 0)
        return FPX_OK;
    return fpx_error_set(
        err, FPX_EINVAL,
        "%s: its chain digest at step %llu is %s, the checkpoint was saved beside a "
        "trace with %s: resume with that trace, or with a new one",
        s->options.trace, (unsigned long long)s->first_step, now, saved);
}

int stops_within(const session *s)
{
    return s->options.trace == NULL && !s->options.golden && s->nshadows == 0;
}

/* A state within a step is none from which a shadow or trace could begin. */
static void note_kept(session *s)
{
    if (fpx_trainer_next_micro(s->trainer) > 0)
        return;
    s->kept = fpx_trainer_next_step(s->trainer);
    s->has_kept = 1;
}

static fpx_status open_all(session *s, fpx_error *err)
{
    fpx_shadow_spec specs[FPX_SHADOW_MAX];
    size_t nspecs = 0;
    unsigned keep = s->options.plan ? FPX_PLAN_ONLY : 0;
    char chain[64] = "";
    int goes_on;
    fpx_status status;

    if (s->options.shadow != NULL &&
        (status = fpx_shadow_parse(s->options.shadow, specs, &nspecs, err)) != FPX_OK)
        return status;
    for (size_t i = 0; i < nspecs; i++)
        keep |= fpx_shadow_keep(&specs[i]);
    if ((status = read_files(s, err)) != FPX_OK || (status = check_files(s, err)) != FPX_OK ||
        (status = check_sample(s, err)) != FPX_OK || (status = open_devices(s, err)) != FPX_OK)
        return status;
    status =
        fpx_trainer_new(s->experiment, s->recipe, s->devices, s->ndevices, keep, &s->trainer, err);
    if (status == FPX_OK && s->options.init != NULL)
        status = fpx_trainer_import(s->trainer, s->options.init, err);
    if (status != FPX_OK || (status = open_shadows(s, specs, nspecs, err)) != FPX_OK)
        return status;
    if ((status = folder_open(s, err)) != FPX_OK) /* before there is a trace */
        return status;
    if (s->options.resume && (status = resume(s, chain, err)) != FPX_OK)
        return status;
    s->first_step = fpx_trainer_next_step(s->trainer);
    if (s->options.resume)
        note_kept(s);
    if (fpx_trainer_next_micro(s->trainer) > 0 && !stops_within(s))
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: its checkpoint lies within step %llu, where no trace, golden or "
                             "shadow can begin: resume without them, and save after a whole step",
                             s->options.checkpoint, (unsigned long long)s->first_step);
    goes_on = s->options.trace != NULL && access(s->options.trace, F_OK) == 0;
    if (s->first_step == s->experiment->steps && !goes_on)
        s->options.trace = NULL; /* no step is left: a trace of nothing would only be in the way */
    if ((status = watch_new(s, &s->watch, err)) != FPX_OK ||
        (s->options.guard && (status = guard_new(s, &s->guard, err)) != FPX_OK))
        return status;
    return check_chain(s, chain, goes_on, err);
}

fpx_status session_open(const session_options *options, session *ret_session, fpx_error *err)
{
    session s = { .options = *options, .lock = -1 };
    fpx_status status;

    *ret_session = s;
    if ((status = open_all(ret_session, err)) != FPX_OK)
        (void)session_close(ret_session, NULL);
    return status;
}

fpx_status session_close(session *s, fpx_error *err)
{
    const fpx_status status = watch_free(s->watch, err);

    folder_close(s);
    fpx_trainer_free(s->trainer);
    guard_free(s->guard);
    for (size_t i = 0; i < s->nshadows; i++)
        fpx_shadow_free(s->shadows[i]);
    fpx_device_close(s->own);
    fpx_device_close(s->reference);
    fpx_recipe_free(s->recipe);
    fpx_experiment_free(s->experiment);
    memset(s, 0, sizeof *s);
    return status;
}

fpx_status session_save(session *s, fpx_error *err)
{
    fpx_checkpoint_extra extra[FPX_SHADOW_MAX];
    char chain[FPX_DIGEST_TEXT] = "";

    if (s->options.trace != NULL)
        fpx_digest_text(watch_chain(s->watch), chain);
    const fpx_status status =
        fpx_trainer_save(s->trainer, s->options.checkpoint, extra, extras(s, extra), chain, err);
    if (status == FPX_OK)
        note_kept(s);
    return status;
}
