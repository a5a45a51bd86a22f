"""The interface of a system-call model, and what the models share.

A model prepares what a new process finds in memory. It is asked after SYSCALL has entered the kernel (rcx = return
address, r11 = flags) and answers in rax. The return to user mode is not its business (`machine.system_call`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import msgspec

from machine.kernel.entry import EntryPoint
from machine.kernel.happenings import Watcher, unwatched
from machine.kernel.quick import CallerCells, KeptOutput, QuickCall
from machine.loaders import STACK_SIZE, STACK_TOP, Image, LoadError
from machine.memory import Area, KernelWork
from machine.processor import Fault, ThreadRegisters, msr
from machine.schedule import Process, Thread, VirtualClock
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX

if TYPE_CHECKING:
    from machine.kernel.linux import World

_RCX, _R11, _RSP, _CS, _SS = (STORAGE_INDEX[name] for name in ("rcx", "r11", "rsp", "cs", "ss"))
_DROPPED_FLAGS = 1 << 16 | 1 << 17  # RF and VM, as SYSRET does
_RPL = 3
_KERNEL_HALF = 1 << 63
_STACK_ROOM = 0x100  # above the first rsp of a program without arguments


class Services(msgspec.Struct, frozen=True):
    """What a kernel needs of the machine: `write(descriptor, data)` receives what processes print.

    `build` is the number of the Windows build. `world` is what Linux programs are shown of the host; None for nothing.
    What calls do is charged to `work`, which says whether the run is to end: a call that waits for the host has to ask.
    `tell` hears of signals and ends. `output` has what machine code has taken of what processes print.
    """

    write: Callable[[int, bytes], None]
    clock: VirtualClock
    build: int
    limits: Limits = DEFAULT_LIMITS
    world: World | None = None
    work: KernelWork = msgspec.field(default_factory=KernelWork)
    tell: Watcher = unwatched
    output: KeptOutput = msgspec.field(default_factory=KeptOutput)


class Start(msgspec.Struct, frozen=True):
    """How a program is started: its arguments (the first is its own name) and NAME=VALUE texts.

    `file` is where it was read on the host, if it was and goes by that name. `interpreter` is the path, in the guest's
    tree, of a program that a script is for; `script` is the script's.
    """

    image: Image
    arguments: Sequence[str]
    environment: Sequence[str]
    file: Path | None = None
    interpreter: bytes = b""
    script: bytes = b""


class Kernel(Protocol):
    """A system-call model. `unknown_calls` counts the calls that it did not carry out, by number.

    `quick_calls` are those that machine code may carry out, too.
    """

    name: ClassVar[str]
    entry: ClassVar[EntryPoint]
    unknown_calls: Counter[int]
    quick_calls: ClassVar[Mapping[int, QuickCall]]

    def make_ready(self) -> None:
        """Make beforehand what the first process needs, whatever its program is, as if it were made then."""
        ...

    def new_process(self, process: Process, start: Start) -> None:
        """Map the stack and whatever else a program finds, and set its registers but RIP.

        Raises machine.loaders.LoadError and machine.memory.MapError.
        """
        ...

    def guest_file(self, path: bytes) -> bytes:
        """The bytes of a file, by the path that all guests see it at. Raises LoadError."""
        ...

    def program_file(self, path: bytes) -> bytes:
        """The bytes of a program of the guest's, by its path there (interpreters). Raises LoadError."""
        ...

    def path_of(self, file: Path) -> bytes | None:
        """The path by which guests see a file of the host; None where they do not."""
        ...

    def default_answer(self, number: int) -> int | None:
        """The result of a call that is not carried out but counted; None for one that is carried out, or looked at."""
        ...

    def tell_of_looks(self, told: Callable[[], None]) -> None:
        """Have it called when calls begin to be looked at, so that there are no default answers any more."""
        ...

    def caller(self, process: Process) -> CallerCells:
        """What machine code works on that carries out quick calls of a process; it is about to run.

        From the first time on the cells are kept up to date while it runs.
        """
        ...

    def system_call(self, thread: Thread) -> None:
        """Carry out the call of the thread that has the CPU, whose number is in rax; the result goes to rax.

        It may suspend or end the thread, end the process, or have the thread go on elsewhere: RIP is changed then.
        """
        ...

    def fault(self, thread: Thread, fault: Fault) -> bool:
        """An exception in the program of the thread that has the CPU: whether the thread goes on, maybe elsewhere."""
        ...

    def crash_code(self, process: Process, fault: Fault) -> int | None:
        """The exit code of a program that a fault ends; None where there is no system to give one."""
        ...

    def put_back(self) -> None:
        """A run has ended: the host's files get what guests have written into them, and is held back."""
        ...


