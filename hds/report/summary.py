"""What a run came to: the summary line, the statistics, the object of `--format json`, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from hds.report.failures import Failure, FailureKind
from lang.commands import Code
from machine.machine import StopCause

if TYPE_CHECKING:
    from hds.session.session import Session
    from machine.messages import Losses
    from machine.summary import ProcessEnd


def summary_line(session: Session, interrupted: bool) -> str:
    """The last line of a run."""
    totals = session.totals
    parts = [
        _plural(session.triggers, "trigger"),
        _plural(totals.messages, "message"),
        lost_messages(session.machine.messages.losses),
        _plural(session.instructions, "guest instruction"),
    ]
    counted = (
        (totals.script_faults, "script error"),
        (totals.code_faults, "code error"),
        (totals.failed_commands, "refused command"),
    )
    parts += [_plural(count, noun) for count, noun in counted if count]
    calls = session.machine.unknown_system_calls()
    if calls:
        names = (f"{session.machine.system_call_name(number)} x {calls[number]}" for number in sorted(calls))
        parts.append("system calls that failed as unknown or refused: " + ", ".join(names))
    parts += [
        f"the guest reached {name} ({getattr(session.limits, name)})" for name in session.machine.reached_limits()
    ]
    parts += lost_bytes(session)
    return "hds: " + ", ".join(parts) + "; " + why_stopped(session, interrupted)


def lost_bytes(session: Session) -> list[str]:
    """How much each output source and log lost, if it did."""
    return [
        f"{'log' if source.kind == 'log' else 'output'} {source.name} lost {_plural(source.lost, 'byte')}"
        for source in session.outputs.losses
    ]


def lost_messages(losses: Losses) -> str:
    """How many messages the user did not get, and why where that is not `flush`."""
    reasons = (
        (losses.overwritten, f"overwritten in {_plural(losses.overwritten_packets, 'packet')}"),
        (losses.unsent, "in a packet that was not full"),
    )
    told = ", ".join(f"{count} {reason}" for count, reason in reasons if count)
    return f"{losses.messages} lost" + (f" ({told})" if told else "")


def why_stopped(session: Session, interrupted: bool) -> str:
    """Why the last run came back."""
    last = session.totals.last
    if interrupted:
        return "interrupted"
    if last is None:
        return "no program was run"
    if last.ends and not session.guest_alive and last.cause is not StopCause.BREAK:
        return "; ".join(end.describe(_place(session, end)) for end in last.ends)
    return f"stopped: {last.cause.value}"


def _place(session: Session, end: ProcessEnd) -> str:
    """The symbol at which a process ended that did not exit."""
    process = next((process for process in session.machine.processes if process.pid == end.process_id), None)
    return "" if end.reason is None or process is None else session.symbols.place(process, end.reason.rip)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def guest_exit_code(session: Session) -> int | None:
    """The exit code with which the last run ended the guest; None where a break ended it, even at the guest's end."""
    last = session.totals.last
    return None if last is None or last.cause is StopCause.BREAK else last.exit_code


def statistics(session: Session, seconds: float) -> Iterator[str]:
    """The lines of `--stats`: real time, and a table of the events, cleared ones too."""
    triggers, instructions = session.triggers, session.instructions
    rate = (
        f"{triggers / seconds:,.0f} triggers and {instructions / seconds:,.0f} instructions a second" if seconds else ""
    )
    yield f"{seconds:.3f} s: {rate}"
    yield f"{'event':>5}  {'triggers':>10}  {'errors':>6}  command"
    for event in session.machine.registry.ever_registered:
        text = " ".join(event.definition.command.split())
        yield f"{event.definition.id:>5x}  {event.triggers:>10}  {event.faults:>6}  {text[:70]}"
    callbacks = sorted(session.machine.callbacks.items(), key=lambda item: (-item[1], item[0]))
    if callbacks:
        yield f"{'calls':>17}  of Python by machine code"
        yield from (f"{count:>17}  {name}" for name, count in callbacks)


def summary_object(session: Session, interrupted: bool) -> dict[str, object]:
    """The last record of `--format json`; numbers of events are those of the whole session."""
    totals, last = session.totals, session.totals.last
    losses = session.machine.messages.losses
    return {
        "type": "summary",
        "triggers": session.triggers,
        "messages": totals.messages,
        "lost_messages": losses.messages,
        "lost": asdict(losses),
        "instructions": session.instructions,
        "script_errors": totals.script_faults,
        "code_errors": totals.code_faults,
        "refused_commands": totals.failed_commands,
        "breaks": totals.breaks,
        "unknown_system_calls": {f"{n:x}": count for n, count in session.machine.unknown_system_calls().items()},
        "reached_limits": session.machine.reached_limits(),
        "events": [
            {
                "event": event.definition.id,
                "command": event.definition.command,
                "triggers": event.triggers,
                "errors": event.faults,
            }
            for event in session.machine.registry.ever_registered
        ],
        "outputs": [
            {
                "name": source.name,
                "type": source.kind,
                "sent": source.sent,
                "lost": source.lost,
                "failure": source.failure,
            }
            for source in (*session.outputs.sources.values(), *session.outputs.logs)
        ],
        "cause": "interrupted" if interrupted else "none" if last is None else last.cause.value,
        "stopped": why_stopped(session, interrupted),
        "exit_code": guest_exit_code(session),
    }


def failure_of(
    session: Session, *, interrupted: bool, fail_on_break: bool, fail_on_script_errors: bool
) -> Failure | None:
    """What the run says to the shell: the first row that applies."""
    totals = session.totals
    cause = totals.last.cause if totals.last is not None else StopCause.NOTHING_LOADED
    why = why_stopped(session, interrupted)
    stopped_early = totals.script_faults + totals.code_faults
    refused = _plural(totals.failed_commands, "refused command")
    errors = f"{_plural(totals.script_faults, 'script error')}, {_plural(totals.code_faults, 'code error')}"
    rows = (
        (interrupted, Failure(FailureKind.INTERRUPTED, why)),
        (totals.failed_commands > 0, Failure(FailureKind.COMMAND, refused, code=Code.REFUSED)),
        (cause in (StopCause.FAULT, StopCause.INVALID, StopCause.UNMAPPED), Failure(FailureKind.CRASH, why)),
        (cause is StopCause.BUDGET, Failure(FailureKind.INSTRUCTIONS, why, "--max-instructions raises the limit")),
        (cause is StopCause.TIMEOUT, Failure(FailureKind.TIMEOUT, why, "--timeout allows more")),
        (totals.breaks > 0 and fail_on_break, Failure(FailureKind.BREAK, _plural(totals.breaks, "break"))),
        (stopped_early > 0 and fail_on_script_errors, Failure(FailureKind.SCRIPT, errors)),
        (bool(session.outputs.losses), Failure(FailureKind.OUTPUT, ", ".join(lost_bytes(session)))),
    )
    return next((failure for applies, failure in rows if applies), None)
