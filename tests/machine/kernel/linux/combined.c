/* Programs that combine what processes have: each case prints the same natively and here. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void ended(pid_t child) {
    int status;
    if (waitpid(child, &status, 0) != child) printf("no child\n");
    else if (WIFEXITED(status)) printf("exit %d\n", WEXITSTATUS(status));
    else printf("signal %d\n", WTERMSIG(status));
}

/* Three stages of a pipeline, the last one in threads that share a sum. */
static int stage_ends[2];
static atomic_long sum;
static void *add_up(void *unused) {
    unsigned char byte;
    while (read(stage_ends[0], &byte, 1) == 1) sum += byte;
    return 0;
}
static void pipeline(void) {
    int first[2];
    pipe(first);
    pipe(stage_ends);
    pid_t maker = fork();
    if (!maker) {
        close(first[0]);
        for (int i = 0; i < 200; i++) dprintf(first[1], "%c", i);
        _exit(1);
    }
    pid_t doubler = fork();
    if (!doubler) {
        unsigned char byte;
        close(first[1]);
        close(stage_ends[0]);
        while (read(first[0], &byte, 1) == 1) { byte *= 2; write(stage_ends[1], &byte, 1); }
        _exit(2);
    }
    close(first[0]); close(first[1]); close(stage_ends[1]);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) pthread_create(threads + i, 0, add_up, 0);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
    printf("%ld\n", (long)sum);
    ended(maker);
    ended(doubler);
}

/* A shared mutex and condition between processes and their threads. */
struct shared { pthread_mutex_t lock; pthread_cond_t change; int turn, rows[40], count; };
static struct shared *common;
static void *takes_turns(void *argument) {
    int own = (intptr_t)argument;
    for (int round = 0; round < 5; round++) {
        pthread_mutex_lock(&common->lock);
        while (common->turn % 4 != own) pthread_cond_wait(&common->change, &common->lock);
        common->rows[common->count++] = own;
        common->turn++;
        pthread_cond_broadcast(&common->change);
        pthread_mutex_unlock(&common->lock);
    }
    return 0;
}
static void turns(void) {
    common = mmap(0, sizeof *common, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t mutex;
    pthread_condattr_t condition;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&common->lock, &mutex);
    pthread_cond_init(&common->change, &condition);
    pid_t child = fork();
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(threads + i, 0, takes_turns, (void *)(intptr_t)(child ? i : i + 2));
    for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
    if (!child) _exit(5);
    ended(child);
    for (int i = 0; i < common->count; i++) printf("%d", common->rows[i]);
    puts("");
}

/* A server with epoll, a signalfd and a timerfd; clients are processes. */
static void server(void) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poller = epoll_create1(0), served = 0, gone = 0;
    bind(listener, (void *)&name, size);
    getsockname(listener, (void *)&name, &size);
    listen(listener, 5);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, 0);
    int signals = signalfd(-1, &mask, SFD_NONBLOCK), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec once = {.it_value = {5, 0}};
    timerfd_settime(timer, 0, &once, 0);
    int fds[] = {listener, signals, timer};
    for (int i = 0; i < 3; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
        epoll_ctl(poller, EPOLL_CTL_ADD, fds[i], &event);
    }
    for (int i = 0; i < 3; i++)
        if (!fork()) {
            char text[32] = "";
            int fd = socket(AF_INET, SOCK_STREAM, 0);
            if (connect(fd, (void *)&name, size)) _exit(99);
            int length = sprintf(text, "client %d", i);
            write(fd, text, length);
            shutdown(fd, SHUT_WR);
            length = read(fd, text, 32);
            _exit(length == 8 && text[0] == 'C' ? i : 98);
        }
    int codes = 0;
    while (served < 3 || gone < 3) {
        struct epoll_event event;
        if (epoll_wait(poller, &event, 1, -1) != 1) break;
        int fd = event.data.fd;
        if (fd == timer) { puts("too late"); break; }
        if (fd == listener) {
            int peer = accept4(listener, 0, 0, 0);
            event.events = EPOLLIN;
            event.data.fd = peer;
            epoll_ctl(poller, EPOLL_CTL_ADD, peer, &event);
        } else if (fd == signals) {
            struct signalfd_siginfo info;
            read(fd, &info, sizeof info);
            int status;
            while (waitpid(-1, &status, WNOHANG) > 0) { codes += WEXITSTATUS(status); gone++; }
        } else {
            char text[32];
            int length = read(fd, text, 32);
            if (length > 0) { for (int i = 0; i < length; i++) text[i] -= text[i] >= 'a' ? 32 : 0; write(fd, text, length); }
            else { close(fd); served++; }
        }
    }
    printf("%d %d %d\n", served, gone, codes);
}

