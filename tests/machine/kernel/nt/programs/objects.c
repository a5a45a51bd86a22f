/* Queries of objects, atoms, security, waits of other threads that are cancelled, the list of pipes. */
#define _WIN32_WINNT 0x0A00
#include <windows.h>
#include <winternl.h>
#include <stdio.h>

#define FUNCTION(name) LONG(WINAPI *name)() = (void *)GetProcAddress(GetModuleHandleA("ntdll"), #name)

static void err(const char *what, BOOL fine)
{
    DWORD error = GetLastError();
    printf("%s %d", what, fine != 0);
    if (!fine)
        printf(" err %lu", error);
    printf("\n");
}

static HANDLE reading, writing;

static DWORD WINAPI read_pipe(void *unused)
{
    char text[8];
    DWORD n = 0;
    (void)unused;
    return ReadFile(reading, text, 8, &n, NULL) ? 1000 + n : GetLastError();
}

int main(void)
{
    FUNCTION(NtQueryMutant);
    FUNCTION(NtQuerySemaphore);
    FUNCTION(NtQueryTimer);
    FUNCTION(NtQueryIoCompletion);
    WCHAR text[64];
    LONG row[4];
    DWORD n;
    setvbuf(stdout, NULL, _IONBF, 0);

    HANDLE mutex = CreateMutexW(NULL, TRUE, NULL);
    WaitForSingleObject(mutex, 0);
    printf("mutant %lx", NtQueryMutant(mutex, 0, row, 8, NULL));
    printf(" count %ld own %d abandoned %d\n", row[0], ((BYTE *)row)[4], ((BYTE *)row)[5]);
    HANDLE semaphore = CreateSemaphoreW(NULL, 2, 7, NULL);
    printf("semaphore %lx", NtQuerySemaphore(semaphore, 0, row, 8, &n));
    printf(" %ld of %ld, %lu bytes\n", row[0], row[1], n);
    printf("short %lx class %lx wrong %lx\n", NtQuerySemaphore(semaphore, 0, row, 4, NULL),
           NtQuerySemaphore(semaphore, 1, row, 8, NULL), NtQuerySemaphore(mutex, 0, row, 8, NULL));
    HANDLE timer = CreateWaitableTimerW(NULL, TRUE, NULL);
    LARGE_INTEGER due = {.QuadPart = -50 * 10000};
    SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE);
    struct { LONGLONG left; BOOLEAN is; } times;
    printf("timer %lx", NtQueryTimer(timer, 0, &times, 16, NULL));
    printf(" left %d signalled %d\n", times.left > 0 && times.left <= 50 * 10000, times.is);
    Sleep(60);
    NtQueryTimer(timer, 0, &times, 16, NULL);
    printf("timer left %d signalled %d\n", times.left > 0, times.is);
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    PostQueuedCompletionStatus(port, 1, 2, NULL);
    printf("port %lx", NtQueryIoCompletion(port, 0, row, 4, NULL));
    printf(" %ld\n", row[0]);

    ATOM atom = GlobalAddAtomW(L"Hds");
    printf("atom %d again %d find %d\n", atom >= 0xC000, GlobalAddAtomW(L"hDS") == atom, GlobalFindAtomW(L"HDS") == atom);
    n = GlobalGetAtomNameW(atom, text, 64);
    printf("name %lu %ls\n", n, text);
    GlobalDeleteAtom(atom);
    printf("still %d\n", GlobalFindAtomW(L"hds") == atom);
    GlobalDeleteAtom(atom);
    printf("gone %d\n", GlobalFindAtomW(L"hds"));
    printf("number %d\n", GlobalAddAtomW(L"#123"));

    BYTE descriptor[256];
    HANDLE file = CreateFileW(L"secured.txt", GENERIC_READ | GENERIC_WRITE, 7, NULL, CREATE_ALWAYS, 0, NULL);
    CloseHandle(file);
    err("short", GetFileSecurityW(L"secured.txt", OWNER_SECURITY_INFORMATION, descriptor, 10, &n));
    err("security", GetFileSecurityW(L"secured.txt", OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, descriptor,
                                     sizeof descriptor, &n));
    PSID owner = NULL;
    PACL list = (PACL)1;
    BOOL defaulted, present = FALSE;
    err("owner", GetSecurityDescriptorOwner(descriptor, &owner, &defaulted) && IsValidSid(owner));
    err("list", GetSecurityDescriptorDacl(descriptor, &present, &list, &defaulted));
    printf("present %d all %d\n", present, list == NULL);
    DeleteFileW(L"secured.txt");
    LUID one, two;
    err("id", AllocateLocallyUniqueId(&one) && AllocateLocallyUniqueId(&two) && two.LowPart > one.LowPart);
    printf("awake %d\n", SetThreadExecutionState(ES_CONTINUOUS | ES_SYSTEM_REQUIRED) != 0);

    CreatePipe(&reading, &writing, NULL, 0);
    HANDLE thread = CreateThread(NULL, 0, read_pipe, NULL, 0, NULL);
    err("nothing to cancel", CancelSynchronousIo(GetCurrentThread()));
    Sleep(5);
    err("cancel", CancelSynchronousIo(thread));
    WaitForSingleObject(thread, INFINITE);
    GetExitCodeThread(thread, &n);
    printf("read %lu\n", n);
    WriteFile(writing, "abc", 3, &n, NULL);
    printf("then %lu\n", read_pipe(NULL));

    HANDLE first = CreateNamedPipeW(L"\\\\.\\pipe\\Hds-One", PIPE_ACCESS_DUPLEX, 0, 2, 0, 0, 0, NULL);
    HANDLE second = CreateNamedPipeW(L"\\\\.\\pipe\\hds-two", PIPE_ACCESS_DUPLEX, 0, 2, 0, 0, 0, NULL);
    WIN32_FIND_DATAW found;
    HANDLE search = FindFirstFileW(L"\\\\.\\pipe\\*", &found);
    err("search", search != INVALID_HANDLE_VALUE);
    if (search != INVALID_HANDLE_VALUE) {
        do
            if (!_wcsnicmp(found.cFileName, L"hds", 3))
                printf("pipe %ls\n", found.cFileName);
        while (FindNextFileW(search, &found));
        printf("end %lu\n", GetLastError());
        FindClose(search);
    }
    CloseHandle(first);
    CloseHandle(second);
    return 6;
}
