/* Programs of several threads, one per argument; each prints the same in every schedule. */
#define _GNU_SOURCE
#include <errno.h>
#include <fenv.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MANY 50
typedef void *(*body)(void *);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_t threads[MANY];
static volatile int shared;

static void start(int count, body work) {
    for (long i = 0; i < count; i++)
        if (pthread_create(&threads[i], 0, work, (void *)i)) { puts("no thread"); exit(2); }
}
static long join(int count) {
    long sum = 0;
    for (int i = 0; i < count; i++) { void *result; pthread_join(threads[i], &result); sum += (long)result; }
    return sum;
}

static void *count(void *own) {
    for (int i = 0; i < 100; i++) { pthread_mutex_lock(&lock); shared++; pthread_mutex_unlock(&lock); }
    return own;
}
static void counter(void) { start(MANY, count); printf("%ld", join(MANY)); printf(" %d\n", shared); }

static int queue[4], used, taken;
static void *produce(void *own) {
    for (int i = 0; i < 40; i++) {
        pthread_mutex_lock(&lock);
        while (used == 4) pthread_cond_wait(&changed, &lock);
        queue[used++] = i + 1;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return own;
}
static void *consume(void *own) {
    long sum = 0;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (!used && taken < 80) pthread_cond_wait(&changed, &lock);
        if (!used) { pthread_mutex_unlock(&lock); return (void *)sum; }
        sum += queue[--used]; taken++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
}
static void *either(void *own) { return (long)own < 2 ? (produce(own), (void *)0) : consume(own); }
static void condition(void) { start(5, either); printf("%ld\n", join(5)); }

static pthread_barrier_t together;
static int rounds[3];
static void *meet(void *own) {
    long serial = 0;
    for (int i = 0; i < 3; i++) {
        __sync_fetch_and_add(&rounds[i], 1);
        serial += pthread_barrier_wait(&together) == PTHREAD_BARRIER_SERIAL_THREAD;
        if (rounds[i] != 8) puts("too early");
        pthread_barrier_wait(&together);
    }
    return (void *)serial;
}
static void barrier(void) {
    pthread_barrier_init(&together, 0, 8);
    start(8, meet);
    printf("%ld\n", join(8));
}

static pthread_rwlock_t readers = PTHREAD_RWLOCK_INITIALIZER;
static void *read_write(void *own) {
    for (int i = 0; i < 20; i++) {
        if ((long)own % 3 == 0) { pthread_rwlock_wrlock(&readers); shared += 2; }
        else { pthread_rwlock_rdlock(&readers); if (shared % 2) puts("torn"); }
        pthread_rwlock_unlock(&readers);
    }
    return own;
}
static void rwlock(void) { start(9, read_write); join(9); printf("%d\n", shared); }

static __thread int own_word = 7;
static void *local(void *own) {
    own_word += (long)own; errno = (int)(long)own;
    for (int i = 0; i < 3; i++) sched_yield();
    close(-1);
    return (void *)(long)(own_word * 1000 + errno);
}
static void tls(void) { start(6, local); printf("%ld", join(6)); printf(" %d\n", own_word); }

static void *compute(void *own) {
    static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    volatile long double sum = 0; volatile double step = 0.1;
    fesetround(modes[(long)own % 4]);
    for (int i = 0; i < 20000; i++) { sum = sum + step / 3; if (i % 5000 == 0) sched_yield(); }
    if (fegetround() != modes[(long)own % 4]) puts("rounding lost");
    return (void *)(long)(sum * 1e9L);
}
static void floating(void) {
    start(8, compute);
    for (int i = 0; i < 8; i++) { void *result; pthread_join(threads[i], &result); printf("%ld ", (long)result); }
    puts("");
}

static void *spin(void *own) { while (!shared) ; return own; }
static void spinning(void) { start(3, spin); shared = 1; printf("%ld\n", join(3)); }

static void *late(void *own) {
    struct timespec wait = {0, (3 - (long)own) * 20000000};
    nanosleep(&wait, 0);
    pthread_mutex_lock(&lock); printf("%ld\n", (long)own); pthread_mutex_unlock(&lock);
    return own;
}
static void sleeping(void) { start(4, late); join(4); }

static sem_t ready;
static void timeouts(void) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += 1000000; if (end.tv_nsec >= 1000000000) { end.tv_sec++; end.tv_nsec -= 1000000000; }
    pthread_mutex_lock(&lock);
    printf("%d", pthread_cond_timedwait(&changed, &lock, &end) == ETIMEDOUT);
    pthread_mutex_unlock(&lock);
    sem_init(&ready, 0, 0);
    printf(" %d", sem_timedwait(&ready, &end) == -1 && errno == ETIMEDOUT);
    pthread_mutex_lock(&lock);
    printf(" %d\n", pthread_mutex_timedlock(&lock, &end) == ETIMEDOUT);
}

