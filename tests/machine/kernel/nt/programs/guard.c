/* A guard page is told of once; a stack that is used up is an exception, too. */
#include <stdio.h>
#include <windows.h>

static char *page;
static int overflows;

static LONG CALLBACK handler(EXCEPTION_POINTERS *about)
{
    if (about->ExceptionRecord->ExceptionCode == STATUS_GUARD_PAGE_VIOLATION) {
        printf("guard %d\n", (char *)about->ExceptionRecord->ExceptionInformation[1] == page);
        return EXCEPTION_CONTINUE_EXECUTION;
    }
    if (about->ExceptionRecord->ExceptionCode == STATUS_STACK_OVERFLOW) {
        overflows++;
        ExitThread(9);
    }
    return EXCEPTION_CONTINUE_SEARCH;
}

static int recurse(int depth)
{
    volatile char room[2000];
    room[0] = (char)depth;
    return recurse(depth + 1) + room[0];
}

static DWORD WINAPI work(void *argument)
{
    (void)argument;
    return (DWORD)recurse(0);
}

int main(void)
{
    DWORD code = 0;
    AddVectoredExceptionHandler(1, handler);
    page = VirtualAlloc(NULL, 4096, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE | PAGE_GUARD);
    printf("first %d\n", page[0]);
    printf("second %d\n", page[0]);
    HANDLE thread = CreateThread(NULL, 0, work, NULL, 0, NULL);
    WaitForSingleObject(thread, INFINITE);
    GetExitCodeThread(thread, &code);
    printf("overflows %d code %lu\n", overflows, code);
    return 0;
}
