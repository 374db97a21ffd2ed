/* op_levels.c - which of a tensor's scales are of blocks, and how they lie along the sum. */
#include "op_levels.h"

int op_levels_of(const fpx_tensor *tensor, op_levels *ret_levels)
{
    op_levels l = { 0 };

    for (size_t level = 0; level < tensor->nscales; level++) {
        const fpx_scaling *s = &tensor->scale[level];
        const int single = fpx_format_equal(&s->format, &fpx_fp32);
        uint64_t grid[FPX_MAX_DIMS];

        if (s->layout != FPX_SCALE_ROWMAJOR)
            return 0;
        if (single && fpx_tensor_scales(tensor, level, grid) == 1 && l.whole == NULL)
            l.whole = s;
        else if (level == 0 && tensor->ndim == 2 &&
                 (single || fpx_format_equal(&s->format, &fpx_e8m0) ||
                  fpx_format_equal(&s->format, &fpx_ue4m3)))
            l.block = s;
        else
            return 0;
    }
    *ret_levels = l;
    return 1;
}

int op_levels_exact(const op_levels *levels)
{
    return levels->block == NULL || !fpx_format_equal(&levels->block->format, &fpx_fp32);
}

static size_t side(const fpx_tensor *tensor, const fpx_scaling *block, int axis)
{
    const uint64_t n = tensor->shape[axis], b = block->block[axis];

    return (size_t)(b == 0 || b > n ? n : b);
}

op_grid op_grid_of(const fpx_tensor *tensor, const fpx_scaling *block, int k_axis)
{
    const size_t across = side(tensor, block, 1);
    const size_t columns = ((size_t)tensor->shape[1] - 1) / across + 1;
    const size_t stride[2] = { columns, 1 };

    return (op_grid){ .block_v = side(tensor, block, !k_axis),
                      .block_k = side(tensor, block, k_axis),
                      .stride_v = stride[!k_axis],
                      .stride_k = stride[k_axis] };
}
