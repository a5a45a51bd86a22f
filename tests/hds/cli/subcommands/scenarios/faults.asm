// Reads three addresses that are not mapped; the handler of SIGSEGV goes on behind the instruction.
    lea rax, [rip + handler]
    mov [rsp-0x40], rax
    mov qword ptr [rsp-0x38], 0x4000004     // SA_SIGINFO | SA_RESTORER
    lea rax, [rip + restorer]
    mov [rsp-0x30], rax
    mov qword ptr [rsp-0x28], 0
    mov eax, 13                             // rt_sigaction(SIGSEGV, ..., 0, 8)
    mov edi, 11
    lea rsi, [rsp-0x40]
    xor edx, edx
    mov r10d, 8
    syscall
    mov ebx, 3
again:
    mov rax, [rbx*8 + 0x1000]
    dec ebx
    jnz again
    mov eax, 60
    xor edi, edi
    syscall
handler:
    add qword ptr [rdx+0xa8], 8             // RIP in the ucontext
    ret
restorer:
    mov eax, 15                             // rt_sigreturn
    syscall
