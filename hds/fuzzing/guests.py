"""Generator of guests: listings in assembler text that make system calls in a loop of a few rounds.

Most end by themselves; some fault, some have a handler at LSTAR, change their code or execute SYSRET.
"""

from __future__ import annotations

import msgspec

from hds.fuzzing.choices import Choices

NUMBERS = (0x55, 0x66, 0x1F0, 39, 12, 102, 24, 0x1000, 0)  # of system calls; few of them mean something to Linux
SCRATCH = ("r8", "r9", "r10", "r12", "r13", "r14", "r15", "rdx", "rsi", "rbp")

# `{a}`, `{b}`: scratch registers; `{n}`: a number; `{l}`: a new label.
COMPUTING = (
    "add {a}, {b}", "sub {a}, {n}", "xor {a}, rax", "add {a}, rcx", "add {a}, r11", "imul {a}, {b}",
    "lea {a}, [{b}+{n}]", "rol {a}, 7", "mov {a}, {n}", "mov {a}, rsp", "setc {a}b", "sbb {a}, {a}", "adc {a}, {b}",
    "pushfq; pop {a}", "push {a}; pop {b}", "mov [rsp-16], {a}", "add qword ptr [rsp-24], {a}", "mov {a}, [rsp-16]",
    "xadd [rsp-24], {a}", "stc", "clc", "cmc", "cmp {a}, {b}; jb {l}; inc {a}; {l}:",
    "test {a}, {n}; jne {l}; dec {b}; {l}:", "inc {a}; jp {l}; inc {a}; {l}:", "jc {l}; inc {a}; {l}:",
    "je {l}; add {a}, 3; {l}:", "js {l}; add {a}, 5; {l}:", "lea rdi, [rsp-64]; mov ecx, 5; mov rax, {a}; rep stosb",
    "call {l}; {l}: pop {a}", "movq xmm1, {a}; paddq xmm0, xmm1", "movq {a}, xmm0",
)  # fmt: skip
SPECIAL = (
    # SYSRET of the user's own
    "lea rcx, [rip+{l}]; mov r11d, 0x202; sysretq; {l}: nop",
    # RDMSR of EFER, of LSTAR
    "mov ecx, 0xc0000080; rdmsr; mov {a}, rax", "mov ecx, 0xc0000082; rdmsr; mov {a}, rax",
    "mov ecx, 0xc0000080; rdmsr; wrmsr",
    # the base of FS
    "mov ecx, 0xc0000100; lea rax, [rsp-256]; mov rdx, rax; shr rdx, 32; wrmsr",
    # code that changes itself
    "mov byte ptr [rip+{l}+2], {n}; {l}: mov eax, 0x55; syscall",
    "cpuid", "rdtsc; mov {a}, rax", "swapgs; swapgs", "mov {a}, cs", "mov {a}, ss", "std; cld",
)  # fmt: skip
# Instructions that are events; some are undefined without one.
EXITING = (
    "mov eax, {n}; cpuid", "rdtsc", "rdtscp; mov {a}, rcx", "mov ecx, 0; rdpmc", "vmcall", "xor ecx, ecx; xsetbv",
    "mov edx, 0x3f8; in al, dx", "in eax, 0x60; mov {a}, rax", "in ax, 0x61", "out 0x60, al",
    "mov edx, {n}; out dx, eax",
    "lea rdi, [rsp-64]; mov edx, 0x3f8; mov ecx, {n}; and ecx, 3; rep insb", "lea rsi, [rsp-64]; mov edx, {n}; outsd",
    "xor edi, edi; insb", "mov ecx, 0xe7; rdmsr", "mov ecx, 0xc0000084; mov eax, 0x700; xor edx, edx; wrmsr",
    "mov {a}, cr4; xor {a}, 0x100; mov cr4, {a}", "mov {a}, cr0; xor {a}, 0x20; mov cr0, {a}", "mov dr0, {a}",
    "mov {a}, dr0; mov {b}, dr7", "mov {a}, cr3; mov cr3, {a}", "mov {a}, cr8",
)  # fmt: skip
# Linux maps, unmaps and protects memory.
MAPPING = (
    "mov eax, 9; xor edi, edi; mov esi, 0x1000; mov edx, 3; mov r10d, 0x22; mov r8, -1; xor r9d, r9d; "
    "syscall; mov r12, rax; mov [rsp-32], rax",
    "mov rdi, [rsp-32]; mov esi, 0x1000; mov eax, 11; syscall",
    "mov rdi, [rsp-32]; mov esi, 0x1000; mov edx, 1; mov eax, 10; syscall",
    "mov rdi, [rsp-32]; mov esi, 0x1000; mov edx, 3; mov eax, 10; syscall",
    "mov rsi, rsp; mov dword ptr [rsi], 0x0a646c6f; mov eax, 1; mov edi, 1; mov edx, 4; syscall",
)  # fmt: skip
# Linux makes processes and threads; each goes on with what follows.
MAKING = (
    "mov eax, 57; syscall; mov r13, rax", "mov eax, 58; syscall",
    "mov eax, 56; mov edi, 0x10f00; lea rsi, [rsp-0x800]; xor edx, edx; syscall",
    "mov eax, 61; mov rdi, -1; lea rsi, [rsp-48]; mov edx, {n}; and edx, 1; xor r10d, r10d; syscall",
    "mov eax, 24; syscall",
)  # fmt: skip
ENDINGS = (
    "nop",
    "mov eax, 60; mov edi, 3; syscall",
    "ud2",
    "hlt",
    "int3",
    "mov rax, [0]",
    "jmp r15",
    "ud2; nop",
    "mov eax, 231; syscall",
)
OWN_KERNEL = (
    "mov ecx, 0xc0000082; lea rax, [rip+handler]; mov rdx, rax; shr rdx, 32; wrmsr",
    "handler: inc r15; {item}; sysretq",
)


