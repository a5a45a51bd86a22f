// A Linux guest: opens three files by path, one of them twice, and exits.
start:
    lea rsi, [rip + passwd]
    call open
    lea rsi, [rip + notes]
    call open
    lea rsi, [rip + passwd]
    call open
    lea rsi, [rip + log]
    call open
    mov eax, 60                 // exit(0)
    xor edi, edi
    syscall
open:                           // openat(AT_FDCWD, rsi, O_RDONLY)
    mov eax, 257
    mov rdi, -100
    xor edx, edx
    syscall
    ret
passwd: db "/etc/passwd", 0
notes:  db "/home/user/notes.txt", 0
log:    db "/var/log/syslog", 0
