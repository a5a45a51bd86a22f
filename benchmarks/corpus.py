"""What a campaign costs beside the runs themselves, and what two processors gain, all measured in one run.

Processor time of a program is that of everything - client, scheduler, workers, the processes that fork and those that
run - less the start of the cluster, by the number of programs. Beyond the run itself is what exceeds the same run in
one process that is warm: a session made, the program loaded, run and summed up; that is measured before and behind.

Usage: python benchmarks/corpus.py [TINY [LONG]]. TINY programs (2,000) that exit at once show what a program costs
beyond its run, against the same runs one after the other in one warm process; LONG ones (10) of a second each show what
a second worker is worth. Memory of client and scheduler is compared between 8,000 and 20,000 programs whose runs are
canned.
"""

from __future__ import annotations

import mmap
import os
import resource
import struct
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
from rows import Row, keep

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "hds" / "corpus"))
from canned_runs import PROGRAMS, WARM, canned_workers, sizes  # the campaigns that the tests have

import hds.corpus
from hds.corpus.campaign import Campaign, new_campaign
from hds.corpus.single import run_program
from hds.session import load_engine
from lang import SourceFile

SCRIPT = "!syscall script { .calls++; }"
WARM_RUNS = 300
GOAL = 5.0  # ms of processor time beyond the run itself
COPIED = 2_000  # pages, to see what copying one costs
STEPS = 100_000_000  # of a loop of two instructions: about a second


def program(number: int, steps: int = 1) -> bytes:
    """An ELF program that takes so many steps and exits; its content has the number."""
    text = b"\xb9" + struct.pack("<I", steps) + b"\xff\xc9\x75\xfc" + bytes.fromhex("b83c00000031ff0f05")
    text += struct.pack("<I", number)
    size = 0x78 + len(text)
    return (
        b"\x7fELF\2\1\1".ljust(16, b"\0")
        + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x40_0078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x40_0000, 0x40_0000, size, size, 0x1000)
        + text
    )


def samples(folder: Path, programs: Iterable[bytes]) -> Path:
    """A folder with these programs."""
    folder.mkdir()
    for number, data in enumerate(programs):
        (folder / f"{number:06d}").write_bytes(data)
    return folder


def warm_seconds() -> float:
    """The processor time of a run in one warm process, without anything of a campaign."""
    campaign: Campaign = new_campaign(
        SourceFile("script.hds", SCRIPT), None, hds.corpus.Settings(), hds.corpus.Budget()
    )
    engine = load_engine(None, campaign.settings.limits)
    for number in range(20):
        run_program(campaign, engine, program(number), None)
    began = time.process_time()
    for number in range(WARM_RUNS):
        run_program(campaign, engine, program(number), None)
    return (time.process_time() - began) / WARM_RUNS


def processor_seconds() -> float:
    """Of this process and of those that it has seen end."""
    return sum(os.times()[:4])


