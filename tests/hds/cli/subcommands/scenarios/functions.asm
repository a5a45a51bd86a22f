// Calls allocate(rcx, rdx, r8) at 400002 with three sizes and tags; it answers with the sum of size and tag.
    jmp start
allocate:
    lea rax, [rdx + r8]
    ret
start:
    mov ecx, 1
    mov edx, 0x1000
    mov r8d, 0x47424448         // "HDBG"
    call allocate
first:
    mov rbx, rax
    mov edx, 0x20
    call allocate
second:
    add rbx, rax
    mov edx, 0x1000
    mov r8d, 0x31424448         // "HDB1"
    call allocate
third:
    add rbx, rax
    hlt
