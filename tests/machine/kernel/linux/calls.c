/* What single system calls answer, one line each: a group is run natively and here, and must print the same. */

#define _GNU_SOURCE
#include <limits.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <setjmp.h>
#include <sys/wait.h>
#include <sys/resource.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>

#define BAD ((void *)0x500000000)
#define PAGE 4096

/* Prints what a call gave: its result, or the error. */
#define SHOW(call) do { errno = 0; long result_ = (long)(call); show(__LINE__, result_); } while (0)

static void show(int line, long result) {
    if (result == -1) printf("%d: %s\n", line, strerrorname_np(errno) ? strerrorname_np(errno) : "?");
    else printf("%d: %ld\n", line, result);
}

static int make(const char *name, int flags, const char *text) {
    int fd = open(name, flags | O_CREAT | O_TRUNC, 0644);
    if (write(fd, text, strlen(text)) < 0) printf("cannot write\n");
    return fd;
}

static void content(const char *name) {
    char text[64] = "";
    int fd = open(name, O_RDONLY);
    long size = read(fd, text, sizeof text - 1);
    printf("%s: %ld %s\n", name, size, text);
    close(fd);
}

static void memory(void) {
    char *two = mmap(0, 2 * PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *moved;
    strcpy(two + PAGE, "two");
    mprotect(two, PAGE, PROT_READ);
    SHOW((moved = mremap(two, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE)) == MAP_FAILED ? -1 : 0);
    SHOW(mremap(two, 2 * PAGE, PAGE, 0) == two ? 0 : -1);
    SHOW(mremap(two, PAGE, 0, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mremap(two + 1, PAGE, PAGE, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mremap(BAD, PAGE, PAGE, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mremap(two, PAGE, PAGE, 16) == MAP_FAILED ? -1 : 0);
    SHOW(mremap(two, PAGE, PAGE, MREMAP_FIXED, two) == MAP_FAILED ? -1 : 0);
    SHOW(mremap(two, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, two) == MAP_FAILED ? -1 : 0);
    SHOW(mremap(two, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, two + 1) == MAP_FAILED ? -1 : 0);
    SHOW(mremap(two, 0, PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    char *room = mmap(0, 8 * PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *source = mmap(0, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(source, "source");
    SHOW(mremap(source, PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, room + PAGE) == room + PAGE ? 0 : -1);
    printf("%s\n", room + PAGE);
    SHOW(msync(source, PAGE, MS_SYNC));
    moved = mremap(room + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | 4 /* DONTUNMAP */, 0);
    printf("%s, then %d\n", moved, room[PAGE]);
    SHOW(munmap(two + 1, PAGE));
    SHOW(munmap(two, 0));
    SHOW(munmap(two, -1UL));
    SHOW(mprotect(two + 1, PAGE, PROT_READ));
    SHOW(mprotect(BAD, PAGE, PROT_READ));
    SHOW(mprotect(two, PAGE, 0x40));
    SHOW(mprotect(two, 0, PROT_READ));
    SHOW(mprotect(two, -1UL, PROT_READ));
    SHOW(madvise(two, PAGE, 77));
    SHOW(madvise(two + 1, PAGE, MADV_DONTNEED));
    SHOW(madvise(BAD, PAGE, MADV_DONTNEED));
    SHOW(msync(room, PAGE, 8));
    SHOW(msync(room, PAGE, MS_SYNC | MS_ASYNC));
    SHOW(msync(room + 1, PAGE, MS_SYNC));
    SHOW(msync(BAD, PAGE, MS_SYNC));
    unsigned char states[4] = {9, 9, 9, 9};
    room[0] = 1;
    SHOW(mincore(room, 1, states));
    printf("%d %d\n", states[0] & 1, states[1]);
    SHOW(mincore(room + 1, PAGE, states));
    SHOW(mincore(BAD, PAGE, states));
    SHOW(mincore(room, PAGE, BAD));
    SHOW(mlock(BAD, PAGE));
    SHOW(mlockall(0));
    SHOW(mlockall(8));
    SHOW(syscall(SYS_mlock2, room, PAGE, 2));
    SHOW(mmap(0, 0, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mmap(0, PAGE, 3, MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mmap(0, PAGE, 3, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, -1, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mmap(0, PAGE, 3, MAP_PRIVATE, -1, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mmap(0, PAGE, 3, MAP_PRIVATE, 99, 1) == MAP_FAILED ? -1 : 0);
    SHOW(mmap((void *)0x7ffffffff000, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mmap(room + 1, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mmap(room, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ? -1 : 0);
    int fd = open("file", O_WRONLY | O_CREAT, 0600);
    SHOW(mmap(0, PAGE, 1, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
    fd = open("file", O_RDONLY);
    SHOW(mmap(0, PAGE, 3, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mmap(0, PAGE, 1, MAP_SHARED_VALIDATE | 0x200, fd, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mmap(0, PAGE, 1, MAP_PRIVATE, open("/", O_RDONLY), 0) == MAP_FAILED ? -1 : 0);
    char *zeros = mmap(0, PAGE, 3, MAP_PRIVATE, open("/dev/zero", O_RDWR), 0);
    printf("%d\n", zeros == MAP_FAILED ? -1 : zeros[7]++);
}

static void deep(long depth) {
    volatile char frame[65536];
    frame[0] = frame[65535] = depth;
    if (depth) deep(depth - 1);
}

static sigjmp_buf back;
static void left(int number) { siglongjmp(back, number); }
#define TRY(what) do { int caught = sigsetjmp(back, 1); if (!caught) { what; } printf("%s: %d\n", #what, caught); } while (0)

static void growing(void) {
    static char other[65536];
    struct sigaction action = {.sa_handler = left, .sa_flags = SA_ONSTACK};
    stack_t stack = {other, 0, sizeof other};
    sigaltstack(&stack, 0);
    sigaction(SIGSEGV, &action, 0);
    char *room = mmap(0, 4096 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(room, 4096 * PAGE);
    char *low = mmap(room, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    volatile char *top = mmap(room + 1024 * PAGE, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    TRY(top[0] = 1);
    TRY(top[-1] = 2);
    TRY(top[-100 * PAGE] = 3);
    TRY(top[-(1024 - 258) * PAGE] = 4);
    TRY(top[-(1024 - 200) * PAGE] = 5);
    TRY(top[-(1024 - 256) * PAGE] = 5);
    SHOW(top[-50 * PAGE]);
    int ends[2];
    SHOW(pipe(ends));
    SHOW(write(ends[1], "text", 4));
    SHOW(munmap((void *)(top - 900 * PAGE), 899 * PAGE));
    SHOW(read(ends[0], (void *)(top - 9 * PAGE), 4));
    SHOW(mprotect((void *)(top - PAGE), PAGE, PROT_READ | 1 << 24));
    TRY(top[-5 * PAGE] = 1);
    SHOW(mprotect((void *)top, PAGE, PROT_READ | 1 << 25));
    SHOW(mprotect(low, PAGE, PROT_READ | 1 << 24));
    SHOW(mprotect(low + PAGE, PAGE, PROT_READ | 1 << 25));
    SHOW(mprotect((void *)((long)&action & -PAGE), PAGE, 3 | 1 << 24));
    SHOW(mmap(0, PAGE, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mmap(0, PAGE, 1, MAP_PRIVATE | MAP_GROWSDOWN, open("/", O_RDONLY), 0) == MAP_FAILED ? -1 : 0);
    char *grows = mmap(0, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
    for (int i = 0; i < 3; i++) mmap(0, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TRY(grows[-3 * PAGE] = 1);
    TRY(deep(150));
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    limit.rlim_cur = 32 << 20;
    SHOW(setrlimit(RLIMIT_STACK, &limit));
    TRY(deep(150));
    TRY(deep(600));
    limit.rlim_cur = 36 << 20;
    SHOW(setrlimit(RLIMIT_STACK, &limit));
    if (!fork()) { TRY(deep(540)); fflush(stdout); _exit(0); }
    wait(0);
}

static void files(void) {
    char text[64] = "";
    struct stat row;
    int fd = make("append", O_RDWR | O_APPEND, "abc"), link;
    SHOW(pwrite(fd, "X", 1, 0));
    content("append");
    SHOW(lseek(fd, 0, SEEK_CUR));
    struct iovec parts[2] = {{"12", 2}, {"345", 3}};
    SHOW(pwritev(fd, parts, 2, 0));
    SHOW(syscall(SYS_pwritev2, fd, parts, 1, 0L, 0L, 0x20 /* NOAPPEND */));
    SHOW(syscall(SYS_pwritev2, fd, parts, 1, -1L, 0L, 0x1000));
    content("append");
    SHOW(read(fd, BAD, 4));
    SHOW(pread(fd, BAD, 4, 100));
    SHOW(pread(fd, BAD, 4, 0));
    SHOW(read(fd, (void *)-4096L, 4));
    SHOW(pread(fd, text, 4, -1));
    SHOW(pwrite(fd, BAD, 4, 0));
    SHOW(write(fd, BAD, 4));
    parts[0] = (struct iovec){text, 2}, parts[1] = (struct iovec){text + 8, 8};
    SHOW(preadv(fd, parts, 2, 1));
    printf("%.2s %.8s\n", text, text + 8);
    SHOW(syscall(SYS_preadv2, fd, parts, 2, -1L, 0L, 0));
    SHOW(syscall(SYS_preadv2, fd, parts, 2, 0L, 0L, 0x400));
    SHOW(preadv(fd, parts, -1, 0));
    SHOW(preadv(fd, parts, 2, -2));
    SHOW(readv(fd, BAD, 1));
    parts[1].iov_len = -1;
    SHOW(readv(fd, parts, 2));
    SHOW(write(open("/dev/null", O_WRONLY), BAD, 4));
    SHOW(write(open("/dev/full", O_WRONLY), BAD, 4));
    SHOW(read(open("/dev/null", O_RDONLY), BAD, 4));
    SHOW(read(open("/dev/zero", O_RDONLY), BAD, 4));
    SHOW(pread(open("/dev/zero", O_RDONLY), text, 4, 9));
    SHOW(lseek(open("/dev/null", O_RDONLY), 7, SEEK_SET));
    SHOW(lseek(open("/dev/null", O_RDONLY), 7, 9));
    SHOW(fsync(open("/dev/null", O_RDONLY)));
    SHOW(lseek(fd, 0, 5));
    SHOW(lseek(fd, 1000, SEEK_DATA));
    SHOW(read(open("file", O_CREAT | 3, 0600), text, 1));
    fd = make("sparse", O_RDWR, "0123456789");
    SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100));
    fstat(fd, &row);
    SHOW(row.st_size);
    SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 2, 3));
    lseek(fd, 0, SEEK_SET);
    SHOW(read(fd, text, 10));
    printf("%d %c %d %d %c\n", text[0], text[1], text[2], text[4], text[5]);
    SHOW(fallocate(fd, 0, 0, 20));
    fstat(fd, &row);
    SHOW(row.st_size);
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1));
    SHOW(fallocate(fd, 0x1000, 0, 1));
    SHOW(fallocate(fd, 0, -1, 1));
    SHOW(fallocate(fd, 0, 0, 0));
    SHOW(fallocate(open("sparse", O_RDONLY), 0, 0, 1));
    SHOW(fallocate(fd, 0, INT64_MAX, 1));
    SHOW(ftruncate(fd, -1));
    SHOW(ftruncate(open("sparse", O_RDONLY), 1));
    SHOW(truncate("/dev/null", 0));
    SHOW(posix_fadvise(fd, 0, 0, 9));
    SHOW(posix_fadvise(fd, 0, -1, 0));
    SHOW(sync_file_range(fd, 0, 0, 16));
    SHOW(syncfs(fd));
    SHOW(syncfs(-1));
    sync();
    SHOW(readahead(open("file", O_WRONLY), 0, 1));
    SHOW(flock(open("file", O_RDONLY), 3));
    SHOW(fcntl(fd, F_GETFL) & ~O_LARGEFILE);
    SHOW(fcntl(open("file", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), F_GETFL) & ~O_LARGEFILE);
    SHOW(fcntl(fd, 999));
    SHOW(fcntl(fd, F_DUPFD, 1 << 28));
    SHOW(fcntl(fd, F_GETPIPE_SZ));
    SHOW(fcntl(fd, F_SETLK, BAD));
    struct flock lock = {.l_type = 9};
    SHOW(fcntl(fd, F_SETLK, &lock));
    lock = (struct flock){.l_type = F_RDLCK, .l_whence = 9};
    SHOW(fcntl(fd, F_GETLK, &lock));
    lock = (struct flock){.l_type = F_WRLCK};
    SHOW(fcntl(open("sparse", O_RDONLY), F_SETLK, &lock));
    SHOW(fcntl(fd, F_GETLK, &lock));
    SHOW(lock.l_type);
    int n = 77;
    lseek(fd, 4, SEEK_SET);
    SHOW(ioctl(fd, FIONREAD, &n));
    SHOW(n);
    lseek(fd, 24, SEEK_SET);
    ioctl(fd, FIONREAD, &n);
    SHOW(n);
    SHOW(ioctl(fd, FIONREAD, BAD));
    SHOW(ioctl(open(".", O_RDONLY), FIONREAD, &n));
    symlink("target", "link");
    link = open("link", O_PATH | O_NOFOLLOW);
    SHOW(readlinkat(link, "", text, 64));
    SHOW(readlinkat(fd, "", text, 64));
    SHOW(readlinkat(99, "", text, 64));
    SHOW(readlinkat(AT_FDCWD, "", text, 64));
    SHOW(readlink("link", text, 0));
    SHOW(readlink("link", BAD, 64));
    link = open("sparse", O_PATH);
    SHOW(fchmod(link, 0600));
    SHOW(read(link, text, 1));
    SHOW(write(link, text, 1));
    SHOW(lseek(link, 0, SEEK_SET));
    SHOW(ftruncate(link, 0));
    SHOW(fsync(link));
    SHOW(ioctl(link, FIONREAD, &n));
    SHOW(fcntl(link, F_SETFL, 0));
    SHOW(fcntl(link, F_GETFD));
    SHOW(fcntl(link, F_GETFL));
    SHOW(fstat(link, &row));
    SHOW(fchdir(link));
    SHOW(dup(link) > 2 ? 0 : -1);
    SHOW(mmap(0, PAGE, 1, MAP_PRIVATE, link, 0) == MAP_FAILED ? -1 : 0);
    SHOW(close_range(5, 4, 0));
    SHOW(close_range(1000, 1000, 64));
    SHOW(dup3(fd, fd, 0));
    SHOW(dup3(fd, fd + 1, O_APPEND));
    SHOW(dup2(fd, -1));
    fd = make("from", O_RDWR, "0123456789");
    int to = make("to", O_RDWR, "");
    off_t here = 2, there = 0;
    SHOW(copy_file_range(fd, &here, to, &there, 100, 0));
    content("to");
    SHOW(copy_file_range(fd, &here, to, &there, 100, 1));
    here = 0, there = 1;
    SHOW(copy_file_range(fd, &here, fd, &there, 5, 0));
    SHOW(copy_file_range(fd, &here, open("append", O_WRONLY | O_APPEND), &there, 5, 0));
    SHOW(copy_file_range(open(".", O_RDONLY), 0, to, 0, 5, 0));
    SHOW(syscall(SYS_sendfile, open("append", O_WRONLY | O_APPEND), fd, &here, 5));
    here = -1;
    SHOW(syscall(SYS_sendfile, to, fd, &here, 5));
    int memory = memfd_create("name", MFD_CLOEXEC);
    SHOW(write(memory, "memory", 6));
    SHOW(lseek(memory, 0, SEEK_SET));
    SHOW(read(memory, text, 64));
    SHOW(fcntl(memory, F_GETFD));
    fstat(memory, &row);
    printf("%o %ld %ld\n", row.st_mode, (long)row.st_size, (long)row.st_nlink);
    SHOW(memfd_create("name", 0x4000));
    SHOW(syscall(SYS_memfd_create, BAD, 0));
    memset(text, 'x', 64);
    char long_name[300];
    memset(long_name, 'x', 299);
    long_name[299] = 0;
    SHOW(memfd_create(long_name, 0));
}

static void devices(void) {
    const char *names[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"};
    int to = make("to", O_RDWR, ""), from = make("from", O_RDWR, "0123456789"), ends[2];
    off_t here = 7;
    if (pipe(ends)) return;
    for (int i = 0; i < 4; i++) {
        int fd = open(names[i], O_RDWR);
        printf("%s\n", names[i]);
        SHOW(syscall(SYS_sendfile, to, fd, 0, 5000));
        SHOW(syscall(SYS_sendfile, to, fd, &here, 100));
        SHOW(splice(fd, &here, ends[1], 0, 100, 0));
        SHOW(copy_file_range(fd, 0, to, 0, 10, 0));
        lseek(from, 0, SEEK_SET);
        SHOW(syscall(SYS_sendfile, fd, from, 0, 5));
        SHOW(write(ends[1], "abc", 3));
        SHOW(splice(ends[0], 0, fd, 0, 3, 0));
    }
    SHOW(here);
    SHOW(lseek(to, 0, SEEK_END));
}

static void directories(void) {
    char text[4096];
    struct stat row;
    mkdir("d", 0755);
    mkdir("d/e", 0755);
    make("f", O_RDWR, "f");
    symlink("nowhere", "dangling");
    symlink("d", "link");
    SHOW(rmdir("d/.."));
    SHOW(rmdir("d/."));
    SHOW(rmdir("d/e/.."));
    SHOW(rmdir("none/."));
    SHOW(rmdir("f/."));
    SHOW(rmdir("/"));
    SHOW(rmdir("link/"));
    SHOW(rmdir("f"));
    SHOW(rmdir("d"));
    SHOW(unlink("."));
    SHOW(unlink("d/.."));
    SHOW(unlink("/"));
    SHOW(unlink("f/"));
    SHOW(unlink("link/"));
    SHOW(unlink("none/"));
    SHOW(unlink("d"));
    SHOW(unlinkat(AT_FDCWD, "f", 0x8000));
    SHOW(rename(".", "x"));
    SHOW(rename("d/..", "x"));
    SHOW(rename("d", "."));
    SHOW(rename("d", "d/.."));
    SHOW(rename("d", "d/e/x"));
    SHOW(rename("f/", "x"));
    SHOW(rename("f", "x/"));
    SHOW(rename("d", "f"));
    SHOW(rename("f", "d"));
    SHOW(rename("none", "x"));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "d", 1));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "x", 64));
    SHOW(rename("link/", "x"));
    SHOW(mkdir(".", 0755));
    SHOW(mkdir("/", 0755));
    SHOW(mkdir("d/..", 0755));
    SHOW(mkdir("dangling/", 0755));
    SHOW(mkdir("none/x", 0755));
    SHOW(mkdir("new/", 0755));
    SHOW(symlink("x", "."));
    SHOW(symlink("", "y"));
    SHOW(symlink("x", "y/"));
    SHOW(link("f", "."));
    SHOW(link("f", "y/"));
    SHOW(link("d", "y"));
    SHOW(link("f", "d"));
    SHOW(linkat(AT_FDCWD, "f", AT_FDCWD, "y", 0x8000));
    SHOW(link("link", "other"));
    SHOW(lstat("other", &row) ? -1 : S_ISLNK(row.st_mode));
    SHOW(fstatat(AT_FDCWD, "f", &row, 0x8));
    SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0, 1U << 31, text));
    SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0x6000, 1, text));
    SHOW(access("f", 8));
    SHOW(faccessat(AT_FDCWD, "f", 0, 0x8));
    SHOW(syscall(SYS_fchownat, AT_FDCWD, "f", -1, -1, 8));
    SHOW(utimensat(AT_FDCWD, "f", 0, 8));
    struct timespec times[2] = {{1, 1 << 30}, {1, 1}};
    SHOW(utimensat(AT_FDCWD, "f", times, 0));
    times[0].tv_nsec = UTIME_OMIT;
    SHOW(utimensat(AT_FDCWD, "f", times, 0));
    SHOW(stat("f", &row) ? -1 : row.st_mtime);
    times[0] = (struct timespec){-5, 0};
    SHOW(utimensat(AT_FDCWD, "f", times, 0));
    SHOW(stat("f", &row) ? -1 : row.st_atime + 100);
    times[0].tv_nsec = times[1].tv_nsec = UTIME_OMIT;
    SHOW(utimensat(AT_FDCWD, "none", times, 0));
    struct timeval old[2] = {{1, 1000000}, {1, 0}};
    SHOW(utimes("f", old));
    long seconds[2] = {7, 8};
    SHOW(syscall(SYS_utime, "f", seconds));
    SHOW(stat("f", &row) ? -1 : row.st_mtime);

    SHOW(open("d", O_CREAT | O_DIRECTORY, 0644));
    SHOW(open("g", O_CREAT | O_DIRECTORY, 0644));
    SHOW(open("g", O_RDONLY));
    SHOW(open("g/", O_CREAT | O_RDWR, 0644));
    SHOW(open("f/", O_CREAT | O_RDWR, 0644));
    SHOW(open("d/", O_CREAT | O_RDONLY, 0644));
    SHOW(open("d", O_CREAT | O_RDONLY, 0644));
    SHOW(open(".", O_CREAT | O_RDONLY, 0644));
    SHOW(open("d", O_TRUNC | O_RDONLY));
    SHOW(open("dangling", O_CREAT | O_EXCL, 0644));
    SHOW(open("link", O_NOFOLLOW | O_RDONLY));
    SHOW(open("link/", O_NOFOLLOW | O_RDONLY) > 2 ? 0 : -1);
    int named = open("f", O_PATH | O_CREAT | O_EXCL | O_WRONLY, 0644);
    SHOW(fcntl(named, F_GETFL));

    int fd = open("d", O_TMPFILE | O_RDWR, 0640);
    SHOW(write(fd, "nameless", 8));
    fstat(fd, &row);
    printf("%o %ld %ld\n", row.st_mode, (long)row.st_size, (long)row.st_nlink);
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(read(fd, text, 64));
    SHOW(open("d", O_TMPFILE | O_RDONLY, 0640));
    SHOW(open("f", O_TMPFILE | O_RDWR, 0640));
    SHOW(open("none", O_TMPFILE | O_RDWR, 0640));
    SHOW(open("d", (O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0640));
    SHOW(open("d", O_TMPFILE | O_CREAT | O_RDWR, 0640));
    SHOW(rmdir("d/e"));

    SHOW(getcwd(text, 1) ? 0 : -1);
    mkdir("gone", 0755);
    SHOW(chdir("gone"));
    fd = open(".", O_RDONLY);
    SHOW(rmdir("../gone"));
    SHOW(syscall(SYS_getcwd, text, 4096L));
    SHOW(open("x", O_CREAT | O_RDWR, 0644));
    SHOW(mkdir("x", 0755));
    SHOW(stat(".", &row) ? -1 : (long)row.st_nlink);
    SHOW(syscall(SYS_getdents64, fd, text, 4096));
    SHOW(chdir(".."));
    SHOW(syscall(SYS_getdents64, open("f", O_RDONLY), text, 4096));
    SHOW(syscall(SYS_getdents64, open(".", O_RDONLY), text, 8));
    SHOW(syscall(SYS_getdents64, open(".", O_RDONLY), BAD, 4096));
    fd = open("d", O_RDONLY);
    long size = syscall(SYS_getdents, fd, text, 4096);
    for (long at = 0; at < size; at += *(unsigned short *)(text + at + 16))
        printf("%s %d\n", text + at + 18, text[at + *(unsigned short *)(text + at + 16) - 1]);
    SHOW(lseek(fd, -1, SEEK_SET));
    SHOW(lseek(fd, 0, 9));
    lseek(fd, LONG_MAX, SEEK_SET); // some file systems take this
    SHOW(lseek(fd, LONG_MAX, SEEK_CUR));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(read(fd, text, 1));
    SHOW(pread(fd, text, 1, 0));
    SHOW(fchdir(open("f", O_RDONLY)));
}

static int how(int fd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    uint64_t words[3] = {flags, mode, resolve};
    return syscall(SYS_openat2, fd, path, words, sizeof words) > 2 ? 0 : -1;
}

static void resolving(void) {
    mkdir("shown/e", 0755); /* the test has made the folder and its links, some of which a guest may not make */
    make("f", O_RDWR, "f");
    make("shown/inside", O_RDWR, "inside");
    int d = open("shown", O_RDONLY | O_DIRECTORY);
    for (int resolve = 0; resolve < 0x40; resolve = resolve ? 2 * resolve : 1) {
        if (resolve == 0x20) continue;
        printf("resolve %x\n", resolve);
        SHOW(how(d, "inside", O_RDONLY, 0, resolve));
        SHOW(how(d, "link", O_RDONLY, 0, resolve));
        SHOW(how(d, "link", O_PATH | O_NOFOLLOW, 0, resolve));
        SHOW(how(d, "around", O_RDONLY, 0, resolve));
        SHOW(how(d, "e/../inside", O_RDONLY, 0, resolve));
        SHOW(how(d, "e/../../f", O_RDONLY, 0, resolve));
        SHOW(how(d, "../f", O_RDONLY, 0, resolve));
        SHOW(how(d, "..", O_RDONLY, 0, resolve));
        SHOW(how(d, "out", O_RDONLY, 0, resolve));
        if (resolve != 1) { /* the root is natively another file system */
            SHOW(how(d, "absolute", O_RDONLY, 0, resolve));
            SHOW(how(d, "/inside", O_RDONLY, 0, resolve));
        }
        SHOW(how(d, "new", O_RDWR | O_CREAT | O_EXCL, 0600, resolve));
        unlinkat(d, "new", 0);
        SHOW(how(d, "none/x", O_RDONLY, 0, resolve));
    }
    SHOW(how(AT_FDCWD, "/dev/null", O_RDONLY, 0, 1));
    SHOW(how(d, "inside", O_RDONLY, 0, 0x18));
    SHOW(how(d, "inside", O_RDONLY, 0, 0x40));
    SHOW(how(d, "inside", O_RDONLY, 0600, 0));
    SHOW(how(d, "inside", O_RDWR | O_CREAT, 0100000, 0));
    SHOW(how(d, "inside", 1ULL << 40, 0, 0));
    SHOW(how(d, "inside", 1 << 30, 0, 0));
    SHOW(how(d, "inside", O_PATH | O_RDWR, 0, 0));
    SHOW(how(d, "inside", O_RDWR | O_CREAT, 0600, 0x20));
    SHOW(how(d, "", O_RDONLY, 0, 0));
    SHOW(how(99, "inside", O_RDONLY, 0, 0));
    uint64_t words[5] = {O_RDONLY, 0, 0, 0, 0};
    SHOW(syscall(SYS_openat2, d, "inside", words, 16));
    SHOW(syscall(SYS_openat2, d, "inside", words, 40) > 2 ? 0 : -1);
    words[4] = 1;
    SHOW(syscall(SYS_openat2, d, "inside", words, 40));
    SHOW(syscall(SYS_openat2, d, "inside", words, 8192));
    SHOW(syscall(SYS_openat2, d, "inside", BAD, 24));
}

static void pipes(void) {
    char text[70000] = "";
    int ends[2], other[2], n = 77;
    SHOW(pipe2(ends, 0x10000000));
    SHOW(pipe2(BAD, 0));
    SHOW(pipe2(ends, O_NONBLOCK));
    SHOW(pipe2(other, O_NONBLOCK));
    SHOW(read(ends[0], text, 1));
    SHOW(write(ends[1], "abc", 3));
    SHOW(write(ends[1], "de", 2));
    SHOW(ioctl(ends[0], FIONREAD, &n));
    SHOW(n);
    SHOW(ioctl(ends[1], FIONREAD, &n));
    SHOW(n);
    SHOW(read(ends[0], BAD, 1));
    SHOW(read(ends[0], text, 100));
    SHOW(read(ends[1], text, 1));
    SHOW(write(ends[0], text, 1));
    SHOW(pread(ends[0], text, 1, 0));
    SHOW(pwrite(ends[1], text, 1, 0));
    SHOW(pread(ends[1], text, 1, 0));
    SHOW(lseek(ends[0], 0, SEEK_SET));
    SHOW(fcntl(ends[0], F_GETFL));
    SHOW(fcntl(ends[0], F_GETPIPE_SZ));
    SHOW(write(ends[1], text, 70000));
    SHOW(write(ends[1], text, 1));
    SHOW(fcntl(ends[0], F_SETPIPE_SZ, 4096));
    SHOW(read(ends[0], text, 70000));
    SHOW(fcntl(ends[0], F_SETPIPE_SZ, 5000));
    SHOW(fcntl(ends[1], F_GETPIPE_SZ));
    SHOW(fcntl(ends[1], F_SETPIPE_SZ, 0));
    SHOW(fcntl(ends[1], F_SETPIPE_SZ, 0xf0000000));
    SHOW(write(ends[1], text, 4000));
    SHOW(write(ends[1], text, 4000));
    SHOW(read(ends[0], text, 70000));
    SHOW(fsync(ends[0]));
    SHOW(fallocate(ends[1], 0, 0, 1));
    SHOW(fallocate(ends[0], 0, 0, 1));
    SHOW(ftruncate(ends[1], 0));
    SHOW(posix_fadvise(ends[0], 0, 0, 0));
    SHOW(fchdir(ends[0]));

    int fd = make("file", O_RDWR, "0123456789");
    off_t at = 2;
    SHOW(splice(fd, &at, ends[1], 0, 4, 0));
    SHOW(at);
    SHOW(tee(ends[0], other[1], 100, 0));
    SHOW(read(other[0], text, 100));
    printf("%.4s\n", text);
    SHOW(splice(ends[0], 0, other[1], 0, 3, 0));
    at = 1;
    SHOW(splice(other[0], 0, fd, &at, 100, 0));
    content("file");
    SHOW(splice(ends[0], 0, fd, 0, 100, 0));
    SHOW(splice(ends[0], 0, fd, 0, 100, 0));
    SHOW(splice(ends[0], 0, fd, 0, 0, 0));
    SHOW(splice(ends[0], 0, fd, 0, 1, 0x100));
    SHOW(splice(fd, 0, fd, 0, 1, 0));
    SHOW(splice(fd, 0, ends[0], 0, 1, 0));
    SHOW(splice(ends[1], 0, fd, 0, 1, 0));
    SHOW(splice(ends[0], &at, fd, 0, 1, 0));
    SHOW(splice(99, 0, fd, 0, 1, 0));
    SHOW(write(ends[1], "x", 1));
    SHOW(splice(ends[0], 0, ends[1], 0, 1, 0));
    SHOW(splice(ends[0], 0, open("file", O_WRONLY | O_APPEND), 0, 1, 0));
    SHOW(tee(ends[0], ends[1], 1, 0));
    SHOW(tee(fd, ends[1], 1, 0));

    signal(SIGPIPE, SIG_IGN);
    close(other[0]);
    SHOW(write(other[1], "x", 1));
    close(ends[1]);
    SHOW(read(ends[0], text, 1));
    SHOW(read(ends[0], text, 1));
    SHOW(read(ends[0], BAD, 1));

    uint64_t count;
    int event = syscall(SYS_eventfd2, 3, O_NONBLOCK);
    SHOW(read(event, &count, 4));
    SHOW(read(event, &count, 8));
    SHOW(count);
    SHOW(read(event, &count, 8));
    count = UINT64_MAX;
    SHOW(write(event, &count, 8));
    count = UINT64_MAX - 1;
    SHOW(write(event, &count, 8));
    count = 1;
    SHOW(write(event, &count, 8));
    SHOW(write(event, &count, 4));
    SHOW(fcntl(event, F_GETFL));
    event = syscall(SYS_eventfd2, 2, O_NONBLOCK | 1);
    SHOW(read(event, &count, 8));
    SHOW(count);
    SHOW(read(event, &count, 8));
    SHOW(read(event, &count, 8));
    SHOW(syscall(SYS_eventfd2, 0, 0x100));
}

static void broken_pipe(void) {
    int ends[2];
    pipe(ends);
    close(ends[0]);
    write(ends[1], "x", 1);
    printf("still there\n");
}

static long pending(void) {
    sigset_t set;
    uint64_t mask = 0;
    sigpending(&set);
    memcpy(&mask, &set, 8);
    return mask;
}

static void signals(void) {
    sigset_t set, none;
    siginfo_t info;
    struct timespec moment = {0, 1000};
    sigemptyset(&none);
    sigemptyset(&set);
    SHOW(pending());
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTSTP);
    sigaddset(&set, SIGCONT);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, 0);
    SHOW(raise(SIGUSR1));
    SHOW(pending());
    SHOW(kill(getpid(), SIGCHLD));
    SHOW(pending());
    signal(SIGUSR1, SIG_IGN);
    SHOW(pending());
    raise(SIGUSR1);
    SHOW(pending());
    raise(SIGTSTP);
    SHOW(pending());
    raise(SIGCONT);
    SHOW(pending());
    raise(SIGTSTP);
    SHOW(pending());
    SHOW(sigtimedwait(&set, &info, &moment));
    SHOW(info.si_signo * 1000 + info.si_code);
    SHOW(info.si_pid == getpid());
    SHOW(sigtimedwait(&set, 0, &moment));
    SHOW(sigtimedwait(&set, 0, &moment));
    SHOW(sigtimedwait(&set, 0, &moment));
    moment.tv_nsec = -1;
    SHOW(sigtimedwait(&set, 0, &moment));
    SHOW(syscall(SYS_rt_sigtimedwait, &set, 0, 0, 4));
    SHOW(syscall(SYS_rt_sigpending, &set, 9));
    SHOW(syscall(SYS_rt_sigpending, BAD, 8));
    raise(SIGWINCH);
    SHOW(sigprocmask(SIG_UNBLOCK, &set, 0));
    SHOW(pending());
    SHOW(syscall(SYS_rt_sigprocmask, 9, &none, 0, 8));
    SHOW(syscall(SYS_rt_sigprocmask, 9, 0, &none, 8));
    SHOW(syscall(SYS_rt_sigprocmask, 0, BAD, 0, 8));
    SHOW(syscall(SYS_rt_sigprocmask, 0, &none, 0, 4));
    SHOW(syscall(SYS_rt_sigaction, 65, 0, 0, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGKILL, &none, 0, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGKILL, 0, 0, 8));
    SHOW(syscall(SYS_tgkill, 0, 0, 0));
    SHOW(syscall(SYS_tkill, -1, 0));
    SHOW(syscall(SYS_tgkill, getpid(), getpid(), 0));
    SHOW(kill(getpid(), 65));
    SHOW(kill(getpid(), -1));
    SHOW(kill(getpid(), 0));
    stack_t stack = {.ss_sp = &set, .ss_flags = 64, .ss_size = 10000};
    SHOW(sigaltstack(&stack, 0));
    stack.ss_flags = 0, stack.ss_size = 100;
    SHOW(sigaltstack(&stack, 0));
    SHOW(sigaltstack(BAD, 0));
    stack.ss_size = 100000;
    SHOW(sigaltstack(&stack, 0));
    SHOW(sigaltstack(0, &stack));
    SHOW(stack.ss_flags + stack.ss_size);
    SHOW(alarm(100));
    SHOW(alarm(0));
    struct itimerval timer = {{5, 0}, {50, 0}}, old;
    SHOW(setitimer(ITIMER_VIRTUAL, &timer, 0));
    SHOW(getitimer(ITIMER_VIRTUAL, &old));
    printf("%ld %ld\n", (long)old.it_interval.tv_sec, (long)old.it_value.tv_sec / 10);
    timer.it_value.tv_usec = 1000000;
    SHOW(setitimer(ITIMER_VIRTUAL, &timer, 0));
    SHOW(setitimer(3, &old, 0));
    SHOW(getitimer(0, BAD));
    SHOW(getitimer(3, &old));
}

static void killed(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, 0);
    raise(SIGTERM);
    raise(SIGUSR2);
    printf("blocked\n");
    fflush(stdout);
    sigprocmask(SIG_UNBLOCK, &set, 0);
    printf("still there\n");
}

static void process(void) {
    static uint32_t words[4] = {0, 0, 0, 0};
    struct timespec bad = {0, -1};
    char *odd = (char *)words + 1;
    SHOW(syscall(SYS_futex, odd, 0, 0, 0));
    SHOW(syscall(SYS_futex, odd, 1, 1));
    SHOW(syscall(SYS_futex, words, 0x80, 1, 0));
    SHOW(syscall(SYS_futex, words, 0x80, 0, &bad));
    SHOW(syscall(SYS_futex, words, 0x80, 0, BAD));
    SHOW(syscall(SYS_futex, words, 0x7f, 0, 0));
    SHOW(syscall(SYS_futex, words, 0x180, 0, 0));
    SHOW(syscall(SYS_futex, words, 0x89, 0, 0, 0, 0));
    SHOW(syscall(SYS_futex, words, 0x8a, 0, 0, 0, 0));
    SHOW(syscall(SYS_futex, words, 0x83, 1, 1L, words + 1, 0));
    SHOW(syscall(SYS_futex, words, 0x84, 1, 1L, words + 1, 9));
    SHOW(syscall(SYS_futex, words, 0x83, -1, 1L, words + 1, 0));
    SHOW(syscall(SYS_futex, BAD, 0x80, 0, 0));
    SHOW(syscall(SYS_futex, BAD, 1, 1));
    SHOW(syscall(SYS_futex, BAD, 0x81, 1));
    SHOW(syscall(SYS_getpriority, 0, 0));
    SHOW(syscall(SYS_getpriority, 3, 0));
    SHOW(syscall(SYS_getpriority, 0, 0x3fffffff));
    SHOW(syscall(SYS_setpriority, 0, 0, 7));
    SHOW(syscall(SYS_getpriority, 0, getpid()));
    SHOW(syscall(SYS_setpriority, 0, 0, 100));
    SHOW(syscall(SYS_getpriority, 0, 0));
    SHOW(syscall(SYS_setpriority, -1, 0, 1));
    SHOW(syscall(SYS_sched_get_priority_max, 1));
    SHOW(syscall(SYS_sched_get_priority_min, 1));
    SHOW(syscall(SYS_sched_get_priority_max, 77));
    SHOW(syscall(SYS_sched_getscheduler, 0));
    SHOW(syscall(SYS_sched_getscheduler, -1));
    SHOW(syscall(SYS_sched_getparam, 0, 0));
    SHOW(syscall(SYS_wait4, -1, 0, 0, 0));
    SHOW(syscall(SYS_wait4, -1, 0, 0x100, 0));
    SHOW(syscall(SYS_waitid, 0, 0, words, 4, 0));
    SHOW(syscall(SYS_waitid, 0, 0, words, 0, 0));
    SHOW(syscall(SYS_waitid, 9, 0, words, 4, 0));
    SHOW(syscall(SYS_personality, 0xffffffff));
    SHOW(syscall(SYS_getpgid, 0x3fffffff));
    SHOW(syscall(SYS_getsid, -5));
    SHOW(syscall(SYS_getgroups, -1, words));
    SHOW(syscall(SYS_getrandom, words, 4, 8));
    SHOW(syscall(SYS_getrandom, words, 4, 6));
    SHOW(syscall(SYS_getrandom, BAD, 4, 0));
    uint64_t limits[2] = {2, 1};
    SHOW(syscall(SYS_setrlimit, 0, limits));
    SHOW(syscall(SYS_setrlimit, 99, limits));
    SHOW(syscall(SYS_setrlimit, 0, BAD));
    SHOW(syscall(SYS_prlimit64, 0x3fffffff, 0, 0, 0));
    SHOW(syscall(SYS_nanosleep, &bad, 0));
    SHOW(syscall(SYS_nanosleep, BAD, 0));
    bad.tv_nsec = 1;
    SHOW(syscall(SYS_clock_nanosleep, 4, 0, &bad, 0));
    SHOW(syscall(SYS_clock_nanosleep, 3, 0, &bad, 0));
    SHOW(syscall(SYS_clock_nanosleep, 77, 0, &bad, 0));
    SHOW(syscall(SYS_clock_gettime, 77, &bad));
    for (int clock = -8; clock < 0; clock++) { SHOW(syscall(SYS_clock_gettime, clock, &bad)); }
    for (int kind = 0; kind < 8; kind++) {
        SHOW(syscall(SYS_clock_gettime, ~getpid() << 3 | kind, &bad));
        SHOW(syscall(SYS_clock_gettime, ~(1 << 28) | kind, &bad));
    }
    {
        int full[2]; static char much[1 << 16];
        SHOW(pipe2(full, O_NONBLOCK)); SHOW(write(full[1], BAD, 10));
        SHOW(write(full[1], much, sizeof much)); SHOW(write(full[1], BAD, 10)); SHOW(write(full[1], BAD, 10000));
        SHOW(write(full[1], BAD, 0)); SHOW(read(full[0], much, 4096)); SHOW(write(full[1], BAD, 10));
        close(full[0]); close(full[1]);
    }
    SHOW(syscall(SYS_clock_gettime, 0, BAD));
    int ends[2];
    pipe(ends);
    struct { int fd; short events, revents; } rows[2] = {{ends[0], 0x45, 0}, {ends[1], 0x145, 0}};
    SHOW(syscall(SYS_poll, rows, 2, 0));
    printf("%x %x\n", rows[0].revents, rows[1].revents);
    write(ends[1], "x", 1);
    SHOW(syscall(SYS_poll, rows, 2, 0));
    printf("%x %x\n", rows[0].revents, rows[1].revents);
    close(ends[1]);
    SHOW(syscall(SYS_poll, rows, 2, 0));
    printf("%x %x\n", rows[0].revents, rows[1].revents);
    read(ends[0], words, 1);
    SHOW(syscall(SYS_poll, rows, 1, 0));
    printf("%x\n", rows[0].revents);
    SHOW(syscall(SYS_poll, BAD, 1, 0));
    SHOW(syscall(SYS_poll, rows, -1, 0));
    SHOW(syscall(SYS_ppoll, rows, 1, 0, rows, 4));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timeval now = {0, 0};
    SHOW(syscall(SYS_select, 64, &set, 0, 0, &now));
    FD_SET(60, &set);
    SHOW(syscall(SYS_select, 64, &set, 0, 0, &now));
    SHOW(syscall(SYS_select, -1, 0, 0, 0, &now));
    now.tv_usec = -1;
    SHOW(syscall(SYS_select, 0, 0, 0, 0, &now));
    SHOW(syscall(SYS_select, 64, BAD, 0, 0, 0));
}

static void policies(void) {
    char *m = mmap(0, 0x10000, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned long masks[][4] = {{0}, {1}, {2}, {3}}, got[4];
    for (int mode = -1; mode < 9; mode++)
        for (int way = -1; way < 4; way++) {
            unsigned long *mask = way < 0 ? 0 : masks[way];
            int size = way < 0 ? 0 : 64, policy = 77;
            SHOW(syscall(SYS_set_mempolicy, mode, mask, size));
            got[0] = 9;
            SHOW(syscall(SYS_get_mempolicy, &policy, got, 64, 0, 0));
            printf("%d %lx\n", policy, got[0]);
            SHOW(syscall(SYS_get_mempolicy, &policy, 0, 0, 0, 1));
            SHOW(syscall(SYS_mbind, m, PAGE, mode, mask, size, 0));
            SHOW(syscall(SYS_get_mempolicy, &policy, got, 64, m, 2));
            printf("%d %lx\n", policy, got[0]);
            SHOW(syscall(SYS_get_mempolicy, &policy, got, 64, m + PAGE, 2));
            printf("%d %lx\n", policy, got[0]);
        }
    SHOW(syscall(SYS_set_mempolicy, 0, 0, 0));
    unsigned long *one = masks[1];
    int modes[] = {2 | 0x8000, 2 | 0x4000, 2 | 0xC000, 2 | 0x2000, 3 | 0x2000, 1 | 0x8000, 0x8000, 4 | 0x8000};
    for (int i = 0; i < 8; i++) {
        int policy = 0;
        SHOW(syscall(SYS_mbind, m, PAGE, modes[i], one, 64, 0));
        SHOW(syscall(SYS_mbind, m, PAGE, modes[i], 0, 0, 0));
        SHOW(syscall(SYS_get_mempolicy, &policy, got, 64, m, 2));
        printf("%x %lx\n", policy, got[0]);
    }
    SHOW(syscall(SYS_mbind, m + 1, PAGE, 2, one, 64, 0));
    SHOW(syscall(SYS_mbind, m, 0, 2, one, 64, 0));
    SHOW(syscall(SYS_mbind, m, -4095L, 2, one, 64, 0));
    SHOW(syscall(SYS_mbind, BAD, PAGE, 2, one, 64, 0));
    SHOW(syscall(SYS_mbind, m, PAGE, 2, one, 64, 3));
    SHOW(syscall(SYS_mbind, m, PAGE, 2, one, 64, 8));
    SHOW(syscall(SYS_mbind, m, PAGE, 2, BAD, 64, 0));
    for (int size = 0; size < 3; size++) SHOW(syscall(SYS_mbind, m, PAGE, 2, one, size, 0));
    SHOW(syscall(SYS_mbind, m, PAGE, 2, one, 40000, 0));
    SHOW(syscall(SYS_get_mempolicy, 0, 0, 0, BAD, 2));
    SHOW(syscall(SYS_get_mempolicy, 0, 0, 0, 0, 6));
    SHOW(syscall(SYS_get_mempolicy, 0, 0, 0, 0, 8));
    SHOW(syscall(SYS_get_mempolicy, 0, got, 0, 0, 4));
    got[0] = 9;
    SHOW(syscall(SYS_get_mempolicy, 0, got, 1, 0, 4));
    printf("%lx\n", got[0]);
    SHOW(syscall(SYS_get_mempolicy, 0, got, 64, 0, 4));
    printf("%lx\n", got[0]);
    SHOW(syscall(SYS_mbind, m, PAGE, 2, one, 64, 0));
    SHOW(syscall(SYS_set_mempolicy_home_node, m, PAGE, 0, 0));
    SHOW(syscall(SYS_set_mempolicy_home_node, m, PAGE, 64, 0));
    SHOW(syscall(SYS_set_mempolicy_home_node, m, PAGE, 0, 1));
    SHOW(syscall(SYS_set_mempolicy_home_node, m + PAGE, PAGE, 0, 0));
    SHOW(syscall(SYS_mbind, m, PAGE, 3, one, 64, 0));
    SHOW(syscall(SYS_set_mempolicy_home_node, m, PAGE, 0, 0));
    SHOW(syscall(SYS_migrate_pages, 0, 64, one, one));
    SHOW(syscall(SYS_migrate_pages, 0, 64, one, masks[0]));
    SHOW(syscall(SYS_migrate_pages, 0x3fffffff, 64, one, one));
    SHOW(syscall(SYS_migrate_pages, 0, 64, BAD, one));
    SHOW(syscall(SYS_migrate_pages, 0, 64, 0, one));
    SHOW(syscall(SYS_migrate_pages, 0, 64, one, 0));
    m[0x2000] = 1;
    void *pages[4] = {m, m + 0x2000, BAD, m + 0x2001};
    int states[4] = {9, 9, 9, 9}, nodes[4] = {0, 0, 0, 5};
    SHOW(syscall(SYS_move_pages, 0, 4, pages, 0, states, 0));
    for (int i = 0; i < 4; i++) printf("%d ", states[i]);
    SHOW(syscall(SYS_move_pages, 0, 3, pages, nodes, states, 2));
    for (int i = 0; i < 4; i++) printf("%d ", states[i]);
    SHOW(syscall(SYS_move_pages, 0, 4, pages, nodes, states, 2));
    SHOW(syscall(SYS_move_pages, 0, 4, pages, nodes, states, 1));
    SHOW(syscall(SYS_move_pages, 0x3fffffff, 4, pages, nodes, states, 2));
    SHOW(syscall(SYS_move_pages, 0, 0, 0, 0, 0, 0));
    SHOW(syscall(SYS_move_pages, 0, 4, 0, 0, states, 0));
}

static void residence(void) {
    int kinds[] = {MAP_PRIVATE, MAP_SHARED};
    for (int i = 0; i < 2; i++) {
        unsigned char states[8];
        memset(states, 9, 8);
        volatile char *m = mmap(0, 8 * PAGE, 3, kinds[i] | MAP_ANONYMOUS, -1, 0);
        m[3 * PAGE] = 1;
        char seen = m[5 * PAGE];
        SHOW(mincore((void *)m, 8 * PAGE, states) + seen);
        for (int page = 0; page < 8; page++) printf("%d", states[page]);
        madvise((void *)(m + 3 * PAGE), PAGE, MADV_DONTNEED);
        SHOW(mincore((void *)m, 8 * PAGE, states));
        for (int page = 0; page < 8; page++) printf("%d", states[page]);
        puts("");
    }
}

static void vectors(void) {
    int ends[2];
    struct iovec rows[3] = {{"hello", 5}, {"", 0}, {"world", 5}}, bad[2] = {{"abc", 3}, {BAD, 8}};
    char text[32] = "";
    if (pipe(ends)) return;
    SHOW(vmsplice(ends[1], rows, 3, 0));
    SHOW(read(ends[0], text, 32));
    puts(text);
    SHOW(write(ends[1], "abcdefgh", 8));
    struct iovec parts[2] = {{text, 3}, {text + 10, 10}};
    SHOW(vmsplice(ends[0], parts, 2, 0));
    puts(text);
    SHOW(vmsplice(ends[1], rows, 3, 16));
    SHOW(vmsplice(ends[1], rows, 3, 15));
    SHOW(vmsplice(1000, rows, 3, 0));
    SHOW(vmsplice(ends[1], rows, 0, 0));
    SHOW(vmsplice(ends[1], rows, 2000, 0));
    SHOW(vmsplice(ends[1], BAD, 2, 0));
    SHOW(vmsplice(open("/dev/null", O_RDWR), rows, 1, 0));
    SHOW(vmsplice(open("/dev/null", O_PATH), rows, 1, 0));
    SHOW(vmsplice(ends[1], bad, 2, 0));
    SHOW(vmsplice(ends[1], bad + 1, 1, 0));
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    SHOW(read(ends[0], text, 32));
    SHOW(vmsplice(ends[0], parts, 2, SPLICE_F_NONBLOCK));
    signal(SIGPIPE, SIG_IGN);
    close(ends[0]);
    SHOW(vmsplice(ends[1], rows, 1, 0));
}

static void slack(void) {
    SHOW(prctl(PR_SET_TIMERSLACK, 1234));
    SHOW(prctl(PR_SET_PDEATHSIG, 10));
    if (!fork()) {
        int signal = 9;
        SHOW(prctl(PR_GET_TIMERSLACK));
        SHOW(prctl(PR_SET_TIMERSLACK, 55));
        SHOW(prctl(PR_SET_TIMERSLACK, 0));
        SHOW(prctl(PR_GET_TIMERSLACK));
        SHOW(prctl(PR_GET_PDEATHSIG, &signal));
        printf("%d\n", signal);
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    SHOW(prctl(PR_SET_TIMERSLACK, 0));
    SHOW(prctl(PR_GET_TIMERSLACK));
    for (int operation = 0; operation < 6; operation++)
        if (operation != 2) {
            SHOW(prctl(PR_CAP_AMBIENT, operation, 0, 0, 0));
            SHOW(prctl(PR_CAP_AMBIENT, operation, 99, 0, 0));
            SHOW(prctl(PR_CAP_AMBIENT, operation, 0, 1, 0));
        }
    SHOW(prctl(PR_GET_SECUREBITS));
}

static const struct { const char *name; void (*run)(void); } GROUPS[] = {
    {"memory", memory}, {"growing", growing}, {"files", files}, {"devices", devices}, {"directories", directories}, {"resolving", resolving}, {"pipes", pipes},
    {"broken_pipe", broken_pipe}, {"signals", signals}, {"killed", killed}, {"process", process},
    {"policies", policies}, {"residence", residence}, {"vectors", vectors}, {"slack", slack},
};

int main(int argc, char **argv) {
    for (size_t i = 0; i < sizeof GROUPS / sizeof *GROUPS; i++)
        if (argc > 1 && !strcmp(argv[1], GROUPS[i].name)) GROUPS[i].run();
    return 0;
}
