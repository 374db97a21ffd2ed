/* hostile.c - preloaded into fpx: a program that has set FTZ, DAZ and another rounding mode before main().
 * FPX_TEST_MXCSR: the control word, in hexadecimal. */
#include <stdlib.h>

#if defined(__x86_64__)
#include <xmmintrin.h>

__attribute__((constructor)) static void set_mxcsr(void)
{
    const char *word = getenv("FPX_TEST_MXCSR");

    if (word != NULL)
        _mm_setcsr((unsigned)strtoul(word, NULL, 16));
}
#endif
