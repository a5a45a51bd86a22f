"""Signals: how they are raised, what becomes of them, how a handler is entered and left. The calls stand in `calls`.

A signal that is blocked stays pending. One that has a handler is looked at before its thread goes on in user mode: the
handler begins with a frame on the stack (`signal_frame`). One whose default action ends the process ends it with 128 +
its number, as a shell tells it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from machine.kernel.happenings import Signalled
from machine.kernel.linux.errors import LinuxError
from machine.kernel.linux.pending import Pending
from machine.kernel.linux.signal_frame import (
    FRAME_BYTES,
    RESTORED_FLAGS,
    SIGINFO_BYTES,
    Context,
    SignalInfo,
    Trap,
    in_handler,
    place_below,
    stack_for,
)
from machine.kernel.linux.space import USER_SPACE
from machine.kernel.linux.task import SIGCHLD, SIGTRAP, SS_DISABLE, SignalAction, Task, ThreadGroup
from machine.processor import FXSAVE_BYTES, INITIAL_FXSAVE, DebugStatus, Fault, PageFault, Vector
from vm.facts.paging import EXECUTE, READ, WRITE
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX

if TYPE_CHECKING:
    from machine.kernel.linux.seccomp import Question

SIGNALS = 64
SIGILL, SIGBUS, SIGFPE, SIGKILL, SIGSEGV, SIGPIPE, SIGALRM, SIGXFSZ = 4, 7, 8, 9, 11, 13, 14, 25
SIGCONT, SIGSTOP, SIGVTALRM, SIGPROF, SIGSYS = 18, 19, 26, 27, 31
STOPS = (SIGSTOP, 20, 21, 22)
IGNORED = (SIGCHLD, SIGCONT, 23, 28)  # CHLD, CONT, URG, WINCH
_SYNCHRONOUS = (SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS)
SIG_DFL, SIG_IGN = 0, 1
UNBLOCKABLE = 1 << (SIGKILL - 1) | 1 << (SIGSTOP - 1)
_SA_RESTORER, _SA_ONSTACK, _SA_RESTART, _SA_NODEFER, _SA_RESETHAND = 1 << 26, 1 << 27, 1 << 28, 1 << 30, 1 << 31
SS_ONSTACK, SS_AUTODISARM = 1, 1 << 31
SI_USER, SI_TKILL, SI_KERNEL = 0, -6, 0x80
_SEGV_MAPERR, _SEGV_ACCERR, _BUS_ADRERR = 1, 2, 2
_SYS_SECCOMP = 1
_TRAP_BRKPT, _TRAP_TRACE, _TRAP_HWBKPT = 1, 2, 4
_RF = 1 << 16
_SYSCALL_LENGTH = 2
_RAX, _RSP = STORAGE_INDEX["rax"], STORAGE_INDEX["rsp"]

# What exceptions are to a program (arch/x86/kernel/traps.c): the signal, and its code where that is no SI_KERNEL.
_FAULTS: dict[int, tuple[int, int | None]] = {
    Vector.DE: (SIGFPE, 1), Vector.DB: (SIGTRAP, _TRAP_BRKPT), Vector.BP: (SIGTRAP, None), Vector.OF: (SIGSEGV, None),
    Vector.BR: (SIGSEGV, None), Vector.UD: (SIGILL, 2), Vector.DF: (SIGSEGV, None), Vector.TS: (SIGSEGV, None),
    Vector.NP: (SIGBUS, None), Vector.SS: (SIGBUS, None), Vector.GP: (SIGSEGV, None), Vector.MF: (SIGFPE, 0),
    Vector.AC: (SIGBUS, 1), Vector.XM: (SIGFPE, 0),
}  # fmt: skip


# --- raising


def send(task: Task, signal: int) -> None:
    """Raise a signal for the thread itself."""
    send_to(task, from_user(task, signal), task)


def from_user(task: Task, signal: int, code: int = SI_USER) -> SignalInfo:
    """What is told of a signal that a program has raised."""
    return SignalInfo(signal, code, sender=(task.process.pid, task.user))


def send_to_group(group: ThreadGroup, info: SignalInfo) -> None:
    """Raise a signal for a process."""
    if not group.has_ended and group.tasks:
        send_to(next(iter(group.tasks.values())), info, None)


def send_to(task: Task, info: SignalInfo, target: Task | None) -> bool:
    """Raise a signal for a thread of the process, or for whichever does not block it: it stays pending where all do.

    False where too many are pending.
    """
    signal, group = info.number, task.threads
    if signal in STOPS:
        forget(task, (SIGCONT,))
    elif signal == SIGCONT:
        forget(task, STOPS)
        for each in group.tasks.values():
            if each.trace is not None:
                each.trace.continued()
        if group.process.is_stopped:
            group.process.go_on()
            group.on_continued()
    takers = [each for each in task.threads.tasks.values() if target in (None, each) and not is_blocked(each, signal)]
    handler = _action(task, signal).handler
    is_traced = signal != SIGKILL and any(each.trace is not None and each.trace.tracer for each in takers)
    if takers and not is_traced and handler in (SIG_DFL, SIG_IGN):
        group.tell(Signalled((task if task in takers else takers[0]).thread, info.data))
    if takers and not is_traced and (handler == SIG_IGN or (handler == SIG_DFL and signal in IGNORED)):
        return True
    if takers and not is_traced and handler == SIG_DFL:
        act_by_default(group, signal)
        return True
    if not (group if target is None else target).pending.add(info):
        return False
    if takers:
        _awaken(task if task in takers else takers[0])
    return True


def act_by_default(group: ThreadGroup, signal: int) -> None:
    """What a signal does to a process that has said nothing about it."""
    if signal in STOPS:
        group.process.stop()
        group.stopped_by = signal
        group.on_stopped(signal)
    elif signal not in IGNORED:
        die(group, signal)


def die(group: ThreadGroup, signal: int) -> None:
    """A signal ends a process."""
    if group.process.alive:
        group.killed_by = group.process.killed_by = signal
        group.process.exit(128 + signal)


def _awaken(task: Task) -> None:
    if not task.has_signal:
        task.has_signal = True
        task.awaken(task)


def block(task: Task, mask: int) -> None:
    """Block these signals; pending ones that no longer are come before the thread goes on."""
    task.blocked = mask & ~UNBLOCKABLE
    if any(not is_blocked(task, signal) for _, signal in in_order(task)):
        task.has_signal = True


def is_blocked(task: Task, signal: int) -> bool:
    """Whether the thread has blocked it."""
    return bool(task.blocked >> (signal - 1) & 1)


def in_order(task: Task) -> list[tuple[Pending, int]]:
    """Pending signals as they are delivered, with the set that each is in: the thread's own first, then by number."""
    if not (task.pending or task.threads.pending):
        return []
    rows = [(pending, signal) for pending in (task.pending, task.threads.pending) for signal in pending]
    return sorted(rows, key=lambda row: (row[0] is not task.pending, row[1] not in _SYNCHRONOUS, row[1]))


