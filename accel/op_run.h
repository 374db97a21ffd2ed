/* op_run.h - what the `cpu` device hands to an operation: a call whose tensors have become addresses,
 * already checked, and what the operation may use to compute it. */
#ifndef FPX_ACCEL_OP_RUN_H
#define FPX_ACCEL_OP_RUN_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/accel.h>
#include <fpx/cpu.h>
#include <fpx/gemm.h>
#include <fpx/pool.h>

typedef struct op_run {
    const fpx_call *call;
    const void *in[FPX_MAX_IN];
    const float *decode[FPX_MAX_IN]; /* decode factor of a scaled operand, else NULL */
    const void *blocks[FPX_MAX_IN];  /* scales of its blocks, else NULL */
    void *out[FPX_MAX_OUT];
    void *work;        /* at least work(...) bytes, 64-byte aligned */
    const void *table; /* made by table_fill */
    fpx_pool *pool;
    fpx_cpu_level level;
    fpx_gemm_engine engine;
    char *text; /* for op_refuse */
    size_t text_size;
} op_run;

/* One operation of one instance. Functions other than run may be NULL. */
typedef struct op_impl {
    fpx_status (*run)(const op_run *run);
    /* Bytes of work space, SIZE_MAX where that overflows. Called with places, addresses unset. */
    size_t (*work)(const op_run *run);
    /* Formats and layouts, on top of the checks that all share: FPX_EUNSUPPORTED or FPX_EINVAL. */
    fpx_status (*accept)(const op_run *run);
    /* A table of constants that calls with the same key share: its bytes and key; and its making. */
    size_t (*table_bytes)(const fpx_call *call, uint64_t key[4]);
    void (*table_fill)(const fpx_call *call, void *table);
} op_impl;

/* Writes the text, "NAME: ..." with the call's name, and returns status. */
#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
fpx_status
op_refuse(const op_run *run, fpx_status status, const char *format, ...);

/* a * b, a + b, SIZE_MAX where that overflows or an operand already had. */
size_t op_times(size_t a, size_t b);
size_t op_plus(size_t a, size_t b);
/* Bytes rounded up to whole cache lines, so that parts of the work space do not share one. */
size_t op_line(size_t bytes);

/* Formats, shapes and attributes of a call against its kind; what passes is safe to run on memory of
 * the right size. FPX_EINVAL (wrong) or FPX_EUNSUPPORTED (right, but not here), with text. */
fpx_status op_check_call(const op_run *run);

/* The tensor that decides the instance: float64 where it is fp64, else float32. */
const fpx_tensor *op_real_tensor(const fpx_call *call);

/* Checks that all ids are in [0, limit), or negative where that is allowed. FPX_EINVAL with text. */
fpx_status op_check_ids(const op_run *run, const int32_t *ids, size_t n, uint64_t limit,
                        int negative);

#endif /* FPX_ACCEL_OP_RUN_H */
