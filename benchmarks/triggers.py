"""What a scripted trigger costs, against the same hook hand-written for Unicorn, all measured in one run.

Usage: python benchmarks/triggers.py. Every subject runs the same guest, a loop around one SYSCALL. The native peers are
LLVM functions registered with Unicorn: one does what the script does and leaves the guest alone; the other also does to
the guest what the SYSCALL of a kernel stand-in does, and counts instructions, as hds does.
"""

from __future__ import annotations

import ctypes
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, BinaryIO

from llvmlite import binding
from rows import Row, keep, table
from unicorn import (
    UC_ARCH_X86,
    UC_HOOK_BLOCK,
    UC_HOOK_CODE,
    UC_HOOK_INSN,
    UC_HOOK_MEM_WRITE,
    UC_HOOK_TLB_FILL,
    UC_MODE_64,
    UC_PROT_ALL,
    UC_TLB_VIRTUAL,
    x86_const as x86,
)
from unicorn.unicorn_py3.unicorn import Uc, uclib

from hds.report.records import Record
from hds.session import Session
from machine import Kept, Message, Silent
from machine.memory import PAGE, AddressSpace, Area, PhysicalMemory, Protection
from machine.processor import BlockCounter, block_hook, translation
from machine.root import assemble
from vm.facts.limits import Limits
from vm.facts.paging import EXECUTE, WRITE
from vm.native import NativeEngine

START = 0x40_0000
# mov ecx, 20h; next: mov eax, 55h; syscall; dec rbx; jnz next
GUEST = bytes.fromhex("b920000000 b855000000 0f05 48ffcb 75f4")
FILTER = "!syscall script { if (@rax == 0x55 && @rcx > 10) { .n = .n + 1; } }"
REFUSING = "!syscall script { if (@rax == 0x56 && @rcx > 10) { .n = .n + 1; } }"
AT_ONCE = '!syscall script { printf("%llx %llx\\n", @rax, @rcx); }'
MESSAGE = '!syscall imm no script { printf("%llx %llx\\n", @rax, @rcx); }'
# Six instructions, which see the registers in memory at rcx.
BLOCK = "mov rax, [rcx]; mov rdx, [rcx+8]; cmp rax, 55; sete al; movzx eax, al; test eax, eax"
BLOCK_CODE = bytes.fromhex("488b01 488b5108 4883f855 0f94c0 0fb6c0 85c0")
CONDITION = f"!syscall asm condition {{ {BLOCK} }} script {{ .n = .n + 1; }}"
# next: inc rax; inc rcx; dec rbx; jnz next
HOT = bytes.fromhex("48ffc0 48ffc1 48ffcb 75f5")
HOT_AT = 3
EXECUTION = f"!epthook {START + 10 + HOT_AT:x} script {{ .n = .n + 1; }}"  # behind the 10 bytes that set rbx
# Instructions: each guest begins with rbx, the count of its rounds.
CPUID_GUEST = bytes.fromhex("4989d8 31c0 0fa2 49ffc8 75f7")  # mov r8, rbx; next: xor eax, eax; cpuid; dec r8; jnz next
TIME_GUEST = bytes.fromhex("0f31 48ffcb 75f9")  # next: rdtsc; dec rbx; jnz next
PORT_GUEST = bytes.fromhex("e680 48ffcb 75f9")  # next: out 80h, al; dec rbx; jnz next
# next: mov [rsp-100h], rbx; dec rbx; jnz next
STORES = bytes.fromhex("48899c2400ffffff 48ffcb 75f3")
STORED = "@rsp-100 l 8"
# Undefined instructions, behind each of which a handler of SIGILL has the program go on (Linux).
HANDLED = """
    lea rax, [rip + handler]; mov [rsp-0x40], rax; mov qword ptr [rsp-0x38], 0x4000004
    lea rax, [rip + restorer]; mov [rsp-0x30], rax; mov qword ptr [rsp-0x28], 0
    mov eax, 13; mov edi, 4; lea rsi, [rsp-0x40]; xor edx, edx; mov r10d, 8; syscall
next: ud2; dec rbx; jnz next; jmp end
handler: add qword ptr [rdx+0xa8], 2; ret
restorer: mov eax, 15; syscall
end: nop
"""
STACK = 0x60_0000  # of the bare emulator
# next: mov rax, [rsp-100h]; mov [rsp-80h], rax; push rax; pop rax; dec rbx; jnz next
BUSY = bytes.fromhex("488b842400ffffff 4889842480ffffff 50 58 48ffcb 75e9")
ROUNDS = 6
PAIRS = 7

