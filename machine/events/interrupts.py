"""Interrupts of the timer, as `!interrupt` events have them, and what scripts inject (events-and-commands C.2, F.3).

They come between two stretches of guest code, to the thread that has the CPU. A guest that has loaded an interrupt
descriptor table gets them through that; elsewhere the system that is modelled takes an interrupt, and nothing of it is
seen, and an exception is what it always is to a program. What is injected is no exit: no event is told of it.
While the guest does not accept interrupts (RFLAGS.IF, the instruction behind STI) they wait; a guest on level 0 is
stopped at the instructions that may change that.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from weakref import WeakKeyDictionary

from machine.events.dispatch import Carrier, Dispatcher, StageHook, Stages, Trigger
from machine.events.exit import Arriving
from machine.events.exits import exit_of
from machine.events.instructions import HookedSite
from machine.events.registry import Event, Registry
from machine.processor import (
    EXCEPTION_VECTORS,
    IN_TABLE,
    KERNEL_LEVEL,
    USER_LEVEL,
    Fault,
    InstructionPattern,
    Served,
    Site,
    SiteHook,
    StopKind,
    StopReason,
    Vector,
    run_one,
)
from machine.schedule import CLOCK_VECTOR, Injection, Process, Suspension, Timer
from vm.facts.events import EVENT_KINDS
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX
from vm.facts.stages import Stage

_EXIT = next(exit_of(kind) for kind in EVENT_KINDS if kind.emulated and isinstance(exit_of(kind).source, Arriving))
_CR2 = STORAGE_INDEX["cr2"]
_INTERRUPT_FLAG = 1 << 9
_OFTEN = 10_000  # instructions between two looks whether interrupts are accepted again


class InterruptionType(IntEnum):
    """The types of event_inject, which are those of VMX (Intel SDM volume 3C, section 25.8.3)."""

    EXTERNAL = 0
    RESERVED = 1
    NMI = 2
    EXCEPTION = 3
    SOFTWARE_INTERRUPT = 4
    PRIVILEGED_EXCEPTION = 5
    SOFTWARE_EXCEPTION = 6
    OTHER = 7


class Interrupts:
    """The interrupts of one machine; a `machine.schedule.Interruptions`.

    `deliver(process, fault)` lets the processor and the kernel have an exception, and says whether the thread goes on.
    `look_for_gates(process)` has the instructions served that may let interrupts in. `notice` tells the user.
    """

    def __init__(
        self,
        registry: Registry,
        dispatcher: Dispatcher,
        timer: Timer | None,
        deliver: Callable[[Process, Fault], bool],
        look_for_gates: Callable[[Process], None],
        notice: Callable[[str], None],
        carrier: Carrier[StageHook] | None = None,
    ) -> None:
        self._registry = registry
        self._timer = timer
        self._deliver = deliver
        self._look_for_gates = look_for_gates
        self._notice = notice
        self._stages = Stages(dispatcher, carrier)
        self._gates: WeakKeyDictionary[Process, int | None] = WeakKeyDictionary()  # where each that waits stands

    # --- what scripts ask for

    def inject(self, process: Process, trigger: Trigger | None, kind: int, vector: int, error: int) -> None:
        """Deliver an interruption where the guest goes on; the last one that is asked for counts.

        That is behind an instruction that the event is of, unless it is skipped.
        """
        fits = {
            InterruptionType.EXTERNAL: True,
            InterruptionType.NMI: vector == Vector.NMI,
            InterruptionType.EXCEPTION: vector < EXCEPTION_VECTORS,
            InterruptionType.SOFTWARE_INTERRUPT: True,
            InterruptionType.PRIVILEGED_EXCEPTION: vector == Vector.DB,
            InterruptionType.SOFTWARE_EXCEPTION: vector in (Vector.BP, Vector.OF),
        }
        if not fits.get(InterruptionType(kind), False):
            self._notice(
                f"a processor refuses an interruption of type {kind:x} with vector {vector:x}: none is injected"
            )
            return
        at = None
        if trigger is not None and trigger.stage is Stage.PRE:
            source = exit_of(trigger.event.definition.kind).source
            at = trigger.instruction_pointer if isinstance(source, InstructionPattern) else None
        process.thread.injected = Injection(kind, vector, error, at)
        process.cpu.stop()

    # --- what a process asks (machine.schedule.Interruptions)

    def before(self, process: Process, budget: int) -> StopReason | None:
        """Deliver what has come; why the thread does not go on, if it does not."""
        cpu, thread = process.cpu, process.thread
        if thread.injected is None and (self._timer is None or self._timer.left > 0):
            return None
        cpu.forget_stop()
        if thread.injected is not None:
            reason = self._complete(process, thread.injected, budget)
            if reason is not None:
                return reason
        with cpu.gate:
            if thread.injected is not None and self._is_accepted(process, thread.injected):
                injection, thread.injected = thread.injected, None
                reason = self._inject(process, injection)
            else:
                reason = self._tick(process)
        return reason or self._stopped(process)

    def room(self, process: Process, budget: int) -> int:
        """The most instructions, up to `budget`, that the thread may execute before it asks again."""
        if self._timer is None and process.thread.injected is None:
            return budget
        cpu = process.cpu
        with cpu.gate:
            left = 0 if self._timer is None else self._timer.left
            if left > 0 and process.thread.injected is None:
                return min(budget, left)
        if cpu.home_level == KERNEL_LEVEL and process not in self._gates:
            self._gates[process] = None
            self._look_for_gates(process)
        if cpu.is_shadowed or self._gates.get(process) == cpu.registers.read(RIP):
            self._gates[process] = None
            return 1
        return min(budget, _OFTEN)

    def waits(self, process: Process) -> bool:
        """Whether a guest that has executed HLT goes on, when the next interrupt has come."""
        cpu, timer = process.cpu, self._timer
        enabled = cpu.registers.read(RFLAGS) & _INTERRUPT_FLAG
        if timer is None or not enabled or not cpu.interrupt_table.is_loaded:
            return False
        with cpu.gate:
            if timer.left > 0:
                process.thread.suspend(Suspension(lambda: timer.left <= 0, timer.deadline, lambda late: None))
        return True

    # --- gates

    def has_gates(self, process: Process) -> bool:
        """Whether the instructions are served that may let interrupts in."""
        return process in self._gates

    def serve_gate(self, process: Process, site: Site) -> Served:
        """Have the run end before such an instruction, while something waits."""
        cpu = process.cpu

        def arrive() -> None:
            waits = process.thread.injected is not None or (self._timer is not None and self._timer.left <= 0)
            if waits and not cpu.stop_requested:
                self._gates[process] = site.address
                cpu.stop()

        return SiteHook(lambda: HookedSite(cpu, cpu.hook_address(site.address, arrive)))

    # --- delivery

    def _tick(self, process: Process) -> StopReason | None:
        """The clock's interrupt, if it has come and is accepted."""
        cpu, timer = process.cpu, self._timer
        if timer is None or timer.left > 0 or not self._accepts(process):
            return None
        timer.take()
        events = self._registry.of_kind(_EXIT.kind)
        if events.pre and self._stage(process, events.pre, Stage.PRE):
            return None
        fault = Fault(CLOCK_VECTOR, cpu.registers.read(RIP), is_interrupt=True)
        if cpu.interrupt_table.is_loaded and not cpu.interrupt_table.deliver(fault):
            return StopReason.of(fault)
        if events.post:
            self._stage(process, events.post, Stage.POST)
        return None

    def _stage(self, process: Process, events: tuple[Event, ...], stage: Stage) -> bool:
        said = self._stages.run(_EXIT, events, stage, process, CLOCK_VECTOR)
        process.cpu.raise_carried()
        return said

    def _complete(self, process: Process, injection: Injection, budget: int) -> StopReason | None:
        """Execute the instruction that an injection follows; why the thread does not go on, if it does not."""
        cpu, at = process.cpu, process.cpu.registers.read(RIP)
        if injection.behind != at:
            return None
        reason = run_one(cpu, budget)
        if reason.fault is not None:
            process.thread.injected = None  # what the instruction raises takes its place
            return None if process.handles(reason) else reason
        if reason.kind is StopKind.BUDGET and cpu.registers.read(RIP) == at:
            return reason
        return self._stopped(process)

    def _inject(self, process: Process, injection: Injection) -> StopReason | None:
        """Deliver an interruption at RIP."""
        cpu, kind = process.cpu, injection.kind
        at, vector, error = cpu.registers.read(RIP), injection.vector, injection.error
        is_interrupt = kind in (InterruptionType.EXTERNAL, InterruptionType.NMI)
        if is_interrupt and not cpu.interrupt_table.is_loaded:
            if cpu.home_level == KERNEL_LEVEL:
                self._notice(f"interrupt {vector:x} was injected, and the guest has no table of handlers: it is lost")
            return None
        if kind == InterruptionType.SOFTWARE_INTERRUPT:
            is_interrupt = True
            if cpu.home_level == USER_LEVEL and vector not in cpu.exceptions.open_vectors:
                is_interrupt, vector, error = False, Vector.GP, vector << 3 | IN_TABLE
        is_trap = kind in (InterruptionType.PRIVILEGED_EXCEPTION, InterruptionType.SOFTWARE_EXCEPTION)
        address = cpu.registers.read(_CR2) if vector == Vector.PF and not is_interrupt else None
        fault = Fault(vector, at, error, address, is_interrupt=is_interrupt, is_trap=is_trap)
        return None if self._deliver(process, fault) else StopReason.of(fault)

    def _is_accepted(self, process: Process, injection: Injection) -> bool:
        return injection.kind != InterruptionType.EXTERNAL or self._accepts(process)

    def _accepts(self, process: Process) -> bool:
        """Whether the guest accepts interrupts at RIP."""
        cpu = process.cpu
        return bool(cpu.registers.read(RFLAGS) & _INTERRUPT_FLAG) and not cpu.is_shadowed

    def _stopped(self, process: Process) -> StopReason | None:
        is_over = process.cpu.stop_requested or not process.alive or process.thread.waiting is not None
        return StopReason(StopKind.STOPPED, process.cpu.registers.read(RIP)) if is_over else None
