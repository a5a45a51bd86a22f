"""What a run came to: its last record."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec

from hds.report.records.shown import Line
from hds.report.records.texts import Address, Wide
from machine import Losses

SCHEMA_VERSION = "1.3"


class UnknownCall(msgspec.Struct, frozen=True):
    """A system call that the kernel does not carry out, and how often it was made."""

    number: int
    name: str
    count: int


class EventCount(msgspec.Struct, frozen=True):
    """What an event did. `triggers` counts how often its actions ran, `rejections` how often its condition was false.

    `errors` are the scripts among the triggers that stopped early, `code_errors` the conditions and code blocks. `fuel`
    is what its scripts executed, in the unit of `max_steps`. `file`, `line` and `end_line` (from 1) are the command's.
    `time_ns` is the real time of its condition and actions, None where it is not measured.
    """

    number: int
    command: str
    triggers: int
    errors: int
    kind: str = ""
    rejections: int = 0
    code_errors: int = 0
    fuel: int = 0
    file: str | None = None
    line: int | None = None
    end_line: int | None = None
    time_ns: int | None = None


class ProcessCount(msgspec.Struct, frozen=True):
    """A process that the session still has at its end: its name, its threads' names by id, its exit code."""

    process_id: int
    name: str
    threads: tuple[tuple[int, str], ...]
    exit_code: int | None


class OutputCount(msgspec.Struct, frozen=True):
    """What became of the bytes sent to an output source or a log; `failure` says why it ended early."""

    name: str
    kind: str
    sent: int
    lost: int
    failure: str | None


class Crash(msgspec.Struct, frozen=True):
    """The exception that ended the guest; `address` is that of a page fault.

    `exit_code` is what a real system gives a user program then; None where there is none.
    """

    vector: int
    name: str
    error_code: int
    rip: int
    address: int | None
    exit_code: int | None


class Summary(msgspec.Struct, frozen=True):
    """What a session came to. `cause` is a word, `stopped` a line; `reached_limits` are names and values.

    `not_emulated` names what the guest has asked for and did not get: modes of the processor, files of /proc and /sys.
    """

    triggers: int
    messages: int
    losses: Losses
    instructions: int
    script_errors: int
    code_errors: int
    refused_commands: int
    breaks: int
    unknown_calls: tuple[UnknownCall, ...]
    reached_limits: tuple[tuple[str, int], ...]
    not_emulated: tuple[str, ...]
    events: tuple[EventCount, ...]
    outputs: tuple[OutputCount, ...]
    cause: str
    stopped: str
    exit_code: int | None
    crash: Crash | None = None
    processes: tuple[ProcessCount, ...] = ()


class LostObject(TypedDict):
    """Messages that the user did not get, by what became of them."""

    flushed: int
    overwritten: int
    overwritten_packets: int
    unsent: int


class EventObject(TypedDict):
    """An event of the session, cleared ones too; its place is that of its command, lines from 1."""

    event: int
    kind: str
    command: str
    file: str | None
    line: int | None
    end_line: int | None
    triggers: Annotated[int, "how often its condition, if it has one, was true and its actions ran"]
    rejections: Annotated[int, "how often its condition was false"]
    fuel: Annotated[int, "what its scripts executed, in the unit of max_steps"]
    errors: Annotated[int, "scripts that stopped early"]
    code_errors: Annotated[int, "conditions and code blocks that stopped early"]
    time_ns: NotRequired[Annotated[int, "real time of its condition and actions, in nanoseconds (--record times)"]]


class ProcessObject(TypedDict):
    """A process that the session has at its end, and the names of its threads by id (decimal)."""

    pid: int
    name: str
    threads: dict[str, str]
    exit_code: int | None


class OutputObject(TypedDict):
    """An output source, or a log; sent and lost count bytes."""

    name: str
    type: str
    sent: int
    lost: int
    failure: str | None


class CrashObject(TypedDict):
    """The exception that ended the guest."""

    vector: int
    name: Annotated[str, "the mnemonic, as #GP"]
    error_code: int
    rip: Address
    address: Annotated[int | None, Wide("of a page fault")]
    exit_code: Annotated[int | None, "what a real system gives a user program then"]


class SummaryObject(TypedDict):
    """The last record of a run; numbers of events are those of the whole session."""

    type: Literal["summary"]
    schema: Annotated[str, "the version of the schema of all records"]
    triggers: int
    messages: int
    lost_messages: int
    lost: LostObject
    instructions: int
    script_errors: int
    code_errors: int
    refused_commands: int
    breaks: int
    unknown_system_calls: Annotated[dict[str, int], "how often, by number (hexadecimal)"]
    reached_limits: list[str]
    not_emulated: Annotated[
        list[str], "what the guest has asked for and did not get: modes of the processor, files of /proc and /sys"
    ]
    events: list[EventObject]
    outputs: list[OutputObject]
    cause: str
    stopped: str
    exit_code: Annotated[int | None, "of the guest"]
    crash: CrashObject | None
    processes: list[ProcessObject]


