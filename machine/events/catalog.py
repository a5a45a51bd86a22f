"""THE table of event kinds, one row per number of HyperDbg's event enumeration (events-and-commands B.14 and C.1).

The checker of commands, the registry, the dispatcher and the documentation read it; nothing else lists event kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ShortCircuit(Enum):
    """What `sc on` or `event_sc(1)` means for a kind of event."""

    SKIPPED = "the operation is skipped"
    DROPPED = "the interruption is not delivered"
    FROZEN = "the process does not go on in this mode"
    IGNORED = "no effect"


class Parameter(Enum):
    """The kind's own parameters, in front of the common options."""

    NONE = "none"
    OPTIONAL = "one value; without it everything of the kind triggers"
    REQUIRED = "one value"
    RANGE = "two addresses, or an address and a length"
    REGISTER_AND_MASK = "a register number, optionally a mask"


@dataclass(frozen=True)
class EventKind:
    """One kind of event. `number` and `sdk_name` are those of HyperDbg's SDK; `commands` create events of this kind."""

    number: int
    sdk_name: str
    name: str
    commands: tuple[str, ...]
    parameter: Parameter
    parameter_name: str
    context: str
    stages: bool
    short_circuit: ShortCircuit
    implemented: bool
    doc: str

    @property
    def family(self) -> str:
        """The name without attributes: that of the file with its exit."""
        return self.name.partition(" ")[0]

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its own parameters, in the order of HyperDbg's OptionalParam1 and those that follow."""
        return _PARAMETERS.get(self.family, ())


GIVEN = "given"  # says whether the parameter behind it is meant
_PARAMETERS: dict[str, tuple[str, ...]] = {
    "monitor": ("from", "to"),
    "epthook2": ("address",),
    "epthook": ("address",),
    "syscall": ("number",),
    "cpuid": (GIVEN, "leaf"),
    "msrread": ("msr",),
    "msrwrite": ("msr",),
    "ioin": ("port",),
    "ioout": ("port",),
    "exception": ("vector",),
    "interrupt": ("vector",),
    "crwrite": ("register", "mask"),
    "crread": ("register",),
    "mode": ("mode",),
    "trace": ("type",),
    "xsetbv": ("xcr",),
}


def _monitor(number: int, suffix: str, attributes: str) -> EventKind:
    return EventKind(
        number, f"HIDDEN_HOOK_{suffix}", f"monitor {attributes}", ("!monitor",), Parameter.RANGE, "from, to",
        "exact address of the access", True, ShortCircuit.SKIPPED, False,
        f"access ({attributes}) to any byte of a range",
    )  # fmt: skip


def _instruction(
    number: int, sdk_name: str, command: str, parameter: str, context: str, doc: str, implemented: bool = False
) -> EventKind:
    kind = Parameter.OPTIONAL if parameter else Parameter.NONE
    name = command.removeprefix("!")
    skipped = ShortCircuit.SKIPPED
    return EventKind(number, sdk_name, name, (command,), kind, parameter, context, True, skipped, implemented, doc)


