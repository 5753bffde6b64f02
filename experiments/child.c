#include <config.h>
#include "experiments/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "experiments/stop.h"

enum { WORDS_MOST = 8192, STATUS_NOT_STARTED = 127 };

static void wake(int signal_number)
{
    (void)signal_number;   /* ends sigsuspend */
}

/* In the child: becomes the command.  A process group of its own, so that Ctrl-C reaches
 * it once, through its parent. */
static _Noreturn void become(char *const *argv, const char *folder, int out, int err,
                             const sigset_t *mask, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDONLY);
    if (getppid() == parent && null >= 0 && dup2(null, 0) == 0 && dup2(out, 1) == 1
        && dup2(err, 2) == 2 && chdir(folder) == 0 && sigprocmask(SIG_SETMASK, mask, NULL) == 0)
        execv("/proc/self/exe", argv);
    dprintf(err, "outlierscope: cannot start %s in %s: %s\n", argv[1], folder, strerror(errno));
    _exit(STATUS_NOT_STARTED);
}

/* Waits with the signals of `mask` let in only while it sleeps, so that none is missed. */
static void wait_for(pid_t child, int *status, const sigset_t *mask)
{
    bool passed_on = false;
    while (waitpid(child, status, WNOHANG) == 0) {
        if (stop_signal() != 0 && !passed_on) {
            kill(child, stop_signal());
            passed_on = true;
        }
        sigsuspend(mask);
    }
}

osc_status child_run(int *status, char *const *word, const char *folder, int out, int err)
{
    static char program[] = "outlierscope";
    char *argv[WORDS_MOST + 2] = { program };
    size_t count = 0;
    for (; word[count] != NULL; count++) {
        if (count == WORDS_MOST)
            return osc_fail(OSC_EINVAL, "more than %d arguments", WORDS_MOST);
        argv[count + 1] = word[count];
    }
    sigset_t held, mask;
    struct sigaction old, action = { .sa_handler = wake };
    sigemptyset(&action.sa_mask);
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGCHLD);
    sigprocmask(SIG_BLOCK, &held, &mask);
    sigaction(SIGCHLD, &action, &old);
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        become(argv, folder, out, err, &mask, parent);
    int error = errno;
    if (child > 0)
        wait_for(child, status, &mask);
    sigaction(SIGCHLD, &old, NULL);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return child > 0 ? OSC_OK : osc_fail(OSC_EIO, "cannot start a process: %s", strerror(error));
}

const char *child_status_text(char *text, size_t size, int status)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "killed by signal %d (%s)%s", WTERMSIG(status),
                 strsignal(WTERMSIG(status)),
                 WTERMSIG(status) == SIGKILL ? "; did the memory run out?" : "");
    else
        snprintf(text, size, "exit status %d", WEXITSTATUS(status));
    return text;
}
