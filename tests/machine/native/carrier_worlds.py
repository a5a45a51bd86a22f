"""One guest and one command file on both carriers, and everything that can be seen of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from engines import make_engine as engine_named

from hds.report.records import CodeFault, GuestOutput, Halt, Message, Notice, Record, ScriptFault
from hds.report.reporters import Questions
from hds.session.session import Session
from vm.engine import Engine
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.registers import STORAGES

NATIVE = ("native", "copied")  # with the processor's own registers, and with copies
CARRIERS = ("portable", *NATIVE)


Line = tuple[object, ...]


@dataclass(frozen=True)
class Collecting:
    """Notes what a user is shown, in order; of a fault what does not depend on the engine."""

    lines: list[Line]

    def report(self, record: Record, /) -> None:
        match record:
            case Message():
                self.lines.append(("message", record))
            case Notice(text):
                self.lines.append(("notice", text))
            case GuestOutput(descriptor, data):
                self.lines.append(("guest", descriptor, data))
            case CodeFault(event, text):
                self.lines.append(("code fault", event, text))
            case ScriptFault():
                self.lines.append(("fault", record.event_id, record.fault))
            case Halt():
                self.lines.append(("broke", record))


@dataclass(frozen=True)
class Outcome:
    """What a run has left behind."""

    lines: list[Line]
    registers: dict[str, int]
    triggers: list[int]
    faults: list[int]
    summary: object
    globals: dict[str, bytes]


def make_engine(carrier: str, limits: Limits = DEFAULT_LIMITS) -> Engine:
    """The engine whose machine has this carrier."""
    if carrier == "portable":
        return engine_named("reference", limits)
    return engine_named("native", limits)


def run(
    carrier: str,
    guests: str | bytes | Sequence[str],
    commands: str,
    *,
    limits: Limits = DEFAULT_LIMITS,
    cores: int = 1,
    kernel: str | None = None,
    kind: str = "asm",
    max_instructions: int = 10_000_000,
    halts: bool = False,
    timer: int | None = None,
    ring: int | None = None,
    root: Path | None = None,
) -> Outcome:
    """Load the guests, execute the commands, run to the end. With `halts` what follows a `g` waits for a break."""
    with without_window() if carrier == "copied" else nullcontext():
        return _run(carrier, guests, commands, limits, cores, kernel, kind, max_instructions, halts, timer, ring, root)


@contextmanager
def without_window() -> Iterator[None]:
    """As on a host where the places of the registers are not found."""
    with (
        mock.patch("machine.processor.cpu.window_of", return_value=None),
        mock.patch("machine.root.processor.window_of", return_value=None),
    ):
        yield


def _run(
    carrier: str,
    guests: str | bytes | Sequence[str],
    commands: str,
    limits: Limits,
    cores: int,
    kernel: str | None,
    kind: str,
    max_instructions: int,
    halts: bool,
    timer: int | None,
    ring: int | None,
    root: Path | None,
) -> Outcome:
    lines: list[Line] = []
    session = Session(
        limits=limits,
        cores=cores,
        kernel=kernel,
        timer=timer,
        root=root,
        root_writable=root is not None,
        prompt_messages=False,
        engine=make_engine(carrier, limits),
        reporter=Collecting(lines),
        questions=Questions(broke=lambda halt: not halts),
    )
    for guest in [guests] if isinstance(guests, str | bytes) else guests:
        session.machine.load(guest.encode() if isinstance(guest, str) else guest, kind, name="guest", ring=ring)
    session.execute(commands)
    summary = session.run(max_instructions)
    events = session.machine.registry.ever_registered
    host = session.machine.host_for_commands()
    return Outcome(
        lines,
        {name: host.read_register(index) for index, name in enumerate(STORAGES)},
        [event.triggers for event in events],
        [event.faults for event in events],
        summary,
        {name: session.store.read(name) for name in session.store.entries},
    )
