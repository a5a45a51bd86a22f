/* Nested exceptions, resumed faults, stack overflow twice, guard pages, code in data. */
#include <stdio.h>
#include <setjmp.h>
#include <windows.h>
/* SEH by hand: nested faults in handlers, longjmp out of a handler, continue handlers, int3, privileged, align, guard,
 * stack overflow, noncontinuable */
static jmp_buf jb;
static int depth;
static LONG CALLBACK veh(EXCEPTION_POINTERS *p) {
    DWORD c = p->ExceptionRecord->ExceptionCode;
    printf("veh %lx flags %lx params %lu\n", c, p->ExceptionRecord->ExceptionFlags,
           p->ExceptionRecord->NumberParameters);
    if (c == 0xE0000001 && depth++ == 0) {
        RaiseException(0xE0000002, 0, 0, 0);
        printf("back in the first\n");
        return -1;
    }
    if (c == 0xE0000002)
        return -1;
    if (c == 0xC0000096) {
        p->ContextRecord->Rip += 1;
        return -1;
    }
    if (c == 0xC0000095 || c == 0xC0000094) {
        p->ContextRecord->Rip += 2;
        return -1;
    }
    if (c == 0x80000003) {
        p->ContextRecord->Rip += 1;
        return -1;
    }
    if (c == STATUS_STACK_OVERFLOW || c == 0xC0000005)
        longjmp(jb, c == 0xC0000005 ? 2 : 1);
    if (c == 0x80000001)
        return -1;
    if (c == 0xC000001D) {
        p->ContextRecord->Rip += 2;
        return -1;
    }
    if (c == 0xC0000008)
        return -1;
    return 0;
}
static LONG CALLBACK vch(EXCEPTION_POINTERS *p) {
    static int n;
    if (n++ < 2)
        printf("continue handler %lx\n", p->ExceptionRecord->ExceptionCode);
    return 0;
}
__attribute__((noinline)) static int over(int n) {
    volatile char b[4000];
    b[0] = n;
    return over(n + 1) + b[0];
}
int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    AddVectoredExceptionHandler(1, veh);
    AddVectoredContinueHandler(1, vch);
    RaiseException(0xE0000001, 0, 0, 0);
    printf("after nested\n");
    __asm__ volatile("cli");
    printf("after cli\n");
    __asm__ volatile("int3");
    printf("after int3\n");
    __asm__ volatile("ud2");
    printf("after ud2\n");
    __asm__ volatile("xor %%edx,%%edx; xor %%ecx,%%ecx; mov $1,%%eax; div %%ecx" ::: "eax", "ecx", "edx");
    printf("after div\n");
    __asm__ volatile("mov $0x80000000,%%eax; cdq; mov $-1,%%ecx; idiv %%ecx" ::: "eax", "ecx", "edx");
    printf("after overflow\n");
    int r = setjmp(jb);
    if (!r)
        over(0);
    printf("jumped %d\n", r);
    if (r == 1) {
        printf("reset %d\n", _resetstkoflw());
        r = setjmp(jb);
        if (!r)
            over(0);
        printf("again %d\n", r);
    }
    r = setjmp(jb);
    if (!r)
        *(volatile int *)0x1234 = 1;
    printf("av %d\n", r);
    r = setjmp(jb);
    if (!r)
        ((void (*)(void))0xdead0000)();
    printf("exec %d\n", r);
    r = setjmp(jb);
    if (!r) {
        printf("%d", *(volatile int *)0xffff800000001234ull);
    }
    printf("kernel %d\n", r);
    r = setjmp(jb);
    if (!r) {
        printf("%d", *(volatile int *)0x8000000000000000ull);
    }
    printf("noncanonical %d\n", r);
    char *g = VirtualAlloc(0, 0x2000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE | PAGE_GUARD);
    g[1] = 4;
    printf("guard %d\n", g[1]);
    MEMORY_BASIC_INFORMATION m;
    VirtualQuery(g, &m, sizeof m);
    printf("after %lx size %llx\n", m.Protect, m.RegionSize);
    ULONG_PTR a[20];
    for (int i = 0; i < 20; i++)
        a[i] = i;
    RaiseException(0xE0000002, 0, 20, a);
    char *x = VirtualAlloc(0, 4096, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    memcpy(x, "\xb8\x2a\0\0\0\xc3", 6);
    r = setjmp(jb);
    if (!r)
        ((int (*)(void))x)();
    printf("dep %d\n", r);
    DWORD o;
    VirtualProtect(x, 4096, PAGE_EXECUTE_READ, &o);
    printf("jit %d\n", ((int (*)(void))x)());
    x = VirtualAlloc(x, 4096, MEM_COMMIT, PAGE_EXECUTE_READWRITE);
    x[1] = 43;
    printf("jit %d\n", ((int (*)(void))x)());
    RUNTIME_FUNCTION rf = {0, 6, 0};
    printf("table %d\n", RtlAddFunctionTable(&rf, 1, (DWORD64)x));
    return 0;
}
