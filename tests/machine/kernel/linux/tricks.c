/* What programs do to find a debugger, one function per argument; each prints what it prints natively. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ucontext.h>
#include <ucontext.h>

#define TF 0x100
static char *start;
static int count, skip, stop_after;
static struct { int signal, code; long at, rip; unsigned long long flags, ax, cx; } seen[64];

static void note(int number, siginfo_t *info, void *user) {
    greg_t *words = ((ucontext_t *)user)->uc_mcontext.gregs;
    if (count < 64) {
        seen[count].signal = number;
        seen[count].code = info->si_code;
        seen[count].at = info->si_addr ? (char *)info->si_addr - start : -1;
        seen[count].rip = (char *)words[REG_RIP] - start;
        seen[count].flags = words[REG_EFL] & 0x4d40;  /* IF is set for all; RF is not looked at */
        seen[count].cx = words[REG_RCX];
        count++;
    }
    words[REG_RIP] += skip;
    if (stop_after && count >= stop_after) words[REG_EFL] &= ~TF;
}
static void print(const char *name) {
    printf("%s:", name);
    for (int i = 0; i < count; i++)
        printf(" [%d code %d at %lx rip %lx flags %llx]", seen[i].signal, seen[i].code, seen[i].at, seen[i].rip, seen[i].flags);
    puts("");
    count = skip = stop_after = 0;
}
#define TRICK(name, skipped, code) do { void *here; skip = skipped; \
    __asm__ volatile("lea 1f(%%rip), %0; mov %0, %1; 1: " code : "=&r"(here), "=m"(start) : : "rax", "rcx", "rdx", "rbx", "rsi", "rdi", "r11", "memory", "cc"); \
    print(name); } while (0)
#define STEPPED(name, code) TRICK(name, 0, "sub $128, %%rsp; pushfq; orl $0x100, (%%rsp); popfq; " code "; pushfq; andl $0xfffffeff, (%%rsp); popfq; nop; nop; add $128, %%rsp")

static void raised(void) {
    TRICK("int3", 0, "int3; nop");
    TRICK("int 3", 0, ".byte 0xcd, 3; nop");
    TRICK("rep int3", 0, ".byte 0xf3, 0xcc; nop");
    TRICK("ud2", 2, "ud2; nop");
    TRICK("ud1", 3, ".byte 0x0f, 0xb9, 0xc0; nop");
    TRICK("ud0", 3, ".byte 0x0f, 0xff, 0xc0; nop");
    TRICK("lock nop", 2, ".byte 0xf0, 0x90; nop");
    TRICK("into", 1, ".byte 0xce; nop");
    TRICK("salc", 1, ".byte 0xd6; nop");
    TRICK("int 1", 2, ".byte 0xcd, 1; nop");
    TRICK("int 2d", 2, ".byte 0xcd, 0x2d; nop");
    TRICK("int 41", 2, ".byte 0xcd, 0x41; nop");
    TRICK("prefixed int 2d", 3, ".byte 0x66, 0xcd, 0x2d; nop");
    TRICK("vmware", 1, "mov $0x564d5868, %%eax; mov $10, %%ecx; mov $0x5658, %%edx; in %%dx, %%eax; nop");
    TRICK("vmware out", 1, "mov $0x564d5868, %%eax; mov $10, %%ecx; mov $0x5658, %%edx; out %%eax, %%dx; nop");
    TRICK("privileged dr", 3, "mov %%dr7, %%rax; nop");
    TRICK("privileged dr write", 3, "mov %%rax, %%dr7; nop");
}

static void stepped(void) {
    STEPPED("nop", "nop; nop");
    STEPPED("call", "call 2f; nop; jmp 3f; 2: ret; 3: nop");
    STEPPED("system call", "mov $39, %%eax; syscall; nop; nop");
    STEPPED("bad system call", "mov $-1, %%eax; syscall; nop; nop");
    STEPPED("rep", "lea -64(%%rsp), %%rdi; mov $3, %%ecx; rep stosb; nop");
    STEPPED("rep of none", "lea -64(%%rsp), %%rdi; mov $0, %%ecx; rep stosb; nop");
    STEPPED("mov ss", "mov %%ss, %%eax; mov %%eax, %%ss; nop; nop");
    STEPPED("pop ss", "mov %%ss, %%rax; push %%rax; .byte 0x66; pop %%rax; push %%rax; pop %%rax; pop %%rcx; nop");
    STEPPED("pushf", "pushfq; pop %%rax; nop");
    STEPPED("popf keeps it", "pushfq; popfq; nop");
    STEPPED("cpuid", "xor %%eax, %%eax; cpuid; nop");
    STEPPED("int3", "int3; nop");
    STEPPED("store and load", "mov %%rax, -8(%%rsp); mov -8(%%rsp), %%rax; xchg %%rax, -8(%%rsp)");
    STEPPED("rdtsc", "rdtsc; nop");
    STEPPED("branches", "xor %%eax, %%eax; jz 2f; nop; 2: jnz 3f; nop; 3: loop 4f; 4: nop");
    TRICK("iret", 0, "mov %%rsp, %%rax; mov %%ss, %%ecx; push %%rcx; push %%rax; pushfq; orl $0x100, (%%rsp); mov %%cs, %%ecx; push %%rcx; "
          "lea 2f(%%rip), %%rcx; push %%rcx; iretq; 2: nop; nop; pushfq; andl $0xfffffeff, (%%rsp); popfq; nop");
}

/* Some hypervisors below leave RIP at the instruction: not compared. */
static void icebp(void) {
    TRICK("icebp", 0, ".byte 0xf1; nop");
    TRICK("prefixed icebp", 0, ".byte 0x66, 0xf1; nop");
    STEPPED("stepped icebp", ".byte 0xf1; nop");
}

static void pushed(void) {
    unsigned long flags;
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; pushfq; pop %0; pushfq; andl $0xfffffeff, (%%rsp); popfq" : "=r"(flags) : : "cc", "memory");
    printf("pushed %lx, %d steps\n", flags & 0x10100, count);
}

static void timed(void) {
    unsigned lo, hi, lo2, hi2;
    __asm__ volatile("rdtsc; mov %%eax, %0; mov %%edx, %1; rdtscp; mov %%eax, %2; mov %%edx, %3" : "=r"(lo), "=r"(hi), "=r"(lo2), "=r"(hi2) : : "eax", "ecx", "edx");
    unsigned long before = (unsigned long)hi << 32 | lo, behind = (unsigned long)hi2 << 32 | lo2;
    printf("grows %d, by less than a tenth of a second %d\n", behind > before, behind - before < 300000000);
}

static struct { const char *name; void (*body)(void); } programs[] = {
    {"raised", raised}, {"stepped", stepped}, {"pushed", pushed}, {"timed", timed}, {"icebp", icebp},
};

int main(int arguments, char **argument) {
    int signals[] = {SIGTRAP, SIGILL, SIGSEGV, SIGBUS, SIGFPE};
    struct sigaction row;
    memset(&row, 0, sizeof row);
    row.sa_sigaction = note;
    row.sa_flags = SA_SIGINFO;
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &row, 0);
    setvbuf(stdout, 0, _IOLBF, 4096);
    for (unsigned i = 0; i < sizeof programs / sizeof *programs; i++)
        if (arguments > 1 && !strcmp(argument[1], programs[i].name)) { programs[i].body(); return 0; }
    return 99;
}
