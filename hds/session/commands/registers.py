"""Registers: `r`, `rdmsr`, `wrmsr`, and what the processor says of itself: `cpu`, `cpuid` (events-and-commands E.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from hds.session.commands.handler import Handler, address, incorrect_use, number, split
from hds.session.refused import CommandFailed
from lang import Span
from machine import MsrError
from machine.debugger import RESULTS, cpuid_results
from vm import late_pattern
from vm.facts.errors import ErrorNumber
from vm.facts.numbers import plain_number
from vm.facts.registers import REGISTER_INDEX, REGISTERS, Register

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command
    from vm import Host

# Ten lines, as HyperDbg lays them out; a field is a register and the width of its value in hexadecimal digits.
LAYOUT = """\
RAX={rax:016x} RBX={rbx:016x} RCX={rcx:016x}
RDX={rdx:016x} RSI={rsi:016x} RDI={rdi:016x}
RIP={rip:016x} RSP={rsp:016x} RBP={rbp:016x}
R8 ={r8:016x} R9 ={r9:016x} R10={r10:016x}
R11={r11:016x} R12={r12:016x} R13={r13:016x}
R14={r14:016x} R15={r15:016x} IOPL={iopl:02x}
OF {of:x}  DF {df:x}  IF {if:x}  SF  {sf:x}
ZF {zf:x}  PF {pf:x}  CF {cf:x}  AXF {af:x}
CS {cs:04x} SS {ss:04x} DS {ds:04x} ES {es:04x} FS {fs:04x} GS {gs:04x}
RFLAGS={rflags:016x}
"""

_ASSIGNMENT = late_pattern(r"@?(?P<name>\w+)\s*=\s*(?P<value>[^=].*)", re.DOTALL)

# CPUID features: name, leaf, register and bit (Intel SDM volume 2, CPUID).
FEATURES: tuple[tuple[str, int, str, int], ...] = (
    ("FPU", 1, "rdx", 0), ("TSC", 1, "rdx", 4), ("MSR", 1, "rdx", 5), ("CX8", 1, "rdx", 8), ("SEP", 1, "rdx", 11),
    ("CMOV", 1, "rdx", 15), ("CLFSH", 1, "rdx", 19), ("MMX", 1, "rdx", 23), ("FXSR", 1, "rdx", 24),
    ("SSE", 1, "rdx", 25), ("SSE2", 1, "rdx", 26), ("SSE3", 1, "rcx", 0), ("PCLMULQDQ", 1, "rcx", 1),
    ("VMX", 1, "rcx", 5), ("SSSE3", 1, "rcx", 9), ("FMA", 1, "rcx", 12), ("CMPXCHG16B", 1, "rcx", 13),
    ("SSE4.1", 1, "rcx", 19), ("SSE4.2", 1, "rcx", 20), ("MOVBE", 1, "rcx", 22), ("POPCNT", 1, "rcx", 23),
    ("AES", 1, "rcx", 25), ("XSAVE", 1, "rcx", 26), ("AVX", 1, "rcx", 28), ("F16C", 1, "rcx", 29),
    ("RDRAND", 1, "rcx", 30), ("FSGSBASE", 7, "rbx", 0), ("BMI1", 7, "rbx", 3), ("AVX2", 7, "rbx", 5),
    ("BMI2", 7, "rbx", 8), ("ERMS", 7, "rbx", 9), ("RDSEED", 7, "rbx", 18), ("ADX", 7, "rbx", 19),
    ("SHA", 7, "rbx", 29), ("LAHF", 0x8000_0001, "rcx", 0), ("SYSCALL", 0x8000_0001, "rdx", 11),
    ("NX", 0x8000_0001, "rdx", 20), ("RDTSCP", 0x8000_0001, "rdx", 27),
)  # fmt: skip


def read_register(host: Host, register: Register) -> int:
    """The value of a named register."""
    return register.extract(host.read_register(register.storage))


def all_registers(session: Session) -> str:
    """The ten lines of `r`."""
    host = session.machine.host_for_commands()
    return LAYOUT.format_map({register.name: read_register(host, register) for register in REGISTERS})


def registers(session: Session, command: Command, prepared: Prepared) -> None:
    """`r`, `r REG` and `r REG = EXPRESSION`."""
    text = command.raw.text
    if not text:
        session.show(all_registers(session))
        return
    host = session.machine.host_for_commands()
    if "=" not in text:
        register = _register(text.removeprefix("@"))
        session.show(f"{register.name}={read_register(host, register):016x}\n")
        return
    match = _ASSIGNMENT.fullmatch(text)
    if match is None:
        raise incorrect_use(command)
    register = _register(match["name"])
    start = command.raw.start + match.start("value")
    value = session.value_of(Span(command.raw.file, start, command.raw.end))
    if value is None:
        raise CommandFailed(f"err, couldn't resolve error at '{match['value'].strip()}'")
    host.write_register(register.storage, register.insert(host.read_register(register.storage), value))


def _register(name: str) -> Register:
    index = REGISTER_INDEX.get(name)
    if index is None:
        raise CommandFailed(f"err, invalid register '{name}' (names are in lower case)")
    return REGISTERS[index]


def read_msr(session: Session, command: Command, prepared: Prepared) -> None:
    """`rdmsr MSR [core N]`: one line per core."""
    arguments = split(command, ("core",))
    index = plain_number(arguments.plain[0].text) if len(arguments.plain) == 1 else None
    if index is None:
        raise incorrect_use(command)
    for core in _cores(session, number(arguments.keyed.get("core"), -1, "core")):
        value = _msr(partial(session.machine.read_msr, core, index))
        session.show(f"core : 0x{core:x} - msr[{index:x}] = {value >> 32:08x}`{value & 0xFFFF_FFFF:08x}\n")


def write_msr(session: Session, command: Command, prepared: Prepared) -> None:
    """`wrmsr MSR VALUE [core N]`: on every core, or on the given one."""
    arguments = split(command, ("core",))
    index = plain_number(arguments.plain[0].text) if len(arguments.plain) == 2 else None
    if index is None:
        raise incorrect_use(command)
    value = address(session, arguments.plain[1])
    for core in _cores(session, number(arguments.keyed.get("core"), -1, "core")):
        _msr(partial(session.machine.write_msr, core, index, value))
    session.show("\n")


def _msr(access: Callable[[], int | None]) -> int:
    """The outcome of an access to an MSR."""
    try:
        return access() or 0
    except MsrError as error:
        raise CommandFailed(f"err, ioctl failed: the msr index or the core is invalid ({error})") from None


def _cores(session: Session, wanted: int) -> Sequence[int]:
    """The core that was asked for, or all that have run a process (all, where none has)."""
    count = len(session.machine.cores)
    if wanted < 0:
        return [core.index for core in session.machine.cores if core.process is not None] or range(count)
    if wanted >= count:
        raise CommandFailed(ErrorNumber.INVALID_CORE_ID.err())
    return range(wanted, wanted + 1)


def cpu(session: Session, command: Command, prepared: Prepared) -> None:
    """`cpu`: vendor, brand and features of the emulated processor."""
    highest = cpuid_results(0)
    vendor = b"".join(highest[name].to_bytes(4, "little") for name in ("rbx", "rdx", "rcx")).decode("ascii", "replace")
    parts = (
        cpuid_results(leaf)[name].to_bytes(4, "little") for leaf in range(0x8000_0002, 0x8000_0005) for name in RESULTS
    )
    brand = b"".join(parts).rstrip(b"\0").decode("ascii", "replace").strip()
    lines = [f"Vendor : {vendor}", f"Brand  : {brand}"]
    lines += [
        f"{name} {'supported' if cpuid_results(leaf)[register] >> bit & 1 else 'not supported'}"
        for name, leaf, register, bit in FEATURES
    ]
    session.show("\n".join(lines) + "\n")


def cpuid(session: Session, command: Command, prepared: Prepared) -> None:
    """`cpuid LEAF [SUBLEAF]`: what the instruction returns on the emulated processor."""
    values = [number(token, 0, "leaf") for token in command.tokens]
    if not 1 <= len(values) <= 2:
        raise incorrect_use(command)
    result = cpuid_results(*values)
    session.show(" ".join(f"E{name[1:].upper()}={result[name]:08x}" for name in RESULTS) + "\n")


HANDLERS: dict[str, Handler] = {"r": registers, "rdmsr": read_msr, "wrmsr": write_msr, "cpu": cpu, "cpuid": cpuid}
