/* pool.c - persistent workers, each with its own mailbox. Who runs which range follows from n, grain
 * and the number of threads alone; how a thread waits (spinning, then asleep) only costs time. */
#ifdef __linux__
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fpx/cpu.h>
#include <fpx/pool.h>

#include "place.h"

enum {
    MAX_THREADS = 1024,
    CACHE_LINE = 64,
    /* 50 to 70 microseconds of polling (a pause takes 40 to 65 ns): covers the serial code between two
     * loops of a training step, and is not much longer than putting a thread to sleep and waking it. */
    SPINS = 1000
};

/* A count of signals: one thread sends, one thread awaits the next. It may wrap. */
struct gate {
    atomic_uint value;
    atomic_uint sleepers;
    unsigned seen; /* the waiter's: the value it has answered */
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

struct worker {
    _Alignas(CACHE_LINE) struct gate mail; /* a job for this worker */
    size_t begin, end;
    place where;
    size_t index;
    fpx_pool *pool;
    pthread_t thread;
};

struct fpx_pool {
    size_t threads;
    unsigned spins;
    fpx_range_fn *fn; /* NULL: the worker ends */
    void *context;
    atomic_size_t runs;
    _Alignas(CACHE_LINE) atomic_size_t pending; /* workers that have not finished this job */
    _Alignas(CACHE_LINE) struct gate done;      /* the last worker finished */
    struct worker workers[];                    /* threads - 1 of them; the caller is worker 0 */
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int gate_init(struct gate *gate)
{
    atomic_init(&gate->value, 0);
    atomic_init(&gate->sleepers, 0);
    gate->seen = 0;
    if (pthread_mutex_init(&gate->lock, NULL) != 0)
        return 0;
    if (pthread_cond_init(&gate->changed, NULL) != 0) {
        pthread_mutex_destroy(&gate->lock);
        return 0;
    }
    return 1;
}

static void gate_destroy(struct gate *gate)
{
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->lock);
}

/* The store of value and the load of sleepers here, and the opposite order in gate_wait, are
 * sequentially consistent: either the waiter sees the new value, or this sees the waiter, who then
 * holds the lock until it is truly asleep. */
static void gate_signal(struct gate *gate)
{
    atomic_fetch_add(&gate->value, 1);
    if (atomic_load(&gate->sleepers) == 0)
        return;
    pthread_mutex_lock(&gate->lock);
    pthread_cond_signal(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_sleep(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    atomic_fetch_add(&gate->sleepers, 1);
    while (atomic_load(&gate->value) == gate->seen)
        pthread_cond_wait(&gate->changed, &gate->lock);
    atomic_fetch_sub(&gate->sleepers, 1);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_wait(struct gate *gate, unsigned spins)
{
    unsigned i = 0;

    while (i < spins && atomic_load_explicit(&gate->value, memory_order_acquire) == gate->seen) {
        relax();
        i++;
    }
    if (i == spins)
        gate_sleep(gate);
    gate->seen++;
}

static void run_range(fpx_range_fn *fn, void *context, size_t begin, size_t end, size_t worker)
{
    const fpx_fpenv saved = fpx_fpenv_enter();

    fn(context, begin, end, worker);
    fpx_fpenv_leave(saved);
}

static void *worker_main(void *argument)
{
    struct worker *self = argument;
    fpx_pool *pool = self->pool;

    for (;;) {
        gate_wait(&self->mail, pool->spins);
        if (pool->fn == NULL)
            return NULL;
        place_arrive(&self->where);
        run_range(pool->fn, pool->context, self->begin, self->end, self->index);
        place_leave(&self->where);
        if (atomic_fetch_sub_explicit(&pool->pending, 1, memory_order_acq_rel) == 1)
            gate_signal(&pool->done);
    }
}

/* Processors that this process may use, at least 1. */
static size_t processors(void)
{
#ifdef __linux__
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (size_t)CPU_COUNT(&set);
#endif
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (size_t)n;
}

/* Decimal digits only: strtoul would take "-1", " 2" and "3x". */
static fpx_status parse_threads(const char *text, size_t *ret_threads, fpx_error *err)
{
    size_t value = 0;
    const char *s = text;

    while (*s >= '0' && *s <= '9' && value <= MAX_THREADS)
        value = value * 10 + (size_t)(*s++ - '0');
    if (s == text || *s != '\0' || value < 1 || value > MAX_THREADS)
        return fpx_error_set(
            err, FPX_EINVAL,
            "FPX_THREADS is \"%.40s\": it must be a number of threads from 1 to %d", text,
            MAX_THREADS);
    *ret_threads = value;
    return FPX_OK;
}

/* Sends `fn` = NULL to the first `count` workers and waits for their end. */
static void stop_workers(fpx_pool *pool, size_t count)
{
    pool->fn = NULL;
    for (size_t i = 0; i < count; i++)
        gate_signal(&pool->workers[i].mail);
    for (size_t i = 0; i < count; i++) {
        pthread_join(pool->workers[i].thread, NULL);
        gate_destroy(&pool->workers[i].mail);
    }
}

static int start_worker(fpx_pool *pool, size_t i)
{
    struct worker *w = &pool->workers[i];

    w->pool = pool;
    w->index = i + 1;
    w->where.cpu = -1;
    if (!gate_init(&w->mail))
        return 0;
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
        gate_destroy(&w->mail);
        return 0;
    }
    return 1;
}

/* Signals stay the caller's business: workers start with all of them blocked. */
static size_t start_workers(fpx_pool *pool)
{
    sigset_t all, before;
    size_t started = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (started + 1 < pool->threads && start_worker(pool, started))
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

fpx_status fpx_pool_new(size_t threads, fpx_pool **ret_pool, fpx_error *err)
{
    const size_t available = processors();
    const char *text = getenv("FPX_THREADS");

    if (threads == 0 && text != NULL && text[0] != '\0') { /* empty: as not set */
        const fpx_status status = parse_threads(text, &threads, err);
        if (status != FPX_OK)
            return status;
    }
    if (threads == 0)
        threads = available;
    if (threads > MAX_THREADS)
        return fpx_error_set(err, FPX_EINVAL, "%zu threads asked for: the limit is %d", threads,
                             MAX_THREADS);

    const size_t bytes = sizeof(fpx_pool) + (threads - 1) * sizeof(struct worker);
    fpx_pool *pool = aligned_alloc(CACHE_LINE, bytes); /* both sizes are multiples of the line */
    if (pool == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "no memory for a pool of %zu threads", threads);
    memset(pool, 0, bytes);
    pool->threads = threads;
    pool->spins = threads <= available ? SPINS : 0; /* do not poll on a processor others need */
    atomic_init(&pool->runs, 0);
    atomic_init(&pool->pending, 0);
    if (!gate_init(&pool->done)) {
        free(pool);
        return fpx_error_set(err, FPX_ENOMEM, "no memory for a pool of %zu threads", threads);
    }
    const size_t started = start_workers(pool);
    if (started + 1 < threads) {
        stop_workers(pool, started);
        gate_destroy(&pool->done);
        free(pool);
        return fpx_error_set(err, FPX_ENOMEM, "the system gave %zu of %zu threads", started + 1,
                             threads);
    }
    *ret_pool = pool;
    return FPX_OK;
}

void fpx_pool_free(fpx_pool *pool)
{
    if (pool == NULL)
        return;
    stop_workers(pool, pool->threads - 1);
    gate_destroy(&pool->done);
    free(pool);
}

size_t fpx_pool_threads(const fpx_pool *pool)
{
    return pool == NULL ? 1 : pool->threads;
}

size_t fpx_pool_parallel_runs(const fpx_pool *pool)
{
    return pool == NULL ? 0 : atomic_load_explicit(&pool->runs, memory_order_relaxed);
}

/* Where part `part` of `parts` begins: the first units % parts parts hold one unit more. */
static size_t part_begin(size_t part, size_t parts, size_t units, size_t grain, size_t n)
{
    const size_t extra = units % parts; /* NOLINT(clang-analyzer-core.DivideZero): parts >= 1 */
    const size_t unit = part * (units / parts) + (part < extra ? part : extra);

    return unit >= units ? n : unit * grain;
}

void fpx_parallel_for(fpx_pool *pool, size_t n, size_t grain, fpx_range_fn *fn, void *context)
{
    const size_t step = grain == 0 ? 1 : grain;
    const size_t units = n / step + (n % step != 0);
    const size_t threads = fpx_pool_threads(pool);
    const size_t parts = threads < units ? threads : units;

    if (n == 0)
        return;
    if (parts == 1) {
        run_range(fn, context, 0, n, 0);
        return;
    }
    place_set places;

    place_begin(&places);
    pool->fn = fn;
    pool->context = context;
    atomic_store_explicit(&pool->pending, parts - 1, memory_order_relaxed);
    for (size_t part = 1; part < parts; part++) {
        struct worker *w = &pool->workers[part - 1];

        w->begin = part_begin(part, parts, units, step, n);
        w->end = part_begin(part + 1, parts, units, step, n);
        place_apart(&places, &w->where, w->thread, atomic_load(&w->mail.sleepers) > 0);
        gate_signal(&w->mail);
    }
    atomic_fetch_add_explicit(&pool->runs, 1, memory_order_relaxed);
    run_range(fn, context, 0, part_begin(1, parts, units, step, n), 0);
    gate_wait(&pool->done, pool->spins);
}
