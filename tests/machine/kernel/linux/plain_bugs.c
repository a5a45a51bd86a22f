#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <string.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include <linux/futex.h>
#include <sys/auxv.h>

#define SHOW(what) do { errno = 0; long shown = (long)(what); printf("%s = %ld %d\n", #what, shown, errno); } while (0)

static void bug1(void) { __asm__("hlt"); }
static void bug2(void) {
    sigset_t set, pending; sigemptyset(&set); sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, 0);
    kill(getpid(), SIGTERM);
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGTERM)); fflush(stdout);
    sigprocmask(SIG_UNBLOCK, &set, 0);
    puts("survived");
}
static volatile int traps;
static void trapped(int signal) { traps++; }
static void bug3(void) { signal(SIGTRAP, trapped); __asm__("int3");
    SHOW(traps); fflush(stdout); signal(SIGTRAP, SIG_DFL); __asm__("int3"); }
static void bug4(void) {
    char head[5] = "", path[256] = "";
    readlink("/proc/self/exe", path, 255);
    int file = open("/proc/self/exe", O_RDONLY);
    SHOW(read(file, head, 4)); SHOW(memcmp(head, "\177ELF", 4));
    SHOW(access(path, R_OK | X_OK));
}
static void bug5(void) {
    int file = open("own", O_CREAT | O_WRONLY, 0644); close(file);
    mode_t modes[] = {0, 0111, 0222, 0444, 0555, 0666, 0777};
    for (int i = 0; i < 7; i++) for (int wanted = 0; wanted < 8; wanted++) {
        chmod("own", modes[i]); SHOW(access("own", wanted));
    }
    SHOW(access("missing", F_OK)); SHOW(access("own", 8));
}
static void bug7(void) {
    SHOW(alarm(10)); SHOW(alarm(0)); SHOW(alarm(0));
    alarm(1); fflush(stdout); for (;;) pause();
}
static void deep(int depth) { volatile char frame[65536]; frame[0] = frame[65535] = depth; if (depth) deep(depth - 1); }
static void bug8(void) { deep(100); struct rlimit limit; getrlimit(RLIMIT_STACK, &limit); SHOW(limit.rlim_cur); }
static void bug9(void) {
    SHOW(fcntl(open("flags", O_CREAT | O_EXCL | O_RDWR, 0644), F_GETFL));
    SHOW(fcntl(open("flags", O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOCTTY | O_APPEND), F_GETFL));
    SHOW(fcntl(open(".", O_DIRECTORY), F_GETFL));
}
static void bug10(void) {
    int ends[2], count = -1; pipe(ends);
    SHOW(ioctl(ends[0], FIONREAD, &count)); SHOW(count);
    write(ends[1], "abc", 3); SHOW(ioctl(ends[0], FIONREAD, &count)); SHOW(count);
    SHOW(fcntl(ends[0], F_GETPIPE_SZ));
    SHOW(fcntl(ends[1], F_SETPIPE_SZ, 100000));
    SHOW(fcntl(ends[0], F_GETPIPE_SZ));
}
static void bug11(void) {
    int value = -1;
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_SET_DUMPABLE, 0));
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_SET_DUMPABLE, 7));
    SHOW(prctl(PR_SET_DUMPABLE, 1));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)); SHOW(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    SHOW(prctl(PR_GET_PDEATHSIG, &value));
    SHOW(value);
    SHOW(prctl(PR_SET_PDEATHSIG, 65));
    SHOW(prctl(PR_GET_SECCOMP));
    SHOW(prctl(PR_GET_KEEPCAPS));
    SHOW(prctl(PR_SET_KEEPCAPS, 1));
    SHOW(prctl(PR_GET_KEEPCAPS));
    SHOW(prctl(PR_SET_KEEPCAPS, 2)); SHOW(prctl(PR_CAPBSET_READ, 63));
    SHOW(prctl(PR_SET_TIMERSLACK, 1234)); SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_SET_TIMERSLACK, 0)); SHOW(prctl(PR_GET_TIMERSLACK)); SHOW(prctl(PR_GET_TIMING)); SHOW(prctl(999));
}
static void bug12(void) {
    char *place = mmap(0, 64ul << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    SHOW(place == MAP_FAILED); SHOW(mprotect(place, 4096, PROT_READ | PROT_WRITE)); place[5] = 7; SHOW(place[5]);
}
static void bug13(void) {
    unsigned long a = 0xf0f0f0f012345678, b = 0x0ff0ff00ff0ff00f, swapped; unsigned char carry; long random;
    unsigned long out;
    __asm__("pext %2, %1, %0" : "=r"(out) : "r"(a), "r"(b)); SHOW(out);
    __asm__("pdep %2, %1, %0" : "=r"(out) : "r"(a), "r"(b)); SHOW(out);
    __asm__("andn %2, %1, %0" : "=r"(out) : "r"(a), "r"(b)); SHOW(out);
    __asm__("tzcnt %1, %0" : "=r"(out) : "r"(0x1000l)); SHOW(out);
    __asm__("lzcnt %1, %0" : "=r"(out) : "r"(0x1000l)); SHOW(out);
    __asm__("movbe %1, %0" : "=r"(swapped) : "m"(a)); SHOW(swapped);
    __asm__("rdrand %0; setc %1" : "=r"(random), "=r"(carry)); SHOW(carry);
}
static long old(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
    return result;
}
static char text[] = "by int 0x80\n";
static void bug14(void) {
    SHOW(old(20, 0, 0, 0) == getpid()); SHOW(old(24, 0, 0, 0) == getuid()); fflush(stdout);
    SHOW(old(4, 1, (long)text, sizeof text - 1)); SHOW(old(6, 99, 0, 0)); SHOW(old(1000, 0, 0, 0));
}
static void bug16(void) {
    char small[100]; int word = 0;
    stack_t stack = {small, 0, 100};
    setpgid(0, 0); SHOW(setsid());
    SHOW(sigaltstack(&stack, 0));
    SHOW(syscall(SYS_futex, (char *)&word + 1, FUTEX_WAKE, 1, 0, 0, 0));
    struct rlimit limit; getrlimit(RLIMIT_NOFILE, &limit); limit.rlim_cur = 6;
    SHOW(setrlimit(RLIMIT_NOFILE, &limit));
    int last = 0; while (last >= 0 && last < 50) last = dup(0); SHOW(last); int e = (dup(0), errno); SHOW(e);
    SHOW(dup2(0, 6)); SHOW(fcntl(0, F_DUPFD, 6));
    for (int i = 3; i < 6; i++) close(i);
    limit.rlim_cur = limit.rlim_max + 1; SHOW(setrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max = 64; SHOW(setrlimit(RLIMIT_NOFILE, &limit));
    struct stat row; SHOW(fstatat(0, "", &row, 0));
    int file = open(".", O_TMPFILE | O_RDWR, 0600); SHOW(file >= 0); SHOW(write(file, "hello", 5));
    SHOW(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 2)); char text[6] = ""; pread(file, text, 5, 0);
    SHOW(memcmp(text, "h\0\0lo", 5));
}
static void bug20(void) {
    volatile long double x = 2.5L;
    SHOW(lrintl(sinl(x) * 1e17L)); SHOW(lrintl(expl(x) * 1e16L)); SHOW(lrintl(logl(x) * 1e17L)); SHOW(lrintl(atanl(x) * 1e17L));
    SHOW(getauxval(AT_MINSIGSTKSZ) != 0); SHOW(getauxval(AT_SYSINFO_EHDR) != 0); SHOW(getauxval(AT_HWCAP2) & 2); // FSGSBASE
}
static void bug21(void) { struct timespec now; for (int i = 0; i < 100; i++) clock_gettime(CLOCK_MONOTONIC, &now); }
int main(int count, char **arguments) {
    void (*bugs[])(void) = {
        0, bug1, bug2, bug3, bug4, bug5, 0, bug7, bug8, bug9, bug10, bug11, bug12, bug13, bug14, 0, bug16, 0, 0, 0, bug20, bug21,
    };
    bugs[atoi(arguments[1])]();
    fflush(stdout);
    return 0;
}
