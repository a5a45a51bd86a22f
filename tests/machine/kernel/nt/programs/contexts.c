/* Registers of threads by CONTEXT: another one's that was preempted, sleeps, or has suspended itself; its own; hardware
   breakpoints of code and data that a program sets by SetThreadContext, in a handler, and for another thread. */
#include <stdio.h>
#include <windows.h>

static volatile LONG watched[4], stop, spins;
static volatile int hits, seen_dr6[8], slot;
static volatile ULONG64 places[8];

__attribute__((noinline)) static int target(int x) { __asm__ volatile("" : "+r"(x)); return x + 1; }

static LONG CALLBACK handler(EXCEPTION_POINTERS *info)
{
    CONTEXT *c = info->ContextRecord;
    DWORD code = info->ExceptionRecord->ExceptionCode;
    if (code == 0xE0000042) { /* a handler arms a breakpoint for the code behind the exception */
        c->Dr0 = (ULONG64)target;
        c->Dr7 = 1;
        c->ContextFlags |= CONTEXT_DEBUG_REGISTERS;
        return EXCEPTION_CONTINUE_EXECUTION;
    }
    if (code != EXCEPTION_SINGLE_STEP)
        return EXCEPTION_CONTINUE_SEARCH;
    seen_dr6[hits & 7] = (int)(c->Dr6 & 0xF);
    places[hits & 7] = (ULONG64)info->ExceptionRecord->ExceptionAddress;
    hits++;
    if (c->Dr6 & 1) {
        if (c->Rip == (ULONG64)target)
            c->EFlags |= 0x10000; /* RF */
    }
    return EXCEPTION_CONTINUE_EXECUTION;
}

static BOOL set_breakpoints(HANDLE thread, ULONG64 dr0, ULONG64 dr1, ULONG64 dr7)
{
    CONTEXT c = {.ContextFlags = CONTEXT_DEBUG_REGISTERS};
    c.Dr0 = dr0;
    c.Dr1 = dr1;
    c.Dr7 = dr7;
    return SetThreadContext(thread, &c);
}

static DWORD WINAPI spinning(void *unused)
{
    register ULONG64 mark __asm__("r12") = 0x1122334455667788;
    double value = 1.5;
    __asm__ volatile("" : "+r"(mark));
    while (!stop) {
        spins++;
        __asm__ volatile("" : "+r"(mark), "+x"(value));
    }
    return mark == 0x1122334455667788 ? 0 : (DWORD)mark;
}

static DWORD WINAPI calls_target(void *count)
{
    int total = 0;
    for (int i = 0; i < (int)(INT_PTR)count; i++)
        total += target(i);
    return total;
}

static void redirected(void)
{
    printf("redirected\n");
    ExitThread(33);
}

static DWORD WINAPI sleeping(void *unused)
{
    Sleep(50);
    printf("never here\n");
    return 1;
}

static DWORD WINAPI suspends_itself(void *unused)
{
    SuspendThread(GetCurrentThread());
    printf("never here either\n");
    return 1;
}

static DWORD code_of(HANDLE thread)
{
    DWORD code = 0;
    WaitForSingleObject(thread, INFINITE);
    GetExitCodeThread(thread, &code);
    return code;
}

