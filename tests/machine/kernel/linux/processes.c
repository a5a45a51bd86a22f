/* Processes, signals between them and timers: what each case prints is the same natively and here. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t came, last_code, last_status, own_child;
static char *self;

static void note(int number) { came = number; }
static void count(int number) { (void)number; came++; }
static void told(int number, siginfo_t *info, void *context) {
    (void)context;
    came = number;
    last_code = info->si_code;
    last_status = info->si_status;
    own_child = info->si_pid;
}
static void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(number, &action, NULL);
}
static void inform(int number, int flags) {
    struct sigaction action = {.sa_sigaction = told, .sa_flags = SA_SIGINFO | flags};
    sigaction(number, &action, NULL);
}
static void say(int status) {
    if (WIFEXITED(status)) printf("exited %d\n", WEXITSTATUS(status));
    else if (WIFSIGNALED(status)) printf("killed %d\n", WTERMSIG(status));
    else if (WIFSTOPPED(status)) printf("stopped %d\n", WSTOPSIG(status));
    else if (WIFCONTINUED(status)) printf("continued\n");
    fflush(stdout);
}

static int statuses(void) {
    int status, variable = 1;
    for (int which = 0; which < 5; which++) {
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            variable = 2;
            if (which == 0) exit(7);
            if (which == 1) raise(SIGKILL);
            if (which == 2) *(volatile int *)0 = 0;
            if (which == 3) abort();
            _exit(getppid() == 1 ? 1 : 300 + variable);
        }
        printf("%d ", waitpid(child, &status, 0) == child);
        say(status);
    }
    printf("%d %d %s\n", variable, wait(&status), strerror(errno));
    return variable;
}

static int many(void) {
    int total = 0, status;
    for (int index = 0; index < 12; index++) if (!fork()) _exit(index);
    for (int index = 0; index < 12; index++) { wait(&status); total += WEXITSTATUS(status); }
    printf("%d\n", total);
    return 0;
}

static int pipes(void) {
    int down[2], up[2];
    char text[64] = {0};
    pipe(down); pipe(up);
    if (!fork()) {
        close(down[1]); close(up[0]);
        long sum = 0, got;
        char *data = malloc(70000);
        while ((got = read(down[0], data, 70000)) > 0) for (long i = 0; i < got; i++) sum += (unsigned char)data[i];
        dprintf(up[1], "%ld", sum);
        _exit(0);
    }
    close(down[0]); close(up[1]);
    char *data = malloc(200000);
    memset(data, 3, 200000);
    printf("%zd\n", write(down[1], data, 200000));
    close(down[1]);
    read(up[0], text, 63);
    printf("%s %zd\n", text, read(up[0], text, 1));
    wait(NULL);
    signal(SIGPIPE, SIG_IGN);
    close(up[0]);
    int broken[2];
    pipe(broken);
    if (!fork()) { close(broken[1]); _exit(0); }
    close(broken[0]);
    wait(NULL);
    printf("%zd %s\n", write(broken[1], "x", 1), strerror(errno));
    return 0;
}

static int child_signals(void) {
    int status;
    inform(SIGCHLD, SA_RESTART);
    pid_t child = fork();
    if (!child) _exit(9);
    printf("%d\n", waitpid(child, &status, 0) == child);
    printf("%d %d %d %d\n", came == SIGCHLD, last_code == CLD_EXITED, last_status, own_child == child);
    if (!(child = fork())) raise(SIGTERM);
    waitpid(child, &status, 0);
    printf("%d %d\n", last_code == CLD_KILLED, last_status);
    came = 0;
    signal(SIGCHLD, SIG_IGN);
    if (!fork()) _exit(1);
    printf("%d %s\n", wait(&status), strerror(errno));
    handle(SIGCHLD, note, SA_NOCLDWAIT);
    if (!fork()) _exit(1);
    int got = wait(&status);
    printf("%d\n", got);
    return 0;
}

static int stopping(void) {
    int status;
    pid_t child = fork();
    if (!child) { raise(SIGSTOP); usleep(100000); _exit(5); }
    waitpid(child, &status, WUNTRACED);
    say(status);
    printf("%d\n", waitpid(child, &status, WNOHANG | WUNTRACED));
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    say(status);
    waitpid(child, &status, 0);
    say(status);
    child = fork();
    if (!child) for (;;) pause();
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    say(status);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    say(status);
    return 0;
}

static int busy_child(void) {
    int status;
    pid_t child = fork();
    if (!child) { handle(SIGUSR1, note, 0); while (!came) ; _exit(11); }
    struct timespec time = {0, 3000000};
    nanosleep(&time, NULL);
    kill(child, SIGUSR1);
    waitpid(child, &status, 0);
    say(status);
    child = fork();
    if (!child) for (;;) ;
    nanosleep(&time, NULL);
    printf("%d %d\n", kill(child, 0), kill(child, SIGTERM));
    waitpid(child, &status, 0);
    say(status);
    printf("%d %s\n", kill(child, 0), strerror(errno));
    return 0;
}

static int waitids(void) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    pid_t child = fork();
    if (!child) _exit(6);
    printf("%d ", waitid(P_PID, child, &info, WEXITED | WNOWAIT));
    printf("%d %d %d %d\n", info.si_pid == child, info.si_status, info.si_code, info.si_signo);
    printf("%d %d\n", waitid(P_ALL, 0, &info, WEXITED), info.si_status);
    printf("%d %s\n", waitid(P_ALL, 0, &info, WEXITED), strerror(errno));
    signal(SIGINT, SIG_DFL);  // what runs in the background may have been told to ignore it
    child = fork();
    if (!child) { pause(); _exit(0); }
    memset(&info, 0, sizeof info);
    printf("%d %d\n", waitid(P_PGID, 0, &info, WEXITED | WNOHANG), info.si_pid);
    kill(child, SIGINT);
    struct rusage usage;
    int status;
    printf("%d %d\n", wait4(child, &status, 0, &usage) == child, WTERMSIG(status));
    // Who has ended cannot stop or go on any more: there is nothing to wait for, before and while one does.
    child = fork();
    if (!child) _exit(7);
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    int kinds[] = {WSTOPPED, WCONTINUED, WSTOPPED | WCONTINUED | WNOHANG};
    for (int index = 0; index < 3; index++) printf("%d %s\n", waitid(P_PID, child, &info, kinds[index]), strerror(errno));
    printf("%d\n", waitid(P_PID, child, &info, WEXITED));
    child = fork();
    if (!child) { usleep(20000); _exit(8); }
    printf("%d %s\n", waitid(P_ALL, 0, &info, WCONTINUED), strerror(errno));
    printf("%d\n", waitid(P_PID, child, &info, WEXITED));
    return 0;
}

static int groups(void) {
    int status;
    pid_t child = fork();
    if (!child) {
        pid_t session = setsid();
        int again = setsid();
        printf("%d %d %s ", session == getpid(), again, strerror(errno));
        printf("%d %d ", getpgrp() == getpid(), getsid(0) == getpid());
        printf("%d %s\n", setpgid(0, 0), strerror(errno));
        fflush(stdout);
        _exit(0);
    }
    wait(&status);
    child = fork();
    if (!child) { for (;;) pause(); }
    printf("%d %d\n", setpgid(child, child), getpgid(child) == child);
    pid_t other = fork();
    if (!other) { setpgid(0, child); kill(-child, SIGUSR2); for (;;) pause(); }
    waitpid(child, &status, 0);
    say(status);
    waitpid(other, &status, 0);
    say(status);
    printf("%d %s\n", kill(-child, 0), strerror(errno));
    printf("%d %s\n", setpgid(getpid(), 1), strerror(errno));
    return 0;
}

static int orphans(void) {
    int tube[2];
    char text[32] = {0};
    pipe(tube);
    if (!fork()) {
        if (!fork()) {
            while (getppid() != 1) usleep(1000);
            write(tube[1], "adopted", 7);
            _exit(0);
        }
        _exit(0);
    }
    wait(NULL);
    close(tube[1]);
    read(tube[0], text, 31);
    printf("%s %d\n", text, wait(NULL));
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!fork()) { if (!fork()) { usleep(2000); _exit(4); } _exit(3); }
    int status, total = 0;
    while (wait(&status) > 0) total = total * 10 + WEXITSTATUS(status);
    printf("%d\n", total);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    pipe(tube);
    if (!fork()) {
        pid_t inner = fork();
        if (!inner) { prctl(PR_SET_PDEATHSIG, SIGTERM); write(tube[1], "x", 1); for (;;) pause(); }
        char byte;
        read(tube[0], &byte, 1);
        _exit(0);
    }
    close(tube[1]);
    wait(NULL);
    printf("%zd\n", read(tube[0], text, 1));
    return 0;
}

static int shared(void) {
    int status, *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *own = 1;
    if (!fork()) { *word = 42; *own = 2; _exit(0); }
    wait(&status);
    printf("%d %d\n", *word, *own);
    sem_t *turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sem_init(turn, 1, 0);
    if (!fork()) { usleep(2000); *word = 7; sem_post(turn); _exit(0); }
    sem_wait(turn);
    printf("%d\n", *word);
    wait(&status);
    volatile int local = 1;
    pid_t child = vfork();
    if (!child) { local = 2; _exit(3); }
    waitpid(child, &status, 0);
    printf("%d ", local);
    say(status);
    return 0;
}

static int counted(void) {
    struct { pthread_mutex_t lock; long locked, added; volatile long there; } *all;
    all = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, 1);
    pthread_mutex_init(&all->lock, &attributes);
    for (int child = 0; child < 3; child++) {
        if (fork()) continue;
        __sync_fetch_and_add(&all->there, 1);
        for (long round = 0; all->there < 3 && round < 10000000; round++) {}
        for (int round = 0; round < 50000; round++) __sync_fetch_and_add(&all->added, 1);
        for (int round = 0; round < 500; round++) {
            pthread_mutex_lock(&all->lock);
            all->locked++;
            pthread_mutex_unlock(&all->lock);
        }
        _exit(0);
    }
    while (wait(NULL) > 0) {}
    printf("%ld %ld\n", all->added, all->locked);
    return 0;
}

/* Locks whose owners end as processes do: by exit, by a fault, by a signal, with several threads, by execve. */
static pthread_mutex_t *robust_lock;
static volatile int *holds;
static void *hold(void *row) { pthread_mutex_lock(row); *holds = 1; pause(); return NULL; }

