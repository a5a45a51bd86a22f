"""The native engine against the reference engine, in one run: how many times as fast, on scripts that compute.

Usage: python benchmarks/native.py. Both engines get the same program, session and host; the best of many runs counts.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

from rows import Row, keep

from lang import Compiler, SourceFile
from vm import Engine, GlobalStore, Interpreter, MemoryHost, Program
from vm.facts.limits import Limits
from vm.native import NativeEngine

LIMITS = Limits(max_steps=100_000_000)


@dataclass(frozen=True)
class Case:
    """A script, and how many of what it does."""

    name: str
    script: str
    count: int
    unit: str


CASES = (
    Case("sum loop", "s = 0; for (i = 0; i < 0n10000; i++) { s = s + i; } print(s);", 10_000, "iteration"),
    Case(
        "fib(15)",
        "int fib(int n) { if (n < 2) { return n; } return fib(n - 1) + fib(n - 2); } print(fib(0n15));",
        1973,
        "call",
    ),
    Case("global counter", "for (i = 0; i < 0n10000; i++) { .g = .g + i; }", 10_000, "iteration"),
    Case(
        "array",
        "int v[0n64]; for (i = 0; i < 0n10000; i++) { v[i & 0n63] = v[(i + 7) & 0n63] + i; }",
        10_000,
        "iteration",
    ),
    Case("printf", 'for (i = 0; i < 0n1000; i++) { printf("%llx %llx\\n", i, i * i); }', 1000, "message"),
    Case(
        "chain of 400",
        "for (i = 0; i < 0n1000; i++) { if (i == 1) { .n++; }"
        + "".join(f" elsif (i == {each:#x}) {{ .n++; }}" for each in range(2, 401))
        + " }",
        1000,
        "look-up",
    ),
    Case("filter", "if (@rax == 0x55 && @rcx > 10) { .n = .n + 1; }", 1, "run"),
)

SCRIPT_OF_20_LINES = """
int classify(int number) {
    if (number < 0x100) { return 0; }
    return number & 7;
}
int seen[8];
kind = classify(@rax);
for (i = 0; i < 8; i++) {
    seen[i] = seen[i] + kind * i;
}
if (@rax == 0x55 && @rcx > 0x10) {
    .hits = .hits + 1;
    printf("%llx %llx\\n", @rax, @rcx);
} elsif (@rax == 0x56) {
    .other = .other + poi(@rsp + 8);
    printf("%s\\n", @rsi);
} else {
    .last = @rax;
}
.sum = .sum + seen[3] / 2;
"""


def program(text: str) -> Program:
    """The program of a script."""
    compilation = Compiler().compile(SourceFile("benchmark", text))
    assert compilation.program is not None
    return compilation.program


def best(action: Callable[[], object], runs: int) -> float:
    """The least time of an action in seconds of the processor."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times)


def run_time(engine: Engine, code: Program, runs: int) -> float:
    """The time of one run."""
    loaded = engine.load(code, GlobalStore(LIMITS))
    host = MemoryHost({"rax": 0x55, "rcx": 0x20})

    def run() -> None:
        host.messages.clear()
        assert engine.run(loaded, host).ok

    return best(run, runs)


def main() -> None:
    """Print the table. Nothing is there that was compiled before."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HDS_CACHE"] = folder
        measure()


def measure() -> None:
    """All rows."""
    reference, native = Interpreter(LIMITS), NativeEngine(LIMITS)
    print(f"{'script':16} {'native is':>10} faster   native time per")
    rows = []
    for case in CASES:
        code = program(case.script)
        fast, slow = run_time(native, code, 200), run_time(reference, code, 3)
        title = f"{case.name} on the native engine, against the reference engine"
        rows.append(Row(title, fast * 1e6, slow * 1e6, "us", faster=True))
        keep("native", rows)
        print(f"{case.name:16} {slow / fast:9.0f}x          {fast / case.count * 1e9:8.1f} ns  {case.unit}")
    text = iter(SCRIPT_OF_20_LINES.replace("0x56", f"0x{number:x}") for number in range(0x60, 0x6A))
    programs = iter([program(script) for script in text])
    front = best(lambda: program(SCRIPT_OF_20_LINES), 10)
    back = best(lambda: native.load(next(programs), GlobalStore(LIMITS)), 10)
    print(f"20 lines to machine code: {back / front:.1f} x the time from text to bytecode ({back * 1e3:.0f} ms)")
    reason = "LLVM takes what it took, text to bytecode two thirds of that" if back > 3 * front else ""
    what = "20 lines to machine code, against text to bytecode"
    rows.append(Row(what, back * 1e3, front * 1e3, "ms", at_most=3, reason=reason))
    keep("native", rows)


if __name__ == "__main__":
    main()
