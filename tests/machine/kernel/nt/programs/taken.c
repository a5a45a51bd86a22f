/* A DLL whose place is taken: argv[1]. */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

int main(int argc, char **argv) {
    void *place = (void *)strtoull(argv[1], NULL, 16);
    void *taken = VirtualAlloc(place, 0x1000, MEM_RESERVE, PAGE_NOACCESS);
    HMODULE module = LoadLibraryA("version.dll");
    DWORD(WINAPI *size)(LPCSTR, LPDWORD) = (void *)GetProcAddress(module, "GetFileVersionInfoSizeA");
    printf("taken %d moved %d size %lu\n", taken == place, (void *)module != place, size("nothing.dll", NULL));
    fflush(stdout);
    size((char *)size, NULL); /* text that is code: any answer */
    *(volatile char *)module = 1;
    return 0;
}
