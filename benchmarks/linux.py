"""What emulation of a real program costs here, against bare Unicorn with the same kernel: busybox-static, no events.

Run with `python benchmarks/linux.py`. The peer is the same engine with the same memory and the same system-call
handlers but without what a machine adds: no counting of instructions, no turns, no dispatcher. Goals: ratio at most
1.1, and sha256sum of 10 MB within seconds. The last row is the run with a `!syscall` counter against the one without.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hds.session import Session
from machine.kernel.linux import World
from machine.native import block_hook
from machine.process import Process
from vm.registers import RIP

ROUNDS = 5
NOWHERE = 0xFFFF_FFFF_FFFF_FFFF
COMMANDS: dict[str, tuple[str, ...]] = {
    "sha256sum of 10 MB": ("sha256sum", "large"),
    "gzip of 1 MB": ("gzip", "-c", "text"),
    "sort of 20,000 lines": ("sort", "text"),
    "awk, 20,000 turns": ("awk", "BEGIN { for (i = 0; i < 20000; i++) s += i * i; print s }"),
    "dd, 4,000 calls": ("dd", "if=large", "of=/dev/null", "bs=512", "count=2000"),
}
COUNTER = "? .calls = 0;\n!syscall script { .calls = .calls + 1; }"


def session(program: Path, arguments: tuple[str, ...], folder: Path) -> Session:
    """A session with a program that is about to start."""
    return Session(program, arguments=arguments, world=World(folder))


def here(guest: Session) -> float:
    """Seconds of a run as `hds run` does it."""
    began = time.perf_counter()
    assert guest.run().exit_code == 0
    return time.perf_counter() - began


def bare(guest: Session) -> float:
    """Seconds of a run without the machine: Unicorn, and the kernel's handlers in its SYSCALL hook."""
    (process,) = guest.machine.processes
    kernel = guest.machine._kernels["linux"]
    cpu = process.cpu
    cpu.on_syscall = _plain_call(kernel.system_call, process)
    cpu._engine.remove_hook(cpu._block_hook)
    cpu._engine.forget_all_code()
    cpu.registers.store()
    began = time.perf_counter()
    cpu._engine.start(cpu.registers.read(RIP), NOWHERE)
    assert process.exit_code == 0
    return time.perf_counter() - began


def _plain_call(answer: Callable[[Process], None], process: Process) -> Callable[[], None]:
    return lambda: answer(process)


def main() -> None:
    found = shutil.which("busybox")
    if found is None:
        sys.exit("the Debian package busybox-static is not installed")
    program = Path(found)
    native = block_hook.address() is not None
    print(f"instructions are counted {'by machine code' if native else 'in Python: llvmlite is not installed'}")
    print(f"{'':24}{'here':>9}{'bare':>9}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generator = random.Random(1)
        (folder / "large").write_bytes(generator.randbytes(10 << 20))
        (folder / "text").write_text("".join(f"{generator.getrandbits(160):040x}\n" for _ in range(20_000)))
        for title, arguments in COMMANDS.items():
            pairs = [
                (here(session(program, arguments, folder)), bare(unhooked(program, arguments, folder)))
                for _ in range(ROUNDS)
            ]
            report(title, min(pair[0] for pair in pairs), min(pair[1] for pair in pairs))
        times = []
        for _ in range(ROUNDS):
            guest = session(program, COMMANDS["sha256sum of 10 MB"], folder)
            plain = here(guest)
            counted = session(program, COMMANDS["sha256sum of 10 MB"], folder)
            counted.execute(COUNTER)
            times.append((here(counted), plain))
        report("... with a counter", min(pair[0] for pair in times), min(pair[1] for pair in times))


def unhooked(program: Path, arguments: tuple[str, ...], folder: Path) -> Session:
    """A session whose CPU counts in Python still, so that its only block hook can be taken away."""
    compiled, block_hook._compiled[:] = block_hook._compiled[:], []
    try:
        return session(program, arguments, folder)
    finally:
        block_hook._compiled[:] = compiled


def report(title: str, seconds: float, peer: float) -> None:
    """One row."""
    print(f"{title:24}{seconds:8.3f}s{peer:8.3f}s{seconds / peer:8.2f}")


if __name__ == "__main__":
    main()
