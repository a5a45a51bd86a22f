/* Attributes of files, directories that are moved, and files that are open meanwhile. */
#define _WIN32_WINNT 0x0A00
#include <windows.h>
#include <stdio.h>

static void err(const char *what, BOOL fine)
{
    DWORD error = GetLastError();
    printf("%s %d", what, fine != 0);
    if (!fine)
        printf(" err %lu", error);
    printf("\n");
}

static void show(const wchar_t *path)
{
    WIN32_FIND_DATAW found;
    HANDLE search = FindFirstFileW(path, &found);
    printf("%ls %lx %lx\n", path, GetFileAttributesW(path), search == INVALID_HANDLE_VALUE ? 0 : found.dwFileAttributes);
    FindClose(search);
}

static BOOL make(const wchar_t *path, DWORD attributes, DWORD how)
{
    HANDLE file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, how, attributes, NULL);
    DWORD n, last = GetLastError();
    if (file == INVALID_HANDLE_VALUE)
        return FALSE;
    WriteFile(file, "x", 1, &n, NULL);
    CloseHandle(file);
    SetLastError(last);
    return TRUE;
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    SetCurrentDirectoryW(L"C:\\prog");
    err("hidden", make(L"hidden", FILE_ATTRIBUTE_HIDDEN, CREATE_NEW));
    show(L"hidden");
    err("again", make(L"hidden", FILE_ATTRIBUTE_NORMAL, CREATE_ALWAYS));
    err("again", make(L"hidden", FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM, CREATE_ALWAYS));
    show(L"hidden");
    err("open", make(L"hidden", FILE_ATTRIBUTE_NORMAL, OPEN_ALWAYS));
    show(L"hidden");
    err("normal", SetFileAttributesW(L"hidden", FILE_ATTRIBUTE_NORMAL));
    show(L"hidden");
    err("write", make(L"hidden", FILE_ATTRIBUTE_NORMAL, OPEN_EXISTING));
    show(L"hidden");
    err("several", SetFileAttributesW(L"hidden", FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_TEMPORARY));
    show(L"hidden");
    err("delete", DeleteFileW(L"hidden"));
    err("plain", SetFileAttributesW(L"hidden", FILE_ATTRIBUTE_HIDDEN));
    err("move", MoveFileW(L"hidden", L"moved"));
    show(L"moved");
    err("copy", CopyFileW(L"moved", L"copied", TRUE));
    show(L"copied");
    err("delete", DeleteFileW(L"moved"));
    err("new", make(L"moved", 0, CREATE_NEW));
    show(L"moved");
    err("read-only", make(L"once", FILE_ATTRIBUTE_READONLY, CREATE_NEW));
    show(L"once");
    err("write", make(L"once", 0, OPEN_EXISTING));
    err("folder", CreateDirectoryW(L"folder", NULL));
    show(L"folder");
    err("folder", SetFileAttributesW(L"folder", FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_READONLY));
    show(L"folder");
    err("into itself", MoveFileW(L"folder", L"folder\\inner"));
    err("below", CreateDirectoryW(L"folder\\below", NULL));
    err("deep into itself", MoveFileW(L"folder", L"folder\\below\\inner"));
    HANDLE file = CreateFileW(L"folder\\open", GENERIC_WRITE, 7, NULL, CREATE_NEW, 0, NULL);
    err("with an open file", MoveFileW(L"folder", L"other"));
    err("onto the open one", MoveFileExW(L"moved", L"folder\\open", MOVEFILE_REPLACE_EXISTING));
    CloseHandle(file);
    err("onto it", MoveFileExW(L"moved", L"folder\\OPEN", MOVEFILE_REPLACE_EXISTING));
    WIN32_FIND_DATAW found;
    HANDLE search = FindFirstFileW(L"folder\\o*", &found);
    printf("%ls %lu %d\n", found.cFileName, found.nFileSizeLow, FindNextFileW(search, &found));
    FindClose(search);
    err("onto a folder", MoveFileExW(L"folder\\open", L"folder\\below", MOVEFILE_REPLACE_EXISTING));
    err("renamed", MoveFileW(L"folder", L"Folder"));
    err("moved", MoveFileW(L"folder", L"other"));
    show(L"other");
    GetFileAttributesW(L"\\\\?\\unix\\bin");
    printf("%lu\n", GetLastError());
    GetFileAttributesW(L"\\\\?\\unix\\..\\x");
    printf("%lu\n", GetLastError());
    GetFileAttributesW(L"\\\\.\\nothing");
    printf("%lu\n", GetLastError());
    return 6;
}