/* An interval timer interrupts a wait; a handler writes to a pipe that a thread reads. */
static int handler_ends[2];
static void on_alarm(int signal) { write(handler_ends[1], "x", 1); }
static void *counts(void *ticks) {
    char byte;
    for (int i = 0; i < 4; i++) *(int *)ticks += read(handler_ends[0], &byte, 1);
    return 0;
}
static void alarms(void) {
    int ticks = 0;
    pthread_t thread;
    sigset_t mask;
    pipe(handler_ends);
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, 0);
    sigemptyset(&mask);
    sigaddset(&mask, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &mask, 0);
    pthread_create(&thread, 0, counts, &ticks);
    pthread_sigmask(SIG_UNBLOCK, &mask, 0);
    struct itimerval every = {{0, 20000}, {0, 20000}};
    setitimer(ITIMER_REAL, &every, 0);
    int interrupted = 0;
    while (interrupted < 4) { struct timespec long_time = {10, 0}; interrupted += nanosleep(&long_time, 0) == -1 && errno == EINTR; }
    memset(&every, 0, sizeof every);
    setitimer(ITIMER_REAL, &every, 0);
    pthread_join(thread, 0);
    printf("%d %d\n", ticks, interrupted);
}

/* Descriptors and credentials over a socket pair; the receiver maps the file that came. */
static void passed(void) {
    int ends[2];
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends);
    pid_t child = fork();
    if (!child) {
        int fd = memfd_create("there", 0);
        ftruncate(fd, 4096);
        char *page = mmap(0, 4096, 3, MAP_SHARED, fd, 0), room[CMSG_SPACE(sizeof fd)] = "";
        strcpy(page, "from the child");
        struct iovec row = {"fd", 2};
        struct msghdr message = {.msg_iov = &row, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET; header->cmsg_type = SCM_RIGHTS; header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
        sendmsg(ends[1], &message, 0);
        char answer[8];
        read(ends[1], answer, 8);
        _exit(!strcmp(page, "answered") ? 3 : 4);
    }
    char text[8] = "", room[CMSG_SPACE(sizeof(int))];
    struct iovec row = {text, 8};
    struct msghdr message = {.msg_iov = &row, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    printf("%zd\n", recvmsg(ends[0], &message, 0));
    int fd;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    char *page = mmap(0, 4096, 3, MAP_SHARED, fd, 0);
    puts(page);
    strcpy(page, "answered");
    write(ends[0], "go", 2);
    ended(child);
}

/* A process is stopped, goes on and is killed while its threads work; the parent sees each. */
static void *spins(void *unused) { for (;;) usleep(1000); }
static void controlled(void) {
    int ends[2], status;
    pipe(ends);
    pid_t child = fork();
    if (!child) {
        pthread_t thread;
        pthread_create(&thread, 0, spins, 0);
        write(ends[1], "r", 1);
        spins(0);
    }
    char byte;
    read(ends[0], &byte, 1);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    printf("%d %d\n", WIFSTOPPED(status), WSTOPSIG(status));
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    printf("%d\n", WIFCONTINUED(status));
    kill(child, SIGTERM);
    ended(child);
    struct rusage usage;
    printf("%d %d\n", getrusage(RUSAGE_CHILDREN, &usage), waitpid(-1, &status, 0));
}

/* A fault in a thread is handled: the page is made accessible, and the store is made again. */
static char *guarded;
static volatile int faults;
static void on_fault(int signal, siginfo_t *info, void *context) {
    faults++;
    mprotect((void *)((uintptr_t)info->si_addr & -4096), 4096, PROT_READ | PROT_WRITE);
}
static void *touches(void *argument) {
    for (int page = (intptr_t)argument; page < 8; page += 2) guarded[page * 4096] = page + 1;
    return 0;
}
static void guarded_pages(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, 0);
    guarded = mmap(0, 8 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (intptr_t i = 0; i < 2; i++) { pthread_t thread; pthread_create(&thread, 0, touches, (void *)i); pthread_join(thread, 0); }
    pid_t child = fork();
    int total = 0;
    for (int page = 0; page < 8; page++) total += guarded[page * 4096];
    if (!child) { guarded[0] = 100; _exit(total); }
    ended(child);
    printf("%d %d %d\n", faults, total, guarded[0]);
}

/* Threads wait at an eventfd, semaphores and a barrier; one forks, and the child has that thread only. */
static sem_t ready;
static pthread_barrier_t meeting;
static int event;
static void *meets(void *argument) {
    uint64_t one = 1;
    sem_post(&ready);
    int serial = pthread_barrier_wait(&meeting) == PTHREAD_BARRIER_SERIAL_THREAD;
    write(event, &one, 8);
    if (argument) {
        pid_t child = fork();
        if (!child) _exit(getpid() == (pid_t)syscall(SYS_gettid) ? 7 : 8);
        ended(child);
    }
    return (void *)(intptr_t)serial;
}
static void meetings(void) {
    pthread_t threads[4];
    sem_init(&ready, 0, 0);
    pthread_barrier_init(&meeting, 0, 4);
    event = eventfd(0, 0);
    long serials = 0;
    for (intptr_t i = 0; i < 4; i++) pthread_create(threads + i, 0, meets, (void *)(intptr_t)(i == 2));
    for (int i = 0; i < 4; i++) sem_wait(&ready);
    for (int i = 0; i < 4; i++) { void *result; pthread_join(threads[i], &result); serials += (intptr_t)result; }
    uint64_t count;
    read(event, &count, 8);
    printf("%ld %lu\n", serials, count);
}

/* Queued real-time signals with values, from a child, taken in order by sigtimedwait; then a timeout. */
static void queued(void) {
    sigset_t mask;
    sigemptyset(&mask);
    for (int i = 0; i < 3; i++) sigaddset(&mask, SIGRTMIN + i);
    sigprocmask(SIG_BLOCK, &mask, 0);
    pid_t child = fork(), parent = getppid();
    if (!child) {
        parent = getppid();
        for (int i = 5; i >= 0; i--) sigqueue(parent, SIGRTMIN + i % 3, (union sigval){.sival_int = i});
        _exit(0);
    }
    ended(child);
    siginfo_t info;
    struct timespec soon = {0, 10000000};
    while (sigtimedwait(&mask, &info, &soon) > 0)
        printf("%d %d %d\n", info.si_signo - SIGRTMIN, info.si_value.sival_int, info.si_pid == child);
    printf("%d\n", errno == EAGAIN);
    timer_t timer;
    struct sigevent how = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 42};
    struct itimerspec when = {{0, 0}, {0, 1000000}};
    timer_create(CLOCK_MONOTONIC, &how, &timer);
    timer_settime(timer, 0, &when, 0);
    sigwaitinfo(&mask, &info);
    printf("%d %d\n", info.si_value.sival_int, info.si_code == SI_TIMER);
}

