/* vectors_json.c - verdicts on pairs of matrix units for programs. */
#include <inttypes.h>

#include "vectors_comparison.h"

static json_t *hex(uint64_t code)
{
    return json_sprintf("0x%" PRIx64, code);
}

static json_t *hex_array(const uint64_t *codes, size_t n)
{
    json_t *const array = json_array();

    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(array, hex(codes[i]));
    return array;
}

static size_t scales_of(const fpx_mma_witness *w)
{
    const size_t block = w->domain.scale_block;

    return block == 0 ? 0 : w->k / block + (w->k % block != 0);
}

static json_t *witness_json(const fpx_mma_witness *w, const fpx_format *out)
{
    json_t *const vector = json_pack(
        "{s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "a_format", w->domain.a.name, "b_format",
        w->domain.b.name, "c_format", out->name, "k", (json_int_t)w->k, "a", hex_array(w->a, w->k),
        "b", hex_array(w->b, w->k), "c", hex(w->c), "d", hex_array(w->d, 2));

    if (w->domain.scale_block > 0) {
        (void)json_object_set_new(vector, "scale_format", json_string(w->domain.scale.name));
        (void)json_object_set_new(vector, "scale_block",
                                  json_integer((json_int_t)w->domain.scale_block));
        (void)json_object_set_new(vector, "scale_a", hex_array(w->scale_a, scales_of(w)));
        (void)json_object_set_new(vector, "scale_b", hex_array(w->scale_b, scales_of(w)));
    }
    return vector;
}

json_t *vectors_json(const vectors_comparison *c)
{
    json_t *const object = json_pack("{s:s, s:s}", "other", c->what, "verdict", vectors_verdict(c));

    if (c->status != FPX_OK) {
        (void)json_object_set_new(object, "reason", json_string(c->err.text));
        return object;
    }
    (void)json_object_set_new(object, "tries", json_integer((json_int_t)c->s.tries));
    if (c->s.verdict == FPX_MMA_UNRESOLVED) {
        (void)json_object_set_new(object, "k_most", json_integer(FPX_MMA_WITNESS_MAX));
        (void)json_object_set_new(object, "needs_more_k", json_boolean(c->s.is_long));
    }
    if (c->s.verdict == FPX_MMA_SEPARATED) {
        (void)json_object_set_new(object, "probe", json_string(c->s.probe));
        (void)json_object_set_new(object, "why", json_string(c->s.why));
        (void)json_object_set_new(object, "vector",
                                  witness_json(&c->s.witness, &c->x->model.format));
    }
    if (c->s.verdict == FPX_MMA_EQUIVALENT) {
        json_t *const names = json_array();
        for (size_t i = 0; fpx_mma_theorem_at(i) != NULL; i++) {
            if ((c->s.theorems >> i & 1) != 0)
                (void)json_array_append_new(names, json_string(fpx_mma_theorem_at(i)->name));
        }
        (void)json_object_set_new(object, "theorems", names);
    }
    return object;
}
