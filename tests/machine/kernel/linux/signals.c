/* Programs with signal handlers, one per argument; each prints what it prints natively. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <ucontext.h>
#include <unistd.h>

typedef void (*action)(int, siginfo_t *, void *);
static sigjmp_buf back;
static volatile int zero, calls;

static void set(int number, action handler, int flags) {
    struct sigaction row;
    memset(&row, 0, sizeof row);
    row.sa_sigaction = handler;
    row.sa_flags = SA_SIGINFO | flags;
    sigaction(number, &row, 0);
}
static void show(int number, siginfo_t *info, void *user) {
    ucontext_t *context = user;
    unsigned long long *words = (unsigned long long *)context->uc_mcontext.gregs;
    printf("signal %d code %d errno %d trap %llx error %llx cr2 %llx mask %llx flags %llx selectors %llx aligned %d\n", number,
           info->si_code, info->si_errno, words[REG_TRAPNO], words[REG_ERR], words[REG_CR2],
           *(unsigned long long *)&context->uc_sigmask, words[REG_EFL] & 0x10200, words[REG_CSGSFS],
           (int)((unsigned long)__builtin_frame_address(0) & 15));
    if (number == SIGSEGV) printf("at %lx\n", (long)info->si_addr);
    else printf("at rip %d\n", (unsigned long)info->si_addr == words[REG_RIP]);
}
static void jump(int number, siginfo_t *info, void *user) { show(number, info, user); siglongjmp(back, 1); }
#define TRY(what) do { if (!sigsetjmp(back, 1)) { what; puts("nothing happened"); } } while (0)

static void faults(void) {
    set(SIGSEGV, jump, 0); set(SIGFPE, jump, 0); set(SIGILL, jump, 0); set(SIGTRAP, jump, 0); set(SIGBUS, jump, 0);
    char *page = mmap((void *)0x10000000, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    TRY(*(volatile int *)0x1234 = 1);
    TRY(printf("%d", *(volatile int *)0x5678));
    TRY(*(volatile int *)(page + 8) = 1);
    printf("%d\n", *(volatile int *)(page + 16));
    TRY(*(volatile int *)(page + 16) = 1);
    TRY(*(volatile int *)(page + 4094) = 1);
    TRY((*(volatile int *)(page + 32))++);
    mprotect(page, 4096, PROT_NONE);
    TRY(printf("%d", *(volatile int *)(page + 4094)));
    TRY(((void (*)(void))page)());
    TRY(*(volatile int *)0xffffffff81000000 = 1);
    TRY(*(volatile int *)0x1234567812345678 = 1);
    TRY(printf("%d", 5 / zero));
    TRY(__asm__ volatile("ud2"));
    TRY(__asm__ volatile("int3"));
    TRY(__asm__ volatile(".byte 0xf1"));
    TRY(__asm__ volatile("int $0x21"));
    TRY(__asm__ volatile("hlt"));
    TRY(__asm__ volatile("cli"));
    TRY(__asm__ volatile("in %%dx, %%al" ::: "rax"));
    TRY(__asm__ volatile("mov $0x18, %%eax; mov %%eax, %%ss" ::: "rax"));
}

static void skip(int number, siginfo_t *info, void *user) {
    ucontext_t *context = user;
    greg_t *words = context->uc_mcontext.gregs;
    fpregset_t state = context->uc_mcontext.fpregs;
    double seven;
    unsigned mxcsr;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    memcpy(&seven, &state->_xmm[7], 8);
    printf("mxcsr %x, here %x; control word %x; xmm7 %g\n", state->mxcsr, mxcsr, state->cwd, seven);
    seven *= 2;
    memcpy(&state->_xmm[7], &seven, 8);
    words[REG_RIP] += 2;
    words[REG_RAX] = 77;
    words[REG_R15] ^= 5;
    words[REG_EFL] |= 0x41;
    sigaddset(&context->uc_sigmask, SIGUSR2);
    __asm__ volatile("fninit; xorps %%xmm7, %%xmm7" ::: "xmm7");
}
static void not_canonical(void) {
    static char place[1 << 16];
    stack_t own = {.ss_sp = place, .ss_size = sizeof place};
    sigaltstack(&own, 0);
    set(SIGSEGV, jump, SA_ONSTACK); set(SIGBUS, jump, SA_ONSTACK);
    TRY(__asm__ volatile("mov %0, %%rsp; push %%rax" :: "r"(1ul << 63) : "memory"));
    TRY(__asm__ volatile("mov %0, %%rsp; ret" :: "r"(1ul << 63) : "memory"));
    TRY(__asm__ volatile("mov %0, %%rsp; mov %%rax, (%%rsp)" :: "r"(1ul << 63) : "memory"));
    TRY(__asm__ volatile("push %%rbp; mov %0, %%rbp; mov (%%rbp), %%rcx; pop %%rbp" :: "r"(1ul << 63) : "rcx", "memory"));
    TRY(__asm__ volatile("mov %%fs:(%0), %%rcx" :: "r"(1ul << 63) : "rcx", "memory"));
    TRY(__asm__ volatile("mov (%0), %%rcx" :: "r"(1ul << 63) : "rcx", "memory"));
}

static void resume(void) {
    set(SIGILL, skip, 0);
    double value = 3.5;
    long double pi = 0;
    unsigned mxcsr = 0x1fa0;
    unsigned long result, other = 0x1230, flags;
    __asm__ volatile("ldmxcsr %5; movsd %0, %%xmm7; fldpi; mov %2, %%r15; xor %%eax, %%eax; ud2; pushf; pop %3; mov %%r15, %2; "
                     "fstpt %4; movsd %%xmm7, %0"
                     : "+m"(value), "=&a"(result), "+r"(other), "=r"(flags), "=m"(pi) : "m"(mxcsr) : "xmm7", "r15");
    sigset_t mask;
    sigprocmask(0, 0, &mask);
    printf("%g %lu %lx %lx %.10Lf %d\n", value, result, other, flags & 0x8d5, pi, sigismember(&mask, SIGUSR2));
}

static void note(int number) {
    sigset_t mask;
    sigprocmask(0, 0, &mask);
    calls++;
    printf("handler of %d; blocked %d %d\n", number, sigismember(&mask, SIGUSR1), sigismember(&mask, SIGUSR2));
}
static void told(int number, siginfo_t *info, void *user) {
    printf("%d code %d from self %d\n", number, info->si_code, info->si_pid == getpid() && info->si_uid == getuid());
}
static void masks(void) {
    sigset_t both, old, pending, none;
    signal(SIGUSR1, note); signal(SIGUSR2, note);
    printf("raise %d\n", raise(SIGUSR1));
    printf("kill %d\n", kill(getpid(), SIGUSR2));
    sigemptyset(&none); sigemptyset(&both); sigaddset(&both, SIGUSR1); sigaddset(&both, SIGUSR2);
    sigprocmask(SIG_BLOCK, &both, &old);
    raise(SIGUSR2); raise(SIGUSR1); raise(SIGUSR1);
    sigpending(&pending);
    printf("%d calls; pending %d %d\n", calls, sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2));
    sigprocmask(SIG_SETMASK, &old, 0);
    printf("%d calls\n", calls);
    sigprocmask(SIG_BLOCK, &both, &old);
    raise(SIGUSR1);
    int result = sigsuspend(&none);
    sigprocmask(0, 0, &pending);
    printf("suspended %d %d; blocked again %d\n", result, errno == EINTR, sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, 0);
    set(SIGUSR1, told, 0); kill(getpid(), SIGUSR1); raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN); raise(SIGUSR1); puts("ignored");
}

static void nest(int number) {
    printf("in %d\n", number);
    if (number == SIGUSR1 && calls++ < 2) { raise(SIGUSR2); raise(SIGUSR1); }
    printf("out of %d\n", number);
}
static void nested(void) {
    struct sigaction row;
    signal(SIGUSR1, nest); signal(SIGUSR2, nest);
    raise(SIGUSR1);
    memset(&row, 0, sizeof row);
    row.sa_handler = nest;
    sigaddset(&row.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &row, 0);
    calls = 0; raise(SIGUSR1);
    row.sa_flags = SA_NODEFER; sigemptyset(&row.sa_mask); sigaction(SIGUSR1, &row, 0);
    calls = 0; raise(SIGUSR1);
    row.sa_flags = SA_RESETHAND; row.sa_handler = note; sigaction(SIGUSR1, &row, 0);
    raise(SIGUSR1); sigaction(SIGUSR1, 0, &row);
    printf("reset %d\n", row.sa_handler == SIG_DFL);
    fflush(stdout);
    raise(SIGUSR1);
}

static char other[16384];
static void on_other(int number, siginfo_t *info, void *user) {
    char here;
    stack_t now, *saved = &((ucontext_t *)user)->uc_stack;
    sigaltstack(0, &now);
    printf("there %d; flags %d, saved %d, size %d\n", &here > other && &here < other + sizeof other, now.ss_flags,
           saved->ss_flags, (int)saved->ss_size);
    int result = sigaltstack(&now, 0);
    printf("%d %d\n", result, errno == EPERM);
    siglongjmp(back, 1);
}
static int deep(int level) { volatile char room[4096]; room[0] = level; return deep(level + 1) + room[0]; }
static void stack(void) {
    stack_t own = {.ss_sp = other, .ss_size = sizeof other};
    sigaltstack(&own, 0);
    set(SIGSEGV, on_other, SA_ONSTACK);
    TRY(deep(0));
    TRY(deep(0));
    sigaltstack(0, &own);
    printf("flags %d\n", own.ss_flags);
}

static void *wait_for_byte(void *pipe) {
    char byte = 0;
    long got = read(*(int *)pipe, &byte, 1);
    printf("read %ld %d %c\n", got, got < 0 ? errno == EINTR : 0, byte ? byte : '-');
    return 0;
}
static void interrupted(void) {
    for (int restarts = 0; restarts < 2; restarts++) {
        int ends[2];
        pthread_t thread;
        set(SIGUSR1, told, restarts ? SA_RESTART : 0);
        if (pipe(ends)) exit(2);
        pthread_create(&thread, 0, wait_for_byte, &ends[0]);
        usleep(50000);
        pthread_kill(thread, SIGUSR1);
        usleep(50000);
        if (write(ends[1], "x", 1) != 1) exit(2);
        pthread_join(thread, 0);
    }
}

static volatile int stop;
static void enough(int number) { stop = 1; }
static void *spin(void *own) { while (!stop) ; return own; }
static void awakened(void) {
    pthread_t thread;
    signal(SIGUSR1, enough);
    pthread_create(&thread, 0, spin, 0);
    usleep(20000);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, 0);
    puts("joined");
}

static void again(int number) { volatile int *nowhere = 0; printf("in %d\n", number); fflush(stdout); *nowhere = 1; }
static void in_handler(void) { signal(SIGSEGV, again); *(volatile int *)0 = 1; }
static void in_handler_nodefer(void) {
    struct sigaction row = {.sa_handler = again, .sa_flags = SA_NODEFER | SA_RESETHAND};
    sigaction(SIGSEGV, &row, 0);
    *(volatile int *)0 = 1;
}
static void blocked(void) {
    sigset_t mask;
    signal(SIGSEGV, note);
    sigemptyset(&mask); sigaddset(&mask, SIGSEGV); sigprocmask(SIG_BLOCK, &mask, 0);
    *(volatile int *)0 = 1;
}
static void ignored(void) { signal(SIGILL, SIG_IGN); __asm__ volatile("ud2"); }
static void no_stack(void) {
    set(SIGUSR1, told, 0);
    __asm__ volatile("mov $39, %%eax; syscall; mov %%eax, %%edi; mov $10, %%esi; mov $0x1000, %%rsp; mov $62, %%eax; syscall; hlt" ::: "memory");
}
static void bad_frame(void) { __asm__ volatile("mov $0x1000, %%rsp; mov $15, %%eax; syscall" ::: "memory"); }
static void halt(void) { __asm__ volatile("hlt"); }
static void trap(void) { __asm__ volatile("int3"); }
static void divide(void) { printf("%d", 1 / zero); }

static struct { const char *name; void (*body)(void); } programs[] = {
    {"faults", faults}, {"resume", resume}, {"not_canonical", not_canonical}, {"masks", masks}, {"nested", nested}, {"stack", stack},
    {"interrupted", interrupted}, {"awakened", awakened}, {"in_handler", in_handler},
    {"in_handler_nodefer", in_handler_nodefer}, {"blocked", blocked}, {"ignored", ignored}, {"no_stack", no_stack},
    {"bad_frame", bad_frame}, {"halt", halt}, {"trap", trap}, {"divide", divide},
};
int main(int count, char **arguments) {
    setvbuf(stdout, 0, _IOLBF, 4096);
    for (unsigned i = 0; i < sizeof programs / sizeof *programs; i++)
        if (count > 1 && !strcmp(arguments[1], programs[i].name)) { programs[i].body(); return 0; }
    return 99;
}
