// Two loops, of which the second takes longer.
    mov ecx, 100000
first:
    dec ecx
    jnz first
    mov ecx, 200000
second:
    imul rax, rcx
    dec ecx
    jnz second
