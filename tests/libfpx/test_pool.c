/* test_pool.c - fpx_parallel_for: the stated partition, every index once, a clean environment in each range,
 * FPX_THREADS, and threads on processors of their own. */
#ifdef __linux__
#define _GNU_SOURCE /* sched_getcpu, affinities */
#include <sched.h>
#endif
#include <check.h>
#include <fenv.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>
#include <fpx/pool.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

enum { MOST = 300, THREADS_MOST = 16 };

/* What the ranges of one loop saw. */
struct record {
    atomic_uint visits[MOST];
    size_t begin[THREADS_MOST], end[THREADS_MOST];
    atomic_uint ranges[THREADS_MOST];
};

static void note(void *context, size_t begin, size_t end, size_t worker)
{
    struct record *r = context;

    atomic_fetch_add(&r->ranges[worker], 1);
    r->begin[worker] = begin;
    r->end[worker] = end;
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&r->visits[i], 1);
}

/* The header's words: range w goes to worker w; ranges hold a number of grains that differs by at most
 * one, the longer ones first; the last grain may be short. */
static void check_partition(const struct record *r, size_t threads, size_t n, size_t grain)
{
    const size_t units = (n + grain - 1) / grain;
    const size_t parts = units < threads ? units : threads;
    size_t unit = 0;

    for (size_t w = 0; w < THREADS_MOST; w++) {
        if (r->ranges[w] != (w < parts ? 1u : 0u))
            ck_abort_msg("%zu threads, n %zu, grain %zu: worker %zu ran %u ranges", threads, n,
                         grain, w, r->ranges[w]);
        if (w >= parts)
            continue;
        const size_t end = unit + units / parts + (w < units % parts ? 1 : 0);
        if (r->begin[w] != unit * grain || r->end[w] != (w + 1 == parts ? n : end * grain))
            ck_abort_msg("%zu threads, n %zu, grain %zu: worker %zu ran [%zu, %zu)", threads, n,
                         grain, w, r->begin[w], r->end[w]);
        unit = end;
    }
    for (size_t i = 0; i < MOST; i++)
        if (r->visits[i] != (i < n ? 1u : 0u))
            ck_abort_msg("%zu threads, n %zu, grain %zu: index %zu visited %u times", threads, n,
                         grain, i, r->visits[i]);
}

static const size_t thread_counts[] = { 1, 2, 3, 5, 16 };

START_TEST(partition)
{
    static const size_t grains[] = { 1, 2, 7, 64, 1000 };
    const size_t threads = thread_counts[_i];
    fpx_pool *pool = NULL;

    ck_assert_int_eq(fpx_pool_new(threads, &pool, NULL), FPX_OK);
    ck_assert_uint_eq(fpx_pool_threads(pool), threads);
    size_t parallel = 0;
    for (size_t n = 0; n <= MOST; n++)
        for (size_t g = 0; g < sizeof grains / sizeof grains[0]; g++) {
            struct record r = { 0 };

            fpx_parallel_for(pool, n, grains[g], note, &r);
            check_partition(&r, threads, n, grains[g]);
            parallel += threads > 1 && n > grains[g];
        }
    ck_assert_uint_eq(fpx_pool_parallel_runs(pool), parallel);
    fpx_pool_free(pool);
}
END_TEST

START_TEST(no_pool)
{
    struct record r = { 0 }, s = { 0 };

    fpx_parallel_for(NULL, 100, 0, note, &r);
    check_partition(&r, 1, 100, 1);
    fpx_parallel_for(NULL, 0, 1, note, &s);
    check_partition(&s, 1, 0, 1);
    ck_assert_uint_eq(fpx_pool_threads(NULL), 1);
    ck_assert_uint_eq(fpx_pool_parallel_runs(NULL), 0);
    fpx_pool_free(NULL);
}
END_TEST

static void count_up(void *context, size_t begin, size_t end, size_t worker)
{
    size_t *total = context;

    total[8 * worker] += end - begin; /* no atomics: the pool itself must order the loops */
}

/* Many short loops, with idle times in which workers fall asleep now and then. */
START_TEST(many_loops)
{
    enum { LOOPS = 20000 };
    const size_t threads = thread_counts[_i];
    size_t total[8 * THREADS_MOST] = { 0 }, sum = 0;
    fpx_pool *pool = NULL;

    ck_assert_int_eq(fpx_pool_new(threads, &pool, NULL), FPX_OK);
    for (int loop = 0; loop < LOOPS; loop++) {
        const size_t n = (size_t)(loop % 20);

        fpx_parallel_for(pool, n, 1, count_up, total);
        for (volatile int idle = 0; loop % 1000 == 0 && idle < 1000000; idle++)
            ;
    }
    for (size_t w = 0; w < threads; w++)
        sum += total[8 * w];
    ck_assert_uint_eq(sum, LOOPS / 20 * 190);
    fpx_pool_free(pool);
}
END_TEST

static void look_at_environment(void *context, size_t begin, size_t end, size_t worker)
{
    atomic_uint *wrong = context;

    (void)begin, (void)end, (void)worker;
#if defined(__x86_64__) /* where fegetround would look at the x87's mode, which nothing here uses */
    if ((_mm_getcsr() & 0xffc0u) != 0x1f80u)
        atomic_fetch_add(wrong, 1);
    _mm_setcsr(_mm_getcsr() | 0x8040u); /* what one range leaves behind, the next does not see */
#else
    if (fegetround() != FE_TONEAREST)
        atomic_fetch_add(wrong, 1);
#endif
}

