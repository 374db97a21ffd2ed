/* gemm_rows.c - the events of a step that lose most. */
#include "gemm_rows.h"

#include <math.h>

/* What an event loses; all, where NaN or Inf come from: elements, and sums of numbers. */
static long double weight_of(const fpx_mma_event *e)
{
    const int is_given = gemm_is_special(&e->a) || gemm_is_special(&e->b);

    if (gemm_is_special(&e->result) && (!is_given || e->kind == FPX_MMA_EVENT_MUL))
        return INFINITY;
    return e->lost.kind == FPX_MMA_VALUE_FINITE ? fabsl(gemm_near(&e->lost)) : 0.0L;
}

void gemm_rows_choose(const gemm_step *step, size_t begin, size_t end, int kind,
                      gemm_rows *ret_rows)
{
    gemm_rows rows = { .n = 0 };

    for (size_t i = begin; i < end; i++) {
        const fpx_mma_event *const e = &step->events[i];
        const long double weight = weight_of(e);
        size_t place = rows.n, out = i;
        if (e->count == 0 || (kind >= 0 && e->kind != kind))
            continue;
        while (place > 0 && weight_of(&step->events[rows.at[place - 1]]) < weight)
            place--;
        if (weight > 0.0L && place < GEMM_ROWS) { /* the last one makes room, or there is some */
            const int is_full = rows.n == GEMM_ROWS;
            out = is_full ? rows.at[GEMM_ROWS - 1] : SIZE_MAX;
            rows.n += !is_full;
            for (size_t j = rows.n - 1; j > place; j--)
                rows.at[j] = rows.at[j - 1];
            rows.at[place] = i;
        }
        if (out != SIZE_MAX) {
            const long double lost = weight_of(&step->events[out]);
            rows.left_out++;
            rows.lost += isinf(lost) ? 0.0L : lost;
        }
    }
    *ret_rows = rows;
}

int gemm_rows_have(const gemm_rows *rows, size_t event)
{
    for (size_t i = 0; i < rows->n; i++) {
        if (rows->at[i] == event)
            return 1;
    }
    return 0;
}
