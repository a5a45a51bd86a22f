"""Outlets for programs: everything that a session says as JSON objects, one on a line (`hds run --format json`).

Every record has `type`; those of events also say when and where: `tick` of the virtual clock, `tid`, `pid`, `pc`,
`core`, `event`, `stage`. Texts are UTF-8 with U+FFFD for what is none; the exact bytes then stand beside them in
`bytes` (hexadecimal). Two runs give the same records.
"""

from __future__ import annotations

from collections.abc import Callable

from hds.report.failures import write_record
from hds.report.faults import fault_message, fault_span
from hds.report.findings import as_object
from hds.report.outlets import Halt, Outlets
from lang.diagnostics import Diagnostic
from machine.messages import Message
from vm.engine import Fault, Loaded

STAGES = ("pre", "post")


def text_fields(data: bytes) -> dict[str, object]:
    """The text of some bytes, and the bytes where the text does not say them all."""
    try:
        return {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"text": data.decode("utf-8", "replace"), "bytes": data.hex()}


def message_record(message: Message) -> dict[str, object]:
    """A message of a script; collected ones (`imm no`) and those outside events have no event."""
    return {
        "type": "message",
        "event": message.event_id,
        "stage": None if message.event_id is None else STAGES[message.stage],
        "core": message.core,
        "tick": message.time,
        "pid": message.process_id,
        "tid": message.thread_id,
        "pc": message.instruction_pointer,
        **text_fields(message.text),
        "outputs": list(message.outputs),
    }


def halt_record(halt: Halt) -> dict[str, object]:
    """A break action, pause() or a breakpoint."""
    return {
        "type": "break",
        "event": halt.event_id,
        "stage": None if halt.stage is None else STAGES[halt.stage],
        "breakpoint": halt.breakpoint_id,
        "core": halt.core,
        "tick": halt.time,
        "pid": halt.process_id,
        "tid": halt.thread_id,
        "pc": halt.instruction_pointer,
        "text": halt.headline,
        "instruction": halt.instruction,
    }


def _script_fault(event: int | None, program: Loaded, fault: Fault) -> None:
    span = fault_span(program.program, fault)
    write_record(
        {
            "type": "script_error",
            "event": event,
            "kind": fault.kind.value,
            "text": fault_message(fault),
            "file": None if span is None else span.file.name,
            "line": None if span is None else span.line,
            "column": None if span is None else span.column,
        }
    )


def _finding(item: Diagnostic) -> None:
    write_record(as_object(item))


def record_outlets(shows_guest_output: bool, goes_on: Callable[[Halt], bool]) -> Outlets:
    """Outlets that write records to standard output; `goes_on` answers at a halt."""

    def message(item: Message) -> None:
        write_record(message_record(item))

    def broke(halt: Halt) -> bool:
        write_record(halt_record(halt))
        return goes_on(halt)

    def guest_output(descriptor: int, data: bytes) -> None:
        if shows_guest_output:
            write_record({"type": "guest_output", "descriptor": descriptor, **text_fields(data)})

    return Outlets(
        message=message,
        forwarded=message,
        result=lambda text: write_record({"type": "result", "text": text}),
        notice=lambda text: write_record({"type": "notice", "text": text}),
        finding=_finding,
        script_fault=_script_fault,
        code_fault=lambda event, text: write_record({"type": "code_error", "event": event, "text": text}),
        broke=broke,
        guest_output=guest_output,
    )
