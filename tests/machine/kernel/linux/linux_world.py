"""A Linux process whose calls a test makes directly, without instructions: results as the guest gets them in rax."""

from __future__ import annotations

from pathlib import Path

from machine.kernel import DEFAULT_BUILD, ScriptedNetwork, Services, Start
from machine.kernel.linux import LinuxKernel, World
from machine.kernel.linux.names import NUMBERS
from machine.kernel.linux.open_files import DescriptorTable
from machine.loaders.image import Image
from machine.memory import AddressSpace, Area, PhysicalMemory, Protection
from machine.processor.cpu import Cpu
from machine.schedule.clock import VirtualClock
from machine.schedule.process import Process
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.registers import STORAGE_INDEX

SCRATCH, PAGES = 0x10_0000, 64
AT_FDCWD = -100
O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND = 0, 1, 2, 0o100, 0o200, 0o1000, 0o2000
O_DIRECTORY, O_NOFOLLOW, O_PATH = 0o200000, 0o400000, 0o10000000


class Guest:
    """One process. Arguments that are texts or bytes are put into its memory; `output` is what it prints."""

    def __init__(
        self,
        root: Path | None = None,
        writable: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        stdin: bytes | None = None,
        user: int = 1000,
        kernel: LinuxKernel | None = None,
        process_id: int = 0x1000,
        network: ScriptedNetwork | None = None,
    ) -> None:
        self.output: list[tuple[int, bytes]] = []
        self.ticks = 0
        world = World(root, writable, stdin, user=user, network=network)
        clock = VirtualClock(lambda: self.ticks)
        services = Services(lambda *written: self.output.append(written), clock, DEFAULT_BUILD.number, limits, world)
        self.clock = clock
        self.kernel = LinuxKernel(services) if kernel is None else kernel
        self.cpu = Cpu(AddressSpace(PhysicalMemory(limits.max_guest_memory).guests))
        area = Area(SCRATCH, SCRATCH + PAGES * 0x1000, Protection.READ | Protection.WRITE, "program")
        image = Image("linux", SCRATCH, None, (area,), ())
        self.cpu.memory.map(area)
        self.process = Process(process_id, "guest", self.cpu, image, 0, objects=None)  # type: ignore[arg-type]
        self.process.begin(process_id + 4, objects=None)  # type: ignore[arg-type]
        self.kernel.new_process(self.process, Start(image, ("guest",), ()))

    def call(self, name: str, *arguments: int | str | bytes) -> int:
        """The signed result of a system call."""
        registers, place = self.cpu.registers, SCRATCH + 0x8000
        registers.write(STORAGE_INDEX["rax"], NUMBERS[name])
        for storage, given in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), (*arguments, *(0,) * 6), strict=False):
            data = given.encode() + b"\0" if isinstance(given, str) else given
            value = place if isinstance(data, bytes) else data
            if isinstance(data, bytes):
                self.cpu.memory.write(place, data)
                place += len(data)
            registers.write(STORAGE_INDEX[storage], value)
        self.kernel.system_call(self.process.thread)
        return self.result

    @property
    def result(self) -> int:
        """What is in rax, signed."""
        result = self.cpu.registers.read(STORAGE_INDEX["rax"])
        return result - (1 << 64) if result >> 63 else result

    @property
    def files(self) -> DescriptorTable:
        """Its descriptors."""
        return self.kernel.task(self.process.thread).files

    def open(self, path: str, flags: int = O_RDONLY, mode: int = 0o644, directory: int = AT_FDCWD) -> int:
        """openat."""
        return self.call("openat", directory, path, flags, mode)

    def read(self, descriptor: int, size: int = 0x1000) -> bytes | int:
        """What read gives, or the negative error."""
        result = self.call("read", descriptor, SCRATCH, size)
        return result if result < 0 else self.memory(SCRATCH, result)

    def contents(self, path: str) -> bytes | int:
        """The first page of a file, or the negative error of opening it."""
        descriptor = self.open(path)
        return descriptor if descriptor < 0 else self.read(descriptor)

    def memory(self, address: int, size: int) -> bytes:
        """Bytes of the guest."""
        data = self.cpu.memory.read(address, size)
        assert data is not None
        return data
