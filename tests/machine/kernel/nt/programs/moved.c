/* Files that are moved or deleted while they are open, and names with ::$DATA, the stream that needs no name. */
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

static void show(const char *what, BOOL fine)
{
    WIN32_FIND_DATAW found;
    printf("%s %lu:", what, fine ? 0 : GetLastError());
    HANDLE search = FindFirstFileW(L"C:\\s\\*", &found);
    do
        if (found.cFileName[0] != '.')
            printf(" %ls", found.cFileName);
    while (FindNextFileW(search, &found));
    FindClose(search);
    printf("\n");
}

static void streams(void)
{
    CreateDirectoryW(L"C:\\s", NULL);
    CloseHandle(try_open("made", L"C:\\s\\a", CREATE_NEW));
    show("moved", MoveFileW(L"C:\\s\\a", L"C:\\s\\b::$DATA"));
    show("spelt", MoveFileW(L"C:\\s\\b", L"C:\\s\\B::$data"));
    show("linked", CreateHardLinkW(L"C:\\s\\l::$DATA", L"C:\\s\\b", NULL));
    show("taken", MoveFileW(L"C:\\s\\l", L"C:\\s\\b::$DATA"));
    CloseHandle(try_open("made", L"C:\\s\\c", CREATE_NEW));
    show("replaced", MoveFileExW(L"C:\\s\\c", L"C:\\s\\b::$DATA", MOVEFILE_REPLACE_EXISTING));
    show("to a stream", MoveFileW(L"C:\\s\\b", L"C:\\s\\b:s"));
    show("linked to a stream", CreateHardLinkW(L"C:\\s\\b:s", L"C:\\s\\b", NULL));
    show("folder", CreateDirectoryW(L"C:\\s\\d::$DATA", NULL));
    show("folder", CreateDirectoryW(L"C:\\s\\d", NULL));
    show("renamed folder", MoveFileW(L"C:\\s\\d", L"C:\\s\\e::$DATA"));
    CloseHandle(try_open("folder as a file", L"C:\\s\\d::$DATA", OPEN_EXISTING));
    show("removed", RemoveDirectoryW(L"C:\\s\\d::$DATA"));
    show("deleted", DeleteFileW(L"C:\\s\\l::$DATA"));
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
    streams();
    return 0;
}
