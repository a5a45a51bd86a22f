"""What the calls on memory cost a Linux guest, by the size and the number of its mappings; and a store against a load.

Usage: python benchmarks/mappings.py. Each row is a loop of a guest, with the kernel's answers, against the same loop in
an address space that is easy: less bytes, fewer mappings, loads. Processor time, the least of several rounds that take
turns. A ratio that grows with the address space means that something walks all of it.
"""

from __future__ import annotations

import os
import time

from rows import Row, keep

from machine.kernel import DEFAULT_BUILD, Services, Start
from machine.kernel.linux import LinuxKernel
from machine.loaders.image import Image
from machine.memory import AddressSpace, Area, PhysicalMemory, Protection
from machine.processor import Cpu, StopKind
from machine.root.assembler import assemble
from machine.schedule import Process, VirtualClock
from vm.facts.limits import DEFAULT_LIMITS

ROUNDS = 7
CALLS, ACCESSES = 2_000, 200_000
CODE, DATA, SIZE = 0x10_0000, 0x20_0000, 0x1_0000
LARGE, SMALL = 896 << 20, 64 << 10
MANY, FEW = 60_000, 1_000

# ebx has the count of turns, r12 the address of a mapping; mmap(0, rsi, rdx, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0).
MMAP = "mov eax, 9; xor edi, edi; mov r10d, 0x22; mov r8, -1; xor r9d, r9d; syscall"
ONE_MAPPING = f"mov esi, {{size}}; mov edx, 3; {MMAP}; mov r12, rax"
# Neighbours differ in their rights, so that they stay mappings of their own.
MAPPINGS = (
    f"mov ebx, {{count}}; xor r13d, r13d; "
    f"again: xor r13d, 2; mov esi, 0x1000; lea edx, [r13+1]; {MMAP}; dec ebx; jnz again"
)
PROTECT = "mov eax, 10; lea rdi, [r12+0x8000]; mov esi, 0x1000; mov edx, {rights}; syscall"
PROTECTING = "; ".join((PROTECT.format(rights=1), PROTECT.format(rights=3), "mov [r12+0x8000], rbx"))
MAPPING = f"mov esi, 0x1000; mov edx, 3; {MMAP}; mov [rax], rbx; mov rdi, rax; mov eax, 11; syscall"


class Guest:
    """A Linux process that executes what it is given; `setup` first, with `turns` of a `loop` behind it each time."""

    def __init__(self, setup: str, loop: str, turns: int) -> None:
        self._cpu = Cpu(AddressSpace(PhysicalMemory(DEFAULT_LIMITS.max_guest_memory).guests))
        code = Area(CODE, CODE + SIZE, Protection.READ | Protection.EXECUTE, "code")
        data = Area(DATA, DATA + SIZE, Protection.READ | Protection.WRITE, "data")
        for area in (code, data):
            self._cpu.memory.map(area)
        image = Image("linux", CODE, None, (code, data), ())
        process = Process(0x1000, "guest", self._cpu, image, 0, objects=None)  # type: ignore[arg-type]
        process.begin(0x1004, objects=None)  # type: ignore[arg-type]
        kernel = LinuxKernel(Services(lambda *written: None, VirtualClock(lambda: 0), DEFAULT_BUILD.number))
        kernel.new_process(process, Start(image, ("guest",), ()))
        self._cpu.on_syscall = lambda: kernel.system_call(process.thread)
        self._start = self._put(CODE, setup)
        self._end = self._put(self._start, f"mov ebx, {turns}; again: {loop}; dec ebx; jnz again")
        self._execute(CODE, self._start)

    def _put(self, address: int, text: str) -> int:
        """The address behind the code."""
        code = assemble(text, address=address).code
        assert self._cpu.memory.write(address, code)
        return address + len(code)

    def _execute(self, start: int, end: int) -> None:
        assert self._cpu.run(start, end, 1 << 40).kind is StopKind.REACHED

    def seconds(self) -> float:
        """Processor time of all turns."""
        began = time.process_time()
        self._execute(self._start, self._end)
        return time.process_time() - began


def with_mapping(size: int) -> Guest:
    """A guest with one more mapping, in which it protects a page, lifts that and stores there, by turns."""
    return Guest(ONE_MAPPING.format(size=size), PROTECTING, CALLS)


def with_mappings(count: int) -> Guest:
    """A guest with so many more mappings, which maps one, stores there and unmaps it, by turns."""
    return Guest(MAPPINGS.format(count=count), MAPPING, CALLS)


def with_accesses(instruction: str) -> Guest:
    """A guest that accesses a page of data sixteen times a turn."""
    return Guest(f"mov r12d, {DATA}", "; ".join([instruction] * 16), ACCESSES)


ROWS: list[Row] = []


def report(title: str, subject: Guest, peer: Guest, goal: float, per_turn: int) -> None:
    """One row."""
    pairs = [(subject.seconds(), peer.seconds()) for _ in range(ROUNDS)]
    here, there = (min(seconds) for seconds in zip(*pairs, strict=True))
    costs = "".join(f"{seconds / per_turn * 1e9:9.1f} ns" for seconds in (here, there))
    ROWS.append(Row(title, here / per_turn * 1e9, there / per_turn * 1e9, "ns", goal))
    keep("mappings", ROWS)
    print(f"{title:56}{costs}{here / there:7.2f} x  <= {goal} x", flush=True)


def main() -> None:
    """Print the table."""
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    pages, mappings = (with_mapping(LARGE), with_mapping(SMALL)), (with_mappings(MANY), with_mappings(FEW))
    stores = with_accesses("mov [r12], rax"), with_accesses("mov rax, [r12]")
    report("mprotect of a page, in 896 MiB against 64 KiB", *pages, 1.5, 2 * CALLS)
    report("mmap, store and munmap, 60,000 mappings against 1,000", *mappings, 2, CALLS)
    report("a store, against a load", *stores, 3, 16 * ACCESSES)


if __name__ == "__main__":
    main()
