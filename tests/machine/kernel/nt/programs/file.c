/* A file is made, written, read, deleted. */
#include <stdio.h>
#include <windows.h>

int main(void)
{
    char data[64] = {0};
    DWORD count = 0;
    HANDLE file = CreateFileW(L"t.txt", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    DWORD error = GetLastError();
    int is_open = file != INVALID_HANDLE_VALUE;
    printf("open %d err %lu\n", is_open, is_open ? 0 : error);
    if (!is_open)
        return 1;
    WriteFile(file, "content", 7, &count, NULL);
    CloseHandle(file);
    file = CreateFileW(L"t.txt", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    ReadFile(file, data, sizeof data - 1, &count, NULL);
    printf("read %lu %s size %lu\n", count, data, GetFileSize(file, NULL));
    CloseHandle(file);
    printf("delete %d\n", DeleteFileW(L"t.txt"));
    printf("attr %lx\n", GetFileAttributesW(L"t.txt"));
    return 0;
}
