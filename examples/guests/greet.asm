// A Linux guest: writes three greetings, asks for its process id, and exits with code 7.
start:
    mov rbx, 3
again:
    mov eax, 1                  // write(1, text, 6)
    mov edi, 1
    lea rsi, [rip + text]
    mov edx, 6
    syscall
    dec rbx
    jnz again
    mov eax, 39                 // getpid()
    syscall
    mov eax, 60                 // exit(7)
    mov edi, 7
    syscall
text: db "hello", 10
