/* fpx/exec.h - the executor: the only thing that knows how to run a step program. */
#ifndef FPX_EXEC_H
#define FPX_EXEC_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/device.h>
#include <fpx/program.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fpx_exec fpx_exec;

/* What an observer sees after an operation. Addresses are in this process, valid during the call,
 * read-only; inputs are as they were before the operation, also of one that works in place. */
typedef struct fpx_op_view {
    const fpx_program *program;
    const fpx_exec *exec;
    uint32_t op;
    uint64_t step;
    const char *device; /* name of the device that ran it */
    const void *in[FPX_MAX_IN];
    const void *out[FPX_MAX_OUT];
} fpx_op_view;

/* Observers never write to the program's memory. Any function may be NULL; one that fails ends the
 * step with its status and text. looks: whether after_op reads the inputs that this operation overwrites: where no
 * observer does, they are not kept. NULL: it does; fpx_looks_at_outputs: it does not. */
typedef struct fpx_observer {
    void *context;
    fpx_status (*begin_step)(void *context, const fpx_exec *exec, uint64_t step, fpx_error *err);
    fpx_status (*after_op)(void *context, const fpx_op_view *view, fpx_error *err);
    fpx_status (*end_step)(void *context, const fpx_exec *exec, uint64_t step, fpx_error *err);
    int (*looks)(const void *context, uint64_t step, uint32_t op);
} fpx_observer;

int fpx_looks_at_outputs(const void *context, uint64_t step, uint32_t op); /* 0 */

enum fpx_exec_keep {
    FPX_KEEP_INPUTS = 1,      /* copy what an in-place operation overwrites, for the observers */
    FPX_KEEP_UNQUANTIZED = 2, /* sources of quantized tensors live as long as those */
    FPX_KEEP_ALL = 4,         /* no two tensors share memory: every tensor readable after a step */
    FPX_PLAN_ONLY = 8         /* devices prepare, but no arena is made: nothing is run, there is no
                               * fpx_exec_data; spans and bytes are those of an executor without this */
};

/* devices: in order of preference; each operation runs on the first that prepares it. The last is
 * normally the `cpu` device. program and devices must outlive the executor; state and inputs start at 0.
 * FPX_EUNSUPPORTED: an operation that no device takes, named; FPX_EINVAL, FPX_ENOMEM. */
fpx_status fpx_exec_new(const fpx_program *program, fpx_device *const *devices, size_t ndevices,
                        unsigned keep, fpx_exec **ret_exec, fpx_error *err);
void fpx_exec_free(fpx_exec *exec); /* NULL is fine */

/* Observers are called in the order of attachment. FPX_ENOMEM. */
fpx_status fpx_exec_attach(fpx_exec *exec, const fpx_observer *observer);

/* Address of a tensor's codes in the host arena: inputs before a step, state between steps; other
 * tensors while an observer looks at an operation that uses them (always with FPX_KEEP_ALL). */
void *fpx_exec_data(const fpx_exec *exec, uint32_t tensor);

/* The operations, both included, during which a tensor's memory in the arena is its own; 0 to their number where it
 * lasts. */
void fpx_exec_span(const fpx_exec *exec, uint32_t tensor, uint32_t *ret_first, uint32_t *ret_last);

/* The scale of the whole tensor that decodes it now: 1 where it has none, or one for each block. */
double fpx_exec_scale(const fpx_exec *exec, uint32_t tensor);

/* The values of a tensor of which `codes` are the codes, its scales of all levels multiplied in, as float64: exact, but
 * for what leaves float64's range. */
void fpx_exec_decode(const fpx_exec *exec, uint32_t tensor, const void *codes, double *ret_values);

const fpx_program *fpx_exec_program(const fpx_exec *exec);
const char *fpx_exec_op_device(const fpx_exec *exec,
                               uint32_t op); /* name of the device it runs on */
uint64_t fpx_exec_arena_bytes(const fpx_exec *exec);

/* Runs a whole step with its observers. On failure the text names the operation and the state is
 * as far as the step went. */
fpx_status fpx_exec_step(fpx_exec *exec, uint64_t step, fpx_error *err);

/* Operations first to end - 1 of a step, in order; parts follow each other. Observers see the step begin with
 * operation 0, and end with the last. */
fpx_status fpx_exec_part(fpx_exec *exec, uint64_t step, size_t first, size_t end, fpx_error *err);

/* Runs operation op alone, observers included, on the data at hand. */
fpx_status fpx_exec_op(fpx_exec *exec, uint64_t step, uint32_t op, fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_EXEC_H */
