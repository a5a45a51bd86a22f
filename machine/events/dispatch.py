"""The trigger protocol, written down once: what happens between an operation of the guest and its effect (B.8).

For each event of the kind, newest first: enabled? core? process? own parameter? stage? then the condition, then the
short-circuit default, then the actions. Any event that leaves its flag on short-circuits the operation, and no post
stage follows (the documented reading; B.8 [R]). A script that moves RIP redirects the guest: the operation is not
carried out, and execution resumes exactly there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from machine.events.definition import Action, BreakAction, CallAction, EventDefinition, ScriptAction
from machine.events.exit import NEVER, WORD_MASK, Assign, ByProcessor, Exit, Step, ToLevel, evaluate
from machine.events.registry import Event, Registry
from machine.processor import KERNEL_LEVEL, Cpu
from machine.schedule import Process
from vm import Engine, Fault, Host, Loaded
from vm.facts.events import ShortCircuit
from vm.facts.registers import RIP
from vm.facts.stages import Stage

if TYPE_CHECKING:
    from machine.root import RootFault, RootResult

HookT_co = TypeVar("HookT_co", covariant=True)


def _nothing(process: Process) -> None:
    pass


def _everything(definition: EventDefinition) -> bool:
    return True


class Operation(msgspec.Struct, frozen=True, eq=False):
    """What a guest is about to do: an exit, its instruction's `length` and `operand`, and what the machine adds.

    `complete` follows the effect and its post stage; `perform` is both at once, where nobody looks in between.
    `accepts` narrows the events down beyond their own parameters.
    """

    exit: Exit
    length: int
    complete: Callable[[Process], None] = _nothing
    perform: Callable[[Process], None] | None = None
    accepts: Callable[[EventDefinition], bool] = _everything
    operand: int = 0


class Seen(msgspec.Struct, frozen=True):
    """What events of an operation are compared with: the context and the exit's bits, as they are at the pre stage."""

    context: int
    bits: int


class Trigger(msgspec.Struct):
    """One event handling one operation in one stage: what `$event_id` and its kin read and `event_sc` writes."""

    event: Event
    process: Process
    core: int
    stage: Stage
    context: int
    instruction_pointer: int
    short_circuit: bool
    buffer: int = 0


class BlockKind(Enum):
    """The blocks of machine code that an event has, as messages call them.

    A condition gets rcx = GUEST_REGS and rdx = context; it is true when rax is not 0. Custom code gets rcx = buffer,
    rdx = GUEST_REGS and r8 = context.
    """

    CONDITION = "condition"
    CODE = "code"


class Sandbox(Protocol):
    """Runs conditions and custom code in vmx-root mode (machine.root.sandbox)."""

    def run(self, kind: BlockKind, code: bytes, trigger: Trigger) -> RootResult:
        """Run a block with the arguments of its kind."""
        ...


class Surroundings(Protocol):
    """What the dispatcher needs of the machine."""

    def host_for(self, trigger: Trigger) -> Host:
        """The Host of a script action; used for this action only."""
        ...

    def script_fault(self, event: Event, fault: Fault, program: Loaded) -> None:
        """A script action stopped early; the guest goes on."""
        ...

    def code_fault(self, event: Event, text: str) -> None:
        """A condition or a code action stopped early; the guest goes on."""
        ...

    def broke(self, trigger: Trigger) -> None:
        """A break action."""
        ...


class StageHook(Protocol):
    """Machine code for the events of one process (machine.native.process_hook)."""

    def run_stage(self, events: tuple[Event, ...], stage: Stage, context: int) -> bool:
        """Run the events of a stage, between two stretches of guest code; whether any of them short-circuits."""
        ...


class Carrier(Protocol[HookT_co]):
    """Makes the machine code of processes, of which each source of events knows its own part."""

    def hook_of(self, process: Process) -> HookT_co:
        """That of a process."""
        ...


def carry_out(effect: tuple[Step, ...], cpu: Cpu, operand: int = 0) -> None:
    """Do what the processor does."""
    assignments = [step for step in effect if isinstance(step, Assign)]
    values = [evaluate(assignment.value, cpu, operand) for assignment in assignments]
    for assignment, value in zip(assignments, values, strict=True):
        cpu.registers.write(assignment.storage, value)
    for step in effect:
        if isinstance(step, ToLevel):
            cpu.privilege_level = KERNEL_LEVEL if step.is_kernel else cpu.home_level


