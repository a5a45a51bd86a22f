/* What handles with fewer rights may do, duplicates, and names of objects. */
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

static DWORD WINAPI sleeper(void *unused)
{
    (void)unused;
    Sleep(50);
    return 3;
}

int main(void)
{
    HANDLE event, less, other;
    DWORD n;
    HANDLE self = GetCurrentProcess();
    setvbuf(stdout, NULL, _IONBF, 0);

    event = CreateEventW(NULL, TRUE, FALSE, L"Named");
    less = OpenEventW(SYNCHRONIZE, FALSE, L"Named");
    err("wait only", less != NULL);
    err("set", SetEvent(less));
    err("reset", ResetEvent(less));
    printf("wait %lu\n", WaitForSingleObject(less, 0));
    other = OpenEventW(EVENT_MODIFY_STATE, FALSE, L"Named");
    err("set", SetEvent(other));
    printf("wait %lx\n", WaitForSingleObject(other, 0));
    printf("err %lu\n", GetLastError());
    printf("wait %lu\n", WaitForSingleObject(less, 0));
    HANDLE both[2] = {less, other};
    printf("both %lx\n", WaitForMultipleObjects(2, both, FALSE, 0));
    CloseHandle(other);
    err("fewer", DuplicateHandle(self, event, self, &other, SYNCHRONIZE, FALSE, 0));
    err("set", SetEvent(other));
    HANDLE more;
    err("more", DuplicateHandle(self, other, self, &more, EVENT_ALL_ACCESS, FALSE, 0));
    err("set", SetEvent(more));
    err("same", DuplicateHandle(self, other, self, &more, 0, TRUE, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
    err("set", SetEvent(more));
    err("closed", SetEvent(other));
    err("flags", GetHandleInformation(more, &n));
    printf("flags %lx\n", n);
    SECURITY_ATTRIBUTES inherits = {sizeof inherits, NULL, TRUE};
    GetHandleInformation(CreateEventW(&inherits, 0, 0, NULL), &n);
    printf("flags %lx\n", n);

    other = CreateMutexExW(NULL, L"Mine", 0, SYNCHRONIZE);
    printf("mutex %lu\n", WaitForSingleObject(other, 0));
    err("release", ReleaseMutex(other));
    other = CreateSemaphoreExW(NULL, 0, 5, NULL, 0, SYNCHRONIZE);
    err("release", ReleaseSemaphore(other, 1, NULL));
    other = CreateWaitableTimerExW(NULL, NULL, 0, SYNCHRONIZE);
    LARGE_INTEGER due = {.QuadPart = -10};
    err("timer", SetWaitableTimer(other, &due, 0, NULL, NULL, FALSE));

    other = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 8192, L"Memory");
    less = OpenFileMappingW(FILE_MAP_READ, FALSE, L"Memory");
    char *view = MapViewOfFile(less, FILE_MAP_READ, 0, 0, 0);
    err("read view", view != NULL);
    err("write view", MapViewOfFile(less, FILE_MAP_WRITE, 0, 0, 0) != NULL);
    CloseHandle(other);
    CloseHandle(less);
    less = OpenFileMappingW(FILE_MAP_READ, FALSE, L"Memory");
    err("kept by its view", less != NULL);
    CloseHandle(less);
    UnmapViewOfFile(view);
    err("gone", OpenFileMappingW(FILE_MAP_READ, FALSE, L"Memory") != NULL);

    HANDLE thread = CreateThread(NULL, 0, sleeper, NULL, 0, &n);
    less = OpenThread(THREAD_QUERY_LIMITED_INFORMATION, FALSE, n);
    err("code", GetExitCodeThread(less, &n));
    err("suspend", SuspendThread(less) != (DWORD)-1);
    err("terminate", TerminateThread(less, 1));
    CONTEXT context = {.ContextFlags = CONTEXT_CONTROL};
    err("context", GetThreadContext(less, &context));
    err("priority", SetThreadPriority(less, 1));
    printf("wait %lx\n", WaitForSingleObject(less, 0));
    printf("wait %lx\n", WaitForSingleObject(thread, INFINITE));

    less = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, GetCurrentProcessId());
    char byte = 7, copy = 0;
    SIZE_T size;
    err("code", GetExitCodeProcess(less, &n));
    err("read", ReadProcessMemory(less, &byte, &copy, 1, &size));
    err("write", WriteProcessMemory(less, &copy, &byte, 1, &size));
    err("allocate", VirtualAllocEx(less, NULL, 4096, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE) != NULL);
    err("terminate", TerminateProcess(less, 1));

    HANDLE file = CreateFileW(L"C:\\prog\\f.txt", GENERIC_WRITE, 7, NULL, CREATE_ALWAYS, 0, NULL);
    err("read", ReadFile(file, &byte, 1, &n, NULL));
    err("times", SetFileTime(file, NULL, NULL, NULL));
    CloseHandle(file);
    file = CreateFileW(L"C:\\prog\\f.txt", GENERIC_READ, 7, NULL, OPEN_EXISTING, 0, NULL);
    FILETIME time = {0, 0x1D00000};
    err("write", WriteFile(file, &byte, 1, &n, NULL));
    err("times", SetFileTime(file, NULL, NULL, &time));
    err("cut", SetEndOfFile(file));
    err("flush", FlushFileBuffers(file));
    FILE_DISPOSITION_INFO gone = {TRUE};
    err("delete", SetFileInformationByHandle(file, FileDispositionInfo, &gone, sizeof gone));
    err("more", DuplicateHandle(self, file, self, &other, GENERIC_WRITE, FALSE, 0));
    err("fewer", DuplicateHandle(self, file, self, &other, FILE_READ_ATTRIBUTES | SYNCHRONIZE, FALSE, 0));
    err("read", ReadFile(other, &byte, 1, &n, NULL));
    CloseHandle(file);
    CloseHandle(other);

    HKEY key, own;
    err("key", !RegCreateKeyExW(HKEY_CURRENT_USER, L"Software\\Own", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL));
    printf("set %ld\n", RegSetValueExW(key, L"v", 0, REG_DWORD, (BYTE *)&n, 4));
    RegOpenKeyExW(HKEY_CURRENT_USER, L"Software\\Own", 0, KEY_QUERY_VALUE, &own);
    printf("set %ld\n", RegSetValueExW(own, L"v", 0, REG_DWORD, (BYTE *)&n, 4));
    printf("query %ld\n", RegQueryValueExW(own, L"v", NULL, NULL, NULL, NULL));
    WCHAR name[64];
    printf("enumerate %ld\n", RegEnumKeyW(own, 0, name, 64));
    RegCloseKey(own);
    RegOpenKeyExW(HKEY_CURRENT_USER, L"Software\\Own", 0, KEY_SET_VALUE, &own);
    printf("query %ld\n", RegQueryValueExW(own, L"v", NULL, NULL, NULL, NULL));

    err("path", CreateEventA(NULL, 1, 0, "bad\\name") != NULL);
    err("path", OpenEventA(SYNCHRONIZE, 0, "bad\\name") != NULL);
    err("local", CreateEventA(NULL, 1, 0, "Local\\Good") != NULL);
    err("plain", OpenEventA(SYNCHRONIZE, 0, "Good") != NULL);
    err("case", OpenEventA(SYNCHRONIZE, 0, "good") != NULL);
    err("kind", OpenMutexA(SYNCHRONIZE, 0, "Good") != NULL);
    err("kind", CreateMutexA(NULL, 0, "Good") != NULL);
    other = CreateEventA(NULL, 1, 0, "Good");
    printf("again %lu\n", GetLastError());
    return 4;
}
