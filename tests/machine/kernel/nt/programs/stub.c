/* A function that Wine 8.0's DLLs have as a stub; with an argument, one that they do not have. */
#define _WIN32_WINNT 0x0A00
#include <windows.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    SYNCHRONIZATION_BARRIER barrier;
    printf("before\n");
    fflush(stdout);
    if (argc < 2)
        GetProcAddress(GetModuleHandleA("msvcrt"), "_heapused")();
    InitializeSynchronizationBarrier(&barrier, 1, -1);
    EnterSynchronizationBarrier(&barrier, 0);
    printf("behind\n");
    return 0;
}
