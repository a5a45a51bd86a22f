/* The arguments are paths: what stands in each is printed, then another word is written there. */
#include <stdio.h>
#include <windows.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char text[16] = "";
        DWORD count = 0;
        HANDLE file = CreateFileA(argv[i], GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
        if (file != INVALID_HANDLE_VALUE)
            ReadFile(file, text, sizeof text - 1, &count, NULL);
        CloseHandle(file);
        file = CreateFileA(argv[i], GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
        if (file != INVALID_HANDLE_VALUE)
            WriteFile(file, "lost", 4, &count, NULL);
        CloseHandle(file);
        printf("[%s] %s\n", text, argv[i]);
    }
    return 0;
}