def forget(task: Task, signals: tuple[int, ...]) -> None:
    """No thread of the process has these pending any more."""
    for pending in (task.threads.pending, *(each.pending for each in task.threads.tasks.values())):
        pending.forget(signals)


def _action(task: Task, signal: int) -> SignalAction:
    return task.actions.get(signal, SignalAction())


# --- handlers


def take(task: Task) -> SignalInfo | None:
    """The next signal that comes to a thread."""
    row = next((row for row in in_order(task) if not is_blocked(task, row[1])), None)
    return None if row is None else row[0].take(row[1])


def deliver(
    task: Task, registers: dict[int, int], given: Iterator[SignalInfo] | None = None, *, in_call: bool = False
) -> bool:
    """Before a thread goes on with these registers in user mode: whether it goes on otherwise, with what they are then.

    `given` are the signals that come to it, instead of those that are pending. The process may have ended. `in_call`
    says that a call is over, whose result the registers have.
    """
    task.has_signal, entered = False, False
    result = registers[_RAX] if in_call else None
    if given is not None:
        task.has_signal = any(not is_blocked(task, signal) for _, signal in in_order(task))
    while task.process.alive:
        info = take(task) if given is None else next(given, None)
        if info is None:
            break
        signal = info.number
        action = _action(task, signal)
        task.threads.tell(Signalled(task.thread, info.data, result, task.restart is not None))
        if action.handler == SIG_IGN:
            continue
        if action.handler == SIG_DFL:
            act_by_default(task.threads, signal)
            continue
        if task.restart is not None and action.flags & _SA_RESTART:
            registers[RIP] -= _SYSCALL_LENGTH
            registers[_RAX] = task.restart
        task.restart = None
        if not _enter(task, info, registers):
            die(task.threads, SIGSEGV)
            break
        entered = True
    if task.restart is not None:  # somebody else has taken the signal
        registers[RIP] -= _SYSCALL_LENGTH
        registers[_RAX], task.restart, entered = task.restart, None, True
    if task.saved_mask is not None:
        block(task, task.saved_mask)
        task.saved_mask = None
    return entered


def _enter(task: Task, info: SignalInfo, registers: dict[int, int]) -> bool:
    """Let the handler of a signal begin; where its frame has no place, that of SIGSEGV. False: neither can."""
    if _push_frame(task, info, registers):
        return True
    if info.number == SIGSEGV or not _is_handled(task, SIGSEGV):
        return False
    return _push_frame(task, SignalInfo(SIGSEGV, SI_KERNEL, 0), registers)


def _is_handled(task: Task, signal: int) -> bool:
    """Whether there is a handler, which may be run."""
    return _action(task, signal).handler not in (SIG_DFL, SIG_IGN) and not is_blocked(task, signal)


