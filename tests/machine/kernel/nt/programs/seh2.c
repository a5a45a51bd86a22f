/* A handler of .pdata resumes an undefined instruction. */
#include <stdio.h>
#include <windows.h>

static int hits;

EXCEPTION_DISPOSITION handle(EXCEPTION_RECORD *record, void *frame, CONTEXT *context, void *dispatcher)
{
    (void)frame;
    (void)dispatcher;
    hits++;
    printf("seh %lx\n", record->ExceptionCode);
    context->Rip += 2;
    return ExceptionContinueExecution;
}

void guarded(void);
__asm__(".globl guarded\n.seh_proc guarded\nguarded:\n sub $40, %rsp\n .seh_stackalloc 40\n .seh_endprologue\n"
        " .seh_handler handle, @except\n ud2\n add $40, %rsp\n ret\n.seh_endproc\n");

int main(void)
{
    guarded();
    printf("hits %d\n", hits);
    return 0;
}