# --- hand-written peers

_FILTER_TEXT = """
  %same = icmp eq i64 %rax, 85
  %above = icmp ugt i64 %rcx, 16
  %both = and i1 %same, %above
  %one = zext i1 %both to i64
  %old = load i64, ptr %state
  %new = add i64 %old, %one
  store i64 %new, ptr %state
"""


class Calls:
    """LLVM text that calls Unicorn; the cells of registers follow the counter in `cells`."""

    def __init__(self) -> None:
        self.cells = (ctypes.c_uint64 * 32)()
        self._kept: list[Any] = []

    def keep(self, item: object) -> None:
        """What the text has the address of must live as long as it."""
        self._kept.append(item)

    def transfer(self, function: str, rows: dict[int, int]) -> str:
        """Read or write registers: a cell for each id; what is below 0 stands for an MSR."""
        ids = (ctypes.c_int * len(rows))(*(x86.UC_X86_REG_MSR if row < 0 else row for row in rows))
        base = ctypes.addressof(self.cells)
        places = (ctypes.c_void_p * len(rows))(*(base + 8 * cell for cell in rows.values()))
        self._kept += [ids, places]
        target = ctypes.cast(getattr(uclib, function), ctypes.c_void_p).value
        pointers = ", ".join(f"ptr inttoptr (i64 {ctypes.addressof(array)} to ptr)" for array in (ids, places))
        return f"  call i32 inttoptr (i64 {target} to ptr)(ptr %engine, {pointers}, i32 {len(rows)})\n"

    def load(self, name: str, cell: int) -> str:
        """A cell as a value."""
        return f"  %{name}.at = getelementptr i64, ptr %state, i64 {cell}\n  %{name} = load i64, ptr %{name}.at\n"

    def store(self, value: str, cell: int) -> str:
        """Set a cell."""
        at = f"%at{cell}"
        return f"  {at} = getelementptr i64, ptr %state, i64 {cell}\n  store i64 {value}, ptr {at}\n"


def filter_only(calls: Calls) -> str:
    """Two register reads and the filter."""
    reads = calls.transfer("uc_reg_read_batch", {x86.UC_X86_REG_RAX: 1, x86.UC_X86_REG_RCX: 2})
    return reads + calls.load("rax", 1) + calls.load("rcx", 2) + _FILTER_TEXT


def filter_and_system_call(calls: Calls) -> str:
    """The filter, and what SYSCALL, the answer of a kernel and SYSRET read and write."""
    calls.cells[8], calls.cells[10] = 0xC000_0081, 0xC000_0082
    reads = {x86.UC_X86_REG_RAX: 1, x86.UC_X86_REG_RCX: 2, x86.UC_X86_REG_RIP: 3, x86.UC_X86_REG_EFLAGS: 4}
    reads |= {x86.UC_X86_REG_CS: 5, x86.UC_X86_REG_SS: 6, -1: 8, -2: 10}
    text = calls.transfer("uc_reg_read_batch", reads) + calls.load("rax", 1) + calls.load("rcx", 2) + _FILTER_TEXT
    text += calls.load("rip", 3) + "  %next = add i64 %rip, 2\n" + calls.store("%next", 12)
    text += calls.load("flags", 4) + calls.store("%flags", 13) + calls.store("0", 14)
    writes = {x86.UC_X86_REG_RCX: 12, x86.UC_X86_REG_R11: 13, x86.UC_X86_REG_RAX: 14}
    return text + calls.transfer("uc_reg_write_batch", writes)


def count(calls: Calls) -> str:
    """A counter."""
    return "  %old = load i64, ptr %state\n  %new = add i64 %old, 1\n  store i64 %new, ptr %state\n"


def count_and_tell_time(calls: Calls) -> str:
    """The counter is a clock, too, which RDTSC reads."""
    text = count(calls) + "  %low = and i64 %new, 4294967295\n  %high = lshr i64 %new, 32\n"
    text += calls.store("%low", 1) + calls.store("%high", 2)
    return text + calls.transfer("uc_reg_write_batch", {x86.UC_X86_REG_RAX: 1, x86.UC_X86_REG_RDX: 2})


