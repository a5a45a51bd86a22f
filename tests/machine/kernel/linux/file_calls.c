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
#include <sys/uio.h>
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
        heed_alarm(0); ualarm(20000, 20000); SHOW(way ? flock(file, LOCK_EX) : lock(file, F_SETLKW, F_WRLCK, 0, 0)); ualarm(0, 0); fflush(stdout);
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

static int tell(void) { int own = open("fifo", O_WRONLY); SHOW(write(own, "told", 4)); return 0; }
static int twice(void) {
    for (int turn = 0; turn < 2; turn++) { int own = open("fifo", O_WRONLY); write(own, "12" + turn, 1); close(own); usleep(100000); }
    return 0;
}
static short state(int fd, int wanted) { struct pollfd row = {fd, wanted, 0}; poll(&row, 1, 0); return row.revents; }
static int fifos(void) {
    char text[16] = ""; struct stat told; int status;
    unlink("fifo"); SHOW(mkfifo("fifo", 0640)); SHOW(mkfifo("fifo", 0640)); stat("fifo", &told); printf("%o\n", told.st_mode);
    SHOW(open("fifo", O_WRONLY | O_NONBLOCK)); SHOW(open("fifo", O_RDONLY | O_DIRECTORY));
    int reading = open("fifo", O_RDONLY | O_NONBLOCK); SHOW(read(reading, text, 9)); SHOW(state(reading, POLLIN | POLLOUT));
    int writing = open("fifo", O_WRONLY | O_NONBLOCK); SHOW(read(reading, text, 9)); SHOW(write(writing, "some", 4)); SHOW(state(reading, POLLIN));
    SHOW(state(writing, POLLOUT)); SHOW(lseek(reading, 0, SEEK_SET)); close(writing); SHOW(state(reading, POLLIN)); SHOW(read(reading, text, 9)); SHOW(read(reading, text, 9));
    close(reading); fflush(stdout);
    int child = fork(); if (!child) { tell(); fflush(stdout); _exit(0); }
    reading = open("fifo", O_RDONLY); waitpid(child, &status, 0); SHOW(read(reading, text, 16)); puts(text); SHOW(read(reading, text, 16)); close(reading);
    fflush(stdout); child = fork(); if (!child) { twice(); _exit(0); }
    for (int turn = 0; turn < 2; turn++) { reading = open("fifo", O_RDONLY); SHOW(read(reading, text, 1)); printf("%c\n", *text); SHOW(read(reading, text, 1)); close(reading); }
    waitpid(child, &status, 0); SHOW(status);
    heed_alarm(0); ualarm(20000, 20000); SHOW(open("fifo", O_RDONLY)); ualarm(0, 0);
    int both = open("fifo", O_RDWR); SHOW(write(both, "kept", 4)); SHOW(read(both, text, 4)); SHOW(state(both, POLLIN | POLLOUT));
    signal(SIGPIPE, SIG_IGN); reading = open("fifo", O_RDONLY); writing = open("fifo", O_WRONLY); close(both); close(reading); SHOW(write(writing, "x", 1));
    SHOW(fcntl(writing, F_GETFL)); SHOW(fchmod(writing, 0600)); stat("fifo", &told); printf("%o\n", told.st_mode); close(writing);
    SHOW(open("fifo", O_PATH) >= 0); SHOW(truncate("fifo", 0)); SHOW(unlink("fifo")); SHOW(mknod("fifo", S_IFREG | 0600, 0)); SHOW(unlink("fifo"));
    SHOW(mknod("fifo", S_IFDIR | 0600, 0)); SHOW(mknod("fifo", 0170000 | 0600, 0)); SHOW(mknod("fifo/", S_IFIFO | 0600, 0));
    return 0;
}
static int named(void) {
    char path[64]; struct stat told; int nameless = open(".", O_TMPFILE | O_RDWR, 0640); SHOW(write(nameless, "nameless", 8)); fstat(nameless, &told); SHOW(told.st_nlink);
    sprintf(path, "/proc/self/fd/%d", nameless); SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW)); SHOW(linkat(nameless, "", AT_FDCWD, "other", AT_EMPTY_PATH));
    SHOW(linkat(nameless, "", AT_FDCWD, "other", AT_EMPTY_PATH)); fstat(nameless, &told); SHOW(told.st_nlink); SHOW(told.st_size);
    int closed = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600); SHOW(linkat(closed, "", AT_FDCWD, "never", AT_EMPTY_PATH));
    int gone = made("gone", "x"); unlink("gone"); SHOW(linkat(gone, "", AT_FDCWD, "again", AT_EMPTY_PATH));
    SHOW(open(".", O_TMPFILE | O_RDONLY, 0600)); SHOW(open("named", O_TMPFILE | O_RDWR, 0600));
    unlink("named"); unlink("other"); return 0;
}
static void entry(const char *name) {
    char text[16] = ""; struct stat told; int found = lstat(name, &told); int own = open(name, O_RDONLY); if (own >= 0 && read(own, text, 15) < 0) strcpy(text, "(folder)"); close(own);
    printf("%s: %d %o %ld %s\n", name, found, found ? 0 : told.st_mode, found ? 0 : (long)told.st_nlink, text);
}
static int exchanged(void) {
    close(made("one", "first")); close(made("two", "second")); mkdir("folder", 0755); mkdir("folder/inner", 0755);
    SHOW(renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_NOREPLACE)); SHOW(renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_EXCHANGE)); entry("one"); entry("two");
    SHOW(renameat2(AT_FDCWD, "one", AT_FDCWD, "folder", RENAME_EXCHANGE)); entry("one"); entry("folder"); entry("one/inner"); entry(".");
    SHOW(renameat2(AT_FDCWD, "one", AT_FDCWD, "one/inner", RENAME_EXCHANGE)); SHOW(renameat2(AT_FDCWD, "one/inner", AT_FDCWD, "one", RENAME_EXCHANGE));
    SHOW(renameat2(AT_FDCWD, "one", AT_FDCWD, "none", RENAME_EXCHANGE)); SHOW(renameat2(AT_FDCWD, "none", AT_FDCWD, "one", RENAME_EXCHANGE));
    SHOW(renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_EXCHANGE | RENAME_NOREPLACE)); SHOW(renameat2(AT_FDCWD, "two/", AT_FDCWD, "one", RENAME_EXCHANGE));
    SHOW(renameat2(AT_FDCWD, "one/inner", AT_FDCWD, "two", RENAME_EXCHANGE)); entry("two"); entry("one"); SHOW(renameat2(AT_FDCWD, "folder", AT_FDCWD, "new", RENAME_NOREPLACE)); entry("new");
    return 0;
}
static void sum(int fd) {
    static unsigned char block[1 << 16]; long size = pread(fd, block, sizeof block, 0), total = 0; for (long at = 0; at < size; at++) total = total * 31 + block[at];
    printf("%ld %ld\n", size, total);
}
static int allocated(void) {
    static char block[20000]; for (int at = 0; at < 20000; at++) block[at] = at % 251 + 1;
    int own = open("holes", O_RDWR | O_CREAT | O_TRUNC, 0644); write(own, block, 20000);
    SHOW(fallocate(own, FALLOC_FL_KEEP_SIZE, 0, 40000)); sum(own); SHOW(fallocate(own, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 5000)); sum(own);
    SHOW(fallocate(own, FALLOC_FL_ZERO_RANGE, 6000, 1000)); sum(own); SHOW(fallocate(own, FALLOC_FL_ZERO_RANGE, 19000, 3000)); sum(own);
    SHOW(fallocate(own, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 21000, 9000)); sum(own); SHOW(fallocate(own, FALLOC_FL_COLLAPSE_RANGE, 4096, 8192)); sum(own);
    SHOW(fallocate(own, FALLOC_FL_INSERT_RANGE, 8192, 4096)); sum(own); SHOW(fallocate(own, FALLOC_FL_COLLAPSE_RANGE, 100, 4096)); SHOW(fallocate(own, FALLOC_FL_COLLAPSE_RANGE, 4096, 409600));
    SHOW(fallocate(own, FALLOC_FL_INSERT_RANGE, 409600, 4096)); SHOW(fallocate(own, FALLOC_FL_PUNCH_HOLE, 0, 1)); SHOW(fallocate(own, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    SHOW(fallocate(own, 0, 30000, 1)); sum(own); SHOW(fallocate(own, 0x80, 0, 1)); SHOW(fallocate(own, 0, -1, 1)); SHOW(fallocate(own, 0, 0, 0));
    int ends[2]; pipe(ends); SHOW(fallocate(ends[1], 0, 0, 1)); SHOW(fallocate(open(".", O_RDONLY), 0, 0, 1)); int memory = memfd_create("m", 0);
    SHOW(fallocate(memory, FALLOC_FL_ZERO_RANGE, 0, 1)); SHOW(fallocate(memory, 0, 0, 100)); SHOW(fallocate(open("holes", O_WRONLY | O_APPEND), FALLOC_FL_ZERO_RANGE, 0, 1));
    return 0;
}

static int watch, is_known; static unsigned first_cookie;
static void news(const char *what) {
    static char block[1 << 16] __attribute__((aligned(8))); int waiting = 0; ioctl(watch, FIONREAD, &waiting);
    long size = read(watch, block, sizeof block); printf("%s: %d %ld %d\n", what, waiting, size, size < 0 ? errno : 0);
    for (long at = 0; at < size;) {
        struct inotify_event *event = (void *)(block + at); at += sizeof *event + event->len;
        if (event->cookie && !is_known) { first_cookie = event->cookie - 1; is_known = 1; }
        printf("  %d %x %u %s\n", event->wd, event->mask, event->cookie ? event->cookie - first_cookie : 0, event->len ? event->name : "-");
    }
}
static int watched(void) {
    struct stat told; char text[8]; mkdir("folder", 0755); mkdir("other", 0755); close(made("folder/old", "text")); watch = inotify_init1(IN_NONBLOCK);
    SHOW(inotify_add_watch(watch, "folder", IN_ALL_EVENTS)); SHOW(inotify_add_watch(watch, "folder/old", IN_ALL_EVENTS)); news("nothing");
    int fd = open("folder/new", O_RDWR | O_CREAT, 0600); news("created"); write(fd, "abc", 3); write(fd, "def", 3); news("written"); pread(fd, text, 3, 0); news("read");
    ftruncate(fd, 2); news("ftruncate"); fchmod(fd, 0644); news("fchmod"); int twin = dup(fd); close(fd); news("one closed"); close(twin); news("closed");
    close(open("folder/old", O_RDONLY)); news("opened"); close(open("folder/old", O_WRONLY | O_TRUNC)); news("truncated"); truncate("folder/old", 5); news("truncate");
    chmod("folder/old", 0600); news("chmod"); utimensat(AT_FDCWD, "folder/old", 0, 0); news("times"); struct timespec one[2] = {{1, 0}, {0, UTIME_OMIT}}; utimensat(AT_FDCWD, "folder/old", one, 0); news("atime");
    link("folder/old", "folder/hard"); news("link"); symlink("old", "folder/soft"); news("symlink"); mkdir("folder/in", 0755); news("mkdir"); rmdir("folder/in"); news("rmdir");
    rename("folder/old", "folder/moved"); news("renamed"); rename("folder/moved", "other/away"); news("moved away"); rename("other/away", "folder/back"); news("moved back");
    close(made("other/fresh", "x")); rename("other/fresh", "folder/back"); news("replaced"); unlink("folder/hard"); news("last name"); unlink("folder/soft"); unlink("folder/back"); news("unlinked");
    fd = open("folder/new", O_RDWR); int own = inotify_add_watch(watch, "folder/new", IN_ALL_EVENTS); SHOW(own); unlink("folder/new"); news("unlinked open"); write(fd, "x", 1); news("written then"); close(fd); news("gone");
    SHOW(inotify_rm_watch(watch, own)); SHOW(inotify_rm_watch(watch, 1)); news("removed"); SHOW(inotify_rm_watch(watch, 1));
    SHOW(inotify_add_watch(watch, "folder", IN_CREATE | IN_ONESHOT)); close(made("folder/a", "")); close(made("folder/b", "")); news("one shot");
    int again = inotify_add_watch(watch, "other", IN_CREATE); SHOW(inotify_add_watch(watch, "other", IN_DELETE | IN_MASK_ADD) == again); close(made("other/c", "")); unlink("other/c"); news("added");
    SHOW(inotify_add_watch(watch, "other", IN_DELETE) == again); close(made("other/c", "")); unlink("other/c"); news("other mask"); SHOW(inotify_add_watch(watch, "other", IN_DELETE | IN_MASK_CREATE));
    SHOW(inotify_add_watch(watch, "folder/a", IN_ONLYDIR | IN_OPEN)); SHOW(inotify_add_watch(watch, "none", IN_OPEN)); SHOW(inotify_add_watch(watch, "other", 0)); SHOW(inotify_add_watch(0, "other", IN_OPEN));
    SHOW(inotify_add_watch(watch, "other", IN_DELETE_SELF | IN_MASK_ADD) == again); rmdir("other"); news("own folder"); SHOW(inotify_add_watch(watch, "folder", IN_ALL_EVENTS));
    SHOW(renameat2(AT_FDCWD, "folder/a", AT_FDCWD, "folder/b", RENAME_EXCHANGE)); news("exchanged"); int list = open("folder", O_RDONLY); char rows[512]; syscall(SYS_getdents64, list, rows, 512); close(list); news("listed");
    close(creat("folder/a_longer_name_than_sixteen", 0600)); SHOW(read(watch, text, 8)); SHOW(read(watch, rows, 100)); news("rest"); struct pollfd row = {watch, POLLIN, 0}; SHOW(poll(&row, 1, 0));
    int poller = epoll_create1(0); struct epoll_event event = {EPOLLIN}; epoll_ctl(poller, EPOLL_CTL_ADD, watch, &event); fcntl(watch, F_SETFL, 0); fflush(stdout);
    if (!fork()) { usleep(20000); chmod("folder", 0700); _exit(0); }
    SHOW(epoll_wait(poller, &event, 1, 5000)); news("waited"); wait(0); fstat(watch, &told); printf("%o\n", told.st_mode); char path[64], name[64] = ""; sprintf(path, "/proc/self/fd/%d", watch); readlink(path, name, 63); puts(name);
    fcntl(watch, F_SETFL, O_NONBLOCK); int file = made("folder/sent", "some text"), to = made("folder/to", ""); news("made"); off_t from = 0; sendfile(to, file, &from, 4); news("sendfile"); from = 0; copy_file_range(file, &from, to, 0, 3, 0); news("copy_file_range");
    fallocate(to, 0, 0, 100); news("fallocate"); SHOW(lseek(watch, 0, SEEK_SET)); SHOW(write(watch, "x", 1)); return 0;
}
static int overflown(void) {
    static char block[1 << 20]; mkdir("folder", 0755); int own = inotify_init1(IN_NONBLOCK); inotify_add_watch(own, "folder", IN_ATTRIB); close(made("folder/a", "")); close(made("folder/b", ""));
    for (int turn = 0; turn < 16500; turn++) chmod(turn % 2 ? "folder/a" : "folder/b", 0644);
    long count = 0, size; struct inotify_event *event = 0; while ((size = read(own, block, sizeof block)) > 0) for (long at = 0; at < size; at += sizeof *event + event->len) { event = (void *)(block + at); count++; }
    printf("%ld %d %x\n", count, event->wd, event->mask); return 0;
}

static int lengths(void) {  /* a negative one comes before addresses that are not there */
    static char room[16]; struct iovec rows[3] = {{(void *)-8, 1L << 62}, {room, -1}, {room, 4}}; int ends[2]; pipe(ends); SHOW(writev(ends[1], rows, 1)); SHOW(writev(ends[1], rows, 2)); SHOW(writev(ends[1], rows, 0)); SHOW(readv(ends[0], rows, 3)); rows[1].iov_len = 3; SHOW(readv(ends[0], rows, 3)); rows[0] = rows[2]; SHOW(writev(ends[1], rows, 3)); return 0;
}

#define CASE(name) {#name, name}
static const struct { const char *name; int (*body)(void); } CASES[] = {
    CASE(ranges), CASE(flocks), CASE(waiting), CASE(deadlock), CASE(descriptions),
    CASE(fifos), CASE(named), CASE(exchanged), CASE(allocated),
    CASE(watched), CASE(overflown), CASE(lengths),
};
int main(int argc, char **argv) {
    for (unsigned which = 0; which < sizeof CASES / sizeof *CASES; which++)
        if (argc > 1 && !strcmp(argv[1], CASES[which].name)) return CASES[which].body();
    return 99;
}
