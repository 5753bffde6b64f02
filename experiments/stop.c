#include <config.h>
#include "experiments/stop.h"

#include <signal.h>

static volatile sig_atomic_t came;

static void remember(int signal_number)
{
    came = signal_number;
}

void stop_catch(void)
{
    struct sigaction action = { .sa_handler = remember, .sa_flags = SA_RESTART | SA_RESETHAND };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int stop_signal(void)
{
    return came;
}
