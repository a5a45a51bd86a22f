// A guest of level 0 that sets a hardware breakpoint on a variable of its own: four bytes, writes.
    mov qword ptr [rsp-64], 5
    lea rax, [rsp-64]
    mov dr0, rax
    mov eax, 0xd0001
    mov dr7, rax
    mov ecx, 3
next:
    add dword ptr [rsp-64], ecx
    mov eax, [rsp-64]           // reads do not hit it
    mov byte ptr [rsp-60], cl   // nor do writes beside it
    dec ecx
    jnz next
    mov byte ptr [rsp-61], 1    // one of its bytes
    nop