def faults() -> int:
    """Page faults of the processes that this one has seen end."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt


def page_seconds() -> float:
    """What a forked process pays for the first write to a page: the least of ten measurements."""
    memory = mmap.mmap(-1, COPIED * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    found = []
    for _ in range(10):
        for writes in (True, False):
            memory[:: mmap.PAGESIZE] = bytes(COPIED)
            began = resource.getrusage(resource.RUSAGE_CHILDREN)
            child = os.fork()
            if not child:
                if writes:
                    memory[:: mmap.PAGESIZE] = bytes(COPIED)
                os._exit(0)
            os.waitpid(child, 0)
            ended = resource.getrusage(resource.RUSAGE_CHILDREN)
            found.append(ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime)
    return max(0.0, min(found[::2]) - min(found[1::2])) / COPIED


def tiny(folder: Path, count: int) -> list[Row]:
    """Many programs of no length, with one worker for each processor."""
    warm = warm_seconds()
    found = samples(folder / "tiny", map(program, range(count)))
    jobs, marks = os.cpu_count() or 1, [0.0, 0.0]

    def watch(account: hds.corpus.Account) -> None:
        at = int(account.run > count // 4) + int(account.run > count * 9 // 10) - 1
        if at >= 0 and not marks[at]:
            marks[at], runs[at] = account.seconds, account.run

    runs = [0, 0]
    began, copied = processor_seconds(), faults()
    hds.corpus.run(SCRIPT, [found], folder / "tiny-results", jobs=jobs, watch=watch)
    whole, copied = processor_seconds() - began, faults() - copied
    began, of_start = processor_seconds(), faults()
    few = samples(folder / "few", map(program, range(count, count + count // 10)))
    hds.corpus.run(SCRIPT, [few], folder / "few-results", jobs=jobs)
    start, of_start = processor_seconds() - began, faults() - of_start  # of the cluster, and a tenth of the programs
    cost, pages = (whole - start) / (count - count // 10), (copied - of_start) / (count - count // 10)
    each = (marks[1] - marks[0]) / (runs[1] - runs[0])
    warm = (warm + warm_seconds()) / 2
    beyond = (cost - warm) * 1000
    copying = pages * page_seconds() * 1000
    size = sum(path.stat().st_size for path in (folder / "tiny-results").glob("*/*.parquet"))
    print(f"{count:,} tiny programs, {jobs} workers: {1 / each:,.0f} a second")
    print(f"  {cost * 1000:.1f} ms of processor time each; a warm run alone takes {warm * 1000:.1f} ms")
    print(f"  overhead: {beyond:.1f} ms a program; {pages:,.0f} page faults, {copying:.1f} ms")
    print(f"  {size / count:.0f} bytes of Parquet a program")
    reason = f"{pages:,.0f} page faults of a new process take {copying:.1f} ms here" if beyond > GOAL else ""
    return [
        Row("a tiny program of a corpus, against a warm run alone", cost * 1e3, warm * 1e3, "ms"),
        Row("what it costs beyond that run, against 5 ms", beyond, GOAL, "ms", at_most=1.0, reason=reason),
    ]


def memory(folder: Path) -> Row:
    """Client and scheduler, with many programs and with more."""
    with canned_workers(folder / "canned"):
        early, late = (size / (1 << 20) for size in sizes(folder, psutil.Process()))
    growth = (late - early) * (1 << 20) / (PROGRAMS - WARM)
    print(f"client and scheduler: {early:.0f} MiB near {WARM:,} programs, {late:.0f} MiB near {PROGRAMS:,}", end="")
    print(f": {growth:.0f} bytes a program")
    what = f"memory of client and scheduler, {PROGRAMS:,} programs against {WARM:,}"
    return Row(what, late, early, "MiB", at_most=1.05)


def long(folder: Path, count: int) -> Row:
    """Programs of about a second, with one worker and with two."""
    found = samples(folder / "long", (program(number, STEPS) for number in range(count)))
    times = []
    for jobs in (1, 2):
        marks: list[tuple[float, int]] = []

        def watch(account: hds.corpus.Account, marks: list[tuple[float, int]] = marks) -> None:
            if not marks or account.run > marks[-1][1]:
                marks.append((account.seconds, account.run))

        hds.corpus.run(SCRIPT, [found], folder / f"long-{jobs}", jobs=jobs, watch=watch)
        first = next(mark for mark in marks if mark[1] >= jobs)  # workers have started
        times.append((marks[-1][0] - first[0]) / (marks[-1][1] - first[1]))
    print(f"{count} programs of {times[0]:.2f} s: two workers are {times[0] / times[1]:.2f} x as fast as one")
    return Row("long programs of a corpus, two workers against one", times[1], times[0], "s", at_least=1.7, faster=True)


def main() -> None:
    """All of it."""
    counts = [int(word) for word in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        first = tiny(Path(folder), counts[0] if counts else 2_000)
        keep("corpus", first)
        first.append(long(Path(folder), counts[1] if len(counts) > 1 else 10))
        keep("corpus", first)
        keep("corpus", [*first, memory(Path(folder))])


if __name__ == "__main__":
    main()
