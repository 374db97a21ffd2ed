/* fpx/opshape.h - what each operation kind takes and gives: names, arity, and one check of whole calls. */
#ifndef FPX_OPSHAPE_H
#define FPX_OPSHAPE_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/accel.h>
#include <fpx/mma.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fpx_op_shape {
    const char *name; /* "rmsnorm_grad" */
    const char *in_names[FPX_MAX_IN];
    const char *out_names[FPX_MAX_OUT];
    uint8_t min_in, max_in, nout;
    uint8_t in_place; /* bit i: out[i] may be in[i] */
} fpx_op_shape;

/* kind < FPX_OP_KINDS; NULL otherwise. */
const fpx_op_shape *fpx_op_shape_of(fpx_op_kind kind);

/* Checks the formats, shapes and attributes of a whole call; places and strides are not looked at. What
 * passes, every device and error bound may take for granted. FPX_EINVAL with a text that names the
 * tensor and the shapes; FPX_EUNSUPPORTED: the kind is unknown. */
fpx_status fpx_call_check(const fpx_call *call, fpx_error *err);

/* The matrix unit that a product names, and what it is asked: codes a and b (NULL: none yet) as they lie in in[0] and
 * in[1], transposed by strides, scales left to what follows the sums. call has passed the check above and attr.gemm.unit
 * is not empty. FPX_EINVAL with text: there is no such unit. */
fpx_status fpx_call_unit(const fpx_call *call, const void *a, const void *b,
                         fpx_mma_preset *ret_unit, fpx_mma_call *ret_mma, fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_OPSHAPE_H */
