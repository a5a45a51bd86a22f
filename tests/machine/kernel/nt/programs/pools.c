/* Condition variables, reader-writer locks, waits on addresses, thread pools, timer queues, named objects. */
#include <stdio.h>
#include <windows.h>
static CONDITION_VARIABLE cv = CONDITION_VARIABLE_INIT;
static CRITICAL_SECTION cs;
static SRWLOCK srw = SRWLOCK_INIT;
static int ready, readers, maxr;
static LONG total;
static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
static int inits;
static BOOL CALLBACK init(PINIT_ONCE o, PVOID p, PVOID *c) {
    inits++;
    *c = (PVOID)0x120;
    return TRUE;
}
static DWORD WINAPI waiter(void *p) {
    EnterCriticalSection(&cs);
    while (!ready)
        SleepConditionVariableCS(&cv, &cs, INFINITE);
    total++;
    LeaveCriticalSection(&cs);
    return (DWORD)(INT_PTR)p;
}
static DWORD WINAPI reader(void *p) {
    for (int i = 0; i < 50; i++) {
        AcquireSRWLockShared(&srw);
        int r = InterlockedIncrement((LONG *)&readers);
        if (r > maxr)
            maxr = r;
        if (i % 10 == 0)
            Sleep(1);
        InterlockedDecrement((LONG *)&readers);
        ReleaseSRWLockShared(&srw);
    }
    return 0;
}
static DWORD WINAPI writer(void *p) {
    for (int i = 0; i < 50; i++) {
        AcquireSRWLockExclusive(&srw);
        if (readers)
            printf("BAD\n");
        total++;
        ReleaseSRWLockExclusive(&srw);
        if (i % 7 == 0)
            Sleep(0);
    }
    return 0;
}
static volatile LONG addr;
static DWORD WINAPI wakes(void *p) {
    Sleep(5);
    addr = 1;
    WakeByAddressSingle((void *)&addr);
    return 0;
}
static VOID CALLBACK work(PTP_CALLBACK_INSTANCE i, PVOID c, PTP_WORK w) { InterlockedIncrement((LONG *)c); }
static VOID CALLBACK timer(PTP_CALLBACK_INSTANCE i, PVOID c, PTP_TIMER w) { InterlockedIncrement((LONG *)c); }
static VOID CALLBACK tq(PVOID c, BOOLEAN f) { InterlockedIncrement((LONG *)c); }
static DWORD WINAPI qwi(void *c) {
    InterlockedIncrement((LONG *)c);
    return 0;
}
static VOID CALLBACK waitcb(PTP_CALLBACK_INSTANCE i, PVOID c, PTP_WAIT w, TP_WAIT_RESULT r) { *(LONG *)c = r + 100; }
static DWORD WINAPI abandons(void *m) {
    WaitForSingleObject(m, INFINITE);
    return 0;
}
int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    InitializeCriticalSectionAndSpinCount(&cs, 4000);
    HANDLE t[8];
    for (int i = 0; i < 4; i++)
        t[i] = CreateThread(0, 0, waiter, (void *)(INT_PTR)i, 0, 0);
    Sleep(2);
    EnterCriticalSection(&cs);
    ready = 1;
    LeaveCriticalSection(&cs);
    WakeAllConditionVariable(&cv);
    printf("all %lu", WaitForMultipleObjects(4, t, TRUE, 1000));
    printf(" total %ld\n", total);
    total = 0;
    for (int i = 0; i < 3; i++)
        t[i] = CreateThread(0, 0, reader, 0, 0, 0);
    for (int i = 3; i < 5; i++)
        t[i] = CreateThread(0, 0, writer, 0, 0, 0);
    WaitForMultipleObjects(5, t, TRUE, INFINITE);
    printf("srw writers %ld readers together %d\n", total, maxr > 1);
    printf("try %d", TryAcquireSRWLockExclusive(&srw));
    printf(" %d", TryAcquireSRWLockShared(&srw));
    ReleaseSRWLockExclusive(&srw);
    printf(" %d\n", TryAcquireSRWLockShared(&srw));
    ReleaseSRWLockShared(&srw);
    PVOID c = 0;
    InitOnceExecuteOnce(&once, init, 0, &c);
    InitOnceExecuteOnce(&once, init, 0, &c);
    printf("once %d %p\n", inits, c);
    EnterCriticalSection(&cs);
    BOOL r = SleepConditionVariableCS(&cv, &cs, 10);
    DWORD e = GetLastError();
    printf("cv timeout %d %lu\n", r, e);
    LeaveCriticalSection(&cs);
    t[0] = CreateThread(0, 0, wakes, 0, 0, 0);
    LONG z = 0;
    while (!addr)
        WaitOnAddress(&addr, &z, 4, INFINITE);
    printf("address %ld", addr);
    z = 1;
    r = WaitOnAddress(&addr, &z, 4, 5);
    e = GetLastError();
    printf(" timeout %d %lu\n", r, e);
    LONG n = 0;
    PTP_WORK w = CreateThreadpoolWork(work, &n, 0);
    for (int i = 0; i < 20; i++)
        SubmitThreadpoolWork(w);
    WaitForThreadpoolWorkCallbacks(w, FALSE);
    CloseThreadpoolWork(w);
    printf("pool %ld\n", n);
    n = 0;
    PTP_TIMER pt = CreateThreadpoolTimer(timer, &n, 0);
    LONGLONG due = -10 * 10000;
    FILETIME ft;
    memcpy(&ft, &due, 8);
    SetThreadpoolTimer(pt, &ft, 5, 0);
    Sleep(40);
    SetThreadpoolTimer(pt, 0, 0, 0);
    WaitForThreadpoolTimerCallbacks(pt, TRUE);
    CloseThreadpoolTimer(pt);
    printf("pool timer %d\n", n >= 3 && n <= 8);
    HANDLE ev = CreateEventW(0, 0, 0, 0);
    n = 0;
    PTP_WAIT pw = CreateThreadpoolWait(waitcb, &n, 0);
    SetThreadpoolWait(pw, ev, 0);
    SetEvent(ev);
    WaitForThreadpoolWaitCallbacks(pw, FALSE);
    CloseThreadpoolWait(pw);
    n = 0;
    HANDLE q = CreateTimerQueue(), h;
    CreateTimerQueueTimer(&h, q, tq, &n, 5, 5, 0);
    Sleep(32);
    DeleteTimerQueueEx(q, INVALID_HANDLE_VALUE);
    printf("timer queue %d\n", n >= 4 && n <= 7);
    n = 0;
    for (int i = 0; i < 5; i++)
        QueueUserWorkItem(qwi, &n, 0);
    for (int i = 0; i < 100 && n < 5; i++)
        Sleep(1);
    printf("work items %ld\n", n);
    HANDLE m = CreateMutexW(0, 0, 0);
    t[0] = CreateThread(0, 0, abandons, m, 0, 0);
    WaitForSingleObject(t[0], INFINITE);
    printf("abandoned %lx\n", WaitForSingleObject(m, 0));
    HANDLE s = CreateSemaphoreW(0, 2, 3, 0);
    LONG prev = 9;
    WaitForSingleObject(s, 0);
    r = ReleaseSemaphore(s, 2, &prev);
    printf("sem %d %ld", r, prev);
    r = ReleaseSemaphore(s, 1, &prev);
    e = GetLastError();
    printf(" over %d %lu\n", r, e);
    HANDLE hs[3] = {ev, s, m};
    ReleaseMutex(m);
    ReleaseMutex(m);
    printf("any %lu", WaitForMultipleObjects(3, hs, FALSE, 0));
    SetEvent(ev);
    printf(" %lu", WaitForMultipleObjects(3, hs, FALSE, 0));
    printf(" all timeout %lu\n", WaitForMultipleObjects(3, hs, TRUE, 3));
    HANDLE named = CreateEventW(0, 1, 1, L"Local\\thing");
    HANDLE again = CreateEventW(0, 0, 0, L"Local\\thing");
    e = GetLastError();
    HANDLE o = OpenEventW(SYNCHRONIZE, 0, L"Local\\thing");
    printf("named %lu open %d %lu\n", e, o != 0, WaitForSingleObject(again, 0));
    o = OpenMutexW(SYNCHRONIZE, 0, L"absent");
    e = GetLastError();
    printf("absent %d %lu\n", o != 0, e);
    HANDLE bad = CreateMutexW(0, 0, L"Local\\thing");
    e = GetLastError();
    printf("other kind %d %lu\n", bad != 0, e);
    HANDLE wt = CreateWaitableTimerW(0, 1, 0);
    LARGE_INTEGER d;
    d.QuadPart = -50000;
    SetWaitableTimer(wt, &d, 0, 0, 0, 0);
    printf("timer %lx %lx", WaitForSingleObject(wt, 1), WaitForSingleObject(wt, 100));
    r = CancelWaitableTimer(wt);
    printf(" cancel %d\n", r);
    HANDLE reg;
    n = 0;
    RegisterWaitForSingleObject(&reg, named, tq, &n, INFINITE, WT_EXECUTEONLYONCE);
    Sleep(5);
    r = UnregisterWaitEx(reg, INVALID_HANDLE_VALUE);
    printf("registered %ld %d\n", n, r);
    printf("signal and wait %lu\n", SignalObjectAndWait(ev, named, 10, 0));
    return 3;
}
