/* gemm_steps.c - events gathered to steps, and a first walk that notes what each step lost, so that a second one knows
 * which of them a person needs to see. */
#include "gemm_steps.h"

#include <math.h>
#include <stdlib.h>

#include "gemm_rows.h"

enum { BLOCK_ROWS = 4 }; /* of a table beside terms and cuts: headings, sum, result */

/* ---- events to steps ---- */
typedef struct walk {
    const fpx_mma_model *model;
    gemm_step_listener listener;
    void *user;
    fpx_mma_event *events; /* of the step under way */
    size_t n, room, steps, blocks;
    int is_out_of_memory;
} walk;

static void flush(walk *w, size_t block)
{
    const gemm_step step = { w->steps++, block, w->events, w->n };

    if (!w->is_out_of_memory)
        w->listener(w->user, &step);
    w->n = 0;
}

static void push(walk *w, const fpx_mma_event *event)
{
    if (w->n == w->room) {
        const size_t room = w->room == 0 ? 64 : 2 * w->room;
        fpx_mma_event *const events = realloc(w->events, room * sizeof *events);
        if (events == NULL) {
            w->is_out_of_memory = 1;
            return;
        }
        w->events = events;
        w->room = room;
    }
    w->events[w->n++] = *event;
}

/* Whether a block ends here: with its last conversion, or with a tree's c + sum. */
static int ends_block(const fpx_mma_event *e)
{
    return e->kind == FPX_MMA_EVENT_ROUND ||
           (e->kind == FPX_MMA_EVENT_ADD && e->part == FPX_MMA_PART_C);
}

static void on_event(void *user, const fpx_mma_event *event)
{
    walk *const w = user;
    const int is_chain = w->model->sum == FPX_MMA_FMA;

    if (w->is_out_of_memory || (is_chain && event->kind == FPX_MMA_EVENT_BLOCK))
        return;
    push(w, event);
    if (w->is_out_of_memory)
        return;
    if (is_chain || w->events[0].kind != FPX_MMA_EVENT_BLOCK)
        flush(w, 0);
    else if (ends_block(event))
        flush(w, ++w->blocks);
}

fpx_status gemm_steps_walk(const gemm_element *x, gemm_step_listener listener, void *user,
                           uint64_t *ret_code, fpx_error *err)
{
    walk w = { .model = x->model, .listener = listener, .user = user };
    fpx_status status =
        fpx_mma_explain(x->model, &x->call, x->i, x->j, on_event, &w, ret_code, err);

    if (status == FPX_OK && w.is_out_of_memory)
        status = fpx_error_set(err, FPX_ENOMEM, "the explanation of one block: out of memory");
    free(w.events);
    return status;
}

/* ---- values ---- */
long double gemm_near(const fpx_mma_value *x)
{
    const long double magnitude = ldexpl((long double)x->m, x->q);

    if (x->kind != FPX_MMA_VALUE_FINITE)
        return (long double)NAN;
    return x->negative ? -magnitude : magnitude;
}

int gemm_same_code(const fpx_mma_code *x, const fpx_mma_code *y)
{
    if (x->format == NULL || y->format == NULL)
        return x->format == y->format;
    if (fpx_format_equal(x->format, y->format))
        return x->code == y->code;
    const fpx_mma_value a = fpx_mma_value_of(x->format, x->code);
    const fpx_mma_value b = fpx_mma_value_of(y->format, y->code);
    return a.kind == b.kind && a.m == b.m && a.q == b.q &&
           (a.negative == b.negative || a.kind == FPX_MMA_VALUE_NAN);
}

static int kind_of(const fpx_mma_code *x)
{
    return x->format == NULL ? FPX_MMA_VALUE_FINITE : fpx_mma_value_of(x->format, x->code).kind;
}

int gemm_is_special(const fpx_mma_code *x)
{
    return kind_of(x) != FPX_MMA_VALUE_FINITE;
}