def as_object(summary: Summary) -> SummaryObject:
    """The record of JSON mode."""
    losses = summary.losses
    return {
        "type": "summary",
        "schema": SCHEMA_VERSION,
        "triggers": summary.triggers,
        "messages": summary.messages,
        "lost_messages": losses.messages,
        "lost": {
            "flushed": losses.flushed,
            "overwritten": losses.overwritten,
            "overwritten_packets": losses.overwritten_packets,
            "unsent": losses.unsent,
        },
        "instructions": summary.instructions,
        "script_errors": summary.script_errors,
        "code_errors": summary.code_errors,
        "refused_commands": summary.refused_commands,
        "breaks": summary.breaks,
        "unknown_system_calls": {f"{call.number:x}": call.count for call in summary.unknown_calls},
        "reached_limits": [name for name, _ in summary.reached_limits],
        "not_emulated": list(summary.not_emulated),
        "events": [_event(event) for event in summary.events],
        "outputs": [
            {"name": one.name, "type": one.kind, "sent": one.sent, "lost": one.lost, "failure": one.failure}
            for one in summary.outputs
        ],
        "cause": summary.cause,
        "stopped": summary.stopped,
        "exit_code": summary.exit_code,
        "crash": None if summary.crash is None else _crash(summary.crash),
        "processes": [
            {
                "pid": process.process_id,
                "name": process.name,
                "threads": {str(number): name for number, name in process.threads},
                "exit_code": process.exit_code,
            }
            for process in summary.processes
        ],
    }


def _event(event: EventCount) -> EventObject:
    made: EventObject = {
        "event": event.number,
        "kind": event.kind,
        "command": event.command,
        "file": event.file,
        "line": event.line,
        "end_line": event.end_line,
        "triggers": event.triggers,
        "rejections": event.rejections,
        "fuel": event.fuel,
        "errors": event.errors,
        "code_errors": event.code_errors,
    }
    if event.time_ns is not None:
        made["time_ns"] = event.time_ns
    return made


def _crash(crash: Crash) -> CrashObject:
    return {
        "vector": crash.vector,
        "name": crash.name,
        "error_code": crash.error_code,
        "rip": crash.rip,
        "address": crash.address,
        "exit_code": crash.exit_code,
    }


def shown(summary: Summary) -> Line:
    """The last line of a run, behind one for each event whose time was measured."""
    last = "hds: " + ", ".join(_parts(summary)) + "; " + summary.stopped
    return Line("\n".join((*_times(summary.events), last)), logged=False)


def _times(events: Iterable[EventCount]) -> Iterator[str]:
    for event in events:
        if event.time_ns is not None:
            tried = event.triggers + event.rejections
            each = f", {event.time_ns / tried:,.0f} ns each" if tried else ""
            yield f"event {event.number:x}: {event.time_ns / 1e6:,.3f} ms for {plural(tried, 'trigger')}{each}"


def _parts(summary: Summary) -> Iterator[str]:
    yield plural(summary.triggers, "trigger")
    yield plural(summary.messages, "message")
    yield lost_messages(summary.losses)
    yield plural(summary.instructions, "guest instruction")
    counted = (
        (summary.script_errors, "script error"),
        (summary.code_errors, "code error"),
        (summary.refused_commands, "refused command"),
    )
    yield from (plural(count, noun) for count, noun in counted if count)
    if summary.unknown_calls:
        calls = sorted(summary.unknown_calls, key=lambda call: call.number)
        names = ", ".join(f"{call.name} x {call.count}" for call in calls)
        yield f"system calls that failed as unknown or refused: {names}"
    yield from (f"the guest reached {name} ({value})" for name, value in summary.reached_limits)
    if summary.not_emulated:
        yield f"not emulated: {', '.join(summary.not_emulated)}"
    yield from lost_bytes(summary.outputs)


def lost_bytes(outputs: Iterable[OutputCount]) -> Iterator[str]:
    """How much each output source and log lost, if it did."""
    for one in outputs:
        if one.lost:
            yield f"{'log' if one.kind == 'log' else 'output'} {one.name} lost {plural(one.lost, 'byte')}"


def lost_messages(losses: Losses) -> str:
    """How many messages the user did not get, and why where that is not `flush`."""
    reasons = (
        (losses.overwritten, f"overwritten in {plural(losses.overwritten_packets, 'packet')}"),
        (losses.unsent, "in a packet that was not full"),
    )
    told = ", ".join(f"{count} {reason}" for count, reason in reasons if count)
    return f"{losses.messages} lost" + (f" ({told})" if told else "")


def plural(count: int, noun: str) -> str:
    """A number of things, in decimal."""
    return f"{count} {noun}" + ("" if count == 1 else "s")
