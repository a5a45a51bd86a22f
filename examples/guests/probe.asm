// A Linux guest that looks around as malware does: is there a hypervisor, do instructions take too long, and who answers
// at VMware's port. It prints "real" or "fake" for each of the three, and exits with 0.
start:
    mov eax, 1                  // CPUID 1: ecx bit 31 says that there is a hypervisor
    cpuid
    bt ecx, 31
    call verdict
    rdtsc                       // how long does CPUID take?
    mov r12d, eax
    xor eax, eax
    cpuid
    mov r13d, 200
wait:
    dec r13d
    jnz wait
    rdtsc
    sub eax, r12d
    cmp eax, 200
    cmc                         // carry: 200 ticks or more
    call verdict
    mov al, 7
    out 0x80, al                // a sign for a card that shows how far a machine has come
    mov eax, 0x564d5868         // VMware's magic number, and its command 10: version
    mov ebx, 0
    mov ecx, 10
    mov edx, 0x5658
    in eax, dx
    sub ebx, 0x564d5868
    cmp ebx, 1                  // carry: VMware's number is in ebx
    call verdict
    mov eax, 231                // exit_group(0)
    xor edi, edi
    syscall
verdict:                        // carry: "fake"
    lea rsi, [rip + real]
    lea rcx, [rip + fake]
    cmovc rsi, rcx
    mov eax, 1                  // write(1, rsi, 5)
    mov edi, 1
    mov edx, 5
    syscall
    ret
real: db "real", 10
fake: db "fake", 10
