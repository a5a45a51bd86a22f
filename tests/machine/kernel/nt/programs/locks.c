/* SRW locks, condition variables, semaphores, events of both kinds, the thread pool, fibers, APCs. */
#include <windows.h>
#include <stdio.h>

static SRWLOCK lock = SRWLOCK_INIT;
static CONDITION_VARIABLE filled = CONDITION_VARIABLE_INIT;
static int queue[8], head, tail, sum;
static LONG done;

static DWORD WINAPI consume(void *unused)
{
    (void)unused;
    for (;;) {
        AcquireSRWLockExclusive(&lock);
        while (head == tail)
            SleepConditionVariableSRW(&filled, &lock, INFINITE, 0);
        int got = queue[head++ % 8];
        sum += got;
        ReleaseSRWLockExclusive(&lock);
        if (!got)
            return 0;
    }
}

static DWORD WINAPI take(void *semaphore)
{
    return WaitForSingleObject(semaphore, INFINITE);
}

static void CALLBACK work(PTP_CALLBACK_INSTANCE instance, void *context, PTP_WORK self)
{
    (void)instance;
    (void)self;
    InterlockedAdd(&done, (LONG)(LONG_PTR)context);
}

static void *first;
static int steps;

static void CALLBACK fiber(void *other)
{
    for (;;) {
        steps = steps * 10 + (int)(LONG_PTR)other;
        SwitchToFiber(first);
    }
}

static void CALLBACK apc(ULONG_PTR value)
{
    printf("apc %d\n", (int)value);
}

int main(void)
{
    HANDLE threads[2];
    for (int i = 0; i < 2; i++)
        threads[i] = CreateThread(NULL, 0, consume, NULL, 0, NULL);
    for (int i = 5; i >= -1; i--) {
        AcquireSRWLockExclusive(&lock);
        queue[tail++ % 8] = i < 0 ? 0 : i;
        ReleaseSRWLockExclusive(&lock);
        WakeConditionVariable(&filled);
    }
    printf("queue %lu", WaitForMultipleObjects(2, threads, TRUE, 5000));
    printf(" sum %d\n", sum);

    AcquireSRWLockShared(&lock);
    int shared = TryAcquireSRWLockShared(&lock), exclusive = TryAcquireSRWLockExclusive(&lock);
    printf("shared %d exclusive %d\n", shared, exclusive);
    ReleaseSRWLockShared(&lock);
    ReleaseSRWLockShared(&lock);

    LONG before = -1;
    HANDLE semaphore = CreateSemaphoreW(NULL, 0, 2, NULL);
    for (int i = 0; i < 2; i++)
        threads[i] = CreateThread(NULL, 0, take, semaphore, 0, NULL);
    printf("release %d", ReleaseSemaphore(semaphore, 2, &before));
    printf(" before %ld joined %lu", before, WaitForMultipleObjects(2, threads, TRUE, 5000));
    ReleaseSemaphore(semaphore, 2, NULL);
    printf(" beyond %d", ReleaseSemaphore(semaphore, 1, NULL));
    printf(" error %lu\n", GetLastError());

    HANDLE manual = CreateEventW(NULL, TRUE, TRUE, NULL), automatic = CreateEventW(NULL, FALSE, TRUE, L"auto");
    for (int i = 0; i < 2; i++)
        printf("manual %lu automatic %lu\n", WaitForSingleObject(manual, 0), WaitForSingleObject(automatic, 0));
    HANDLE named = OpenEventW(EVENT_ALL_ACCESS, FALSE, L"auto");
    SetEvent(named);
    printf("signal and wait %lu\n", SignalObjectAndWait(manual, automatic, 10, FALSE));

    PTP_WORK item = CreateThreadpoolWork(work, (void *)3, NULL);
    for (int i = 0; i < 4; i++)
        SubmitThreadpoolWork(item);
    WaitForThreadpoolWorkCallbacks(item, FALSE);
    CloseThreadpoolWork(item);
    printf("pool %ld\n", done);

    first = ConvertThreadToFiber(NULL);
    void *one = CreateFiber(0, fiber, (void *)1), *two = CreateFiber(0, fiber, (void *)2);
    SwitchToFiber(one);
    SwitchToFiber(two);
    SwitchToFiber(one);
    printf("fibers %d\n", steps);

    QueueUserAPC(apc, GetCurrentThread(), 4);
    QueueUserAPC(apc, GetCurrentThread(), 5);
    printf("sleep %lx\n", SleepEx(1000, TRUE));
    printf("sleep %lx\n", SleepEx(1, TRUE));
    return 0;
}
