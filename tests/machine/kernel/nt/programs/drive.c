/* Sharing, locks, times, completion ports, and what fails how. */
#include <stdio.h>
#include <windows.h>
#include <winioctl.h>
static void err(const char *w, BOOL r) {
    DWORD e = GetLastError();
    printf("%s %d", w, r != 0);
    if (!r)
        printf(" err %lu", e);
    printf("\n");
}
int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    DWORD n;
    char b[64];
    HANDLE f = CreateFileW(L"C:\\prog\\d1.txt", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, 0,
                           CREATE_NEW, 0, 0);
    err("new", f != INVALID_HANDLE_VALUE);
    HANDLE g = CreateFileW(L"C:\\prog\\d1.txt", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, 0,
                           OPEN_EXISTING, 0, 0);
    err("sharing", g != INVALID_HANDLE_VALUE);
    g = CreateFileW(L"C:\\prog\\d1.txt", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, 0, OPEN_EXISTING, 0, 0);
    err("read sharing", g != INVALID_HANDLE_VALUE);
    WriteFile(f, "0123456789abcdef", 16, &n, 0);
    err("lock", LockFile(f, 4, 0, 4, 0));
    err("locked read", ReadFile(g, b, 8, &n, 0));
    SetFilePointer(g, 8, 0, FILE_BEGIN);
    err("beyond lock", ReadFile(g, b, 8, &n, 0));
    err("lock again", LockFile(g, 6, 0, 4, 0));
    err("unlock", UnlockFile(f, 4, 0, 4, 0));
    err("unlock twice", UnlockFile(f, 4, 0, 4, 0));
    FILETIME c = {0x11111100, 0x01D00000}, a = {0x22222200, 0x01D10000}, w = {0x33333300, 0x01D20000}, c2, a2, w2;
    err("set time", SetFileTime(f, &c, &a, &w));
    GetFileTime(f, &c2, &a2, &w2);
    printf("times %d %d %d\n", !memcmp(&c, &c2, 8), !memcmp(&a, &a2, 8), !memcmp(&w, &w2, 8));
    CloseHandle(g);
    CloseHandle(f);
    WIN32_FILE_ATTRIBUTE_DATA d;
    GetFileAttributesExW(L"C:\\prog\\d1.txt", 0, &d);
    printf("kept %d %d %d size %lu\n", !memcmp(&c, &d.ftCreationTime, 8), !memcmp(&a, &d.ftLastAccessTime, 8),
           !memcmp(&w, &d.ftLastWriteTime, 8), d.nFileSizeLow);
    WIN32_FIND_DATAW fd;
    HANDLE s = FindFirstFileW(L"C:\\prog\\D1.*", &fd);
    printf("find %ls %d\n", fd.cFileName, !memcmp(&w, &fd.ftLastWriteTime, 8));
    FindClose(s);
    f = CreateFileW(L"C:\\prog\\d2.txt", GENERIC_READ | GENERIC_WRITE | DELETE, FILE_SHARE_DELETE, 0, CREATE_ALWAYS,
                    FILE_FLAG_DELETE_ON_CLOSE, 0);
    WriteFile(f, "x", 1, &n, 0);
    CloseHandle(f);
    printf("delete on close %lx\n", GetFileAttributesW(L"C:\\prog\\d2.txt"));
    err("hidden", SetFileAttributesW(L"C:\\prog\\d1.txt", FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_READONLY));
    printf("attributes %lx\n", GetFileAttributesW(L"C:\\prog\\d1.txt") & 1);
    err("delete ro", DeleteFileW(L"C:\\prog\\d1.txt"));
    SetFileAttributesW(L"C:\\prog\\d1.txt", FILE_ATTRIBUTE_NORMAL);
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, 0, 0, 1);
    f = CreateFileW(L"C:\\prog\\d1.txt", GENERIC_READ | GENERIC_WRITE, 0, 0, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, 0);
    CreateIoCompletionPort(f, port, 0x77, 0);
    OVERLAPPED o = {0}, *po = 0;
    o.Offset = 4;
    BOOL r = ReadFile(f, b, 4, 0, &o);
    DWORD e = GetLastError();
    printf("overlapped %d\n", r || e == ERROR_IO_PENDING);
    ULONG_PTR k = 0;
    n = 0;
    r = GetQueuedCompletionStatus(port, &n, &k, &po, 100);
    printf("packet %d %lu %llx %d %.4s\n", r, n, k, po == &o, b);
    PostQueuedCompletionStatus(port, 5, 6, 0);
    OVERLAPPED_ENTRY en[4];
    ULONG got = 0;
    r = GetQueuedCompletionStatusEx(port, en, 4, &got, 0, FALSE);
    printf("posted %d %lu %lu %llx\n", r, got, en[0].dwNumberOfBytesTransferred, en[0].lpCompletionKey);
    r = GetQueuedCompletionStatus(port, &n, &k, &po, 5);
    e = GetLastError();
    printf("empty %d %lu %p\n", r, e, po);
    CloseHandle(f);
    CreateDirectoryW(L"C:\\prog\\dir", 0);
    err("again", CreateDirectoryW(L"C:\\prog\\dir", 0));
    err("move dir", MoveFileW(L"C:\\prog\\dir", L"C:\\prog\\dir2"));
    err("copy", CopyFileW(L"C:\\prog\\d1.txt", L"C:\\prog\\dir2\\c.txt", TRUE));
    err("copy again", CopyFileW(L"C:\\prog\\d1.txt", L"C:\\prog\\dir2\\c.txt", TRUE));
    err("replace", MoveFileExW(L"C:\\prog\\d1.txt", L"C:\\prog\\dir2\\c.txt", MOVEFILE_REPLACE_EXISTING));
    err("rmdir full", RemoveDirectoryW(L"C:\\prog\\dir2"));
    WCHAR tmp[MAX_PATH], tp[MAX_PATH];
    GetTempPathW(MAX_PATH, tp);
    err("temp name", GetTempFileNameW(L"C:\\prog", L"abc", 0, tmp));
    err("del temp", DeleteFileW(tmp));
    f = CreateFileW(L"C:\\prog\\dir2\\c.txt", GENERIC_READ | GENERIC_WRITE, 0, 0, OPEN_EXISTING, 0, 0);
    LARGE_INTEGER li;
    li.QuadPart = 1 << 20;
    SetFilePointerEx(f, li, 0, FILE_BEGIN);
    err("extend", SetEndOfFile(f));
    GetFileSizeEx(f, &li);
    printf("size %lld\n", li.QuadPart);
    HANDLE m = CreateFileMappingW(f, 0, PAGE_READWRITE, 0, 0, 0);
    char *v = MapViewOfFile(m, FILE_MAP_WRITE, 0, 0x10000, 0x1000);
    v[0] = 'Z';
    FlushViewOfFile(v, 0);
    UnmapViewOfFile(v);
    SetFilePointer(f, 0x10000, 0, 0);
    ReadFile(f, b, 1, &n, 0);
    printf("view %c\n", b[0]);
    CloseHandle(m);
    CloseHandle(f);
    DeleteFileW(L"C:\\prog\\dir2\\c.txt");
    err("rmdir", RemoveDirectoryW(L"C:\\prog\\dir2"));
    f = CreateFileW(L"C:\\nowhere\\x", GENERIC_READ, 0, 0, OPEN_EXISTING, 0, 0);
    err("no path", f != INVALID_HANDLE_VALUE);
    f = CreateFileW(L"C:\\prog\\none", GENERIC_READ, 0, 0, OPEN_EXISTING, 0, 0);
    err("no file", f != INVALID_HANDLE_VALUE);
    f = CreateFileW(L"C:\\prog", GENERIC_READ, 0, 0, OPEN_EXISTING, 0, 0);
    err("dir as file", f != INVALID_HANDLE_VALUE);
    f = CreateFileW(L"NUL", GENERIC_WRITE, 0, 0, OPEN_EXISTING, 0, 0);
    err("nul", f != INVALID_HANDLE_VALUE);
    err("nul write", WriteFile(f, "a", 1, &n, 0));
    f = CreateFileW(L"D:\\x", GENERIC_READ, 0, 0, OPEN_EXISTING, 0, 0);
    err("drive D", f != INVALID_HANDLE_VALUE);
    f = CreateFileW(L"C:\\prog\\a?b", GENERIC_READ, 0, 0, OPEN_EXISTING, 0, 0);
    err("bad name", f != INVALID_HANDLE_VALUE);
    FILE_DISPOSITION_INFO gone = {TRUE};
    f = CreateFileW(L"C:\\prog\\kept.txt", GENERIC_READ | GENERIC_WRITE, 0, 0, CREATE_ALWAYS, 0, 0);
    err("delete without the right", SetFileInformationByHandle(f, FileDispositionInfo, &gone, sizeof gone));
    CloseHandle(f);
    err("kept", GetFileAttributesW(L"C:\\prog\\kept.txt") != INVALID_FILE_ATTRIBUTES);
    f = CreateFileW(L"C:\\prog\\kept.txt", DELETE, 0, 0, OPEN_EXISTING, 0, 0);
    err("delete with it", SetFileInformationByHandle(f, FileDispositionInfo, &gone, sizeof gone));
    CloseHandle(f);
    err("gone", GetFileAttributesW(L"C:\\prog\\kept.txt") != INVALID_FILE_ATTRIBUTES);
    return 0;
}
