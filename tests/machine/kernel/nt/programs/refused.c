/* What Windows does not accept of reads, protections, processors and keys; and the name of the computer. */
#define _WIN32_WINNT 0x0A00
#include <windows.h>
#include <stdio.h>

static void say(const char *what, long fine, DWORD error)
{
    printf("%s %ld %lu\n", what, fine, fine ? 0 : error);
}

int main(void)
{
    char text[64];
    wchar_t name[64] = L"";
    DWORD n = 0, size = 64;
    HANDLE file = CreateFileW(L"C:\\asynchronous", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_OVERLAPPED, NULL);
    BOOL fine = WriteFile(file, "x", 1, &n, NULL);
    say("write", fine, GetLastError());
    fine = ReadFile(file, text, 1, &n, NULL);
    say("read", fine, GetLastError());
    CloseHandle(file);

    fine = VirtualAlloc(NULL, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_WRITECOPY) != NULL;
    say("copy", fine, GetLastError());
    fine = VirtualAlloc(NULL, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_EXECUTE_WRITECOPY) != NULL;
    say("copy", fine, GetLastError());

    fine = SetThreadAffinityMask(GetCurrentThread(), 1) == 1;
    say("first", fine, GetLastError());
    fine = SetThreadAffinityMask(GetCurrentThread(), 1ull << 40) != 0;
    say("none", fine, GetLastError());

    fine = GetComputerNameExW(ComputerNamePhysicalDnsHostname, name, &size);
    printf("host %d %ls\n", fine, name);

    HKEY key, below;
    size = sizeof name;
    LONG error = RegGetValueW(HKEY_LOCAL_MACHINE, L"SYSTEM\\ControlSet001\\Services\\Tcpip\\Parameters", L"Hostname", RRF_RT_REG_SZ, NULL, name, &size);
    printf("set %ld %ls\n", error, name);
    RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"SYSTEM\\ControlSet001\\Own", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL);
    printf("one %ld\n", RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\Own", 0, KEY_READ, &below));

    RegCreateKeyExW(HKEY_CURRENT_USER, L"Volatile", 0, NULL, REG_OPTION_VOLATILE, KEY_ALL_ACCESS, NULL, &key, NULL);
    printf("child %ld\n", RegCreateKeyExW(key, L"Stays", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &below, NULL));
    printf("child %ld\n", RegCreateKeyExW(key, L"Goes", 0, NULL, REG_OPTION_VOLATILE, KEY_ALL_ACCESS, NULL, &below, NULL));
    return 0;
}