START_TEST(environment)
{
    fpx_pool *pool = NULL;
    atomic_uint wrong = 0;

    fesetround(FE_UPWARD);
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040u); /* threads inherit it */
    const unsigned before = _mm_getcsr() & 0xffc0u;
#endif
    ck_assert_int_eq(fpx_pool_new(4, &pool, NULL), FPX_OK);
    for (int i = 0; i < 10; i++)
        fpx_parallel_for(i % 2 == 0 ? pool : NULL, 4, 1, look_at_environment, &wrong);
    ck_assert_uint_eq(wrong, 0);
#if defined(__x86_64__)
    ck_assert_uint_eq(_mm_getcsr() & 0xffc0u, before);
#endif
    ck_assert_int_eq(fegetround(), FE_UPWARD);
    fpx_pool_free(pool);
}
END_TEST

START_TEST(threads_from_environment)
{
    static const char *const bad[] = { "0",
                                       "1025",
                                       "-1",
                                       "+2",
                                       " 2",
                                       "2 ",
                                       "2x",
                                       "two",
                                       "1e1",
                                       "99999999999999999999999",
                                       "18446744073709551617" };
    fpx_pool *pool = NULL;
    fpx_error err;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("FPX_THREADS", bad[i], 1);
        memset(&err, 0, sizeof err);
        if (fpx_pool_new(0, &pool, &err) != FPX_EINVAL || pool != NULL ||
            strstr(err.text, "FPX_THREADS") == NULL)
            ck_abort_msg("FPX_THREADS=\"%s\" was accepted, or the error does not say so", bad[i]);
    }
    /* an explicit number does not read it */
    ck_assert_int_eq(fpx_pool_new(2, &pool, NULL), FPX_OK);
    ck_assert_uint_eq(fpx_pool_threads(pool), 2);
    fpx_pool_free(pool);

    setenv("FPX_THREADS", "", 1); /* as not set */
    ck_assert_int_eq(fpx_pool_new(0, &pool, NULL), FPX_OK);
    fpx_pool_free(pool);
    setenv("FPX_THREADS", "3", 1);
    ck_assert_int_eq(fpx_pool_new(0, &pool, NULL), FPX_OK);
    ck_assert_uint_eq(fpx_pool_threads(pool), 3);
    fpx_pool_free(pool);

    unsetenv("FPX_THREADS");
    ck_assert_int_eq(fpx_pool_new(0, &pool, NULL), FPX_OK);
    ck_assert_uint_ge(fpx_pool_threads(pool), 1);
    fpx_pool_free(pool);

    pool = NULL;
    ck_assert_int_eq(fpx_pool_new(1025, &pool, &err), FPX_EINVAL);
    ck_assert_ptr_null(pool);
}
END_TEST

#ifdef __linux__
/* Where the caller's and the worker's ranges ran. The worker then goes where the caller is, as a kernel might put it, free
 * to leave; it will not, for lack of time and, with idle processors elsewhere, of a reason. */
struct meeting {
    int cpu[2];
    cpu_set_t caller, all;
};

static void meet(void *context, size_t begin, size_t end, size_t worker)
{
    struct meeting *m = context;

    (void)begin;
    (void)end;
    m->cpu[worker] = sched_getcpu();
    if (worker == 0)
        return;
    sched_setaffinity(0, sizeof m->caller, &m->caller);
    sched_setaffinity(0, sizeof m->all, &m->all);
}

START_TEST(apart)
{
    struct meeting m;
    fpx_pool *pool = NULL;
    int together = 0;

    ck_assert_int_eq(sched_getaffinity(0, sizeof m.all, &m.all), 0);
    if (CPU_COUNT(&m.all) < 2)
        return; /* nothing to choose */
    ck_assert_int_eq(fpx_pool_new(2, &pool, NULL), FPX_OK);
    CPU_ZERO(&m.caller);
    CPU_SET((size_t)sched_getcpu(), &m.caller);
    ck_assert_int_eq(sched_setaffinity(0, sizeof m.caller, &m.caller), 0);
    for (int i = 0; i < 50; i++) {
        fpx_parallel_for(pool, 2, 1, meet, &m);
        /* The first loop places nobody yet: the worker has not been seen. */
        together += i > 0 && m.cpu[0] == m.cpu[1];
    }
    ck_assert_int_eq(sched_setaffinity(0, sizeof m.all, &m.all), 0);
    fpx_pool_free(pool);
    /* All of them without place.h; the kernel may move a thread at any time, hence not none. */
    ck_assert_msg(together < 10, "%d of 49 loops had both threads on one processor", together);
}
END_TEST
#endif

int main(void)
{
    const int counts = sizeof thread_counts / sizeof thread_counts[0];
    Suite *s = suite_create("pool");
    TCase *tc = tcase_create("pool");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, partition, 0, counts);
    tcase_add_loop_test(tc, many_loops, 0, counts);
    tcase_add_test(tc, no_pool);
    tcase_add_test(tc, environment);
#ifdef __linux__
    tcase_add_test(tc, apart);
#endif
    tcase_add_test(tc, threads_from_environment);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
