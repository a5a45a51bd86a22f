/* One call of each kind that hds trace decodes, for a comparison with strace. Its argument is an empty folder. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>
#include <fcntl.h>
#include <errno.h>
#include <time.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/signalfd.h>
#include <sys/inotify.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sem.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <linux/netlink.h>
static void handler(int n) { (void)n; }
int main(int count, char **texts) {
    chdir(texts[1]);
    mkdir("d", 0755); mkdir("d", 0755);
    int fd = open("d/a", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    write(fd, "hello \"world\"\n\t\x01\x02" "3\xff and more than thirty-two bytes", 56);
    pwrite(fd, "zz", 2, 4);
    lseek(fd, 0, SEEK_SET);
    char buf[100]; read(fd, buf, 20); read(fd, buf, 100); pread(fd, buf, 5, 2);
    struct iovec v[2] = {{"ab", 2}, {"cde", 3}}; writev(fd, v, 2);
    struct iovec w[2] = {{buf, 4}, {buf + 4, 40}}; lseek(fd, -10, SEEK_END); readv(fd, w, 2);
    struct stat st; fstat(fd, &st); stat("d/a", &st); lstat("nosuch", &st); stat("/dev/null", &st);
    struct statfs sf; statfs("nosuch", &sf);
    fcntl(fd, F_GETFD); fcntl(fd, F_SETFD, FD_CLOEXEC); fcntl(fd, F_GETFL); fcntl(fd, F_SETFL, O_APPEND); fcntl(fd, F_DUPFD, 10); fcntl(fd, F_DUPFD_CLOEXEC, 0);
    struct flock fl = {F_WRLCK, SEEK_SET, 0, 10}; fcntl(fd, F_SETLK, &fl); fcntl(fd, F_GETLK, &fl);
    ftruncate(fd, 1000); fsync(fd); fchmod(fd, 0600); chmod("d/a", 0640);
    access("d/a", R_OK | W_OK); access("nosuch", F_OK); faccessat(AT_FDCWD, "d/a", X_OK, AT_EACCESS);
    symlink("target", "d/l"); readlink("d/l", buf, sizeof buf); link("d/a", "d/b"); rename("d/b", "d/c");
    renameat2(AT_FDCWD, "d/c", AT_FDCWD, "d/a", RENAME_NOREPLACE);
    unlink("d/c"); unlink("d/l"); unlinkat(AT_FDCWD, "d/nosuch", AT_REMOVEDIR);
    int d = open("d", O_RDONLY | O_DIRECTORY); syscall(SYS_getdents64, d, buf, 100); close(d);
        int p[2]; pipe(p); pipe2(p, O_CLOEXEC | O_NONBLOCK); read(p[0], buf, 10);
    dup2(1, 20); dup3(1, 21, O_CLOEXEC); close(99);
    void *m = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(m, 4096, PROT_READ); madvise(m, 4096, MADV_DONTNEED); msync(m, 4096, MS_SYNC); mremap(m, 8192, 16384, MREMAP_MAYMOVE); munmap(m, 4096);
    mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0); mmap(0, 0, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct utsname u; uname(&u);
    struct rlimit r; getrlimit(RLIMIT_STACK, &r);
    struct rusage ru; getrusage(RUSAGE_SELF, &ru); struct tms t; times(&t);
    umask(022); umask(077);
    getuid(); getgid(); geteuid(); getpgrp(); getsid(0); getpgid(0); getppid(); syscall(SYS_gettid);
    struct sigaction sa = {0}; sa.sa_handler = handler; sigaddset(&sa.sa_mask, SIGINT); sa.sa_flags = SA_RESTART; sigaction(SIGUSR1, &sa, 0); sigaction(SIGUSR2, 0, &sa);
    sigset_t s; sigemptyset(&s); sigaddset(&s, SIGUSR1); sigaddset(&s, SIGTERM); sigprocmask(SIG_BLOCK, &s, 0); kill(getpid(), SIGUSR1); sigpending(&s); sigemptyset(&s); sigprocmask(SIG_SETMASK, &s, &s);
    kill(getpid(), 0); raise(SIGUSR1); signal(SIGPIPE, SIG_IGN); alarm(0);
    stack_t ss = {malloc(16384), 0, 16384}; sigaltstack(&ss, 0); sigaltstack(0, &ss);
    struct timespec ts = {0, 1000000}; nanosleep(&ts, 0); syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts); clock_getres(CLOCK_REALTIME, &ts); syscall(SYS_gettimeofday, &ru.ru_utime, 0); syscall(SYS_clock_gettime, 77, &ts);
    struct itimerval it = {{0, 0}, {100, 5}}; setitimer(ITIMER_REAL, &it, 0); getitimer(ITIMER_VIRTUAL, &it); 
    int sv[2]; socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv); send(sv[0], "ping", 4, MSG_NOSIGNAL); recv(sv[1], buf, 100, 0); shutdown(sv[0], SHUT_WR);
    struct pollfd pf[2] = {{sv[1], POLLIN, 0}, {sv[0], POLLIN | POLLOUT, 0}}; poll(pf, 2, 100); poll(pf, 0, 1); poll(0, 0, 1);
    int s1 = socket(AF_INET, SOCK_STREAM, 0); struct sockaddr_in in = {AF_INET, htons(54321), {htonl(INADDR_LOOPBACK)}}; int one = 1;
    setsockopt(s1, SOL_SOCKET, SO_REUSEADDR, &one, 4); bind(s1, (void *)&in, sizeof in); listen(s1, 5);
    int s2 = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP); connect(s2, (void *)&in, sizeof in); socklen_t len = sizeof in; 
    struct pollfd q = {s1, POLLIN, 0}; poll(&q, 1, 100); int s3 = accept4(s1, (void *)&in, &len, SOCK_CLOEXEC); len = 4; getsockopt(s2, SOL_SOCKET, SO_ERROR, &one, &len);
    write(s3, "x", 1); recvfrom(s2, buf, 10, 0, 0, 0);
    struct sockaddr_un un = {AF_UNIX, "nosuch"}; int s4 = socket(AF_UNIX, SOCK_DGRAM, 0); connect(s4, (void *)&un, sizeof un);
    struct msghdr mh = {0}; mh.msg_iov = v; mh.msg_iovlen = 2; sendmsg(sv[1], &mh, 0); socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP);
    int e = epoll_create1(EPOLL_CLOEXEC); struct epoll_event ev = {EPOLLIN, {.u64 = 7}}; epoll_ctl(e, EPOLL_CTL_ADD, sv[0], &ev); epoll_wait(e, &ev, 1, 10); epoll_ctl(e, EPOLL_CTL_DEL, 99, &ev);
    eventfd(3, EFD_CLOEXEC); timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    syscall(SYS_memfd_create, "<\n\"notes", 1); sigemptyset(&s); signalfd(-1, &s, 0); inotify_init1(0); syscall(SYS_pidfd_open, getpid(), 0);
    fd_set fs; FD_ZERO(&fs); FD_SET(sv[0], &fs); struct timeval tv = {0, 1000}; select(sv[0] + 1, &fs, 0, 0, &tv); 
    prctl(PR_SET_NAME, "renamed"); syscall(SYS_sched_yield); syscall(SYS_getrandom, buf, 4, 1); 
    struct statx sx; statx(AT_FDCWD, "d/a", 0, STATX_BASIC_STATS, &sx); utimensat(AT_FDCWD, "d/a", 0, 0); truncate("d/a", 5); fallocate(fd, 0, 0, 10); posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    int n; ioctl(p[0], FIONREAD, &n); ioctl(-1, FIONREAD, &n); ioctl(fd, 0xdeadbeef, 1); ioctl(fd, 0x5499, 1); ioctl(-1, TIOCGWINSZ, 0);
    prctl(PR_GET_NAME, buf); prctl(PR_SET_PDEATHSIG, SIGKILL); prctl(PR_GET_PDEATHSIG, &n); prctl(12345, 1, 2, 3, 4); prctl(PR_SET_CHILD_SUBREAPER, 0); prctl(PR_GET_NAME, 0);
    eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); accept4(-1, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
    socket(AF_NETLINK, 9, NETLINK_ROUTE); len = 4; getsockopt(-1, SOL_SOCKET, SO_ERROR, &one, &len); semctl(99, 0, IPC_RMID, 0); mmap(0, 4096, PROT_READ, 7, -1, 0);
    unlink("d/a"); close(fd); rmdir("d"); rmdir("d"); sync(); 
    int st2; pid_t c = fork(); if (!c) _exit(3); waitpid(c, &st2, 0); c = vfork(); if (!c) _exit(0); wait4(c, &st2, 0, 0); waitpid(-1, &st2, WNOHANG); waitpid(-1, 0, 0);
    syscall(SYS_open, 0, 0); syscall(SYS_openat, -100, "\x1b[31mred\x07", 0); syscall(SYS_openat, 7, (void*)1, 0);  
    execl("/nosuch/program", "program", "arg", (char *)0);
    syscall(999, 1, 2, 3, 4, 5, 6);
    raise(SIGTERM);
    return 0;
}
