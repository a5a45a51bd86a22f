/* APCs and packets wait as long as there is room for them. */
#include <stdio.h>
#include <windows.h>

static void CALLBACK never(ULONG_PTR argument)
{
    (void)argument;
}

int main(void)
{
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    int count = 0;
    while (count < 100000 && QueueUserAPC(never, GetCurrentThread(), 0))
        count++;
    printf("apcs %d\n", count < 100000);
    for (count = 0; count < 100000 && PostQueuedCompletionStatus(port, 0, 0, NULL);)
        count++;
    printf("packets %d error %lu\n", count < 100000, GetLastError());
    return 0;
}
