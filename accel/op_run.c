/* op_run.c - what all operations of the `cpu` device share: refusals, sizes that saturate, and the check
 * after which every extent is consistent, every tensor dense and every size fits size_t. */
#include "op_run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "op_pattern.h"

fpx_status op_refuse(const op_run *run, fpx_status status, const char *format, ...)
{
    va_list list;
    int at;

    if (run->text == NULL || run->text_size == 0)
        return status;
    at =
        snprintf(run->text, run->text_size, "%.*s: ", (int)sizeof run->call->name, run->call->name);
    if (at < 0 || (size_t)at >= run->text_size)
        return status;
    va_start(list, format);
    (void)vsnprintf(run->text + at, run->text_size - (size_t)at, format, list);
    va_end(list);
    return status;
}

size_t op_times(size_t a, size_t b)
{
    return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

size_t op_plus(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

size_t op_line(size_t bytes)
{
    return bytes > SIZE_MAX - 63 ? SIZE_MAX : (bytes + 63) / 64 * 64;
}

const fpx_tensor *op_real_tensor(const fpx_call *call)
{
    const op_pattern *row = op_pattern_of(call->kind);

    for (uint32_t i = 0; i < call->nin; i++)
        if (row->in[i] != NULL && row->in[i][0] == 'r')
            return &call->in[i];
    return &call->out[0];
}

static fpx_status check_layout(const op_run *run, const fpx_tensor *t, const char *name)
{
    if (fpx_tensor_bytes(t) == SIZE_MAX)
        return op_refuse(run, FPX_EINVAL, "%s is larger than any memory", name);
    if (!fpx_tensor_is_dense(t) || (t->packing != FPX_PACK_NONE && t->format.bits < 8))
        return op_refuse(run, FPX_EUNSUPPORTED,
                         "%s is strided or packed; this device takes dense, unpacked tensors",
                         name);
    return FPX_OK;
}

fpx_status op_check_call(const op_run *run)
{
    const fpx_call *call = run->call;
    fpx_error err;
    fpx_status status = fpx_call_check(call, &err);

    if (status != FPX_OK) {
        if (run->text != NULL && run->text_size > 0)
            (void)snprintf(run->text, run->text_size, "%s", err.text);
        return status;
    }
    const fpx_op_shape *shape = fpx_op_shape_of((fpx_op_kind)call->kind);
    for (uint32_t i = 0; i < call->nin && status == FPX_OK; i++)
        status = check_layout(run, &call->in[i], shape->in_names[i]);
    for (uint32_t i = 0; i < call->nout && status == FPX_OK; i++)
        status = check_layout(run, &call->out[i], shape->out_names[i]);
    return status;
}

fpx_status op_check_ids(const op_run *run, const int32_t *ids, size_t n, uint64_t limit,
                        int negative)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 ? !negative : (uint64_t)ids[i] >= limit)
            return op_refuse(run, FPX_EINVAL, "id %" PRId32 " at %zu is not below %" PRIu64, ids[i],
                             i, limit);
    return FPX_OK;
}
