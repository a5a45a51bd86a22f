// Compares two equal numbers: the jump at 400005 is taken only if somebody clears ZF. rbx: 1 not taken, 2 taken.
    xor eax, eax
    cmp eax, 0
    jne taken
    mov ebx, 1
    hlt
taken:
    mov ebx, 2
    hlt
