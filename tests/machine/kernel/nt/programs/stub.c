/* A function that Wine 8.0's DLLs have as a stub. */
#define _WIN32_WINNT 0x0A00
#include <windows.h>
#include <stdio.h>

int main(void)
{
    SYNCHRONIZATION_BARRIER barrier;
    printf("before\n");
    fflush(stdout);
    InitializeSynchronizationBarrier(&barrier, 1, -1);
    EnterSynchronizationBarrier(&barrier, 0);
    printf("behind\n");
    return 0;
}