EVENT_KINDS: tuple[EventKind, ...] = (
    _monitor(0, "READ_AND_WRITE_AND_EXECUTE", "rwx"),
    _monitor(1, "READ_AND_WRITE", "rw"),
    _monitor(2, "READ_AND_EXECUTE", "rx"),
    _monitor(3, "WRITE_AND_EXECUTE", "wx"),
    _monitor(4, "READ", "r"),
    _monitor(5, "WRITE", "w"),
    _monitor(6, "EXECUTE", "x"),
    EventKind(
        7, "HIDDEN_HOOK_EXEC_DETOURS", "epthook2", ("!epthook2",), Parameter.REQUIRED, "address",
        "virtual address of the hook", False, ShortCircuit.IGNORED, True,
        "call of a kernel address, by a hidden detour",
    ),
    EventKind(
        8, "HIDDEN_HOOK_EXEC_CC", "epthook", ("!epthook",), Parameter.REQUIRED, "address",
        "virtual address of the hook", False, ShortCircuit.IGNORED, True,
        "instruction fetch at exactly an address",
    ),
    EventKind(
        9, "SYSCALL_HOOK_EFER_SYSCALL", "syscall", ("!syscall", "!syscall2"), Parameter.OPTIONAL, "system-call number",
        "rax: the system-call number", True, ShortCircuit.SKIPPED, True,
        "SYSCALL is executed",
    ),
    EventKind(
        10, "SYSCALL_HOOK_EFER_SYSRET", "sysret", ("!sysret", "!sysret2"), Parameter.NONE, "",
        "rip of the SYSRET", True, ShortCircuit.SKIPPED, True,
        "SYSRET is executed",
    ),
    _instruction(11, "CPUID_INSTRUCTION_EXECUTION", "!cpuid", "leaf", "eax at entry", "CPUID is executed", True),
    _instruction(12, "RDMSR_INSTRUCTION_EXECUTION", "!msrread", "MSR", "ecx", "RDMSR is executed"),
    _instruction(13, "WRMSR_INSTRUCTION_EXECUTION", "!msrwrite", "MSR", "ecx", "WRMSR is executed"),
    _instruction(14, "IN_INSTRUCTION_EXECUTION", "!ioin", "port", "port", "IN or INS is executed"),
    _instruction(15, "OUT_INSTRUCTION_EXECUTION", "!ioout", "port", "port", "OUT or OUTS is executed"),
    EventKind(
        16, "EXCEPTION_OCCURRED", "exception", ("!exception",), Parameter.OPTIONAL, "vector",
        "vector", True, ShortCircuit.DROPPED, False,
        "an exception, fault or NMI occurs",
    ),
    EventKind(
        17, "EXTERNAL_INTERRUPT_OCCURRED", "interrupt", ("!interrupt",), Parameter.REQUIRED, "vector",
        "vector", True, ShortCircuit.DROPPED, False,
        "an external interrupt arrives",
    ),
    _instruction(18, "DEBUG_REGISTERS_ACCESSED", "!dr", "", "0", "MOV to or from a debug register"),
    _instruction(19, "TSC_INSTRUCTION_EXECUTION", "!tsc", "", "0 RDTSC, 1 RDTSCP", "RDTSC or RDTSCP is executed"),
    _instruction(20, "PMC_INSTRUCTION_EXECUTION", "!pmc", "", "0", "RDPMC is executed"),
    _instruction(21, "VMCALL_INSTRUCTION_EXECUTION", "!vmcall", "", "0", "VMCALL is executed"),
    EventKind(
        22, "CONTROL_REGISTER_MODIFIED", "crwrite", ("!crwrite",), Parameter.REGISTER_AND_MASK, "control register",
        "number of the control register", True, ShortCircuit.SKIPPED, False,
        "MOV to CR0 or CR4 changes bits under the mask",
    ),
    EventKind(
        23, "CONTROL_REGISTER_READ", "crread", (), Parameter.REQUIRED, "control register",
        "number of the control register", True, ShortCircuit.SKIPPED, False,
        "MOV from a control register; no command creates it",
    ),
    EventKind(
        24, "CONTROL_REGISTER_3_MODIFIED", "cr3write", (), Parameter.NONE, "",
        "0", False, ShortCircuit.IGNORED, False,
        "CR3 changes; internal to HyperDbg",
    ),
    EventKind(
        25, "TRAP_EXECUTION_MODE_CHANGED", "mode", ("!mode",), Parameter.REQUIRED, "mode",
        "3 arrived in user mode, 0 in kernel mode", False, ShortCircuit.FROZEN, False,
        "a process starts executing in user or kernel mode",
    ),
    EventKind(
        26, "TRAP_EXECUTION_INSTRUCTION_TRACE", "trace", ("!trace",), Parameter.REQUIRED, "type of trace",
        "type of trace", False, ShortCircuit.IGNORED, False,
        "an instruction that event_trace_* asked for was executed",
    ),
    _instruction(27, "XSETBV_INSTRUCTION_EXECUTION", "!xsetbv", "XCR", "ecx", "XSETBV is executed"),
)  # fmt: skip

KIND_BY_NAME: dict[str, EventKind] = {kind.name: kind for kind in EVENT_KINDS}
KINDS_BY_COMMAND: dict[str, tuple[EventKind, ...]] = {
    command: tuple(kind for kind in EVENT_KINDS if command in kind.commands)
    for command in dict.fromkeys(command for kind in EVENT_KINDS for command in kind.commands)
}

SYSCALL = KIND_BY_NAME["syscall"]
SYSRET = KIND_BY_NAME["sysret"]
SYSTEM_CALL_FAMILY = (SYSCALL, SYSRET)  # any event of either kind makes both instructions exit

CPUID = KIND_BY_NAME["cpuid"]

EPTHOOK = KIND_BY_NAME["epthook"]
EPTHOOK2 = KIND_BY_NAME["epthook2"]
EXECUTION_HOOKS = (EPTHOOK, EPTHOOK2)
