/* Waits of all kinds: objects, locks with conditions, APCs, timers; and code that the program makes. */
#include <stdio.h>
#include <windows.h>

static HANDLE event, semaphore;
static SRWLOCK lock = SRWLOCK_INIT;
static CONDITION_VARIABLE condition = CONDITION_VARIABLE_INIT;
static int ready;

static DWORD WINAPI work(void *argument)
{
    (void)argument;
    WaitForSingleObject(semaphore, INFINITE);
    AcquireSRWLockExclusive(&lock);
    while (!ready)
        SleepConditionVariableSRW(&condition, &lock, INFINITE, 0);
    ReleaseSRWLockExclusive(&lock);
    SetEvent(event);
    return 0;
}

static void CALLBACK call(ULONG_PTR argument)
{
    printf("apc %d\n", (int)argument);
}

static DWORD recurse(int depth)
{
    volatile char room[8000];
    room[0] = (char)depth;
    return depth ? recurse(depth - 1) + room[0] : 0;
}

int main(void)
{
    LARGE_INTEGER due = {.QuadPart = -100000};
    event = CreateEventA(NULL, FALSE, FALSE, NULL);
    semaphore = CreateSemaphoreA(NULL, 0, 5, NULL);
    HANDLE thread = CreateThread(NULL, 0, work, NULL, 0, NULL);
    ReleaseSemaphore(semaphore, 1, NULL);
    Sleep(10);
    AcquireSRWLockExclusive(&lock);
    ready = 1;
    ReleaseSRWLockExclusive(&lock);
    WakeAllConditionVariable(&condition);
    printf("event %lx\n", WaitForSingleObject(event, 1000));
    printf("thread %lx\n", WaitForSingleObject(thread, INFINITE));
    printf("timeout %lx\n", WaitForSingleObject(event, 20));
    QueueUserAPC(call, GetCurrentThread(), 7);
    printf("sleep %lx\n", SleepEx(100, TRUE));
    HANDLE mutex = CreateMutexA(NULL, TRUE, "name");
    printf("mutex %d\n", mutex && OpenMutexA(SYNCHRONIZE, FALSE, "name"));
    HANDLE timer = CreateWaitableTimerA(NULL, FALSE, NULL);
    SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE);
    printf("timer %lx\n", WaitForSingleObject(timer, 1000));
    printf("stack %lu\n", recurse(100));
    unsigned char *code = VirtualAlloc(NULL, 4096, MEM_COMMIT | MEM_RESERVE, PAGE_EXECUTE_READWRITE);
    memcpy(code, "\xb8\x2a\0\0\0\xc3", 6);
    printf("code %d\n", ((int (*)(void))(void *)code)());
    printf("debugger %d\n", IsDebuggerPresent());
    return 0;
}
