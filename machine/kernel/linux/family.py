"""The processes of Linux guests: who has made whom, how they end, and what their makers are told (kernel/exit.c)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from machine.kernel.happenings import Ended
from machine.kernel.linux import signals, timers, tracing
from machine.kernel.linux.robust_locks import leave_locks
from machine.kernel.linux.signal_frame import SignalInfo
from machine.kernel.linux.task import INIT_ID, SIGCHLD, Task, ThreadGroup

STOPPED, CONTINUED = 0x7F, 0xFFFF  # what a status says besides
_CLD_EXITED, _CLD_KILLED, _CLD_DUMPED, _CLD_STOPPED, _CLD_CONTINUED = 1, 2, 3, 5, 6
_SA_NOCLDSTOP, _SA_NOCLDWAIT = 1, 2
_SIGNAL_BASE = 128  # exit codes above are signals


def enlist(group: ThreadGroup) -> None:
    """A process is there."""
    group.table[group.pid] = group
    if group.parent is not None:
        group.parent.children.append(group)
    group.process.on_end = lambda: _ended(group)
    group.on_stopped = lambda signal: _tell_state(group, signal << 8 | STOPPED)
    group.on_continued = lambda: _tell_state(group, CONTINUED)


def succeed(group: ThreadGroup) -> None:
    """A process executes another program: another one stands in its place."""
    group.process.on_end = lambda: _ended(group)
    group.exit_signal = SIGCHLD
    if group.process.cpu_alarm is not None:
        timers.arm_cpu_alarm(group)


def living(group: ThreadGroup) -> Iterator[ThreadGroup]:
    """All processes of the machine that have not ended."""
    return (each for each in list(group.table.values()) if not each.has_ended)


def status_of(group: ThreadGroup) -> int:
    """The status with which a process has ended, as wait tells it."""
    if group.killed_by:
        return group.killed_by
    process = group.process
    if process.exit_code is not None:
        return (process.exit_code & 0xFF) << 8
    if process.crash_code is not None:
        return process.crash_code - _SIGNAL_BASE
    return group.crashed_by or signals.SIGKILL


def code_and_value(status: int) -> tuple[int, int]:
    """The si_code and the si_status of a status."""
    if status == CONTINUED:
        return _CLD_CONTINUED, signals.SIGCONT
    if status & 0xFF == STOPPED:
        return _CLD_STOPPED, status >> 8
    return (_CLD_KILLED, status & 0x7F) if status & 0x7F else (_CLD_EXITED, status >> 8)


def child_info(group: ThreadGroup, status: int, signal: int = SIGCHLD) -> SignalInfo:
    """What is told of a child."""
    code, value = code_and_value(status)
    return SignalInfo(signal, code, sender=(group.pid, group.user), more=value.to_bytes(4, "little"))


def _ended(group: ThreadGroup) -> None:
    """A process has ended: its locks and files are let go, its children get another parent, its own one is told."""
    group.has_ended = True
    group.status = status = status_of(group)
    group.tell(Ended(group.process, status >> 8 & 0xFF, status & 0x7F))
    group.cpu_time = group.process.cpu_time
    if group.terminal is not None and group.session == group.pid:
        group.terminal.abandon(group)
    group.end_timers(all_of_them=True)
    for task in list(group.tasks.values()):
        task.files.let_go()
    group.leave_ipc(group)
    hidden = [each.threads for each in group.tracees if each.threads.has_ended]
    tracing.tracer_ended(group)
    for each in hidden:
        tell_late(each)
    for task in list(group.tasks.values()):
        tracing.ended(group, task, group.status)
        leave_locks(task)
        group.everybody.pop(task.thread, None)
        if task.waiter is not None:
            task.futexes.remove(task.waiter)
    heir = _heir_of(group)
    for child in list(group.children):
        child.parent = heir
        if heir is not None:
            heir.children.append(child)
        elif child.has_ended:
            child.table.pop(child.pid, None)
        if child.has_ended and heir is not None:
            _tell_of_end(child, heir)
        else:
            _tell_of_death(child)
    group.children.clear()
    if group.parent is None:
        group.table.pop(group.pid, None)
    elif not tracing.is_hidden(group):
        _tell_of_end(group, group.parent)


def tell_late(group: ThreadGroup) -> None:
    """The tracer of a process that has ended, or of one of its threads, knows it: the parent is told with the last."""
    if group.has_ended and group.parent is not None and not tracing.is_hidden(group):
        _tell_of_end(group, group.parent)


def maker_ended(task: Task) -> None:
    """A thread has ended, and others of its process have not: the processes that it has made are told of it."""
    for child in task.threads.children:
        if child.maker == task.tid:
            _tell_of_death(child)


def _tell_of_death(child: ThreadGroup) -> None:
    """PR_SET_PDEATHSIG's signal, to each of its threads that wants it."""
    for task in [] if child.has_ended else list(child.tasks.values()):
        if task.parent_death_signal:
            signals.send_to_group(child, SignalInfo(task.parent_death_signal, signals.SI_USER))


def _heir_of(group: ThreadGroup) -> ThreadGroup | None:
    """Who gets a process's children: the nearest ancestor that wants them, or init (None)."""
    above = group.parent
    while above is not None and (above.has_ended or not above.is_subreaper):
        above = above.parent
    return above


def _tell_of_end(group: ThreadGroup, parent: ThreadGroup) -> None:
    """The exit signal; a parent that does not want to wait does not have to."""
    action = parent.action(SIGCHLD)
    ignores = group.exit_signal == SIGCHLD and (action.handler == signals.SIG_IGN or action.flags & _SA_NOCLDWAIT)
    if group.exit_signal and not (group.exit_signal == SIGCHLD and action.handler == signals.SIG_IGN):
        signals.send_to_group(parent, child_info(group, group.status, group.exit_signal))
    if ignores:
        reap(group)


def reap(group: ThreadGroup) -> None:
    """A process that has ended is waited for no more."""
    group.table.pop(group.pid, None)
    if group.parent is not None:
        group.parent.children_time += group.cpu_time + group.children_time
        group.parent.children.remove(group)


def _tell_state(group: ThreadGroup, status: int) -> None:
    """A process was stopped, or goes on: its parent can wait for that, and is told unless it does not want to be."""
    group.state_change = status
    parent = group.parent
    if parent is not None and not parent.action(SIGCHLD).flags & _SA_NOCLDSTOP:
        signals.send_to_group(parent, child_info(group, status))


def chosen_by(task: Task, which: int) -> list[ThreadGroup]:
    """The processes that kill(2) means by a number that is not positive."""
    own = task.threads
    if which == -1:
        return [group for group in living(own) if group is not own and group.pid != INIT_ID]
    wanted = own.process_group if which == 0 else -which
    return [group for group in living(own) if group.process_group == wanted]


def selected(task: Task, wanted: Callable[[ThreadGroup], bool]) -> list[ThreadGroup]:
    """The children that a wait is about."""
    return [child for child in task.threads.children if wanted(child)]
