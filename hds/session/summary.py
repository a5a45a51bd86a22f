"""What a session came to: its summary as a record, the statistics, and what the shell is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hds.report import Failure, FailureKind
from hds.report.records import Crash, EventCount, OutputCount, ProcessCount, Summary, UnknownCall, lost_bytes, plural
from lang import Code
from machine import StopCause

if TYPE_CHECKING:
    from hds.session.session import Session
    from lang import Span
    from machine import ProcessEnd
    from machine.events import Event

_CRASHES = (StopCause.FAULT, StopCause.INVALID, StopCause.UNMAPPED)
_DOCTOR = "`hds doctor --root DIR PROGRAM` says what the folder lacks"


def summarize(session: Session, *, interrupted: FailureKind | None = None) -> Summary:
    """What the session came to; numbers of events are those of the whole session.

    `interrupted` says what has ended it from outside.
    """
    totals, machine, last = session.totals, session.machine, session.totals.last
    return Summary(
        triggers=session.triggers,
        messages=totals.messages,
        losses=machine.messages.losses,
        instructions=session.instructions,
        script_errors=totals.script_faults,
        code_errors=totals.code_faults,
        refused_commands=totals.failed_commands,
        breaks=totals.breaks,
        unknown_calls=tuple(
            UnknownCall(number, machine.kernels.call_name(number), count)
            for number, count in machine.unknown_system_calls().items()
        ),
        reached_limits=tuple((name, getattr(session.limits, name)) for name in machine.kernels.reached_limits()),
        not_emulated=tuple(machine.not_emulated()),
        events=tuple(
            _event(event, session.event_spans.get(event.definition.id), machine.options.measure_times)
            for event in machine.registry.ever_registered
        ),
        outputs=tuple(
            OutputCount(source.name, source.kind, source.sent, source.lost, source.failure)
            for source in (*session.outputs.sources.values(), *session.outputs.logs)
        ),
        cause=interrupted.value if interrupted is not None else "none" if last is None else last.cause.value,
        stopped=why_stopped(session, interrupted),
        exit_code=guest_exit_code(session),
        crash=_crash(session),
        processes=tuple(
            ProcessCount(
                process.pid,
                process.name,
                tuple((thread.tid, machine.kernels.thread_name(thread)) for thread in process.threads),
                process.exit_code,
            )
            for process in machine.processes
        ),
    )


def _event(event: Event, span: Span | None, measured: bool) -> EventCount:
    definition = event.definition
    file, line, end_line = None, None, None
    if span is not None:
        file, line, end_line = span.file.name, span.line, span.file.position(span.end)[0]
    return EventCount(
        definition.id, definition.command, event.triggers, event.faults, definition.kind.name, event.rejections,
        event.code_faults, event.fuel, file, line, end_line, event.time_ns if measured else None,
    )  # fmt: skip


def why_stopped(session: Session, interrupted: FailureKind | None = None) -> str:
    """Why the last run came back."""
    last = session.totals.last
    if interrupted is not None:
        return interrupted.value if interrupted is FailureKind.INTERRUPTED else f"ended by {interrupted.doc}"
    if last is None:
        return "no program was run"
    ends = [end for end in last.ends if not end.is_child]
    if ends and not session.guest_alive and last.cause is not StopCause.BREAK:
        return "; ".join(end.describe(_place(session, end)) for end in ends)
    if last.cause is StopCause.DEADLOCK:
        waiting = sum(len(process.threads) for process in session.machine.processes if process.alive)
        return f"stopped: deadlock (waiting for ever: {plural(waiting, 'thread')})"
    return f"stopped: {last.cause.value}"


def _place(session: Session, end: ProcessEnd) -> str:
    """The symbol at which a process ended that did not exit."""
    process = next((process for process in session.machine.processes if process.pid == end.process_id), None)
    address = end.unhandled.address if end.unhandled is not None else None if end.reason is None else end.reason.rip
    return "" if address is None or process is None else session.symbols.place(process, address)


def _crash(session: Session) -> Crash | None:
    last = session.totals.last
    end = None if last is None else last.crash
    if end is None or end.fault is None:
        return None
    fault = end.fault
    return Crash(fault.vector, fault.name, fault.error, fault.rip, fault.address, end.crash_code)


def stopped_early(session: Session) -> bool:
    """Whether an earlier `g` of the file ended at a limit or a break: the guest is not run on then."""
    limits = (StopCause.BUDGET, StopCause.KERNEL_WORK, StopCause.TIMEOUT)
    last = session.totals.last
    others = (StopCause.BREAK, StopCause.DEADLOCK, StopCause.STOPPED)
    return last is not None and last.cause in (*limits, *others)


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
    measured = session.machine.options.measure_times
    yield f"{'event':>5}  {'triggers':>10}  {'errors':>6}  {'time (ms)  ' if measured else ''}command"
    for event in session.machine.registry.ever_registered:
        text = " ".join(event.definition.command.split())
        took = f"{event.time_ns / 1e6:>9.3f}  " if measured else ""
        yield f"{event.definition.id:>5x}  {event.triggers:>10}  {event.faults:>6}  {took}{text[:70]}"
    callbacks = sorted(session.machine.callbacks.items(), key=lambda item: (-item[1], item[0]))
    if callbacks:
        yield f"{'calls':>17}  of Python by machine code"
        yield from (f"{count:>17}  {name}" for name, count in callbacks)


def failure_of(
    session: Session,
    summary: Summary,
    *,
    interrupted: FailureKind | None = None,
    fail_on_break: bool,
    fail_on_script_errors: bool,
) -> Failure | None:
    """What the run says to the shell: the first row that applies."""
    cause = session.totals.last.cause if session.totals.last is not None else StopCause.NOTHING_LOADED
    why, end = summary.stopped, session.totals.last and session.totals.last.last
    stopped_early = summary.script_errors + summary.code_errors
    refused = plural(summary.refused_commands, "refused command")
    errors = f"{plural(summary.script_errors, 'script error')}, {plural(summary.code_errors, 'code error')}"
    lost = list(lost_bytes(summary.outputs))
    rows = (
        (interrupted is not None, Failure(interrupted or FailureKind.INTERRUPTED, why)),
        (summary.refused_commands > 0, Failure(FailureKind.COMMAND, refused, code=Code.REFUSED)),
        (cause is StopCause.EXIT and bool(end and end.not_loaded), Failure(FailureKind.LOAD, why, _DOCTOR)),
        (
            cause in _CRASHES or (cause is StopCause.EXIT and bool(end and end.unhandled)),
            Failure(FailureKind.CRASH, why),
        ),
        (cause is StopCause.PAGING, Failure(FailureKind.PAGING, why, "an event with short-circuiting skips the write")),
        (cause is StopCause.DEADLOCK, Failure(FailureKind.DEADLOCK, why)),
        (cause is StopCause.BUDGET, Failure(FailureKind.INSTRUCTIONS, why, "--max-instructions raises the limit")),
        (cause is StopCause.MEMORY, Failure(FailureKind.MEMORY, why, "--max-guest-memory raises the limit")),
        (cause is StopCause.KERNEL_WORK, Failure(FailureKind.KERNEL_WORK, why, "--max-kernel-work raises the limit")),
        (cause is StopCause.TIMEOUT, Failure(FailureKind.TIMEOUT, why, "--timeout allows more")),
        (summary.breaks > 0 and fail_on_break, Failure(FailureKind.BREAK, plural(summary.breaks, "break"))),
        (stopped_early > 0 and fail_on_script_errors, Failure(FailureKind.SCRIPT, errors)),
        (bool(lost), Failure(FailureKind.OUTPUT, ", ".join(lost))),
    )
    return next((failure for applies, failure in rows if applies), None)
