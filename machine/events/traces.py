"""Single steps that scripts ask for with event_trace_*, and the `!trace` events behind them (events-and-commands F.3).

A step is the instruction at hand, or the next one where that has been carried out; the machine executes it alone
(machine.schedule.process). The trap flag of `event_trace_step` is masked while a system call that was entered with it
is under way, so that step ends behind it; an instrumentation step follows into the kernel's handler.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import msgspec

from machine.events.dispatch import Dispatcher, Trigger
from machine.events.exits import exit_of
from machine.events.modes import mode_of
from machine.events.registry import Registry
from machine.schedule import Process, Thread
from vm.facts.events import TRACE, ExecutionMode, TraceType
from vm.facts.stages import Stage


class _Step(msgspec.Struct, frozen=True):
    """A step that is over when the CPU has executed so many instructions; `mode` is that in which it was asked for."""

    type: TraceType
    executed: int
    mode: int


class _UnderWay:
    """Steps of a process, whose thread is to keep the CPU meanwhile (machine.schedule.Watched)."""

    def __init__(self, traces: Traces, process: Process) -> None:
        self._traces = traces
        self._process = process

    @property
    def under_way(self) -> bool:
        """Whether the thread that has the CPU has a step to end."""
        return self._traces.steps_in(self._process)


class Traces:
    """The steps of one machine's threads."""

    def __init__(self, registry: Registry, dispatcher: Dispatcher) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._steps: WeakKeyDictionary[Thread, tuple[_Step, ...]] = WeakKeyDictionary()

        self._under_way: WeakKeyDictionary[Process, _UnderWay] = WeakKeyDictionary()

    def ask(self, trigger: Trigger, kind: TraceType) -> None:
        """A script asks for a step; the run ends where the instruction begins. Nobody is told of it without events."""
        process, cpu = trigger.process, trigger.process.cpu
        if not self._registry.newest_first(TRACE):
            return
        is_done = not cpu.is_running or (cpu.is_settled and trigger.stage is Stage.POST)
        step = _Step(kind, cpu.executed + is_done, mode_of(process))
        asked = self._steps.get(process.thread, ())
        if all(other.type is not kind for other in asked):
            self._steps[process.thread] = (*asked, step)
        if process not in self._under_way:
            self._under_way[process] = under_way = _UnderWay(self, process)
            process.watched.add(under_way)
        if cpu.is_running:
            cpu.stop()

    def steps_in(self, process: Process) -> bool:
        """Whether the thread that has the CPU is to execute the next instruction alone."""
        return process.thread in self._steps

    def end(self, process: Process) -> None:
        """Between two stretches of guest code: run the events of the steps that are over."""
        thread, executed = process.thread, process.cpu.executed
        steps = self._steps.pop(thread, ())
        if not steps:
            return
        mode = mode_of(process)
        masked = [step for step in steps if step.type is TraceType.STEP_IN and step.mode == ExecutionMode.USER != mode]
        left = [step for step in steps if step in masked or step.executed > executed]
        if left:
            self._steps[thread] = tuple(left)
        for step in steps:
            if step not in left:
                events = self._registry.of_kind(TRACE).pre
                self._dispatcher.run_stage(exit_of(TRACE), events, Stage.PRE, process, step.type)

    def follows(self, process: Process) -> bool:
        """Whether steps are to lead through the kernel's handler."""
        return any(
            event.definition.parameters["type"] == TraceType.INSTRUMENTATION_STEP
            and event.definition.process_id in (None, process.pid)
            for event in self._registry.newest_first(TRACE)
        )
