"""Pairs of conditions and code blocks, and whether the second one notices that the first one ever ran.

A case has two event commands: the victim's and, behind it, the intruder's. Both wait for the same system call, of which
one of them is enabled; what an intruder may change - the guest, globals, its own buffer - is put back behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import msgspec

from hds.fuzzing.choices import Choices
from hds.fuzzing.world import difference
from hds.report.records import CodeFault, Record
from hds.session import Session
from machine.events import Event
from machine.kernel import BareKernel
from machine.memory import PAGE, Protection
from vm import Engine
from vm.facts.limits import Limits
from vm.facts.registers import GENERAL, RFLAGS, RIP

LIMITS = Limits(max_root_instructions=30_000)
_GUEST = b"lea r12, [rsp-0x800]; mov r13, 0x400000; mov eax, 0x55; jmp call; call: syscall; nop; nop"
_TO_THE_CALL = 4  # instructions
_ROUNDS = 2
_VECTOR_WORDS = 32
_PUT_BACK = (*range(len(GENERAL)), RIP, RFLAGS)

# --- cases

# `{n}` is a number, `{d}` a distance, `{r}` an MSR, `{a}` an address of the sandbox, `{s}` a selector, `{l}` a label;
# r15 is the buffer in a code block, and GUEST_REGS in a condition.
CHANGES = (
    "push {n}", "push {n}; pop rax", "mov qword ptr [rsp-{d}], {n}", "mov byte ptr [rsp-{d}], 5",
    "call {l}; {l}: pop rax", "mov qword ptr [rsp+{d}], {n}",
    "lea rdi, [rsp-{d}]; mov ecx, 20; mov al, 77; rep stosb", "sub rsp, {d}; push {n}",
    "mov rax, {a}; mov qword ptr [rax], {n}", "mov rax, {a}; mov byte ptr [rax], 90", "mov rax, {a}; jmp rax",
    "mov rax, {a}; mov rdi, rax; mov ecx, 10; mov al, 90; rep stosb", "mov rax, {a}; lock xadd [rax], rdx",
    "lea rax, [rip]; mov byte ptr [rax], 90", "lea rax, [rip]; mov dword ptr [rax+7], 90909090; nop; nop; nop; nop",
    "mov rax, {a}; mov rsp, rax; push {n}", "mov rax, {a}; push rax; ret", "mov rax, {a}; call rax",
    "mov rax, {a}; mov rax, [rax]", "mov qword ptr [r15+{d}], {n}", "fld1", "fld1; fldpi; fldz; fld1; fldl2e",
    "fninit", "mov dword ptr [r15], 27f; fldcw [r15]", "fld1; fldz; fdivp",
    "fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1", "mov dword ptr [r15], ff80; ldmxcsr [r15]",
    "mov dword ptr [r15], 7f80; ldmxcsr [r15]", "movq xmm5, r15", "mov eax, 5; cvtsi2sd xmm4, eax; divsd xmm4, xmm7",
    "movd mm3, eax", "emms", "movq xmm12, rsp; paddq xmm12, xmm12", "mov rax, {n}; movq xmm0, rax; sqrtsd xmm0, xmm0",
    "std", "cld", "stc", "cli", "sti", "pushfq; or qword ptr [rsp], {flag}; popfq", "xor eax, eax; mov {s}, ax",
    "mov eax, {n}; mov {s}, ax", "mov ecx, {r}; mov eax, {n}; mov edx, 1; wrmsr",
    "mov ecx, {r}; mov eax, {n}; xor edx, edx; wrmsr", "mov ecx, {r}; rdmsr; xor eax, 1; wrmsr", "swapgs",
    "mov rax, cr0; xor rax, {bit}; mov cr0, rax", "mov rax, cr4; xor rax, {bit}; mov cr4, rax",
    "mov eax, {n}; mov cr3, rax", "mov eax, 5; mov cr8, rax", "mov eax, {n}; mov cr2, rax",
    "mov eax, {n}; mov dr0, rax", "mov eax, {n}; mov dr3, rax", "mov eax, {n}; mov dr6, rax",
    "mov rax, {a}; mov dr1, rax; mov eax, 0c; mov dr7, rax",
    "mov rax, {a}; mov dr0, rax; mov eax, f0003; mov dr7, rax",
    "lea rax, [rsp-8]; mov dr2, rax; mov eax, 3000030; mov dr7, rax", "lgdt [r15]", "lidt [r15]",
    "xor eax, eax; lldt ax", "lmsw ax", "clts", "invlpg [r15]", "wbinvd",
    "xor ecx, ecx; xor edx, edx; mov eax, 7; xsetbv", "fxrstor [r15]", "fxsave [r15]", "ud2", "int3", "int 80", "hlt",
    "syscall", "xor ecx, ecx; div ecx", "mov rax, [0]", "{l}: jmp {l}", "retf", "iretq", "sysretq", "in al, 60",
    "out 60, al", "vzeroupper", "mov byte ptr [r13], 90", "mov rax, [r13]", "mov [r12], rsp", "enter 200, 3; leave",
    "cpuid", "monitor", "mwait", "rsm",
)  # fmt: skip
PROBES = (
    "mov rax, [rsp-{d}]; mov [r15+40], rax", "mov rax, [rsp+{d}]; mov [r15+48], rax",
    "pushfq; pop qword ptr [r15+50]", "fxsave [r15+1c0]", "stmxcsr [r15+58]", "fnstcw [r15+5c]",
    "fld1; fldpi; fdivp; fstp qword ptr [r15+80]",
    "xor eax, eax; mov rsi, rsp; and rsi, 0ffffffffffff0000; mov ecx, 2000; {l}: add rax, [rsi]; rol rax, 1; "
    "add rsi, 8; loop {l}; mov [r15+88], rax",
    "lea rsi, [rip]; and rsi, 0fffffffffffff000; xor eax, eax; mov ecx, 200; {l}: add rax, [rsi]; rol rax, 1; "
    "add rsi, 8; loop {l}; mov [r15+90], rax",
    "mov rax, {a}; mov rax, [rax]; mov [r15+98], rax", "mov rax, {a}; jmp rax",
    "mov rax, {a}; call rax; mov [r15+98], rax", "lea rax, [rip]; mov [r15+0a0], rax", "mov [r15+0a8], rsp",
    "mov eax, ds; mov [r15+0b0], eax", "mov eax, ss; mov [r15+0b4], eax", "mov eax, es; mov [r15+0b8], eax",
    "mov eax, fs; mov [r15+0bc], eax", "mov eax, gs; mov [r15+0c0], eax", "mov eax, cs; mov [r15+0c4], eax",
    "mov ecx, {r}; rdmsr; mov [r15+0c8], eax; mov [r15+0cc], edx", "mov rax, cr0; mov [r15+0d0], rax",
    "mov rax, cr3; mov [r15+0d8], rax", "sgdt [r15+100]", "mov rax, cr4; mov [r15+0e0], rax",
    "mov rax, cr8; mov [r15+0e8], rax", "mov rax, cr2; mov [r15+0f0], rax", "sidt [r15+110]",
    "sldt eax; mov [r15+120], eax", "str eax; mov [r15+128], eax", "mov rax, dr0; mov [r15+130], rax",
    "mov rax, dr3; mov [r15+138], rax", "mov rax, dr7; mov [r15+140], rax", "mov rax, dr6; mov [r15+148], rax",
    "mov rax, gs:[188]; mov [r15+150], rax", "mov rax, fs:[0]; mov [r15+158], rax", "swapgs; mov rax, gs:[188]",
    "movq [r15+160], xmm4", "movq [r15+168], xmm5", "movq [r15+168], mm3",
    "mov eax, 7; mov [rsp-8], rax; mov rax, [rsp-8]", "cpuid; mov [r15+170], ecx",
    "mov rax, [r13]; mov [r15+178], rax", "mov rax, {a}; mov byte ptr [rax], 90",
    "lea rdi, [r15+180]; mov ecx, 4; mov eax, 5; rep stosd",
    "cvtsi2sd xmm1, rsp; sqrtsd xmm1, xmm1; movq [r15+190], xmm1",
    "mov [r15+198], rbx; mov [r15+1a0], rsi; mov [r15+1a8], r9", "clc; sbb rax, rax; lahf; mov [r15+1b0], rax",
    "xor ecx, ecx; xgetbv; mov [r15+1b8], eax",
)  # fmt: skip
NUMBERS = ("1", "5", "1234", "7fffffff", "2b", "400000")
DISTANCES = ("8", "10", "20", "40", "98", "100", "800", "0ff0", "1000", "1800", "8000", "0ff00", "0ffd0", "20000")
MSRS = (
    "0", "10", "1b", "3b", "174", "175", "176", "179", "17a", "17b", "186", "1a0", "1d9", "200", "201", "250", "268",
    "277", "2ff", "400", "401", "6e0", "0d90", "0c0000080", "0c0000081", "0c0000082", "0c0000084", "0c0000100",
    "0c0000101", "0c0000102", "0c0000103", "0c0010117", "3a", "802", "830", "4b564d00",
)  # fmt: skip
ADDRESSES = (
    "ffffb10000000010", "ffffb10000000000", "ffffb10000000020", "ffffb10000000021", "ffffb10000000040",
    "ffffb10000000050", "ffffb10000000800", "ffffb10000001000", "ffffb10000001020", "ffffb10000010000",
    "ffffb20000000000", "ffffb20000008000", "ffffb2000000ff00", "ffffb2000000ff58", "ffffb2000000ff80",
    "ffffb20000010000", "ffffb1fffffffff8", "ffffb00000000000", "ffffb00000000080", "ffffb00000001000",
    "ffffb00000002000", "ffffb00000010000", "1000000000000000", "1000000000001000", "2000000000000000",
    "3000000000000000", "400000", "0",
)  # fmt: skip
_PLACES: dict[str, tuple[str, ...]] = {
    "{n}": NUMBERS, "{d}": DISTANCES, "{r}": MSRS, "{a}": ADDRESSES, "{s}": ("ds", "es", "ss", "fs", "gs"),
    "{flag}": ("1", "100", "400", "3000", "4000", "10000", "40000", "200000"),
    "{bit}": ("1", "2", "4", "8", "20", "10000", "20000000", "80", "200", "400"),
}  # fmt: skip
_SYSTEM_CODE = (
    "0f01d0", "0f01d1", "0f22c0", "0f22e0", "0f23f8", "0f30", "0f32", "0f01f8", "8ed8", "8ee0", "0fa1", "0fa9",
    "d9e8", "dbe3", "9d", "fd", "0f06", "0f01f0", "0f0118", "0f0110", "0fae08", "0fae10", "f4", "0f0b", "c9", "cb",
    "48cf", "480f07", "0faa", "0f35", "0f34", "e8000000", "ebfe", "ff20", "ffe4", "ffe0", "5c", "f30f1efa",
    "c8000100", "f0480fb108",
)  # fmt: skip


def pair(choices: Choices) -> str:
    """A victim's command and an intruder's, one in each line."""
    victim = _event(choices, lambda: _statements(choices, (*PROBES, *PROBES, *CHANGES), 4))
    if choices.chance(30):
        return f"{victim}\n{_hexadecimal(choices)}"
    return f"{victim}\n{_event(choices, lambda: _statements(choices, (*CHANGES, *CHANGES, *PROBES), 3))}"


def _event(choices: Choices, statements: Callable[[], str]) -> str:
    if choices.chance(35):
        return f"!syscall asm condition {{ mov r15, rcx; {statements()} }} script {{ .hits = .hits + 1; }}"
    return f"!syscall buffer 3e0 asm code {{ mov r15, rcx; {statements()} }}"


def _statements(choices: Choices, pool: tuple[str, ...], most: int) -> str:
    return "; ".join(_filled(choices, choices.pick(pool), index) for index in range(choices.between(1, most)))


def _filled(choices: Choices, text: str, index: int) -> str:
    for place, values in _PLACES.items():
        while place in text:
            text = text.replace(place, choices.pick(values), 1)
    return text.replace("{l}", f"l{index}")


def _hexadecimal(choices: Choices) -> str:
    """Machine code of any kind."""
    pieces = [choices.pick(_SYSTEM_CODE) for _ in range(choices.between(1, 3))]
    for _ in range(choices.below(6)):
        pieces.insert(choices.below(len(pieces) + 1), f"{choices.below(256):02x}")
    return f"!syscall buffer 3e0 code {{ {''.join(pieces)} }}"


# --- the check


class Seen(msgspec.Struct, frozen=True):
    """Everything that a run of a victim shows."""

    faults: tuple[str, ...]
    triggers: int
    registers: tuple[int, ...]
    vectors: tuple[int, ...]
    memory: tuple[tuple[int, str], ...]
    buffer: bytes | None
    globals: bytes


class _World:
    """A session with the events of a case, at the system call."""

    def __init__(self, commands: list[str], engine: Engine) -> None:
        self._faults: list[str] = []
        self.session = Session(limits=LIMITS, kernel=BareKernel.name, engine=engine, reporter=self)
        self.session.machine.load(_GUEST, "asm", name="guest")
        self.session.execute("? .hits = 0;")  # so that there is a page of globals
        for command in commands:
            self.session.execute(command)
        self.events: list[Event] = list(self.session.machine.registry.ever_registered)
        self._enable(None)
        self.session.run(_TO_THE_CALL)
        self._cpu = self.session.machine.processes[0].cpu
        self._before = self._state()

    def report(self, record: Record, /) -> None:
        """Note why a block stopped early."""
        if isinstance(record, CodeFault):
            self._faults.append(record.text)

    def _enable(self, chosen: Event | None) -> None:
        for event in self.events:
            event.enabled = event is chosen

    def run(self, event: Event | None) -> Seen:
        """Let one event have the system call, and put everything back."""
        self._faults.clear()
        self._enable(event)
        before = 0 if event is None else event.triggers
        self.session.run(1)
        cpu, vectors = self._cpu, [0] * _VECTOR_WORDS
        cpu.read_vectors(vectors)
        buffer = next((address for address in (event.buffers if event else ()) if address), 0)
        seen = Seen(
            tuple(self._faults),
            0 if event is None else event.triggers - before,
            tuple(cpu.registers.read(number) for number in _PUT_BACK),
            tuple(vectors),
            tuple((start, sha256(data).hexdigest()) for start, data in self._state()[2]),
            self.session.machine.read_memory(buffer, PAGE) if buffer else None,
            self.session.store.memory[:PAGE],
        )
        self._put_back()
        if buffer:
            self.session.machine.write_memory(buffer, bytes(PAGE))
        return seen

    def _state(self) -> tuple[list[int], list[int], list[tuple[int, bytes]], bytes]:
        cpu, vectors = self._cpu, [0] * _VECTOR_WORDS
        cpu.read_vectors(vectors)
        memory = [
            (area.start, cpu.memory.read(area.start, area.size) or b"")
            for area in cpu.memory.areas
            if Protection.WRITE in area.protection
        ]
        registers = [cpu.registers.read(number) for number in _PUT_BACK]
        return registers, vectors, memory, self.session.store.memory[:PAGE]

    def _put_back(self) -> None:
        registers, vectors, memory, script_globals = self._before
        for number, value in zip(_PUT_BACK, registers, strict=True):
            self._cpu.registers.write(number, value)
        self._cpu.registers.store()
        self._cpu.write_vectors(vectors)
        for start, data in memory:
            if self._cpu.memory.read(start, len(data)) != data:
                self._cpu.memory.write(start, data)
        self.session.store.memory[:PAGE] = script_globals


def noticed(case: str, make: Callable[[Limits], Engine]) -> str | None:
    """What a victim shows differently because an intruder, or itself, has run before; None where it is the same."""
    victim, intruder = case.splitlines()
    alone = _World([victim], make(LIMITS))
    together = _World([victim, intruder], make(LIMITS))
    try:
        for world in (alone, together):  # as many system calls in both
            for _ in range(_ROUNDS):
                world.run(together.events[1] if world is together else None)
        expected = alone.run(alone.events[0])
        for what, world in (("behind an intruder", together), ("again", alone), ("again behind an intruder", together)):
            got = world.run(world.events[0])
            if got != expected:
                return f"{what}: {difference(expected, got, ('alone', what))}"
        return None
    finally:
        alone.session.close()
        together.session.close()
