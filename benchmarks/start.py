"""What a start costs: whole processes against the import of the libraries that they need.

Run with `python benchmarks/start.py`. Processor time (user and system, the least of N runs) and the largest resident
size, in turns with the peers. The goals: `hds run` of a small guest with a `!syscall` script takes at most 1.5 x the
time of `import lark, unicorn, capstone, llvmlite.binding` and 1.3 x its memory, `hds eval` and `hds check` take at most
1.5 x the time of `import lark`. Linux only.
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from rows import Row, keep

START = "from hds.cli.start import entry; entry()"
NOTHING = "pass"
LARK = "import lark"
LIBRARIES = "import lark, unicorn, capstone, llvmlite.binding"
SCRIPT = '!syscall script { printf("%llx\\n", @rax); }\ng\n'
COUNTS = "!syscall 27 script { .n = .n + 1; }\n"
LISTING = "mov eax, 39\nsyscall\nxor edi, edi\nmov eax, 60\nsyscall\n"


BASE = 0x40_0000
CODE = bytes.fromhex("b827000000 0f05 31ff b83c000000 0f05")  # of the listing


class Cost(NamedTuple):
    """Of one process."""

    seconds: float  # of the processor
    megabytes: float  # resident at most


class Case(NamedTuple):
    """A command, its peer, and how many times the peer's time and memory it may take (0: no goal)."""

    what: str
    arguments: tuple[str, ...]
    peer: str
    time_goal: float = 0
    memory_goal: float = 0
    is_first: bool = False  # with no machine code kept


def guest() -> bytes:
    """A static ELF64 executable. Nothing of hds makes it: the size of a child begins with that of its parent."""
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, BASE + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = 120 + len(CODE)
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000) + CODE


def cost(arguments: tuple[str, ...], cache: Path) -> Cost:
    """Of this interpreter with these arguments."""
    null = os.open(os.devnull, os.O_RDWR)
    streams = [(os.POSIX_SPAWN_DUP2, null, number) for number in range(3)]
    environment = {**os.environ, "HDS_CACHE": str(cache)}
    child = os.posix_spawn(sys.executable, [sys.executable, *arguments], environment, file_actions=streams)
    _, status, used = os.wait4(child, 0)
    os.close(null)
    if status:
        sys.exit(f"{arguments} ended with status {status}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="of each")
    runs: int = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "s.hds").write_text(SCRIPT)
        (folder / "counts.hds").write_text(COUNTS)
        (folder / "s.ds").write_text('x = 1; printf("%d\\n", x + 2);\n')
        (folder / "guest.asm").write_text(LISTING)
        (folder / "guest").write_bytes(guest())
        script, program, listing = str(folder / "s.hds"), str(folder / "guest"), str(folder / "guest.asm")
        rows = (
            Case("hds --version", ("--version",), LARK),
            Case("hds eval", ("eval", "-e", "print(1 + 2);"), LARK, 1.5),
            Case("hds check", ("check", str(folder / "s.ds")), LARK, 1.5),
            Case("hds check, a command file", ("check", str(folder / "counts.hds")), LARK, 1.5),
            Case("hds run, an ELF guest", ("run", script, program), LIBRARIES, 1.5, 1.3),
            Case("hds run, a listing", ("run", "--kernel", "linux", script, listing), LIBRARIES),
            Case("hds run, the first time", ("run", script, program), LIBRARIES, is_first=True),
        )
        best: dict[str, list[Cost]] = {}
        for number in range(-1, runs):  # the first round is for caches
            for name in (NOTHING, LARK, LIBRARIES):
                best.setdefault(name, []).append(cost(("-c", name), folder / "kept"))
            for row in rows:
                cache = folder / (f"kept{number}" if row.is_first else "kept")
                best.setdefault(row.what, []).append(cost(("-c", START, *row.arguments), cache))
        least = {name: Cost(*map(min, zip(*found[1:], strict=True))) for name, found in best.items()}
        for name in (NOTHING, LARK, LIBRARIES):
            print(f"python -c '{name}': {least[name].seconds:.3f} s, {least[name].megabytes:.0f} MB")
        found = []
        for row in rows:
            ours, peer = least[row.what], least[row.peer]
            time, memory = ours.seconds / peer.seconds, ours.megabytes / peer.megabytes
            goals = [f"{goal:.1f}" for goal in (row.time_goal, row.memory_goal) if goal]
            against = f"against python -c '{row.peer}'"
            found += [
                Row(f"{row.what}, {against}", ours.seconds, peer.seconds, "s", row.time_goal or None),
                Row(f"{row.what}: memory, {against}", ours.megabytes, peer.megabytes, "MB", row.memory_goal or None),
            ]
            print(
                f"{row.what:<26} {ours.seconds:.3f} s {time:5.2f} x   {ours.megabytes:4.0f} MB {memory:5.2f} x"
                + (f"   goal {' and '.join(goals)}" if goals else "")
            )
    keep("start", found)


if __name__ == "__main__":
    main()
