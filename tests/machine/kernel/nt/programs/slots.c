/* Mailslots, write watch, access checks, UUIDs, power, renamed keys, files in pages, threads that all stand still. */
#define _WIN32_WINNT 0x0A00
#include <windows.h>
#include <powrprof.h>
#include <stdio.h>

static void err(const char *what, BOOL fine)
{
    DWORD error = GetLastError();
    printf("%s %d", what, fine != 0);
    if (!fine)
        printf(" err %lu", error);
    printf("\n");
}

typedef LONG(NTAPI *process_call)(HANDLE);
typedef LONG(NTAPI *uuid_call)(ULARGE_INTEGER *, ULONG *, ULONG *, UCHAR *);
static HANDLE slot;
static volatile LONG counter;

static DWORD WINAPI post(void *unused)
{
    DWORD n;
    HANDLE client = CreateFileW(L"\\\\.\\MAILSLOT\\own\\slot", GENERIC_WRITE, 7, NULL, OPEN_EXISTING, 0, NULL);
    (void)unused;
    Sleep(5);
    err("late", WriteFile(client, "late", 4, &n, NULL));
    CloseHandle(client);
    return 0;
}

static DWORD WINAPI spin(void *unused)
{
    (void)unused;
    for (;;) {
        InterlockedIncrement(&counter);
        SwitchToThread();
    }
}

