"""Where a traced thread stops on its way into the kernel and out of it, and how it goes on (man 2 ptrace: stops)."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from machine.kernel.base import enter_user_mode, general_values, user_values
from machine.kernel.linux import signals, tracing
from machine.kernel.linux.calling_conventions import SYSCALL, CallingConvention
from machine.kernel.linux.errors import Errno
from machine.kernel.linux.signal_frame import SignalInfo
from machine.kernel.linux.task import SIGTRAP, Task
from machine.kernel.linux.tracing import Stage, Trace, Until
from machine.kernel.outcomes import Result
from machine.processor import Fault
from machine.schedule import Thread
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX

_RAX = STORAGE_INDEX["rax"]
_LOW = 0xFFFF_FFFF
_TRAP_FLAG = 1 << 8
_ENDS = (60, 231)  # exit, exit_group


class KernelPath(Protocol):
    """What is on the kernel's path of a call besides its stops (machine.kernel.linux.kernel)."""

    def is_permitted(self, task: Task, convention: CallingConvention) -> bool:
        """Whether seccomp lets a thread make its call; it has its result otherwise, or its end."""
        ...

    def carry_out(self, task: Task, convention: CallingConvention) -> None:
        """The call itself."""
        ...

    def conclude(self, thread: Thread, result: Result) -> None:
        """Do what a call comes to."""
        ...

    def returning(self, thread: Thread, *, in_call: bool) -> None:
        """A thread is about to go on in user mode."""
        ...


class TraceStops:
    """Those of one kernel's threads."""

    def __init__(self, kernel: KernelPath) -> None:
        self._kernel = kernel

    # --- calls

    def at_call(self, task: Task, convention: CallingConvention) -> bool:
        """Whether a thread stops for its tracer before it makes a call."""
        trace, registers = tracing.listens(task), task.process.cpu.registers
        if trace is None:
            return False
        trace.call = registers.read(_RAX) & _LOW
        if trace.until is not Until.CALL:
            return self._at_end(task, trace, convention)
        _to_user_registers(task.thread)
        registers.write(_RAX, -Errno.ENOSYS)
        trace.in_call = True
        code = _code_of_call(trace)
        begin = partial(self._begin_call, task, trace, convention)
        tracing.stop(task, code, tracing.own_info(task, code), begin, Stage.ENTRY)
        return True

    def _at_end(self, task: Task, trace: Trace, convention: CallingConvention) -> bool:
        """Whether a thread stops before the call with which it ends."""
        registers = task.process.cpu.registers
        if not trace.options & tracing.TRACEEXIT or convention is not SYSCALL or trace.call not in _ENDS:
            return False
        _to_user_registers(task.thread)
        trace.message = (registers.read(convention.arguments[0]) & 0xFF) << 8
        code = SIGTRAP | tracing.EVENT_EXIT << 8
        tracing.stop(task, code, tracing.own_info(task, code), lambda: self._kernel.carry_out(task, convention))
        return True

    def _begin_call(self, task: Task, trace: Trace, convention: CallingConvention) -> None:
        """The call goes on behind its stop, maybe as another one or as none."""
        registers = task.process.cpu.registers
        if trace.call == -1:
            self._kernel.conclude(task.thread, registers.read(_RAX))
            return
        registers.write(_RAX, trace.call & _LOW)
        is_permitted = not task.confinement or self._kernel.is_permitted(task, convention)
        if is_permitted and not self._at_end(task, trace, convention):
            self._kernel.carry_out(task, convention)

    # --- signals, steps and events

    def at_return(self, task: Task, in_call: bool) -> bool:
        """Whether a thread that is about to go on in user mode stops for its tracer."""
        trace = tracing.listens(task)
        if trace is None or not task.process.alive:
            return False
        code, info, stage = 0, None, Stage.NONE
        if trace.event is not None:
            (event, trace.message), trace.event = trace.event, None
            code = (trace.stopped_by or SIGTRAP) | event << 8
            info = tracing.own_info(task, code, trace.stopped_by or SIGTRAP)
            trace.stopped_by = 0
        elif trace.in_call:
            trace.in_call = False
            code = _code_of_call(trace) if trace.until is Until.CALL else 0
            stage = Stage.EXIT
        elif in_call and trace.until is Until.STEP:
            code, info = SIGTRAP, tracing.step_info(user_values(task.thread)[RIP])
        if not code and task.has_signal:
            info, stage = signals.take(task), Stage.NONE
            code = 0 if info is None else info.number
        if not code:
            return False
        if in_call:
            _to_user_registers(task.thread)
            _clear_trap_flag(task, trace)
        info = info or tracing.own_info(task, code)
        tracing.stop(task, code, info, lambda: self._go_on(task, trace), stage)
        return True

    def at_fault(self, task: Task, trace: Trace, fault: Fault) -> None:
        """A thread stops before the signal of an exception."""
        registers, info = task.process.cpu.registers, signals.noted(task, fault)
        registers.write(RIP, fault.rip)
        _clear_trap_flag(task, trace)
        trace.call = -1
        tracing.stop(task, info.number, info, lambda: self._go_on(task, trace))

    def _go_on(self, task: Task, trace: Trace) -> None:
        """Behind a stop: with the signal that the tracer has chosen."""
        thread, signal = task.thread, trace.injected
        if signal in signals.STOPS and task.trace is trace and trace.info is not None:
            tracing.group_stop(task, signal, lambda: self._go_on(task, trace))
            return
        given: list[SignalInfo] = []
        if signal:
            is_same = trace.info is not None and trace.info.number == signal
            sender = (trace.tracer.pid, task.user) if trace.tracer is not None else (0, 0)
            given = [trace.info if is_same and trace.info else SignalInfo(signal, signals.SI_USER, sender=sender)]
        values = general_values(thread)
        if signals.deliver(task, values, iter(given)):
            enter_user_mode(thread, values)
        if not task.process.alive:
            return
        self._kernel.returning(thread, in_call=False)
        registers = thread.process.cpu.registers
        if trace.until is Until.STEP and thread.waiting is None:
            registers.write(RFLAGS, registers.read(RFLAGS) | _TRAP_FLAG)


def _to_user_registers(thread: Thread) -> None:
    """What a thread in a call has in registers is what it has in user mode from now on."""
    if not thread.has_user_registers:
        enter_user_mode(thread, user_values(thread))
        thread.has_user_registers = True


def _clear_trap_flag(task: Task, trace: Trace) -> None:
    """The flag with which a thread makes a step is not shown."""
    registers = task.process.cpu.registers
    if trace.until is Until.STEP:
        registers.write(RFLAGS, registers.read(RFLAGS) & ~_TRAP_FLAG)


def _code_of_call(trace: Trace) -> int:
    return SIGTRAP | 0x80 * (trace.options & tracing.SYSGOOD)
