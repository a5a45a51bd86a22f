// System calls 55, ee and 55, with 11 as the first argument of each and 21, 22, 23 as the second.
    mov r10, 0x11
    mov edx, 0x21
    mov eax, 0x55
    syscall
    mov edx, 0x22
    mov eax, 0xee
    syscall
    mov edx, 0x23
    mov eax, 0x55
    syscall