static int ends[2];
static void *feed(void *own) {
    char block[10000];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 20; i++) if (write(ends[1], block, sizeof block) != sizeof block) puts("short");
    close(ends[1]);
    return own;
}
static void piping(void) {
    char block[777]; long size, sum = 0;
    if (pipe(ends)) exit(2);
    start(1, feed);
    while ((size = read(ends[0], block, sizeof block)) > 0) sum += size;
    join(1);
    printf("%ld\n", sum);
}

static void *post(void *own) { usleep(1000); eventfd_write(ends[0], 5); return own; }
static void polling(void) {
    eventfd_t value;
    struct pollfd row = {ends[0] = eventfd(0, 0), POLLIN, 0};
    printf("%d", poll(&row, 1, 0));
    start(1, post);
    printf(" %d", poll(&row, 1, -1));
    eventfd_read(ends[0], &value);
    join(1);
    printf(" %d %d\n", row.revents, (int)value);
}

static pthread_mutex_t robust_lock;
static void *die(void *own) { pthread_mutex_lock(&robust_lock); return own; }
static void robust(void) {
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust_lock, &kind);
    start(1, die); join(1);
    printf("%d", pthread_mutex_lock(&robust_lock) == EOWNERDEAD);
    printf(" %d", pthread_mutex_consistent(&robust_lock));
    printf(" %d\n", pthread_mutex_unlock(&robust_lock));
}

static void *await_signal(void *own) {
    int got; sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR1);
    sigwait(&set, &got);
    return (void *)(long)got;
}
static void signals(void) {
    sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, 0);
    start(2, await_signal);
    printf("%d", pthread_kill(threads[0], 0));
    pthread_kill(threads[0], SIGUSR1); kill(getpid(), SIGUSR1);
    printf(" %ld\n", join(2));
}

static void *finish(void *own) { usleep(1000); puts("last"); return own; }
static void main_ends_first(void) { start(1, finish); puts("first"); fflush(stdout); pthread_exit(0); }

static void *leave(void *own) { exit(42); }
static void thread_exits(void) { start(2, leave); for (;;) pause(); }

static void identities(void) {
    printf("%d", getpid() == syscall(SYS_gettid));
    start(1, (body)(void *)gettid);
    long id = join(1);  /* which may still be there for the kernel, natively */
    printf(" %d\n", (int)id > getpid());
}

static void *detached(void *own) { pthread_detach(pthread_self()); sem_post(&ready); return own; }
static void many_in_turn(void) {
    sem_init(&ready, 0, 0);
    for (int i = 0; i < 100; i++) { start(1, detached); sem_wait(&ready); }
    puts("100");
}

static const struct { const char *name; void (*run)(void); } programs[] = {
    {"counter", counter}, {"condition", condition}, {"barrier", barrier}, {"rwlock", rwlock}, {"tls", tls},
    {"floating", floating}, {"spinning", spinning}, {"sleeping", sleeping}, {"timeouts", timeouts},
    {"piping", piping}, {"polling", polling}, {"robust", robust}, {"signals", signals},
    {"main_ends_first", main_ends_first}, {"thread_exits", thread_exits}, {"identities", identities},
    {"many_in_turn", many_in_turn},
};

static void *other_order(void *own) {
    pthread_mutex_lock(&robust_lock); pthread_barrier_wait(&together); pthread_mutex_lock(&lock); return own;
}
static void deadlock(void) {
    pthread_mutex_init(&robust_lock, 0);
    pthread_barrier_init(&together, 0, 2);
    start(1, other_order);
    pthread_mutex_lock(&lock); pthread_barrier_wait(&together); pthread_mutex_lock(&robust_lock);
}

int main(int count, char **arguments) {
    if (!strcmp(arguments[1], "deadlock")) deadlock();
    if (!strcmp(arguments[1], "twice")) { pthread_mutex_lock(&lock); pthread_mutex_lock(&lock); }
    if (!strcmp(arguments[1], "pipe")) { char byte; if (!pipe(ends)) return (int)read(ends[0], &byte, 1); }
    for (unsigned i = 0; i < sizeof programs / sizeof *programs; i++)
        if (!strcmp(arguments[1], programs[i].name)) programs[i].run();
    return 0;
}
