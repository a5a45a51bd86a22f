// NtAllocateVirtualMemory (18) of 3000 bytes: rdx points to the base, r9 to the size.
    mov r10, -1
    lea rdx, [base]
    xor r8d, r8d
    lea r9, [size]
    mov qword ptr [rsp + 0x28], 0x3000
    mov qword ptr [rsp + 0x30], 4
    mov eax, 0x18
    syscall
    jmp done
base: dq 0
size: dq 0x3000
done:
    nop
