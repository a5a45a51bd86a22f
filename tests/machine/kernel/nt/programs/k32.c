/* Only kernel32: no C library. Exit code 3. */
#include <windows.h>

void start(void)
{
    DWORD written;
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), "kernel32\n", 9, &written, NULL);
    ExitProcess(3);
}
