"""What was measured against peers (benchmarks/measured.json), as docs/benchmarks.md and README.md show it.

`make bench` measures, `make measured` writes the file and both pages: no number of them is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

FILE = Path(__file__).parents[2] / "benchmarks" / "measured.json"

_PAGE = """\
# Benchmarks

`make bench` measures hds against peers, in the same run of the same machine, so that a slower machine changes both: a
row says what is compared with what. The ratio is how many times the peer's time (memory, bytes) hds takes, or how many
times as fast it is where it says so. It takes about ten minutes, and wants a machine that does nothing else.

Rows with a goal are to hold in three runs out of four; *held* says in how many they did. The numbers are medians.
"""
_PAGE_2 = """\
## How to measure

`make bench` runs all of benchmarks/, one after the other, and ends with the table of the run, which is kept in
build/bench/runs. `make measured` takes the medians of the last four runs, and writes them into
benchmarks/measured.json, this page and the table in README.md.

`python benchmarks/run.py NAME...` runs some of them, and `python benchmarks/NAME.py` one, whose docstring says what it
does. One that fails or takes longer than its limit is named in the table, and does not keep the others from running.
Peers that are not installed are skipped by name.
"""


class Row(msgspec.Struct, frozen=True):
    """One comparison: the medians of `runs` runs; `held` is in how many the goal was reached, None without a goal."""

    what: str
    ours: str
    peer: str
    ratio: float
    faster: bool  # or else less is better
    shown: str
    goal: str
    held: int | None
    runs: int
    reason: str

    @property
    def is_reached(self) -> bool:
        """Whether the goal holds in three runs out of four; where there is none, it does."""
        return self.held is None or 4 * self.held >= 3 * self.runs


class Group(msgspec.Struct, frozen=True):
    """The rows of a benchmark, and what else is to be said of it."""

    title: str
    notes: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def is_earlier(self) -> bool:
        """Whether a note says that the rows are of an earlier run than others."""
        return EARLIER in self.notes


class Measured(msgspec.Struct, frozen=True):
    """All of it."""

    machine: str
    runs: int
    load: float
    benchmarks: tuple[Group, ...]


class Shown(msgspec.Struct, frozen=True):
    """A row of README.md: what it says, the names of the rows that it is made of, and what the ratio is one of."""

    text: str
    rows: tuple[str, ...]
    of: str = "time"


EARLIER = "these rows are of a run that was made earlier, before the last changes"  # a note of a group
_START = "against python -c 'import lark, unicorn, capstone, llvmlite.binding'"
_LARK = "against python -c 'import lark'"
SHOWN: tuple[Shown, ...] = (
    Shown(
        "a trigger of `!syscall script { if (@rax == 0x55 && @rcx > 10) { .n = .n + 1; } }`, against a native hook "
        "written by hand that reads the two registers with Unicorn's calls and counts",
        ("`!syscall` filter with a counter, against a native hook with two register reads",),
    ),
    Shown("the same, against a hook in Python that does so", ("the same, against a hook in Python",)),
    Shown(
        "a trigger with a condition of six instructions, against a bare `uc_emu_start` of them from machine code",
        ("a condition of six instructions, against a bare `uc_emu_start` of them",),
    ),
    Shown(
        "`!epthook` with a counter at a hot address, against a native hook that does nothing",
        ("`!epthook` with a counter, against a native hook of nothing",),
    ),
    Shown(
        "`!cpuid`, `!tsc` and `!ioout` with a counter, against a native hook that counts and does the same to the "
        "guest",
        (
            "`!cpuid` with a counter, against a native hook with a counter",
            "`!tsc` with a counter, against a native hook with a counter and a clock",
            "`!ioout` with a counter, against a native hook with a counter",
        ),
    ),
    Shown(
        "`!monitor w` with a counter, against a hook of stores in Python for that range that reads three registers",
        ("`!monitor w` with a counter, against a hook of stores in Python",),
    ),
    Shown(
        "a guest that does not touch the watched page, against the same without the event",
        ("a guest that does not touch the watched page, against none",),
    ),
    Shown(
        "`!exception` with a counter on a fault that a handler mends, against the fault alone",
        ("`!exception` with a counter, against the fault alone",),
    ),
    Shown(
        '`printf("%llx %llx\\n", @rax, @rcx)` to a file, `imm no`, against a hook in Python that writes the same',
        ("`printf` to a file, `imm no`, against a hook in Python that writes the same",),
    ),
    Shown("the same, `imm yes`", ("`printf` to a file, `imm yes`, the same",)),
    Shown(
        "two processes on two cores with `--parallel`, against taking turns (by the clock)",
        (
            "a filter that refuses, on two cores with `--parallel`, against turns",
            "a filter that counts in one global, the same",
        ),
    ),
    Shown(
        "a loop of 10,000 sums on the native engine, against the reference engine",
        ("sum loop on the native engine, against the reference engine",),
    ),
    Shown("recursive `fib(15)`, the same", ("fib(15) on the native engine, against the reference engine",)),
    Shown(
        "20 lines of script to machine code, against from text to bytecode",
        ("20 lines to machine code, against text to bytecode",),
    ),
    Shown(
        "bytecode of three small scripts, against the buffers that HyperDbg v0.23 sends for the same sources",
        tuple(f"bytecode of {name}, against HyperDbg's buffer" for name in ("sum loop", "recursive fib", "filter")),
        "size",
    ),
    Shown(
        "busybox `awk`, `gzip` and `sort`, against bare Unicorn in its default mode with the same kernel stand-in",
        tuple(
            f"busybox {name}, against bare Unicorn"
            for name in ("awk, 60,000 turns", "gzip of 1 MB", "sort of 25,000 lines")
        ),
    ),
    Shown(
        "busybox `sha256sum` and `md5sum`, the same",
        ("busybox sha256sum of 4 MB, against bare Unicorn", "busybox md5sum of 4 MB, against bare Unicorn"),
    ),
    Shown("busybox `dd` with 20,000 system calls, the same", ("busybox dd, 20,000 calls, against bare Unicorn",)),
    Shown(
        "busybox `sort` of 200,000 lines, against `qemu-x86_64`, less the start of each",
        ("busybox sort of 200,000 lines, against qemu-x86_64, less the start",),
    ),
    Shown(
        "busybox `sha256sum` of 100 MB, the same",
        ("busybox sha256sum of 100 MB, against qemu-x86_64, less the start",),
    ),
    Shown(
        "`sha256sum` and `dd` with a `!syscall` counter, against none",
        (
            "busybox sha256sum of 4 MB with a counter, against none",
            "busybox dd, 20,000 calls with a counter, against none",
        ),
    ),
    Shown(
        "`hds eval` and `hds check` of a line, against `python -c \"import lark\"`",
        (f"hds eval, {_LARK}", f"hds check, {_LARK}"),
    ),
    Shown(
        "`hds run` of a small ELF guest with a `!syscall` script, against "
        '`python -c "import lark, unicorn, capstone, llvmlite.binding"`',
        (f"hds run, an ELF guest, {_START}",),
    ),
    Shown("the same", (f"hds run, an ELF guest: memory, {_START}",), "memory"),
    Shown(
        "the same, the first time, when nothing is kept in the cache",
        (f"hds run, the first time, {_START}",),
    ),
    Shown("the same", (f"hds run, the first time: memory, {_START}",), "memory"),
    Shown(
        "`hello.exe` with Wine's DLLs, against a static Linux program", ("hello.exe, against a static Linux program",)
    ),
    Shown(
        "`mprotect` of a page in a mapping of 896 MiB, against one of 64 KiB",
        ("mprotect of a page, in 896 MiB against 64 KiB",),
    ),
    Shown(
        "`mmap`, a store and `munmap` with 60,000 mappings, against 1,000",
        ("mmap, store and munmap, 60,000 mappings against 1,000",),
    ),
    Shown(
        "checking a line of a script of 16,000 lines, against one of 1,000",
        ("checking a line among 16,000, against one among 1,000",),
    ),
)  # fmt: skip


def measured() -> Measured:
    """What the file says."""
    return msgspec.json.decode(FILE.read_bytes(), type=Measured)


def rows_by_name(found: Measured) -> dict[str, Row]:
    """All rows, by what they compare."""
    return {row.what: row for group in found.benchmarks for row in group.rows}


def readme_table() -> Iterator[tuple[str, str]]:
    """The rows of README.md: what, and the ratio."""
    rows, earlier = rows_by_name(measured()), _made_earlier()
    for shown in SHOWN:
        found = [rows[name] for name in shown.rows if name in rows]
        if found:
            yield shown.text, _ratios(found, shown.of) + (" *" if earlier & set(shown.rows) else "")


def readme_note() -> Iterator[str]:
    """What stands behind that table: what its marks mean."""
    if _made_earlier():
        yield from ("", "\\* of a run that was made earlier, before the last changes")


def _made_earlier() -> set[str]:
    return {row.what for group in measured().benchmarks if group.is_earlier for row in group.rows}


def _ratios(rows: list[Row], of: str) -> str:
    """1.3, 1.5 and 1.0 x its time; with the goals that are not reached, each once."""
    texts = [short(row.ratio) for row in rows]
    joined = " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))
    goals = dict.fromkeys(row.goal for row in rows if not row.is_reached)
    missed = f" (goal {' and '.join(goals)})" if goals else ""
    return f"{joined} x {'faster' if rows[0].faster else f'its {of}'}{missed}"


def short(ratio: float) -> str:
    """Two digits, with one behind the point at least below ten."""
    if ratio >= 10:
        return f"{float(f'{ratio:.2g}'):,.0f}"
    return f"{ratio:.2f}" if ratio < 0.95 else f"{ratio:.1f}"


def benchmarks_page() -> Iterator[str]:
    """The lines of docs/benchmarks.md but for its tables' form: text, or a table's rows."""
    found = measured()
    yield from _PAGE.splitlines()
    yield ""
    runs = "1 run" if found.runs == 1 else f"{found.runs} runs"
    yield f"These are of {runs} on {found.machine}; when a benchmark began, the load was {found.load:g} at the most."
    for group in found.benchmarks:
        yield ""
        yield f"## {group.title}"
        yield ""
        for note in group.notes:
            yield f"Of this run: {note}."
            yield ""
        if group.rows:
            yield "| what | ours | peer | ratio | goal | held |"
            yield "|---|---|---|---|---|---|"
        for row in group.rows:
            held = "" if row.held is None else f"{row.held} of {row.runs}"
            cells = (row.what, row.ours, row.peer, row.shown, row.goal, held)
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        reasons = [row for row in group.rows if row.reason]
        if reasons:
            yield ""
        for row in reasons:
            yield f"* {row.what}: {row.reason}."
    yield ""
    yield from _PAGE_2.splitlines()
