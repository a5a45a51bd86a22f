"""Outlets for people: messages and results to standard output, everything else to standard error."""

from __future__ import annotations

from collections.abc import Callable

from hds.report.faults import fault_title, render_fault
from hds.report.outlets import CLEAR_SCREEN, Halt, Outlets
from hds.report.repeats import Repeats
from hds.report.streams import error, output, say
from lang.diagnostics import render
from vm.engine import Fault, Loaded
from vm.limits import DEFAULT_LIMITS, Limits

GUEST_OUTPUT = ("stderr", "stdout", "none")


def write(data: bytes) -> None:
    """To standard output, at once."""
    stream = output()
    stream.write_bytes(data)
    stream.flush()


def terminal_outlets(guest_output: str, goes_on: Callable[[Halt], bool], limits: Limits = DEFAULT_LIMITS) -> Outlets:
    """Outlets that print; `goes_on` answers at a halt, before its two lines are shown."""
    repeats = Repeats(say, limits.max_shown_errors)

    def script_fault(event: int | None, program: Loaded, fault: Fault) -> None:
        where = "" if event is None else f"event {event:x}: "
        code = program.program

        def describe() -> tuple[str, str]:
            return where + fault_title(code, fault), where + render_fault(code, fault)

        repeats.add((event, id(code), fault.pc, fault.kind), code, describe)

    def code_fault(event: int, text: str) -> None:
        line = f"event {event:x}: {text}"
        repeats.add(line, None, lambda: (line, line))

    def broke(halt: Halt) -> bool:
        answer = goes_on(halt)
        if not answer:
            repeats.settle()
        say(halt.headline)
        say(halt.instruction)
        return answer

    return Outlets(
        message=lambda message: write(message.text),
        result=_show,
        notice=say,
        finding=lambda item: say(render(item)),
        script_fault=script_fault,
        code_fault=code_fault,
        settle=repeats.settle,
        broke=broke,
        guest_output=guest_writer(guest_output),
    )


def _show(text: str) -> None:
    if text == CLEAR_SCREEN:
        output().write_control(text)
    else:
        write(text.encode("utf-8", "surrogateescape"))


def guest_writer(where: str) -> Callable[[int, bytes], None]:
    """What takes the guest's own output: `stderr`, `stdout` (its standard error stays apart) or `none`."""

    def to_error(descriptor: int, data: bytes) -> None:
        output().flush()
        error().write_bytes(data)

    def to_output(descriptor: int, data: bytes) -> None:
        if descriptor == 1:
            write(data)
        else:
            to_error(descriptor, data)

    return {"stderr": to_error, "stdout": to_output, "none": lambda descriptor, data: None}[where]
