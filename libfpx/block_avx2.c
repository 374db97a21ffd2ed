/* block_avx2.c - stub. */
#include "block_kernels.h"
size_t fpx_block_run_avx2(const fpx_blocking *blocking, float tensor_amax, size_t width,
                          const float *src, uint8_t *codes, void *scales, size_t count)
{
    (void)blocking;
    (void)tensor_amax;
    (void)width;
    (void)src;
    (void)codes;
    (void)scales;
    (void)count;
    return 0;
}
