"""Whole runs on both carriers of the trigger protocol: in Python (machine.events.dispatch) and in machine code
(machine.native), and everything that can be seen of them.

Cases are those of `hds.fuzzing.runs`. Ends of a run by an exception or from outside are not covered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from hds.fuzzing.world import difference
from hds.report import Questions
from hds.report.records import Diagnostic, Record, ScriptFault
from hds.session import ScriptError, Session
from machine.events import RegistrationError, sdk
from machine.memory import Protection
from machine.schedule import Process
from vm import Engine
from vm.facts.limits import Limits
from vm.facts.numbers import HEXADECIMAL, number_in
from vm.facts.registers import STORAGES

LIMITS = Limits(
    max_steps=300, max_root_instructions=200, max_instructions=3000, quantum_instructions=64, max_timer_hz=10_000_000,
    max_processes=5, max_threads=4,
)  # fmt: skip
_VECTOR_WORDS = 32
_BUFFER_BYTES = 0x40  # of each buffer


class _ProcessState(msgspec.Struct, frozen=True):
    """What can be seen of a process behind a run; memory as digests of what can be written."""

    executed: int
    registers: tuple[tuple[str, int], ...]
    vectors: tuple[int, ...]
    memory: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, process: Process) -> _ProcessState:
        cpu, vectors = process.cpu, [0] * _VECTOR_WORDS
        cpu.read_vectors(vectors)
        memory = tuple(
            (area.start, sha256(cpu.memory.read(area.start, area.size) or b"").hexdigest())
            for area in cpu.memory.areas
            if Protection.WRITE in area.protection
        )
        registers = tuple((name, cpu.registers.read(number)) for number, name in enumerate(STORAGES))
        return cls(cpu.executed, registers, tuple(vectors), memory)


class Seen(msgspec.Struct, frozen=True):
    """Everything that can be seen of a case: what a user is shown, in order, and what is left behind."""

    lines: tuple[object, ...]
    processes: tuple[_ProcessState, ...]
    triggers: tuple[int, ...]
    faults: tuple[tuple[int, int], ...]
    summaries: tuple[object, ...]
    globals: tuple[tuple[str, bytes], ...]
    buffers: tuple[bytes | None, ...]


def carriers_differ(case: str, portable: Callable[[Limits], Engine], native: Callable[[Limits], Engine]) -> str | None:
    """Where the carriers differ that come with these engines; None where a case is the same on both."""
    expected, got = seen(case, portable(LIMITS)), seen(case, native(LIMITS))
    return None if expected == got else "; ".join(differences(expected, got))


def differences(expected: Seen, got: Seen) -> Iterator[str]:
    """Where two runs differ, a text each."""
    names = ("portable", "native")
    for number, (one, other) in enumerate(zip(expected.processes, got.processes, strict=True)):
        if one != other:
            yield f"process {number}: {difference(one, other, names)}"
    rest = replace(expected, processes=got.processes)
    if rest != got:
        yield str(difference(rest, got, names))


def seen(case: str, engine: Engine) -> Seen:
    """Do what a case says on the carrier that comes with an engine."""
    lines: list[object] = []
    kernel, cores, at_break = case.partition("\n")[0].split()
    session = Session(
        limits=LIMITS,
        cores=int(cores),
        kernel=kernel,
        timer=LIMITS.max_timer_hz if "!interrupt" in case else None,
        engine=engine,
        prompt_messages=False,
        reporter=Collecting(lines),
        questions=Questions(broke=lambda halt: at_break == "go"),
    )
    summaries: list[object] = []
    try:
        for name, text in _parts(case):
            if name == "guest":
                session.machine.load(text.encode(), "asm", name="guest")
            elif name == "commands":
                for line in text.splitlines():  # some are refused
                    _execute(session, line, lines)
            elif name == "typed":
                _execute(session, text, lines)
            else:
                summaries.append(session.run(int(name.removeprefix("run "))))
        return outcome(session, lines, summaries)
    finally:
        session.close()


def _parts(case: str) -> Iterator[tuple[str, str]]:
    """Names and texts."""
    for part in case.split("\n-- ")[1:]:
        name, _, text = part.partition("\n")
        yield name.rstrip(), text.rstrip("\n")


class Collecting(msgspec.Struct, frozen=True):
    """Notes what a session says, of an error what does not depend on the engine; what is refused, `_execute` notes."""

    lines: list[object]

    def report(self, record: Record, /) -> None:
        """Note it."""
        match record:
            case ScriptFault():
                self.lines.append(("fault", record.event_id, record.fault))
            case Diagnostic():
                pass
            case _:
                self.lines.append(record)


def _execute(session: Session, text: str, lines: list[object]) -> None:
    try:
        if text.startswith("register "):
            _register(session, text)
        else:
            session.execute(text)
    except (ScriptError, RegistrationError) as error:
        lines.append(("refused", str(error)))


def _register(session: Session, line: str) -> None:
    """Register an event by the programming interface, with a code action."""
    _, name, parameter, code = line.split()
    parameters = () if parameter == "-" else (number_in(parameter, HEXADECIMAL) or 0,)
    detail = sdk.EventDetail(name, parameters, command=line)
    sdk.register(session.machine.registry, detail, [sdk.Action.custom_code(bytes.fromhex(code))])


def outcome(session: Session, lines: list[object], summaries: list[object]) -> Seen:
    """Everything that can be seen of a session behind its runs."""
    machine = session.machine
    events = machine.registry.ever_registered
    buffers = [address for event in events for address in event.buffers if address]
    return Seen(
        tuple(lines),
        tuple(map(_ProcessState.of, machine.processes)),
        tuple(event.triggers for event in events),
        tuple((event.faults, event.code_faults) for event in events),
        tuple(summaries),
        tuple((name, session.store.read(name)) for name in session.store.entries),
        tuple(machine.read_memory(address, _BUFFER_BYTES) for address in buffers),
    )
