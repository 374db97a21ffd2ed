/* mma_case.h - calls for test_mma_run.c and prove_mma.c: formats that a preset takes, layouts, scales, C, and codes of
 * one kind (mma_draw.h). */
#ifndef FPX_MMA_CASE_H
#define FPX_MMA_CASE_H

#include <stdlib.h>
#include <string.h>

#include <fpx/mma_run.h>

#include "mma_draw.h"

enum { M_MAX = 70, N_MAX = 70, K_MAX = 600, SIZE_MAX_CODE = 8, CANARY = 64 };

typedef struct operands {
    unsigned char a[SIZE_MAX_CODE * M_MAX * K_MAX * 2], b[SIZE_MAX_CODE * N_MAX * K_MAX * 2];
    unsigned char c[SIZE_MAX_CODE * M_MAX * N_MAX * 2];
    unsigned char scales_a[M_MAX * K_MAX], scales_b[N_MAX * K_MAX];
    unsigned char want[SIZE_MAX_CODE * M_MAX * N_MAX * 2 + CANARY];
    unsigned char got[SIZE_MAX_CODE * M_MAX * N_MAX * 2 + CANARY];
} operands;

static operands data;

/* Row-major, transposed, or with gaps. */
static void lay_out(fpx_mma_operand *o, size_t vectors, size_t k)
{
    const int is_across = below(2) == 0;

    o->stride_k = is_across ? vectors : between(1, 2);
    o->stride_vector = is_across ? 1 : k * o->stride_k;
    if (o->format.bits == 4 && below(2) == 0)
        o->packing = FPX_PACK_DENSE;
}

/* A scale for each block: exponents around the middle, or any. */
static void fill_scales(fpx_mma_operand *o, const fpx_format *format, size_t block, size_t vectors,
                        size_t k, unsigned char *codes)
{
    const int is_any = below(4) == 0;

    o->scales = codes;
    o->scale_format = *format;
    o->scale_block = block;
    o->scale_stride_k = 1;
    o->scale_stride_vector = k / block + 1;
    for (size_t i = 0; i < vectors * o->scale_stride_vector; i++) {
        const size_t middle = (size_t)format->bias << format->mbits;
        codes[i] = (unsigned char)(is_any ? below(256) : middle - 8 + below(16));
    }
}

/* C: about the size of the products, or anywhere, or none. */
static void fill_c(const fpx_mma_model *model, fpx_mma_call *call, int exponent)
{
    static const fpx_format *const formats[] = { &fpx_fp32, &fpx_fp16, &fpx_bf16, &fpx_e5m2 };
    const size_t how = below(5);
    struct kind kind = { "c", 8, 0, 0, 8, 0, 0 };

    if (how == 0)
        return;
    call->c = data.c;
    call->c_format = below(4) != 0 ? model->format : *formats[below(4)];
    call->stride_c_row = call->stride_d;
    call->stride_c_column = 1;
    if (below(4) == 0) {
        call->stride_c_row = 1;
        call->stride_c_column = call->m;
    }
    int window = exponent + call->c_format.bias + (int)below(61) - 30;
    if (how == 1)
        window = (int)below(field_max(&call->c_format) + 1);
    if (window < 0)
        window = 0;
    if (how == 2)
        kind.specials = 16;
    if (how == 3)
        kind.zeros = 128;
    for (size_t i = 0; i < call->m; i++) {
        for (size_t j = 0; j < call->n; j++)
            put(&call->c_format, FPX_PACK_NONE, data.c,
                i * call->stride_c_row + j * call->stride_c_column,
                code_of(&call->c_format, &kind, (unsigned)window));
    }
}

/* Formats, and scales where the preset has them; of the ideal ones, any. 0: there are none. */
static int draw_formats(const fpx_mma_preset *p, fpx_mma_call *call)
{
    const fpx_format *const a = input_of(p);
    const fpx_format *const b = below(2) == 0 ? a : input_of(p);
    const char *const scales =
        p->inputs == NULL && below(3) == 0 ? "e8m0/32 e8m0/5 ue4m3/16" : p->scales;
    const fpx_format *scale;
    size_t block;

    if (a == NULL)
        return 0;
    call->a = (fpx_mma_operand){ .format = *a, .codes = data.a };
    call->b = (fpx_mma_operand){ .format = *b, .codes = data.b };
    if (scales != NULL) {
        scale = scale_of(scales, &block);
        fill_scales(&call->a, scale, block, call->m, call->k, data.scales_a);
        fill_scales(&call->b, scale, block, call->n, call->k, data.scales_b);
    }
    return 1;
}

/* Codes of one operand; every vector has its own window in half of the calls. mate: of pairs, A's codes for B. */
static void draw_operand(fpx_mma_operand *o, const struct kind *kind, unsigned window,
                         size_t vectors, size_t k, unsigned char *codes, int is_b)
{
    const fpx_format *const f = &o->format;
    const int has_windows = below(2) == 0;
    const int has_pairs = kind->pairs && o->packing != FPX_PACK_DENSE;

    for (size_t i = 0; i < vectors; i++) {
        const unsigned here = has_windows ? window_of(f, kind) : window;
        for (size_t p = 0; p < k; p++) {
            const size_t at = i * o->stride_vector + p * o->stride_k;
            uint64_t code = code_of(f, kind, here);
            if (has_pairs && p % 2 == 1 && (is_b || below(16) != 0))
                code = fpx_format_code(f, codes, at - o->stride_k) ^ (uint64_t)is_b
                                                                         << (f->bits - 1);
            put(f, o->packing, codes, at, code);
        }
    }
}

/* Everything of a call whose shape and formats are set. */
static void draw_call(const fpx_mma_model *model, const struct kind *kind, fpx_mma_call *call)
{
    const unsigned window_a = window_of(&call->a.format, kind);
    const unsigned window_b = window_of(&call->b.format, kind);

    call->stride_d = call->n + below(2) * 3;
    lay_out(&call->a, call->m, call->k);
    lay_out(&call->b, call->n, call->k);
    draw_operand(&call->a, kind, window_a, call->m, call->k, data.a, 0);
    draw_operand(&call->b, kind, window_b, call->n, call->k, data.b, 1);
    fill_c(model, call, (int)window_a - call->a.format.bias + (int)window_b - call->b.format.bias);
}

#endif /* FPX_MMA_CASE_H */