static void lose(int way) {
    pthread_t thread;
    pthread_mutex_lock(robust_lock);
    pthread_create(&thread, NULL, hold, robust_lock + 1);
    while (!*holds) usleep(1000);
    if (way == 4) usleep(5000);
    if (way == 1) *(volatile int *)0 = 1;
    if (way == 2) kill(getpid(), SIGKILL);
    if (way == 3) execl(self, self, "no case", NULL);
    _exit(0);
}

static int robust(void) {
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    robust_lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    holds = (int *)robust_lock + 512;
    for (int way = 0; way < 5; way++) {
        *holds = 0;
        pthread_mutex_init(robust_lock, &kind);
        pthread_mutex_init(robust_lock + 1, &kind);
        pid_t child = fork();
        if (!child) lose(way);
        if (way < 4) waitpid(child, NULL, 0); /* else this process waits for the lock when its owner ends */
        while (!*holds) usleep(1000);
        for (int each = 0; each < 2; each++) {
            printf("%s ", strerror(pthread_mutex_lock(robust_lock + each)));
            printf("%d ", pthread_mutex_consistent(robust_lock + each));
            printf("%d\n", pthread_mutex_unlock(robust_lock + each));
        }
    }
    return 0;
}

static void say_child(const char *name, char *page) {
    int status;
    if (!fork()) { printf("%s %d\n", name, *(volatile char *)page); fflush(stdout); _exit(0); }
    wait(&status);
    printf("%x\n", status & 0x7f);
}

