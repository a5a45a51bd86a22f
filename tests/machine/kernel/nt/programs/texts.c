/* Wide strings and code pages, the environment, the start of the process, times. */
#include <windows.h>
#include <stdio.h>
#include <wchar.h>

int main(int argc, char **argv)
{
    wchar_t wide[32];
    char narrow[32];
    int n = MultiByteToWideChar(CP_UTF8, 0, "gr\xc3\xbc\xc3\x9f\xf0\x9f\x98\x80", -1, wide, 32);
    printf("wide %d %x %x\n", n, wide[2], wide[4]);
    printf("back %d", WideCharToMultiByte(CP_UTF8, 0, wide, -1, narrow, 32, NULL, NULL));
    n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, "\xff", -1, wide, 32);
    printf(" invalid %d error %lu\n", n, GetLastError());
    printf("1252 %d", MultiByteToWideChar(1252, 0, "\x80", 1, wide, 32));
    printf(" %x\n", wide[0]);
    wcscpy(wide, L"\u00e4bc");
    CharUpperW(wide);
    printf("upper %x %c length %d compare %d\n", wide[0], wide[1], (int)wcslen(wide), lstrcmpiW(wide, L"\u00c4bC"));
    swprintf(wide, 32, L"%d-%ls-%x", -5, L"x", 255);
    printf("format %ls number %ld\n", wide, wcstol(L"-42z", NULL, 10));

    SetEnvironmentVariableW(L"HDS_ONE", L"1");
    printf("set %lu", GetEnvironmentVariableA("hds_one", narrow, 32));
    printf(" %s", narrow);
    ExpandEnvironmentStringsA("<%HDS_ONE%%SystemRoot%>", narrow, 32);
    printf(" %s", narrow);
    SetEnvironmentVariableW(L"HDS_ONE", NULL);
    printf(" gone %lu", GetEnvironmentVariableA("HDS_ONE", narrow, 32));
    printf(" error %lu\n", GetLastError());

    STARTUPINFOW start;
    GetStartupInfoW(&start);
    printf("start %lu inherited %d %d\n", start.cb, start.cbReserved2, start.lpReserved2 != NULL);
    printf("arguments %d %s\n", argc, argv[argc - 1]);

    FILETIME at;
    SYSTEMTIME time = {2024, 2, 4, 29, 12, 30, 15, 250}, other;
    printf("time %d", SystemTimeToFileTime(&time, &at));
    FileTimeToSystemTime(&at, &other);
    printf(" %d-%d-%d day %d %d\n", other.wYear, other.wMonth, other.wDay, other.wDayOfWeek, other.wMilliseconds);
    ULONGLONG before = GetTickCount64();
    Sleep(250);
    ULONGLONG after = GetTickCount64();
    printf("slept %d\n", after - before >= 250 && after - before < 300);
    return 0;
}
