"""How long checking takes: for scripts of 1,000 to 16,000 lines, and for sources of many shapes, each in one line.

Run with `python benchmarks/compile.py`. The goals: 1,000 lines in under 0.5 s, and the same speed for 16,000; for every
shape at most twice the time a byte for 16 times the source, and less memory than `MEMORY_PER_BYTE`. With `--full` the
shapes have the size that `max_source_bytes` allows (half an hour), and the whole process stays below 1 GiB. Linux only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rows import Row, keep

from lang import MEMORY_PER_BYTE, Compiler, SourceFile
from vm.facts.limits import DEFAULT_LIMITS

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "lang"))
from source_shapes import SHAPE, SHAPES  # the shapes that the tests have

SMALL, LARGE = 8_000, 128_000  # bytes of source

BLOCK = """
int step_{n}(int n, long m) {{
    long total = 0;
    for (i = 0; i < n; i++) {{
        total += i * m + {n};
        if (total > 0x1000 && m != 3) {{
            total = total >> 1;
        }} elsif (total == 0n{n}) {{
            break;
        }}
    }}
    return total;
}}
struct Item_{n} {{ int key; long value; char name[8]; }};
struct Item_{n} item_{n};
item_{n}.key = step_{n}(0n10, 7);
item_{n}.value = item_{n}.key * 3 + poi(@rsp + 8);
.count = .count + item_{n}.value;
printf("%d %llx %s\\n", item_{n}.key, item_{n}.value, $pname);
// a comment behind the block
"""


def script(lines: int) -> str:
    """A script of about that many lines, with functions, structs, loops and calls."""
    size = BLOCK.count("\n")
    return ".count = 0;\n" + "".join(BLOCK.format(n=n) for n in range(lines // size))


def seconds(lines: int) -> float:
    """The best of three compilations."""
    text = script(lines)
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        result = Compiler().compile(SourceFile("benchmark.hds", text))
        best = min(best, time.process_time() - start)
        assert result.ok, result.diagnostics[:3]
    return best


def show_lines() -> Row:
    """Scripts as people write them."""
    seconds(100)  # loads the tables
    base = seconds(1000)
    print(f"{'lines':>7} {'seconds':>9} {'lines/s':>9} {'time per line against 1,000 lines':>36}")
    for lines in (1000, 4000, 16_000):
        taken = base if lines == 1000 else seconds(lines)
        print(f"{lines:>7} {taken:>9.3f} {lines / taken:>9.0f} {taken / lines / (base / 1000):>36.2f}")
    what = "checking a line among 16,000, against one among 1,000"
    return Row(what, taken / lines * 1e6, base / 1000 * 1e6, "us", 1.25)


def measure(name: str, size: int) -> tuple[float, int, int]:
    """Seconds, memory in bytes besides the process and with it, for a shape: to be called in a process alone."""
    text = SHAPE[name].text(size)
    Compiler().compile(SourceFile("warm.hds", "print(1);"))
    before = peak()
    start = time.process_time()
    Compiler().compile(SourceFile("shape.hds", text))
    return time.process_time() - start, peak() - before, peak()


def peak() -> int:
    """The most memory that this process had, in bytes (getrusage would count what its parent had)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def measured(name: str, size: int) -> tuple[float, int, int]:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, "--one", name, "--size", str(size)]
    words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(words[0]), int(words[1]), int(words[2])


def show_shapes(full: bool) -> Iterator[Row]:
    """Time a byte against a sixteenth of the source, and memory a byte; rows of the worst shapes."""
    slowest, largest = (0.0, 0.0, 1.0), 0.0
    large = DEFAULT_LIMITS.max_source_bytes - 100 if full else LARGE
    print(f"\n{'shape':<32} {'seconds':>8} {'us/byte':>8} {'against ' + str(SMALL):>14} {'bytes/byte':>11}")
    for shape in SHAPES:
        base = measured(shape.name, SMALL)[0] / SMALL
        taken, memory, process = measured(shape.name, large)
        ratio = taken / large / max(base, 1e-7)
        row = f"{shape.name:<32} {taken:>8.2f} {taken / large * 1e6:>8.2f} {ratio:>14.2f} {memory / large:>11.0f}"
        fits = memory < MEMORY_PER_BYTE * large and process < 1 << 30
        print(row + ("" if fits else "  too much memory"), flush=True)
        slowest = max(slowest, (ratio, taken / large * 1e6, max(base, 1e-7) * 1e6))
        largest = max(largest, memory / large)
    what = f"checking a byte among {large:,}, against one among {SMALL:,}: the worst of {len(SHAPES)} shapes of source"
    yield Row(what, slowest[1], slowest[2], "us", 2)
    what = "memory of checking a byte in the worst shape, against what is allowed for it"
    yield Row(what, largest, MEMORY_PER_BYTE, "bytes", 1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true", help="shapes of the size that max_source_bytes allows")
    parser.add_argument("--one", choices=sorted(SHAPE), help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=LARGE, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(*measure(arguments.one, arguments.size))
        return
    rows = [show_lines()]
    keep("compile", rows)
    for row in show_shapes(arguments.full):
        rows.append(row)
        keep("compile", rows)


if __name__ == "__main__":
    main()
