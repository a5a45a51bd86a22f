"""How long checking takes, for scripts of 1,000, 4,000 and 16,000 lines: seconds, lines a second, and linearity.

Run with `python benchmarks/compile.py`. The goal: 1,000 lines in under 0.5 s, and the same speed for 16,000.
"""

from __future__ import annotations

import time

from lang.compiler import Compiler
from lang.source import SourceFile
from machine.root.assembler import assemble

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
    for _ in range(3 if lines < 10_000 else 1):
        start = time.perf_counter()
        result = Compiler().compile(SourceFile("benchmark.hds", text))
        best = min(best, time.perf_counter() - start)
        assert result.ok, result.diagnostics[:3]
    return best


ASSEMBLY = {
    "nop": "nop\n",
    "labels": "a{n}: jmp a{n}\n",
    "label operands": "a{n}: lea rax, [rel a{n}]\n",
    "different instructions": "mov rax, {n}\n",
}


def show_assembly() -> None:
    """The same for blocks of assembly text, of 4,000 and of 32,000 lines."""
    print(f"{'assembly':>22} {'seconds':>9} {'lines/s':>9} {'time per line against 4,000 lines':>36}")
    for name, line in ASSEMBLY.items():
        base = assembly_seconds(line, 4000)
        taken = assembly_seconds(line, 32_000)
        print(f"{name:>22} {taken:>9.3f} {32_000 / taken:>9.0f} {taken / 32_000 / (base / 4000):>36.2f}")


def assembly_seconds(line: str, lines: int) -> float:
    """The time to assemble that many lines."""
    text = "".join(line.format(n=n) for n in range(lines))
    assemble("nop")
    start = time.perf_counter()
    assemble(text)
    return time.perf_counter() - start


def main() -> None:
    seconds(100)  # loads the grammar
    base = seconds(1000)
    print(f"{'lines':>7} {'seconds':>9} {'lines/s':>9} {'time per line against 1,000 lines':>36}")
    for lines in (1000, 4000, 16_000):
        taken = base if lines == 1000 else seconds(lines)
        print(f"{lines:>7} {taken:>9.3f} {lines / taken:>9.0f} {taken / lines / (base / 1000):>36.2f}")
    show_assembly()


if __name__ == "__main__":
    main()
