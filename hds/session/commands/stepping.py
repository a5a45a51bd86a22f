"""Steps: `p t i` with registers or without, `gu`, and the current core `~` (events-and-commands E.5).

At a held event the first step finishes the trigger: what the event intercepted is carried out (or skipped), and the
guest halts at the instruction that follows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hds.session.commands.handler import Handler, current_process, incorrect_use, number, words
from hds.session.commands.registers import all_registers
from hds.session.refused import CommandFailed
from machine import RunSummary, StopCause
from machine.events import is_raised
from vm.facts.errors import ErrorNumber
from vm.facts.numbers import number_32
from vm.facts.registers import RIP

if TYPE_CHECKING:
    from hds.session.execution import Execution
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command
    from machine.schedule import Process

MANY = 0xFFFF_FFFF  # the default count of gu

OneStep = Callable[["Execution", "Process"], bool]


def _stepper(kind: OneStep, *, shows_registers: bool) -> Handler:
    def step(session: Session, command: Command, prepared: Prepared) -> None:
        count = _count(command, 1)
        held = session.execution.held
        if kind is _EXACT and held is not None and is_raised(held.event.definition.kind):
            held.short_circuit = True  # it does not inject the exception again (events-and-commands C.2)
        from_here(session, lambda process, left: _steps(session, process, kind, left, shows_registers), count)

    return step


def from_here(session: Session, walk: Callable[[Process, int], None], count: int) -> None:
    """Start a walk of so many steps, at a held event after its trigger is finished, which counts as the first."""
    execution = session.execution
    held = execution.held
    if held is None:
        process = current_process(session)
        if not process.alive:
            raise CommandFailed("err, the program has ended")
        walk(process, count)
        return
    process, place = held.process, held.instruction_pointer

    def afterwards() -> None:
        if not process.alive:
            return
        moved = process.cpu.registers.read(RIP) != place
        if moved and count == 1:
            session.show(execution.instruction_line(process) + "\n")
        else:
            walk(process, count - moved)

    execution.release(goes_on=False, then=afterwards)


def _steps(session: Session, process: Process, kind: OneStep, count: int, shows_registers: bool) -> None:
    execution = session.execution
    for index in until_timeout(session, count):
        if not kind(execution, process):
            return
        if shows_registers and index:
            session.show("\n")
        session.show(execution.instruction_line(process) + "\n")
        if shows_registers:
            session.show(all_registers(session))


def go_up(session: Session, command: Command, prepared: Prepared) -> None:
    """`gu [COUNT]`: step over instructions until a return has been executed; only the last line is shown."""
    execution = session.execution

    def walk(process: Process, count: int) -> None:
        for _ in until_timeout(session, count):
            line = execution.instruction(process)
            if not execution.step_over(process):
                return
            if line is not None and line.is_return:
                break
        session.show(execution.instruction_line(process) + "\n")

    from_here(session, walk, _count(command, MANY))


def until_timeout(session: Session, count: int) -> Iterator[int]:
    """The numbers of the steps, as long as the time of a run (`--timeout`) allows."""
    end = None if session.timeout is None else time.monotonic() + session.timeout
    for index in range(count):
        if end is not None and time.monotonic() >= end:
            session.notice("the steps are ended by the timeout")
            session.totals.last = RunSummary(StopCause.TIMEOUT, 0, {}, {}, {}, ())
            return
        yield index


def _count(command: Command, default: int) -> int:
    given = words(command)
    if len(given) > 1:
        raise incorrect_use(command)
    count = number_32(given[0]) if given else default
    if count is None:
        raise CommandFailed(f"err, please specify a correct hex value for the count, not '{given[0]}'")
    return count


def core(session: Session, command: Command, prepared: Prepared) -> None:
    """`~` shows the current core, `~ N` switches to another one."""
    if not command.tokens:
        current = session.process
        session.show(f"current processor : 0x{0 if current is None else current.core:x}\n")
        return
    if len(command.tokens) > 1:
        raise incorrect_use(command)
    wanted = number(command.tokens[0], 0, "core")
    cores = session.machine.cores
    if wanted >= len(cores):
        raise CommandFailed(ErrorNumber.INVALID_CORE_SELECTED.err())
    process = cores[wanted].process
    if process is None:
        raise CommandFailed(f"err, no program runs on core {wanted:x}")
    session.machine.switch(process)
    session.show(f"current operating core changed to 0x{wanted:x}\n{session.execution.instruction_line(process)}\n")


def _of(name: str) -> OneStep:
    return lambda execution, process: bool(getattr(execution, name)(process))


_OVER, _IN, _EXACT = _of("step_over"), _of("step"), _of("step_in")

HANDLERS: dict[str, Handler] = {
    "p": _stepper(_OVER, shows_registers=False),
    "pr": _stepper(_OVER, shows_registers=True),
    "t": _stepper(_IN, shows_registers=False),
    "tr": _stepper(_IN, shows_registers=True),
    "i": _stepper(_EXACT, shows_registers=False),
    "ir": _stepper(_EXACT, shows_registers=True),
    "gu": go_up,
    "~": core,
}
