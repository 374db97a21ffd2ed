/* plugin_wire.c - waiting between two processes: a short spin for the common case, a futex for the
 * rest. The flag-then-look order on both sides means that no ring is slept through. */
#define _GNU_SOURCE /* syscall */
#include "plugin_wire.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A futex round trip costs about 50 microseconds, a spinning one 1.5: spinning for longer than the
 * difference would cost more than it saves. */
enum { SPIN_NS = 20000, PAUSES_PER_LOOK = 16 };

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

int64_t fpx_wire_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* FUTEX_WAIT and FUTEX_WAKE without the PRIVATE flag: the word lies in two processes. */
static void futex_wait(_Atomic uint32_t *word, uint32_t seen, int64_t limit_ns)
{
    const struct timespec limit = { .tv_sec = (time_t)(limit_ns / 1000000000),
                                    .tv_nsec = (long)(limit_ns % 1000000000) };

    syscall(SYS_futex, word, FUTEX_WAIT, seen, limit_ns < 0 ? NULL : &limit, NULL, 0);
}

void fpx_bell_ring(fpx_bell *bell, uint32_t count)
{
    atomic_store(&bell->count, count);
    if (atomic_load(&bell->asleep) != 0)
        syscall(SYS_futex, &bell->count, FUTEX_WAKE, 1, NULL, NULL, 0);
}

uint32_t fpx_bell_wait(fpx_bell *bell, uint32_t seen, int64_t limit_ns)
{
    const int64_t end = fpx_wire_clock() + SPIN_NS;

    do {
        for (int i = 0; i < PAUSES_PER_LOOK; i++) {
            const uint32_t count = atomic_load(&bell->count);
            if (count != seen)
                return count;
            pause_briefly();
        }
    } while (fpx_wire_clock() < end);

    atomic_store(&bell->asleep, 1);
    if (atomic_load(&bell->count) == seen)
        futex_wait(&bell->count, seen, limit_ns);
    atomic_store(&bell->asleep, 0);
    return atomic_load(&bell->count);
}
