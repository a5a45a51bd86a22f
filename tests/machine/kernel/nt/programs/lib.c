/* A DLL that the program does not import. */
#include <stdio.h>
#include <windows.h>

typedef DWORD(WINAPI *Size)(LPCSTR, LPDWORD);

int main(void)
{
    char name[260];
    DWORD handle;
    HMODULE library = LoadLibraryA("version.dll");
    Size size = (Size)(void *)GetProcAddress(library, "GetFileVersionInfoSizeA");
    printf("size %lu\n", size("nothing.dll", &handle));
    GetModuleFileNameA(NULL, name, sizeof name);
    printf("%s\n", name);
    return 0;
}