class Guest(msgspec.Struct):
    """A listing that is being written."""

    choices: Choices
    labels: int = 0

    def filled(self, template: str) -> str:
        """The template with registers and numbers; its label is a new one."""
        pick = self.choices.pick
        self.labels += 1
        text = template
        for name, value in (
            ("{a}b", pick(("r8b", "r9b", "dl", "bpl"))), ("{a}", pick(SCRATCH)), ("{b}", pick(SCRATCH)),
            ("{n}", str(pick((1, 2, 0x55, 0x66, 0x7F)))), ("{l}", f"l{self.labels}"),
        ):  # fmt: skip
            text = text.replace(name, value)
        return text

    def item(self, linux: bool) -> str:
        """One statement or a few."""
        way = self.choices.below(20)
        if way < 7:
            return f"mov eax, {self.choices.pick(NUMBERS)}; syscall"
        if way == 19:
            return self.filled(self.choices.pick(SPECIAL))
        if way in (16, 17):
            return self.filled(self.choices.pick(EXITING))
        if way == 18:
            return self.filled(self.choices.pick(self.choices.pick((MAPPING, MAKING)) if linux else SPECIAL))
        return self.filled(self.choices.pick(COMPUTING))

    def listing(self, linux: bool) -> str:
        """A loop of a few rounds; one item a line."""
        lines = [f"mov ebx, {self.choices.between(1, 6)}"]
        own = self.choices.chance(12)
        if own:
            lines.append(OWN_KERNEL[0])
        items = [self.item(linux) for _ in range(self.choices.between(1, 9))]
        lines += ["next: nop", *items, "dec ebx", "jnz next"]
        ending = self.choices.pick(ENDINGS)
        if own:
            lines += [ending, "hlt", OWN_KERNEL[1].format(item=self.filled(self.choices.pick(COMPUTING)))]
        elif self.choices.chance(50):
            lines.append(ending)
        return ";\n".join(lines)
