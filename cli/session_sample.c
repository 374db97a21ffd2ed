/* session_sample.c - which steps, layers and roles the shadows look at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/optable.h>
#include <fpx/recipe.h>

#include "session.h"

enum { WORD = 32 };

/* The next of words behind commas, "" too; NULL: there was the last. */
static const char *next_word(const char *at, char word[WORD])
{
    const size_t n = strcspn(at, ",");

    (void)snprintf(word, WORD, "%.*s", (int)(n < WORD ? n : WORD - 1), at);
    return at[n] == '\0' ? NULL : at + n + 1;
}

static int is_named(const session *s, const fpx_program_op *op, int of_layer, const char *word)
{
    return of_layer ? fpx_layer_matches(word, op->layer, (int)s->experiment->model.layers)
                    : strcmp(word, fpx_role_name((fpx_role)op->role)) == 0;
}

/* Takes the mark of the operations that no word names. */
static fpx_status keep_named(const session *s, const char *option, const char *words, int of_layer,
                             unsigned char *ops, fpx_error *err)
{
    const fpx_program *program = fpx_trainer_model(s->trainer)->program;
    const size_t n = fpx_program_ops(program);
    unsigned char *named = calloc(n + 1, 1);
    fpx_status status = named ? FPX_OK : fpx_error_set(err, FPX_ENOMEM, "out of memory");
    char word[WORD];

    for (const char *at = words; at != NULL && status == FPX_OK;) {
        size_t found = 0;

        at = next_word(at, word);
        for (size_t i = 0; i < n; i++)
            if (is_named(s, fpx_program_op_at(program, i), of_layer, word)) {
                named[i] = 1;
                found++;
            }
        if (found == 0 && of_layer)
            status = fpx_error_set(err, FPX_EINVAL,
                                   "%s: '%s' is no layer: there are 0 to %u, from the end -1 to "
                                   "-%u, and - outside of them; apart by commas",
                                   option, word, s->experiment->model.layers - 1,
                                   s->experiment->model.layers);
        else if (found == 0)
            status = fpx_error_set(err, FPX_EINVAL,
                                   "%s: '%s' is no role: there are fprop, dgrad, wgrad and "
                                   "optimizer; apart by commas",
                                   option, word);
    }
    for (size_t i = 0; i < n && status == FPX_OK; i++)
        ops[i] &= named[i];
    free(named);
    return status;
}

fpx_status sample_shadows(session *s, fpx_error *err)
{
    const session_options *o = &s->options;
    const size_t n = fpx_program_ops(fpx_trainer_model(s->trainer)->program);
    fpx_status status = FPX_OK;
    unsigned char *ops;

    if (o->shadow_every == 0 && o->shadow_layers == NULL && o->shadow_roles == NULL)
        return FPX_OK;
    if ((ops = malloc(n + 1)) == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "out of memory");
    memset(ops, 1, n);
    if (o->shadow_layers != NULL)
        status = keep_named(s, "--shadow-layers", o->shadow_layers, 1, ops, err);
    if (status == FPX_OK && o->shadow_roles != NULL)
        status = keep_named(s, "--shadow-roles", o->shadow_roles, 0, ops, err);
    for (size_t i = 0; i < s->nshadows && status == FPX_OK; i++)
        status =
            fpx_shadow_sample(s->shadows[i], o->shadow_every > 0 ? o->shadow_every : 1, ops, err);
    free(ops);
    return status;
}
