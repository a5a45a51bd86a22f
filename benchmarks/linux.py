"""What emulation of a real program costs here, against bare Unicorn with the same kernel: busybox-static, no events.

Run with `python benchmarks/linux.py`. The peer is the same engine with the same memory and the same system-call
handlers but without what a machine adds: no counting of instructions, no turns, no dispatcher. Goals: ratio at most
1.1, and sha256sum of 10 MB within seconds. The last rows are runs with a `!syscall` counter against those without.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from unicorn import UC_HOOK_INSN
from unicorn.x86_const import UC_X86_INS_SYSCALL

from hds.session import Session
from machine.kernel import DEFAULT_BUILD, LINUX, KernelObjects, Services, Start
from machine.kernel.linux import LinuxKernel, World
from machine.loaders import elf
from machine.memory import AddressSpace, PhysicalMemory
from machine.processor import SYSCALL_HOOK, SYSCALL_LENGTH, Cpu, block_hook
from machine.schedule import Process, VirtualClock
from vm.facts.limits import DEFAULT_LIMITS
from vm.facts.registers import RIP

ROUNDS = 15  # short ones: a busy host disturbs a part of them
PROCESS_ID, THREAD_ID = 0x1000, 0x1004
NOWHERE = 0xFFFF_FFFF_FFFF_FFFF
COMMANDS: dict[str, tuple[str, ...]] = {
    "sha256sum of 1 MB": ("sha256sum", "data"),
    "gzip of 164 KB": ("gzip", "-c", "text"),
    "sort of 4,000 lines": ("sort", "text"),
    "awk, 3,000 turns": ("awk", "BEGIN { for (i = 0; i < 3000; i++) s += i * i; print s }"),
    "dd, 20,000 calls": ("dd", "if=data", "of=/dev/null", "bs=64", "count=10000"),
}
LARGE = ("sha256sum", "large")
COUNTER = "? .calls = 0;\n!syscall script { .calls = .calls + 1; }"


def here(program: Path, arguments: tuple[str, ...], folder: Path, script: str = "") -> float:
    """Processor seconds of a run as `hds run` does it."""
    guest = Session(program, arguments=arguments, world=World(folder))
    guest.execute(script)
    began = time.process_time()
    assert guest.run().exit_code == 0
    return time.process_time() - began


def bare(program: Path, arguments: tuple[str, ...], folder: Path) -> float:
    """Processor seconds of a run without the machine: Unicorn, and the kernel's handlers in its SYSCALL hook."""
    cpu = BareCpu(AddressSpace(PhysicalMemory(DEFAULT_LIMITS.max_guest_memory).guests))
    image = elf.load(program.read_bytes())
    for area in image.areas:
        cpu.memory.map(area.start, area.size, area.protection, area.name)
    for address, data in image.contents:
        cpu.memory.write(address, data)
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


class BareCpu(Cpu):
    """Unicorn with a hook of SYSCALL and no other."""

    def _install_hooks(self) -> None:
        self._engine.add_hook(UC_HOOK_INSN, SYSCALL_HOOK(self._call_kernel), UC_X86_INS_SYSCALL)

    def _call_kernel(self, _engine: int, _data: int) -> None:
        self.registers.forget()
        self.on_syscall()
        self.registers.store_in_hook(SYSCALL_LENGTH)

    def go(self, entry: int) -> None:
        """Run until `stop` is called."""
        self.registers.write(RIP, entry)
        self.registers.store()
        self._engine.start(entry, NOWHERE)

    def stop(self) -> None:
        """End the run before its next block."""
        self._engine.stop()


def fastest(run: Callable[[], float], peer: Callable[[], float], rounds: int = ROUNDS) -> tuple[float, float]:
    """The least seconds of both; they take turns, so that what else the host does meets both."""
    seconds = [(run(), peer()) for _ in range(rounds)]
    return min(here for here, _ in seconds), min(there for _, there in seconds)


def report(title: str, seconds: float, peer: float) -> None:
    """One row."""
    print(f"{title:25}{seconds:8.3f}s{peer:8.3f}s{seconds / peer:8.2f}", flush=True)


def main() -> None:
    found = shutil.which("busybox")
    if found is None:
        sys.exit("the Debian package busybox-static is not installed")
    program = Path(found)
    native = block_hook.address() is not None
    print(f"instructions are counted {'by machine code' if native else 'in Python: llvmlite is not installed'}")
    print(f"{'':25}{'here':>9}{'peer':>9}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generator = random.Random(1)
        (folder / "large").write_bytes(generator.randbytes(10 << 20))
        (folder / "data").write_bytes(generator.randbytes(1 << 20))
        (folder / "text").write_text("".join(f"{generator.getrandbits(160):040x}\n" for _ in range(4_000)))

        def compare(title: str, arguments: tuple[str, ...], rounds: int = ROUNDS) -> None:
            places = program, arguments, folder
            report(title, *fastest(partial(here, *places), partial(bare, *places), rounds))

        for title, arguments in COMMANDS.items():
            compare(title, arguments)
        compare("sha256sum of 10 MB", LARGE, rounds=7)
        for title in ("sha256sum of 1 MB", "dd, 20,000 calls"):
            alone = partial(here, program, COMMANDS[title], folder)
            report(f"{title.split()[0].strip(',')} with a counter", *fastest(partial(alone, COUNTER), alone))


if __name__ == "__main__":
    main()
