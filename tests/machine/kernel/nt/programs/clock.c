/* Clocks that are read without a call move. */
#include <stdio.h>
#include <windows.h>

int main(void)
{
    FILETIME first, second;
    LARGE_INTEGER before, after;
    DWORD start = GetTickCount();
    GetSystemTimePreciseAsFileTime(&first);
    QueryPerformanceCounter(&before);
    while (GetTickCount() - start < 30)
        ;
    Sleep(50);
    QueryPerformanceCounter(&after);
    GetSystemTimePreciseAsFileTime(&second);
    printf("ticks %d counter %d precise %d\n", GetTickCount() - start >= 80, after.QuadPart - before.QuadPart >= 800000,
           second.dwLowDateTime != first.dwLowDateTime);
    return 0;
}
