/* Current folders much longer than the one that the program began in leave its other parameters as they are. */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    static const int lengths[] = {1, 20, 100, 200, 230, 3};
    char wanted[300] = "C:\\", found[300], program[300];
    for (int i = 0; i < 6; i++) {
        memset(wanted + 3, 'a' + i, lengths[i]);
        wanted[3 + lengths[i]] = 0;
        int made = CreateDirectoryA(wanted, NULL), set = SetCurrentDirectoryA(wanted);
        DWORD length = GetCurrentDirectoryA(sizeof found, found);
        void *block = malloc(100000);
        free(block);
        GetModuleFileNameA(NULL, program, sizeof program);
        printf("%d %d %lu %d %s %ls %d\n", made, set, length, !strcmp(wanted, found), program, GetCommandLineW(),
               block != NULL);
    }
    printf("%d\n", LoadLibraryA("version.dll") != NULL);
    return 0;
}
