/* place.h - threads that run together, on processors of their own.
 *
 * A kernel places a thread that wakes where it ran last or where it was woken, even if that is where its waker now
 * computes and another processor is free; there it waits its turn. Loops of a millisecond end before any balancing
 * sees them, so that two threads can share one processor for a whole run (seen: Linux 6.18, two processors, each loop
 * at half its speed). So the waker looks, and moves who would share; the thread has its own mask back as it starts. */
#ifndef FPX_LIBFPX_PLACE_H
#define FPX_LIBFPX_PLACE_H

#ifdef __linux__
#ifndef _GNU_SOURCE
#error "place.h needs _GNU_SOURCE, before any system header"
#endif
#include <sched.h>
#endif
#include <pthread.h>

/* Where a thread is. Its waker writes `moved` and `mask` before it wakes the thread, which writes `cpu`. */
typedef struct place {
#ifdef __linux__
    int cpu; /* where its last loop ended; -1: none yet */
    int moved;
    cpu_set_t mask; /* its own, where it was moved */
#else
    int cpu;
#endif
} place;

/* Processors that a loop's threads have so far. */
typedef struct place_set {
#ifdef __linux__
    cpu_set_t taken;
#else
    int none;
#endif
} place_set;

/* A loop begins: the caller's own processor is taken. */
void place_begin(place_set *set);

/* Before `thread`, which is idle, is woken: moves it if its processor is taken and another of its mask is not; one that
 * sleeps is held to its own, or it might wake where its waker is. */
void place_apart(place_set *set, place *of, pthread_t thread, int sleeps);

/* The thread begins its part of a loop, and has finished it. */
void place_arrive(place *self);
void place_leave(place *self);

#endif /* FPX_LIBFPX_PLACE_H */
