/* Memory and views by the calls with extended parameters. */
#include <windows.h>
#include <stdio.h>

typedef struct {
    unsigned long long type;
    void *pointer;
} Parameter;

typedef struct {
    void *lowest, *highest;
    SIZE_T alignment;
} Requirements;

typedef LONG(WINAPI *Allocate)(HANDLE, void **, SIZE_T *, ULONG, ULONG, Parameter *, ULONG);
typedef LONG(WINAPI *Map)(HANDLE, HANDLE, void **, LARGE_INTEGER *, SIZE_T *, ULONG, ULONG, Parameter *, ULONG);

int main(void)
{
    HMODULE ntdll = GetModuleHandleA("ntdll");
    Allocate allocate = (Allocate)(void *)GetProcAddress(ntdll, "NtAllocateVirtualMemoryEx");
    Map map = (Map)(void *)GetProcAddress(ntdll, "NtMapViewOfSectionEx");
    void *base = NULL, *low = NULL, *none = NULL, *view = NULL;
    SIZE_T size = 5000, small = 4096, viewed = 0;
    Requirements below = {NULL, (void *)0x7fffffff, 0};
    Parameter highest = {1, &below}, unknown = {77, NULL};

    printf("there %d %d\n", allocate != NULL, map != NULL);
    printf("allocate %lx", allocate(GetCurrentProcess(), &base, &size, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE, NULL, 0));
    printf(" size %x\n", (unsigned)size);
    *(char *)base = 1;
    printf("low %lx", allocate(GetCurrentProcess(), &low, &small, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE, &highest, 1));
    printf(" %d\n", low && low < (void *)0x80000000);
    printf("unknown %lx\n", allocate(GetCurrentProcess(), &none, &small, MEM_RESERVE, PAGE_READWRITE, &unknown, 1));
    HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 8192, NULL);
    if (map) {
        printf("map %lx", map(section, GetCurrentProcess(), &view, NULL, &viewed, 0, PAGE_READWRITE, NULL, 0));
        *(char *)view = 7;
        printf(" size %x write %d\n", (unsigned)viewed, *(char *)view);
    }
    return 0;
}