def bare_start(calls: Calls) -> str:
    """Run BLOCK_CODE in another emulator until it returns; its stack pointer is set anew each time."""
    uc = Uc(UC_ARCH_X86, UC_MODE_64)
    uc.mem_map(START, 0x2000)
    begin, end, stack = START + 0x10, START, START + 0x1800
    uc.mem_write(begin, BLOCK_CODE + b"\xc3")
    uc.mem_write(stack, end.to_bytes(8, "little"))
    uc.reg_write(x86.UC_X86_REG_RCX, START + 0x1000)
    calls.keep(uc)
    calls.cells[1] = stack
    engine = f"ptr inttoptr (i64 {uc._uch.value} to ptr)"
    text = calls.transfer("uc_reg_write_batch", {x86.UC_X86_REG_RSP: 1}).replace("ptr %engine", engine)
    target = ctypes.cast(uclib.uc_emu_start, ctypes.c_void_p).value
    return text + f"  call i32 inttoptr (i64 {target} to ptr)({engine}, i64 {begin}, i64 {end}, i64 0, i64 0)\n"


@dataclass(frozen=True)
class Instruction:
    """An instruction that Unicorn names: how its hook is called, and what it returns."""

    guest: bytes
    number: int
    parameters: str = "ptr %engine, ptr %state"
    result: str = "i32 0"  # the processor executes it


_OUT = "ptr %engine, i32 %port, i32 %size, i32 %value, ptr %state"
ON_CPUID = Instruction(CPUID_GUEST, x86.UC_X86_INS_CPUID)
ON_RDTSC = Instruction(TIME_GUEST, x86.UC_X86_INS_RDTSC, result="i32 1")
ON_OUT = Instruction(PORT_GUEST, x86.UC_X86_INS_OUT, _OUT)


@dataclass
class Native:
    """A hook in LLVM: of SYSCALL, of another instruction, or of the execution of HOT_AT in the guest HOT."""

    body: Callable[[Calls], str] = lambda calls: ""
    counts_blocks: bool = False
    execution: bool = False
    instruction: Instruction | None = None

    def __post_init__(self) -> None:
        self._calls = Calls()
        parameters = "ptr %engine, i64 %address, i32 %size, ptr %state" if self.execution else "ptr %engine, ptr %state"
        result = "i32 0"
        if self.instruction is not None:
            parameters, result = self.instruction.parameters, self.instruction.result
        text = f"define i32 @hook({parameters}) nounwind {{\n{self.body(self._calls)}  ret {result}\n}}\n"
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        machine = binding.Target.from_default_triple().create_target_machine(opt=2, jit=True)
        self._code = binding.create_mcjit_compiler(binding.parse_assembly(text), machine)
        self._code.finalize_object()
        self._guest = HOT if self.execution else GUEST
        number = _SYSCALL
        if self.instruction is not None:
            self._guest, number = self.instruction.guest, self.instruction.number
        self._emulator = Emulator(self._guest)
        self._uc = self._emulator.uc
        if self.counts_blocks:
            self._count_blocks()
        kind, place = (UC_HOOK_CODE, START + HOT_AT) if self.execution else (UC_HOOK_INSN, None)
        code, data = self._code.get_function_address("hook"), ctypes.addressof(self._calls.cells)
        _hook(self._uc, kind, code, data, place, number)

    def _count_blocks(self) -> None:
        self._blocks = BlockCounter(self._emulator.memory)
        for address, size in ((START, 12), (START + 5, 7), (START + 12, 5)):
            self._blocks.enter(address, size)
        self._blocks.allow(1 << 60)
        slow = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p)
        self._slow = slow(lambda engine, address, size, state: None)
        self._blocks.call(self._slow)
        _hook(self._uc, UC_HOOK_BLOCK, block_hook.address() or 0, self._blocks.state)

    def run(self, triggers: int) -> float:
        """Processor seconds of so many triggers."""
        return _timed(self._uc, triggers, self._guest)


class InPython:
    """The hook as one writes it with the binding."""

    def __init__(self, target: BinaryIO | None = None) -> None:
        self._emulator = Emulator()
        self._uc = self._emulator.uc
        self._count = 0
        self._target = target
        self._uc.hook_add(UC_HOOK_INSN, self._filter if target is None else self._print, None, 1, 0, _SYSCALL)

    def _filter(self, uc: Any, _data: object) -> None:
        if uc.reg_read(x86.UC_X86_REG_RAX) == 0x55 and uc.reg_read(x86.UC_X86_REG_RCX) > 0x10:
            self._count += 1

    def _print(self, uc: Any, _data: object) -> None:
        assert self._target is not None
        rax, rcx = uc.reg_read(x86.UC_X86_REG_RAX), uc.reg_read(x86.UC_X86_REG_RCX)
        self._target.write(b"%x %x\n" % (rax, rcx))

    def run(self, triggers: int) -> float:
        """Processor seconds of so many triggers."""
        return _timed(self._uc, triggers)


