/* What is rarely asked, one line each; a group is run natively and here, and must print the same. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define BAD ((void *)0x500000000)
#define PAGE 4096

#define SHOW(call) do { errno = 0; long result_ = (long)(call); show(__LINE__, result_); } while (0)

static void show(int line, long result) {
    if (result == -1) printf("%d: %s\n", line, strerrorname_np(errno) ? strerrorname_np(errno) : "?");
    else printf("%d: %ld\n", line, result);
}

static char *pages(int count) {
    return mmap(0, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* The names that /proc/self/maps has for what begins at these pages. */
static void mapped_names(char *start, int count) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        int at = 0;
        sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &from, &to, &at);
        if (to > (unsigned long)start && from < (unsigned long)start + count * PAGE)
            printf("%ld..%ld %s", ((long)from - (long)start) / PAGE, ((long)to - (long)start) / PAGE, at ? line + at : "\n");
    }
    fclose(maps);
}

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

static void names(void) {
    char *four = pages(6) + PAGE, name[100];
    munmap(four - PAGE, PAGE);
    munmap(four + 4 * PAGE, PAGE);
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four + PAGE, PAGE, "a name"));
    mapped_names(four, 4);
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four, PAGE, "a name"));
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four + 2 * PAGE, 2 * PAGE, "other"));
    mapped_names(four, 4);
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four, 4 * PAGE, ""));
    mapped_names(four, 4);
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four, 4 * PAGE, NULL));
    mapped_names(four, 4);
    memset(name, 'x', sizeof name);
    name[80] = 0;
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four, PAGE, name));
    name[79] = 0;
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four, PAGE, name));
    for (const char *bad = "[]\\$`\t\x7f\x80 -"; *bad; bad++) {
        char one[2] = {*bad, 0};
        SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four, PAGE, one));
    }
    SHOW(prctl(PR_SET_VMA, 1, four, PAGE, "x"));
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four + 1, PAGE, "x"));
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four, 1, "x"));
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four, 0, "x"));
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four, -1L, "x"));
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four, PAGE, BAD));
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, four - PAGE, 2 * PAGE, "over a gap"));
    mapped_names(four, 4);
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    SHOW(ftruncate(fd, PAGE));
    char *file = mmap(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, file, PAGE, "of a file"));
    char *shared = mmap(0, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    SHOW(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, shared, PAGE, "shared"));
    mapped_names(shared, 1);
    if (fork() == 0) {
        mapped_names(four, 4);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    char *moved = mremap(four, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
    mapped_names(moved, 2);
}

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

static void seals(void) {
    char *room = pages(6), *four = room + PAGE;
    munmap(room, PAGE);
    munmap(four + 4 * PAGE, PAGE);
    SHOW(syscall(SYS_mseal, four, PAGE, 1));
    SHOW(syscall(SYS_mseal, four + 1, PAGE, 0));
    SHOW(syscall(SYS_mseal, four, -1L, 0));
    SHOW(syscall(SYS_mseal, four, 0, 0));
    SHOW(syscall(SYS_mseal, four - PAGE, 2 * PAGE, 0));
    SHOW(syscall(SYS_mseal, four + 3 * PAGE, 2 * PAGE, 0));
    SHOW(syscall(SYS_mseal, four + PAGE, 2 * PAGE, 0));
    SHOW(syscall(SYS_mseal, four + PAGE, 2 * PAGE, 0));
    SHOW(mprotect(four, PAGE, PROT_READ));
    SHOW(mprotect(four, 2 * PAGE, PROT_NONE));
    SHOW(mprotect(four + PAGE, PAGE, PROT_READ));
    SHOW(munmap(four, 2 * PAGE));
    SHOW(munmap(four + PAGE, PAGE));
    SHOW(mmap(four + PAGE, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mremap(four + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    SHOW(mremap(four + PAGE, 2 * PAGE, PAGE, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mremap(four + 3 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, four + PAGE) == MAP_FAILED ? -1 : 0);
    strcpy(four + PAGE, "kept");
    SHOW(madvise(four + PAGE, PAGE, MADV_DONTNEED));
    printf("%s.\n", four + PAGE);
    SHOW(madvise(four + PAGE, PAGE, MADV_WILLNEED));
    SHOW(madvise(four + PAGE, PAGE, MADV_FREE));
    char *readable = pages(1);
    mprotect(readable, PAGE, PROT_READ);
    SHOW(syscall(SYS_mseal, readable, PAGE, 0));
    SHOW(madvise(readable, PAGE, MADV_DONTNEED));
    SHOW(madvise(readable, PAGE, MADV_DONTFORK));
    SHOW(madvise(readable, PAGE, MADV_WIPEONFORK));
    SHOW(mlock(four + PAGE, PAGE));
    SHOW(munmap(four, PAGE));
    SHOW(munmap(four + 3 * PAGE, PAGE));
    if (fork() == 0) {
        SHOW(munmap(four + PAGE, PAGE));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

static void remapped(void) {
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    for (int page = 0; page < 4; page++) pwrite(fd, &"abcd"[page], 1, page * PAGE);
    ftruncate(fd, 4 * PAGE);
    char *map = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    SHOW(remap_file_pages(map, PAGE, 0, 3, 0));
    printf("%c%c%c%c\n", map[0], map[PAGE], map[2 * PAGE], map[3 * PAGE]);
    SHOW(remap_file_pages(map + PAGE, 2 * PAGE, 0, 2, 0));
    printf("%c%c%c%c\n", map[0], map[PAGE], map[2 * PAGE], map[3 * PAGE]);
    SHOW(remap_file_pages(map, PAGE, 1, 3, 0));
    SHOW(remap_file_pages(map, 0, 0, 3, 0));
    SHOW(remap_file_pages(map + 1, PAGE, 0, 1, 0));
    printf("%c%c%c%c\n", map[0], map[PAGE], map[2 * PAGE], map[3 * PAGE]);
    SHOW(remap_file_pages(BAD, PAGE, 0, 1, 0));
    SHOW(remap_file_pages(pages(1), PAGE, 0, 1, 0));
    SHOW(remap_file_pages(map, 16 * PAGE, 0, 0, 0));
    map[0] = 'z';
    char one = 0;
    pread(fd, &one, 1, 0);
    printf("%c\n", one);
}

static void advised(void) {
    char *two = pages(2);
    strcpy(two, "x");
    struct iovec rows[2] = {{two, PAGE}, {two + PAGE, PAGE}};
    int self = syscall(SYS_pidfd_open, getpid(), 0);
    SHOW(syscall(SYS_process_madvise, self, rows, 2, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, self, rows, 2, MADV_PAGEOUT, 0));
    SHOW(syscall(SYS_process_madvise, self, rows, 2, MADV_WILLNEED, 0));
    SHOW(syscall(SYS_process_madvise, self, rows, 2, MADV_DONTNEED, 0));
    printf("%s.\n", two);
    SHOW(syscall(SYS_process_madvise, self, rows, 2, MADV_COLD, 1));
    SHOW(syscall(SYS_process_madvise, 99, rows, 2, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, 0, rows, 2, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, self, rows, 1025, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, self, rows, 0, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, self, BAD, 1, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, self, rows, 2, 77, 0));
    rows[1].iov_base = BAD;
    SHOW(syscall(SYS_process_madvise, self, rows, 2, MADV_COLD, 0));
    rows[0].iov_base = BAD;
    SHOW(syscall(SYS_process_madvise, self, rows, 1, MADV_COLD, 0));
    rows[0].iov_base = two + 1;
    SHOW(syscall(SYS_process_madvise, self, rows, 1, MADV_COLD, 0));
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    int other = syscall(SYS_pidfd_open, child, 0);
    rows[0] = (struct iovec){two, PAGE};
    SHOW(syscall(SYS_process_madvise, other, rows, 1, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, other, rows, 1, MADV_DONTNEED, 0));
    kill(child, SIGKILL);
    wait(NULL);
    SHOW(syscall(SYS_process_madvise, other, rows, 1, MADV_COLD, 0));
}

struct area { unsigned words[8]; } __attribute__((aligned(32)));

extern ptrdiff_t __rseq_offset;

static void sequences(void) {
    static struct area own, second;
    void *theirs = (char *)__builtin_thread_pointer() + __rseq_offset;
    SHOW(syscall(SYS_rseq, &own, 32, 0, 0x53053053));
    SHOW(syscall(SYS_rseq, theirs, 32, 0, 0x53053053));
    SHOW(syscall(SYS_rseq, theirs, 32, 0, 0x1234));
    SHOW(syscall(SYS_rseq, theirs, 64, 0, 0x53053053));
    SHOW(syscall(SYS_rseq, &own, 32, 1, 0x53053053));
    SHOW(syscall(SYS_rseq, theirs, 32, 1, 0x1234));
    SHOW(syscall(SYS_rseq, theirs, 64, 1, 0x53053053));
    SHOW(syscall(SYS_rseq, theirs, 32, 2, 0x53053053));
    SHOW(syscall(SYS_rseq, theirs, 32, 1, 0x53053053));
    SHOW(syscall(SYS_rseq, theirs, 32, 1, 0x53053053));
    SHOW(syscall(SYS_rseq, (char *)&own + 4, 32, 0, 7));
    SHOW(syscall(SYS_rseq, &own, 16, 0, 7));
    SHOW(syscall(SYS_rseq, BAD, 32, 0, 7));
    SHOW(syscall(SYS_rseq, &own, 32, 0, 7));
    SHOW(syscall(SYS_rseq, &own, 32, 0, 7));
    SHOW(syscall(SYS_rseq, &second, 32, 0, 7));
    if (fork() == 0) {
        SHOW(syscall(SYS_rseq, &own, 32, 0, 7));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

static void clocks(void) {
    struct timespec time = {1, 0}, wrong = {1, 2000000000};
    int ids[] = {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 99, -1, -2};
    for (unsigned each = 0; each < sizeof ids / sizeof *ids; each++) SHOW(syscall(SYS_clock_settime, ids[each], &time));
    SHOW(syscall(SYS_clock_settime, 0, &wrong));
    SHOW(syscall(SYS_clock_settime, 0, BAD));
    SHOW(syscall(SYS_clock_settime, 1, BAD));
    if (geteuid()) SHOW(syscall(SYS_clock_settime, 0, &time));
}

static volatile int overruns = -1, seen;
static timer_t timer;

static void expired(int signal, siginfo_t *info, void *context) {
    overruns = timer_getoverrun(timer);
    seen = info->si_overrun;
}

static void overrun(void) {
    struct sigaction action = {.sa_sigaction = expired, .sa_flags = SA_SIGINFO};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec often = {{0, 1000000}, {0, 1000000}}, never = {0};
    sigset_t set;
    sigaction(SIGUSR1, &action, NULL);
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    SHOW(timer_getoverrun(timer));
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    timer_settime(timer, 0, &often, NULL);
    struct timespec wait = {0, 20500000};
    nanosleep(&wait, NULL);
    SHOW(timer_getoverrun(timer));
    timer_settime(timer, 0, &never, NULL);
    SHOW(timer_getoverrun(timer));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    printf("%d %d\n", overruns > 5, seen == overruns);
    SHOW(timer_getoverrun(timer) == overruns);
    SHOW(timer_delete(timer));
    SHOW(timer_getoverrun(timer));
}

static void handler(int signal) {}

static void interrupted(void) {
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval soon = {{0, 0}, {0, 10000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    SHOW(pause());
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    SHOW(pause());
    sigset_t none;
    sigemptyset(&none);
    setitimer(ITIMER_REAL, &soon, NULL);
    SHOW(sigsuspend(&none));
}

static void busy(const char *self) {
    char copy[] = "copy";
    int from = open(self, O_RDONLY), to = open(copy, O_WRONLY | O_CREAT | O_TRUNC, 0700);
    char buffer[65536];
    for (long size; (size = read(from, buffer, sizeof buffer)) > 0;) write(to, buffer, size);
    char *arguments[] = {copy, "nothing", NULL}, *environment[] = {NULL};
    SHOW(execve(copy, arguments, environment));
    close(to);
    to = open(copy, O_RDWR);
    SHOW(execve(copy, arguments, environment));
    close(to);
    to = open(copy, O_RDONLY);
    pid_t child = fork();
    if (!child) _exit(execve(copy, arguments, environment));
    int status;
    waitpid(child, &status, 0);
    printf("%d\n", WEXITSTATUS(status));
    int script = open("script", O_WRONLY | O_CREAT | O_TRUNC, 0700);
    write(script, "#!./copy nothing\n", 17);
    arguments[0] = "script";
    SHOW(execve("script", arguments, environment));
    close(script);
    int writer = open(copy, O_WRONLY);
    SHOW(execve("script", arguments, environment));
    close(writer);
    /* A program that runs cannot be written. */
    SHOW(open("/proc/self/exe", O_WRONLY));
    arguments[0] = copy;
    arguments[1] = "writes";
    child = fork();
    if (!child) _exit(execve(copy, arguments, environment));
    waitpid(child, &status, 0);
    printf("%d\n", WEXITSTATUS(status));
    SHOW(open(copy, O_WRONLY));
}

static void writes(void) {
    SHOW(open("copy", O_WRONLY));
    SHOW(open("copy", O_RDWR | O_TRUNC));
    SHOW(truncate("copy", 3));
    SHOW(open("copy", O_RDONLY) > 0);
    SHOW(unlink("copy"));
    int fd = open("copy", O_RDWR | O_CREAT, 0600);
    SHOW(fd > 0);
}

static volatile int told;
static pthread_t teller;

static void by_thread(union sigval value) {
    told = value.sival_int + !pthread_equal(teller, pthread_self());
}

static void by_signal(int signal, siginfo_t *info, void *context) {
    told = info->si_value.sival_int + (info->si_code == SI_MESGQ) * 100 + (info->si_pid == getpid()) * 1000;
}

static void wait_told(void) {
    struct timespec little = {0, 1000000};
    for (int each = 0; each < 2000 && !told; each++) nanosleep(&little, NULL);
    printf("told %d\n", told);
    told = 0;
}

static void notified(void) {
    char name[64], buffer[16];
    snprintf(name, sizeof name, "/leftovers-%d", getpid());
    struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 16};
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attributes);
    struct sigaction action = {.sa_sigaction = by_signal, .sa_flags = SA_SIGINFO};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 7};
    teller = pthread_self();
    sigaction(SIGUSR1, &action, NULL);
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, &event));
    SHOW(mq_send(queue, "a", 1, 0));
    wait_told();
    SHOW(mq_notify(queue, &event));
    SHOW(mq_send(queue, "b", 1, 0));
    printf("told %d\n", told);
    SHOW(mq_receive(queue, buffer, 16, NULL));
    SHOW(mq_receive(queue, buffer, 16, NULL));
    SHOW(mq_notify(queue, NULL));
    struct sigevent thread = {.sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 40,
                              .sigev_notify_function = by_thread};
    SHOW(mq_notify(queue, &thread));
    SHOW(mq_notify(queue, &thread));
    SHOW(mq_notify(queue, &event));
    SHOW(mq_send(queue, "c", 1, 0));
    wait_told();
    SHOW(mq_receive(queue, buffer, 16, NULL));
    SHOW(mq_notify(queue, &thread));
    SHOW(mq_notify(queue, NULL));
    SHOW(mq_send(queue, "d", 1, 0));
    struct timespec little = {0, 50000000};
    nanosleep(&little, NULL);
    printf("told %d\n", told);
    SHOW(mq_receive(queue, buffer, 16, NULL));
    SHOW(mq_notify(queue, &thread));
    SHOW(mq_close(queue));
    struct sigevent wrong = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
    SHOW(syscall(SYS_mq_notify, 99, &wrong));
    SHOW(syscall(SYS_mq_notify, 99, &event));
    SHOW(syscall(SYS_mq_notify, 99, BAD));
    wrong.sigev_notify = 5;
    SHOW(syscall(SYS_mq_notify, 99, &wrong));
    wrong.sigev_notify = SIGEV_THREAD;
    wrong.sigev_signo = 0;
    wrong.sigev_value.sival_ptr = buffer;
    SHOW(syscall(SYS_mq_notify, 99, &wrong));
    wrong.sigev_value.sival_ptr = BAD;
    SHOW(syscall(SYS_mq_notify, 99, &wrong));
    mq_unlink(name);
}

static void others(void) {
    pid_t child = fork();
    if (!child) {
        pause();
        _exit(0);
    }
    struct rlimit limit = {7, 8};
    cpu_set_t set;
    SHOW(setpriority(PRIO_PROCESS, child, 5));
    SHOW(getpriority(PRIO_PROCESS, child));
    SHOW(setpriority(PRIO_PROCESS, child, 4));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(getpriority(PRIO_PGRP, 0));
    SHOW(getpriority(PRIO_PROCESS, 999999));
    SHOW(prlimit(child, RLIMIT_RSS, &limit, NULL));
    limit.rlim_cur = limit.rlim_max = 1;
    SHOW(prlimit(child, RLIMIT_RSS, NULL, &limit));
    printf("%d %d\n", (int)limit.rlim_cur, (int)limit.rlim_max);
    SHOW(prlimit(999999, RLIMIT_NOFILE, NULL, &limit));
    SHOW(sched_getaffinity(child, sizeof set, &set));
    SHOW(CPU_ISSET(0, &set));
    SHOW(sched_getaffinity(999999, sizeof set, &set));
    SHOW(syscall(SYS_ioprio_set, 1, child, 2 << 13 | 6));
    SHOW(syscall(SYS_ioprio_get, 1, child));
    SHOW(syscall(SYS_ioprio_get, 1, 999999));
    kill(child, SIGKILL);
    wait(NULL);
    SHOW(unshare(0));
    SHOW(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM));
    SHOW(unshare(CLONE_THREAD));
    SHOW(unshare(CLONE_VFORK));
    if (geteuid()) SHOW(unshare(CLONE_NEWNET));
}

static void barriers(void) {
    for (int each = 0; each < 12; each++) SHOW(syscall(SYS_membarrier, each ? 1 << each : 8, 0, 0));
    SHOW(syscall(SYS_membarrier, 128, 1, 0));
    SHOW(syscall(SYS_membarrier, 128, 2, 0));
    SHOW(syscall(SYS_membarrier, 8, 1, 0));
    SHOW(syscall(SYS_membarrier, 512, 0, 0));
}

static void nothing(void) {}

static struct { const char *name; void (*run)(void); } groups[] = {
    {"names", names}, {"seals", seals}, {"remapped", remapped}, {"advised", advised}, {"sequences", sequences},
    {"clocks", clocks}, {"overrun", overrun}, {"interrupted", interrupted}, {"notified", notified},
    {"others", others}, {"barriers", barriers}, {"nothing", nothing}, {"writes", writes},
};

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 1 << 12);
    if (argc > 1 && !strcmp(argv[1], "busy")) busy(argv[0]);
    for (unsigned each = 0; each < sizeof groups / sizeof *groups; each++)
        if (argc > 1 && !strcmp(argv[1], groups[each].name)) groups[each].run();
    fflush(stdout);
    return argc > 1 ? 0 : 1;
}
