/* ptrace between processes. Each case prints the same natively and here. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(what) do { errno = 0; long shown = (long)(what); printf("%s = %ld %d\n", #what, shown, errno); fflush(stdout); } while (0)
static void told(const char *name, pid_t child, int options) {
    int status = 0; pid_t found = waitpid(child, &status, options);
    printf("%s: %d %x\n", name, found == child ? 1 : found < 0 ? -errno : found == 0 ? 0 : 2, status & ~0x80); fflush(stdout);
}
static int tracer(pid_t process) {
    char path[64], line[200]; int found = -1; sprintf(path, "/proc/%d/status", process); FILE *file = fopen(path, "r");
    while (fgets(line, sizeof line, file)) sscanf(line, "TracerPid: %d", &found);
    fclose(file); return found;
}
static int itself(void) {
    int status; SHOW(tracer(getpid()));
    if (!fork()) {
        SHOW(ptrace(PTRACE_TRACEME, 0, 0, 0)); SHOW(ptrace(PTRACE_TRACEME, 0, 0, 0)); SHOW(tracer(getpid()) == getppid()); SHOW(ptrace(PTRACE_ATTACH, getpid(), 0, 0)); SHOW(ptrace(PTRACE_CONT, getpid(), 0, 0)); SHOW(ptrace(PTRACE_PEEKDATA, getppid(), &status, 0));
        _exit(0);
    }
    wait(&status); printf("%x\n", status); SHOW(ptrace(PTRACE_ATTACH, 1 << 22, 0, 0)); SHOW(ptrace(PTRACE_SEIZE, getpid(), 0, 0)); SHOW(ptrace(12345, getpid(), 0, 0)); return 0;
}
static int parent(void) {  /* a child that takes its parent: the classic test for a debugger */
    int status; pid_t child = fork();
    if (!child) {
        pid_t above = getppid(); SHOW(ptrace(PTRACE_ATTACH, above, 0, 0)); told("attached", above, 0); SHOW(ptrace(PTRACE_ATTACH, above, 0, 0)); SHOW(tracer(above) == getpid());
        SHOW(ptrace(PTRACE_CONT, above, 0, 0)); SHOW(ptrace(PTRACE_CONT, above, 0, 0)); usleep(1000); kill(above, SIGUSR1); told("signal", above, 0); SHOW(ptrace(PTRACE_DETACH, above, 0, 0)); _exit(5);
    }
    while (waitpid(child, &status, 0) < 0) ; printf("%x\n", status); SHOW(tracer(getpid())); return 0;
}
static unsigned char code[64];
static int packer(void) {  /* the parent decrypts what its child executes, at SIGTRAP */
    unsigned char *page = mmap(0, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); static const unsigned char plain[] = {0xcc, 0xb8, 42, 0, 0, 0, 0xc3, 0x90};
    for (int at = 0; at < 8; at++) page[at] = at ? plain[at] ^ 0x5a : plain[0];
    pid_t child = fork();
    if (!child) { ptrace(PTRACE_TRACEME, 0, 0, 0); int result = ((int (*)(void))page)(); printf("result %d\n", result); fflush(stdout); _exit(result); }
    told("trap", child, 0); struct user_regs_struct row; SHOW(ptrace(PTRACE_GETREGS, child, 0, &row)); printf("at %lld orig %lld\n", row.rip - (long)page, row.orig_rax);
    long word = ptrace(PTRACE_PEEKTEXT, child, page, 0); for (int at = 1; at < 8; at++) word ^= 0x5aL << 8 * at; SHOW(ptrace(PTRACE_POKETEXT, child, page, word)); siginfo_t info; SHOW(ptrace(PTRACE_GETSIGINFO, child, 0, &info)); printf("%d %d\n", info.si_signo, info.si_code);
    ptrace(PTRACE_CONT, child, 0, 0); told("ended", child, 0); SHOW(page[1]); SHOW(ptrace(PTRACE_CONT, child, 0, 0)); return 0;
}
static int caught;
static void note(int number) { caught = number; printf("handler %d\n", number); fflush(stdout); }
static int signals(void) {
    pid_t child = fork();
    if (!child) { signal(SIGUSR1, note); signal(SIGUSR2, note); ptrace(PTRACE_TRACEME, 0, 0, 0); SHOW(raise(SIGUSR1)); SHOW(raise(SIGUSR1)); SHOW(raise(SIGUSR1)); signal(SIGCHLD, SIG_IGN); SHOW(raise(SIGCHLD)); SHOW(raise(SIGSTOP)); prctl(PR_SET_DUMPABLE, 0); *(volatile int *)8 = 1; _exit(3); }
    siginfo_t info; told("first", child, 0); SHOW(ptrace(PTRACE_GETSIGINFO, child, 0, &info)); printf("%d %d %d\n", info.si_signo, info.si_code, info.si_pid == child); ptrace(PTRACE_CONT, child, 0, SIGUSR1); told("second", child, 0); ptrace(PTRACE_CONT, child, 0, 0); told("third", child, 0); SHOW(ptrace(PTRACE_CONT, child, 0, 99)); ptrace(PTRACE_CONT, child, 0, SIGUSR2);
    told("ignored", child, 0); ptrace(PTRACE_CONT, child, 0, SIGCHLD); told("stop", child, 0); ptrace(PTRACE_CONT, child, 0, SIGSTOP); told("group stop", child, 0); SHOW(ptrace(PTRACE_GETSIGINFO, child, 0, &info)); ptrace(PTRACE_CONT, child, 0, 0); told("fault", child, 0);
    SHOW(ptrace(PTRACE_GETSIGINFO, child, 0, &info)); printf("%d %d %p\n", info.si_signo, info.si_code, info.si_addr); ptrace(PTRACE_CONT, child, 0, SIGSEGV); told("dead", child, 0); told("gone", child, 0); return 0;
}
static int calls(void) {
    pid_t child = fork(); struct user_regs_struct row;
    if (!child) { ptrace(PTRACE_TRACEME, 0, 0, 0); raise(SIGSTOP); write(1, "one\n", 4); long r = syscall(SYS_getppid); printf("getppid %ld\n", r); fflush(stdout); r = syscall(SYS_getpgid, 0); printf("getpgid %ld %d\n", r, errno); fflush(stdout); syscall(SYS_exit_group, 4); }
    told("stop", child, 0); SHOW(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD)); SHOW(ptrace(PTRACE_SETOPTIONS, child, 0, 1 << 9));
    for (int turn = 0; turn < 60; turn++) {
        ptrace(PTRACE_SYSCALL, child, 0, 0); int status; waitpid(child, &status, 0); if (WIFEXITED(status)) { printf("exit %x\n", status); return 0; }
        ptrace(PTRACE_GETREGS, child, 0, &row); printf("%x: call %lld rax %lld\n", status, row.orig_rax, row.orig_rax == SYS_fstat || row.orig_rax == SYS_getrandom || row.orig_rax == SYS_brk || row.orig_rax == SYS_getpid || row.orig_rax == SYS_gettid || (row.orig_rax == SYS_getpgid && row.rax != -ENOSYS) ? 0 : row.rax); siginfo_t info; if (!turn) { SHOW(ptrace(PTRACE_GETSIGINFO, child, 0, &info)); printf("%x\n", info.si_code); }
        if (row.orig_rax == SYS_write && row.rax == -ENOSYS && row.rdx == 4) { ptrace(PTRACE_POKEUSER, child, offsetof(struct user_regs_struct, rdx), 2); SHOW(ptrace(PTRACE_PEEKUSER, child, offsetof(struct user_regs_struct, rdx), 0)); }
        if (row.orig_rax == SYS_getppid && row.rax == -ENOSYS) { row.orig_rax = -1; row.rax = 77; SHOW(ptrace(PTRACE_SETREGS, child, 0, &row)); }
        if (row.orig_rax == SYS_getpgid && row.rax != -ENOSYS) { row.rax = -EPROTO; SHOW(ptrace(PTRACE_SETREGS, child, 0, &row)); }
    }
    return 1;
}
static int steps(void) {
    static const unsigned char plain[] = {0x31, 0xc0, 0xff, 0xc0, 0x83, 0xf8, 5, 0x75, 0xf9, 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0x90, 0xcc}; unsigned char *page = mmap(0, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); memcpy(page, plain, sizeof plain); struct user_regs_struct row; siginfo_t info; pid_t child = fork();
    if (!child) { ptrace(PTRACE_TRACEME, 0, 0, 0); raise(SIGSTOP); ((void (*)(void))page)(); _exit(0); }
    told("stop", child, 0); ptrace(PTRACE_GETREGS, child, 0, &row); row.rip = (long)page; SHOW(ptrace(PTRACE_SETREGS, child, 0, &row));
    for (int turn = 0; turn < 24; turn++) { int status; ptrace(PTRACE_SINGLESTEP, child, 0, 0); waitpid(child, &status, 0); ptrace(PTRACE_GETREGS, child, 0, &row); ptrace(PTRACE_GETSIGINFO, child, 0, &info); printf("%x %lld eax %lld flags %llx code %d\n", status, row.rip - (long)page, row.rax == child ? -7 : row.rax, row.eflags & 0x1c5, info.si_code); }
    SHOW(ptrace(PTRACE_KILL, child, 0, 0)); told("killed", child, 0); return 0;
}
static int memory(void) {
    static long words[4] = {11, 22, 33, 44}; static const long fixed = 55; pid_t child = fork();
    if (!child) { ptrace(PTRACE_TRACEME, 0, 0, 0); raise(SIGSTOP); printf("%ld %ld %ld\n", words[0], words[1], *(volatile const long *)&fixed); fflush(stdout); __asm__ volatile("movq %0, %%xmm3; movq %%xmm3, %%rax; int3" : : "r"(0x1234567L) : "rax", "xmm3"); _exit(0); }
    told("stop", child, 0); SHOW(ptrace(PTRACE_PEEKDATA, child, words + 2, 0)); SHOW(ptrace(PTRACE_PEEKDATA, child, 8, 0)); SHOW(ptrace(PTRACE_PEEKDATA, child, -16L, 0)); SHOW(ptrace(PTRACE_POKEDATA, child, words, 99)); SHOW(ptrace(PTRACE_POKEDATA, child, 8, 99)); SHOW(ptrace(PTRACE_POKEDATA, child, &fixed, 66)); SHOW(words[0]); SHOW(fixed);
    SHOW(ptrace(PTRACE_PEEKUSER, child, 3, 0)); SHOW(ptrace(PTRACE_PEEKUSER, child, 4096, 0)); SHOW(ptrace(PTRACE_PEEKUSER, child, offsetof(struct user_regs_struct, cs), 0)); SHOW(ptrace(PTRACE_PEEKUSER, child, offsetof(struct user, u_debugreg[0]), 0)); SHOW(ptrace(PTRACE_GETREGS, child, 0, 8)); SHOW(ptrace(PTRACE_SETREGS, child, 0, 8));
    ptrace(PTRACE_CONT, child, 0, 0); told("trap", child, 0); struct user_fpregs_struct floats; SHOW(ptrace(PTRACE_GETFPREGS, child, 0, &floats)); printf("%x\n", floats.xmm_space[12]); struct user_regs_struct row; struct iovec room = {&row, sizeof row}; SHOW(ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &room)); printf("%zd %llx\n", room.iov_len, row.rax); room.iov_len = 16; SHOW(ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &room)); printf("%zd\n", room.iov_len); room.iov_len = 9; SHOW(ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &room)); SHOW(ptrace(PTRACE_GETREGSET, child, 12345, &room));
    SHOW(ptrace(PTRACE_DETACH, child, 0, SIGKILL)); told("killed", child, 0); return 0;
}
static int executed(void) {
    for (int option = 0; option < 2; option++) {
        pid_t child = fork(); if (!child) { ptrace(PTRACE_TRACEME, 0, 0, 0); if (option) raise(SIGSTOP); execl("/proc/self/exe", "traced", "hello", NULL); _exit(9); }
        if (option) { told("stop", child, 0); SHOW(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXEC)); ptrace(PTRACE_CONT, child, 0, 0); }
        told("execve", child, 0); unsigned long message = 0; SHOW(ptrace(PTRACE_GETEVENTMSG, child, 0, &message)); if (option) SHOW(message == child); struct user_regs_struct row; ptrace(PTRACE_GETREGS, child, 0, &row); if (!option) SHOW(row.rax); SHOW(row.orig_rax); ptrace(PTRACE_CONT, child, 0, 0); told("ended", child, 0);
    }
    return 0;
}
static int hello(void) { puts("hello"); return 6; }
static int forked(void) {
    pid_t child = fork(); unsigned long message = 0; int status;
    if (!child) { ptrace(PTRACE_TRACEME, 0, 0, 0); raise(SIGSTOP); pid_t grand = fork(); if (!grand) _exit(8); waitpid(grand, &status, 0); printf("inner %x\n", status); fflush(stdout); _exit(7); }
    told("stop", child, 0); SHOW(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEFORK)); ptrace(PTRACE_CONT, child, 0, 0); told("fork", child, 0); ptrace(PTRACE_GETEVENTMSG, child, 0, &message); told("new", message, __WALL); SHOW(tracer(message) == getpid()); ptrace(PTRACE_CONT, message, 0, 0); told("new ended", message, __WALL); ptrace(PTRACE_CONT, child, 0, 0); told("chld", child, 0); ptrace(PTRACE_CONT, child, 0, SIGCHLD); told("ended", child, 0); return 0;
}
static int seized(void) {
    int ends[2]; pipe(ends); pid_t child = fork(); if (!child) { char byte; read(ends[0], &byte, 1); _exit(byte); }
    SHOW(ptrace(PTRACE_SEIZE, child, 1, 0)); SHOW(ptrace(PTRACE_SEIZE, child, 0, 1 << 9)); SHOW(ptrace(PTRACE_SEIZE, child, 0, PTRACE_O_EXITKILL)); SHOW(ptrace(PTRACE_CONT, child, 0, 0)); kill(child, SIGUSR1); told("signal", child, 0); ptrace(PTRACE_CONT, child, 0, 0); write(ends[1], "\5", 1); told("ended", child, 0);
    child = fork(); if (!child) { pid_t grand = fork(); if (!grand) for (;;) pause(); SHOW(ptrace(PTRACE_SEIZE, grand, 0, PTRACE_O_EXITKILL)); write(ends[1], &grand, 4); _exit(0); } waitpid(child, 0, 0); pid_t grand; read(ends[0], &grand, 4); usleep(20000); char path[64], line[200] = "gone"; sprintf(path, "/proc/%d/status", grand); FILE *file = fopen(path, "r"); if (file) while (fgets(line, sizeof line, file) && strncmp(line, "State", 5)) ; puts(strchr(line, 'Z') ? "gone" : line); return 0;
}
static int waits(void) {
    siginfo_t info; pid_t child = fork(); if (!child) { ptrace(PTRACE_TRACEME, 0, 0, 0); raise(SIGSTOP); _exit(3); }
    memset(&info, 0, sizeof info); SHOW(waitid(P_PID, child, &info, WSTOPPED | WNOWAIT)); printf("%d %d %d\n", info.si_code, info.si_status, info.si_pid == child); told("stop", child, WNOHANG); told("none", child, WNOHANG); ptrace(PTRACE_CONT, child, 0, 0); SHOW(waitid(P_PID, child, &info, WEXITED)); printf("%d %d\n", info.si_code, info.si_status); SHOW(ptrace(PTRACE_CONT, child, 0, 0)); return 0;
}