class StoresInPython:
    """A hook in Python of the stores to a range, which reads three registers."""

    def __init__(self) -> None:
        self._emulator = Emulator(STORES)
        uc, memory = self._emulator.uc, self._emulator.memory
        memory.map(Area(STACK - PAGE, STACK, Protection.READ | Protection.WRITE, "stack"))
        memory.fault_in(STACK - PAGE, WRITE)
        uc.reg_write(x86.UC_X86_REG_RSP, STACK)
        place = (memory.frame_at(STACK - PAGE) or 0) * PAGE + PAGE - 0x100  # Unicorn compares what the TLB answers
        self._count = 0
        uc.hook_add(UC_HOOK_MEM_WRITE, self._look, begin=place, end=place + 7)

    def _look(self, uc: Any, *_others: object) -> None:
        for register in (x86.UC_X86_REG_RIP, x86.UC_X86_REG_RBX, x86.UC_X86_REG_RCX):
            uc.reg_read(register)
        self._count += 1

    def run(self, triggers: int) -> float:
        """Processor seconds of so many triggers."""
        before = self._count
        seconds = _timed(self._emulator.uc, triggers, STORES)
        assert self._count - before == triggers
        return seconds


_SYSCALL = x86.UC_X86_INS_SYSCALL


class Emulator:
    """A bare Unicorn with a guest in it, whose TLB machine code answers as it does in hds: the guest is as fast."""

    def __init__(self, guest: bytes = GUEST) -> None:
        self.uc: Any = Uc(UC_ARCH_X86, UC_MODE_64)
        self.uc.ctl_set_tlb_mode(UC_TLB_VIRTUAL)
        self.memory = AddressSpace(PhysicalMemory(1 << 20).guests)
        self.memory.map(Area(START, START + PAGE, Protection.ALL, "code"))
        self.memory.write(START, guest)
        self.memory.fault_in(START, EXECUTE)  # the one page that the hook is asked for
        table = self.memory.table
        self._control = (ctypes.c_uint64 * 5)(1 << 31, 0, 0, table.root_place, 1 << 5)  # CR0 with PG to CR4 with PAE
        self._state = translation.new_state(table.root, table.root_place, 0, ctypes.addressof(self._control) + 16)
        physical = self.memory.physical
        self.uc.mem_map_ptr(0, len(physical.buffer), UC_PROT_ALL, physical.host_address)
        _hook(self.uc, UC_HOOK_TLB_FILL, translation.address() or 0, ctypes.addressof(self._state))


def _hook(uc: Any, kind: int, code: int, data: int, place: int | None = None, instruction: int = _SYSCALL) -> None:
    number, word = ctypes.c_size_t(), ctypes.c_uint64
    span = (word(1), word(0)) if place is None else (word(place), word(place))
    pointers = (ctypes.c_void_p(code), ctypes.c_void_p(data))
    uclib.uc_hook_add(uc._uch, ctypes.byref(number), kind, *pointers, *span, ctypes.c_int(instruction))


def _timed(uc: Any, triggers: int, guest: bytes = GUEST) -> float:
    uc.reg_write(x86.UC_X86_REG_RBX, triggers)
    start = time.process_time()
    uc.emu_start(START, START + len(guest))
    return time.process_time() - start


# --- hds


class Scripted:
    """A machine with an event. Each run is a fresh process in it, as rbx counts down to the end of the program."""

    def __init__(
        self,
        command: str,
        target: BinaryIO | None = None,
        guest: bytes = GUEST,
        *,
        is_idle: bool = False,
        kernel: str = "bare",
    ) -> None:
        self._command, self._is_idle, self._kernel = command, is_idle, kernel
        self._guest = guest
        self._reporter = _ToFile(target) if target is not None else Silent()

    def run(self, triggers: int) -> float:
        """Processor seconds of so many triggers."""
        guest = b"\x48\xbb" + triggers.to_bytes(8, "little") + self._guest
        limits = Limits(max_instructions=1 << 50, max_kept_messages=0)
        session = Session(
            guest, kind="raw", kernel=self._kernel, limits=limits, engine=NativeEngine(limits), reporter=self._reporter,
            prompt_messages=False,
        )  # fmt: skip
        session.execute(self._command)
        start = time.process_time()
        session.run()
        seconds = time.process_time() - start
        assert session.triggers == (0 if self._is_idle else triggers)
        return seconds


