// NtOpenFile (33) of two paths: r8 holds OBJECT_ATTRIBUTES, whose ObjectName is a UNICODE_STRING.
    lea rcx, [handle]
    mov r10, rcx
    mov edx, 0x100001
    lea r8, [one]
    lea r9, [status]
    mov eax, 0x33
    syscall
    lea r8, [two]
    mov eax, 0x33
    syscall
    jmp done
handle: dq 0
status: dq 0, 0
one:    dq 0x30, 0, name_one, 0x40, 0, 0
two:    dq 0x30, 0, name_two, 0x40, 0, 0
name_one: dq 0x140014, text_one
name_two: dq 0x140014, text_two
text_one: dw 0x5c, 0x3f, 0x3f, 0x5c, 0x43, 0x3a, 0x5c, 0x61, 0x2e, 0x62, 0
text_two: dw 0x5c, 0x3f, 0x3f, 0x5c, 0x43, 0x3a, 0x5c, 0x63, 0x2e, 0x64, 0
done:
    nop
