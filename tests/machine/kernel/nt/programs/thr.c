/* Four threads count under a critical section; each has a variable of its own. */
#include <stdio.h>
#include <windows.h>

static CRITICAL_SECTION lock;
static int n;
static __thread int mine;

static DWORD WINAPI work(void *argument)
{
    for (int i = 0; i < 1000; i++) {
        EnterCriticalSection(&lock);
        n++;
        LeaveCriticalSection(&lock);
        mine++;
    }
    return (DWORD)(ULONG_PTR)argument + (mine == 1000 ? 4 : 0);
}

int main(void)
{
    HANDLE threads[4];
    DWORD code = 0;
    InitializeCriticalSection(&lock);
    for (ULONG_PTR i = 0; i < 4; i++) {
        threads[i] = CreateThread(NULL, 0, work, (void *)(i + 1), CREATE_SUSPENDED, NULL);
        ResumeThread(threads[i]);
    }
    WaitForMultipleObjects(4, threads, TRUE, INFINITE);
    GetExitCodeThread(threads[3], &code);
    printf("n=%d code=%lu\n", n, code);
    return 0;
}
