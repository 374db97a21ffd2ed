/* mma_block.h - one block of a matrix unit: the accumulator and some products of one row and column, summed as the
 * model says and rounded. */
#ifndef FPX_MMA_BLOCK_H
#define FPX_MMA_BLOCK_H

#include <fpx/mma_explain.h>

#include "mma_number.h"

/* An element with its scale multiplied in: m has 57 bits at most; e includes the scale's exponent, scale_e is it. */
typedef struct mma_element {
    mma_number x;
    int scale_e;
} mma_element;

/* Element `vector` of an operand as a sequence along k. */
typedef struct mma_line {
    const fpx_mma_operand *operand;
    size_t vector;
    const mma_element
        *elements; /* all of them, where they were read before; NULL: each when it is asked for */
} mma_line;

/* The accumulator: a code of its format (C's own at the start, then the model's). */
typedef struct mma_acc {
    const fpx_format *format;
    uint64_t code;
} mma_acc;

/* The k of one vector of a step: element t < count is k = begin + (t / width) * stride + t mod width. */
typedef struct mma_span {
    size_t begin, count, width, stride;
} mma_span;

/* What one output is made of. */
typedef struct mma_output {
    const fpx_mma_model *model;
    mma_line a, b;
    size_t k;
    const struct mma_watch *watch; /* who is told each step (mma_watch.h); NULL: nobody */
} mma_output;

/* What an operation is about, for who watches: `count` products from k on. */
typedef struct mma_place {
    fpx_mma_part part;
    size_t k, count;
} mma_place;

/* The code of element k of a line, as it lies in memory, and with low bits dropped and flushed as the model says. */
uint64_t mma_line_given(mma_line line, size_t k);
uint64_t mma_line_code(const fpx_mma_model *model, mma_line line, size_t k);

/* The k of term t of a span. */
size_t mma_block_k(const mma_span *span, size_t t);

/* The code of the scale of element k; there are scales. */
uint64_t mma_line_scale(mma_line line, size_t k);

/* Element k of a line as ALIGNED and EXACT read it. */
mma_element mma_line_element(const fpx_mma_model *model, mma_line line, size_t k);

/* The accumulator after this block: terms [first, first + count) of the span. */
mma_acc mma_block(const mma_output *o, const mma_span *span, size_t first, size_t count, mma_acc c);

/* The same for a model of FMA, and of TREE. */
mma_acc mma_fma_chain(const mma_output *o, const mma_span *span, size_t first, size_t count,
                      mma_acc c);
mma_acc mma_tree(const mma_output *o, const mma_span *span, size_t first, size_t count, mma_acc c);

/* x + y, in model->format, to nearest even. */
mma_acc mma_add(const mma_output *o, fpx_mma_part part, mma_acc x, mma_acc y);

/* The code with zeros and subnormals replaced by +0, where the model flushes inputs. */
uint64_t mma_flushed(const fpx_mma_model *model, const fpx_format *format, uint64_t code);

/* FPX_OK, or why this model has no room for these operands (FPX_EUNSUPPORTED). */
fpx_status mma_block_room(const fpx_mma_model *model, const fpx_mma_call *call, fpx_error *err);

/* Number of products of a batch, and where D of one begins. */
size_t mma_products(const fpx_mma_call *call);
void *mma_d_at(const fpx_mma_model *model, const fpx_mma_call *call, void *d, size_t p);

/* What fpx_mma checks; of one product of a call that was checked: the output of a row and a column, and the loop over
 * rows [begin, end). */
fpx_status mma_call_check(const fpx_mma_model *model, const fpx_mma_call *call, fpx_error *err);
uint64_t mma_output_code(const fpx_mma_model *model, const fpx_mma_call *call, mma_line a,
                         mma_line b, const struct mma_watch *watch);
void mma_rows(const fpx_mma_model *model, const fpx_mma_call *call, void *d, size_t begin,
              size_t end);

#endif /* FPX_MMA_BLOCK_H */
