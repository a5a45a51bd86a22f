/* Only ntdll: no C library, no kernel32. Exit code 7. */
#include <winternl.h>
#include <windows.h>
NTSTATUS NTAPI NtWriteFile(HANDLE, HANDLE, PVOID, PVOID, PIO_STATUS_BLOCK, PVOID, ULONG, PLARGE_INTEGER, PULONG);
NTSTATUS NTAPI NtTerminateProcess(HANDLE, NTSTATUS);

void start(void *peb_in)
{
    char *peb = (char *)__readgsqword(0x60);
    void *parameters = *(void **)(peb + 0x20);
    HANDLE output = *(HANDLE *)((char *)parameters + 0x28);
    IO_STATUS_BLOCK status;
    (void)peb_in;
    NtWriteFile(output, 0, 0, 0, &status, "freestanding\n", 13, 0, 0);
    NtTerminateProcess((HANDLE)-1, 7);
}
