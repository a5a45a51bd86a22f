/* A vectored handler resumes a division by zero and a breakpoint; an undefined instruction ends the program. */
#include <stdio.h>
#include <windows.h>

static LONG CALLBACK handler(EXCEPTION_POINTERS *about)
{
    DWORD code = about->ExceptionRecord->ExceptionCode;
    printf("veh %lx\n", code);
    fflush(stdout);
    if (code == EXCEPTION_INT_DIVIDE_BY_ZERO)
        about->ContextRecord->Rip += 2;
    else if (code == EXCEPTION_BREAKPOINT)
        about->ContextRecord->Rip += 1;
    else
        return EXCEPTION_CONTINUE_SEARCH;
    return EXCEPTION_CONTINUE_EXECUTION;
}

int main(void)
{
    AddVectoredExceptionHandler(1, handler);
    __asm__ volatile("xor %%ecx, %%ecx; mov $1, %%eax; xor %%edx, %%edx; .byte 0xf7, 0xf1" ::: "rax", "rcx", "rdx");
    printf("after div\n");
    __asm__ volatile("int3");
    printf("after int3\n");
    __asm__ volatile("ud2");
    return 0;
}
