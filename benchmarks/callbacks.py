"""What Python at a trigger costs, against a script that machine code runs, all measured in one run.

Usage: python benchmarks/callbacks.py. Every subject runs the same guest, a loop around one SYSCALL; the time of the
loop without events is taken off. The best of some rounds counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rows import Row, keep

import hds

ROUNDS, FEW_ROUNDS = 1_000_000, 10_000  # in machine code, and in Python
GUEST = "mov rbx, {rounds}; again: mov eax, 0x55; syscall; dec rbx; jnz again; hlt"
REPEATS = 5
SCRIPT = "!syscall script { .n = .n + @rdi; }"


def session(rounds: int, record: str | None = None) -> hds.Session:
    """A session that keeps no messages and is about to run."""
    limits = hds.Limits(max_kept_messages=0)
    guest = GUEST.format(rounds=rounds).encode()
    return hds.Session(guest, kind="asm", kernel="bare", limits=limits, record=() if record is None else (record,))


def nothing(made: hds.Session) -> None:
    """The guest alone."""
    made.run()


def script(made: hds.Session) -> None:
    """A script in machine code."""
    made.execute(SCRIPT)
    made.run()


def callback(made: hds.Session) -> None:
    """A function that looks at a register."""
    made.on("!syscall", lambda trigger: trigger.registers.rdi)
    made.run()


def loop(made: hds.Session) -> None:
    """A loop over triggers."""
    for trigger in made.events("!syscall"):
        _ = trigger.registers.rdi


def nanoseconds(subject: Callable[[hds.Session], None], rounds: int, record: str | None = None) -> float:
    """The best time of a round of the guest's loop."""
    best = float("inf")
    for _ in range(REPEATS):
        made = session(rounds, record)
        began = time.perf_counter()
        subject(made)
        best = min(best, time.perf_counter() - began)
    return best / rounds * 1e9


def main() -> None:
    """Print a line for each subject: ns a trigger, and the ratio to the script."""
    base = max(nanoseconds(script, ROUNDS) - nanoseconds(nothing, ROUNDS), 1.0)
    alone = nanoseconds(nothing, FEW_ROUNDS)
    print(f"{'script in machine code':28} {base:10.0f} ns", flush=True)
    rows = []
    for name, subject, record in (
        ("callback", callback, None),
        ("loop", loop, None),
        ("script, --record triggers", script, "triggers"),
        ("script, --record registers", script, "registers"),
    ):
        cost = nanoseconds(subject, FEW_ROUNDS, record) - alone
        print(f"{name:28} {cost:10.0f} ns  {cost / base:6.0f} x", flush=True)
        rows.append(Row(f"a trigger: {name}, against a script in machine code", cost, base, "ns"))
        keep("callbacks", rows)


if __name__ == "__main__":
    main()
