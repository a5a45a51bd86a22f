/* A stack that is used up and nobody handles it: in the first thread, in another, or behind one that was handled. */
#define _WIN32_WINNT 0x0A00
#include <windows.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdio.h>

static jmp_buf back;
static volatile int ends, i;

static LONG CALLBACK handler(EXCEPTION_POINTERS *about)
{
    if (about->ExceptionRecord->ExceptionCode == STATUS_STACK_OVERFLOW && i < 5)
        longjmp(back, 1);
    return EXCEPTION_CONTINUE_SEARCH;
}

__attribute__((noinline)) static int recurse(int depth)
{
    volatile char room[1000];
    room[0] = (char)depth;
    return ends ? depth : recurse(depth + 1) + room[0];
}

static DWORD WINAPI work(void *argument)
{
    ULONG size = 0x8000;
    if (argument)
        printf("guarantee %d\n", SetThreadStackGuarantee(&size));
    return (DWORD)recurse(0);
}

int main(int count, char **arguments)
{
    int kind = count > 1 ? arguments[1][0] : 'm';
    setvbuf(stdout, NULL, _IONBF, 0);
    if (kind == 'h')
        for (AddVectoredExceptionHandler(1, handler); i < 5; i++) {
            int jumped = setjmp(back);
            if (!jumped)
                recurse(0);
            printf("%d: %d reset %d\n", i, jumped, _resetstkoflw());
        }
    if (kind == 't' || kind == 'g')
        WaitForSingleObject(CreateThread(NULL, 0, work, kind == 'g' ? &kind : NULL, 0, NULL), INFINITE);
    return recurse(0);
}
