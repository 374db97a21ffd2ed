/* exec_decode.c - codes to values: times the scale of the whole tensor, or of each block and then of the whole. */
#include <fpx/convert.h>
#include <fpx/cpu.h>
#include <fpx/exec.h>

#include "shadow_figure.h"

enum { PIECE = 1024 };

static size_t side(uint64_t block, uint64_t extent)
{
    return (size_t)(block == 0 || block > extent ? extent : block);
}

/* One row of a matrix times its blocks' scales, `scales` being theirs from the first on. */
static void scale_row(const fpx_format *format, const unsigned char *scales, double whole,
                      size_t width, double *x, size_t cols)
{
    double factor[PIECE];

    for (size_t c = 0; c < cols; c += width * PIECE) {
        const size_t left = (cols - c - 1) / width + 1, n = left < PIECE ? left : PIECE;
        const size_t stop = cols - c < width * PIECE ? cols : c + width * PIECE;

        (void)fpx_decode_f64(format, whole, scales + c / width * fpx_format_size(format), factor,
                             n);
        for (size_t i = c; i < stop; i++)
            x[i] *= factor[(i - c) / width];
    }
}

void fpx_exec_decode(const fpx_exec *exec, uint32_t tensor, const void *codes, double *ret_values)
{
    const fpx_program_tensor *t = fpx_program_tensor_at(fpx_exec_program(exec), tensor);
    const fpx_tensor *desc = &t->desc;
    const fpx_fpenv env = fpx_fpenv_enter();

    shadow_decode(&desc->format, fpx_exec_scale(exec, tensor), codes, ret_values,
                  fpx_tensor_count(desc));
    if (t->scale != FPX_NO_TENSOR && desc->ndim == 2 &&
        fpx_program_tensor_at(fpx_exec_program(exec), t->scale)->desc.ndim == 2) {
        const size_t rows = (size_t)desc->shape[0], cols = (size_t)desc->shape[1];
        const size_t height = side(desc->scale[0].block[0], rows);
        const size_t width = side(desc->scale[0].block[1], cols);
        const fpx_format *format = &desc->scale[0].format;
        const size_t line = ((cols - 1) / width + 1) * fpx_format_size(format);
        const unsigned char *scales = fpx_exec_data(exec, t->scale);
        const double whole = fpx_exec_scale(exec, t->scale);

        for (size_t r = 0; r < rows; r++)
            scale_row(format, scales + r / height * line, whole, width, ret_values + r * cols,
                      cols);
    }
    fpx_fpenv_leave(env);
}
