/* Files that are moved or deleted while they are open. */
#define _WIN32_WINNT 0x0A00
#include <windows.h>
#include <stdio.h>

#define SHARES (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static HANDLE try_open(const char *what, const wchar_t *path, DWORD how)
{
    HANDLE file = CreateFileW(path, GENERIC_READ | DELETE, SHARES, NULL, how, 0, NULL);
    printf("%s %lu\n", what, file == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    return file;
}

static void dispose(const char *what, HANDLE file, BOOLEAN wanted)
{
    FILE_DISPOSITION_INFO asked = {wanted};
    FILE_STANDARD_INFO found = {0};
    BOOL fine = SetFileInformationByHandle(file, FileDispositionInfo, &asked, sizeof asked);
    GetFileInformationByHandleEx(file, FileStandardInfo, &found, sizeof found);
    printf("%s %d pending %d\n", what, fine, found.DeletePending);
}

int main(void)
{
    wchar_t path[MAX_PATH] = L"";
    CreateDirectoryW(L"C:\\d", NULL);
    HANDLE file = try_open("made", L"C:\\d\\old", CREATE_NEW);
    printf("moved %d\n", MoveFileW(L"C:\\d\\old", L"C:\\d\\new"));
    GetFinalPathNameByHandleW(file, path, MAX_PATH, FILE_NAME_OPENED);
    printf("path %ls\n", path);
    FILE_NAME_INFO *name = (FILE_NAME_INFO *)path;
    GetFileInformationByHandleEx(file, FileNameInfo, name, sizeof path);
    printf("name %.*ls\n", (int)(name->FileNameLength / 2), name->FileName);

    dispose("deleted", file, TRUE);
    CloseHandle(try_open("open", L"C:\\d\\new", OPEN_EXISTING));
    CloseHandle(try_open("create", L"C:\\d\\new", CREATE_NEW));
    printf("attributes %lx", GetFileAttributesW(L"C:\\d\\new"));
    printf(" %lu\n", GetLastError());
    dispose("kept", file, FALSE);
    HANDLE second = try_open("open", L"C:\\d\\new", OPEN_EXISTING);
    dispose("deleted", second, TRUE);
    CloseHandle(second);
    CloseHandle(try_open("still there", L"C:\\d\\new", OPEN_EXISTING));
    CloseHandle(file);
    CloseHandle(try_open("gone", L"C:\\d\\new", OPEN_EXISTING));
    CloseHandle(try_open("made again", L"C:\\d\\new", CREATE_NEW));
    return 0;
}