static void slots(void)
{
    DWORD longest, following, count, timeout, n;
    char text[32];
    slot = CreateMailslotW(L"\\\\.\\mailslot\\own\\slot", 16, 10, NULL);
    err("slot", slot != INVALID_HANDLE_VALUE);
    err("second", CreateMailslotW(L"\\\\.\\mailslot\\own\\slot", 0, 0, NULL) != INVALID_HANDLE_VALUE);
    err("no name", CreateMailslotW(L"\\\\.\\own", 0, 0, NULL) != INVALID_HANDLE_VALUE);
    err("info", GetMailslotInfo(slot, &longest, &following, &count, &timeout));
    printf("%lu %ld %lu %lu\n", longest, (long)following, count, timeout);
    err("nobody", CreateFileW(L"\\\\.\\mailslot\\none", GENERIC_WRITE, 7, NULL, OPEN_EXISTING, 0, NULL) !=
                      INVALID_HANDLE_VALUE);
    HANDLE client = CreateFileW(L"\\\\.\\mailslot\\own\\slot", GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    err("client", client != INVALID_HANDLE_VALUE);
    err("write", WriteFile(client, "first", 5, &n, NULL));
    err("write", WriteFile(client, "second!", 7, &n, NULL));
    err("too long", WriteFile(client, "0123456789abcdefg", 17, &n, NULL));
    GetMailslotInfo(slot, NULL, &following, &count, NULL);
    printf("%ld %lu\n", (long)following, count);
    err("short", ReadFile(slot, text, 3, &n, NULL));
    err("read", ReadFile(slot, text, 32, &n, NULL));
    printf("%lu %.*s\n", n, (int)n, text);
    err("read", ReadFile(slot, text, 32, &n, NULL));
    printf("%lu %.*s\n", n, (int)n, text);
    DWORD before = GetTickCount();
    err("nothing", ReadFile(slot, text, 32, &n, NULL));
    printf("waited %d\n", GetTickCount() - before >= 10);
    err("for ever", SetMailslotInfo(slot, MAILSLOT_WAIT_FOREVER));
    CreateThread(NULL, 0, post, NULL, 0, NULL);
    err("read", ReadFile(slot, text, 32, &n, NULL));
    printf("%lu %.*s\n", n, (int)n, text);
    CloseHandle(slot);
    err("gone", CreateFileW(L"\\\\.\\mailslot\\own\\slot", GENERIC_WRITE, 7, NULL, OPEN_EXISTING, 0, NULL) !=
                    INVALID_HANDLE_VALUE);
}

static void watches(void)
{
    void *pages[8];
    ULONG_PTR count = 8;
    ULONG unit;
    char *memory = VirtualAlloc(NULL, 0x8000, MEM_RESERVE | MEM_COMMIT | MEM_WRITE_WATCH, PAGE_READWRITE);
    printf("none %u %llu\n", GetWriteWatch(0, memory, 0x8000, pages, &count, &unit), count);
    memory[0x3010] = 1;
    memory[0x1fff] = 1;
    char from[8] = "copied";
    SIZE_T n;
    WriteProcessMemory(GetCurrentProcess(), memory + 0x5ffe, from, 4, &n);
    MEMORY_BASIC_INFORMATION about;
    VirtualQuery(memory, &about, sizeof about);
    printf("region %llx protect %lx\n", about.RegionSize, about.Protect);
    count = 8;
    UINT failed = GetWriteWatch(WRITE_WATCH_FLAG_RESET, memory, 0x8000, pages, &count, &unit);
    printf("%u %llu unit %lx:", failed, count, unit);
    for (ULONG_PTR i = 0; i < count; i++)
        printf(" %llx", (ULONG_PTR)pages[i] - (ULONG_PTR)memory);
    printf("\n");
    count = 8;
    GetWriteWatch(0, memory, 0x8000, pages, &count, &unit);
    printf("%llu\n", count);
    memory[0x3010] = 2;
    memory[0x7000] = 2;
    count = 1;
    GetWriteWatch(0, memory, 0x8000, pages, &count, &unit);
    printf("%llu %llx\n", count, (ULONG_PTR)pages[0] - (ULONG_PTR)memory);
    printf("reset %u\n", ResetWriteWatch(memory, 0x8000));
    count = 8;
    GetWriteWatch(0, memory, 0x8000, pages, &count, &unit);
    printf("%llu, %d%d\n", count, memory[0x3010], memory[0x5ffe]);
    count = 8;
    printf("other %u\n", GetWriteWatch(0, from, 8, pages, &count, &unit));
}

static void checks(void)
{
    BYTE everyone[SECURITY_MAX_SID_SIZE], users[SECURITY_MAX_SID_SIZE], system[SECURITY_MAX_SID_SIZE], space[512];
    DWORD size = sizeof everyone, granted, length;
    BOOL allowed;
    HANDLE token, copy;
    SECURITY_DESCRIPTOR descriptor;
    GENERIC_MAPPING mapping = {1, 2, 4, 7};
    PRIVILEGE_SET privileges;
    ACL *list = (ACL *)space;
    CreateWellKnownSid(WinWorldSid, NULL, everyone, &size);
    size = sizeof users;
    CreateWellKnownSid(WinBuiltinUsersSid, NULL, users, &size);
    size = sizeof system;
    CreateWellKnownSid(WinLocalSystemSid, NULL, system, &size);
    InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorOwner(&descriptor, system, FALSE);
    SetSecurityDescriptorGroup(&descriptor, system, FALSE);
    InitializeAcl(list, sizeof space, ACL_REVISION);
    AddAccessDeniedAce(list, ACL_REVISION, 2, users);
    AddAccessAllowedAce(list, ACL_REVISION, GENERIC_READ | 2, everyone);
    AddAccessAllowedAce(list, ACL_REVISION, 4, system);
    SetSecurityDescriptorDacl(&descriptor, TRUE, list, FALSE);
    OpenProcessToken(GetCurrentProcess(), TOKEN_DUPLICATE | TOKEN_QUERY, &token);
    length = sizeof privileges;
    err("primary", AccessCheck(&descriptor, token, 1, &mapping, &privileges, &length, &granted, &allowed));
    err("copy", DuplicateToken(token, SecurityImpersonation, &copy));
    for (DWORD wanted = 1; wanted < 8; wanted <<= 1) {
        length = sizeof privileges;
        err("check", AccessCheck(&descriptor, copy, wanted, &mapping, &privileges, &length, &granted, &allowed));
        printf("wanted %lx granted %lx allowed %d\n", wanted, granted, allowed);
    }
    length = sizeof privileges;
    AccessCheck(&descriptor, copy, MAXIMUM_ALLOWED, &mapping, &privileges, &length, &granted, &allowed);
    printf("most %lx allowed %d\n", granted, allowed);
    length = sizeof privileges;
    err("generic", AccessCheck(&descriptor, copy, GENERIC_READ, &mapping, &privileges, &length, &granted, &allowed));
}

static void others(void)
{
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    uuid_call uuids = (uuid_call)(void *)GetProcAddress(ntdll, "NtAllocateUuids");
    ULARGE_INTEGER one, two;
    ULONG range, sequence, again, n;
    UCHAR seed[6];
    printf("uuids %lx", uuids(&one, &range, &sequence, seed));
    printf(" %lx", uuids(&two, &range, &again, seed));
    printf(" %d %d %d\n", two.QuadPart - one.QuadPart >= range, sequence == again, seed[0] & 1);
    SYSTEM_BATTERY_STATE battery;
    LONG failed = CallNtPowerInformation(SystemBatteryState, NULL, 0, &battery, sizeof battery);
    printf("battery %lx %d %d\n", failed, battery.AcOnLine, battery.BatteryPresent);
    SYSTEM_POWER_STATUS status;
    err("power", GetSystemPowerStatus(&status));
    printf("line %d\n", status.ACLineStatus);

    HKEY key, inner;
    WCHAR name[32] = L"";
    RegCreateKeyExW(HKEY_CURRENT_USER, L"Software\\Old\\Inner", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &inner, NULL);
    RegOpenKeyExW(HKEY_CURRENT_USER, L"Software", 0, KEY_ALL_ACCESS, &key);
    HKEY old;
    RegOpenKeyExW(key, L"Old", 0, KEY_ALL_ACCESS, &old);
    typedef LONG(NTAPI * rename_call)(HANDLE, void *);
    struct { USHORT length, room; WCHAR *text; } text = {6, 8, L"New"};
    printf("rename %lx\n", ((rename_call)(void *)GetProcAddress(ntdll, "NtRenameKey"))(old, &text));
    printf("%ld %ld\n", RegOpenKeyExW(key, L"Old", 0, KEY_READ, &inner), RegOpenKeyExW(key, L"New\\Inner", 0, KEY_READ, &inner));
    n = 32;
    RegEnumKeyW(old, 0, name, n);
    printf("%ls\n", name);

    char *memory = VirtualAlloc(NULL, 0x4000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    memset(memory, 'a', 0x1000);
    memset(memory + 0x2000, 'b', 0x1000);
    FILE_SEGMENT_ELEMENT out[3] = {{.Alignment = (ULONG_PTR)memory + 0x2000}, {.Alignment = (ULONG_PTR)memory}, {0}};
    FILE_SEGMENT_ELEMENT in[3] = {{.Alignment = (ULONG_PTR)memory + 0x3000}, {.Alignment = (ULONG_PTR)memory + 0x1000}, {0}};
    HANDLE file = CreateFileW(L"C:\\prog\\pages", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                              FILE_FLAG_NO_BUFFERING | FILE_FLAG_OVERLAPPED, NULL);
    OVERLAPPED over = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    BOOL fine = WriteFileGather(file, out, 0x2000, NULL, &over);
    err("gather", fine || GetLastError() == ERROR_IO_PENDING);
    err("result", GetOverlappedResult(file, &over, &n, TRUE));
    printf("%lu\n", n);
    fine = ReadFileScatter(file, in, 0x2000, NULL, &over);
    err("scatter", fine || GetLastError() == ERROR_IO_PENDING);
    err("result", GetOverlappedResult(file, &over, &n, TRUE));
    printf("%lu %c%c\n", n, memory[0x3000], memory[0x1fff]);

    CreateThread(NULL, 0, spin, NULL, 0, NULL);
    while (!counter)
        SwitchToThread();
    HANDLE limited = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, GetCurrentProcessId());
    printf("suspend %lx\n", ((process_call)(void *)GetProcAddress(ntdll, "NtSuspendProcess"))(limited));
    printf("resume %lx\n", ((process_call)(void *)GetProcAddress(ntdll, "NtResumeProcess"))(GetCurrentProcess()));
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    slots();
    watches();
    checks();
    others();
    return 8;
}