/* The thread that made a process ends: the process is told, though the parent lives. */
static int told[2];
static void *makes(void *unused) {
    pid_t child = fork();
    if (!child) {
        sigset_t mask;
        int signal;
        sigemptyset(&mask);
        sigaddset(&mask, SIGUSR1);
        sigprocmask(SIG_BLOCK, &mask, 0);
        prctl(PR_SET_PDEATHSIG, SIGUSR1);
        write(told[1], "r", 1);
        sigwait(&mask, &signal);
        _exit(signal);
    }
    char byte;
    read(told[0], &byte, 1);
    return (void *)(intptr_t)child;
}
static void death(void) {
    pthread_t thread;
    void *child;
    pipe(told);
    pthread_create(&thread, 0, makes, 0);
    pthread_join(thread, &child);
    ended((intptr_t)child);
}

/* Threads with descriptors of their own, which end with them. */
static int shared_end, far_end;
static pthread_barrier_t both;
static void *unshares(void *unused) {
    printf("%d\n", unshare(CLONE_FILES));
    close(shared_end);
    int own = dup(1);
    printf("%d\n", own);
    pthread_barrier_wait(&both);
    pthread_barrier_wait(&both);
    printf("thread %d\n", fcntl(far_end, F_GETFD));
    return 0;
}
static int alone(void *unused) {
    int own = syscall(SYS_dup, 1);
    syscall(SYS_chdir, "/");
    syscall(SYS_close, far_end);
    return own < 0;
}
static void apart(void) {
    int ends[2];
    pthread_t thread;
    pipe(ends);
    shared_end = ends[0], far_end = ends[1];
    pthread_barrier_init(&both, 0, 2);
    pthread_create(&thread, 0, unshares, 0);
    pthread_barrier_wait(&both);
    printf("main %d %d\n", fcntl(shared_end, F_GETFD), fcntl(shared_end + 2, F_GETFD));
    close(far_end);
    struct pollfd row = {shared_end, POLLIN, 0};
    printf("open %d\n", poll(&row, 1, 0));
    pthread_barrier_wait(&both);
    pthread_join(thread, 0);
    poll(&row, 1, 1000);
    printf("closed %x\n", row.revents);
    pipe(ends);
    far_end = ends[1];
    static char stack[65536];
    static volatile pid_t tid;
    char before[256], after[256];
    getcwd(before, 256);
    clone(alone, stack + sizeof stack, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
          0, &tid, 0, &tid);
    while (tid) usleep(1000);
    getcwd(after, 256);
    printf("%d %d %d\n", fcntl(ends[0], F_GETFD), fcntl(ends[1], F_GETFD), !strcmp(before, after));
}

#define CASE(name) {#name, name}
static const struct { const char *name; void (*run)(void); } CASES[] = {
    CASE(pipeline), CASE(turns), CASE(server), CASE(alarms), CASE(passed), CASE(controlled), CASE(guarded_pages),
    CASE(meetings), CASE(queued), CASE(death), CASE(apart),
};

int main(int argc, char **argv) {
    setvbuf(stdout, 0, _IONBF, 0);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (argc > 1 && !strcmp(argv[1], CASES[i].name)) CASES[i].run();
    return 0;
}
