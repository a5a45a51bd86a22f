"""What emulation of a real program costs here: busybox-static, no events, against two peers in the same run.

Run with `python benchmarks/linux.py`. The first peer is bare Unicorn in its default mode, in which it manages memory
itself, with the same kernel stand-in: what the calls map and protect is told to Unicorn; nothing counts instructions,
takes turns or dispatches. Goals: at most 0.45 of its time for gzip, awk and sort, 0.7 for sha256sum. The second is
qemu-x86_64 (the Debian package qemu-user), which translates for whole programs: at most 4 x its time for sort and
4.5 x for sha256sum, less the start of each. The last rows are runs with a `!syscall` counter against those without.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rows import Row, keep, note
from unicorn import UC_HOOK_INSN
from unicorn.x86_const import UC_X86_INS_SYSCALL

from hds.session import Session
from machine.kernel import DEFAULT_BUILD, LINUX, KernelObjects, Services, Start
from machine.kernel.linux import LinuxKernel, World
from machine.loaders import elf
from machine.memory import PAGE, AddressSpace, Area, PhysicalMemory
from machine.processor import (
    INITIAL_STATE,
    SYSCALL_HOOK,
    SYSCALL_LENGTH,
    Cpu,
    Engine,
    RegisterFile,
    block_hook,
    msr,
    new_engine,
    window_of,
)  # fmt: skip
from machine.processor.descriptors import KERNEL_LEVEL
from machine.schedule import Process, VirtualClock
from vm.facts.limits import Limits
from vm.facts.paging import OPEN, PAGE_BITS, PRESENT
from vm.facts.registers import RIP

ROUNDS = 4  # a busy host disturbs a part of them
LONG_ROUNDS = 3
PROCESS_ID, THREAD_ID = 0x1000, 0x1004
NOWHERE = 0xFFFF_FFFF_FFFF_FFFF
BARE_MEMORY = 1 << 36  # bytes: the peer takes all memory in rows and gives none back; what it does not touch is free
LIMITS = Limits(max_instructions=1 << 50)
COMMANDS: dict[str, tuple[str, ...]] = {
    "gzip of 1 MB": ("gzip", "-c", "text"),
    "awk, 60,000 turns": ("awk", "BEGIN { for (i = 0; i < 60000; i++) s += i * i; print s }"),
    "sort of 25,000 lines": ("sort", "text"),
    "sha256sum of 4 MB": ("sha256sum", "data"),
    "md5sum of 4 MB": ("md5sum", "data"),
    "dd, 20,000 calls": ("dd", "if=data", "of=/dev/null", "bs=64", "count=10000"),
}
LONG_COMMANDS: dict[str, tuple[str, ...]] = {
    "sort of 200,000 lines": ("sort", "long"),
    "sha256sum of 100 MB": ("sha256sum", "large"),
}
START = ("true",)
COUNTER = "? .calls = 0;\n!syscall script { .calls = .calls + 1; }"


def here(program: Path, folder: Path, arguments: tuple[str, ...], script: str = "") -> float:
    """Processor seconds of a run as `hds run` does it."""
    guest = Session(program, arguments=arguments, world=World(folder), limits=LIMITS)
    guest.execute(script)
    began = time.process_time()
    assert guest.run().exit_code == 0
    return time.process_time() - began


def bare(program: Path, folder: Path, arguments: tuple[str, ...]) -> float:
    """Processor seconds of a run without the machine: Unicorn, and the kernel's handlers in its SYSCALL hook."""
    memory = MirroredSpace()
    cpu = BareCpu(memory)
    image = elf.load(program.read_bytes())
    for area in image.areas:
        memory.map(area)
    for address, data in image.contents:
        memory.write(address, data)
    objects = KernelObjects(PhysicalMemory(1 << 28).guests, DEFAULT_BUILD, 1).add_process(
        PROCESS_ID, THREAD_ID, program.name, LINUX.name_bytes
    )
    process = Process(PROCESS_ID, program.name, cpu, image, NOWHERE, objects)
    process.begin(THREAD_ID, objects.first)
    clock = VirtualClock(lambda: 0)
    kernel = LinuxKernel(Services(lambda *written: None, clock, DEFAULT_BUILD.number, world=World(folder)))
    kernel.new_process(process, Start(image, (program.name, *arguments), ()))
    cpu.on_syscall = lambda: kernel.system_call(process.thread)
    began = time.process_time()
    cpu.go(image.entry)
    seconds = time.process_time() - began
    assert process.exit_code == 0
    return seconds


