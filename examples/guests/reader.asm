// A Linux guest: says who it is, then copies /etc/passwd to standard output, or exits with 1 if it cannot be opened.
start:
    mov eax, 107                // geteuid()
    syscall
    lea rsi, [rip + user]
    lea rcx, [rip + root]
    test eax, eax
    cmovz rsi, rcx
    mov edx, 5
    call write
    mov eax, 257                // openat(AT_FDCWD, path, O_RDONLY)
    mov rdi, -100
    lea rsi, [rip + path]
    xor edx, edx
    syscall
    mov edi, 1
    test eax, eax
    js finish
    mov ebx, eax
more:
    xor eax, eax                // read(fd, rsp - 256, 128)
    mov edi, ebx
    lea rsi, [rsp - 256]
    mov edx, 128
    syscall
    mov edx, eax
    xor edi, edi
    test eax, eax
    jle finish
    call write
    jmp more
finish:
    mov eax, 231                // exit_group(edi)
    syscall
write:                          // write(1, rsi, edx)
    mov eax, 1
    mov edi, 1
    syscall
    ret
path: db "/etc/passwd", 0
user: db "user", 10
root: db "root", 10
