/* cpu_options.h - the options of the built-in device, "threads=2,level=avx2,engine=repro". */
#ifndef FPX_ACCEL_CPU_OPTIONS_H
#define FPX_ACCEL_CPU_OPTIONS_H

#include <fpx/cpu.h>
#include <fpx/gemm.h>
#include <fpx/status.h>

typedef struct cpu_options {
    size_t threads; /* 0: the pool's default */
    fpx_cpu_level level;
    fpx_gemm_engine engine;
} cpu_options;

/* options may be NULL or "". FPX_EINVAL: unknown key or value; FPX_EUNSUPPORTED: a level or an engine
 * that is not here; with text. */
fpx_status cpu_options_parse(const char *options, cpu_options *ret_options, fpx_error *err);

#endif /* FPX_ACCEL_CPU_OPTIONS_H */
