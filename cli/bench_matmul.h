/* bench_matmul.h - OpenBLAS at its best size, for those who compare whole steps with it. */
#ifndef CLI_BENCH_MATMUL_H
#define CLI_BENCH_MATMUL_H

#include "bench.h"

typedef struct matmul matmul;

/* A job that multiplies 1024 x 1024 x 1024 with OpenBLAS's sgemm, and its flops. *ret_product is to be
 * freed after failure too. */
fpx_status matmul_best(const bench *b, size_t threads, matmul **ret_product, bench_job *ret_job,
                       double *ret_flops, fpx_error *err);
void matmul_free(matmul *product); /* NULL is fine */

#endif /* CLI_BENCH_MATMUL_H */
