/* bench_peer.c - OpenBLAS as a fair peer: it chooses its kernels by processor model when it is loaded, and takes a model
 * younger than itself for the oldest it knows, at a third of the speed. */
#include <stdlib.h>

#include "bench.h"

void bench_hold_openblas(fpx_cpu_level level)
{
    static const char *const cores[FPX_CPU_LEVELS] = {
        [FPX_CPU_AVX2] = "Haswell", [FPX_CPU_AVX512] = "SkylakeX"
    };

    if (cores[level] != NULL)
        (void)setenv("OPENBLAS_CORETYPE", cores[level], 0);
}
