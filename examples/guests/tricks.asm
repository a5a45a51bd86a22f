// What programs do to find a debugger: each trick raises an exception, of which a debugger might take possession. The
// program counts the signals that it gets; it has seen no debugger when there were six.
    mov ebx, 4
    call handle             // SIGILL
    mov ebx, 5
    call handle             // SIGTRAP
    mov ebx, 8
    call handle             // SIGFPE
    mov ebx, 11
    call handle             // SIGSEGV
    xor r12d, r12d
    int3
    int1                    // ICEBP
    pushfq
    or dword ptr [rsp], 0x100
    popfq                   // single-step
    nop
    ud2
    xor ecx, ecx
    div ecx
    mov eax, [rbx+0x1000]
    cmp r12d, 6
    setne dil
    movzx edi, dil
    mov eax, 60
    syscall
handle:                     // rt_sigaction(ebx, handler)
    lea rax, [rip + handler]
    mov [rsp-0x40], rax
    mov qword ptr [rsp-0x38], 0x4000004     // SA_SIGINFO | SA_RESTORER
    lea rax, [rip + restorer]
    mov [rsp-0x30], rax
    mov qword ptr [rsp-0x28], 0
    mov eax, 13
    mov edi, ebx
    lea rsi, [rsp-0x40]
    xor edx, edx
    mov r10d, 8
    syscall
    ret
handler:                    // (edi: signal, rsi: siginfo, rdx: ucontext)
    inc dword ptr [rdx+0x48]                // r12
    and dword ptr [rdx+0xb0], 0xfffffeff    // no trap flag
    cmp edi, 5
    je back                 // a trap: RIP is behind the instruction
    add qword ptr [rdx+0xa8], 2
    cmp edi, 11
    jne back
    add qword ptr [rdx+0xa8], 4
back:
    ret
restorer:
    mov eax, 15             // rt_sigreturn
    syscall
