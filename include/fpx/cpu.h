/* fpx/cpu.h - which instruction set runs, and a clean floating-point environment. */
#ifndef FPX_CPU_H
#define FPX_CPU_H

#include <stdint.h>

#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Levels in rising order; a level includes those below it. Every level gives the same bits. */
typedef enum fpx_cpu_level {
    FPX_CPU_SCALAR,
    FPX_CPU_AVX2,
    FPX_CPU_AVX512,
    FPX_CPU_LEVELS
} fpx_cpu_level;

/* "scalar", "avx2", "avx512". */
const char *fpx_cpu_level_name(fpx_cpu_level level);

/* The highest level that this processor and operating system can run. */
fpx_cpu_level fpx_cpu_detect(void);

/* The level in use: fpx_cpu_detect(), lowered by the environment's FPX_CPU=scalar|avx2|avx512.
 * AVX-512 is used only where FPX_CPU asks for it (kernel-check results from such hardware:
 * tests/kernelcheck-results/). FPX_EINVAL with text: FPX_CPU holds another word, or a level this machine lacks. */
fpx_status fpx_cpu_choose(fpx_cpu_level *ret_level, fpx_error *err);

/* The level that fpx_cpu_choose gives at the first call, for good: that of every table of kernels. Scalar where
 * FPX_CPU is in error. */
fpx_cpu_level fpx_cpu_in_use(void);

/* Whether a device by this spec ("cpu", "cpu,threads=2": what follows the comma are fpx/device.h's options) computes in
 * this library's own order, into which neither threads nor level enter: `cpu` does, but by OpenBLAS. */
int fpx_cpu_is_reproducible(const char *device);

/* The caller's floating-point control state (rounding mode, FTZ, DAZ, exception masks). */
typedef struct fpx_fpenv {
    uint32_t mxcsr;
    uint32_t reserved;
} fpx_fpenv;

/* Saves the caller's state and sets round-to-nearest, no FTZ, no DAZ, all exceptions masked.
 * Every float entry point of the library is bracketed by these two; they cost about 10 ns. */
fpx_fpenv fpx_fpenv_enter(void);
void fpx_fpenv_leave(fpx_fpenv saved);

#ifdef __cplusplus
}
#endif

#endif /* FPX_CPU_H */
