// NtDeviceIoControlFile (7) with code 12007 for two connections: to port 80 and to port 443 of 192.0.2.7.
    sub rsp, 0x50
    lea rax, [plain]
    call connect
    mov r12, rax
    lea rax, [secure]
    call connect
    mov r13, rax
    hlt
connect:
    mov qword ptr [rsp + 0x30], 0x12007     // the sixth argument
    mov qword ptr [rsp + 0x38], rax         // the seventh: the input buffer
    mov eax, 7
    syscall
    ret
plain:
    db 0,0,0,0, 0,0,0,0, 0,0,0,0, 0,0,0,0, 0,0,0,0, 0,0,0,0, 0,0, 0x00,0x50, 192,0,2,7
secure:
    db 0,0,0,0, 0,0,0,0, 0,0,0,0, 0,0,0,0, 0,0,0,0, 0,0,0,0, 0,0, 0x01,0xbb, 192,0,2,7
