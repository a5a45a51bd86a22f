/* The DLLs whose paths are arguments are loaded, and a function that each has is called; `a=b` copies a to b first. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

typedef DWORD(WINAPI *Size)(LPCSTR, LPDWORD);

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DWORD handle;
        char *target = strchr(argv[i], '=');
        if (target != NULL) {
            *target++ = 0;
            printf("copy %d\n", CopyFileA(argv[i], target, FALSE));
        }
        HMODULE library = LoadLibraryA(target != NULL ? target : argv[i]);
        Size size = library == NULL ? NULL : (Size)(void *)GetProcAddress(library, "GetFileVersionInfoSizeA");
        printf("size %ld\n", size == NULL ? -1 : (long)size("nothing.dll", &handle));
    }
    return 0;
}
