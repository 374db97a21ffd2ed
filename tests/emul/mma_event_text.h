/* mma_event_text.h - an event of fpx_mma_explain as a line of words, for mma_explained.py. */
#ifndef FPX_MMA_EVENT_TEXT_H
#define FPX_MMA_EVENT_TEXT_H

#include <inttypes.h>
#include <stdio.h>

#include <fpx/mma_explain.h>

static void code_text(const fpx_mma_code *x)
{
    (void)printf(" %s %" PRIu64, x->format == NULL ? "-" : x->format->name, x->code);
}

static void value_text(const fpx_mma_value *x)
{
    (void)printf(" %u %u %u %" PRIu64 " %d", x->kind, x->negative, x->more, x->m, x->q);
}

static void event_text(void *user, const fpx_mma_event *e)
{
    const fpx_mma_code *const codes[] = {
        &e->a, &e->b, &e->c, &e->scale_a, &e->scale_b, &e->result
    };
    const fpx_mma_value *const values[] = { &e->exact, &e->kept, &e->lost };

    (void)user;
    (void)printf("%u %u %zu %zu %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %u %d %d", e->kind, e->part,
                 e->k, e->count, e->a_given, e->b_given, e->rounded, e->has_e, e->is_dropped, e->e,
                 e->at);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        code_text(codes[i]);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        value_text(values[i]);
    (void)putchar('\n');
}

/* The model's fields, the events of each element, each with the code that fpx_mma gave it (d). */
static int explain_text(const fpx_mma_model *model, const fpx_mma_call *call, const void *d)
{
    (void)printf("format=%s", model->format.name);
    for (size_t i = 0; fpx_mma_field_at(i) != NULL; i++)
        (void)printf(" %s=%" PRId64, fpx_mma_field_at(i)->name, fpx_mma_field_get(model, i));
    (void)putchar('\n');
    for (size_t i = 0; i < call->m; i++) {
        for (size_t j = 0; j < call->n; j++) {
            uint64_t code = 0;
            if (fpx_mma_explain(model, call, i, j, event_text, NULL, &code, NULL) != FPX_OK)
                return 0;
            (void)printf("end %" PRIu64 " %" PRIu64 "\n", code,
                         fpx_format_code(&model->format, d, i * call->stride_d + j));
        }
    }
    return 1;
}

#endif /* FPX_MMA_EVENT_TEXT_H */
