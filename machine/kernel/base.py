"""The interface of a system-call model, and what the models share.

A model prepares what a new process finds in memory. It is asked after SYSCALL has entered the kernel (rcx = return
address, r11 = flags) and answers in rax. The return to user mode is not its business (`machine.system_call`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from machine.kernel.entry import EntryPoint
from machine.loaders import STACK_SIZE, STACK_TOP, Image
from machine.schedule import Process, VirtualClock
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.registers import STORAGE_INDEX

if TYPE_CHECKING:
    from machine.kernel.linux import World

_STACK_ROOM = 0x100  # above the first rsp of a program without arguments


@dataclass(frozen=True)
class Services:
    """What a kernel needs of the machine: `write(descriptor, data)` receives what processes print.

    `build` is the number of the Windows build. `world` is what Linux programs are shown of the host; None for nothing.
    `ending()` says whether the run is to end, which a call that waits for the host has to ask.
    """

    write: Callable[[int, bytes], None]
    clock: VirtualClock
    build: int
    limits: Limits = DEFAULT_LIMITS
    world: World | None = None
    ending: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Start:
    """How a program is started: its arguments (the first is its own name) and NAME=VALUE texts."""

    image: Image
    arguments: Sequence[str]
    environment: Sequence[str]


class Kernel(Protocol):
    """A system-call model. `unknown_calls` counts the calls that it did not carry out, by number."""

    name: ClassVar[str]
    entry: ClassVar[EntryPoint]
    unknown_calls: Counter[int]

    def new_process(self, process: Process, start: Start) -> None:
        """Map the stack and whatever else a program finds, and set its registers but RIP.

        Raises machine.loaders.LoadError and machine.memory.MapError.
        """
        ...

    def default_answer(self, number: int) -> int | None:
        """The result of a call that is not carried out but counted; None for one that is carried out."""
        ...

    def system_call(self, process: Process) -> None:
        """Carry out the call whose number is in rax; the result goes to rax. May end the process."""
        ...


class KernelBase:
    """What the stand-ins share: what they have of the machine, and the count of the calls that they do not know."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.unknown_calls: Counter[int] = Counter()


def map_stack(process: Process) -> int:
    """Map a stack; the first rsp of a program that is given nothing on it."""
    process.cpu.map(STACK_TOP - STACK_SIZE, STACK_SIZE, process.image.stack_protection, "stack")
    return STACK_TOP - _STACK_ROOM


def set_stack_pointer(process: Process, address: int) -> None:
    """Set rsp."""
    process.cpu.registers.write(STORAGE_INDEX["rsp"], address)
