/* fpx/program.h - a step program: the named operations of one training step, as data. */
#ifndef FPX_PROGRAM_H
#define FPX_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/accel.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fpx_program fpx_program;

typedef enum fpx_tensor_class {
    FPX_TENSOR_INPUT,      /* written by the caller before each step: tokens, targets, hyper */
    FPX_TENSOR_PARAM,      /* lives across steps, trained */
    FPX_TENSOR_STATE,      /* lives across steps: optimizer moments, later scale histories */
    FPX_TENSOR_ACTIVATION, /* made and used within a step, as are the following */
    FPX_TENSOR_GRADIENT,
    FPX_TENSOR_SCALE,
    FPX_TENSOR_STATE_SCALE /* lives across steps: the scale of a PARAM or STATE tensor */
} fpx_tensor_class;

static inline int fpx_tensor_class_scales(uint32_t cls)
{
    return cls == FPX_TENSOR_SCALE || cls == FPX_TENSOR_STATE_SCALE;
}

/* Whether a class lives across steps: what a checkpoint holds. */
static inline int fpx_tensor_class_lasts(uint32_t cls)
{
    return cls == FPX_TENSOR_PARAM || cls == FPX_TENSOR_STATE || cls == FPX_TENSOR_STATE_SCALE;
}

#define FPX_NO_TENSOR UINT32_C(0xffffffff) /* "none", in place of a tensor or operation index */

typedef struct fpx_program_tensor {
    char name[FPX_NAME_MAX]; /* "layer.0/attn.qkv/x", unique */
    fpx_tensor desc;         /* without places */
    uint32_t cls;            /* fpx_tensor_class */
    int32_t layer;           /* -1 outside the layers */
    uint32_t producer;       /* the operation that writes it; FPX_NO_TENSOR for inputs */
    /* Of a scaled tensor: scale[2], whose second element decodes; or, where desc says what a block is, the matrix of
     * its blocks' scales, which may be scaled itself: the second level. Else FPX_NO_TENSOR. */
    uint32_t scale;
    uint32_t unquantized; /* of the output of QUANTIZE: its source, else FPX_NO_TENSOR */
} fpx_program_tensor;

typedef struct fpx_program_op {
    char name[FPX_NAME_MAX]; /* "layer.0/attn.qkv/fprop", unique, stable */
    uint32_t kind, role;
    int32_t layer;
    uint32_t nin, nout;
    uint32_t in[FPX_MAX_IN], out[FPX_MAX_OUT]; /* tensor indices */
    fpx_attr attr;
} fpx_program_op;

fpx_status fpx_program_new(fpx_program **ret_program);
void fpx_program_free(fpx_program *program); /* NULL is fine */

/* Adds a tensor (producer is ignored and set by the operation that writes it). A tensor with `scale`
 * gets the levels of scaling in its desc; of what the caller's desc says, desc.scale[0].block counts where
 * desc.nscales is not 0. FPX_EINVAL: the name is taken, empty or not terminated; `scale` or
 * `unquantized` was not added before; `scale` has another shape than the blocks; the size overflows. */
fpx_status fpx_program_add_tensor(fpx_program *program, const fpx_program_tensor *tensor,
                                  uint32_t *ret_index, fpx_error *err);

/* Adds an operation after the last. FPX_EINVAL with text: wrong arity or shapes (the operation
 * table's check), an input nobody wrote before, an output written twice. */
fpx_status fpx_program_add_op(fpx_program *program, const fpx_program_op *op, uint32_t *ret_index,
                              fpx_error *err);

size_t fpx_program_tensors(const fpx_program *program);
size_t fpx_program_ops(const fpx_program *program);
const fpx_program_tensor *fpx_program_tensor_at(const fpx_program *program, size_t index);
const fpx_program_op *fpx_program_op_at(const fpx_program *program, size_t index);
uint32_t fpx_program_find_tensor(const fpx_program *program,
                                 const char *name);                         /* or FPX_NO_TENSOR */
uint32_t fpx_program_find_op(const fpx_program *program, const char *name); /* or FPX_NO_TENSOR */

/* The call of one operation, places unset, step 0. */
void fpx_program_call(const fpx_program *program, size_t op, fpx_call *ret_call);

/* The same program with every low-precision or narrower float tensor in `format` (fp32 or fp64) and
 * without scales: quantizers become the identity. Indices and names are kept. */
fpx_status fpx_program_widen(const fpx_program *program, const fpx_format *format,
                             fpx_program **ret_program, fpx_error *err);

/* The same program with the attributes of attrs[operation]. FPX_EINVAL with text: an operation refuses them. */
fpx_status fpx_program_edit(const fpx_program *program, const fpx_attr *attrs,
                            fpx_program **ret_program, fpx_error *err);

/* Floating-point operations of one step in matrix multiplications, and in all. */
void fpx_program_flops(const fpx_program *program, double *ret_gemm, double *ret_all);

#ifdef __cplusplus
}
#endif

#endif /* FPX_PROGRAM_H */
