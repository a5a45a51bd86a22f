/* Vectored handlers in order and nested, a guard page, the filter of what nobody handles, its exit code. */
#include <windows.h>
#include <stdio.h>

static LONG CALLBACK second(EXCEPTION_POINTERS *info)
{
    printf("second %lx\n", info->ExceptionRecord->ExceptionCode);
    return EXCEPTION_CONTINUE_SEARCH;
}

static char *page;

static LONG CALLBACK first(EXCEPTION_POINTERS *info)
{
    EXCEPTION_RECORD *record = info->ExceptionRecord;
    printf("first %lx\n", record->ExceptionCode);
    if (record->ExceptionCode == 0xE0000002)
        RaiseException(0xE0000003, 0, 0, NULL);
    if (record->ExceptionCode == 0xE0000003 || record->ExceptionCode == STATUS_GUARD_PAGE_VIOLATION)
        return EXCEPTION_CONTINUE_EXECUTION;
    if (record->ExceptionCode == STATUS_ACCESS_VIOLATION && (char *)record->ExceptionInformation[1] == page) {
        DWORD old;
        printf("kind %d\n", (int)record->ExceptionInformation[0]);
        VirtualProtect(page, 4096, PAGE_READWRITE, &old);
        return EXCEPTION_CONTINUE_EXECUTION;
    }
    return record->ExceptionCode == 0xE0000002 ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_CONTINUE_SEARCH;
}

static LONG WINAPI last(EXCEPTION_POINTERS *info)
{
    printf("last %lx flags %lx\n", info->ExceptionRecord->ExceptionCode, info->ExceptionRecord->ExceptionFlags);
    fflush(stdout);
    ExitProcess(33);
}

int main(void)
{
    DWORD old;
    AddVectoredExceptionHandler(0, second);
    AddVectoredExceptionHandler(1, first);
    RaiseException(0xE0000002, 0, 0, NULL);
    page = VirtualAlloc(NULL, 8192, MEM_COMMIT | MEM_RESERVE, PAGE_READONLY);
    *page = 1;
    printf("written %d\n", *page);
    VirtualProtect(page + 4096, 4096, PAGE_READWRITE | PAGE_GUARD, &old);
    page[4096] = 2;
    page[4096]++;
    printf("guarded %d\n", page[4096]);
    SetUnhandledExceptionFilter(last);
    RaiseException(0xE0000004, EXCEPTION_NONCONTINUABLE, 0, NULL);
    return 1;
}
