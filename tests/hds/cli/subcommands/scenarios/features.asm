    mov eax, 1
    xor ecx, ecx
    cpuid
    mov r8d, ecx
    mov eax, 7
    xor ecx, ecx
    cpuid
