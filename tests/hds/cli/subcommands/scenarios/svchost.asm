// A process whose name begins with "svchost.": system calls 55, ee and 55.
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