def user_mode_qemu(program: Path, folder: Path, arguments: tuple[str, ...]) -> float:
    """Processor seconds of a process of qemu-x86_64."""
    began = _children()
    subprocess.run(["qemu-x86_64", program, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return _children() - began


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class MirroredSpace(AddressSpace):
    """An address space whose memory lies in rows, so that Unicorn's own memory map can follow it."""

    def __init__(self) -> None:
        super().__init__(PhysicalMemory(BARE_MEMORY).guests)
        self.engine: Engine | None = None

    def map(self, area: Area) -> None:
        """Give all pages memory, and Unicorn the row."""
        assert self.engine is not None
        super().map(area)
        row = self.source.take_row(area.size // PAGE)
        for page, frame in zip(range(area.start >> PAGE_BITS, area.end >> PAGE_BITS), row, strict=True):
            leaf = self.table.leaf(page)
            leaf[page % len(leaf)] = frame << PAGE_BITS | PRESENT | OPEN
        place = self.physical.host_address + row.start * PAGE
        self.engine.map_pointer(area.start, area.size, int(area.protection), place)

    def unmap(self, start: int, end: int) -> None:
        """Unmap what is mapped, here and there."""
        assert self.engine is not None
        for area in self.areas_within(start, end):
            piece = area.cut(start, end)
            self.engine.unmap(piece.start, piece.size)
        super().unmap(start, end)

    def change(self, start: int, end: int, to: Callable[[Area], Area]) -> None:
        """Tell Unicorn the rights."""
        assert self.engine is not None
        super().change(start, end, to)
        for area in self.areas_within(start, end):
            piece = area.cut(start, end)
            self.engine.uc.mem_protect(piece.start, piece.size, int(piece.protection))

    def move(self, start: int, size: int, target: int) -> None:
        """Unicorn cannot move: the bytes go."""
        area, data = self.area_at(start), self.read(start, size)
        assert area is not None
        assert data is not None
        self.unmap(start, start + size)
        self.map(Area(target, target + size, area.protection, area.name))
        self.write(target, data)

    def discard(self, start: int, end: int) -> None:
        """The memory stays in its row."""
        for area in self.areas_within(start, end):
            piece = area.cut(start, end)
            self.write(piece.start, bytes(piece.size))


class BareCpu(Cpu):
    """Unicorn with a hook of SYSCALL and no other, in its default mode."""

    def __init__(self, memory: MirroredSpace) -> None:
        self.memory, self.is_closed, self.home_level = memory, False, KERNEL_LEVEL
        self.on_syscall = lambda: None
        self._engine = memory.engine = new_engine()
        self.window = window_of(self._engine)
        self.registers = RegisterFile(self._engine, self.window)
        for register, value in INITIAL_STATE:
            self._engine.set_register(register, value)
        self._engine.write_msr(msr.EFER, msr.EFER_LME | msr.EFER_LMA | msr.EFER_SCE)
        self._engine.add_hook(UC_HOOK_INSN, SYSCALL_HOOK(self._call_kernel), UC_X86_INS_SYSCALL)

    def _call_kernel(self, _engine: int, _data: int) -> None:
        self.registers.forget()
        self.on_syscall()
        self.registers.store_in_hook(SYSCALL_LENGTH)

    @property
    def executed(self) -> int:
        """Nothing counts."""
        return 0

    def go(self, entry: int) -> None:
        """Run until `stop` is called."""
        self.registers.write(RIP, entry)
        self.registers.store()
        self._engine.start(entry, NOWHERE)

    def stop(self) -> None:
        """End the run before its next block."""
        self._engine.stop()


def fastest(*runs: Callable[[], float], rounds: int = ROUNDS) -> tuple[float, ...]:
    """The least seconds of each; they take turns, so that what else the host does meets all."""
    seconds = [[run() for run in runs] for _ in range(rounds)]
    return tuple(min(column) for column in zip(*seconds, strict=True))


ROWS: list[Row] = []


def report(title: str, against: str, seconds: float, peer: float) -> None:
    """One row."""
    ROWS.append(Row(f"busybox {title}, against {against}", seconds, peer, "s"))
    keep("linux", ROWS)
    print(f"{title:25}{seconds:8.3f}s{peer:8.3f}s{seconds / peer:8.2f}", flush=True)


def compare_with_qemu(program: Path, folder: Path) -> None:
    """The rows against qemu-x86_64."""
    if shutil.which("qemu-x86_64") is None:
        note("linux", "rows against qemu-x86_64 are skipped, the Debian package qemu-user is not installed")
        return
    print(f"{'less the start':25}{'here':>9}{'qemu':>9}{'ratio':>8}")
    start = fastest(partial(here, program, folder, START), partial(user_mode_qemu, program, folder, START))
    for title, arguments in LONG_COMMANDS.items():
        places = program, folder, arguments
        seconds = fastest(partial(here, *places), partial(user_mode_qemu, *places), rounds=LONG_ROUNDS)
        report(title, "qemu-x86_64, less the start", seconds[0] - start[0], seconds[1] - start[1])


def main() -> None:
    found = shutil.which("busybox")
    if found is None:
        note("linux", "skipped, the Debian package busybox-static is not installed")
        return
    program = Path(found)
    native = block_hook.address() is not None
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    print(f"blocks and pages are looked up {'by machine code' if native else 'in Python: llvmlite is not installed'}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generator = random.Random(1)
        lines = [f"{generator.getrandbits(160):040x}\n" for _ in range(200_000)]
        (folder / "large").write_bytes(generator.randbytes(100 << 20))
        (folder / "data").write_bytes(generator.randbytes(4 << 20))
        (folder / "text").write_text("".join(lines[:25_000]))
        (folder / "long").write_text("".join(lines))
        print(f"{'':25}{'here':>9}{'Unicorn':>9}{'ratio':>8}")
        for title, arguments in COMMANDS.items():
            places = program, folder, arguments
            report(title, "bare Unicorn", *fastest(partial(here, *places), partial(bare, *places)))
        compare_with_qemu(program, folder)
        print(f"{'with a counter':25}{'here':>9}{'without':>9}{'ratio':>8}")
        for title in ("sha256sum of 4 MB", "dd, 20,000 calls"):
            alone = partial(here, program, folder, COMMANDS[title])
            report(f"{title} with a counter", "none", *fastest(partial(alone, COUNTER), alone))


if __name__ == "__main__":
    main()
