/* APCs of timers, and what waits and priorities refuse. */
#include <stdio.h>
#include <windows.h>

static int calls;

static void CALLBACK alarm(void *argument, DWORD low, DWORD high)
{
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    ULONGLONG late = ((ULONGLONG)now.dwHighDateTime << 32 | now.dwLowDateTime) - ((ULONGLONG)high << 32 | low);
    printf("alarm %s, in time %d\n", (char *)argument, late < 200000);
    calls++;
}

int main(void)
{
    LARGE_INTEGER soon = {.QuadPart = -50000}, later = {.QuadPart = -200000};
    HANDLE timer = CreateWaitableTimerA(NULL, FALSE, NULL), other = CreateWaitableTimerA(NULL, FALSE, NULL);
    HANDLE event = CreateEventA(NULL, FALSE, FALSE, NULL);
    SetWaitableTimer(timer, &soon, 0, alarm, "once", FALSE);
    printf("not alertable %lx\n", WaitForSingleObject(event, 10));
    printf("alertable %lx\n", SleepEx(0, TRUE));
    SetWaitableTimer(timer, &later, 0, alarm, "late", FALSE);
    SetWaitableTimer(other, &soon, 0, alarm, "soon", FALSE);
    printf("first %lx\n", WaitForSingleObjectEx(event, 1000, TRUE));
    printf("second %lx\n", WaitForSingleObjectEx(event, INFINITE, TRUE));
    printf("none %lx\n", SleepEx(30, TRUE));
    SetWaitableTimer(timer, &soon, 5, alarm, "again", FALSE);
    while (calls < 6)
        SleepEx(INFINITE, TRUE);
    CancelWaitableTimer(timer);
    printf("cancelled %lx\n", SleepEx(50, TRUE));
    SetWaitableTimer(timer, &soon, 0, alarm, "closed", FALSE);
    CloseHandle(timer);
    printf("closed %lx\n", SleepEx(50, TRUE));

    HANDLE twice[2] = {event, event};
    printf("one of two %lx\n", WaitForMultipleObjects(2, twice, FALSE, 0));
    printf("both %lx", WaitForMultipleObjects(2, twice, TRUE, 0));
    printf(" %lu\n", GetLastError());
    printf("priority %d", SetThreadPriority(GetCurrentThread(), 99));
    printf(" %lu\n", GetLastError());
    char *memory = VirtualAlloc(NULL, 0x2000, MEM_COMMIT, PAGE_READWRITE);
    printf("free %d", VirtualFree(memory + 0x1000, 0, MEM_RELEASE));
    printf(" %lu\n", GetLastError());
    return 0;
}
