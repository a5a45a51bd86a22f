/* What a program asks of its process, token, system, locale, heaps and clocks. */
#define _WIN32_WINNT 0x0A00
#include <stdio.h>
#include <locale.h>
#include <windows.h>
#include <tlhelp32.h>
#include <psapi.h>
#include <sddl.h>

HRESULT WINAPI SetThreadDescription(HANDLE, PCWSTR); /* which headers of 2022 do not have */
HRESULT WINAPI GetThreadDescription(HANDLE, PWSTR *);
static void err(const char *w, BOOL r) {
    DWORD e = GetLastError();
    printf("%s %d", w, r != 0);
    if (!r)
        printf(" err %lu", e);
    printf("\n");
}
int main(int argc, char **argv) {
    setvbuf(stdout, 0, _IONBF, 0);
    DWORD n;
    HANDLE s = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS | TH32CS_SNAPTHREAD, 0);
    err("snapshot", s != INVALID_HANDLE_VALUE);
    PROCESSENTRY32W pe = {sizeof pe};
    int self = 0, c = 0;
    if (Process32FirstW(s, &pe))
        do {
            c++;
            if (pe.th32ProcessID == GetCurrentProcessId()) {
                self = 1;
                printf("me %ls\n", pe.szExeFile);
            }
        } while (Process32NextW(s, &pe));
    printf("self %d some %d\n", self, c > 0);
    THREADENTRY32 te = {sizeof te};
    c = 0;
    if (Thread32First(s, &te))
        do
            if (te.th32OwnerProcessID == GetCurrentProcessId())
                c++;
        while (Thread32Next(s, &te));
    printf("threads %d\n", c);
    s = CreateToolhelp32Snapshot(TH32CS_SNAPMODULE, 0);
    MODULEENTRY32W me = {sizeof me};
    c = 0;
    if (s != INVALID_HANDLE_VALUE && Module32FirstW(s, &me)) {
        printf("first module %ls\n", me.szModule);
        do
            c++;
        while (Module32NextW(s, &me));
    }
    printf("modules %d\n", c >= 4);
    HMODULE mods[64];
    err("enum", EnumProcessModules(GetCurrentProcess(), mods, sizeof mods, &n));
    WCHAR nm[260];
    err("name", GetModuleBaseNameW(GetCurrentProcess(), mods[0], nm, 260));
    printf("%ls\n", nm);
    PROCESS_MEMORY_COUNTERS pmc = {sizeof pmc};
    err("memory", GetProcessMemoryInfo(GetCurrentProcess(), &pmc, sizeof pmc));
    printf("ws %d\n", pmc.WorkingSetSize > 0);
    n = 260;
    err("image", QueryFullProcessImageNameW(GetCurrentProcess(), 0, nm, &n));
    printf("%ls\n", nm);
    BOOL dbg = 9;
    printf("debugger %d", IsDebuggerPresent());
    CheckRemoteDebuggerPresent(GetCurrentProcess(), &dbg);
    printf(" %d\n", dbg);
    OutputDebugStringA("text");
    err("job", AssignProcessToJobObject(CreateJobObjectW(0, 0), GetCurrentProcess()));
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION jl = {0};
    HANDLE j = CreateJobObjectW(0, 0);
    jl.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    err("job limits", SetInformationJobObject(j, JobObjectExtendedLimitInformation, &jl, sizeof jl));
    BOOL in = 7;
    err("in job", IsProcessInJob(GetCurrentProcess(), j, &in));
    HANDLE t;
    err("token", OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY | TOKEN_ADJUST_PRIVILEGES, &t));
    BYTE b[512];
    err("user", GetTokenInformation(t, TokenUser, b, 512, &n));
    LPSTR sid = 0;
    err("sid", ConvertSidToStringSidA(((TOKEN_USER *)b)->User.Sid, &sid));
    printf("%.4s\n", sid ? sid : "none");
    TOKEN_ELEVATION el = {7};
    err("elevation", GetTokenInformation(t, TokenElevation, &el, sizeof el, &n));
    err("groups", GetTokenInformation(t, TokenGroups, b, 512, &n));
    err("integrity", GetTokenInformation(t, TokenIntegrityLevel, b, 512, &n));
    err("privs", GetTokenInformation(t, TokenPrivileges, b, 512, &n));
    err("small", GetTokenInformation(t, TokenUser, b, 1, &n));
    LUID l;
    err("luid", LookupPrivilegeValueW(0, L"SeDebugPrivilege", &l));
    TOKEN_PRIVILEGES tp = {1, {{l, SE_PRIVILEGE_ENABLED}}};
    SetLastError(0);
    err("adjust", AdjustTokenPrivileges(t, 0, &tp, 0, 0, 0));
    STARTUPINFOW si = {sizeof si};
    PROCESS_INFORMATION pi;
    WCHAR cl[] = L"C:\\Windows\\System32\\cmd.exe /c echo";
    err("process", CreateProcessW(0, cl, 0, 0, 0, 0, 0, 0, &si, &pi));
    WCHAR no[] = L"nothing.exe";
    err("no process", CreateProcessW(0, no, 0, 0, 0, 0, 0, 0, &si, &pi));
    printf("acp %u oem %u lcid %lx\n", GetACP(), GetOEMCP(), GetUserDefaultLCID());
    WCHAR wb[64];
    printf("utf8 %d", MultiByteToWideChar(CP_UTF8, 0, "\xc3\xa9\xe2\x82\xac", -1, wb, 64));
    printf(" %x %x", wb[0], wb[1]);
    char mb[16];
    int back = WideCharToMultiByte(1252, 0, L"\u20ac", -1, mb, 16, 0, 0);
    printf(" back %d %02x\n", back, (unsigned char)mb[0]);
    GetDateFormatW(0x409, 0, &(SYSTEMTIME){2024, 2, 4, 29}, L"yyyy-MM-dd dddd", wb, 64);
    printf("%ls\n", wb);
    printf("compare %d %d\n", CompareStringW(0x409, NORM_IGNORECASE, L"abc", -1, L"ABD", -1),
           lstrcmpiW(L"Stra\u00dfe", L"STRASSE"));
    LCMapStringW(0x409, LCMAP_UPPERCASE, L"\u00e9t\u00e9", -1, wb, 64);
    printf("upper %x\n", wb[0]);
    SetEnvironmentVariableW(L"MINE", L"v\u00e9");
    printf("env %lu", GetEnvironmentVariableW(L"mine", wb, 64));
    ExpandEnvironmentStringsW(L"%MINE%-%none%", wb, 64);
    printf(" %d\n", lstrcmpW(wb, L"v\u00e9-%none%"));
    HANDLE h = HeapCreate(0, 0x1000, 0x100000);
    void *p = HeapAlloc(h, HEAP_ZERO_MEMORY, 100);
    printf("heap %llu valid %d", HeapSize(h, 0, p), HeapValidate(h, 0, 0));
    p = HeapReAlloc(h, 0, p, 5000);
    printf(" re %d big %d\n", p != 0, HeapAlloc(h, 0, 0x200000) != 0);
    HeapDestroy(h);
    HGLOBAL gl = GlobalAlloc(GMEM_MOVEABLE, 50);
    printf("global %llu\n", GlobalSize(gl));
    MEMORYSTATUSEX ms = {sizeof ms};
    err("memstat", GlobalMemoryStatusEx(&ms));
    SYSTEM_INFO sy;
    GetSystemInfo(&sy);
    printf("page %lu gran %lu cpus %lu\n", sy.dwPageSize, sy.dwAllocationGranularity, sy.dwNumberOfProcessors);
    SYSTEMTIME st;
    GetSystemTime(&st);
    printf("year %d\n", st.wYear);
    TIME_ZONE_INFORMATION tz;
    printf("zone %lu bias %ld\n", GetTimeZoneInformation(&tz), tz.Bias);
    FILETIME ft;
    SystemTimeToFileTime(&(SYSTEMTIME){2000, 1, 6, 1}, &ft);
    printf("ft %lx\n", ft.dwHighDateTime);
    ULONGLONG t0 = GetTickCount64();
    Sleep(20);
    printf("tick %d\n", GetTickCount64() - t0 >= 15);
    FILETIME k, us, cr, ex;
    err("times", GetProcessTimes(GetCurrentProcess(), &cr, &ex, &k, &us));
    HRSRC rs = FindResourceW(0, MAKEINTRESOURCEW(1), (LPCWSTR)RT_VERSION);
    printf("resource %d\n", rs != 0);
    FARPROC fp = GetProcAddress(GetModuleHandleA("kernel32"), "HeapAlloc");
    printf("forward %d ordinal %d\n", fp == GetProcAddress(GetModuleHandleA("ntdll"), "RtlAllocateHeap"),
           GetProcAddress(GetModuleHandleA("kernel32"), "NoSuch") != 0);
    err("lib", LoadLibraryW(L"nosuch.dll") != 0);
    HMODULE as = LoadLibraryExW(L"version.dll", 0, LOAD_LIBRARY_AS_DATAFILE);
    err("datafile", as != 0);
    err("set prio", SetThreadPriority(GetCurrentThread(), 2));
    printf("prio %d\n", GetThreadPriority(GetCurrentThread()));
    DWORD_PTR pm, sm;
    err("affinity", GetProcessAffinityMask(GetCurrentProcess(), &pm, &sm));
    err("set affinity", SetThreadAffinityMask(GetCurrentThread(), 1) != 0);
    err("description", SetThreadDescription(GetCurrentThread(), L"worker") >= 0);
    PWSTR dsc = 0;
    GetThreadDescription(GetCurrentThread(), &dsc);
    printf("%ls\n", dsc ? dsc : L"none");
    DWORD hc;
    err("handles", GetProcessHandleCount(GetCurrentProcess(), &hc));
    HANDLE du;
    err("dup", DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &du, 0, 0,
                               DUPLICATE_SAME_ACCESS));
    printf("tid %d\n", GetThreadId(du) == GetCurrentThreadId());
    err("bad close", CloseHandle((HANDLE)0x1234));
    err("open process", OpenProcess(PROCESS_QUERY_INFORMATION, 0, 4) != 0);
    HANDLE op = OpenProcess(PROCESS_ALL_ACCESS, 0, GetCurrentProcessId());
    err("open self", op != 0);
    int x = 0, y = 5;
    SIZE_T rd;
    err("rpm", ReadProcessMemory(op, &y, &x, 4, &rd));
    printf("%d\n", x);
    err("rpm bad", ReadProcessMemory(op, (void *)16, &x, 4, &rd));
    err("thread", OpenThread(THREAD_ALL_ACCESS, 0, GetCurrentThreadId()) != 0);
    err("console", GetConsoleMode(GetStdHandle(STD_OUTPUT_HANDLE), &n));
    printf("cp %u title %lu\n", GetConsoleOutputCP(), GetConsoleTitleA((char[64]){0}, 64));
    err("ctrl", SetConsoleCtrlHandler(0, 1));
    GUID g;
    (void)g;
    printf("mitigation ");
    err("", SetProcessMitigationPolicy(0, &n, 4));
    WCHAR sysd[64];
    GetSystemDirectoryW(sysd, 64);
    printf("%ls\n", sysd);
    printf("version %lx\n", GetVersion() & 0xff);
    char line[64];
    while (fgets(line, 64, stdin))
        printf("in %s", line);
    printf("eof %d\n", feof(stdin) != 0);
    return 11;
}
