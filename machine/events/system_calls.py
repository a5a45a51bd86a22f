"""SYSCALL and SYSRET as events: `!syscall`, `!syscall2`, `!sysret`, `!sysret2` (events-and-commands C.2 and D).

The emulator names SYSCALL itself; SYSRET is found where code is translated. In user-only mode the machine's model
answers in place of the code at LSTAR, and returns by the SYSRET there. A guest that has moved LSTAR has a kernel of its
own: it is entered, and nothing is modelled.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from machine.events.definition import EventDefinition
from machine.events.dispatch import Carrier, Dispatcher, Operation, carry_out
from machine.events.exits import syscall, sysret
from machine.events.instructions import HookedSite
from machine.events.modes import Modes
from machine.events.passage import pass_through
from machine.events.registry import Registry
from machine.processor import Removable, Served, Site, SiteHook
from machine.schedule import Process
from vm.facts.events import SYSRET, SYSTEM_CALL_FAMILY, Detection
from vm.facts.registers import RIP

if TYPE_CHECKING:
    from machine.kernel import Kernel

KERNEL_BITS = 0xFF << 56  # any of them set in RIP: a kernel address, to those who do not look at the bytes

Variants = frozenset[Detection]
NONE: Variants = frozenset()
READ_BYTES: Variants = frozenset((Detection.READ_BYTES,))
ANY_UNDEFINED: Variants = frozenset((Detection.ANY_UNDEFINED,))
BOTH: Variants = READ_BYTES | ANY_UNDEFINED
_COMBINATIONS = (NONE, READ_BYTES, ANY_UNDEFINED, BOTH)


class TakenFor(Enum):
    """What an exit of the family is taken for."""

    SYSCALL = "SYSCALL"
    SYSRET = "SYSRET"


def tell(read: TakenFor | None, rip: int, variants: Variants) -> tuple[TakenFor | None, Variants]:
    """What happens at an exit, and the variants of events that agree (events-and-commands D.2).

    `read` is what the bytes at RIP say, None for an instruction that is undefined indeed; `variants` are those of the
    existing events. An event of the second variant guesses from RIP alone. Where events of both disagree the bytes
    decide, if they name one of the two instructions.
    """
    guessed = TakenFor.SYSRET if rip & KERNEL_BITS else TakenFor.SYSCALL
    if Detection.ANY_UNDEFINED not in variants or (read is not None and Detection.READ_BYTES in variants):
        chosen = read
    else:
        chosen = guessed
    agreeing = (READ_BYTES if chosen is read else NONE) | (ANY_UNDEFINED if chosen is guessed else NONE)
    return chosen, agreeing


class WayBack(IntEnum):
    """How a process comes back from a system call."""

    WATCHED = 0  # somebody may look on or act: it is to be done step by step
    AT_ONCE = 1
    BY_SYSRET = 2  # it executes the SYSRET of the kernel's text, for which events wait


class Sides(msgspec.Struct, frozen=True):
    """What machine code at a process's SYSCALL needs of the rest.

    `way_back` says how a system call that only has an
    answer comes back. `perform` carries one out, `complete` does so behind its post stage, `done` is told of its end.
    Python has every SYSRET while it `watches_modes`.
    """

    way_back: Callable[[], WayBack]
    someone_waits: Callable[[], bool]
    perform: Callable[[], None]
    complete: Callable[[], None]
    done: Callable[[], None]
    watches_modes: Callable[[], bool]


class ProcessHook(Protocol):
    """Machine code at the system calls of one process (machine.native.process_hook)."""

    def take_system_calls(self, kernel: Kernel, sides: Sides) -> None:
        """Carry SYSCALL from the next turn on; SYSRET, too, when events of the family exist."""
        ...

    def take_sysret(self, site: Site, in_python: Callable[[], None]) -> Removable:
        """Carry a SYSRET; `in_python` does the same."""
        ...

    def refresh(self) -> None:
        """Events or sides have changed."""
        ...


class SystemCalls:
    """The exits of one machine's SYSCALL and SYSRET instructions.

    `watches_page(process, page)` says whether something waits in a page, so that the handler at LSTAR must be executed.
    `done(process)` is called when a system call has returned to user mode, where the process gives way if
    `someone_waits()`. `look_for_sysret(process)` is called when that may have become necessary, or unnecessary. An exit
    is the #UD of an instruction that the hypervisor has taken from the processor: who `intercepts` that may drop it.
    """

    def __init__(
        self,
        registry: Registry,
        dispatcher: Dispatcher,
        watches_page: Callable[[Process, int], bool],
        done: Callable[[Process], None],
        someone_waits: Callable[[], bool],
        look_for_sysret: Callable[[Process], None],
        modes: Modes,
        carrier: Carrier[ProcessHook] | None = None,
    ) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._watches_page = watches_page
        self._done = done
        self._someone_waits = someone_waits
        self._look_for_sysret = look_for_sysret
        self._modes = modes
        self._carrier = carrier
        self.intercepts: Callable[[Process], bool] = lambda process: False
        self._hooks: dict[Process, ProcessHook] = {}
        self._kernels: dict[Process, Kernel] = {}
        self._pages: dict[Process, int] = {}  # of their handlers at LSTAR
        self._own_handlers: set[Process] = set()
        self._served: set[Process] = set()
        self._variants: Variants = NONE
        self._returns_are_watched = False
        self._syscalls = {
            variants: Operation(syscall.EXIT, syscall.LENGTH, self._enter, self._perform, _accepting(variants))
            for variants in _COMBINATIONS
        }
        self._sysrets = {
            variants: Operation(sysret.EXIT, sysret.LENGTH, self._return, accepts=_accepting(variants))
            for variants in _COMBINATIONS
        }

    def attach(self, process: Process, kernel: Kernel) -> None:
        """Serve the process's CPU with a kernel's model."""
        self._kernels[process] = kernel
        self._pages[process] = kernel.entry.text.page
        process.cpu.on_syscall = lambda: self._on_syscall(process)
        process.cpu.exceptions.on_invalid_instruction = lambda: self._on_invalid_instruction(process)
        self._set_interception(process)

    def detach(self, process: Process) -> None:
        """A process is gone, with its CPU."""
        self._hooks.pop(process, None)
        del self._kernels[process], self._pages[process]
        self._own_handlers.discard(process)
        self._served.discard(process)

    def events_changed(self) -> None:
        """Events were registered or cleared."""
        events = [event for kind in SYSTEM_CALL_FAMILY for event in self._registry.newest_first(kind)]
        self._variants = frozenset(event.definition.detection for event in events)
        self._returns_are_watched = bool(self._registry.newest_first(SYSRET))
        for process in self._kernels:
            self._set_interception(process)

    def placed(self, process: Process) -> None:
        """The process has come to a core."""
        if process in self._hooks:
            self._hooks[process].refresh()

    def wants(self, process: Process) -> bool:
        """Whether the SYSRET instructions of a process are to be served: any event of the family makes both exit."""
        return bool(self._variants) or self._is_executed(process)

    def serve(self, process: Process, site: Site) -> Served:
        """Serve a SYSRET of a process (machine.events.instructions.Service)."""
        if process in self._hooks:
            return SiteHook(lambda: self._hooks[process].take_sysret(site, lambda: self._on_sysret(process)))
        cpu = process.cpu
        return SiteHook(
            lambda: HookedSite(cpu, cpu.hook_address(site.address, lambda: self._on_sysret(process), replaces=True))
        )

    def _sides(self, process: Process) -> Sides:
        return Sides(
            way_back=lambda: self._way_back(process),
            someone_waits=self._someone_waits,
            perform=lambda: self._perform(process),
            complete=lambda: self._enter(process),
            done=lambda: self._done(process),
            watches_modes=lambda: self._modes.watches(process),
        )

    def _way_back(self, process: Process) -> WayBack:
        if self._is_executed(process) or self._someone_waits() or self._modes.watches(process):
            return WayBack.WATCHED
        return WayBack.BY_SYSRET if self._returns_are_watched else WayBack.AT_ONCE

    def _walks(self, process: Process) -> bool:
        return self._watches_page(process, self._pages[process])

    def _is_executed(self, process: Process) -> bool:
        """Whether the process executes the code at LSTAR."""
        return process in self._own_handlers or self._walks(process)

    def _serve_handler(self, process: Process) -> None:
        """Answer in the handler at LSTAR, which is executed: by the kernel's entry, or as part of the guest's own."""
        self._served.add(process)

        def answer() -> None:
            self._answer(process)

        process.cpu.hook_address(self._kernels[process].entry.text.service, answer)

    def _set_interception(self, process: Process) -> None:
        if self._is_executed(process) and process not in self._served:
            self._serve_handler(process)
        if process in self._hooks:
            self._hooks[process].refresh()
        elif self._carrier is not None:
            self._hooks[process] = self._carrier.hook_of(process)
            self._hooks[process].take_system_calls(self._kernels[process], self._sides(process))
        self._look_for_sysret(process)

    # --- exits

    def _on_syscall(self, process: Process) -> None:
        if not self._variants:  # the common case: no event waits
            self._perform(process)
        elif Detection.ANY_UNDEFINED not in self._variants:  # the bytes decide
            if not self.intercepts(process):
                self._dispatcher.dispatch(self._syscalls[READ_BYTES], process)
        else:
            self._exit(TakenFor.SYSCALL, process)

    def _on_sysret(self, process: Process) -> None:
        self._exit(TakenFor.SYSRET, process)

    def _on_invalid_instruction(self, process: Process) -> bool:
        return Detection.ANY_UNDEFINED in self._variants and self._exit(None, process)

    def _exit(self, read: TakenFor | None, process: Process) -> bool:
        """Handle an exit; False when it is the guest's own #UD."""
        chosen, variants = tell(read, process.cpu.registers.read(RIP), self._variants)
        if chosen is None:
            return False
        if self._variants and self.intercepts(process):
            return True
        operations = self._syscalls if chosen is TakenFor.SYSCALL else self._sysrets
        self._dispatcher.dispatch(operations[variants], process)
        return True

    # --- the kernel's side

    def _enter(self, process: Process) -> None:
        """Go on after a SYSCALL; RIP is at LSTAR."""
        registers, text = process.cpu.registers, self._kernels[process].entry.text
        entered = registers.read(RIP)
        self._modes.arrive(process)
        if registers.read(RIP) != entered:
            return
        if registers.read(RIP) != text.entry:
            self._own_handlers.add(process)
            self._set_interception(process)
        elif not self._walks(process):
            stays = self._answer(process)
            if stays and self._returns_are_watched and process.alive:
                registers.write(RIP, text.sysret)
                return
            if stays:
                carry_out(sysret.EFFECT, process.cpu)
            self._return(process)

    def _return(self, process: Process) -> None:
        """Behind a system call, which may be one that the thread waits in."""
        if process.alive and process.thread.waiting is None and not process.thread.ended:
            self._modes.arrive(process)
        self._done(process)

    def _perform(self, process: Process) -> None:
        """A SYSCALL without a post stage: at once to its end, when nothing waits on the way there."""
        kernel = self._kernels[process]
        watched = self._returns_are_watched or self._is_executed(process) or self._modes.watches(process)
        if watched or process.cpu.system_call_msrs()[1] != kernel.entry.lstar:
            carry_out(syscall.EFFECT, process.cpu)
            self._enter(process)
        else:
            pass_through(process.cpu, lambda: kernel.system_call(process.thread))
            self._done(process)

    def _answer(self, process: Process) -> bool:
        """Have the model answer in kernel mode; False where the thread goes on elsewhere, in user mode then."""
        registers = process.cpu.registers
        here = registers.read(RIP)
        self._kernels[process].system_call(process.thread)
        return registers.read(RIP) == here


def _accepting(variants: Variants) -> Callable[[EventDefinition], bool]:
    return lambda definition: definition.detection in variants