@dataclass
class OnTwoCores:
    """A machine with two processes, each with its own core, and an event on both."""

    command: str
    parallel: bool

    def run(self, triggers: int) -> float:
        """Seconds, as the clock has them, of so many triggers in each process."""
        guest = b"\x48\xbb" + triggers.to_bytes(8, "little") + GUEST
        limits = Limits(max_instructions=1 << 50)
        session = Session(kernel="bare", cores=2, limits=limits, engine=NativeEngine(limits), parallel=self.parallel)
        for _ in range(2):
            session.load(guest, "raw")
        session.execute(self.command)
        start = time.perf_counter()
        session.run()
        seconds = time.perf_counter() - start
        assert session.triggers == 2 * triggers
        return seconds


class _ToFile:
    def __init__(self, target: BinaryIO) -> None:
        self._target = target

    def report(self, record: Record, /) -> None:
        if isinstance(record, Message):
            self._target.write(record.text)

    def report_messages(self, messages: Kept, /) -> None:
        self._target.write(b"".join(messages.texts()))


# --- the table


def best(subjects: dict[Any, tuple[Any, int]], rounds: int = ROUNDS) -> dict[Any, float]:
    """ns per trigger of each: the best time of three times the triggers less that of once, so without fixed costs.

    The rounds of all take turns, so that a busy machine disturbs all alike.
    """
    once: dict[Any, float] = dict.fromkeys(subjects, 1e9)
    thrice = dict(once)
    for _ in range(rounds):
        for name, (subject, triggers) in subjects.items():
            once[name] = min(once[name], subject.run(triggers))
            thrice[name] = min(thrice[name], subject.run(3 * triggers))
    return {name: (thrice[name] - once[name]) / (2 * subjects[name][1]) * 1e9 for name in subjects}


def faults(command: str, *, is_idle: bool) -> Scripted:
    """A guest that handles its own exceptions."""
    return Scripted(command, guest=assemble(HANDLED, address=START + 10).code, is_idle=is_idle, kernel="linux")


def untouched() -> float:
    """What a watched page costs a guest that does not touch it: the median of alternating pairs."""
    alone = Scripted("print 1", guest=BUSY, is_idle=True)
    watched = Scripted("!monitor rwx @rsp-3000 l 1000 script { .n = .n + 1; }", guest=BUSY, is_idle=True)
    rounds = 5_000_000
    return median(watched.run(rounds) / alone.run(rounds) for _ in range(PAIRS))


