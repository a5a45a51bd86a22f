"""ptrace(2): one guest process looks at another one and changes it, at its signals, calls and steps.

A thread that is traced stops before a signal comes to it, at a call it makes, or behind an instruction, and waits until
its tracer has it go on. Init, which is the tracer of a program that nobody here has started, lets everything pass.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import msgspec

from machine.kernel.linux import signals
from machine.kernel.linux.signal_frame import SignalInfo
from machine.kernel.linux.task import SIGCHLD, SIGTRAP, Task, ThreadGroup
from machine.schedule import Suspension

OPTIONS = 0x30_00FF
SYSGOOD, EXITKILL, TRACEEXEC = 1, 1 << 20, 1 << 4
EVENT_EXEC, EVENT_EXIT, EVENT_STOP = 4, 6, 128
TRACEEXIT = 1 << 6
_FORK, _VFORK, _CLONE = ((1 << event, event) for event in (1, 2, 3))  # options, and their events
_CLONE_PTRACE, _CLONE_VFORK, _CLONE_UNTRACED = 0x2000, 0x4000, 0x80_0000
STOPPED = 0x7F
_CLD_TRAPPED = 4
_TRAP_BRKPT = 1


class Until(Enum):
    """Where a thread stops besides at its signals."""

    SIGNAL = "signal"
    CALL = "call"
    STEP = "step"


class Stage(Enum):
    """What a thread is stopped at, as PTRACE_GET_SYSCALL_INFO tells it."""

    NONE = 0
    ENTRY = 1
    EXIT = 2


class Trace(msgspec.Struct, eq=False):
    """What is kept of a thread that is traced; `tracer` is None for init. `code` is why it is stopped, 0: it is not.

    `news` is the status that the tracer has not waited for. `call` is the number of the call at whose stop it is or
    was, -1 outside of any. `injected` is the signal with which it goes on. `is_over`: the thread has ended.
    """

    tracer: ThreadGroup | None
    options: int = 0
    is_seized: bool = False
    until: Until = Until.SIGNAL
    code: int = 0
    info: SignalInfo | None = None
    news: int | None = None
    call: int = -1
    in_call: bool = False
    stage: Stage = Stage.NONE
    is_over: bool = False
    injected: int = 0
    message: int = 0
    event: tuple[int, int] | None = None  # one that is to be told at the end of the call, and its message
    stopped_by: int = 0  # the signal of the stop in which it is taken over
    is_notified: bool = False  # its process went on since it stopped
    is_listening: bool = False  # it stays stopped, and what happens is told
    continued: Callable[[], None] = lambda: None  # is called when SIGCONT is raised for its process


def listens(task: Task) -> Trace | None:
    """The trace of a thread whose tracer is asked."""
    trace = task.trace
    return trace if trace is not None and trace.tracer is not None else None


def begin(task: Task, tracer: ThreadGroup | None, options: int = 0, *, is_seized: bool = False) -> None:
    """Have a thread traced."""
    task.trace = Trace(tracer, options, is_seized, continued=lambda: _continued(task))
    task.look_at_calls()
    if tracer is not None:
        tracer.tracees.append(task)
    process = task.threads.process
    if tracer is not None and process.is_stopped and len(task.threads.tasks) == 1:
        process.go_on()
        if is_seized:
            task.trace.stopped_by = task.threads.stopped_by
            interrupt(task)


def born(task: Task, child: Task, flags: int) -> None:
    """A tracer that wants to has the threads and processes that a thread makes, too; `flags` are those of clone."""
    trace = listens(task)
    if trace is None:
        return
    is_thread = child.threads is task.threads or child.threads.exit_signal != SIGCHLD
    option, event = _VFORK if flags & _CLONE_VFORK else _CLONE if is_thread else _FORK
    if trace.options & option and not flags & _CLONE_UNTRACED:
        _take_over(child, trace)
        trace.event = event, child.tid
    elif flags & _CLONE_PTRACE:
        _take_over(child, trace)


def _take_over(child: Task, trace: Trace) -> None:
    """A tracer has what a thread makes that it traces: it begins with a stop."""
    begin(child, trace.tracer, trace.options, is_seized=trace.is_seized)
    if trace.is_seized:
        interrupt(child)
    else:
        child.pending.add(SignalInfo(signals.SIGSTOP, signals.SI_USER))
        child.has_signal = True
        child.awaken(child)


def interrupt(task: Task) -> None:
    """A thread that was seized stops as soon as it can."""
    trace = listens(task)
    if trace is not None and trace.event is None and not trace.code:
        trace.event = EVENT_STOP, 0
        task.has_signal = True
        task.awaken(task)


def stop(task: Task, code: int, info: SignalInfo | None, then: Callable[[], None], stage: Stage = Stage.NONE) -> None:
    """A thread stops, and its tracer is told; `then` is called when it goes on."""
    trace = task.trace
    if trace is None or trace.tracer is None:
        return
    trace.code, trace.info, trace.news, trace.injected = code, info, code << 8 | STOPPED, 0
    trace.stage = stage
    signals.send_to_group(trace.tracer, child_info(task, code & 0x7F))
    task.thread.suspend(Suspension(lambda: not trace.code, None, lambda late: then()))


def group_stop(task: Task, signal: int, then: Callable[[], None]) -> None:
    """A thread stops since a signal stops its process; who has seized it is told so."""
    trace = task.trace
    if trace is not None and trace.is_seized:
        code = signal | EVENT_STOP << 8
        stop(task, code, own_info(task, code, signal), then)
    else:
        stop(task, signal, None, then)


def stop_again(task: Task) -> None:
    """A thread that listens stops once more, so that its tracer hears of it."""
    trace = listens(task)
    if trace is None or trace.tracer is None:
        return
    trace.is_listening = False
    trace.code = SIGTRAP | EVENT_STOP << 8
    trace.info, trace.news = own_info(task, trace.code), trace.code << 8 | STOPPED
    signals.send_to_group(trace.tracer, child_info(task, SIGTRAP))


def _continued(task: Task) -> None:
    """SIGCONT is raised: who has seized a thread is told before it comes."""
    trace = listens(task)
    if trace is None or not trace.is_seized:
        return
    trace.stopped_by = 0
    if trace.is_listening:
        stop_again(task)
    elif trace.code:
        trace.is_notified = True
    else:
        interrupt(task)


def step_info(address: int) -> SignalInfo:
    """What is told of a step over a call."""
    return SignalInfo(SIGTRAP, _TRAP_BRKPT, address)


def own_info(task: Task, code: int, signal: int = SIGTRAP) -> SignalInfo:
    """What is told of a stop that no signal has made."""
    return SignalInfo(signal, code, sender=(task.tid, task.user))


def child_info(task: Task, code: int) -> SignalInfo:
    """What a tracer is told when a thread stops."""
    return SignalInfo(SIGCHLD, _CLD_TRAPPED, sender=(task.tid, task.user), more=code.to_bytes(4, "little"))


def end(task: Task, signal: int = 0) -> None:
    """A thread is traced no more, and goes on."""
    trace = task.trace
    if trace is None:
        return
    if trace.tracer is not None:
        trace.tracer.tracees.remove(task)
    task.trace = None
    trace.code, trace.injected, trace.until = 0, signal, Until.SIGNAL


def tracer_ended(group: ThreadGroup) -> None:
    """What a process has traced goes on, or ends with it."""
    for task in list(group.tracees):
        kills = task.trace is not None and task.trace.options & EXITKILL
        if task.threads.has_ended or (task.trace is not None and task.trace.is_over):
            group.tracees.remove(task)
            continue
        end(task)
        if kills:
            signals.die(task.threads, signals.SIGKILL)


def ended(group: ThreadGroup, task: Task, status: int) -> None:
    """A traced thread has ended: its tracer can wait for that, but for a child's first thread, which is the child."""
    trace = task.trace
    if trace is None or trace.tracer is None or trace.is_over:
        return
    trace.code, trace.is_over = 0, True
    if trace.tracer is group.parent and task.tid == group.pid:
        trace.tracer.tracees.remove(task)
        return
    trace.news = status
    signals.send_to_group(trace.tracer, SignalInfo(SIGCHLD, signals.SI_USER, sender=(task.tid, task.user)))


def is_hidden(group: ThreadGroup) -> bool:
    """Whether a process that has ended is its tracer's to wait for first."""
    return any(each.threads is group for other in group.table.values() for each in other.tracees)
