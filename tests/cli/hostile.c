/* hostile.c - preloaded: leaves the main thread a floating-point environment that changes numbers (flush to
 * zero, denormals are zero, rounding up), before main() runs. The tests say that no bit follows it. */
#include <stdio.h>
#include <stdlib.h>
#include <xmmintrin.h>

enum { FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040, ROUND_UP = 0x4000, MASKED = 0x1F80 };

static void __attribute__((constructor)) spoil(void)
{
    _mm_setcsr(MASKED | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO | ROUND_UP);
    if (getenv("FPX_TEST_HOSTILE_SAYS") != NULL)
        (void)fprintf(stderr, "hostile: MXCSR %#x\n", _mm_getcsr());
}