def resident() -> float:
    """The largest resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


Subjects = dict[str, tuple[Any, int]]
ROWS: list[Row] = []


def report(found: dict[str, float], *rows: Row) -> None:
    """Print rows, and what each of their subjects takes."""
    ROWS.extend(rows)
    keep("triggers", ROWS)
    print("\n".join(table(rows)[1:]))
    if found:
        print("  ns per trigger: " + ", ".join(f"{name} {value:.0f}" for name, value in found.items()), flush=True)


def compare(
    what: str, subjects: Subjects, at_most: float | None = None, at_least: float | None = None, *, faster: bool = False
) -> None:
    """One row, of the first subject against the second."""
    found = best(subjects)
    ours, peer = found.values()
    report(found, Row(what, ours, peer, "ns", at_most, at_least, faster or at_least is not None))


def print_system_calls() -> None:
    """The filter of a `!syscall` against its peers."""
    found = best(
        {
            "script": (Scripted(FILTER), 1_000_000),
            "empty": (Native(), 1_000_000),
            "native": (Native(filter_only), 1_000_000),
            "same effects": (Native(filter_and_system_call, counts_blocks=True), 1_000_000),
            "python": (InPython(), 20_000),
        }
    )
    script, python = found["script"], found["python"]
    report(
        found,
        Row("`!syscall` filter with a counter, against a native hook with two register reads", script, found["native"],
            "ns", 1.5),
        Row("the same, against a native hook with the same effects on the guest", script, found["same effects"], "ns"),
        Row("the same, against a native hook that does nothing", script, found["empty"], "ns"),
        Row("the same, against a hook in Python", script, python, "ns", at_least=40, faster=True),
    )  # fmt: skip


def print_messages(file: BinaryIO) -> None:
    """`printf` against a hook in Python that writes."""
    found = best(
        {
            "imm no": (Scripted(MESSAGE, file), 60_000),
            "imm yes": (Scripted(AT_ONCE, file), 60_000),
            "python": (InPython(file), 20_000),
        }
    )
    python = found["python"]
    report(
        found,
        Row("`printf` to a file, `imm no`, against a hook in Python that writes the same", found["imm no"], python,
            "ns", at_least=15, faster=True),
        Row("`printf` to a file, `imm yes`, the same", found["imm yes"], python, "ns", at_least=8, faster=True),
    )  # fmt: skip


def print_other_events() -> None:
    """Other kinds of events, each against what it is compared with."""
    counted = "script { .n = .n + 1; }"
    compare(
        "a condition of six instructions, against a bare `uc_emu_start` of them",
        {"condition": (Scripted(CONDITION), 600_000), "block": (Native(bare_start), 600_000)}, 1.3,
    )  # fmt: skip
    compare(
        "`!epthook` with a counter, against a native hook of nothing",
        {"execution": (Scripted(EXECUTION, guest=HOT), 3_000_000), "hot": (Native(execution=True), 3_000_000)}, 1.5,
    )  # fmt: skip
    compare(
        "`!cpuid` with a counter, against a native hook with a counter",
        {"cpuid": (Scripted(f"!cpuid {counted}", guest=CPUID_GUEST), 600_000),
         "native": (Native(count, instruction=ON_CPUID), 600_000)}, 1.5,
    )  # fmt: skip
    compare(
        "`!tsc` with a counter, against a native hook with a counter and a clock",
        {"rdtsc": (Scripted(f"!tsc {counted}", guest=TIME_GUEST), 600_000),
         "native": (Native(count_and_tell_time, instruction=ON_RDTSC), 600_000)}, 1.5,
    )  # fmt: skip
    compare(
        "`!ioout` with a counter, against a native hook with a counter",
        {"out": (Scripted(f"!ioout {counted}", guest=PORT_GUEST), 1_000_000),
         "native": (Native(count, instruction=ON_OUT), 1_000_000)}, 1.5,
    )  # fmt: skip
    compare(
        "`!monitor w` with a counter, against a hook of stores in Python",
        {"monitor": (Scripted(f"!monitor w {STORED} script {{ .n = .n + @rbx; }}", guest=STORES), 60_000),
         "python": (StoresInPython(), 20_000)}, 1,
    )  # fmt: skip
    compare(
        "`!exception` with a counter, against the fault alone",
        {"exception": (faults(f"!exception {counted}", is_idle=False), 1_500),
         "fault": (faults("print 1", is_idle=True), 1_500)}, 2,
    )  # fmt: skip
    watched = untouched()
    report({}, Row("a guest that does not touch the watched page, against none", watched, 1, "x", 1.1))


def print_cores() -> None:
    """Two processes on two cores, by the clock."""
    for what, command in (
        ("a filter that refuses, on two cores with `--parallel`, against turns", REFUSING),
        ("a filter that counts in one global, the same", FILTER),
    ):
        subjects = {
            "in parallel": (OnTwoCores(command, parallel=True), 500_000),
            "in turns": (OnTwoCores(command, parallel=False), 500_000),
        }
        compare(what, subjects, faster=True)


def print_growth() -> None:
    """A trigger among many against one among a tenth, and the memory that a run of many takes beyond one of few."""
    for what, subject, triggers in (
        ("`!syscall`", Scripted(FILTER), 1_000_000),
        ("`!exception`", faults("!exception script { .n = .n + 1; }", is_idle=False), 1_500),
    ):
        subjects = {"many": (subject, triggers), "few": (subject, triggers // 10)}
        compare(f"a trigger of {what} among {3 * triggers:,}, against one among a tenth of them", subjects, 1.25)
    subject = Scripted(FILTER)
    subject.run(10_000)
    before = resident()
    subject.run(10_000_000)
    what = "memory behind 10,000,000 triggers of `!syscall`, against that behind 10,000"
    report({}, Row(what, resident(), before, "MB", 1.1))


def main() -> None:
    """Print the table."""
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    print_system_calls()
    with tempfile.TemporaryFile() as file:
        print_messages(file)
    print_other_events()
    print_cores()
    print_growth()


if __name__ == "__main__":
    main()
