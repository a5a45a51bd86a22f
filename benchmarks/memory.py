"""What a run keeps: the peak of resident memory of `hds run` with 10 N triggers, against that with N.

Run with `python benchmarks/memory.py [N [CASE...]]`; N is 10,000 unless it is given, and 1,000,000 shows 10 million
messages. Goal: a ratio of 1.0 in every row, whatever the triggers say and wherever it goes. The ring of
--emulate-message-loss has room for some 500,000 small messages, so it is a smaller one here, which both runs fill.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rows import Row, keep

COUNT = 10_000
CALLS = "    mov ebx, {}\nagain:\n    {}\n    syscall\n    dec ebx\n    jnz again\n    mov eax, 0x3c\n    syscall\n"
GETPID = "mov eax, 0x27"
WRITE = "mov eax, 1\n    mov edi, 1\n    lea rsi, [again]\n    mov edx, 8"
SAY = '!syscall 27 {} script {{ printf("%d\\n", @rbx); }} {}'
FAULT = "!syscall 27 script { print(1 / (@rbx - @rbx)); }"

CASES: dict[str, tuple[str, ...]] = {
    "imm yes": ("-e", SAY.format("", "")),
    "imm no": ("-e", SAY.format("imm no", "")),
    "imm no, ring": ("--emulate-message-loss", "--max-packets", "4", "-e", SAY.format("imm no", "")),
    "imm yes, reference": ("--engine", "reference", "-e", SAY.format("", "")),
    "parallel": ("--parallel", "--cores", "2", "-e", SAY.format("", "")),
    "JSON": ("--format", "json", "-e", SAY.format("", "")),
    "log": ("-e", ".logopen log\n" + SAY.format("", "")),
    "output file": ("-e", "output create o file out\noutput open o\n" + SAY.format("", "output {o}")),
    "script errors": ("-e", FAULT),
    "script errors, JSON": ("--format", "json", "-e", FAULT),
    "code errors": ("-e", "!syscall 27 code { cc }"),
    "breaks": ("--on-break", "continue", "-e", "!syscall 27"),
    "guest output": ("-e", "g"),
    "guest output, JSON": ("--format", "json", "-e", "g"),
}


FEWER = {"code errors": 50}  # after each error a code block has a new emulator, which takes milliseconds


def peak(arguments: tuple[str, ...], body: str, count: int) -> float:
    """MiB of resident memory at the most, of a run with so many system calls."""
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "wb") as nowhere:
        guest = Path(folder) / "guest.asm"
        guest.write_text(CALLS.format(count, body))
        words = [sys.executable, "-m", "hds", "run", *arguments, str(guest)]
        path = str(Path(__file__).resolve().parents[1])
        made = subprocess.Popen(
            words, cwd=folder, stdout=nowhere, stderr=nowhere, env={**os.environ, "PYTHONPATH": path}
        )
        _, status, usage = os.wait4(made.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code == 0, f"hds run ended with {code}"
        return usage.ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    names = sys.argv[2:] or list(CASES)
    print(f"{'peak resident memory':<22} {count:>11,} {10 * count:>11,}  ratio")
    rows = []
    for name in names:
        body = WRITE if name.startswith("guest output") else GETPID
        peak(CASES[name], body, 1)  # what is compiled once is kept
        fewest = count // FEWER.get(name, 1)
        few, many = (peak(CASES[name], body, calls) for calls in (fewest, 10 * fewest))
        print(f"{name:<22} {few:>7.0f} MiB {many:>7.0f} MiB  {many / few:.2f}", flush=True)
        rows.append(Row(f"memory, {name}: ten times the triggers, against once", many, few, "MB", at_most=1.1))
        keep("memory", rows)


if __name__ == "__main__":
    main()
