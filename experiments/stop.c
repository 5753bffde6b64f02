#include <config.h>
#include "experiments/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t came;

static void remember(int signal_number)
{
    came = signal_number;
}

/* A signal that whoever started the program chose to ignore stays ignored. */
static void catch_one(int signal_number)
{
    struct sigaction old, action = { .sa_handler = remember,
                                     .sa_flags = SA_RESTART | SA_RESETHAND };
    sigemptyset(&action.sa_mask);
    if (sigaction(signal_number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(signal_number, &action, NULL);
}

void stop_catch(void)
{
    catch_one(SIGINT);
    catch_one(SIGTERM);
}

int stop_signal(void)
{
    return came;
}

int stop_status(void)
{
    return 128 + came;
}
