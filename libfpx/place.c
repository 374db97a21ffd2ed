/* place.c - threads that run together, on processors of their own. What fails here costs time only. */
#ifdef __linux__
#define _GNU_SOURCE /* sched_getcpu, affinities */
#endif
#include "place.h"

#ifdef __linux__

static int has(const cpu_set_t *set, int cpu)
{
    return cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET((size_t)cpu, set);
}

static void take(cpu_set_t *set, int cpu)
{
    if (cpu >= 0 && cpu < CPU_SETSIZE)
        CPU_SET((size_t)cpu, set);
}

void place_begin(place_set *set)
{
    CPU_ZERO(&set->taken);
    take(&set->taken, sched_getcpu());
}

void place_apart(place_set *set, place *of, pthread_t thread, int sleeps)
{
    cpu_set_t one;
    int cpu = of->cpu;

    if (cpu < 0 || (!sleeps && !has(&set->taken, cpu))) {
        take(&set->taken, cpu);
        return;
    }
    if (pthread_getaffinity_np(thread, sizeof of->mask, &of->mask) != 0)
        return;
    if (has(&set->taken, cpu) || !has(&of->mask, cpu))
        cpu = 0;
    while (cpu < CPU_SETSIZE && (!has(&of->mask, cpu) || has(&set->taken, cpu)))
        cpu++;
    if (cpu == CPU_SETSIZE)
        return; /* more threads than processors */
    CPU_ZERO(&one);
    take(&one, cpu);
    take(&set->taken, cpu);
    of->moved = pthread_setaffinity_np(thread, sizeof one, &one) == 0;
}

void place_arrive(place *self)
{
    if (self->moved)
        (void)pthread_setaffinity_np(pthread_self(), sizeof self->mask, &self->mask);
    self->moved = 0;
}

void place_leave(place *self)
{
    self->cpu = sched_getcpu();
}

#else

void place_begin(place_set *set)
{
    set->none = 0;
}

void place_apart(place_set *set, place *of, pthread_t thread, int sleeps)
{
    (void)set;
    (void)of;
    (void)thread;
    (void)sleeps;
}

void place_arrive(place *self)
{
    (void)self;
}

void place_leave(place *self)
{
    self->cpu = 0;
}

#endif