static void redirect(HANDLE thread)
{
    CONTEXT c = {.ContextFlags = CONTEXT_CONTROL};
    SuspendThread(thread);
    BOOL got = GetThreadContext(thread, &c);
    c.Rip = (ULONG64)redirected;
    c.Rsp = (c.Rsp & ~15ull) - 8;
    BOOL set = SetThreadContext(thread, &c);
    DWORD resumed = ResumeThread(thread), code = code_of(thread);
    printf("redirect %d %d resume %lu code %lu\n", got, set, resumed, code);
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    AddVectoredExceptionHandler(1, handler);

    CONTEXT c = {.ContextFlags = CONTEXT_DEBUG_REGISTERS};
    printf("own %d %llx %llx %llx\n", GetThreadContext(GetCurrentThread(), &c), c.Dr0, c.Dr6, c.Dr7);
    /* execution at DR0, writes of four bytes at DR1 */
    printf("set %d\n", set_breakpoints(GetCurrentThread(), (ULONG64)target, (ULONG64)&watched[1], 1 | 4 | 0xD << 20));
    GetThreadContext(GetCurrentThread(), &c);
    printf("read back %d %d %llx\n", c.Dr0 == (ULONG64)target, c.Dr1 == (ULONG64)&watched[1], c.Dr7);
    int result = target(4);
    printf("code: %d hits %d dr6 %x at target %d\n", result, hits, seen_dr6[0], places[0] == (ULONG64)target);
    watched[0] = 1;
    watched[1] = 2;
    LONG read = watched[1];
    watched[2] = 3;
    printf("data: %ld hits %d dr6 %x\n", read, hits, seen_dr6[1]);
    set_breakpoints(GetCurrentThread(), 0, 0, 0);
    target(5);
    watched[1] = 7;
    printf("off: hits %d\n", hits);

    RaiseException(0xE0000042, 0, 0, NULL);
    target(6);
    printf("by the handler: hits %d\n", hits);
    set_breakpoints(GetCurrentThread(), 0xFFFF800000000000, 0, 1);
    c.ContextFlags = CONTEXT_DEBUG_REGISTERS;
    GetThreadContext(GetCurrentThread(), &c);
    printf("kernel address %llx\n", c.Dr0);
    set_breakpoints(GetCurrentThread(), 0, 0, 0);

    hits = 0;
    HANDLE thread = CreateThread(NULL, 0, calls_target, (void *)3, CREATE_SUSPENDED, NULL);
    printf("other: set %d", set_breakpoints(thread, (ULONG64)target, 0, 1));
    ResumeThread(thread);
    printf(" code %lu", code_of(thread));
    target(1);
    printf(" hits %d\n", hits);

    thread = CreateThread(NULL, 0, spinning, NULL, 0, NULL);
    while (!spins)
        Sleep(1);
    SuspendThread(thread);
    CONTEXT all = {.ContextFlags = CONTEXT_FULL};
    BOOL got = GetThreadContext(thread, &all);
    printf("spinning: get %d r12 %llx cs %x", got, all.R12, all.SegCs);
    CONTEXT part = {.ContextFlags = CONTEXT_INTEGER};
    GetThreadContext(thread, &part);
    printf(" part %llx rip %llx\n", part.R12, part.Rip);
    all.R12 = 0x55;
    SetThreadContext(thread, &all);
    GetThreadContext(thread, &part);
    printf("then r12 %llx", part.R12);
    stop = 1;
    ResumeThread(thread);
    printf(" code %lx\n", code_of(thread));

    thread = CreateThread(NULL, 0, sleeping, NULL, 0, NULL);
    Sleep(10);
    redirect(thread);
    thread = CreateThread(NULL, 0, suspends_itself, NULL, 0, NULL);
    Sleep(10);
    CONTEXT s = {.ContextFlags = CONTEXT_CONTROL};
    GetThreadContext(thread, &s);
    s.Rip = (ULONG64)redirected;
    s.Rsp = (s.Rsp & ~15ull) - 8;
    SetThreadContext(thread, &s);
    DWORD resumed = ResumeThread(thread), code = code_of(thread);
    printf("itself: resume %lu code %lu\n", resumed, code);
    printf("ended %d", GetThreadContext(thread, &s));
    printf(" %lu\n", GetLastError());

    /* single steps by the trap flag, and by its own context: the rest of main goes on behind it */
    hits = 0;
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; nop" ::: "cc", "memory");
    printf("trap flag: hits %d dr6 %x\n", hits, seen_dr6[0]);
    volatile int again = 0;
    CONTEXT back;
    RtlCaptureContext(&back);
    if (again++ == 0) {
        back.ContextFlags = CONTEXT_FULL;
        SetThreadContext(GetCurrentThread(), &back);
        printf("never behind it\n");
    }
    printf("own context: %d\n", again);
    fflush(stdout);
    set_breakpoints(GetCurrentThread(), (ULONG64)target, 0, 1);
    RemoveVectoredExceptionHandler(handler);
    return 9;
}
