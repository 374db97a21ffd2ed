/* shadow_state.h - a shadow, and the two halves of what it does after an operation: shadow_inputs.c, shadow_judge.c. */
#ifndef STEP_SHADOW_STATE_H
#define STEP_SHADOW_STATE_H

#include <fpx/optable.h>
#include <fpx/shadow.h>

struct fpx_shadow {
    fpx_shadow_spec spec;
    const fpx_exec *watched;
    fpx_program *program;   /* widened, or with the unit; NULL in equal mode without */
    unsigned char *on_unit; /* of each operation: the unit computes it; NULL: there is no unit */
    fpx_exec *exec;
    int restored;   /* free mode: state is in place */
    uint64_t every; /* fpx_shadow_sample */
    unsigned char *looked;
    /* Of each tensor: it has the watched values of this step, of which operation `last` was seen last. */
    unsigned char *held;
    uint64_t step;
    uint32_t last;
    fpx_figure *figures;                /* ops * FPX_MAX_OUT */
    double *value, *bound[FPX_MAX_OUT]; /* as large as the largest tensor */
    double *input[FPX_MAX_IN], *scratch;
};

/* One tensor of the watched program, its codes being those given, into the shadow's of the same number. */
void shadow_copy_in(const fpx_shadow *sh, uint32_t id, uint32_t from, const void *codes);
/* Whether a tensor has a scale for each block: fpx_exec_scale then is not all that decodes it. */
int shadow_has_blocks(const fpx_exec *exec, uint32_t tensor);
void shadow_set_ones(const fpx_shadow *sh, uint32_t id);

/* The inputs of one operation, as the mode has it; free mode uses what it has. */
void shadow_take_inputs(fpx_shadow *sh, const fpx_op_view *view, const fpx_program_op *op);

/* Makes the program with the spec's unit. FPX_EINVAL: it can take no product. */
fpx_status shadow_name_unit(fpx_shadow *sh, fpx_device *reference, fpx_error *err);

/* Figures of the outputs, the shadow's own being computed. any_order: a product's sums may have any. Returns the elements
 * that disagree. */
double shadow_judge(fpx_shadow *sh, const fpx_op_view *view, const fpx_program_op *op,
                    int any_order);

#endif /* STEP_SHADOW_STATE_H */