def _push_frame(task: Task, info: SignalInfo, registers: dict[int, int]) -> bool:
    action, cpu = _action(task, info.number), task.process.cpu
    pointer, alternate = registers[_RSP], task.alternate_stack
    is_there = is_on(task, pointer)
    wanted = bool(action.flags & _SA_ONSTACK and alternate[2] and not is_there)
    place = place_below(stack_for(pointer, alternate if wanted else None))
    if not action.flags & _SA_RESTORER or ((wanted or is_there) and not is_on(task, place.frame)):
        return False
    mask = task.blocked if task.saved_mask is None else task.saved_mask
    context = Context(registers, mask, alternate, place.image)
    try:
        task.space.store(place.image, cpu.read_fxsave())
        task.space.store(place.frame, context.frame(info, task.trap, action.restorer))
    except LinuxError:
        return False
    if alternate[1] & SS_AUTODISARM:
        task.alternate_stack = (0, SS_DISABLE, 0)
    if action.flags & _SA_RESETHAND:
        task.actions[info.number] = replace(action, handler=SIG_DFL)
    own = 0 if action.flags & _SA_NODEFER else 1 << (info.number - 1)
    task.blocked = (task.blocked | action.mask | own) & ~UNBLOCKABLE
    task.saved_mask = None
    cpu.write_fxsave(INITIAL_FXSAVE)
    registers.update(in_handler(place.frame, action.handler, info.number, registers[RFLAGS]))
    return True


def is_on(task: Task, pointer: int) -> bool:
    """Whether an address lies on the thread's alternate stack (on_sig_stack)."""
    start, flags, size = task.alternate_stack
    return not flags & SS_AUTODISARM and 0 < pointer - start <= size


def leave(task: Task, pointer: int, flags: int) -> dict[int, int] | None:
    """Behind a handler, with its stack pointer: the registers that its frame brings back; None without a frame."""
    try:
        context = Context.of(task.space.load(pointer - 8, FRAME_BYTES))
        image = task.space.load(context.image, FXSAVE_BYTES) if context.image else INITIAL_FXSAVE
    except LinuxError:
        return None
    task.process.cpu.write_fxsave(image)
    block(task, context.mask)
    if context.alternate[1] & ~SS_AUTODISARM in (0, SS_DISABLE) and not is_on(task, context.registers[_RSP]):
        task.alternate_stack = context.alternate
    restored = context.registers[RFLAGS] & RESTORED_FLAGS | flags & ~RESTORED_FLAGS
    return {**context.registers, RFLAGS: restored}


# --- faults


def refused_call(question: Question, data: int) -> SignalInfo:
    """What is told of a call that seccomp answers with a signal."""
    head = struct.pack("<iiixxxx", SIGSYS, data, _SYS_SECCOMP)
    raw = head + struct.pack("<QiI", question.address, question.number, question.architecture)
    return SignalInfo(SIGSYS, _SYS_SECCOMP, raw=raw.ljust(SIGINFO_BYTES, b"\0"))


def force(task: Task, info: SignalInfo) -> None:
    """Raise a signal that ends the process where the program blocks or ignores it, or has no handler (force_sig)."""
    if _is_handled(task, info.number):
        task.pending.add(info)
        task.has_signal = True
    else:
        die(task.threads, info.number)


def signal_of(task: Task, fault: Fault) -> SignalInfo:
    """What an exception is to a Linux program."""
    if fault.vector == Vector.PF:
        address = fault.address or 0
        area = task.space.memory.area_at(address) if address < USER_SPACE else None
        right = EXECUTE if fault.error & PageFault.FETCH else WRITE if fault.error & PageFault.WRITE else READ
        if area is not None and area.allows(right) and not area.has(address):
            return SignalInfo(SIGBUS, _BUS_ADRERR, address)
        return SignalInfo(SIGSEGV, _SEGV_MAPERR if area is None else _SEGV_ACCERR, address)
    number, code = _FAULTS.get(fault.vector, (SIGSEGV, None))
    if code is None:
        return SignalInfo(number, SI_KERNEL, 0)
    if fault.debug & DebugStatus.BS:
        code = _TRAP_TRACE
    elif fault.debug & DebugStatus.BREAKPOINTS:
        code = _TRAP_HWBKPT
    return SignalInfo(number, code, fault.rip)


def noted(task: Task, fault: Fault) -> SignalInfo:
    """The signal of an exception, which is the thread's last one from now on."""
    error, address = fault.error, task.trap.address
    if fault.vector == Vector.PF:
        address = fault.address or 0
        error |= PageFault.PRESENT * (address >= USER_SPACE)
    task.trap = Trap(fault.vector, error, address)
    return signal_of(task, fault)


def enter_for(task: Task, fault: Fault, registers: dict[int, int]) -> bool:
    """Have the handler of an exception's signal begin: whether there is one. `registers` are for it then.

    A signal that a program blocks or ignores ends it when an instruction raises it (force_sig).
    """
    info = noted(task, fault)
    task.threads.tell(Signalled(task.thread, info.data))
    if not _is_handled(task, info.number):
        task.threads.crashed_by = info.number
        return False
    if fault.vector not in (Vector.DB, Vector.BP, Vector.OF):
        registers[RFLAGS] |= _RF
    return _enter(task, info, registers)
