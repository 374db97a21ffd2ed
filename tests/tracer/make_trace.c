/* make_trace.c - writes the trace that trace_h5py.py reads: every code of the narrow formats, in an order
 * that turns with the step. usage: make_trace PATH STEPS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/trace.h>

static const struct {
    const char *tensor;
    const fpx_format *format;
    size_t ndim;
    uint64_t shape[FPX_MAX_DIMS];
    uint8_t packing;
} rows[] = {
    { "layer.0/w/e4m3", &fpx_e4m3, 2, { 16, 16 }, FPX_PACK_NONE },
    { "layer.0/w/e5m2", &fpx_e5m2, 1, { 256 }, FPX_PACK_NONE },
    { "layer.0/w/e2m1", &fpx_e2m1, 1, { 16 }, FPX_PACK_NONE },
    { "layer.0/w/packed", &fpx_e2m1, 2, { 2, 16 }, FPX_PACK_DENSE },
    { "layer.0/w/bf16", &fpx_bf16, 2, { 256, 256 }, FPX_PACK_NONE },
    { "layer.0/w/fp16", &fpx_fp16, 1, { 65536 }, FPX_PACK_NONE },
    { "layer.0/w/fp32", &fpx_fp32, 3, { 16, 16, 256 }, FPX_PACK_NONE },
    { "layer.0/w/fp64", &fpx_fp64, 1, { 4096 }, FPX_PACK_NONE },
    { "tokens", &fpx_int32, 1, { 4096 }, FPX_PACK_NONE },
    { "loss", &fpx_fp32, 0, { 0 }, FPX_PACK_NONE },
};

enum { RECORDS = sizeof rows / sizeof *rows, BYTES = 65536 * 8 };

/* Element i of a record at a step: i + step, spread over the width of wider codes. */
static void fill(uint64_t step, size_t record, const fpx_tensor *desc, uint8_t *codes)
{
    const size_t n =
        desc->packing == FPX_PACK_DENSE ? fpx_tensor_bytes(desc) : fpx_tensor_count(desc);
    const size_t size = fpx_format_size(&desc->format);
    const uint64_t spread = size == 4   ? UINT64_C(0x10001)
                            : size == 8 ? UINT64_C(0x0010000100010001)
                                        : 1;

    for (size_t i = 0; i < n; i++) {
        uint64_t code = (i + step + record) * spread;
        if (desc->format.bits == 4 && desc->packing == FPX_PACK_NONE)
            code &= 15;
        memcpy(codes + i * size, &code, size); /* little-endian, as the library demands */
    }
}

static fpx_status put_step(fpx_trace_writer *writer, const fpx_trace_layout *layout, uint64_t step,
                           uint8_t *codes, fpx_error *err)
{
    fpx_status status = fpx_trace_begin(writer, step, err);

    for (size_t i = 0; i < layout->nrecords && status == FPX_OK; i++) {
        const fpx_figure figure = { .max_abs = (double)(step + i), .ratio = 0.5 };
        fill(step, i, &layout->records[i].desc, codes);
        status = fpx_trace_put(writer, i, codes, 0.5, err);
        if (status == FPX_OK)
            status = fpx_trace_put_figure(writer, 0, i, &figure, err);
    }
    return status == FPX_OK ? fpx_trace_commit(writer, err) : status;
}

int main(int argc, char **argv)
{
    static fpx_trace_record records[RECORDS];
    static uint8_t codes[BYTES];
    const fpx_trace_layout layout = { .records = records,
                                      .nrecords = RECORDS,
                                      .modes = { { "local:fp64" } },
                                      .nmodes = 1,
                                      .experiment = "model: tiny # \xc3\xa9\n",
                                      .device = "cpu",
                                      .version = "0.1.0" };
    fpx_trace_writer *writer = NULL;
    fpx_error err = { .text = "usage: make_trace PATH STEPS" };

    if (argc != 3) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    for (size_t i = 0; i < RECORDS; i++) {
        snprintf(records[i].tensor, sizeof records[i].tensor, "%s", rows[i].tensor);
        snprintf(records[i].op, sizeof records[i].op, "op.%zu", i);
        records[i].op_index = (uint32_t)i;
        records[i].layer = -1;
        records[i].values = 1;
        if (fpx_tensor_make(rows[i].format, rows[i].ndim, rows[i].shape, &records[i].desc) !=
            FPX_OK)
            return 2;
        records[i].desc.packing = rows[i].packing;
    }
    const uint64_t steps = strtoull(argv[2], NULL, 10);
    fpx_status status =
        fpx_trace_create(argv[1], &layout, steps > 1 ? steps - 1 : 1, &writer, &err);
    for (uint64_t step = 0; step < steps && status == FPX_OK; step++)
        status = put_step(writer, &layout, step, codes, &err);
    if (status == FPX_OK)
        status = fpx_trace_close(writer, &err);
    if (status != FPX_OK)
        fprintf(stderr, "%s\n", err.text);
    return status == FPX_OK ? 0 : 1;
}
