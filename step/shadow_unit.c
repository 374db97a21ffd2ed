/* shadow_unit.c - the watched program with a matrix unit named in each product that it can take: whether it can is the
 * reference device's to say. */
#include <stdlib.h>
#include <string.h>

#include <fpx/mma.h>

#include "shadow_state.h"

/* A unit sums without leaves. */
static fpx_status try_unit(fpx_shadow *sh, fpx_device *reference, size_t op, fpx_attr *attr,
                           fpx_error *err)
{
    fpx_error refusal = { 0 };
    fpx_call call;

    fpx_program_call(fpx_exec_program(sh->watched), op, &call);
    call.attr.gemm.leaf = 0;
    memcpy(call.attr.gemm.unit, sh->spec.unit, sizeof call.attr.gemm.unit);
    const fpx_status status = fpx_device_prepare(reference, &call, &refusal);
    if (status == FPX_EUNSUPPORTED)
        return FPX_OK; /* it stays as it is */
    if (status != FPX_OK)
        return fpx_error_set(err, status, "%s", refusal.text);
    *attr = call.attr;
    sh->on_unit[op] = 1;
    return FPX_OK;
}

/* What the unit would have taken. */
static fpx_status refuse(const fpx_shadow *sh, fpx_error *err)
{
    fpx_mma_preset unit = { .inputs = NULL };

    (void)fpx_mma_preset_parse(sh->spec.unit, &unit, NULL);
    return fpx_error_set(
        err, FPX_EINVAL,
        "shadow local:%s: no product of this recipe can run on that unit: it takes "
        "%s, %s%s, and must give fp32",
        sh->spec.unit, unit.inputs ? unit.inputs : "any format",
        unit.scales ? "with scales of " : "without scales of blocks",
        unit.scales ? unit.scales : "");
}

fpx_status shadow_name_unit(fpx_shadow *sh, fpx_device *reference, fpx_error *err)
{
    const fpx_program *program = fpx_exec_program(sh->watched);
    const size_t n = fpx_program_ops(program);
    fpx_attr *attrs = calloc(n + 1, sizeof *attrs);
    fpx_status status = FPX_OK;

    sh->on_unit = calloc(n + 1, 1);
    if (attrs == NULL || sh->on_unit == NULL)
        status = fpx_error_set(err, FPX_ENOMEM, "shadow: out of memory");
    for (size_t i = 0; i < n && status == FPX_OK; i++) {
        attrs[i] = fpx_program_op_at(program, i)->attr;
        if (fpx_program_op_at(program, i)->kind == FPX_OP_GEMM)
            status = try_unit(sh, reference, i, &attrs[i], err);
    }
    if (status == FPX_OK && memchr(sh->on_unit, 1, n + 1) == NULL)
        status = refuse(sh, err);
    if (status == FPX_OK)
        status = fpx_program_edit(program, attrs, &sh->program, err);
    free(attrs);
    return status;
}
