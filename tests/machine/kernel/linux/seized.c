#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static void result(const char *what, long value) {
    printf("%s: %s\n", what, value == -1 ? strerrorname_np(errno) : "0");
}

static void stop_of(pid_t child) {
    int status = 0;
    pid_t found = waitpid(child, &status, __WALL);
    if (found != child) printf("%s\n", strerrorname_np(errno));
    else if (WIFSTOPPED(status)) printf("stopped %d event %d\n", WSTOPSIG(status), status >> 16);
    else if (WIFEXITED(status)) printf("exited %d\n", WEXITSTATUS(status));
    else printf("killed %d\n", WTERMSIG(status));
    if (WIFSTOPPED(status)) {
        siginfo_t info = {0};
        if (ptrace(PTRACE_GETSIGINFO, child, 0, &info)) printf("no info: %s\n", strerrorname_np(errno));
        else printf("info %d %x\n", info.si_signo, info.si_code);
    }
}

static int nothing_of(pid_t child) {
    int status;
    usleep(20000);
    return waitpid(child, &status, __WALL | WNOHANG);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 4096);
    pid_t child = fork();
    if (!child) {
        for (;;) pause();
    }
    setpgid(child, child); /* SIGTSTP does not stop a group that is orphaned, as that of a test may be */
    result("seize", ptrace(PTRACE_SEIZE, child, 0, 0));
    result("listen while it runs", ptrace(PTRACE_LISTEN, child, 0, 0));
    result("interrupt", ptrace(PTRACE_INTERRUPT, child, 0, 0));
    stop_of(child);
    result("listen at an interrupt", ptrace(PTRACE_LISTEN, child, 0, 0));
    result("peek", ptrace(PTRACE_CONT, child, 0, 0));
    result("interrupt", ptrace(PTRACE_INTERRUPT, child, 0, 0));
    stop_of(child);
    result("cont", ptrace(PTRACE_CONT, child, 0, 0));
    kill(child, SIGSTOP);
    stop_of(child);
    result("listen at a signal", ptrace(PTRACE_LISTEN, child, 0, 0));
    result("cont", ptrace(PTRACE_CONT, child, 0, SIGSTOP));
    stop_of(child);
    result("listen", ptrace(PTRACE_LISTEN, child, 0, 0));
    result("cont while it listens", ptrace(PTRACE_CONT, child, 0, 0));
    printf("%d\n", nothing_of(child));
    result("cont", kill(child, SIGCONT));
    stop_of(child);
    result("cont", ptrace(PTRACE_CONT, child, 0, 0));
    stop_of(child);
    result("cont", ptrace(PTRACE_CONT, child, 0, SIGCONT));
    kill(child, SIGTSTP);
    stop_of(child);
    result("cont", ptrace(PTRACE_CONT, child, 0, SIGTSTP));
    stop_of(child);
    result("cont", ptrace(PTRACE_CONT, child, 0, 0));
    printf("%d\n", nothing_of(child));
    kill(child, SIGTERM);
    stop_of(child);
    result("cont", ptrace(PTRACE_CONT, child, 0, SIGTERM));
    stop_of(child);

    child = fork();
    if (!child) {
        raise(SIGSTOP);
        _exit(3);
    }
    int status;
    waitpid(child, &status, WUNTRACED);
    result("seize", ptrace(PTRACE_SEIZE, child, 0, 0));
    stop_of(child);
    result("listen", ptrace(PTRACE_LISTEN, child, 0, 0));
    kill(child, SIGCONT);
    stop_of(child);
    result("cont", ptrace(PTRACE_CONT, child, 0, 0));
    stop_of(child);
    result("cont", ptrace(PTRACE_CONT, child, 0, SIGCONT));
    stop_of(child);

    child = fork();
    if (!child) {
        for (;;) pause();
    }
    result("attach", ptrace(PTRACE_ATTACH, child, 0, 0));
    stop_of(child);
    result("listen of one that was attached", ptrace(PTRACE_LISTEN, child, 0, 0));
    result("cont", ptrace(PTRACE_CONT, child, 0, SIGSTOP));
    stop_of(child);
    kill(child, SIGKILL);
    stop_of(child);
    return 0;
}
