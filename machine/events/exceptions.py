"""Exceptions as events: `!exception` (events-and-commands C.2, C.3).

A guest's exception comes here before the processor delivers it and the kernel hears of it, as an exit by the exception
bitmap does: RIP is at the instruction, CR2 and DR6 are as before. Behind the delivery RIP is where the program goes on,
in its handler if it has one. INT n is no exception. One that is dropped has the instruction tried again, or the guest
goes on where a script has moved RIP to.
"""

from __future__ import annotations

from machine.events.dispatch import Carrier, Dispatcher, StageHook, Stages
from machine.events.exit import Raised
from machine.events.exits import exit_of
from machine.events.registry import Registry
from machine.processor import Fault, Vector
from machine.schedule import Process
from vm.facts.events import EVENT_KINDS, EventKind
from vm.facts.registers import RIP
from vm.facts.stages import Stage

_EXIT = next(exit_of(kind) for kind in EVENT_KINDS if kind.emulated and isinstance(exit_of(kind).source, Raised))


def is_raised(kind: EventKind) -> bool:
    """Whether events of a kind are those of exceptions."""
    return kind is _EXIT.kind


class Exceptions:
    """The `!exception` events of one machine."""

    def __init__(self, registry: Registry, dispatcher: Dispatcher, carrier: Carrier[StageHook] | None = None) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._stages = Stages(dispatcher, carrier)

    def before(self, process: Process, fault: Fault) -> bool:
        """Run the events before an exception is delivered; whether it is to be. RIP is then as the handler finds it."""
        events, cpu = self._registry.of_kind(_EXIT.kind).pre, process.cpu
        if not events or not fault.is_exception:
            return True
        cpu.registers.write(RIP, fault.at)
        is_dropped = self._stages.run(_EXIT, events, Stage.PRE, process, fault.vector)
        if is_dropped or cpu.registers.read(RIP) != fault.at:
            if not fault.is_trap:
                cpu.exceptions.drop()
            return False
        cpu.registers.write(RIP, fault.rip)
        return True

    def intercept(self, process: Process) -> bool:
        """Run the events of an instruction's #UD, in the hook of one that a hypervisor has made undefined (D.2).

        Whether it is dropped: the guest goes on at RIP.
        """
        events, registers = self._registry.of_kind(_EXIT.kind).pre, process.cpu.registers
        at = registers.read(RIP)
        is_dropped = self._dispatcher.run_stage(_EXIT, events, Stage.PRE, process, Vector.UD)
        if is_dropped:
            registers.stay()
        return is_dropped or registers.read(RIP) != at

    def behind(self, process: Process, fault: Fault) -> None:
        """Run the events behind its delivery."""
        events = self._registry.of_kind(_EXIT.kind).post
        if events and fault.is_exception:
            self._stages.run(_EXIT, events, Stage.POST, process, fault.vector)