/* ---- the exact product ---- */
/* sum += x y exactly: significands of 57 bits, in halves of 32. What is no number goes in by its code. */
static void add_product(fpx_accumulator *sum, const fpx_mma_value *x, const fpx_mma_value *y)
{
    const uint64_t half = UINT32_MAX;

    if (x->m == 0 || y->m == 0)
        return;
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++)
            fpx_accumulator_add_number(sum, x->negative != y->negative,
                                       (x->m >> 32 * i & half) * (y->m >> 32 * j & half),
                                       x->q + y->q + 32 * (i + j));
    }
}

/* An element with its scale, as it lies in memory; NaN where either is. */
static fpx_mma_value scaled(const fpx_format *format, uint64_t code, const fpx_mma_code *scale)
{
    fpx_mma_value x = fpx_mma_value_of(format, code);

    if (scale->format != NULL) {
        const fpx_mma_value s = fpx_mma_value_of(scale->format, scale->code);
        if (s.kind != FPX_MMA_VALUE_FINITE)
            return s;
        x.m *= s.m; /* 53 bits times 4 */
        x.q += s.q;
    }
    return x;
}

/* is_lossy: what is misread is a loss. */
static void add_exact(gemm_story *s, const fpx_mma_event *e, int is_lossy)
{
    const fpx_mma_value a = scaled(e->a.format, e->a_given, &e->scale_a);
    const fpx_mma_value b = scaled(e->b.format, e->b_given, &e->scale_b);

    if (a.kind == FPX_MMA_VALUE_FINITE && b.kind == FPX_MMA_VALUE_FINITE)
        add_product(&s->exact, &a, &b);
    else if (e->scale_a.format != NULL && (isnan(gemm_near(&a)) || isnan(gemm_near(&b))))
        fpx_accumulator_add(&s->exact, &fpx_fp32, fpx_fp32.nan_code);
    else
        fpx_accumulator_add_product(&s->exact, e->a.format, e->a_given, e->b.format, e->b_given);
    s->is_special |= a.kind != FPX_MMA_VALUE_FINITE || b.kind != FPX_MMA_VALUE_FINITE;
    if (!is_lossy)
        return;
    const fpx_mma_value a_read = scaled(e->a.format, e->a.code, &e->scale_a);
    const fpx_mma_value b_read = scaled(e->b.format, e->b.code, &e->scale_b);
    const int a_differs = gemm_near(&a_read) != gemm_near(&a);
    const int b_differs = gemm_near(&b_read) != gemm_near(&b);
    const long double lost =
        gemm_near(&a) * gemm_near(&b) - gemm_near(&a_read) * gemm_near(&b_read);
    if ((a_differs || b_differs) && !isnan(lost)) {
        s->misread += (size_t)(a_differs + b_differs);
        s->lost[GEMM_LOSS_READING] += lost;
    }
}

/* C as it is given, and as the unit reads it. */
static void add_c(const gemm_element *x, gemm_story *s)
{
    const fpx_mma_call *const call = &x->call;
    const size_t at = x->i * call->stride_c_row + x->j * call->stride_c_column;

    if (call->c == NULL)
        return;
    const fpx_format *const f = &call->c_format;
    const uint64_t code = fpx_format_code(f, call->c, at);
    const fpx_mma_value c = fpx_mma_value_of(f, code);
    fpx_accumulator_add(&s->exact, f, code);
    s->is_special |= c.kind != FPX_MMA_VALUE_FINITE;
    if (x->model->flush_inputs && c.m != 0 &&
        (code & ((UINT64_C(1) << (f->bits - 1)) - 1)) < UINT64_C(1) << f->mbits) {
        s->misread++;
        s->lost[GEMM_LOSS_READING] += gemm_near(&c);
    }
}

/* ---- the first walk ---- */
typedef struct first_walk {
    const gemm_element *element;
    gemm_story *story;
} first_walk;

/* Whether the result of a step is all there is so far; what a model does beyond blocks hides it until then. */
static int is_whole(const fpx_mma_model *model, const gemm_story *s, const gemm_mark *m)
{
    const int is_add = m->kind == FPX_MMA_EVENT_ADD;

    if (m->kind == FPX_MMA_EVENT_START || s->max_k + 1 != m->read || model->split > 1)
        return 0;
    if (model->promote > 0)
        return is_add && m->part == FPX_MMA_PART_PROMOTE;
    return model->c == FPX_MMA_C_LATE ? is_add && m->part == FPX_MMA_PART_LATE : 1;
}

