/* gemm_explain_json.c - exact values as text, sign, significand in base 16 and exponent: "-0x3p-5", with "+" at the end
 * where digits beyond 64 bits follow; codes in base 16. */
#include "gemm_explain_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "results.h"

static json_t *value_json(const fpx_mma_value *x)
{
    char text[48];

    if (x->kind != FPX_MMA_VALUE_FINITE)
        return json_string(x->kind == FPX_MMA_VALUE_NAN ? "NaN"
                                                        : (x->negative ? "-Infinity" : "Infinity"));
    (void)snprintf(text, sizeof text, "%s0x%" PRIx64 "p%+d%s", x->negative ? "-" : "", x->m, x->q,
                   x->more ? "+" : "");
    return json_string(text);
}

static json_t *code_json(const fpx_mma_code *x)
{
    char text[24];

    (void)snprintf(text, sizeof text, "0x%0*" PRIx64, (x->format->bits + 3) / 4, x->code);
    return json_pack("{s:s, s:s, s:o}", "format", x->format->name, "code", text, "value",
                     cli_json_number(fpx_format_value(x->format, x->code)));
}

static void set_code(json_t *to, const char *name, const fpx_mma_code *x)
{
    if (x->format != NULL)
        (void)json_object_set_new(to, name, code_json(x));
}

/* The element as it lies in memory, where it is read as another. */
static void set_given(json_t *to, const char *name, const fpx_mma_code *read, uint64_t given)
{
    const fpx_mma_code x = { read->format, given };

    if (read->format != NULL && read->code != given)
        (void)json_object_set_new(to, name, code_json(&x));
}

static json_t *event_json(const fpx_mma_event *e)
{
    static const char *const kinds[] = { "start", "block", "product", "term", "sum",    "cut",
                                         "round", "mul",   "add",     "fma",  "convert" };
    static const char *const parts[] = { "products", "even",    "odd",  "c",       "all",
                                         "late",     "promote", "pair", "combine", "split_c" };
    json_t *const out = json_object();
    const int is_place = e->kind == FPX_MMA_EVENT_TERM || e->kind == FPX_MMA_EVENT_SUM ||
                         e->kind == FPX_MMA_EVENT_CUT;
    const int is_split = is_place || e->kind >= FPX_MMA_EVENT_ROUND;

    (void)json_object_set_new(out, "event", json_string(kinds[e->kind]));
    if (is_place || e->kind == FPX_MMA_EVENT_ADD)
        (void)json_object_set_new(out, "of", json_string(parts[e->part]));
    if (e->kind == FPX_MMA_EVENT_START)
        (void)json_object_set_new(out, "split", json_integer((json_int_t)e->k));
    else if (e->count > 0) {
        (void)json_object_set_new(out, "k", json_integer((json_int_t)e->k));
        (void)json_object_set_new(out, "count", json_integer((json_int_t)e->count));
    }
    set_code(out, "a", &e->a);
    set_given(out, "a_given", &e->a, e->a_given);
    set_code(out, "b", &e->b);
    set_given(out, "b_given", &e->b, e->b_given);
    set_code(out, "scale_a", &e->scale_a);
    set_code(out, "scale_b", &e->scale_b);
    set_code(out, "c", &e->c);
    if (is_place && e->has_e) {
        (void)json_object_set_new(out, "e", json_integer(e->e));
        (void)json_object_set_new(out, "cut_below", json_integer(e->at));
    }
    if (e->is_dropped)
        (void)json_object_set_new(out, "dropped", json_true());
    if (is_split || e->kind == FPX_MMA_EVENT_PRODUCT)
        (void)json_object_set_new(out, "exact", value_json(&e->exact));
    if (is_split && e->kind != FPX_MMA_EVENT_SUM) {
        (void)json_object_set_new(out, "kept", value_json(&e->kept));
        (void)json_object_set_new(out, "lost", value_json(&e->lost));
    }
    set_code(out, "result", &e->result);
    return out;
}

static void on_step(void *user, const gemm_step *step)
{
    json_t *const steps = user, *const events = json_array();

    for (size_t i = 0; i < step->n; i++)
        (void)json_array_append_new(events, event_json(&step->events[i]));
    (void)json_array_append_new(steps, events);
}

static json_t *unit_json(const gemm_element *x, const gemm_story *s, const fpx_mma_preset *p)
{
    const gemm_summary sum = gemm_summary_of(x, s);
    json_t *const steps = json_array();
    json_t *error = json_null();
    uint64_t code;

    if (gemm_steps_walk(x, on_step, steps, &code, NULL) != FPX_OK) {
        json_decref(steps);
        return NULL;
    }
    if (sum.is_measured)
        error = json_pack("{s:o, s:o, s:o}", "exact", cli_json_number((double)sum.exact), "error",
                          cli_json_number((double)sum.error), "ulps",
                          cli_json_number((double)sum.ulps));
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:{s:f, s:f, s:f, s:f}, s:o}", "model", p->model.name,
        "provenance", fpx_mma_provenance_name(p->provenance), "result", code_json(&sum.result),
        "nearest", code_json(&sum.nearest), "exact", cli_json_number((double)sum.exact), "error",
        error, "lost", "reading", (double)s->lost[GEMM_LOSS_READING], "aligning",
        (double)s->lost[GEMM_LOSS_ALIGNING], "rounding", (double)s->lost[GEMM_LOSS_ROUNDING],
        "adding", (double)s->lost[GEMM_LOSS_ADDING], "steps", steps);
}

json_t *gemm_explain_json(const gemm_element *elements, const gemm_story *stories,
                          const fpx_mma_preset *const *presets, size_t units, const size_t at[3])
{
    json_t *const list = json_array();

    for (size_t u = 0; u < units; u++) {
        if (json_array_append_new(list, unit_json(&elements[u], &stories[u], presets[u])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "schema", "fpx.gemm-explain/1", "product",
                     (json_int_t)at[0], "row", (json_int_t)at[1], "column", (json_int_t)at[2], "k",
                     (json_int_t)elements[0].call.k, "units", list);
}