static int taken(void) {  /* CLONE_PTRACE and CLONE_UNTRACED */
    pid_t child = fork(); int status; unsigned long message;
    if (!child) {
        ptrace(PTRACE_TRACEME, 0, 0, 0); raise(SIGSTOP); pid_t grand = syscall(SYS_clone, CLONE_PTRACE | SIGCHLD, 0, 0, 0, 0); if (!grand) _exit(8);
        waitpid(grand, &status, 0); printf("inner %x\n", status); fflush(stdout); grand = syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0); if (!grand) _exit(tracer(getpid())); waitpid(grand, &status, 0); printf("untraced %x\n", status); fflush(stdout); _exit(7);
    }
    told("stop", child, 0); ptrace(PTRACE_CONT, child, 0, 0);
    pid_t grand = waitpid(-1, &status, __WALL); printf("%d %x\n", grand != child, status); if (grand == child) return 1; SHOW(tracer(grand) == getpid()); SHOW(ptrace(PTRACE_GETEVENTMSG, grand, 0, &message)); ptrace(PTRACE_CONT, grand, 0, 0); told("new ended", grand, __WALL);
    for (int which = 0; which < 2; which++) { told("chld", child, 0); ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEFORK); ptrace(PTRACE_CONT, child, 0, SIGCHLD); } told("ended", child, 0); return 0;
}

#define CASE(name) {#name, name}
static const struct { const char *name; int (*body)(void); } CASES[] = {
    CASE(itself), CASE(parent), CASE(packer), CASE(signals), CASE(calls), CASE(steps), CASE(memory), CASE(executed), CASE(forked), CASE(seized), CASE(waits), CASE(taken),
};
int main(int argc, char **argv) {
    static char room[4096]; setvbuf(stdout, room, _IOLBF, sizeof room);
    if (argc > 1 && !strcmp(argv[1], "hello")) return hello();
    for (unsigned which = 0; which < sizeof CASES / sizeof *CASES; which++)
        if (argc > 1 && !strcmp(argv[1], CASES[which].name)) return CASES[which].body();
    return 99;
}
