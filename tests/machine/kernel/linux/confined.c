/* seccomp: modes and filters. Each case prints the same natively and here. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(what) do { errno = 0; long shown = (long)(what); printf("%s = %ld %d\n", #what, shown, errno); } while (0)
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define RET(value) BPF_STMT(BPF_RET | BPF_K, value)
#define RULES(...) ({ static struct sock_filter rows[] = {__VA_ARGS__}; static struct sock_fprog all; all.len = sizeof rows / sizeof *rows; all.filter = rows; &all; })
#define ON(call, action) RULES(LOAD(nr), IS(SYS_##call, 0, 1), RET(action), RET(SECCOMP_RET_ALLOW))

static int filter(struct sock_fprog *all) { return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, all); }
static void status(void) {
    char line[200]; FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file)) if (!strncmp(line, "Seccomp", 7) || !strncmp(line, "NoNew", 5)) fputs(line, stdout);
    fclose(file);
}
static void in_child(const char *name, void (*body)(void)) {
    int told; fflush(stdout);
    int child = fork();
    if (!child) { prctl(PR_SET_DUMPABLE, 0); body(); fflush(stdout); _exit(3); }
    waitpid(child, &told, 0);
    printf("%s: %x\n", name, told & ~0x80);
}
static void strict(void) { SHOW(prctl(PR_GET_SECCOMP)); fflush(stdout); prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT); write(1, "in\n", 3); syscall(SYS_exit, 5); }
static void strict_dies(void) { syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0); getpid(); write(1, "no\n", 3); }
static void killed(void) { filter(ON(getppid, SECCOMP_RET_KILL_PROCESS)); getppid(); write(1, "no\n", 3); }
static void killed_thread(void) { filter(ON(getppid, SECCOMP_RET_KILL_THREAD)); getppid(); write(1, "no\n", 3); }
static void unknown(void) { filter(ON(getppid, 0x12340000)); getppid(); write(1, "no\n", 3); }
static void trapped(void) { filter(ON(getppid, SECCOMP_RET_TRAP)); getppid(); write(1, "no\n", 3); }
static void blocked(void) {
    sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, 0);
    signal(SIGSYS, SIG_IGN); filter(ON(getppid, SECCOMP_RET_TRAP)); getppid(); write(1, "no\n", 3);
}
static int modes(void) {
    in_child("strict", strict); in_child("strict dies", strict_dies); in_child("killed", killed);
    in_child("thread", killed_thread); in_child("unknown", unknown); in_child("trapped", trapped); in_child("blocked", blocked);
    SHOW(prctl(PR_GET_SECCOMP)); SHOW(prctl(PR_SET_SECCOMP, 3)); SHOW(prctl(PR_SET_SECCOMP, 0));
    SHOW(syscall(SYS_seccomp, 0, 1, 0)); SHOW(syscall(SYS_seccomp, 0, 0, 1)); SHOW(syscall(SYS_seccomp, 9, 0, 0));
    unsigned actions[] = {0, 0x30000, 0x50000, 0x7ff00000, 0x7ffc0000, 0x7fff0000, 0x80000000, 0x7fc00000, 5, 0x12340000};
    for (int which = 0; which < 10; which++) SHOW(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, actions + which));
    SHOW(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, actions)); SHOW(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, 0));
    unsigned short sizes[3] = {0}; SHOW(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, sizes)); printf("%d %d %d\n", sizes[0], sizes[1], sizes[2]);
    return 0;
}
static void noted(int number, siginfo_t *info, void *user) {
    greg_t *words = ((ucontext_t *)user)->uc_mcontext.gregs;
    printf("signal %d %d %d call %d arch %x rax %lld at %d\n", number, info->si_code, info->si_errno, info->si_syscall, info->si_arch, words[REG_RAX], info->si_call_addr == (void *)words[REG_RIP]);
    words[REG_RAX] = 77;
}
static int answers(void) {
    SHOW(syscall(SYS_create_module, 0, 0)); SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)); SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); status();
    struct sigaction action = {.sa_sigaction = noted, .sa_flags = SA_SIGINFO}; sigaction(SIGSYS, &action, 0);
    SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ON(getppid, SECCOMP_RET_ERRNO | 42))); SHOW(getppid()); status();
    SHOW(filter(ON(getpgrp, SECCOMP_RET_TRAP | 9))); SHOW(getpgrp()); SHOW(filter(ON(getppid, SECCOMP_RET_ERRNO | 43))); SHOW(getppid());
    SHOW(filter(ON(getpgid, SECCOMP_RET_TRACE | 3))); SHOW(getpgid(0)); SHOW(filter(ON(getsid, SECCOMP_RET_USER_NOTIF))); SHOW(getsid(0));
    SHOW(filter(ON(getuid, SECCOMP_RET_ERRNO))); SHOW(getuid()); SHOW(filter(ON(getgid, SECCOMP_RET_ERRNO | 0xffff))); SHOW(syscall(SYS_getgid));
    SHOW(filter(ON(create_module, SECCOMP_RET_ERRNO | 66))); SHOW(syscall(SYS_create_module, 0, 0));
    SHOW(filter(ON(geteuid, SECCOMP_RET_LOG))); SHOW(geteuid()); SHOW(prctl(PR_GET_SECCOMP)); SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)); status();
    fflush(stdout);
    if (!fork()) { SHOW(getppid()); status(); fflush(stdout); execl("/proc/self/exe", "confined", "after", NULL); _exit(9); }
    int told; wait(&told); SHOW(told); return 0;
}
static int after(void) { SHOW(getppid()); SHOW(syscall(SYS_getpgid, 0)); status(); return 6; }
static int arguments(void) {
    /* write to descriptor 7 fails, by arithmetic and scratch memory; an address and its architecture */
    struct sock_fprog *all = RULES(LOAD(arch), IS(AUDIT_ARCH_X86_64, 1, 0), RET(SECCOMP_RET_KILL_PROCESS), LOAD(nr), IS(SYS_write, 0, 13), LOAD(args[0]),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 3), BPF_STMT(BPF_ST, 2), BPF_STMT(BPF_LDX | BPF_MEM, 2), BPF_STMT(BPF_LD | BPF_IMM, 100), BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0), BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_MISC | BPF_TXA, 0), BPF_STMT(BPF_ALU | BPF_NEG, 0), BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 0xffffffff), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 79, 0, 1), RET(SECCOMP_RET_ERRNO | 55), RET(SECCOMP_RET_ALLOW));
    SHOW(filter(all)); SHOW(write(7, "x", 1)); SHOW(write(8, "x", 1));
    struct sock_fprog *more = RULES(LOAD(nr), IS(SYS_lseek, 0, 9), LOAD(args[1]), BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 4), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 8), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
        BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO), BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1), BPF_STMT(BPF_RET | BPF_A, 0), RET(SECCOMP_RET_ERRNO | 1), RET(SECCOMP_RET_ALLOW));
    SHOW(filter(more)); SHOW(lseek(5, 0x123456, 0)); SHOW(lseek(5, 0x1230, 0));
    struct sock_fprog *divided = RULES(LOAD(nr), IS(SYS_getppid, 0, 4), BPF_STMT(BPF_LDX | BPF_IMM, 3), BPF_STMT(BPF_LD | BPF_IMM, 100), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 33, 1, 0), RET(SECCOMP_RET_ALLOW), RET(SECCOMP_RET_ERRNO | 33));
    SHOW(filter(divided)); SHOW(getppid()); SHOW(getpgrp() > 0); return 0;
}
#define REFUSED(...) SHOW(filter(RULES(__VA_ARGS__)))
static int wrong(void) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); struct sock_fprog none = {0, 0}, bad = {1, (void *)8}; static struct sock_filter many[5000]; for (int at = 0; at < 5000; at++) many[at] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
    SHOW(filter(&none)); SHOW(filter(&bad)); SHOW(filter((void *)16)); struct sock_fprog large = {4097, many}; SHOW(filter(&large));
    REFUSED(LOAD(nr)); REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RET(0)); REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RET(0)); REFUSED(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RET(0));
    REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RET(0)); REFUSED(BPF_STMT(BPF_LD | BPF_MEM, 16), RET(0)); REFUSED(BPF_STMT(BPF_LD | BPF_MEM, 1), RET(0)); REFUSED(BPF_STMT(BPF_ST, 16), RET(0));
    REFUSED(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET(0)); REFUSED(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RET(0)); REFUSED(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RET(0)); REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 1), RET(0));
    REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RET(0)); REFUSED(IS(1, 1, 0), RET(0)); REFUSED(IS(1, 0, 1), RET(0)); REFUSED(BPF_STMT(BPF_RET | BPF_X, 0)); REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0xfffff000), RET(0));
    REFUSED(IS(1, 0, 1), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LD | BPF_MEM, 3), RET(0)); REFUSED({0xffff, 0, 0, 0}, RET(0)); REFUSED(BPF_STMT(BPF_LDX | BPF_MSH | BPF_B, 0), RET(0));
    SHOW(syscall(SYS_seccomp, 1, 1 << 6, many)); SHOW(syscall(SYS_seccomp, 1, 1 | 8, many)); SHOW(syscall(SYS_seccomp, 1, 32, many)); SHOW(prctl(PR_GET_SECCOMP));
    struct sock_fprog all = {4096, many}; for (int turn = 0; turn < 9; turn++) SHOW(filter(&all)); status(); return 0;
}
static int stage, told[2];
static void *other(void *own) {
    if (own) SHOW(filter(ON(getpgrp, SECCOMP_RET_ERRNO | 8)));
    told[0] = 1; while (!__atomic_load_n(&stage, __ATOMIC_SEQ_CST)) sched_yield();
    SHOW(getppid() > 0 ? 1 : -1); SHOW(prctl(PR_GET_SECCOMP)); SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)); return 0;
}
static void synced(void *own) {
    pthread_t thread; stage = told[0] = 0; pthread_create(&thread, 0, other, own); while (!__atomic_load_n(&told[0], __ATOMIC_SEQ_CST)) sched_yield();
    long result = syscall(SYS_seccomp, 1, 1, ON(getppid, SECCOMP_RET_ERRNO | 44)); printf("tsync %d\n", result > 0 ? 1 : (int)result);
    if (own) SHOW(syscall(SYS_seccomp, 1, 1 | 16, ON(getppid, SECCOMP_RET_ERRNO | 44)));
    __atomic_store_n(&stage, 1, __ATOMIC_SEQ_CST); pthread_join(thread, 0);
}
static void not_synced(void) { synced("own"); }
static void all_synced(void) { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); synced(0); }
static void *dying(void *none) { getppid(); printf("no\n"); return 0; }
static void one_dies(void) {
    pthread_t thread; filter(ON(getppid, SECCOMP_RET_KILL_THREAD)); pthread_create(&thread, 0, dying, 0); pthread_join(thread, 0); printf("alive\n");
}
static int threads(void) { in_child("synced", all_synced); in_child("not synced", not_synced); in_child("one dies", one_dies); return 0; }

#define CASE(name) {#name, name}
static const struct { const char *name; int (*body)(void); } CASES[] = {
    CASE(modes), CASE(answers), CASE(arguments), CASE(wrong), CASE(threads),
};
int main(int argc, char **argv) {
    for (unsigned which = 0; which < sizeof CASES / sizeof *CASES; which++)
        if (argc > 1 && !strcmp(argv[1], CASES[which].name)) return CASES[which].body();
    return argc > 1 && !strcmp(argv[1], "after") ? after() : 99;
}
