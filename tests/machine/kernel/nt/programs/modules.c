/* GetProcAddress by name and ordinal, LoadLibrary twice, forwarders, module names, code written and executed. */
#include <windows.h>
#include <stdio.h>

typedef int (*Function)(int);

int main(void)
{
    DWORD old = 0;
    HMODULE kernel = GetModuleHandleW(L"KERNEL32"), version = LoadLibraryW(L"version.dll");
    printf("same %d own %d\n", LoadLibraryA("VERSION") == version, GetModuleHandleW(NULL) == (HMODULE)0x140000000);
    printf("name %d", GetProcAddress(version, "GetFileVersionInfoSizeW") != NULL);
    printf(" absent %d", GetProcAddress(version, "Nothing") != NULL);
    printf(" error %lu\n", GetLastError());
    printf("forwarder %d\n", (void *)GetProcAddress(kernel, "HeapAlloc") ==
                                 (void *)GetProcAddress(GetModuleHandleW(L"ntdll"), "RtlAllocateHeap"));
    printf("missing %d", LoadLibraryW(L"nothere.dll") != NULL);
    printf(" error %lu\n", GetLastError());
    wchar_t path[MAX_PATH];
    GetModuleFileNameW(version, path, MAX_PATH);
    printf("path %d\n", lstrcmpiW(path, L"C:\\windows\\system32\\version.dll"));
    HMODULE within = NULL;
    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (wchar_t *)GetProcAddress(version, "VerQueryValueW"),
                       &within);
    printf("within %d", within == version);
    for (int i = 0; i < 4; i++)
        printf(" free %d", FreeLibrary(version));
    printf(" gone %d\n", GetModuleHandleW(L"version.dll") == NULL);

    static const unsigned char code[] = {0x8d, 0x41, 0x01, 0xc3}; /* lea eax, [rcx+1]; ret */
    unsigned char *page = VirtualAlloc(NULL, 4096, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    memcpy(page, code, sizeof code);
    printf("protect %d", VirtualProtect(page, 4096, PAGE_EXECUTE_READ, &old));
    printf(" old %lx call %d\n", old, ((Function)page)(41));
    VirtualProtect(page, 4096, PAGE_EXECUTE_READWRITE, &old);
    page[2] = 2;
    FlushInstructionCache(GetCurrentProcess(), page, 4096);
    MEMORY_BASIC_INFORMATION info;
    VirtualQuery(page, &info, sizeof info);
    printf("changed %d old %lx protect %lx type %lx\n", ((Function)page)(40), old, info.Protect, info.Type);
    SIZE_T count = 0;
    unsigned char copy[4];
    printf("read %d", ReadProcessMemory(GetCurrentProcess(), page, copy, 4, &count));
    printf(" %d %x", (int)count, copy[2]);
    printf(" write %d", WriteProcessMemory(GetCurrentProcess(), page, code, 4, &count));
    printf(" call %d", ((Function)page)(41));
    printf(" unmapped %d", ReadProcessMemory(GetCurrentProcess(), (void *)0x10, copy, 4, &count));
    printf(" error %lu\n", GetLastError());
    return 0;
}
