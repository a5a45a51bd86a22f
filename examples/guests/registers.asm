// A guest with model-specific registers: it reads LSTAR, and sets and reads FMASK.
start:
    mov ecx, 0xc0000082
    rdmsr
    mov ecx, 0xc0000084
    mov eax, 0x4500
    xor edx, edx
    wrmsr
    rdmsr
