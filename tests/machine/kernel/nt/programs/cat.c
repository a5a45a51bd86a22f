/* Standard input, a search in a directory, a mapped file, a process that cannot be made. */
#include <stdio.h>
#include <windows.h>

int main(void)
{
    char line[128];
    WIN32_FIND_DATAA found;
    while (fgets(line, sizeof line, stdin))
        printf("line %s", line);
    HANDLE search = FindFirstFileA("cat.*", &found);
    printf("find %d\n", search != INVALID_HANDLE_VALUE);
    HANDLE file = CreateFileA("cat.exe", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    HANDLE mapping = CreateFileMappingA(file, NULL, PAGE_READONLY, 0, 0, NULL);
    const char *view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
    printf("map %d\n", view && view[0] == 'M' && view[1] == 'Z');
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION child;
    BOOL made = CreateProcessA("cat.exe", NULL, NULL, NULL, FALSE, 0, NULL, NULL, &start, &child);
    DWORD error = GetLastError();
    printf("process %d %d\n", made, error != 0);
    return 0;
}
