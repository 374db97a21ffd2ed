/* plan.c - lifetimes and a first-fit placement, largest tensors first. One sweep over what is placed for each: a
 * millisecond for a few hundred tensors, a second for the tens of thousands of a deep model. */
#include "plan.h"

#include <stdlib.h>

#include <fpx/exec.h>

enum { ALIGNMENT = 64 }; /* a cache line, and the widest vector */

typedef struct life {
    uint32_t tensor;
    size_t first, last; /* operations, both included */
    uint64_t bytes, offset;
} life;

static void widen_life(life *l, const life *other)
{
    if (other->last > l->last)
        l->last = other->last;
}

static void find_lifetimes(const fpx_program *program, unsigned keep, life *lives)
{
    const size_t ntensors = fpx_program_tensors(program), nops = fpx_program_ops(program);

    for (size_t i = 0; i < ntensors; i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(program, i);
        const uint64_t bytes = fpx_tensor_bytes(&t->desc);
        const int lasting = t->cls == FPX_TENSOR_INPUT || fpx_tensor_class_lasts(t->cls) ||
                            (keep & FPX_KEEP_ALL) != 0;

        lives[i].tensor = (uint32_t)i;
        lives[i].bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        lives[i].offset = UINT64_MAX;
        lives[i].first = lasting || t->producer == FPX_NO_TENSOR ? 0 : t->producer;
        lives[i].last = lasting ? nops : lives[i].first;
    }
    for (size_t i = 0; i < nops; i++) {
        const fpx_program_op *op = fpx_program_op_at(program, i);

        for (uint32_t k = 0; k < op->nin; k++)
            if (lives[op->in[k]].last < i)
                lives[op->in[k]].last = i;
    }
    /* Indices rise from source to quantized copy, so a backward pass settles chains. */
    for (size_t i = ntensors; i-- > 0;) {
        const fpx_program_tensor *t = fpx_program_tensor_at(program, i);

        if (t->scale != FPX_NO_TENSOR)
            widen_life(&lives[t->scale], &lives[i]);
        if (t->unquantized != FPX_NO_TENSOR && (keep & FPX_KEEP_UNQUANTIZED) != 0)
            widen_life(&lives[t->unquantized], &lives[i]);
    }
}

static int larger_first(const void *a, const void *b)
{
    const life *x = a, *y = b;

    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->tensor < y->tensor ? -1 : 1; /* same plan everywhere, whatever qsort does */
}

/* The lowest offset where l fits beside those of the `placed` tensors, in order of their offsets, that live at the same
 * time. */
static uint64_t first_fit(const life *lives, const uint32_t *placed, size_t count, const life *l)
{
    uint64_t offset = 0;

    for (size_t i = 0; i < count; i++) {
        const life *o = &lives[placed[i]];

        if (o->offset >= offset + l->bytes)
            break;
        if (o->first <= l->last && l->first <= o->last && offset < o->offset + o->bytes)
            offset = o->offset + o->bytes;
    }
    return offset;
}

/* Behind all with the same offset. */
static void insert(const life *lives, uint32_t *placed, size_t count, uint32_t index)
{
    size_t at = count;

    for (; at > 0 && lives[placed[at - 1]].offset > lives[index].offset; at--)
        placed[at] = placed[at - 1];
    placed[at] = index;
}

/* Places all, in their order. Returns the end of the last byte; UINT64_MAX: too many. `placed` has room for n. */
static uint64_t place_all(life *lives, uint32_t *placed, size_t n)
{
    uint64_t end = 0, total = 0;

    for (size_t i = 0; i < n; i++) {
        if (lives[i].bytes > UINT64_MAX / 2 - total)
            return UINT64_MAX;
        total += lives[i].bytes;
        lives[i].offset = first_fit(lives, placed, i, &lives[i]);
        insert(lives, placed, i, (uint32_t)i);
        if (lives[i].offset + lives[i].bytes > end)
            end = lives[i].offset + lives[i].bytes;
    }
    return end;
}

fpx_status step_plan(const fpx_program *program, unsigned keep, uint64_t *ret_offsets,
                     step_span *ret_spans, uint64_t *ret_bytes)
{
    const size_t n = fpx_program_tensors(program);
    life *lives = calloc(n + 1, sizeof *lives);
    uint32_t *placed = calloc(n + 1, sizeof *placed);
    uint64_t end = UINT64_MAX;

    if (lives != NULL && placed != NULL) {
        find_lifetimes(program, keep, lives);
        qsort(lives, n, sizeof *lives, larger_first);
        end = place_all(lives, placed, n);
    }
    for (size_t i = 0; i < n && end < UINT64_MAX; i++) {
        ret_offsets[lives[i].tensor] = lives[i].offset;
        ret_spans[lives[i].tensor] =
            (step_span){ (uint32_t)lives[i].first, (uint32_t)lives[i].last };
    }
    free(lives);
    free(placed);
    *ret_bytes = end;
    return end < UINT64_MAX ? FPX_OK : FPX_ENOMEM;
}
