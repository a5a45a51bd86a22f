/* Calls on other processes, policies and personalities. Each case prints the same natively and here. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(what) do { errno = 0; long shown = (long)(what); printf("%s = %ld %d\n", #what, shown, errno); fflush(stdout); } while (0)
static char shared[100] = "some text";
static int files(void) {
    int ends[2]; pipe(ends); pid_t child = fork(); if (!child) { char byte; int own = open("/proc/self/exe", O_RDONLY); dup2(own, 30); read(ends[0], &byte, 1); _exit(byte); }
    int fd = syscall(SYS_pidfd_open, child, 0); SHOW(fd); SHOW(fcntl(fd, F_GETFD)); SHOW(fcntl(fd, F_GETFL)); struct pollfd row = {fd, POLLIN, 0}; SHOW(poll(&row, 1, 0)); usleep(20000); int other = syscall(SYS_pidfd_getfd, fd, 30, 0); SHOW(other); char magic[4]; SHOW(pread(other, magic, 4, 0)); SHOW(magic[1]); SHOW(fcntl(other, F_GETFD)); SHOW(syscall(SYS_pidfd_getfd, fd, 77, 0)); SHOW(syscall(SYS_pidfd_getfd, fd, 30, 1)); SHOW(syscall(SYS_pidfd_getfd, 0, 30, 0));
    SHOW(syscall(SYS_pidfd_send_signal, fd, 0, 0, 0)); SHOW(syscall(SYS_pidfd_send_signal, fd, 99, 0, 0)); SHOW(syscall(SYS_pidfd_send_signal, 0, 0, 0, 0)); siginfo_t info; memset(&info, 0, sizeof info); SHOW(waitid(3, fd, &info, WEXITED | WNOHANG)); write(ends[1], "\7", 1); SHOW(poll(&row, 1, 3000)); SHOW(row.revents); SHOW(waitid(3, fd, &info, WEXITED)); SHOW(info.si_status); SHOW(info.si_pid == child); SHOW(syscall(SYS_pidfd_send_signal, fd, 0, 0, 0)); SHOW(waitid(3, fd, &info, WEXITED)); SHOW(waitid(3, 0, &info, WEXITED)); SHOW(read(fd, magic, 1));
    SHOW(syscall(SYS_pidfd_open, child, 0)); SHOW(syscall(SYS_pidfd_open, 0, 0)); SHOW(syscall(SYS_pidfd_open, getpid(), 1)); child = fork(); if (!child) { pause(); _exit(1); } fd = syscall(SYS_pidfd_open, child, O_NONBLOCK); SHOW(waitid(3, fd, &info, WEXITED)); SHOW(syscall(SYS_pidfd_send_signal, fd, SIGTERM, 0, 0)); int status; SHOW(waitpid(child, &status, 0) == child); SHOW(status);
    unsigned long arguments[8] = {0x1000, (long)&fd, 0, 0, SIGCHLD}; child = syscall(SYS_clone3, arguments, 64); if (!child) _exit(9); SHOW(fd); SHOW(waitid(3, fd, &info, WEXITED)); SHOW(info.si_status); return 0;
}
static int memory(void) {
    char *page = mmap(0, 8192, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); munmap(page + 4096, 4096); pid_t child = fork(); if (!child) { strcpy(shared, "of the child"); for (;;) pause(); } usleep(20000); char here[100] = ""; struct iovec own[2] = {{here, 3}, {here + 3, 50}}, far[2] = {{shared, 13}, {page + 4090, 20}};
    SHOW(syscall(SYS_process_vm_readv, child, own, 2, far, 1, 0)); puts(here); SHOW(syscall(SYS_process_vm_readv, child, own, 2, far, 2, 0)); SHOW(syscall(SYS_process_vm_readv, child, own, 2, far + 1, 1, 0)); strcpy(here, "written"); SHOW(syscall(SYS_process_vm_writev, child, own, 2, far, 1, 0)); memset(here, 0, 100); SHOW(syscall(SYS_process_vm_readv, child, own, 2, far, 1, 0)); puts(here); puts(shared);
    far[0].iov_base = (void *)8; SHOW(syscall(SYS_process_vm_readv, child, own, 2, far, 1, 0)); SHOW(syscall(SYS_process_vm_readv, child, own, 2, far, 1, 1)); SHOW(syscall(SYS_process_vm_readv, 1 << 22, own, 2, far, 1, 0)); SHOW(syscall(SYS_process_vm_readv, child, own, 2000, far, 1, 0)); SHOW(syscall(SYS_process_vm_readv, child, 8, 1, far, 1, 0)); SHOW(syscall(SYS_process_vm_readv, child, own, 0, far, 1, 0));
    int fd = dup(1); SHOW(syscall(SYS_kcmp, getpid(), getpid(), 0, 1, fd)); SHOW(syscall(SYS_kcmp, getpid(), child, 0, 1, 1)); SHOW(syscall(SYS_kcmp, getpid(), getpid(), 0, 1, 0) > 0); SHOW(syscall(SYS_kcmp, getpid(), child, 1, 0, 0) > 0); SHOW(syscall(SYS_kcmp, getpid(), getpid(), 2, 0, 0)); SHOW(syscall(SYS_kcmp, getpid(), child, 99, 0, 0)); SHOW(syscall(SYS_kcmp, getpid(), 1 << 22, 1, 0, 0)); SHOW(syscall(SYS_kcmp, getpid(), child, 0, 1, 99)); kill(child, SIGKILL); return 0;
}
static int policies(void) {
    struct sched_param none = {0}, one = {1}; SHOW(sched_getscheduler(0)); SHOW(sched_setscheduler(0, SCHED_BATCH, &none)); SHOW(sched_getscheduler(0)); SHOW(sched_setscheduler(0, SCHED_BATCH, &one)); SHOW(sched_setscheduler(0, SCHED_FIFO, &none)); SHOW(sched_setscheduler(0, 77, &none)); SHOW(sched_setscheduler(1 << 22, 0, &none)); SHOW(sched_setparam(0, &none)); SHOW(sched_setparam(0, &one)); SHOW(sched_getparam(0, &one)); SHOW(one.sched_priority); fflush(stdout); int status; if (!fork()) { SHOW(sched_getscheduler(0)); SHOW(sched_setscheduler(getppid(), SCHED_OTHER, &none)); _exit(0); } wait(&status); SHOW(sched_getscheduler(0));
    struct { unsigned size, policy; unsigned long flags; int nice; unsigned priority; unsigned long times[3]; unsigned more[2]; } row; memset(&row, 0xff, sizeof row); SHOW(syscall(SYS_sched_getattr, 0, &row, sizeof row, 0)); printf("%u %u %lu %d %u\n", row.size, row.policy, row.flags, row.nice, row.priority); SHOW(syscall(SYS_sched_getattr, 0, &row, 47, 0)); SHOW(syscall(SYS_sched_getattr, 0, &row, 48, 0)); SHOW(row.size); SHOW(syscall(SYS_sched_getattr, 0, &row, 48, 1)); SHOW(syscall(SYS_sched_getattr, 0, 0, 48, 0));
    memset(&row, 0, sizeof row); row.size = 48; row.policy = SCHED_BATCH; row.nice = 5; SHOW(syscall(SYS_sched_setattr, 0, &row, 0)); SHOW(sched_getscheduler(0)); errno = 0; SHOW(syscall(SYS_getpriority, 0, 0)); row.policy = 99; SHOW(syscall(SYS_sched_setattr, 0, &row, 0)); row.size = 20; SHOW(syscall(SYS_sched_setattr, 0, &row, 0)); SHOW(row.size); SHOW(syscall(SYS_sched_setattr, 0, 0, 0)); return 0;
}
static int settings(void) {
    int status; SHOW(personality(0xffffffff)); SHOW(personality(ADDR_NO_RANDOMIZE)); SHOW(personality(0xffffffff)); if (!fork()) { SHOW(personality(0xffffffff)); fflush(stdout); execl("/proc/self/exe", "peers", "again", NULL); } wait(&status); SHOW(personality(0)); SHOW(personality(0xffffffff));
    SHOW(prctl(PR_SET_DUMPABLE, 0)); SHOW(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)); SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0)); SHOW(prctl(PR_SET_TIMERSLACK, 77)); SHOW(prctl(PR_SET_PDEATHSIG, 9)); SHOW(prctl(PR_SET_KEEPCAPS, 1)); int *cell = 0; SHOW(prctl(PR_TASK_PERF_EVENTS_DISABLE)); fflush(stdout); if (!fork()) { int signal = 1; SHOW(prctl(PR_GET_DUMPABLE)); SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0)); SHOW(prctl(PR_GET_TIMERSLACK)); prctl(PR_GET_PDEATHSIG, &signal); SHOW(signal); SHOW(prctl(PR_GET_KEEPCAPS)); execl("/proc/self/exe", "peers", "again", NULL); } wait(&status);
    SHOW(syscall(SYS_setfsuid, -1)); SHOW(syscall(SYS_setfsgid, -1)); SHOW(syscall(SYS_syslog, 99, 0, 0)); SHOW(syscall(SYS_syslog, 3, 0, 0)); return 0;
}
static int again(void) { SHOW(personality(0xffffffff)); SHOW(prctl(PR_GET_DUMPABLE)); SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0)); SHOW(prctl(PR_GET_TIMERSLACK)); SHOW(prctl(PR_GET_KEEPCAPS)); fflush(stdout); return 0; }

#define CASE(name) {#name, name}
static const struct { const char *name; int (*body)(void); } CASES[] = {
    CASE(files), CASE(memory), CASE(policies), CASE(settings),
};
int main(int argc, char **argv) {
    for (unsigned which = 0; which < sizeof CASES / sizeof *CASES; which++)
        if (argc > 1 && !strcmp(argv[1], CASES[which].name)) return CASES[which].body();
    return argc > 1 && !strcmp(argv[1], "again") ? again() : 99;
}
