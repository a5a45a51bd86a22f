/* Files as processes have them together: locks, FIFOs, names, holes, news. Each case prints the same natively and here. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(what) do { errno = 0; long shown = (long)(what); printf("%s = %ld %d\n", #what, shown, errno); } while (0)

static void in_child(int (*body)(void)) {
    int status; fflush(stdout);
    int child = fork();
    if (!child) { int code = body(); fflush(stdout); _exit(code); }
    waitpid(child, &status, 0);
    printf("child %d\n", status);
}
static void nothing(int number) { (void)number; }
static void heed_alarm(int flags) {
    struct sigaction action = {.sa_handler = nothing, .sa_flags = flags}; sigaction(SIGALRM, &action, 0);
}
static int made(const char *name, const char *text) {
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644); write(file, text, strlen(text)); return file;
}

static int file;
static int lock(int fd, int command, int kind, long start, long length) {
    struct flock wanted = {.l_type = kind, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    int result = fcntl(fd, command, &wanted), error = errno;
    if (command == F_GETLK || command == F_OFD_GETLK)
        printf("-> %d %d %ld %ld %d\n", wanted.l_type, wanted.l_whence, (long)wanted.l_start, (long)wanted.l_len,
               wanted.l_pid == getppid() ? 1 : wanted.l_pid > 0 ? 2 : wanted.l_pid);
    errno = error; return result;
}
static int asks(void) {
    int own = open("file", O_RDWR);
    SHOW(lock(own, F_GETLK, F_WRLCK, 0, 0)); SHOW(lock(own, F_GETLK, F_RDLCK, 0, 0)); SHOW(lock(own, F_GETLK, F_WRLCK, 12, 3));
    SHOW(lock(own, F_SETLK, F_WRLCK, 0, 5)); SHOW(lock(own, F_SETLK, F_WRLCK, 10, 5)); SHOW(lock(own, F_SETLK, F_RDLCK, 15, 5));
    SHOW(lock(own, F_SETLK, F_RDLCK, 40, 0)); SHOW(lock(file, F_GETLK, F_WRLCK, 0, 0)); return 0;
}
static int ranges(void) {
    file = made("file", "0123456789"); SHOW(lock(file, F_SETLK, F_WRLCK, 10, 20)); SHOW(lock(file, F_SETLK, F_RDLCK, 15, 5));
    SHOW(lock(file, F_SETLK, F_UNLCK, 25, 100)); SHOW(lock(file, F_SETLK, F_WRLCK, 40, 0)); in_child(asks);
    SHOW(lock(file, F_GETLK, F_WRLCK, 0, 0)); SHOW(lock(file, F_SETLK, F_UNLCK, 0, 0)); in_child(asks);
    SHOW(lock(file, F_SETLK, F_WRLCK, 5, -3)); SHOW(lock(file, F_SETLK, F_WRLCK, 5, -6)); SHOW(lock(file, F_SETLK, 7, 5, 1));
    in_child(asks); close(dup(file)); in_child(asks);
    int reading = open("file", O_RDONLY); SHOW(lock(reading, F_SETLK, F_WRLCK, 0, 1)); SHOW(lock(reading, F_SETLK, F_RDLCK, 0, 1));
    return 0;
}
static int fails(void) { int own = open("file", O_RDWR); SHOW(flock(own, LOCK_EX | LOCK_NB)); SHOW(flock(own, LOCK_SH | LOCK_NB)); SHOW(flock(file, LOCK_SH | LOCK_NB)); return 0; }
static int flocks(void) {
    file = made("file", "x"); int other = open("file", O_RDONLY); SHOW(flock(file, LOCK_EX)); SHOW(flock(file, LOCK_EX));
    SHOW(flock(other, LOCK_SH | LOCK_NB)); SHOW(flock(file, LOCK_SH)); SHOW(flock(other, LOCK_SH | LOCK_NB));
    SHOW(flock(file, LOCK_EX | LOCK_NB)); in_child(fails); SHOW(flock(other, LOCK_UN)); SHOW(flock(file, LOCK_EX | LOCK_NB));
    int twin = dup(file); close(file); SHOW(flock(other, LOCK_EX | LOCK_NB)); close(twin); SHOW(flock(other, LOCK_EX | LOCK_NB));
    SHOW(flock(other, 99)); SHOW(flock(-1, LOCK_EX)); SHOW(lock(open("file", O_RDWR), F_SETLK, F_WRLCK, 0, 0));
    return 0;
}
static int waiting(void) {
    setpgid(0, 0); file = made("file", "x"); int ends[2]; pipe(ends); SHOW(lock(file, F_SETLK, F_WRLCK, 0, 10)); SHOW(flock(file, LOCK_EX)); fflush(stdout);
    for (int way = 0; way < 2; way++) {
        if (!fork()) {
            int own = open("file", O_RDWR);
            int result = way ? flock(own, LOCK_EX) : lock(own, F_SETLKW, F_WRLCK, 5, 10);
            printf("got %d %d\n", way, result); fflush(stdout); write(ends[1], "x", 1); pause();
        }
        char letter; usleep(20000); puts("lets go"); fflush(stdout);
        if (way) flock(file, LOCK_UN); else lock(file, F_SETLK, F_UNLCK, 0, 0);
        read(ends[0], &letter, 1);
        heed_alarm(0); ualarm(20000, 0); SHOW(way ? flock(file, LOCK_EX) : lock(file, F_SETLKW, F_WRLCK, 0, 0)); fflush(stdout);
    }
    kill(0, SIGKILL); return 0;
}
static int deadlock(void) {
    file = made("file", "x"); lock(file, F_SETLK, F_WRLCK, 0, 1); fflush(stdout);
    if (!fork()) { lock(file, F_SETLK, F_WRLCK, 1, 1); int result = lock(file, F_SETLKW, F_WRLCK, 0, 1); _exit(result != 0); }
    usleep(20000); SHOW(lock(file, F_SETLKW, F_WRLCK, 1, 1)); SHOW(lock(file, F_SETLK, F_UNLCK, 0, 1)); int status; wait(&status); SHOW(status);
    return 0;
}
static int uses(void) { SHOW(lock(file, F_OFD_SETLK, F_WRLCK, 0, 5)); int own = open("file", O_RDWR); SHOW(lock(own, F_OFD_SETLK, F_WRLCK, 0, 5)); SHOW(lock(own, F_GETLK, F_WRLCK, 0, 0)); SHOW(lock(own, F_OFD_GETLK, F_WRLCK, 0, 0)); return 0; }
static int descriptions(void) {
    file = made("file", "x"); SHOW(lock(file, F_OFD_SETLK, F_WRLCK, 0, 5)); in_child(uses); close(dup(file)); in_child(uses);
    SHOW(lock(open("file", O_RDWR), F_SETLK, F_RDLCK, 0, 1)); struct flock wrong = {.l_type = F_RDLCK, .l_pid = 3}; SHOW(fcntl(file, F_OFD_SETLK, &wrong));
    int twin = dup(file); close(file); file = twin; in_child(uses); return 0;
}

#define CASE(name) {#name, name}
static const struct { const char *name; int (*body)(void); } CASES[] = {
    CASE(ranges), CASE(flocks), CASE(waiting), CASE(deadlock), CASE(descriptions),
};
int main(int argc, char **argv) {
    for (unsigned which = 0; which < sizeof CASES / sizeof *CASES; which++)
        if (argc > 1 && !strcmp(argv[1], CASES[which].name)) return CASES[which].body();
    return 99;
}
