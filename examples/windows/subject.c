/* What the scripts beside this file look at; in the folder c/prog as subject.exe:
 *     x86_64-w64-mingw32-gcc -O1 -static examples/windows/subject.c -o c/prog/subject.exe */
#include <stdio.h>
#include <windows.h>

typedef LONG(WINAPI *Query)(HANDLE, ULONG, void *, ULONG, ULONG *);

static LONG WINAPI handler(EXCEPTION_POINTERS *info) {
    if (info->ExceptionRecord->ExceptionCode != EXCEPTION_BREAKPOINT) return EXCEPTION_CONTINUE_SEARCH;
    info->ContextRecord->Rip++;
    return EXCEPTION_CONTINUE_EXECUTION;
}

static int opens(const char *name) {
    HANDLE file = CreateFileA(name, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
    return file != INVALID_HANDLE_VALUE;
}

int main(void) {
    static const unsigned char code[] = {0xB8, 0x2A, 0, 0, 0, 0xC3}; /* mov eax, 2ah; ret */
    void *port = NULL;
    DWORD old;
    printf("own file %d\n", opens("C:\\prog\\subject.exe"));
    printf("other file %d\n", opens("C:\\prog\\absent.txt"));
    unsigned char *page = VirtualAlloc(NULL, sizeof code, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    memcpy(page, code, sizeof code);
    VirtualProtect(page, sizeof code, PAGE_EXECUTE_READ, &old);
    printf("unpacked %d\n", ((int (*)(void))page)());
    AddVectoredExceptionHandler(1, handler);
    __asm__ volatile("int3");
    Query query = (Query)(void *)GetProcAddress(GetModuleHandleA("ntdll.dll"), "NtQueryInformationProcess");
    query(GetCurrentProcess(), 7, &port, sizeof port, NULL);
    printf("debugger %d %d\n", IsDebuggerPresent(), port != NULL);
    printf("version.dll %d\n", LoadLibraryA("version.dll") != NULL);
    return 0;
}
