/* Executes single instructions and says where each faults: si_addr and the write bit of the error code of SIGSEGV.
 *
 * Input: for each instruction a line of the sixteen general registers in the order of GUEST_REGS, rflags, and the code,
 * all hexadecimal. Output: the base of FS, then a line for each, "address write" or "none".
 * Pages: 20001000 and 20004000 may be read and written, 20003000 be read, 20000000 and 20002000 neither. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { PAGE = 4096, REGISTERS = 17, ARCH_GET_FS_BASE = 0x1003, WRITE_BIT = 2, INT3 = 0xCC };

static const int positions[REGISTERS] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8,
    REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_EFL,
};
static unsigned long wanted[REGISTERS];
static unsigned char *code;
static sigjmp_buf back;

/* The kernel loads all registers when a handler returns: that is how the instruction is entered. */
static void enter(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    for (int i = 0; i < REGISTERS; i++) registers[positions[i]] = wanted[i];
    registers[REG_RIP] = (greg_t)code;
}

static void leave(int number, siginfo_t *info, void *context) {
    unsigned long error = ((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR];
    if (number == SIGSEGV) printf("%lx %d\n", (unsigned long)info->si_addr, (error & WRITE_BIT) != 0);
    else printf("none\n");
    siglongjmp(back, 1);
}

static void *map(unsigned long address, int rights) {
    return mmap((void *)address, PAGE, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static int map_pages(void) {
    code = map(0x10000000, PROT_READ | PROT_WRITE | PROT_EXEC);
    return code != MAP_FAILED && map(0x20000000, PROT_NONE) != MAP_FAILED &&
           map(0x20001000, PROT_READ | PROT_WRITE) != MAP_FAILED && map(0x20002000, PROT_NONE) != MAP_FAILED &&
           map(0x20003000, PROT_READ) != MAP_FAILED && map(0x20004000, PROT_READ | PROT_WRITE) != MAP_FAILED;
}

static void install(int number, void (*handler)(int, siginfo_t *, void *)) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigaction(number, &action, 0);
}

int main(void) {
    static char stack[1 << 16];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    unsigned long fs_base;
    char text[64];
    unsigned byte;
    if (!map_pages()) return 2;
    sigaltstack(&alternate, 0);
    install(SIGUSR1, enter);
    install(SIGSEGV, leave);
    install(SIGTRAP, leave);
    install(SIGBUS, leave);
    install(SIGILL, leave);
    syscall(SYS_arch_prctl, ARCH_GET_FS_BASE, &fs_base);
    printf("%lx\n", fs_base);
    for (;;) {
        for (int i = 0; i < REGISTERS; i++)
            if (scanf("%lx", &wanted[i]) != 1) return 0;
        if (scanf("%63s", text) != 1) return 1;
        memset(code, INT3, PAGE);
        for (int i = 0; sscanf(text + 2 * i, "%2x", &byte) == 1; i++) code[i] = byte;
        if (!sigsetjmp(back, 1)) raise(SIGUSR1);
    }
}
