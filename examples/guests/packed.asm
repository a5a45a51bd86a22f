// A guest that unpacks code: it decodes eight bytes to 400800, and runs them there.
start:
    mov rbx, 0x400800
    mov rax, 0xc5c5c5c5965c51d8
    mov edx, 8
next:
    mov [rbx], al
    xor byte ptr [rbx], 0x55
    shr rax, 8
    inc rbx
    dec edx
    jnz next
    mov ecx, 7
    mov rbx, 0x400800
    call rbx
    mov [rsp-64], rax
    nop
