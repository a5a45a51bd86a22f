    mov ecx, 0xc0000082         // LSTAR
    rdmsr
    mov r8, rax
    mov r9, rdx
    mov ecx, 0xc0000084         // FMASK
    mov eax, 0x4500
    xor edx, edx
    wrmsr
    rdmsr