static int at_fork(void) {
    char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    setvbuf(stdout, NULL, _IOLBF, 4096);
    memset(pages, 7, 3 * 4096);
    printf("%d %d\n", madvise(pages, 4096, 18), madvise(pages + 4096, 4096, MADV_DONTFORK));
    printf("%d ", madvise(shared, 4096, 18));
    printf("%s\n", strerror(errno));
    for (int number = 0; number < 3; number++) say_child("page", pages + 4096 * number);
    if (!fork()) { *pages = 5; say_child("grandchild", pages); _exit(0); }
    wait(NULL);
    printf("%d %d\n", madvise(pages, 4096, 19), madvise(pages + 4096, 4096, MADV_DOFORK));
    for (int number = 0; number < 2; number++) say_child("page", pages + 4096 * number);
    return 0;
}

static int bounded(void) {
    size_t size = 64 << 20;
    struct rlimit old, limit;
    char *low = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    char *lower = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    printf("%d %d %d\n", (size_t)low + 4096 <= 1u << 31, (size_t)low >= 1 << 30, (size_t)lower + 4096 <= 1u << 31);
    for (int number = 0; number < 2; number++) {
        int resource = number ? RLIMIT_DATA : RLIMIT_AS;
        getrlimit(resource, &old);
        limit = (struct rlimit){size, old.rlim_max};
        printf("%d", setrlimit(resource, &limit));
        printf(" %d", mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
        printf(" %s", strerror(errno));
        printf(" %d", mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
        printf(" %d", mmap(NULL, size / 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
        printf(" %d\n", sbrk(size) == (void *)-1);
        fflush(stdout);
        if (!fork()) { printf("%d\n", mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED); fflush(stdout); _exit(0); }
        wait(NULL);
        setrlimit(resource, &old);
        printf("%d\n", mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    }
    return 0;
}

static int file_size(void) {
    char text[100] = "";
    int status, file = open("/tmp/bounded", O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct rlimit limit = {50, 50};
    printf("%d ", (int)write(file, text, 20));
    printf("%d\n", setrlimit(RLIMIT_FSIZE, &limit));
    fflush(stdout);
    for (int way = 0; way < 4; way++) {
        if (fork()) { wait(&status); say(status); continue; }
        if (way == 3) signal(SIGXFSZ, SIG_IGN);
        printf("%d ", (int)pwrite(file, text, 100, 10));
        fflush(stdout);
        long got = way == 1 ? ftruncate(file, 51) : way == 2 ? pwrite(file, text, 1, 50) : (lseek(file, 60, 0), write(file, text, 5));
        printf("%ld %s\n", got, strerror(errno));
        fflush(stdout);
        _exit(0);
    }
    printf("%d %d\n", ftruncate(file, 50), (int)lseek(file, 0, SEEK_END));
    fflush(stdout);
    unlink("/tmp/bounded");
    return 0;
}

static int privileged(void) { __asm__("mov %%cr0, %%rax" ::: "rax"); return 0; }
static int undefined(void) { __asm__("ud2"); return 0; }

static int body(void *argument) { *(int *)argument = 5; return 8; }

static int cloned(void) {
    int status, value = 1;
    char *stack = malloc(65536);
    pid_t child = clone(body, stack + 65536, CLONE_VM | SIGCHLD, &value);
    waitpid(child, &status, 0);
    printf("%d ", value);
    say(status);
    child = clone(body, stack + 65536, SIGCHLD, (value = 1, &value));
    waitpid(child, &status, 0);
    printf("%d ", value);
    say(status);
    child = clone(body, stack + 65536, CLONE_VM, &value);
    printf("%d %d ", waitpid(child, &status, 0), errno == ECHILD);
    printf("%d ", waitpid(child, &status, __WALL) == child);
    say(status);
    return 0;
}

extern char **environ;

static int executing(void) {
    int status;
    char *arguments[] = {self, "child", "one", "two words", NULL};
    char *variables[] = {"NAME=value", NULL};
    pid_t child = fork();
    signal(SIGUSR1, SIG_IGN);
    if (!child) {
        handle(SIGUSR2, note, 0);
        signal(SIGUSR1, SIG_IGN);
        int kept = open("/dev/null", O_RDONLY), closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
        (void)kept; (void)closed;
        execve(self, arguments, variables);
        _exit(99);
    }
    waitpid(child, &status, 0);
    say(status);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    int spawned = posix_spawn(&child, self, NULL, &attributes, arguments, variables);
    waitpid(child, &status, 0);
    printf("%d ", spawned);
    say(status);
    printf("%s\n", strerror(posix_spawn(&child, "/nothing/there", NULL, NULL, arguments, variables)));
    printf("%d %s\n", execve("/nothing", arguments, variables), strerror(errno));
    printf("%d %s\n", execve("/dev", arguments, variables), strerror(errno));
    printf("%d %s\n", execve("/dev/null", arguments, variables), strerror(errno));
    char **bad = (char **)strtoul("1", NULL, 10);
    char *large = malloc(200000);
    memset(large, 'x', 199999);
    large[199999] = 0;
    char *much[] = {self, large, NULL};
    printf("%d %s\n", execve(self, much, variables), strerror(errno));
    printf("%d %s\n", execve(self, bad, variables), strerror(errno));
    child = fork();
    if (!child) {
        int file = open(self, O_RDONLY);
        syscall(SYS_execveat, file, "", arguments, variables, AT_EMPTY_PATH);
        _exit(98);
    }
    waitpid(child, &status, 0);
    say(status);
    return 0;
}

__attribute__((noinline, used)) int child_main(int argc, char **argv) {
    struct sigaction one, two;
    sigaction(SIGUSR1, NULL, &one);
    sigaction(SIGUSR2, NULL, &two);
    printf("child %d %s %s %s %d %d", argc, argv[2], argv[3], getenv("NAME"), one.sa_handler == SIG_IGN,
           two.sa_handler == SIG_DFL);
    printf(" %d %d\n", fcntl(3, F_GETFD) >= 0, fcntl(4, F_GETFD) >= 0);
    return 21;
}

static int timers(void) {
    handle(SIGALRM, count, 0);
    alarm(1);
    while (!came) ;
    printf("alarm in a loop\n");
    printf("%u %u\n", alarm(10), alarm(0));
    came = 0;
    struct itimerval interval = {{0, 10000}, {0, 10000}};
    setitimer(ITIMER_REAL, &interval, NULL);
    while (came < 3) pause();
    interval = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &interval, NULL);
    printf("three\n");
    struct timespec wanted = {5, 0}, left = {0, 0};
    alarm(1);
    printf("%d %s %d\n", nanosleep(&wanted, &left), strerror(errno), left.tv_sec >= 3 && left.tv_sec < 5);
    handle(SIGVTALRM, count, 0);
    came = 0;
    interval.it_value.tv_usec = 20000;
    setitimer(ITIMER_VIRTUAL, &interval, NULL);
    while (!came) ;
    printf("virtual\n");
    handle(SIGPROF, count, 0);
    came = 0;
    setitimer(ITIMER_PROF, &interval, NULL);
    while (!came) ;
    printf("prof\n");
    int file = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec spec = {{0, 1000000}, {0, 5000000}};
    timerfd_settime(file, 0, &spec, NULL);
    unsigned long long times = 0;
    printf("%zd %d\n", read(file, &times, 8), times >= 1);
    inform(SIGUSR1, 0);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
    came = 0;
    timer_create(CLOCK_REALTIME, &event, &timer);
    spec.it_interval.tv_nsec = 0;
    timer_settime(timer, 0, &spec, NULL);
    while (!came) ;
    printf("%d\n", last_code == SI_TIMER);
    sigset_t late;
    sigemptyset(&late);
    sigaddset(&late, SIGUSR1);
    sigprocmask(SIG_BLOCK, &late, NULL);
    spec.it_interval.tv_nsec = spec.it_value.tv_nsec = 1000000;
    timer_settime(timer, 0, &spec, NULL);
    usleep(200000);
    siginfo_t told;
    sigwaitinfo(&late, &told);
    printf("%d %d\n", told.si_overrun > 100, told.si_overrun == timer_getoverrun(timer));
    spec.it_value.tv_nsec = 0;
    timer_settime(timer, 0, &spec, NULL);
    printf("%d\n", timer_delete(timer));
    signal(SIGALRM, SIG_DFL);
    fflush(stdout);
    alarm(1);
    for (;;) pause();
}

static int queues(void) {
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t parent = getpid();
    if (!fork()) {
        for (int index = 0; index < 3; index++) sigqueue(parent, SIGRTMIN, (union sigval){.sival_int = index});
        for (int index = 0; index < 3; index++) kill(parent, SIGUSR1);
        _exit(0);
    }
    wait(NULL);
    struct timespec none = {0, 0};
    int got;
    while ((got = sigtimedwait(&set, &info, &none)) > 0)
        printf("%d %d %d\n", got == SIGRTMIN, info.si_code, got == SIGRTMIN ? info.si_value.sival_int : 0);
    printf("%s\n", strerror(errno));
    return 0;
}

static int commands(void) {
    FILE *file = popen("echo from a pipe; exit 3", "r");
    char line[64] = {0};
    if (file && fgets(line, sizeof line, file)) printf("%s", line);
    printf("%d\n", WEXITSTATUS(pclose(file)));
    fflush(stdout);
    printf("%d\n", WEXITSTATUS(system("echo by system; exit 5")));
    return 0;
}

static int demon(void) {
    int tube[2];
    char text[32] = {0};
    pipe(tube);
    if (!fork()) {
        daemon(1, 0);
        write(tube[1], "in the background", 17);
        _exit(0);
    }
    close(tube[1]);
    int got = 0, more;
    while ((more = read(tube[0], text + got, 31 - got)) > 0) got += more;
    printf("%s\n", text);
    return 0;
}

static void wait_for(int poll, int timeout) {
    struct epoll_event found[8];
    int count = epoll_wait(poll, found, 8, timeout);
    printf("%d", count);
    for (int index = 0; index < count; index++) printf(" %x:%u", found[index].events, found[index].data.u32);
    printf("\n");
}

static int polls(void) {
    int poll = epoll_create1(0), tube[2], other[2];
    char text[16];
    pipe(tube); pipe(other);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 1};
    printf("%d ", epoll_ctl(poll, EPOLL_CTL_ADD, tube[0], &event));
    printf("%d %s\n", epoll_ctl(poll, EPOLL_CTL_ADD, tube[0], &event), strerror(errno));
    wait_for(poll, 0);
    write(tube[1], "ab", 2);
    wait_for(poll, -1);
    wait_for(poll, -1);
    read(tube[0], text, 2);
    wait_for(poll, 5);
    event = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.u32 = 2};
    epoll_ctl(poll, EPOLL_CTL_ADD, other[0], &event);
    write(other[1], "x", 1);
    wait_for(poll, -1);
    wait_for(poll, 0);
    write(other[1], "y", 1);
    wait_for(poll, -1);
    event = (struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.u32 = 3};
    epoll_ctl(poll, EPOLL_CTL_MOD, other[0], &event);
    wait_for(poll, -1);
    wait_for(poll, 0);
    printf("%d\n", epoll_ctl(poll, EPOLL_CTL_DEL, other[0], NULL));
    printf("%d %s\n", epoll_ctl(poll, EPOLL_CTL_DEL, other[0], NULL), strerror(errno));
    if (!fork()) { usleep(3000); write(tube[1], "z", 1); _exit(0); }
    wait_for(poll, -1);
    read(tube[0], text, 1);
    wait(NULL);
    close(tube[1]);
    wait_for(poll, -1);
    close(tube[0]);
    wait_for(poll, 0);
    int counter = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    event = (struct epoll_event){.events = EPOLLIN | EPOLLOUT, .data.u32 = 4};
    epoll_ctl(poll, EPOLL_CTL_ADD, counter, &event);
    wait_for(poll, 0);
    event = (struct epoll_event){.events = EPOLLIN, .data.u32 = 4};
    epoll_ctl(poll, EPOLL_CTL_MOD, counter, &event);
    event.data.u32 = 5;
    epoll_ctl(poll, EPOLL_CTL_ADD, timer, &event);
    struct itimerspec spec = {{0, 0}, {0, 2000000}};
    timerfd_settime(timer, 0, &spec, NULL);
    wait_for(poll, -1);
    printf("%d %s\n", epoll_ctl(poll, EPOLL_CTL_ADD, poll, &event), strerror(errno));
    int outer = epoll_create1(EPOLL_CLOEXEC);
    event.data.u32 = 6;
    epoll_ctl(outer, EPOLL_CTL_ADD, poll, &event);
    wait_for(outer, -1);
    printf("%d %s\n", epoll_ctl(poll, EPOLL_CTL_ADD, outer, &event), strerror(errno));
    handle(SIGALRM, note, 0);
    alarm(1);
    struct pollfd row = {counter, POLLIN, 0};
    int got = ppoll(&row, 1, NULL, NULL);
    printf("%d %s %d\n", got, strerror(errno), came);
    return 0;
}

static int masks(void) {
    sigset_t set, none;
    sigemptyset(&none);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    handle(SIGUSR1, note, 0);
    raise(SIGUSR1);
    int got = ppoll(NULL, 0, NULL, &none);
    printf("%d %s %d\n", got, strerror(errno), came);
    came = 0;
    raise(SIGUSR1);
    struct timespec short_time = {0, 1000};
    got = pselect(0, NULL, NULL, NULL, &short_time, &set);
    printf("%d %d\n", got, came);
    int file = signalfd(-1, &set, 0);
    struct signalfd_siginfo info;
    printf("%zd ", read(file, &info, sizeof info));
    printf("%u %d %d\n", info.ssi_signo, info.ssi_code, info.ssi_pid == (unsigned)getpid());
    pid_t child = fork();
    if (!child) _exit(3);
    struct pollfd row = {file, POLLIN, 0};
    printf("%d ", poll(&row, 1, -1));
    printf("%zd ", read(file, &info, sizeof info));
    printf("%u %d %d %d\n", info.ssi_signo, info.ssi_code, info.ssi_status, info.ssi_pid == (unsigned)child);
    fcntl(file, F_SETFL, O_NONBLOCK);
    printf("%zd %s\n", read(file, &info, sizeof info), strerror(errno));
    return 0;
}

static int bomb(void) {
    int made = 0;
    while (fork() >= 0) if (++made > 100000) break;
    pause();
    return 0;
}

static int fork_bomb(void) { for (;;) fork(); }

int main(int argc, char **argv) {
    self = argv[0];
    if (self[0] != '/') self = "/program";
    struct { const char *name; int (*run)(void); } cases[] = {
        {"statuses", statuses}, {"many", many}, {"pipes", pipes}, {"child_signals", child_signals},
        {"stopping", stopping}, {"busy_child", busy_child}, {"waitids", waitids}, {"groups", groups},
        {"orphans", orphans}, {"shared", shared}, {"counted", counted}, {"robust", robust}, {"privileged", privileged},
        {"undefined", undefined}, {"at_fork", at_fork}, {"bounded", bounded}, {"file_size", file_size},
        {"cloned", cloned}, {"executing", executing}, {"timers", timers},
        {"queues", queues}, {"commands", commands}, {"demon", demon}, {"polls", polls}, {"masks", masks}, {"bomb", bomb}, {"fork_bomb", fork_bomb},
    };
    if (argc > 1 && !strcmp(argv[1], "child")) return child_main(argc, argv);
    for (unsigned index = 0; index < sizeof cases / sizeof *cases; index++)
        if (argc > 1 && !strcmp(argv[1], cases[index].name)) return cases[index].run();
    return 100;
}
