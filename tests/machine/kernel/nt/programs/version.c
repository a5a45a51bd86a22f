/* The version of the system by all ways: they say the same. */
#define _WIN32_WINNT 0x0A00
#include <windows.h>
#include <winternl.h>
#include <stdio.h>

NTSTATUS NTAPI RtlGetVersion(OSVERSIONINFOW *);

int main(void)
{
    OSVERSIONINFOW version = {sizeof version};
    const char *peb = (const char *)NtCurrentTeb()->ProcessEnvironmentBlock, *shared = (const char *)0x7ffe0000;
    RtlGetVersion(&version);
    printf("RtlGetVersion %lu.%lu.%lu\n", version.dwMajorVersion, version.dwMinorVersion, version.dwBuildNumber);
    printf("PEB %u.%u.%u %u\n", *(UINT *)(peb + 0x118), *(UINT *)(peb + 0x11c), *(USHORT *)(peb + 0x120),
           *(UINT *)(peb + 0x124));
    printf("shared %u.%u.%u\n", *(UINT *)(shared + 0x26c), *(UINT *)(shared + 0x270), *(UINT *)(shared + 0x260));
    GetVersionExW(&version);
    printf("without a manifest %lu.%lu.%lu\n", version.dwMajorVersion, version.dwMinorVersion, version.dwBuildNumber);
    WCHAR text[16];
    DWORD size = sizeof text;
    RegGetValueW(HKEY_LOCAL_MACHINE, L"Software\\Microsoft\\Windows NT\\CurrentVersion", L"CurrentVersion", RRF_RT_REG_SZ,
                 NULL, text, &size);
    printf("CurrentVersion %ls\n", text);
    return 0;
}
