/* What a program asks of paths, drives, priorities, users and threads; hard links; changes of directories. */
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

static DWORD WINAPI change(void *unused)
{
    (void)unused;
    Sleep(5);
    return CreateDirectoryW(L"C:\\prog\\made", NULL);
}

int main(void)
{
    WCHAR path[MAX_PATH];
    DWORD n, serial;
    setvbuf(stdout, NULL, _IONBF, 0);

    HANDLE file = CreateFileW(L"c:\\PROG\\one.txt", GENERIC_READ | GENERIC_WRITE, 7, NULL, CREATE_ALWAYS, 0, NULL);
    WriteFile(file, "12345", 5, &n, NULL);
    for (DWORD flags = 0; flags < 5; flags++) {
        n = GetFinalPathNameByHandleW(file, path, MAX_PATH, flags);
        if (flags != VOLUME_NAME_GUID)
            printf("final %lu %ls\n", n, n ? path : L"-");
    }
    printf("short %lu\n", GetFinalPathNameByHandleW(file, path, 3, 0));
    err("link", CreateHardLinkW(L"C:\\prog\\two.txt", L"C:\\prog\\one.txt", NULL));
    BY_HANDLE_FILE_INFORMATION info = {0};
    err("info", GetFileInformationByHandle(file, &info));
    printf("links %lu\n", info.nNumberOfLinks);
    HANDLE other = CreateFileW(L"C:\\prog\\two.txt", GENERIC_READ, 7, NULL, OPEN_EXISTING, 0, NULL);
    printf("size %lu\n", GetFileSize(other, NULL));
    BY_HANDLE_FILE_INFORMATION same = {0};
    GetFileInformationByHandle(other, &same);
    printf("same %d\n", same.nFileIndexLow == info.nFileIndexLow);
    CloseHandle(other);
    err("link again", CreateHardLinkW(L"C:\\prog\\two.txt", L"C:\\prog\\one.txt", NULL));
    err("link nothing", CreateHardLinkW(L"C:\\prog\\three.txt", L"C:\\prog\\none.txt", NULL));
    err("delete", DeleteFileW(L"C:\\prog\\two.txt"));
    CloseHandle(file);

    printf("type %u %u %u\n", GetDriveTypeW(L"C:\\"), GetDriveTypeW(L"D:\\"), GetDriveTypeW(NULL));
    printf("drives %lx\n", GetLogicalDrives());
    n = GetLogicalDriveStringsW(MAX_PATH, path);
    printf("strings %lu %ls\n", n, path);
    err("volume", GetVolumeInformationW(L"C:\\", NULL, 0, &serial, &n, NULL, path, MAX_PATH));
    printf("%ls\n", path);
    n = QueryDosDeviceW(L"C:", path, MAX_PATH);
    printf("dos device %d %ls\n", n > 0, n ? path : L"-");
    ULARGE_INTEGER free, total;
    err("space", GetDiskFreeSpaceExW(L"C:\\", &free, &total, NULL));

    printf("class %lx\n", GetPriorityClass(GetCurrentProcess()));
    err("set class", SetPriorityClass(GetCurrentProcess(), HIGH_PRIORITY_CLASS));
    printf("class %lx\n", GetPriorityClass(GetCurrentProcess()));
    n = MAX_PATH;
    err("user", GetUserNameW(path, &n));
    printf("%ls %lu\n", path, n);
    n = 1;
    err("user short", GetUserNameW(path, &n));
    n = MAX_PATH;
    err("computer", GetComputerNameW(path, &n));

    BYTE sid[SECURITY_MAX_SID_SIZE];
    BOOL is = 9;
    n = sizeof sid;
    err("sid", CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, sid, &n));
    err("membership", CheckTokenMembership(NULL, sid, &is));
    printf("administrator %d\n", is);
    n = sizeof sid;
    CreateWellKnownSid(WinBuiltinUsersSid, NULL, sid, &n);
    err("membership", CheckTokenMembership(NULL, sid, &is));
    printf("user %d\n", is);
    n = sizeof sid;
    CreateWellKnownSid(WinWorldSid, NULL, sid, &n);
    err("membership", CheckTokenMembership(NULL, sid, &is));
    printf("everyone %d\n", is);


    HANDLE changes = FindFirstChangeNotificationW(L"C:\\prog", FALSE, FILE_NOTIFY_CHANGE_DIR_NAME);
    err("changes", changes != INVALID_HANDLE_VALUE);
    printf("none %lu\n", WaitForSingleObject(changes, 10));
    CloseHandle(CreateThread(NULL, 0, change, NULL, 0, NULL));
    printf("one %lu\n", WaitForSingleObject(changes, 1000));
    err("next", FindNextChangeNotification(changes));
    printf("none %lu\n", WaitForSingleObject(changes, 0));
    RemoveDirectoryW(L"C:\\prog\\made");
    printf("one %lu\n", WaitForSingleObject(changes, 0));
    err("close", FindCloseChangeNotification(changes));
    err("nowhere", FindFirstChangeNotificationW(L"C:\\none", FALSE, 2) != INVALID_HANDLE_VALUE);

    HANDLE folder = CreateFileW(L"C:\\prog", FILE_LIST_DIRECTORY, 7, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS
                                | FILE_FLAG_OVERLAPPED, NULL);
    DWORD buffer[256];
    OVERLAPPED over = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    err("read changes", ReadDirectoryChangesW(folder, buffer, sizeof buffer, TRUE, FILE_NOTIFY_CHANGE_FILE_NAME, NULL, &over,
                                              NULL));
    printf("none %lu\n", WaitForSingleObject(over.hEvent, 0));
    DeleteFileW(L"C:\\prog\\one.txt");
    printf("one %lu\n", WaitForSingleObject(over.hEvent, 0));
    err("result", GetOverlappedResult(folder, &over, &n, FALSE));
    FILE_NOTIFY_INFORMATION *row = (void *)buffer;
    printf("%lu %lu %.*ls\n", row->NextEntryOffset, row->Action, (int)row->FileNameLength / 2, row->FileName);
    err("read more", ReadDirectoryChangesW(folder, buffer, sizeof buffer, TRUE, FILE_NOTIFY_CHANGE_FILE_NAME, NULL, &over,
                                           NULL));
    err("cancel", CancelIo(folder));
    err("cancelled", GetOverlappedResult(folder, &over, &n, TRUE));
    return 5;
}
