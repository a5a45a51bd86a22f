    mov edx, 0x3f8              // a byte to the first serial port, and one from it
    mov eax, 0x1141
    out dx, al
    inc rbx
    in al, dx
    inc rbx
    in al, 0x60
