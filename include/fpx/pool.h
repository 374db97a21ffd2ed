/* fpx/pool.h - a small thread pool with a fixed partition of work. */
#ifndef FPX_POOL_H
#define FPX_POOL_H

#include <stddef.h>

#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fpx_pool fpx_pool;

/* Runs the half-open range [begin, end) of a loop's iterations. Called with the library's
 * floating-point environment set. worker is 0 .. threads - 1, for scratch memory. */
typedef void fpx_range_fn(void *context, size_t begin, size_t end, size_t worker);

/* A pool of `threads` workers, the caller included: 1 makes no thread at all. 0 asks for
 * FPX_THREADS from the environment, else the number of processors this process may use.
 * FPX_EINVAL: threads or FPX_THREADS is not 1..1024; FPX_ENOMEM: memory or threads ran out. */
fpx_status fpx_pool_new(size_t threads, fpx_pool **ret_pool, fpx_error *err);
void fpx_pool_free(fpx_pool *pool); /* NULL is fine */

size_t fpx_pool_threads(const fpx_pool *pool); /* 1 for NULL */

/* Splits [0, n) into at most fpx_pool_threads() contiguous ranges of multiples of `grain` (the last
 * may be shorter) and returns when all are done. The split depends on n, grain and the number of
 * threads only: the ranges differ by at most one grain, the earlier ones being longer, and worker w
 * runs the w-th. grain 0 means 1. pool NULL runs everything on the caller. One call at a time for
 * each pool, and none from within a range. */
void fpx_parallel_for(fpx_pool *pool, size_t n, size_t grain, fpx_range_fn *fn, void *context);

/* How many times fpx_parallel_for started work on more than one thread since the pool was made: lets a
 * test assert that threads really ran. */
size_t fpx_pool_parallel_runs(const fpx_pool *pool);

#ifdef __cplusplus
}
#endif

#endif /* FPX_POOL_H */
