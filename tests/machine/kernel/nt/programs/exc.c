/* A vectored handler: a raised exception, and an access violation resumed by changing Rip. */
#include <stdio.h>
#include <windows.h>

static LONG CALLBACK handler(EXCEPTION_POINTERS *about)
{
    printf("veh %lx\n", about->ExceptionRecord->ExceptionCode);
    if (about->ExceptionRecord->ExceptionCode == EXCEPTION_ACCESS_VIOLATION)
        about->ContextRecord->Rip += 3;
    return EXCEPTION_CONTINUE_EXECUTION;
}

int main(void)
{
    AddVectoredExceptionHandler(1, handler);
    RaiseException(0xe0000001, 0, 0, NULL);
    printf("after raise\n");
    __asm__ volatile("xor %%eax, %%eax; .byte 0x48, 0x8b, 0x00" ::: "rax");
    printf("after av\n");
    return 0;
}
