/* demo_fault.h - the demo's fault, drawn from a seed. */
#ifndef CLI_DEMO_FAULT_H
#define CLI_DEMO_FAULT_H

#include <fpx/fault.h>
#include <fpx/program.h>

typedef struct demo_fault {
    fpx_fault fault;
    int heals; /* drawn as one that must heal by itself: redraw where it does not */
    char tensor[FPX_NAME_MAX];
    char words[160]; /* "one ulp in one element" */
} demo_fault;

/* The same seed, attempt and program give the same fault. */
void demo_fault_draw(const fpx_program *program, uint64_t steps, uint64_t seed, uint32_t attempt,
                     demo_fault *ret_fault);

#endif /* CLI_DEMO_FAULT_H */
