/* bench_peer.c - OpenBLAS as a fair peer. It chooses its kernels by processor model, and takes a model younger than itself
 * for the oldest it knows: a third of the speed. A benchmark asks for the kernels of the level in use, which OpenBLAS
 * reads when it is loaded: so the program starts anew. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

enum { MOST_WORDS = 64, MOST_BYTES = 8192 };

void bench_hold_openblas(fpx_cpu_level level)
{
    static const char *const cores[FPX_CPU_LEVELS] = {
        [FPX_CPU_AVX2] = "Haswell", [FPX_CPU_AVX512] = "SkylakeX"
    };
    static char line[MOST_BYTES];
    char *words[MOST_WORDS + 1] = { NULL };
    size_t n = 0;

    if (cores[level] == NULL || getenv("OPENBLAS_CORETYPE") != NULL)
        return;
    FILE *const file = fopen("/proc/self/cmdline", "rb");
    if (file == NULL)
        return;
    const size_t bytes = fread(line, 1, sizeof line - 1, file);
    (void)fclose(file);
    for (size_t i = 0; i < bytes && n < MOST_WORDS; i++) {
        if (i == 0 || line[i - 1] == '\0')
            words[n++] = line + i;
    }
    if (n == 0 || n == MOST_WORDS || bytes == sizeof line - 1 ||
        setenv("OPENBLAS_CORETYPE", cores[level], 1) != 0)
        return;
    (void)execv("/proc/self/exe", words); /* where it fails, OpenBLAS stays as it is */
}
