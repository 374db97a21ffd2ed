/* fpx/fault.h - a device that wraps another and breaks one result: for testing what finds faults. */
#ifndef FPX_FAULT_H
#define FPX_FAULT_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/device.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fpx_fault_kind {
    FPX_FAULT_BIT,      /* one bit of one element is flipped */
    FPX_FAULT_ULP,      /* one element becomes its neighbour, one code up in magnitude */
    FPX_FAULT_STALE,    /* the whole output is that of the step before */
    FPX_FAULT_TRUNCATE, /* every element loses its `bit` lowest bits: a narrower datapath */
    FPX_FAULT_KINDS
} fpx_fault_kind;

/* "bit", "ulp", "stale", "truncate". */
const char *fpx_fault_name(fpx_fault_kind kind);

/* Strikes once: at the first call of this operation at this step. */
typedef struct fpx_fault {
    uint32_t kind; /* fpx_fault_kind */
    uint32_t out;  /* which output */
    uint64_t step;
    uint64_t element; /* logical index; unused by STALE and TRUNCATE */
    uint32_t bit;     /* BIT: which; TRUNCATE: how many */
    uint32_t reserved;
    char op[FPX_NAME_MAX];
} fpx_fault;

/* What it did. */
typedef struct fpx_fault_report {
    uint64_t
        changed; /* elements whose bits differ; 0: the fault changed nothing, or never struck */
    uint64_t element;       /* the first of them */
    uint64_t before, after; /* its codes */
} fpx_fault_report;

/* A device that passes every call to `inner` (opened with `options`) and adds the fault. *report is
 * written when the fault strikes and must outlive the device. Everything allocated here is made before
 * the first call. FPX_EINVAL: inner refuses the options, or the kind is unknown. */
fpx_status fpx_fault_device(const fpx_accel *inner, const char *options, const fpx_fault *fault,
                            fpx_fault_report *report, fpx_device **ret_device, fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_FAULT_H */
