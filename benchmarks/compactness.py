"""How many bytes of bytecode a script takes, against the buffer that HyperDbg v0.23 sends for the same source.

Run with `python benchmarks/compactness.py`. The goal: at most 1/8.
"""

from __future__ import annotations

from rows import Row, keep

from lang import Compiler, SourceFile

SCRIPTS: tuple[tuple[str, int, str], ...] = (
    ("sum loop", 1056, "s = 0; for (i = 0; i < 0n10000; i++) { s = s + i; } print(s);"),
    (
        "recursive fib",
        2256,
        "int fib(int n) { if (n < 2) { return n; } return fib(n - 1) + fib(n - 2); } print(fib(0n15));",
    ),
    ("filter", 1512, ".n = 0; if (@rax == 0x55 && @rcx > 10) { .n = .n + 1; }"),
)


def main() -> None:
    print(f"{'script':<14} {'bytes':>6} {'HyperDbg':>9} {'ratio':>7}")
    rows = []
    for name, theirs, text in SCRIPTS:
        program = Compiler().compile(SourceFile(name, text)).program
        assert program is not None
        print(f"{name:<14} {program.size:>6} {theirs:>9} {'1/' + format(theirs / program.size, '.1f'):>7}")
        rows.append(Row(f"bytecode of {name}, against HyperDbg's buffer", program.size, theirs, "bytes", 1 / 8))
        keep("compactness", rows)


if __name__ == "__main__":
    main()
