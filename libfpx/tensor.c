/* tensor.c - shapes, strides and sizes of tensors. Every product is checked: a descriptor may come
 * from a file or another process. */
#include <string.h>

#include <fpx/tensor.h>

/* *total = a * b and *total = a + b; 0 where the result does not fit. */
static int multiply(uint64_t a, uint64_t b, uint64_t *total)
{
    if (b != 0 && a > UINT64_MAX / b)
        return 0;
    *total = a * b;
    return 1;
}

static int add(uint64_t a, uint64_t b, uint64_t *total)
{
    if (a > UINT64_MAX - b)
        return 0;
    *total = a + b;
    return 1;
}

fpx_status fpx_tensor_make(const fpx_format *format, size_t ndim, const uint64_t *shape,
                           fpx_tensor *ret_tensor)
{
    fpx_tensor tensor;
    uint64_t count = 1;
    uint64_t bytes = 0;

    if (ndim > FPX_MAX_DIMS || !fpx_format_is_valid(format))
        return FPX_EINVAL;
    memset(&tensor, 0, sizeof tensor); /* descriptors cross processes: no stray padding bytes */
    tensor.format = *format;
    tensor.packing = FPX_PACK_NONE;
    tensor.ndim = (uint8_t)ndim;
    for (size_t axis = FPX_MAX_DIMS; axis-- > 0;) {
        tensor.shape[axis] = axis < ndim ? shape[axis] : 1;
        tensor.strides[axis] = count;
        if (tensor.shape[axis] == 0 || !multiply(count, tensor.shape[axis], &count))
            return FPX_EINVAL;
    }
    if (!multiply(count, fpx_format_size(format), &bytes) || bytes > SIZE_MAX)
        return FPX_EINVAL;
    *ret_tensor = tensor;
    return FPX_OK;
}

size_t fpx_tensor_count(const fpx_tensor *tensor)
{
    uint64_t count = 1;

    for (size_t axis = 0; axis < FPX_MAX_DIMS && axis < tensor->ndim; axis++) {
        if (!multiply(count, tensor->shape[axis], &count) || count > SIZE_MAX)
            return SIZE_MAX;
    }
    return (size_t)count;
}

size_t fpx_tensor_scales(const fpx_tensor *tensor, size_t level, uint64_t ret_grid[FPX_MAX_DIMS])
{
    const uint64_t *block = tensor->scale[level].block;
    uint64_t count = 1;

    for (size_t axis = 0; axis < FPX_MAX_DIMS; axis++) {
        const uint64_t n = axis < tensor->ndim ? tensor->shape[axis] : 1;

        ret_grid[axis] = block[axis] == 0 || block[axis] >= n ? 1 : (n - 1) / block[axis] + 1;
        if (!multiply(count, ret_grid[axis], &count) || count > SIZE_MAX)
            return SIZE_MAX;
    }
    return (size_t)count;
}

size_t fpx_tensor_bytes(const fpx_tensor *tensor)
{
    const int dense = tensor->packing == FPX_PACK_DENSE;
    uint64_t span = 1; /* elements from the first to past the last one */
    uint64_t size = 0;

    for (size_t axis = 0; axis < FPX_MAX_DIMS && axis < tensor->ndim; axis++) {
        uint64_t reach = 0;
        if (tensor->shape[axis] == 0)
            return 0;
        if (!multiply(tensor->shape[axis] - 1, tensor->strides[axis], &reach) ||
            !add(span, reach, &span))
            return SIZE_MAX;
    }
    const uint64_t unit = dense ? tensor->format.bits : 8 * fpx_format_size(&tensor->format);
    if (!multiply(span, unit, &size) || !add(size, 7, &size) || size / 8 > SIZE_MAX)
        return SIZE_MAX;
    return (size_t)(size / 8);
}

int fpx_tensor_is_dense(const fpx_tensor *tensor)
{
    uint64_t stride = 1;

    for (size_t axis = tensor->ndim; axis-- > 0;) {
        /* An axis of one element is never stepped along: its stride says nothing. */
        if (tensor->shape[axis] != 1 && tensor->strides[axis] != stride)
            return 0;
        stride *= tensor->shape[axis];
    }
    return 1;
}

static int same_scaling(const fpx_scaling *a, const fpx_scaling *b)
{
    return fpx_format_equal(&a->format, &b->format) && a->layout == b->layout &&
           memcmp(a->block, b->block, sizeof a->block) == 0;
}

int fpx_tensor_same_kind(const fpx_tensor *a, const fpx_tensor *b)
{
    if (!fpx_format_equal(&a->format, &b->format) || a->packing != b->packing ||
        a->ndim != b->ndim || a->nscales != b->nscales)
        return 0;
    for (size_t axis = 0; axis < FPX_MAX_DIMS && axis < a->ndim; axis++) {
        if (a->shape[axis] != b->shape[axis])
            return 0;
    }
    for (size_t level = 0; level < FPX_MAX_SCALES && level < a->nscales; level++) {
        if (!same_scaling(&a->scale[level], &b->scale[level]))
            return 0;
    }
    return 1;
}
