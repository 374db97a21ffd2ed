/* session_guard.c - NaN and Inf end a run where they are made. A plain run looks at the optimizer's results only, which costs
 * next to nothing; where the norm is not finite, nothing of the step has been applied yet, so the step is run again
 * with every result looked at: the same bits, hence the operation that made the first one. */
#include "session_guard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <fpx/model.h>

struct guard {
    session *s;
    uint32_t clip; /* the last operation before state is updated */
    int locating;  /* look at everything */
    int caught;    /* in this step */
    uint32_t op;   /* where */
    int kept;      /* the state before the step is saved */
};

/* Blocks without an exit inside are what compilers make vectors of: an exponent of ones carries into the sign's place. */
enum { BLOCK = 256 };

static size_t first_32(const uint32_t *codes, size_t n)
{
    size_t i = 0;

    for (uint32_t any = 0; n - i >= BLOCK; i += BLOCK) {
        for (size_t k = 0; k < BLOCK; k++)
            any |= (codes[i + k] & 0x7f800000u) + 0x00800000u;
        if (any >> 31 != 0)
            break;
    }
    for (; i < n; i++)
        if ((codes[i] & 0x7f800000u) == 0x7f800000u)
            return i;
    return SIZE_MAX;
}

static size_t first_16(const uint16_t *codes, size_t n, uint16_t exponent)
{
    const uint16_t least = exponent & (uint16_t)-exponent;
    size_t i = 0;

    for (uint16_t any = 0; n - i >= BLOCK; i += BLOCK) {
        for (size_t k = 0; k < BLOCK; k++)
            any |= (uint16_t)((codes[i + k] & exponent) + least);
        if (any >> 15 != 0)
            break;
    }
    for (; i < n; i++)
        if ((codes[i] & exponent) == exponent)
            return i;
    return SIZE_MAX;
}

/* Of at most 8 bits: the codes without a value. In most formats they are the largest magnitudes, in some there is none. */
static size_t first_8(const fpx_format *format, const unsigned char *codes, size_t n)
{
    const unsigned half = 1u << (format->bits - 1); /* codes of one sign */
    unsigned char bad[256] = { 0 };
    unsigned least = half; /* of the magnitudes without a value */
    size_t i = 0;

    for (unsigned code = 2 * half; code-- > 0;) {
        bad[code] = (unsigned char)!isfinite(fpx_format_value(format, code));
        least = bad[code] && code % half < least ? code % half : least;
    }
    while (i < n) {
        const size_t here = n - i < BLOCK ? n - i : BLOCK;
        unsigned char any = 0;

        for (size_t k = 0; k < here; k++)
            any |= (unsigned char)((codes[i + k] & (half - 1)) + (0x80 - least));
        for (size_t k = 0; any >> 7 != 0 && k < here; k++)
            if (bad[codes[i + k]])
                return i + k;
        i += here;
    }
    return SIZE_MAX;
}

size_t guard_first_nonfinite(const fpx_tensor *desc, const void *codes)
{
    const fpx_format *format = &desc->format;
    const size_t n = fpx_tensor_count(desc);

    if (format->cls != FPX_CLASS_FLOAT || desc->packing != FPX_PACK_NONE)
        return SIZE_MAX;
    if (fpx_format_equal(format, &fpx_fp32))
        return first_32(codes, n);
    if (fpx_format_equal(format, &fpx_fp16) || fpx_format_equal(format, &fpx_bf16))
        return first_16(codes, n, fpx_format_equal(format, &fpx_fp16) ? 0x7c00 : 0x7f80);
    if (format->bits <= 8)
        return first_8(format, codes, n);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(fpx_format_value(format, fpx_format_code(format, codes, i))))
            return i;
    return SIZE_MAX;
}

void guard_find(session *s, uint64_t step, const char *op, const char *tensor,
                const fpx_tensor *desc, size_t at)
{
    session_spot *f = &s->finding.nonfinite;

    f->found = 1;
    f->step = step;
    (void)snprintf(f->op, sizeof f->op, "%s", op);
    (void)snprintf(f->tensor, sizeof f->tensor, "%s", tensor);
    (void)snprintf(f->what, sizeof f->what,
                   "element %zu of %zu is NaN or Inf, the first of the run", at,
                   fpx_tensor_count(desc));
}

/* Where others watch, they have seen it already, and the step goes on to its end for them: only the state is kept. */
static fpx_status keep_state(guard *g, fpx_error *err)
{
    session *s = g->s;

    if (!s->finding.nonfinite.found || g->kept || s->options.checkpoint == NULL)
        return FPX_OK;
    g->kept = 1;
    fpx_trainer_rewind(s->trainer);
    return session_save(s, err);
}

static fpx_status after_op(void *context, const fpx_op_view *view, fpx_error *err)
{
    guard *g = context;
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);

    if (watch_looks(g->s, view->step))
        return view->op <= g->clip ? keep_state(g, err) : FPX_OK;
    if (!g->locating && op->role != FPX_OPTIMIZER)
        return FPX_OK;
    for (uint32_t o = 0; o < op->nout; o++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(view->program, op->out[o]);
        const size_t at = guard_first_nonfinite(&t->desc, view->out[o]);

        if (at == SIZE_MAX)
            continue;
        g->caught = 1;
        g->op = view->op;
        guard_find(g->s, view->step, op->name, t->name, &t->desc, at);
        return fpx_error_set(err, FPX_ENUMERIC, "%s, %s: NaN or Inf", op->name, t->name);
    }
    return FPX_OK;
}

fpx_status guard_new(session *s, guard **ret_guard, fpx_error *err)
{
    guard *g = calloc(1, sizeof *g);
    const fpx_observer observer = { .context = g,
                                    .after_op = after_op,
                                    .looks = fpx_looks_at_outputs };

    if (g == NULL || fpx_exec_attach(fpx_trainer_exec(s->trainer), &observer) != FPX_OK) {
        free(g);
        return fpx_error_set(err, FPX_ENOMEM, "out of memory");
    }
    g->s = s;
    g->clip = fpx_program_find_op(fpx_trainer_model(s->trainer)->program, "clip/optimizer");
    *ret_guard = g;
    return FPX_OK;
}

int guard_caught(guard *g, fpx_error *err)
{
    session *s = g->s;
    fpx_exec *exec = fpx_trainer_exec(s->trainer);
    fpx_error again = { 0 };

    if (!g->caught)
        return 0;
    if (g->op > g->clip) /* an update made it: the state is half new */
        return 1;
    const uint64_t unseen = s->finding.unseen; /* counted already */
    fpx_trainer_rewind(s->trainer);
    g->locating = 1;
    (void)fpx_exec_part(exec, fpx_trainer_next_step(s->trainer), 0, (size_t)g->clip + 1, &again);
    g->locating = 0;
    s->finding.unseen = unseen;
    fpx_trainer_rewind(s->trainer);
    g->kept = s->options.checkpoint != NULL && session_save(s, err) == FPX_OK;
    return 1;
}

int guard_kept(const guard *g)
{
    return g->kept;
}

void guard_free(guard *g)
{
    free(g);
}