static gemm_loss loss_of(const fpx_mma_event *e)
{
    if (e->kind == FPX_MMA_EVENT_TERM || e->kind == FPX_MMA_EVENT_CUT)
        return GEMM_LOSS_ALIGNING;
    return e->kind == FPX_MMA_EVENT_ADD && e->part >= FPX_MMA_PART_LATE ? GEMM_LOSS_ADDING
                                                                        : GEMM_LOSS_ROUNDING;
}

static void note_event(const fpx_mma_model *model, gemm_story *s, gemm_mark *m,
                       const fpx_mma_event *e)
{
    const int reads = e->kind == FPX_MMA_EVENT_PRODUCT || e->kind == FPX_MMA_EVENT_MUL ||
                      e->kind == FPX_MMA_EVENT_FMA;
    const int is_lossy = !gemm_is_special(&m->before);
    const int is_kept = e->kind == FPX_MMA_EVENT_PRODUCT || e->kind == FPX_MMA_EVENT_SUM;

    if (reads) {
        m->k = m->count == 0 || e->k < m->k ? e->k : m->k;
        m->last_k = e->k > m->last_k ? e->k : m->last_k;
        m->count++;
        s->max_k = e->k > s->max_k ? e->k : s->max_k;
        add_exact(s, e, is_lossy);
    }
    if (!is_kept && is_lossy && e->lost.m != 0) {
        m->lost += fabsl(gemm_near(&e->lost));
        s->lost[loss_of(e)] += gemm_near(&e->lost);
    }
    m->rows += !is_kept || (e->kind == FPX_MMA_EVENT_PRODUCT && model->sum == FPX_MMA_EXACT);
    if (e->result.format != NULL)
        m->after = e->result;
}

static void on_step(void *user, const gemm_step *step)
{
    const first_walk *const w = user;
    gemm_story *const s = w->story;
    const fpx_mma_event *const first = &step->events[0];
    gemm_mark m = { .kind = first->kind, .part = first->part, .block = step->block };

    if (s->n == s->room && !s->is_out_of_memory) {
        const size_t room = s->room == 0 ? 64 : 2 * s->room;
        gemm_mark *const marks = realloc(s->marks, room * sizeof *marks);
        s->is_out_of_memory = marks == NULL;
        s->marks = marks == NULL ? s->marks : marks;
        s->room = marks == NULL ? s->room : room;
    }
    if (s->is_out_of_memory)
        return;
    m.rows = first->kind == FPX_MMA_EVENT_BLOCK ? BLOCK_ROWS : 0;
    m.before = first->kind == FPX_MMA_EVENT_ADD ? first->a : first->c;
    for (size_t i = 0; i < step->n; i++)
        note_event(w->element->model, s, &m, &step->events[i]);
    if (m.rows > GEMM_ROWS + BLOCK_ROWS) /* the table leaves the others out */
        m.rows = GEMM_ROWS + BLOCK_ROWS;
    m.read = (s->n == 0 ? 0 : s->marks[s->n - 1].read) + m.count;
    m.is_whole = (uint8_t)is_whole(w->element->model, s, &m);
    m.turns_special =
        (uint8_t)(gemm_is_special(&m.after) && kind_of(&m.after) != kind_of(&m.before));
    s->blocks += step->block != 0;
    s->marks[s->n++] = m;
}

fpx_status gemm_story_make(const gemm_element *x, gemm_story *ret_story, fpx_error *err)
{
    first_walk w = { x, ret_story };

    *ret_story = (gemm_story){ .n = 0 };
    fpx_accumulator_clear(&ret_story->exact);
    add_c(x, ret_story);
    fpx_status status = gemm_steps_walk(x, on_step, &w, &ret_story->code, err);
    if (status == FPX_OK && ret_story->is_out_of_memory)
        status = fpx_error_set(err, FPX_ENOMEM, "the explanation of %zu steps: out of memory",
                               ret_story->n);
    if (status == FPX_OK && ret_story->n > 0)
        ret_story->marks[ret_story->n - 1].is_whole = 1;
    return status;
}

void gemm_story_release(gemm_story *story)
{
    free(story->marks);
    story->marks = NULL;
}