class Dispatcher:
    """Carries the protocol out for every operation of a machine."""

    def __init__(
        self, registry: Registry, engine: Engine, surroundings: Surroundings, sandbox: Sandbox, measures: bool
    ) -> None:
        self._registry = registry
        self._now = time.monotonic_ns if measures else lambda: 0
        self._engine = engine
        self._surroundings = surroundings
        self._sandbox = sandbox

    def dispatch(self, operation: Operation, process: Process) -> Seen | None:
        """Handle one operation from the pre stage on. RIP is at the instruction on entry.

        The result is for the post stage of an instruction that the processor executes: the caller has to hand it to
        `behind` then; None when the operation is over, or none that exits.
        """
        exit_, cpu, registers = operation.exit, process.cpu, process.cpu.registers
        if exit_.refused is not NEVER and cpu.privilege_level and evaluate(exit_.refused, cpu, operation.operand):
            if exit_.raises is not None:
                cpu.refuse(exit_.raises)
            return None
        events = self._registry.of_kind(exit_.kind)
        before = registers.read(RIP)
        seen = Seen(evaluate(exit_.context, cpu, operation.operand), evaluate(exit_.bits, cpu, operation.operand))
        if events.pre:
            short_circuited = self._stage(events.pre, Stage.PRE, operation, process, before, seen)
            if registers.read(RIP) != before:
                return None
            if short_circuited:
                registers.write(RIP, before + operation.length)
                return None
        if isinstance(exit_.effect, ByProcessor):
            correction = exit_.correction and exit_.correction()
            if correction is not None and evaluate(correction.when, cpu, operation.operand):
                carry_out(correction.effect, cpu, operation.operand)
                registers.write(RIP, before + operation.length)
            return seen if events.post else None
        if not events.post and operation.perform is not None:
            operation.perform(process)
            return None
        carry_out(exit_.effect, process.cpu)
        if events.post:
            entered = registers.read(RIP)
            self._stage(events.post, Stage.POST, operation, process, entered, seen)
            if registers.read(RIP) != entered:
                return None
        operation.complete(process)
        return None

    def behind(self, operation: Operation, process: Process, seen: Seen) -> None:
        """Handle the post stage of an instruction that the processor has executed; RIP is behind it."""
        events = self._registry.of_kind(operation.exit.kind).post
        self._stage(events, Stage.POST, operation, process, process.cpu.registers.read(RIP), seen)

    def notify(self, events: tuple[Event, ...], operation: Operation, process: Process, address: int) -> None:
        """Handle an execution hook at `address`: there is nothing to emulate, hence neither skip nor post stage."""
        self._stage(events, Stage.PRE, operation, process, address, Seen(address, WORD_MASK))

    def run_stage(self, exit_: Exit, events: tuple[Event, ...], stage: Stage, process: Process, context: int) -> bool:
        """Run the events of a stage of which the caller does the rest; whether any of them short-circuits."""
        pointer = process.cpu.registers.read(RIP)
        return self._stage(events, stage, Operation(exit_, 0), process, pointer, Seen(context, WORD_MASK))

    def _stage(
        self,
        events: tuple[Event, ...],
        stage: Stage,
        operation: Operation,
        process: Process,
        pointer: int,
        seen: Seen,
    ) -> bool:
        """Run every matching one of a stage's events, with RIP at `pointer`; whether any of them short-circuits."""
        short_circuited, exit_, context = False, operation.exit, seen.context
        for event in events:
            definition = event.definition
            if not event.enabled:
                continue
            if definition.core is not None and definition.core != process.core:
                continue
            if definition.process_id is not None and definition.process_id != process.pid:
                continue
            if exit_.read_anew:
                context = evaluate(exit_.context, process.cpu, operation.operand)
            if not exit_.mask(definition.parameters) & seen.bits:
                continue
            if exit_.wanted(definition.parameters) not in (None, context) or not operation.accepts(definition):
                continue
            trigger = Trigger(event, process, process.core, stage, context, pointer, definition.short_circuit)
            began = self._now()
            acts = definition.condition is None or self._condition(definition.condition, trigger)
            if acts:
                event.count_trigger()
                for action, buffer in zip(definition.actions, event.buffers, strict=True):
                    trigger.buffer = buffer
                    self.act(action, trigger)
            else:
                event.count_rejection()
            event.took(self._now() - began)
            if acts and trigger.short_circuit and definition.kind.short_circuit is not ShortCircuit.IGNORED:
                short_circuited = True
        return short_circuited

    def _condition(self, code: bytes, trigger: Trigger) -> bool:
        return self.block(BlockKind.CONDITION, code, trigger) != 0

    def act(self, action: Action, trigger: Trigger) -> None:
        """Carry out one action of the trigger's event."""
        if isinstance(action, ScriptAction):
            self._run_script(action, trigger)
        elif isinstance(action, BreakAction):
            self._surroundings.broke(trigger)
        elif isinstance(action, CallAction):
            action.function(trigger)
        else:
            self.block(BlockKind.CODE, action.code, trigger)

    def block(self, kind: BlockKind, code: bytes, trigger: Trigger) -> int:
        """Run a condition or a code block; its rax. One that stops early is 0: a condition is false then."""
        result = self._sandbox.run(kind, code, trigger)
        if result.fault is not None:
            self.block_fault(kind, result.fault, trigger)
        return result.value

    def block_fault(self, kind: BlockKind, fault: RootFault, trigger: Trigger) -> None:
        """Report a condition or a code block that stopped early."""
        trigger.event.code_faults += 1
        self._surroundings.code_fault(trigger.event, f"{kind.value} stopped: {fault.describe()}")

    def _run_script(self, action: ScriptAction, trigger: Trigger) -> None:
        result = self._engine.run(action.program, self._surroundings.host_for(trigger))
        trigger.event.charge(result.steps)
        if result.fault is not None:
            trigger.event.faults += 1
            self._surroundings.script_fault(trigger.event, result.fault, action.program)


class Stages:
    """Runs events between two stretches of guest code: by machine code where there is some, else in Python."""

    def __init__(self, dispatcher: Dispatcher, carrier: Carrier[StageHook] | None) -> None:
        self._dispatcher = dispatcher
        self._carrier = carrier

    def run(self, exit_: Exit, events: tuple[Event, ...], stage: Stage, process: Process, context: int) -> bool:
        """As `Dispatcher.run_stage`."""
        if self._carrier is not None:
            return self._carrier.hook_of(process).run_stage(events, stage, context)
        return self._dispatcher.run_stage(exit_, events, stage, process, context)