class KernelBase:
    """What the stand-ins share: what they have of the machine, and the count of the calls that they do not know."""

    quick_calls: ClassVar[Mapping[int, QuickCall]] = {}

    def __init__(self, services: Services) -> None:
        self._services = services
        self.unknown_calls: Counter[int] = Counter()
        self._looks = False  # whether what calls are answered depends on who makes them
        self._to_tell: list[Callable[[], None]] = []

    def make_ready(self) -> None:
        """Nothing is needed."""

    def tell_of_looks(self, told: Callable[[], None]) -> None:
        """As `Kernel`."""
        self._to_tell.append(told)

    def caller(self, process: Process) -> CallerCells:
        """As `Kernel`: there are no quick calls."""
        return CallerCells()

    def look_at_calls(self) -> None:
        """From now on there are no default answers."""
        if not self._looks:
            self._looks = True
            for told in self._to_tell:
                told()

    def guest_file(self, path: bytes) -> bytes:
        """There are no files."""
        raise LoadError("there are no files under this kernel")

    def program_file(self, path: bytes) -> bytes:
        """There are no files."""
        raise LoadError("this ELF file is dynamically linked, and there is no dynamic linker under this kernel")

    def path_of(self, file: Path) -> bytes | None:
        """There are no files."""
        return None

    def fault(self, thread: Thread, fault: Fault) -> bool:
        """Nothing handles faults."""
        return False

    def crash_code(self, process: Process, fault: Fault) -> int | None:
        """No system, no code."""
        return None

    def put_back(self) -> None:
        """Nothing is held back."""


def map_stack(process: Process, size: int = STACK_SIZE) -> int:
    """Map a stack of `size` bytes; the first rsp of a program that is given nothing on it."""
    process.cpu.memory.map(Area(STACK_TOP - size, STACK_TOP, process.image.stack_protection, "stack"))
    return STACK_TOP - _STACK_ROOM


def set_stack_pointer(process: Process, address: int) -> None:
    """Set rsp."""
    process.cpu.registers.write(STORAGE_INDEX["rsp"], address)


def enter_user_mode(thread: Thread, values: Mapping[int, int]) -> None:
    """Have a thread whose SYSCALL is under way go on in user mode with these values of storages."""
    cpu = thread.process.cpu
    selectors, registers = cpu.system_call_msrs()[0] >> 48, cpu.registers
    if registers.read(_RSP) >= _KERNEL_HALF:  # in the handler, behind its SWAPGS
        user = cpu.read_msr(msr.KERNEL_GS_BASE)
        cpu.write_msr(msr.KERNEL_GS_BASE, cpu.read_msr(msr.GS_BASE))
        cpu.write_msr(msr.GS_BASE, user)
    cpu.privilege_level = cpu.home_level
    registers.write_all({_CS: selectors + 16 | _RPL, _SS: selectors + 8 | _RPL, **values})


def general_values(thread: Thread) -> dict[int, int]:
    """The general registers, RIP and RFLAGS that a thread has."""
    return thread.process.cpu.registers.user_values()


def user_values(thread: Thread) -> dict[int, int]:
    """RIP, RFLAGS, RSP and selectors that a thread has in user mode behind the call that is under way in it.

    Also of a thread that waits in one and does not have the CPU.
    """
    cpu = thread.process.cpu
    selectors, registers = cpu.system_call_msrs()[0] >> 48, cpu.registers if thread.saved is None else thread.saved
    if thread.has_user_registers:
        return {storage: registers.read(storage) for storage in (RIP, RFLAGS, _RSP, _CS, _SS)}
    pointer = registers.read(_RSP)
    if pointer >= _KERNEL_HALF:  # the handler is executed, and has saved it
        pointer = int.from_bytes(cpu.memory.read(thread.objects.stack_top - 8, 8) or b"", "little")
    return {
        RIP: registers.read(_RCX), RFLAGS: registers.read(_R11) & ~_DROPPED_FLAGS, _RSP: pointer,
        _CS: selectors + 16 | _RPL, _SS: selectors + 8 | _RPL,
    }  # fmt: skip


def behind_call(thread: Thread) -> ThreadRegisters:
    """The registers that a thread has in user mode behind the SYSCALL that is under way in it."""
    cpu = thread.process.cpu
    present = cpu.copy_registers()
    in_handler = cpu.registers.read(_RSP) >= _KERNEL_HALF
    return present.with_values(user_values(thread), gs_base=present.kernel_gs_base if in_handler else None)
