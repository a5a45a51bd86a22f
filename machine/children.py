"""New processes: of programs that are loaded, and of other processes, as copies or in the place of one.

A copy has its own CPU and, unless it shares its maker's, its own address space; pages are copied when one of both
writes them. What comes in the place of a process has its id and its objects in kernel memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from machine.kernel import KernelObjects
from machine.memory import AddressSpace, MapError, PhysicalMemory
from machine.processor import Cpu, ThreadRegisters, coverage, msr
from machine.schedule import Maker, Process, TooManyProcesses
from vm import HostMemoryError
from vm.facts.limits import Limits
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX

if TYPE_CHECKING:
    from machine.kernel import Kernel
    from machine.loaders import Image

_ENTRY_MSRS = (msr.STAR, msr.LSTAR, msr.FMASK)
_WORK = 1 << 20  # bytes of kernel work that making a process is charged with (machine.memory.work)
_WORK_REFUSED = 1 << 26  # the same for one that is not made: who asks again and again ends at `max_kernel_work`
_FIRST_PROCESS_ID, _PROCESS_ID_STEP = 0x1000, 0x10
_THREAD_ID_OFFSET, _THREAD_ID_STEP = 4, 4
_INITIAL_FLAGS, _RPL = 0x202, 3
NOWHERE = 0xFFFF_FFFF_FFFF_FFFF  # an `until` that no program reaches


class Ids:
    """The ids of the processes and threads of one machine; none comes twice unless a user wants it to."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._highest = 0

    def take(self, number: int) -> None:
        """Somebody has it."""
        self._taken.add(number)
        self._highest = max(self._highest, number)

    def take_both(self, process_id: int) -> int:
        """A process has it; the id of its first thread."""
        thread_id = process_id + _THREAD_ID_OFFSET
        self.take(process_id)
        self.take(thread_id)
        return thread_id

    def of_program(self, processes: int) -> int:
        """A free one for a program that is loaded beside so many processes."""
        process_id = _FIRST_PROCESS_ID + _PROCESS_ID_STEP * processes
        while process_id in self._taken or process_id + _THREAD_ID_OFFSET in self._taken:
            process_id += _PROCESS_ID_STEP
        return process_id

    def of_child(self) -> tuple[int, int]:
        """Those of a process that another one makes, and of its first thread; they are taken."""
        process_id = (self._highest // _PROCESS_ID_STEP + 1) * _PROCESS_ID_STEP
        return process_id, self.take_both(process_id)

    def of_thread(self) -> int:
        """A free one for another thread."""
        return self._highest + _THREAD_ID_STEP


class Nursery(msgspec.Struct, frozen=True):
    """Makes processes; they count for nothing before the machine takes them in.

    `living` are the processes that have not ended.
    """

    limits: Limits
    physical: PhysicalMemory
    objects: KernelObjects
    living: Callable[[], Iterable[Process]]
    ids: Ids
    coverages: list[tuple[Process, coverage.Coverage]] | None = None  # of all that were made, where blocks are recorded

    def _recorded(self, process: Process) -> Process:
        """The process, whose blocks are recorded if any are."""
        if self.coverages is not None:
            blocks = coverage.Coverage(self.limits.max_recorded_blocks)
            process.cpu.record_blocks(blocks)
            self.coverages.append((process, blocks))
        return process

    def cpu(self, level: int) -> Cpu:
        """A CPU whose address space has what the kernel shows, and nothing else. Raises MapError."""
        memory = AddressSpace(self.physical.guests, self.limits.max_mappings)
        try:
            self.objects.show_in(memory)
            return Cpu(memory, level)
        except MapError:
            memory.release()
            raise

    def first(self, cpu: Cpu, process_id: int, name: str, image: Image, name_bytes: int, *, maker: Maker) -> Process:
        """What is to execute a program that is loaded, on this new CPU. Raises MapError."""
        thread_id = self.ids.take_both(process_id)
        lay_out(cpu, image, self.physical)
        objects = self.objects.add_process(process_id, thread_id, name, name_bytes)
        until = NOWHERE if image.until is None else image.until
        process = Process(process_id, name, cpu, image, until, objects, maker=maker)
        process.begin(thread_id, objects.first)
        return self._recorded(process)

    def fork(self, parent: Process, registers: ThreadRegisters, shares_memory: bool, name_bytes: int) -> Process:
        """A copy of a process with one thread that has these registers. Raises TooManyProcesses."""
        self.physical.work.charge(_WORK)
        if sum(1 for _ in self.living()) >= self.limits.max_processes:
            self.physical.work.charge(_WORK_REFUSED)
            raise TooManyProcesses
        try:
            memory = parent.cpu.memory if shares_memory else parent.cpu.memory.copy()
        except MapError:
            raise TooManyProcesses from None
        try:
            child = self._copy(parent, memory, name_bytes)
        except (MapError, HostMemoryError):
            if memory is not parent.cpu.memory:
                memory.release()
            raise TooManyProcesses from None
        child.cpu.restore(registers)
        return child

    def _copy(self, parent: Process, memory: AddressSpace, name_bytes: int) -> Process:
        image = parent.image
        cpu = Cpu(memory, image.level)
        for number in _ENTRY_MSRS:
            cpu.write_msr(number, parent.cpu.read_msr(number))
        if parent.cpu.bmi.is_active:
            cpu.bmi.activate()
        cpu.x87.begin_with(parent.cpu.x87)
        cpu.registers.write(STORAGE_INDEX["cr3"], memory.table.root_place)
        cpu.registers.store()
        cpu.registers.forget()
        process_id, thread_id = self.ids.of_child()
        objects = self.objects.add_process(process_id, thread_id, parent.name, name_bytes)
        child = Process(
            process_id, parent.name, cpu, image, parent.until, objects, maker=parent.maker,
            planned=parent.planned, loaded=parent.loaded or parent, shares_memory=memory is parent.cpu.memory,
            maker_id=parent.pid,
        )  # fmt: skip
        child.begin(thread_id, objects.first)
        return self._recorded(child)

    def successor(self, process: Process, image: Image, name: str) -> Process:
        """What is to execute an image in the place of a process. Raises MapError."""
        self.physical.work.charge(_WORK)
        try:
            cpu = self.cpu(image.level)
        except HostMemoryError as error:
            raise MapError(str(error)) from None
        try:
            lay_out(cpu, image, self.physical)
        except MapError:
            cpu.memory.release()
            raise
        until = NOWHERE if image.until is None else image.until
        successor = Process(
            process.pid, name, cpu, image, until, process.objects, maker=process.maker, loaded=process.loaded,
            executed_before=process.cpu_time, core=process.core, cpu_alarm=process.cpu_alarm,
        )  # fmt: skip
        successor.begin(process.thread.tid, process.thread.objects)
        return self._recorded(successor)


def lay_out(cpu: Cpu, image: Image, physical: PhysicalMemory) -> None:
    """Map the areas of an image, with what is in them. Raises MapError."""
    for part in image.parts:
        for area in part.areas:
            cpu.memory.map(area)
        for address, data in part.contents:
            if not cpu.memory.write(address, data) and cpu.memory.is_exhausted:
                raise MapError(f"max_guest_memory is used up ({physical.guests.limit:#x} bytes)", "max_guest_memory")


def reset(process: Process, kernel: Kernel) -> None:
    """The registers of a new process that do not depend on its program: MSRs, RIP, flags, selectors."""
    entry, cpu = kernel.entry, process.cpu
    cpu.write_msr(msr.STAR, entry.star)
    cpu.write_msr(msr.LSTAR, entry.lstar)
    cpu.write_msr(msr.FMASK, entry.fmask)
    registers = cpu.registers
    registers.write(RIP, process.image.start)
    registers.write(RFLAGS, _INITIAL_FLAGS)
    registers.write(STORAGE_INDEX["cs"], (entry.star >> 48) + 16 | _RPL)
    registers.write(STORAGE_INDEX["ss"], (entry.star >> 48) + 8 | _RPL)
    registers.store()
