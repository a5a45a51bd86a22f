"""Guests and a fake engine for the tests of machine/: a "program" is a Python function that takes the Host."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never, cast

from machine.events.definition import Action, EventDefinition, ScriptAction
from machine.events.registry import Event
from machine.machine import Machine
from machine.memory import AddressSpace, Area, PhysicalMemory, Protection
from machine.messages import Message
from machine.options import MachineOptions
from machine.processor.cpu import Cpu
from machine.records import CodeFault, GuestOutput, MachineRecord, Notice, ScriptFault
from machine.root.assembler import assemble
from vm.engine import Fault, Loaded, RunResult
from vm.facts.events import GIVEN, SYSCALL, EventKind
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.pseudo_registers import PSEUDO_INDEX
from vm.facts.registers import STORAGE_INDEX
from vm.host import Host
from vm.script_memory import GlobalStore

CODE = 0x40_0000
DATA = 0x60_0000

Script = Callable[[Host], Fault | None]


class FunctionEngine:
    """Runs scripts that are Python functions; what they return is the fault."""

    name = "functions"

    def load(self, program: object, store: object, *, counts_entries: bool = False) -> Loaded:
        raise NotImplementedError

    def run(self, loaded: Loaded, host: Host) -> RunResult:
        return RunResult(1, cast(Script, loaded)(host))


def script(function: Callable[[Host], object]) -> ScriptAction:
    """A script action that calls a function."""

    def body(host: Host) -> Fault | None:
        result = function(host)
        return result if isinstance(result, Fault) else None

    return ScriptAction(cast(Loaded, body))


class Failing:
    """A reporter whose end is gone."""

    def report(self, record: object, /) -> None:
        raise OSError("the pipe is closed")


@dataclass
class Bench:
    """A machine with everything it sends recorded."""

    machine: Machine
    messages: list[Message] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    output: list[tuple[int, bytes]] = field(default_factory=list)
    faults: list[tuple[int | None, Fault]] = field(default_factory=list)
    code_faults: list[tuple[int, str]] = field(default_factory=list)

    def report(self, record: MachineRecord, /) -> None:
        match record:
            case Message():
                self.messages.append(record)
            case Notice(text):
                self.notices.append(text)
            case ScriptFault(event, _, fault):
                self.faults.append((event, fault))
            case CodeFault(event, text):
                self.code_faults.append((event, text))
            case GuestOutput(descriptor, data):
                self.output.append((descriptor, data))
            case _:
                assert_never(record)

    def on(self, kind: EventKind, *actions: Action, **options: object) -> Event:
        """Register an event; its own `parameters` in the order of the kind's."""
        registry = self.machine.registry
        values: dict[str, object] = {"command": f"!{kind.name}", "actions": actions, **options}
        given = options.get("parameters", ())
        values["parameters"] = dict(zip((name for name in kind.sdk_parameters if name != GIVEN), given, strict=False))  # type: ignore[call-overload]  # a tuple of numbers
        return registry.register(EventDefinition(id=registry.take_id(), kind=kind, **values))  # type: ignore[arg-type]

    def on_syscall(self, *actions: Action, **options: object) -> Event:
        """Register a !syscall event."""
        return self.on(SYSCALL, *actions, **options)

    @property
    def texts(self) -> list[bytes]:
        return [message.text for message in self.messages]

    def register(self, name: str) -> int:
        return self.machine.host_for_commands().read_register(STORAGE_INDEX[name])


def bench(
    listing: str = "",
    *,
    cores: int = 1,
    limits: Limits = DEFAULT_LIMITS,
    kernel: str | None = None,
    store: GlobalStore | None = None,
) -> Bench:
    """A machine; a listing is loaded, on the bare kernel by default, which answers every system call with 0."""
    if listing and kernel is None:
        kernel = "bare"
    result = Bench(machine=cast(Machine, None))
    result.machine = Machine(FunctionEngine(), MachineOptions(limits, kernel, cores), reporter=result, store=store)
    if listing:
        result.machine.load(listing.encode(), "asm", name="guest")
    return result


def read(host: Host, name: str) -> int:
    return host.read_register(STORAGE_INDEX[name])


def pseudo(host: Host, name: str) -> int:
    return host.pseudo_register(PSEUDO_INDEX[name])


def say(text: bytes) -> ScriptAction:
    """A script that prints a text."""
    return script(lambda host: host.message(text))


def block(text: str) -> bytes:
    """A condition or a code block, with the return that ends it."""
    return assemble(text, radix=16).code + b"\xc3"


def write(host: Host, name: str, value: int) -> None:
    host.write_register(STORAGE_INDEX[name], value)


def cpu_with(text: str) -> tuple[Cpu, int]:
    """A CPU with code at CODE and a page of data at DATA; the address behind the code."""
    cpu = Cpu(AddressSpace(PhysicalMemory(1 << 24).guests))
    cpu.memory.map(Area(CODE, CODE + 0x1000, Protection.ALL, "code"))
    cpu.memory.map(Area(DATA, DATA + 0x1000, Protection.READ | Protection.WRITE, "data"))
    code = assemble(text, address=CODE).code
    cpu.memory.write(CODE, code)
    return cpu, CODE + len(code)


def set_register(cpu: Cpu, name: str, value: int) -> None:
    cpu.registers.write(STORAGE_INDEX[name], value)


def get_register(cpu: Cpu, name: str) -> int:
    return cpu.registers.read(STORAGE_INDEX[name])


PT_LOAD, PT_INTERP = 1, 3


def elf(
    text: str,
    *,
    machine: int = 62,
    file_type: int = 2,
    extra_headers: tuple[bytes, ...] = (),
    memory_extra: int = 0,
    file_extra: int = 0,
) -> bytes:
    """A one-segment ELF64 executable around an assembled listing; the keywords make it strange."""
    base, count = 0x40_0000, 1 + len(extra_headers)
    start = 64 + 56 * count
    code = assemble(text, address=base + start).code
    size = start + len(code)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", file_type, machine, 1, base + start, 64, 0, 0, 64, 56, count, 0, 0, 0)
    load = program_header(PT_LOAD, 0, base, size + file_extra, size + file_extra + memory_extra)
    return header + load + b"".join(extra_headers) + code


def program_header(kind: int, offset: int, address: int, file_size: int, memory_size: int, flags: int = 7) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, flags, offset, address, address, file_size, memory_size, 0x1000)
