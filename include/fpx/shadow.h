/* fpx/shadow.h - every operation run again, in higher precision or on another device, and compared.
 *
 * local:   the shadow takes the operation's own inputs: the difference is its arithmetic error, judged by bounds: in float64
 *          of every operation, in float32 of products.
 * operand: the shadow takes the inputs as they were before quantization.
 * free:    the shadow keeps its own tensors across operations and steps: accumulated drift.
 * equal:   the same arithmetic on the same inputs on the reference device: bits must be equal. With a unit: of products
 *          that a matrix unit can take, its arithmetic, whatever the program's own is. */
#ifndef FPX_SHADOW_H
#define FPX_SHADOW_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/exec.h>
#include <fpx/figure.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fpx_shadow_mode {
    FPX_SHADOW_LOCAL,
    FPX_SHADOW_OPERAND,
    FPX_SHADOW_FREE,
    FPX_SHADOW_EQUAL
} fpx_shadow_mode;

typedef struct fpx_shadow_spec {
    uint32_t mode;           /* fpx_shadow_mode */
    uint32_t reserved;       /* 0 */
    fpx_format format;       /* fp32 or fp64; unused in equal mode */
    char unit[FPX_UNIT_MAX]; /* equal mode: fpx_mma_preset_parse's text; "": none */
} fpx_shadow_spec;

enum { FPX_SHADOW_MAX = 4, FPX_SHADOW_NAME = FPX_UNIT_MAX + 8 };

/* "local", "operand", "free", "both" (local and free), each with ":fp32" or ":fp64" (the default), or
 * "local:cpu" (equal mode: the cpu device's same arithmetic), or "local:UNIT" (fpx/mma.h: "hopper/wgmma/fp8-fp32").
 * FPX_EINVAL with text. */
fpx_status fpx_shadow_parse(const char *text, fpx_shadow_spec ret_specs[FPX_SHADOW_MAX],
                            size_t *ret_count, fpx_error *err);

/* "local:fp64", "local:cpu", "local:hopper/wgmma/fp8-fp32". */
void fpx_shadow_name(const fpx_shadow_spec *spec, char ret_name[FPX_SHADOW_NAME]);

/* enum fpx_exec_keep bits that the watched executor must be made with. */
unsigned fpx_shadow_keep(const fpx_shadow_spec *spec);

/* A figure that says nothing: NaN, and no mismatch; one of a result that was not looked at: all NaN. */
extern const fpx_figure fpx_figure_none, fpx_figure_unseen;

typedef struct fpx_shadow fpx_shadow;

/* A shadow of `exec`, run on `reference` (the cpu device; it may be the device that exec uses). FPX_EINVAL: the spec's unit
 * can take no product of the program. Attach fpx_shadow_observer. In free mode its state is copied from exec at the first step it sees, unless
 * it was restored before. All must outlive the shadow. */
fpx_status fpx_shadow_new(const fpx_exec *exec, const fpx_shadow_spec *spec, fpx_device *reference,
                          fpx_shadow **ret_shadow, fpx_error *err);
void fpx_shadow_free(fpx_shadow *shadow); /* NULL is fine; detach first by freeing exec */

fpx_observer fpx_shadow_observer(fpx_shadow *shadow);

/* From now on the shadow looks only at steps that `every` divides, and there only at operations i with ops[i] != 0
 * (copied; NULL: all). What it does not look at costs nothing. FPX_EINVAL: every is 0, ops has no operation, or the
 * mode is free: its state lives on every operation. FPX_ENOMEM. */
fpx_status fpx_shadow_sample(fpx_shadow *shadow, uint64_t every, const unsigned char *ops,
                             fpx_error *err);
int fpx_shadow_looks(const fpx_shadow *shadow, uint64_t step, uint32_t op);

/* What the last run of operation `op` that was looked at showed for its output `out`; fpx_figure_none where there was
 * none, or the shadow can say nothing. */
const fpx_figure *fpx_shadow_figure(const fpx_shadow *shadow, uint32_t op, uint32_t out);

const fpx_shadow_spec *fpx_shadow_spec_of(const fpx_shadow *shadow);

/* 0 where the shadow can say nothing about an operation: the same arithmetic on the same device, or a
 * scale, which a higher precision does not have. Of a product that the spec's unit takes it says something always: whether
 * the bits are that unit's. What it can say nothing about is not run. */
int fpx_shadow_informs(const fpx_shadow *shadow, uint32_t op);

/* free mode: the shadow's own executor, whose PARAM and STATE tensors belong into a checkpoint; mark them
 * as restored after writing them. NULL in other modes. */
fpx_exec *fpx_shadow_exec(fpx_shadow *shadow);
void fpx_shadow_restored(fpx_shadow *shadow);

#ifdef __cplusplus
}
#endif

#endif /* FPX_SHADOW_H */
