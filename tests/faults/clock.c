/* Clocks that jump: OSC_FAULT_CLOCK=S, and every answer is S seconds after the last one, of
 * all clocks alike.  With 0 time stands still, and a record's bytes are the same each time. */
#define _GNU_SOURCE
#include "fault.h"

#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

enum { BEGIN = 1700000000 };

static bool ask(long *seconds)
{
    static long asked;
    const char *step = getenv("OSC_FAULT_CLOCK");
    if (step == NULL)
        return false;
    *seconds = BEGIN + atol(step) * __atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED);
    return true;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    long seconds;
    if (!ask(&seconds))
        return REAL(clock_gettime)(clock, t);
    *t = (struct timespec){ .tv_sec = seconds };
    return 0;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    long seconds;
    if (!ask(&seconds))
        return REAL(gettimeofday)(t, zone);
    *t = (struct timeval){ .tv_sec = seconds };
    return 0;
}

time_t time(time_t *t)
{
    long seconds;
    if (!ask(&seconds))
        return REAL(time)(t);
    if (t != NULL)
        *t = seconds;
    return seconds;
}
