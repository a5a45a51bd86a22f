// Counts in the dword at rsp-40 (hex): three times by one, makes system call 55, and twice by sixteen.
    mov ecx, 3
again:
    inc dword ptr [rsp - 64]
    dec ecx
    jnz again
    mov eax, 0x55
    syscall
    mov ecx, 2
more:
    add dword ptr [rsp - 64], 16
    dec ecx
    jnz more
    hlt
