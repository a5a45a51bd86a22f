#define _GNU_SOURCE
#include <signal.h>
#include <sched.h>
#include <stdint.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
static void handler(int n) {}
static void soon(void) { struct itimerval t = {{0, 0}, {0, 300000}}; setitimer(ITIMER_REAL, &t, 0); }
int main(void) {
    struct { uint32_t version; int pid; } head = {0x20080522, 0};
    uint32_t data[6] = {0};
    syscall(SYS_capget, &head, 0);
    syscall(SYS_capget, &head, data);
    data[0] = 0; data[1] = 0;
    syscall(SYS_capset, &head, data);
    data[0] = 1 << 21 | 1; data[3] = 1 << 6;
    syscall(SYS_capset, &head, data);
    head.version = 0x19980330;
    syscall(SYS_capget, &head, data);
    head.version = 7;
    syscall(SYS_capget, &head, data);
    syscall(SYS_capget, 0, 0);
    prctl(PR_CAPBSET_READ, 21, 0, 0, 0);
    prctl(PR_CAPBSET_READ, 63, 0, 0, 0);
    prctl(PR_CAPBSET_DROP, 12, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 12, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_GET_DUMPABLE);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 2, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 9, 0, 0, 0);
    prctl(PR_GET_DUMPABLE);
    prctl(PR_GET_SECUREBITS);
    prctl(PR_SET_SECUREBITS, 3);
    prctl(PR_GET_SECCOMP);
    prctl(PR_GET_TIMING);
    prctl(PR_SET_TIMING, 0);
    prctl(PR_GET_TSC, data);
    prctl(PR_MCE_KILL_GET, 0,0,0,0);
    prctl(PR_SET_KEEPCAPS, 1);
    prctl(PR_GET_KEEPCAPS);
    prctl(0x53564d41, 0, data, 4096, "name");
    prctl(PR_GET_TID_ADDRESS, data);
    for (int each = 0; each < 12; each++) syscall(SYS_membarrier, each < 11 ? (1 << each) >> 1 : 4096, 0, 0);
    syscall(SYS_membarrier, 0, 1, 0);
    syscall(SYS_membarrier, 128, 1, 0);
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, 0);
    soon(); pause();
    soon(); struct timespec t = {1, 0}; nanosleep(&t, 0);
    soon(); clock_nanosleep(CLOCK_REALTIME, 0, &t, &t);
    t = (struct timespec){1LL << 32, 0};
    soon(); clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, 0);
    soon(); poll(0, 0, 1000);
    soon(); select(0, 0, 0, 0, 0);
    sigset_t none; sigemptyset(&none);
    soon(); sigsuspend(&none);
    soon(); ppoll(0, 0, 0, &none);
    int fds[2]; char one; pipe(fds);
    soon(); read(fds[0], &one, 1);
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, 0);
    soon(); pause();
    soon(); poll(0, 0, 1000);
    return 0;
}
