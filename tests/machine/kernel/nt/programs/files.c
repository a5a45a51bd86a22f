/* FindFirstFile, attributes, rename, copy, file mapping, overlapped reads, seeks beyond the end, truncation. */
#include <windows.h>
#include <stdio.h>

static HANDLE create(const wchar_t *name, DWORD how)
{
    return CreateFileW(name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL, how, 0, NULL);
}

int main(void)
{
    DWORD count = 0;
    char text[16] = {0};
    printf("folder %d", CreateDirectoryW(L"made", NULL));
    printf(" again %d", CreateDirectoryW(L"made", NULL));
    printf(" error %lu\n", GetLastError());
    HANDLE file = create(L"made\\one.txt", CREATE_NEW);
    printf("write %d", WriteFile(file, "hello world", 11, &count, NULL));
    printf(" count %lu size %lu\n", count, GetFileSize(file, NULL));
    printf("seek %lu", SetFilePointer(file, -5, NULL, FILE_END));
    ReadFile(file, text, 15, &count, NULL);
    printf(" read %lu %s\n", count, text);

    OVERLAPPED at = {0};
    at.Offset = 6;
    memset(text, 0, sizeof text);
    printf("overlapped %d", ReadFile(file, text, 3, &count, &at));
    printf(" %lu %s\n", count, text);
    at.Offset = 100;
    printf("beyond %d", ReadFile(file, text, 3, &count, &at));
    printf(" error %lu\n", GetLastError());

    HANDLE mapping = CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, 0, NULL);
    char *view = MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    view[0] = 'J';
    printf("view %.5s flush %d", view, FlushViewOfFile(view, 0));
    printf(" unmap %d\n", UnmapViewOfFile(view));
    CloseHandle(mapping);
    SetFilePointer(file, 5, NULL, FILE_BEGIN);
    printf("end %d", SetEndOfFile(file));
    printf(" size %lu\n", GetFileSize(file, NULL));
    CloseHandle(file);

    printf("exists %d", create(L"made\\ONE.TXT", CREATE_NEW) == INVALID_HANDLE_VALUE);
    printf(" error %lu\n", GetLastError());
    printf("move %d", MoveFileW(L"made\\one.txt", L"made\\two.txt"));
    printf(" copy %d\n", CopyFileW(L"made\\two.txt", L"made\\three.dat", TRUE));
    printf("read-only %d", SetFileAttributesW(L"made\\three.dat", FILE_ATTRIBUTE_READONLY));
    printf(" attributes %lx", GetFileAttributesW(L"made\\three.dat") & FILE_ATTRIBUTE_READONLY);
    printf(" delete %d", DeleteFileW(L"made\\three.dat"));
    printf(" error %lu\n", GetLastError());
    SetFileAttributesW(L"made\\three.dat", FILE_ATTRIBUTE_NORMAL);

    WIN32_FIND_DATAW found;
    HANDLE search = FindFirstFileW(L"made\\*", &found);
    int names = 0, bytes = 0;
    do {
        names++;
        bytes += found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? 0 : found.nFileSizeLow;
    } while (FindNextFileW(search, &found));
    printf("names %d bytes %d error %lu\n", names, bytes, GetLastError());
    FindClose(search);
    search = FindFirstFileW(L"made\\*.txt", &found);
    printf("pattern %ls", found.cFileName);
    printf(" next %d\n", FindNextFileW(search, &found));
    FindClose(search);
    printf("none %d", FindFirstFileW(L"made\\*.zip", &found) == INVALID_HANDLE_VALUE);
    printf(" error %lu\n", GetLastError());

    printf("full folder %d", RemoveDirectoryW(L"made"));
    printf(" error %lu\n", GetLastError());
    printf("delete %d %d", DeleteFileW(L"made\\two.txt"), DeleteFileW(L"made\\three.dat"));
    printf(" folder %d", RemoveDirectoryW(L"made"));
    printf(" left %lx\n", GetFileAttributesW(L"made"));
    wchar_t full[MAX_PATH];
    GetFullPathNameW(L".\\a\\..\\b.c", MAX_PATH, full, NULL);
    printf("full %ls\n", full);
    return 0;
}
