/* How a program ends: by exceptions that nobody handles, and by statuses that only look like one. */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

static LONG CALLBACK skip(EXCEPTION_POINTERS *p) {
    if (p->ExceptionRecord->ExceptionCode != STATUS_ACCESS_VIOLATION) return EXCEPTION_CONTINUE_SEARCH;
    p->ContextRecord->Rip += 2;
    return EXCEPTION_CONTINUE_EXECUTION;
}

static LONG CALLBACK last(EXCEPTION_POINTERS *p) {
    ExitProcess(p->ExceptionRecord->ExceptionCode);
}

static void handle_one(void) {
    void *handler = AddVectoredExceptionHandler(1, skip);
    __asm__ volatile("xor %%eax,%%eax; movb %%al,(%%rax)" ::: "rax", "memory");
    RemoveVectoredExceptionHandler(handler);
}

static LONG CALLBACK last_at_once(EXCEPTION_POINTERS *p) {
    TerminateProcess(GetCurrentProcess(), p->ExceptionRecord->ExceptionCode);
    return 0;
}

static LONG CALLBACK go_on(EXCEPTION_POINTERS *p) {
    return EXCEPTION_CONTINUE_EXECUTION;
}

__attribute__((noinline)) static int raise_below(int depth, DWORD code) {
    volatile char room[4096];
    room[0] = depth;
    if (!depth) RaiseException(code, 0, 0, NULL);
    return depth ? raise_below(depth - 1, code) + room[0] : 0;
}

static DWORD WINAPI fail(void *code) {
    __asm__ volatile("int $0x29" ::"c"((int)(INT_PTR)code));
    return 0;
}

static DWORD WINAPI handle_there(void *unused) {
    handle_one();
    return 0;
}

int main(int argc, char **argv) {
    switch (argv[1][0]) {
    case 'e':
        handle_one();
        ExitProcess(STATUS_ACCESS_VIOLATION);
    case 't':
        handle_one();
        TerminateProcess(GetCurrentProcess(), STATUS_ACCESS_VIOLATION);
        break;
    case 'r':
        handle_one();
        return STATUS_ACCESS_VIOLATION;
    case 'o': { /* another thread has handled one of the same status */
        HANDLE thread = CreateThread(NULL, 0, handle_there, NULL, 0, NULL);
        WaitForSingleObject(thread, INFINITE);
        RaiseException(STATUS_ACCESS_VIOLATION, 0, 0, NULL);
        break;
    }
    case 'f': /* the filter is not done when it ends the process */
        SetUnhandledExceptionFilter(last);
        *(volatile int *)8 = 1;
        break;
    case 'u':
        handle_one();
        __asm__ volatile("ud2");
        break;
    case 's': /* there is no stack for the dispatcher */
        __asm__ volatile("mov $0x10000,%%esp; movb $1,8" ::: "memory");
        break;
    case 'l':
        __asm__ volatile(".byte 0xf0, 0x90");
        break;
    case 'n':
        RaiseException(0xe0001234, EXCEPTION_NONCONTINUABLE, 0, NULL);
        break;
    case '0':
        RaiseException(0xc0000100, 0, 0, NULL);
        break;
    case 'c':
        RaiseException(strtoul(argv[2], NULL, 16), 0, 0, NULL);
        break;
    case 'd': /* far below what is left of the stack when the process ends */
        return raise_below(100, strtoul(argv[2], NULL, 16));
    case 'F': /* as 'f', by software */
        SetUnhandledExceptionFilter(last);
        RaiseException(strtoul(argv[2], NULL, 16), 0, 0, NULL);
        break;
    case 'T':
        SetUnhandledExceptionFilter(last_at_once);
        RaiseException(strtoul(argv[2], NULL, 16), 0, 0, NULL);
        break;
    case 'E': /* as 'e', 't' and 'r', by software */
        AddVectoredExceptionHandler(1, go_on);
        RaiseException(0xe0001234, 0, 0, NULL);
        if (argv[2][0] == 'e') ExitProcess(0xe0001234);
        if (argv[2][0] == 't') TerminateProcess(GetCurrentProcess(), 0xe0001234);
        return 0xe0001234;
    case 'q':
        RaiseFailFastException(NULL, NULL, 0);
        break;
    case 'x':
        exit(atoi(argv[2]));
    case '2':
        WaitForSingleObject(CreateThread(NULL, 0, fail, (void *)(INT_PTR)atoi(argv[2]), 0, NULL), INFINITE);
        break;
    }
    return 0;
}
