/* INT 0x80 in 64-bit programs. Each case prints the same natively and here. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CALL(number, ...) CALL_(number, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(number, a, b, c, d, e, f, ...) call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define SHOW(what) printf("%s = %ld\n", #what, (long)(what))
static long call(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    __asm__ volatile("push %%rbp; mov %7, %%rbp; int $0x80; pop %%rbp" : "=a"(result) : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), "r"(f) : "memory", "r11");
    return result;
}
static char *low;  /* below 4 GiB */
static char *text(const char *value) { static int at; at = (at + 256) % 4096; return strcpy(low + 0x8000 + at, value); }
static void dump(const char *name, const void *data, int size) {
    printf("%s:", name);
    for (int at = 0; at < size; at++) printf(" %02x", ((unsigned char *)data)[at]);
    puts("");
}
static int registers(void) {
    unsigned long in = 0x1122334455667788, wide = 0xffffffff00000014, result, r8, r9, r10, r11, rcx;
    __asm__ volatile("mov %6, %%r8; mov %6, %%r9; mov %6, %%r10; mov %6, %%r11; mov %6, %%rcx; int $0x80; mov %%r8, %1; mov %%r9, %2; mov %%r10, %3; mov %%r11, %4; mov %%rcx, %5"
        : "=a"(result), "=m"(r8), "=m"(r9), "=m"(r10), "=m"(r11), "=m"(rcx) : "m"(in), "0"(wide) : "r8", "r9", "r10", "r11", "rcx", "memory");
    printf("%d %lx %lx %lx %lx %lx\n", result == getpid(), r8, r9, r10, r11, rcx);
    SHOW(CALL(9999)); SHOW(CALL(-1)); SHOW(CALL(17)); SHOW(CALL(6, 99)); SHOW(CALL(6, 0xffffffff00000063)); SHOW(CALL(222));
    char here[8]; SHOW(CALL(4, 1, here, 5)); SHOW(CALL(33, here, 0)); return 0;
}
static int files(void) {
    int fd = CALL(5, text("name"), O_RDWR | O_CREAT | O_TRUNC, 0640); SHOW(fd); SHOW(CALL(4, fd, text("some bytes"), 10));
    SHOW(CALL(19, fd, -3, SEEK_END)); SHOW(CALL(3, fd, low, 100)); dump("read", low, 3); SHOW(CALL(140, fd, 0xffffffff, -4, low, SEEK_CUR)); dump("llseek", low, 8);
    SHOW(CALL(180, fd, low, 4, 2, 0)); dump("pread", low, 4); SHOW(CALL(181, fd, text("XY"), 2, 1, 0)); SHOW(CALL(180, fd, low, 4, 0, 0x80000000)); SHOW(CALL(180, fd, low, 4, 0, 1));
    unsigned *rows = (void *)low; rows[0] = (long)text("ab"); rows[1] = 2; rows[2] = (long)text("cde"); rows[3] = 3; SHOW(CALL(146, fd, rows, 2)); SHOW(CALL(146, fd, rows, 2000)); CALL(19, fd, 0, 0);
    rows[0] = (long)low + 0x100; rows[1] = 3; rows[2] = (long)low + 0x200; rows[3] = 20; SHOW(CALL(145, fd, rows, 2)); dump("readv", low + 0x100, 3); dump("readv", low + 0x200, 9);
    SHOW(CALL(194, fd, 5, 1)); SHOW(CALL(197, fd, low)); printf("size %llx mode %x links %d\n", *(long long *)(low + 44), *(unsigned *)(low + 16), *(unsigned *)(low + 20)); SHOW(CALL(108, fd, low)); dump("mode", low + 8, 4);
    SHOW(CALL(194, fd, 7, 0)); SHOW(CALL(108, fd, low)); dump("sizes", low + 20, 4); SHOW(CALL(195, text("name"), low)); SHOW(CALL(196, text("none"), low)); SHOW(CALL(300, -100, text("name"), low, 0)); SHOW(CALL(300, -100, text("name"), low, 1)); SHOW(CALL(106, text("name"), low));
    SHOW(CALL(193, text("name"), 3, 0)); SHOW(CALL(92, text("name"), 2)); SHOW(CALL(93, fd, -1)); SHOW(CALL(324, fd, 0, 0, 0, 100, 0)); SHOW(CALL(197, fd, low)); dump("size", low + 44, 8);
    SHOW(CALL(55, fd, F_GETFL)); SHOW(CALL(221, fd, F_SETFD, 1)); SHOW(CALL(221, fd, F_GETFD)); SHOW(CALL(41, fd)); SHOW(CALL(63, fd, 20)); SHOW(CALL(330, fd, 21, O_CLOEXEC)); SHOW(CALL(6, 20)); SHOW(CALL(42, low)); dump("pipe", low, 8);
    SHOW(CALL(39, text("folder"), 0755)); SHOW(CALL(38, text("name"), text("folder/new"))); SHOW(CALL(9, text("folder/new"), text("link"))); SHOW(CALL(83, text("target"), text("soft"))); memset(low, 0, 64); SHOW(CALL(85, text("soft"), low, 64)); puts(low);
    SHOW(CALL(10, text("link"))); SHOW(CALL(40, text("folder"))); SHOW(CALL(33, text("folder/new"), 4)); SHOW(CALL(15, text("folder/new"), 0600)); SHOW(CALL(60, 022)); SHOW(CALL(12, text("folder"))); SHOW(CALL(183, low, 4096) > 0); SHOW(CALL(295, -100, text("new"), O_RDONLY)); SHOW(CALL(143, fd, 2)); SHOW(CALL(118, fd)); return 0;
}
static int memory(void) {
    long at = CALL(192, 0, 0x3000, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); printf("mmap2 %d\n", at > 0 && at < 1L << 32); strcpy((char *)at, "here"); SHOW(CALL(125, at, 0x1000, 1)); SHOW(CALL(125, at, 0x9000, 1)); SHOW(CALL(91, at, 0x3000)); SHOW(CALL(91, 1, 2));
    unsigned *row = (void *)low; row[0] = 0; row[1] = 4096; row[2] = 3; row[3] = MAP_PRIVATE | MAP_ANONYMOUS; row[4] = -1; row[5] = 0; at = CALL(90, row); printf("mmap %d\n", at > 0 && at < 1L << 32); row[5] = 1; SHOW(CALL(90, row)); SHOW(CALL(192, 0, 0, 3, 0x22, -1, 0)); SHOW(CALL(192, 0x20000000, 4096, 3, 0x32, -1, 0));
    int fd = open("file", O_RDWR | O_CREAT, 0600); ftruncate(fd, 0x3000); pwrite(fd, "second", 6, 0x1000); at = CALL(192, 0, 0x1000, 1, MAP_PRIVATE, fd, 1); puts((char *)at); long end = CALL(45, 0); printf("brk %d\n", end == (long)sbrk(0)); SHOW(CALL(219, low, 0x1000, 4)); SHOW(*low); return 0;
}
static int processes(void) {
    SHOW(CALL(20) == getpid()); SHOW(CALL(64) == getppid()); SHOW(CALL(224) == gettid()); SHOW(CALL(24)); SHOW(CALL(199)); SHOW(CALL(201)); SHOW(CALL(122, low)); SHOW(CALL(37, getpid(), 0)); SHOW(CALL(37, 1 << 22, 0)); SHOW(CALL(57, 0, 0) <= 0);
    fflush(stdout); long child = CALL(2); if (!child) { CALL(4, 1, text("in the child\n"), 13); CALL(1, 7); } SHOW(CALL(7, child, low, 0) == child); dump("status", low, 4); SHOW(CALL(7, -1, low, 0));
    child = CALL(120, SIGCHLD); if (!child) CALL(252, 9); SHOW(CALL(114, child, low, 0, 0) == child); dump("status", low, 4); SHOW(CALL(7, -1, 0, 1));
    unsigned *row = (void *)low; row[0] = (long)text("/proc/self/exe"); row[1] = (long)text("hello"); row[2] = 0; row[10] = (long)text("NAME=VALUE"); row[11] = 0; fflush(stdout); child = CALL(2); if (!child) { SHOW(CALL(11, text("/none"), row, row + 10)); fflush(stdout); CALL(11, text("/proc/self/exe"), row, row + 10); CALL(1, 3); } CALL(7, child, low, 0); dump("status", low, 4);
    SHOW(CALL(34, 3)); SHOW(CALL(34, 100)); SHOW(CALL(96, 0, 0)); SHOW(CALL(172, PR_SET_NAME, text("name"))); SHOW(CALL(172, PR_GET_NAME, low)); puts(low); SHOW(CALL(43, low) >= 0); SHOW(CALL(158)); SHOW(CALL(27, 10)); SHOW(CALL(27, 0)); SHOW(CALL(355, low, 8, 0)); SHOW(CALL(136, 0xffffffff)); return 0;
}
static int caught;
static void catch(int number) { caught = number; }
static int signals(void) {
    signal(SIGUSR1, catch); SHOW(CALL(37, getpid(), SIGUSR1)); SHOW(caught); memset(low, 0, 32); *(unsigned *)low = 1 << (SIGUSR1 - 1); caught = 0; SHOW(CALL(126, SIG_BLOCK, low, low + 8)); dump("old", low + 8, 4); SHOW(CALL(270, getpid(), gettid(), SIGUSR1)); SHOW(caught);
    SHOW(CALL(176, low + 16, 8)); dump("pending", low + 16, 8); *(unsigned *)low = 1 << (SIGUSR1 - 1); SHOW(CALL(175, SIG_UNBLOCK, low, low + 8, 8)); SHOW(caught); dump("old", low + 8, 8); SHOW(CALL(126, 7, low, 0)); SHOW(CALL(48, SIGUSR2, 1)); SHOW(CALL(48, SIGUSR2, 0)); SHOW(CALL(48, SIGKILL, 0));
    memset(low, 0, 40); *(unsigned *)low = 1; SHOW(CALL(174, SIGUSR2, low, low + 20, 8)); raise(SIGUSR2); SHOW(CALL(174, SIGUSR2, 0, low, 8)); dump("action", low, 20); SHOW(CALL(174, 99, 0, low, 8)); SHOW(CALL(174, 1, 0, low, 4));
    struct sigaction again = {.sa_handler = catch}; sigaction(SIGALRM, &again, 0); alarm(1); SHOW(CALL(29)); SHOW(caught); int ends[2]; pipe(ends); again.sa_flags = SA_RESTART; sigaction(SIGALRM, &again, 0); fflush(stdout); alarm(1); if (!fork()) { sleep(2); write(ends[1], "late", 4); _exit(0); } SHOW(CALL(3, ends[0], low, 10)); dump("read", low, 4); return 0;
}
static int times(void) {
    int *row = (int *)low; SHOW(CALL(13, low) > 1000000000); SHOW(row[0] > 1000000000); SHOW(CALL(78, low, 0)); SHOW(row[0] > 1000000000 && row[1] < 1000000); SHOW(CALL(265, 1, low)); SHOW(row[1] < 1000000000); SHOW(CALL(266, 1, low)); dump("resolution", low, 8); SHOW(CALL(265, 99, low));
    row[0] = 0; row[1] = 1000; SHOW(CALL(162, low, 0)); row[1] = -1; SHOW(CALL(162, low, 0)); SHOW(CALL(403, 1, low)); memset(low, 0, 64); SHOW(CALL(407, 1, 0, low, 0)); SHOW(CALL(240, low + 4, 0, 1)); SHOW(CALL(240, low, 0, 0, low + 8)); SHOW(CALL(142, 0, 0, 0, 0, low + 16)); SHOW(CALL(168, 0, 0, 0)); return 0;
}
static int sockets(void) {
    unsigned *row = (void *)low; row[0] = AF_UNIX; row[1] = SOCK_STREAM; row[2] = 0; row[3] = (long)(low + 64); SHOW(CALL(102, 8, row)); dump("pair", low + 64, 8); row[0] = *(int *)(low + 64); row[1] = (long)text("over"); row[2] = 4; row[3] = 0; SHOW(CALL(102, 9, row)); row[0] = *(int *)(low + 68); row[1] = (long)low + 100; row[2] = 20; SHOW(CALL(102, 10, row)); dump("got", low + 100, 4);
    row[0] = AF_UNIX; row[1] = 99; SHOW(CALL(102, 1, row)); SHOW(CALL(102, 0, row)); SHOW(CALL(102, 99, row)); SHOW(CALL(359, AF_UNIX, SOCK_DGRAM, 0)); SHOW(CALL(373, 5, 9)); return 0;
}
static void noted(int number, siginfo_t *info, void *user) {
    greg_t *words = ((ucontext_t *)user)->uc_mcontext.gregs;
    printf("signal %d %d %d call %d arch %x rax %lld at %d\n", number, info->si_code, info->si_errno, info->si_syscall, info->si_arch, words[REG_RAX], info->si_call_addr == (void *)words[REG_RIP]);
    words[REG_RAX] = 77;
}
static int filtered(void) {
    struct sock_filter rows[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40000003, 0, 3), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]) + 4), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP | 5), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog all = {6, rows}; struct sigaction action = {.sa_sigaction = noted, .sa_flags = SA_SIGINFO}; sigaction(SIGSYS, &action, 0); prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); SHOW(prctl(PR_SET_SECCOMP, 2, &all)); SHOW(CALL(20, 0x7777777700000001) > 1); SHOW(getppid() > 0);
    fflush(stdout); int told; if (!fork()) { prctl(PR_SET_DUMPABLE, 0); signal(SIGSYS, SIG_DFL); CALL(20); _exit(0); } wait(&told); printf("%x\n", told & ~0x80); if (!fork()) { struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW); CALL(4, 1, text("out\n"), 4); _exit(4); } wait(&told); printf("%x\n", told & ~0x80); return 0;
}
static void strictly(void) { prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT); CALL(4, 1, text("strict\n"), 7); CALL(1, 6); }
static int strict(void) { int told; if (!fork()) strictly(); wait(&told); printf("%x\n", told); return 0; }
static int resources(void) {
    unsigned *row = (void *)low; row[0] = 50; row[1] = 0xffffffff; SHOW(CALL(75, 15, row)); SHOW(CALL(76, 15, low + 16)); dump("old", low + 16, 8); SHOW(CALL(191, 15, low + 16)); dump("new", low + 16, 8); SHOW(CALL(191, 99, low)); SHOW(CALL(76, -1, low)); row[0] = 60; row[1] = 50; SHOW(CALL(75, 15, row)); SHOW(CALL(191, 15, 16));
    SHOW(CALL(77, 0, low)); printf("used %d\n", row[0] < 100 && row[1] < 1000000); SHOW(CALL(77, 7, low)); memset(low, 7, 128); SHOW(CALL(77, -1, low)); dump("end", low + 68, 8);
    memset(low, 7, 128); SHOW(CALL(116, low)); printf("unit %d\n", row[13] * (unsigned long long)row[4] > 1 << 20); dump("end", low + 56, 12); SHOW(CALL(116, 16));
    fflush(stdout); long child = fork(); if (!child) _exit(3); SHOW(CALL(114, child, low, 0, low + 16) == child); dump("status", low, 4); child = fork(); if (!child) _exit(4); memset(low, 7, 64); SHOW(CALL(284, P_PID, child, low, WEXITED, low + 128)); printf("%d %d %d %d %d %d\n", row[0], row[1], row[2], row[3] == child, row[4] == getuid(), row[5]); dump("behind", low + 24, 8); SHOW(CALL(284, P_ALL, 0, low, WEXITED | WNOHANG, 0)); SHOW(CALL(284, 9, 0, low, WEXITED, 0));
    memset(low, 7, 256); SHOW(CALL(109, low)); puts(low); SHOW(CALL(109, 16)); SHOW(CALL(59, low)); puts(low); dump("end", low + 45, 4); SHOW(CALL(99, text("/proc"), low)); dump("proc", low, 8); dump("length", low + 36, 8); memset(low, 7, 128); SHOW(CALL(268, text("/proc"), 84, low)); dump("proc", low, 8); dump("length", low + 56, 32); SHOW(CALL(268, text("/proc"), 88, low)); SHOW(CALL(99, text("/none"), low)); SHOW(CALL(100, 99, low)); SHOW(CALL(269, 0, 84, low)); SHOW(CALL(269, 99, 84, low));
    mkdir("listed", 0700); int fd = open("listed", O_RDONLY | O_DIRECTORY); long size = CALL(141, fd, low, 512); SHOW(size); dump("length", low + 8, 4); SHOW(low[11]); SHOW(CALL(141, fd, low, 512)); lseek(fd, 0, SEEK_SET); SHOW(CALL(141, fd, low, 8)); SHOW(CALL(141, 99, low, 512));
    SHOW(CALL(242, 0, low, 3)); SHOW(CALL(242, 0, 3, low)); SHOW(CALL(242, 1 << 30, 64, low)); *(int *)low = 1; SHOW(CALL(241, 0, 4, low)); SHOW(CALL(242, 0, 8, low)); dump("mask", low, 8); stack_t where = {0}; row[0] = (long)low + 4096; row[1] = 0; row[2] = 8192; SHOW(CALL(186, row, low + 32)); dump("old", low + 32, 12); sigaltstack(0, &where); printf("%lx %d %ld\n", (long)where.ss_sp, where.ss_flags, (long)where.ss_size); row[2] = 10; SHOW(CALL(186, row, 0)); SHOW(CALL(186, 0, low + 32)); dump("now", low + 32, 12);
    row[0] = (long)text("hello"); row[1] = 0; row[10] = (long)text("NAME=AT"); row[11] = 0; fd = open("/proc/self/exe", O_RDONLY); fflush(stdout); child = fork(); if (!child) { CALL(358, fd, text(""), row, row + 10, 0x1000); _exit(3); } CALL(114, child, low, 0, 0); dump("status", low, 4); return 0;
}
static int waiting(void) {
    signal(SIGALRM, catch); int *row = (int *)low; row[0] = 0; row[1] = 0; row[2] = 5; row[3] = 7; SHOW(CALL(104, 0, row, 0)); SHOW(CALL(105, 0, low + 32)); printf("%d %d\n", row[8], row[10] == 4 || row[10] == 5); row[2] = 0; row[3] = 1000; SHOW(CALL(104, 0, row, low + 32)); SHOW(CALL(29)); SHOW(caught); row[3] = 1000000; SHOW(CALL(104, 0, row, 0)); SHOW(CALL(104, 9, row, 0)); row[0] = -1; SHOW(CALL(104, 0, row, 0)); SHOW(CALL(105, 9, low)); SHOW(CALL(105, 0, 16)); row[0] = row[1] = 0; row[2] = row[3] = 0x7fffffff; row[3] = 0; SHOW(CALL(104, 0, row, 0)); SHOW(CALL(105, 0, low + 32)); SHOW(row[10] > 0x7ffffff0); memset(low, 0, 16); SHOW(CALL(104, 0, row, 0));
    int fd = CALL(322, 1, 0); SHOW(fd); memset(low, 0, 16); row[3] = 1000; SHOW(CALL(325, fd, 0, row, low + 32)); dump("old", low + 32, 16); SHOW(CALL(3, fd, low + 64, 8)); dump("times", low + 64, 8); SHOW(CALL(326, fd, low + 32)); dump("now", low + 32, 16); row[3] = -1; SHOW(CALL(325, fd, 0, row, 0)); SHOW(CALL(326, 0, low));
    row[0] = 0; row[1] = 1000; SHOW(CALL(267, 1, 0, row, 0)); row[1] = 1000000000; SHOW(CALL(267, 1, 0, row, 0)); SHOW(CALL(267, 99, 0, row, 0)); row[1] = 0; SHOW(CALL(267, 1, 1, row, 0)); SHOW(CALL(161, 0, low)); SHOW(CALL(161, -1, low));
    int ends[2]; pipe(ends); row[0] = ends[0]; row[1] = 1; row[2] = 0; row[3] = 1000; SHOW(CALL(309, row, 1, row + 2, 0, 0)); write(ends[1], "x", 1); SHOW(CALL(309, row, 1, 0, 0, 0)); dump("events", low + 4, 4); memset(low + 64, 0, 8); SHOW(CALL(309, row, 1, row + 2, low + 64, 8)); SHOW(CALL(309, row, 1, row + 2, low + 64, 4)); row[3] = -1; SHOW(CALL(309, row, 1, row + 2, 0, 0));
    memset(low, 0, 256); *(int *)(low + 4) = 0x55555555; *(int *)low = 1 << ends[0]; row[8] = 0; row[9] = 1000; row[10] = (long)low + 96; row[11] = 8; SHOW(CALL(308, ends[0] + 1, low, 0, 0, row + 8, row + 10)); dump("sets", low, 8); SHOW(CALL(142, ends[0] + 1, low, 0, 0, row + 8)); dump("sets", low, 8); row[11] = 4; SHOW(CALL(308, ends[0] + 1, low, 0, 0, row + 8, row + 10)); SHOW(CALL(413, ends[0] + 1, low, 0, 0, 0, 0));
    memset(low, 0, 256); row[0] = 1 << (SIGUSR1 - 1); row[3] = 1000; SHOW(CALL(177, row, low + 64, row + 2, 8)); CALL(175, SIG_BLOCK, row, 0, 8); raise(SIGUSR1); SHOW(CALL(73, low + 16)); dump("pending", low + 16, 4); SHOW(CALL(68)); SHOW(CALL(177, row, low + 64, row + 2, 8)); printf("%d %d %d %d %d\n", row[16], row[17], row[18], row[19] == getpid(), row[20] == getuid()); SHOW(CALL(177, row, 0, row + 2, 4)); SHOW(CALL(69, 0)); SHOW(CALL(68)); signal(SIGUSR2, catch); caught = 0; alarm(1); SHOW(CALL(72, 0, 0, 0)); SHOW(caught); return 0;
}
static void times_of(const char *name) { struct stat row; stat(name, &row); printf("%ld.%09ld %ld.%09ld\n", row.st_atim.tv_sec, row.st_atim.tv_nsec, row.st_mtim.tv_sec, row.st_mtim.tv_nsec); }
static int moments(void) {
    int *row = (int *)low; close(open("file", O_CREAT | O_WRONLY, 0600)); row[0] = 100; row[1] = -200; SHOW(CALL(30, text("file"), row)); times_of("file"); row[0] = 1; row[1] = 2; row[2] = 3; row[3] = 4; SHOW(CALL(271, text("file"), row)); times_of("file"); SHOW(CALL(299, -100, text("file"), row)); SHOW(CALL(320, -100, text("file"), row, 0)); times_of("file"); row[1] = 0x3ffffffe; SHOW(CALL(320, -100, text("file"), row, 0)); row[3] = 0x3ffffffe; SHOW(CALL(320, -100, text("none"), row, 0)); row[1] = 1000000; SHOW(CALL(271, text("file"), row)); SHOW(CALL(30, text("none"), 0)); SHOW(CALL(320, -100, 0, row, 0)); SHOW(CALL(320, -100, text("file"), 0, 7)); return 0;
}
static int hello(void) { printf("hello %s\n", getenv("NAME")); return 8; }

#define CASE(name) {#name, name}
static const struct { const char *name; int (*body)(void); } CASES[] = {
    CASE(registers), CASE(files), CASE(memory), CASE(processes), CASE(signals), CASE(times), CASE(sockets), CASE(resources), CASE(waiting), CASE(moments), CASE(filtered), CASE(strict),
};
int main(int argc, char **argv) {
    low = mmap((void *)0x10000000, 0x10000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (!strcmp(argv[0], "hello")) return hello();
    for (unsigned which = 0; which < sizeof CASES / sizeof *CASES; which++)
        if (argc > 1 && !strcmp(argv[1], CASES[which].name)) return CASES[which].body();
    return 99;
}
