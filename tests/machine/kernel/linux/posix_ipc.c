// POSIX message queues and shared memory, one function for each test.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define SHOW(what) do { errno = 0; long shown = (long)(what); printf("%s = %ld %d\n", #what, shown, errno); } while (0)
static const char *name;
static struct mq_attr small = {.mq_maxmsg = 3, .mq_msgsize = 16};

static void attributes(mqd_t queue) {
    struct mq_attr now;
    SHOW(mq_getattr(queue, &now));
    printf("flags %lo most %ld size %ld now %ld\n", now.mq_flags, now.mq_maxmsg, now.mq_msgsize, now.mq_curmsgs);
}
static void shown(mqd_t queue) {
    char text[64] = "";
    unsigned priority = 99;
    SHOW(mq_receive(queue, text, 16, &priority));
    printf("%s %u\n", text, priority);
}
static void opening(void) {
    struct mq_attr wrong = {.mq_maxmsg = 11, .mq_msgsize = 16}, none = {0}, large = {.mq_maxmsg = 1, .mq_msgsize = 8193};
    char longest[300];
    struct stat row;
    SHOW(mq_open(name, O_RDWR));
    SHOW(mq_open("noslash", O_RDWR)); SHOW(mq_open("/a/b", O_RDWR | O_CREAT, 0600, 0)); SHOW(mq_open("/", O_RDWR | O_CREAT, 0600, 0));
    SHOW(mq_open("/..", O_RDWR));
    memset(longest, 'x', 299); longest[0] = '/'; longest[299] = 0;
    SHOW(mq_open(longest, O_RDWR | O_CREAT, 0600, 0));
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &wrong)); SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &none)); SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &large));
    SHOW(syscall(SYS_mq_open, name + 1, O_RDWR | O_CREAT, 0600, 8)); SHOW(syscall(SYS_mq_open, 8, O_RDWR, 0, 0));
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0620, 0);
    attributes(queue);
    SHOW(fcntl(queue, F_GETFD)); SHOW(fcntl(queue, F_GETFL) & ~O_LARGEFILE);
    SHOW(fstat(queue, &row)); printf("%o %ld\n", row.st_mode, (long)row.st_size);
    SHOW(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, 0)); SHOW(mq_open(name, O_ACCMODE));
    mqd_t other = mq_open(name, O_RDONLY | O_CREAT, 0600, &small);
    attributes(other);
    SHOW(mq_send(other, "x", 1, 0)); SHOW(mq_receive(queue, longest, 16, 0)); SHOW(mq_send(queue, longest, 8193, 0));
    SHOW(mq_send(queue, "x", 1, 32768)); SHOW(mq_send(0, "x", 1, 0)); SHOW(mq_send(-1, "x", 1, 0)); SHOW(mq_receive(-1, longest, 16, 0));
    SHOW(mq_send(queue, (char *)8, 10, 0)); SHOW(syscall(SYS_mq_getsetattr, 0, 0, 0)); SHOW(syscall(SYS_mq_getsetattr, queue, 8, 0));
    SHOW(mq_unlink(name)); SHOW(mq_unlink(name)); SHOW(mq_unlink("/a/b"));
    SHOW(mq_send(queue, "still", 5, 0)); SHOW(mq_close(queue)); SHOW(mq_close(queue)); SHOW(mq_close(other));
    int many = 0; char each[32]; mqd_t last = 0;
    for (; last >= 0 && many < 20; many++) { snprintf(each, 32, "/hds-many-%d", many); errno = 0; last = mq_open(each, O_RDWR | O_CREAT, 0600, 0); }
    printf("%d queues, then %d\n", many - 1, errno);
    for (int i = 0; i < many; i++) { snprintf(each, 32, "/hds-many-%d", i); mq_unlink(each); }
}
static void passing(void) {
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &small);
    SHOW(mq_send(queue, "low", 4, 1)); SHOW(mq_send(queue, "high", 5, 7)); SHOW(mq_send(queue, "low too", 8, 1)); SHOW(mq_send(queue, "more", 5, 9));
    attributes(queue);
    struct pollfd row = {queue, POLLIN | POLLOUT, 0};
    SHOW(poll(&row, 1, 0)); SHOW(row.revents);
    char text[100] = ""; SHOW(read(queue, text, 80)); printf("%s", text);
    shown(queue); shown(queue); SHOW(poll(&row, 1, 0)); SHOW(row.revents); shown(queue); SHOW(poll(&row, 1, 0)); SHOW(row.revents);
    shown(queue);
    SHOW(mq_send(queue, "", 0, 0)); shown(queue);
    struct mq_attr flags = {0}, before; SHOW(mq_setattr(queue, &flags, &before)); SHOW(before.mq_flags); flags.mq_flags = 1; SHOW(mq_setattr(queue, &flags, 0));
    struct timespec soon; clock_gettime(CLOCK_REALTIME, &soon); soon.tv_nsec += 20000000; if (soon.tv_nsec >= 1000000000) soon.tv_sec++, soon.tv_nsec -= 1000000000;
    SHOW(mq_timedreceive(queue, text, 16, 0, &soon));
    struct timespec wrong = {0, 1000000000}; SHOW(mq_timedreceive(queue, text, 16, 0, &wrong)); wrong.tv_nsec = -1; SHOW(mq_timedsend(queue, text, 16, 0, &wrong));
    for (int i = 0; i < 3; i++) SHOW(mq_send(queue, "x", 1, 0));
    SHOW(mq_timedsend(queue, "y", 1, 0, &soon));
    mq_unlink(name);
}
static void between(void) {
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, &small);
    fflush(stdout);
    if (!fork()) {
        char text[17] = "";
        for (int i = 0; i < 10; i++) { text[mq_receive(queue, text, 16, 0)] = 0; printf("got %s\n", text); }
        fflush(stdout);
        _exit(0);
    }
    for (int i = 0; i < 10; i++) { char text[16]; int size = snprintf(text, 16, "message %d", i); mq_send(queue, text, size, 0); }
    wait(0);
    mq_unlink(name);
}
static volatile int told, value, code, sender;
static void notified(int number, siginfo_t *info, void *context) { told = number; value = info->si_value.sival_int; code = info->si_code; sender = info->si_pid == getpid(); }
static void notifying(void) {
    struct sigaction action = {.sa_sigaction = notified, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, 0);
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &small);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42}, none = {.sigev_notify = SIGEV_NONE};
    SHOW(mq_notify(queue, &event)); SHOW(mq_notify(queue, &event)); SHOW(mq_notify(queue, &none));
    SHOW(mq_send(queue, "x", 1, 0)); SHOW(told); SHOW(value); SHOW(code); SHOW(sender); told = 0;
    SHOW(mq_send(queue, "x", 1, 0)); SHOW(told); SHOW(mq_notify(queue, &event)); SHOW(mq_send(queue, "x", 1, 0)); SHOW(told);
    shown(queue); shown(queue); shown(queue); SHOW(mq_send(queue, "x", 1, 0)); SHOW(told); told = 0; shown(queue);
    SHOW(mq_notify(queue, &event)); SHOW(mq_notify(queue, 0)); SHOW(mq_send(queue, "x", 1, 0)); SHOW(told); shown(queue);
    SHOW(mq_notify(queue, &none)); fflush(stdout);
    if (!fork()) { SHOW(mq_notify(queue, &event)); SHOW(mq_notify(queue, 0)); fflush(stdout); _exit(0); }
    wait(0); SHOW(mq_notify(queue, &event)); mqd_t again = mq_open(name, O_RDWR); mq_close(again); SHOW(mq_notify(queue, &event));
    event.sigev_notify = 77; SHOW(mq_notify(queue, &event)); event.sigev_notify = SIGEV_SIGNAL; event.sigev_signo = 65; SHOW(mq_notify(queue, &event)); SHOW(mq_notify(0, 0));
    mq_unlink(name);
}
static void *waiting(void *queue) { shown((mqd_t)(long)queue); return 0; }
static void alarmed(int number) { told++; }
static void waking(void) { // a thread that waits takes the message: nobody is told; signals interrupt
    struct sigaction action = {.sa_sigaction = notified, .sa_flags = SA_SIGINFO}, other = {.sa_handler = alarmed};
    sigaction(SIGUSR1, &action, 0); sigaction(SIGALRM, &other, 0);
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, &small);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    pthread_t thread; pthread_create(&thread, 0, waiting, (void *)(long)queue);
    usleep(100000);
    SHOW(mq_notify(queue, &event)); SHOW(mq_send(queue, "to thread", 10, 3)); pthread_join(thread, 0); SHOW(told);
    SHOW(mq_send(queue, "x", 1, 0)); SHOW(told); shown(queue); told = 0;
    ualarm(50000, 0); SHOW(mq_receive(queue, (char[16]){0}, 16, 0)); SHOW(told);
    mq_unlink(name);
}
static void shared(void) {
    int file = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    SHOW(ftruncate(file, 4096)); int *words = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (!fork()) { words[1] = 7; _exit(0); }
    wait(0); SHOW(words[1]); SHOW(shm_unlink(name)); SHOW(shm_open(name, O_RDWR, 0)); SHOW(access("/dev/shm", W_OK));
    sem_t *lock = sem_open(name, O_CREAT, 0600, 0); fflush(stdout);
    if (!fork()) { sem_post(lock); _exit(0); }
    SHOW(sem_wait(lock)); SHOW(sem_trywait(lock)); SHOW(sem_unlink(name)); SHOW(sem_unlink(name)); wait(0);
}
static void named(void) { // extended attributes
    char text[64]; int file = open("file", O_RDWR | O_CREAT, 0600);
    SHOW(listxattr("file", text, 64)); SHOW(flistxattr(file, 0, 0)); SHOW(listxattr("missing", text, 64)); SHOW(flistxattr(99, 0, 0));
    SHOW(getxattr("file", "user.a", text, 64)); SHOW(lgetxattr("missing", "user.a", text, 64)); SHOW(fgetxattr(file, "security.selinux", text, 64));
    SHOW(getxattr("file", "", text, 64)); SHOW(getxattr("file", "wrong.a", text, 64)); SHOW(removexattr("file", "user.a"));
    SHOW(setxattr("file", "user.a", "x", 1, 9)); SHOW(setxattr("missing", "user.a", "x", 1, 0)); SHOW(fsetxattr(file, "user.a", "x", 65537, 0));
    SHOW(syscall(330, 1, 0)); SHOW(syscall(330, 0, 9)); SHOW(syscall(331, 99)); SHOW(syscall(329, 0x1000, 0, 0, 99));
}
int main(int count, char **arguments) {
    struct { const char *name; void (*run)(void); } rows[] = {
        {"opening", opening}, {"passing", passing}, {"between", between}, {"notifying", notifying}, {"waking", waking},
        {"shared", shared}, {"named", named},
    };
    name = arguments[2];
    for (int i = 0; i < 7; i++) if (!strcmp(rows[i].name, arguments[1])) rows[i].run();
    fflush(stdout);
    return 0;
}
