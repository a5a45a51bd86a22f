"""Events: one row for each number of HyperDbg's event enumeration (events-and-commands B.2, B.14, C.1, C.2).

The row says how the kind's commands are written, which own parameters they have and in which order the programming
interface takes them, what `$context` is, and whether hds raises events of this kind. The checker of commands, the
registry, the dispatcher, help, `hds list` and the documentation read it; nothing else lists event commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from itertools import permutations

import msgspec

from vm.facts.errors import ErrorNumber


class ShortCircuit(Enum):
    """What `sc on` or `event_sc(1)` means for a kind of event."""

    SKIPPED = "the operation is skipped"
    DROPPED = "the interruption is not delivered"
    FROZEN = "the process does not go on in this mode"
    IGNORED = "no effect"


class Detection(IntEnum):
    """How an event of the SYSCALL and SYSRET family tells the two apart; numbered as OptionalParam2 of the SDK.

    `!syscall` and `!sysret` read the bytes of the instruction; `!syscall2` and `!sysret2` look at RIP only, and take
    every undefined instruction for one of the two (events-and-commands D.2).
    """

    READ_BYTES = 0
    ANY_UNDEFINED = 1


class AddressSpace(IntEnum):
    """What the range of `!monitor` is a range of. The numbers are ours: B.14 names none of the SDK for it."""

    VIRTUAL = 0
    PHYSICAL = 1


class MonitoredAccess(IntEnum):
    """What `!monitor` waits for: the numbers of its event types in the SDK, since each has one (B.14)."""

    RWX = 0
    RW = 1
    RX = 2
    WX = 3
    R = 4
    W = 5
    X = 6


class ExecutionMode(IntEnum):
    """The modes of `!mode`, as OptionalParam1 of the SDK numbers them (B.14)."""

    KERNEL = 0
    USER_AND_KERNEL = 1
    USER = 3


class TraceType(IntEnum):
    """The types of `!trace`, as OptionalParam1 of the SDK numbers them (B.14); v0.23 always says 1 (Z42)."""

    STEP_IN = 1
    STEP_OUT = 2
    INSTRUMENTATION_STEP = 3


# --- options, which all event commands have


class OptionRow(msgspec.Struct, frozen=True):
    """An option: its keyword and how its value is written; a `block` in braces, if `assembled` behind `asm` too."""

    keyword: str
    usage: str
    block: bool = False
    assembled: bool = False

    @property
    def form(self) -> str:
        """How the option is written."""
        return f"[{'[asm] ' * self.assembled}{self.keyword} {self.usage}]"


EVENT_OPTIONS: tuple[OptionRow, ...] = (
    OptionRow("pid", "P|all"),
    OptionRow("core", "C"),
    OptionRow("imm", "yes|no"),
    OptionRow("sc", "on|off"),
    OptionRow("stage", "pre|post|all"),
    OptionRow("buffer", "N"),
    # Blocks, in the order in which they claim theirs (B.3).
    OptionRow("condition", "{...}", block=True, assembled=True),
    OptionRow("code", "{...}", block=True, assembled=True),
    OptionRow("script", "{...}", block=True),
    OptionRow("output", "{NAME, ...}", block=True),
)
SCALAR_OPTIONS = tuple(row.keyword for row in EVENT_OPTIONS if not row.block)
BLOCK_OPTIONS = tuple(row.keyword for row in EVENT_OPTIONS if row.block)
ASSEMBLED_OPTIONS = tuple(row.keyword for row in EVENT_OPTIONS if row.assembled)
OPTIONS_USAGE = " ".join(row.form for row in EVENT_OPTIONS)

# --- own parameters


class ParameterKind(Enum):
    """How a parameter is read."""

    NUMBER = "a number"  # a plain number
    EXPRESSION = "a number, symbol or expression"  # one token, evaluated by the user of the command
    CHOICE = "one of some words"


class ParameterRow(msgspec.Struct, frozen=True):
    """One own parameter.

    With a `keyword` the value follows that word, which may be left out if it is not `needs_keyword`. A CHOICE is
    recognised by its words wherever it stands; its value is the number of the word. The others are taken in order.
    `low`, `high` (both included) and `only` restrict numbers, and `range_error` is said of others. `optional_param` is
    its place among OptionalParam1 and those that follow of the programming interface, `given_param` the place of the
    one that says whether it is meant; 0 is none.
    """

    name: str
    kind: ParameterKind
    usage: str
    optional_param: int = 0
    given_param: int = 0
    required: bool = False
    keyword: str | None = None
    needs_keyword: bool = True
    choices: Mapping[str, IntEnum] = msgspec.field(default_factory=dict)
    low: int = 0
    high: int | None = None
    only: tuple[int, ...] = ()
    range_error: str = ""


GIVEN = "given"  # of the programming interface: says whether the parameter behind it is meant


def _number(name: str, usage: str) -> tuple[ParameterRow, ...]:
    return (ParameterRow(name, ParameterKind.NUMBER, usage, 1),)


_ADDRESS = (
    ParameterRow(
        "address", ParameterKind.EXPRESSION, "ADDRESS", 1,
        required=True, low=1, range_error="choose an address other than 0",
    ),
)  # fmt: skip
_SPACE = {"va": AddressSpace.VIRTUAL, "pa": AddressSpace.PHYSICAL}
_ACCESS = {"".join(letters): access for access in MonitoredAccess for letters in permutations(access.name.lower())}
_MONITOR = (
    ParameterRow("space", ParameterKind.CHOICE, "[va|pa]", choices=_SPACE),
    ParameterRow("access", ParameterKind.CHOICE, "r|w|x|rw|rx|wx|rwx", required=True, choices=_ACCESS),
    ParameterRow("length", ParameterKind.EXPRESSION, "", keyword="l", low=1, range_error="the length is 0"),
    ParameterRow("from", ParameterKind.EXPRESSION, "FROM", 1, required=True),
    ParameterRow("to", ParameterKind.EXPRESSION, "TO|l LENGTH", 2),
)
_SYSCALL_NUMBER = (ParameterRow("number", ParameterKind.EXPRESSION, "[NUMBER]", 1),)
_LEAF = (ParameterRow("leaf", ParameterKind.NUMBER, "[LEAF]", 2, given_param=1),)
_VECTOR_OF_EXCEPTION = (
    ParameterRow(
        "vector", ParameterKind.NUMBER, "[VECTOR]", 1,
        high=0x1F, range_error=ErrorNumber.EXCEPTION_INDEX.said(),
    ),
)  # fmt: skip
_VECTOR_OF_INTERRUPT = (
    ParameterRow(
        "vector", ParameterKind.NUMBER, "VECTOR", 1, required=True,
        low=0x20, high=0xFF, range_error=ErrorNumber.INTERRUPT_INDEX.said(),
    ),
)  # fmt: skip
_CONTROL_REGISTER = ParameterRow(
    "register", ParameterKind.NUMBER, "0|4", 1, required=True, only=(0, 4), range_error="the register is CR0 or CR4"
)
_MASK = ParameterRow("mask", ParameterKind.NUMBER, "[[mask] MASK]", 2, keyword="mask", needs_keyword=False)
_MODE_WORDS = {
    "u": ExecutionMode.USER,
    "k": ExecutionMode.KERNEL,
    "ku": ExecutionMode.USER_AND_KERNEL,
    "uk": ExecutionMode.USER_AND_KERNEL,
}
_MODE = (
    ParameterRow(
        "mode", ParameterKind.CHOICE, "u|k|ku", 1,
        required=True, choices=_MODE_WORDS,
    ),
)  # fmt: skip
_TRACE_WORDS = {
    TraceType.STEP_IN: ("step-in", "stepin", "step"),
    TraceType.STEP_OUT: ("step-out", "stepout"),
    TraceType.INSTRUMENTATION_STEP: ("instrument-step", "instrumentstep", "step-instrument", "instrument-step-in"),
}
_TRACE = (
    ParameterRow(
        "type", ParameterKind.CHOICE, "step-in|step-out|instrument-step", 1,
        required=True, choices={word: number for number, words in _TRACE_WORDS.items() for word in words},
    ),
)  # fmt: skip

# --- kinds


class Spelling(msgspec.Struct, frozen=True):
    """A command that creates events of a kind. Without a `doc` of its own it says when the kind triggers."""

    name: str
    doc: str = ""
    aliases: tuple[str, ...] = ()
    detection: Detection = Detection.READ_BYTES


CALL_NUMBER = "rax: the system-call number"  # the context of kinds whose context names a system call


class EventKind(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One kind of event. `number` and `sdk_name` are those of HyperDbg's SDK; `spellings` create events of this kind.

    `emulated` says whether hds raises such events; where it does not, they are refused. `doc` completes "triggers
    when". `takes_range`: FROM TO, or FROM l LENGTH. `ignores_unknown`: HyperDbg drops words that it does not know;
    `is_strict`: it calls them an incorrect use of the command.
    """

    number: int
    sdk_name: str
    name: str
    doc: str
    context: str
    spellings: tuple[Spelling, ...]
    parameters: tuple[ParameterRow, ...] = ()
    emulated: bool = False
    stages: bool = True
    short_circuit: ShortCircuit = ShortCircuit.SKIPPED
    needs_pid: bool = False
    takes_range: bool = False
    ignores_unknown: bool = False
    is_strict: bool = False

    @property
    def commands(self) -> tuple[str, ...]:
        """The names of the commands that create events of this kind."""
        return tuple(spelling.name for spelling in self.spellings)

    @property
    def family(self) -> str:
        """The name without attributes: that of the file with its exit."""
        return self.name.partition(" ")[0]

    @property
    def sdk_parameters(self) -> tuple[str, ...]:
        """The names of its own parameters, in the order of HyperDbg's OptionalParam1 and those that follow."""
        names = {row.optional_param: row.name for row in self.parameters if row.optional_param}
        names |= {row.given_param: GIVEN for row in self.parameters if row.given_param}
        return tuple(names[place] for place in sorted(names))


def _monitor(access: MonitoredAccess, suffix: str) -> EventKind:
    attributes = access.name.lower()
    return EventKind(
        number=int(access), sdk_name=f"HIDDEN_HOOK_{suffix}", name=f"monitor {attributes}",
        doc=f"any byte of a range is accessed ({attributes})", context="exact address of the access",
        spellings=(Spelling("!monitor", "runs actions when a range of memory is read, written or executed"),),
        parameters=_MONITOR, takes_range=True, emulated=True,
    )  # fmt: skip


def _instruction(
    number: int, sdk_name: str, command: str, doc: str, context: str, parameters: tuple[ParameterRow, ...] = (),
    aliases: tuple[str, ...] = (),
) -> EventKind:  # fmt: skip
    return EventKind(
        number=number, sdk_name=f"{sdk_name}_INSTRUCTION_EXECUTION", name=command.removeprefix("!"), doc=doc,
        context=context, spellings=(Spelling(command, aliases=aliases),), parameters=parameters, emulated=True,
        is_strict=sdk_name in ("TSC", "PMC", "VMCALL"),
    )  # fmt: skip


_BY_ADDRESS = "HyperDbg recognises the instruction by its address"

EVENT_KINDS: tuple[EventKind, ...] = (
    _monitor(MonitoredAccess.RWX, "READ_AND_WRITE_AND_EXECUTE"),
    _monitor(MonitoredAccess.RW, "READ_AND_WRITE"),
    _monitor(MonitoredAccess.RX, "READ_AND_EXECUTE"),
    _monitor(MonitoredAccess.WX, "WRITE_AND_EXECUTE"),
    _monitor(MonitoredAccess.R, "READ"),
    _monitor(MonitoredAccess.W, "WRITE"),
    _monitor(MonitoredAccess.X, "EXECUTE"),
    EventKind(
        number=7, sdk_name="HIDDEN_HOOK_EXEC_DETOURS", name="epthook2", doc="a kernel address is called",
        context="virtual address of the hook",
        spellings=(Spelling("!epthook2", "like !epthook, as a detour of a kernel function"),),
        parameters=_ADDRESS, emulated=True, stages=False, short_circuit=ShortCircuit.IGNORED,
    ),
    EventKind(
        number=8, sdk_name="HIDDEN_HOOK_EXEC_CC", name="epthook",
        doc="the instruction at an address is about to be executed", context="virtual address of the hook",
        spellings=(Spelling("!epthook"),),
        parameters=_ADDRESS, emulated=True, stages=False, short_circuit=ShortCircuit.IGNORED,
    ),
    EventKind(
        number=9, sdk_name="SYSCALL_HOOK_EFER_SYSCALL", name="syscall", doc="SYSCALL is executed",
        context=CALL_NUMBER,
        spellings=(
            Spelling("!syscall"),
            Spelling("!syscall2", f"like !syscall; {_BY_ADDRESS}", detection=Detection.ANY_UNDEFINED),
        ),
        parameters=_SYSCALL_NUMBER, emulated=True,
    ),
    EventKind(
        number=10, sdk_name="SYSCALL_HOOK_EFER_SYSRET", name="sysret", doc="SYSRET is executed",
        context="rip of the SYSRET",
        spellings=(
            Spelling("!sysret"),
            Spelling("!sysret2", f"like !sysret; {_BY_ADDRESS}", detection=Detection.ANY_UNDEFINED),
        ),
        emulated=True, ignores_unknown=True,
    ),
    _instruction(11, "CPUID", "!cpuid", "CPUID is executed", "eax at entry", _LEAF),
    _instruction(12, "RDMSR", "!msrread", "RDMSR is executed", "ecx", _number("msr", "[MSR]"), ("!msread",)),
    _instruction(13, "WRMSR", "!msrwrite", "WRMSR is executed", "ecx", _number("msr", "[MSR]")),
    _instruction(14, "IN", "!ioin", "a port is read (IN, INS)", "port", _number("port", "[PORT]")),
    _instruction(15, "OUT", "!ioout", "a port is written (OUT, OUTS)", "port", _number("port", "[PORT]"), ("!iout",)),
    EventKind(
        number=16, sdk_name="EXCEPTION_OCCURRED", name="exception", doc="an exception, fault or NMI occurs",
        context="vector", spellings=(Spelling("!exception"),),
        parameters=_VECTOR_OF_EXCEPTION, emulated=True, short_circuit=ShortCircuit.DROPPED,
    ),
    EventKind(
        number=17, sdk_name="EXTERNAL_INTERRUPT_OCCURRED", name="interrupt", doc="an external interrupt arrives",
        context="vector", spellings=(Spelling("!interrupt"),),
        parameters=_VECTOR_OF_INTERRUPT, emulated=True, short_circuit=ShortCircuit.DROPPED,
    ),
    EventKind(
        number=18, sdk_name="DEBUG_REGISTERS_ACCESSED", name="dr", doc="a debug register is read or written",
        context="0", spellings=(Spelling("!dr"),), emulated=True,
    ),
    _instruction(19, "TSC", "!tsc", "RDTSC or RDTSCP is executed", "0 RDTSC, 1 RDTSCP"),
    _instruction(20, "PMC", "!pmc", "RDPMC is executed", "0"),
    _instruction(21, "VMCALL", "!vmcall", "VMCALL is executed", "0"),
    EventKind(
        number=22, sdk_name="CONTROL_REGISTER_MODIFIED", name="crwrite",
        doc="MOV to CR0 or CR4 changes bits under the mask", context="number of the control register",
        spellings=(Spelling("!crwrite"),), parameters=(_CONTROL_REGISTER, _MASK), emulated=True,
    ),
    EventKind(
        number=23, sdk_name="CONTROL_REGISTER_READ", name="crread",
        doc="a control register is read; no command creates it", context="number of the control register",
        spellings=(), parameters=(_CONTROL_REGISTER,), emulated=True,
    ),
    EventKind(
        number=24, sdk_name="CONTROL_REGISTER_3_MODIFIED", name="cr3write", doc="CR3 changes; internal to HyperDbg",
        context="0", spellings=(), emulated=True, stages=False, short_circuit=ShortCircuit.IGNORED,
    ),
    EventKind(
        number=25, sdk_name="TRAP_EXECUTION_MODE_CHANGED", name="mode",
        doc="a process starts executing in user or kernel mode", context="3 arrived in user mode, 0 in kernel mode",
        spellings=(Spelling("!mode"),), parameters=_MODE,
        emulated=True, stages=False, short_circuit=ShortCircuit.FROZEN, needs_pid=True, is_strict=True,
    ),
    EventKind(
        number=26, sdk_name="TRAP_EXECUTION_INSTRUCTION_TRACE", name="trace",
        doc="an instruction that event_trace_* asked for was executed", context="type of trace",
        spellings=(Spelling("!trace"),), parameters=_TRACE, emulated=True, stages=False,
        short_circuit=ShortCircuit.IGNORED,
    ),
    _instruction(27, "XSETBV", "!xsetbv", "XSETBV is executed", "ecx", _number("xcr", "[XCR]")),
)  # fmt: skip
KIND_BY_NAME: Mapping[str, EventKind] = {kind.name: kind for kind in EVENT_KINDS}

SYSCALL = KIND_BY_NAME["syscall"]
SYSRET = KIND_BY_NAME["sysret"]
SYSTEM_CALL_FAMILY = (SYSCALL, SYSRET)  # any event of either kind makes both instructions exit

CPUID = KIND_BY_NAME["cpuid"]
MSRREAD, MSRWRITE = KIND_BY_NAME["msrread"], KIND_BY_NAME["msrwrite"]
IOIN, IOOUT = KIND_BY_NAME["ioin"], KIND_BY_NAME["ioout"]
TSC, PMC = KIND_BY_NAME["tsc"], KIND_BY_NAME["pmc"]
VMCALL, XSETBV = KIND_BY_NAME["vmcall"], KIND_BY_NAME["xsetbv"]
EXCEPTION, INTERRUPT = KIND_BY_NAME["exception"], KIND_BY_NAME["interrupt"]
DR, CRWRITE, CRREAD, CR3WRITE = (KIND_BY_NAME[name] for name in ("dr", "crwrite", "crread", "cr3write"))

MODE, TRACE = KIND_BY_NAME["mode"], KIND_BY_NAME["trace"]

EPTHOOK = KIND_BY_NAME["epthook"]
EPTHOOK2 = KIND_BY_NAME["epthook2"]
EXECUTION_HOOKS = (EPTHOOK, EPTHOOK2)
MONITORS = EVENT_KINDS[: len(MonitoredAccess)]

# --- commands


class EventRow(msgspec.Struct, frozen=True):
    """An event command and the kinds that it creates: one, or several that differ in their accesses only."""

    spelling: Spelling
    kinds: tuple[EventKind, ...]

    @property
    def name(self) -> str:
        """Of the command."""
        return self.spelling.name

    @property
    def kind(self) -> EventKind:
        """The first kind: how the command is written holds for all."""
        return self.kinds[0]

    @property
    def parameters(self) -> tuple[ParameterRow, ...]:
        """The own parameters."""
        return self.kind.parameters

    @property
    def doc(self) -> str:
        """What the command does, in one line."""
        return self.spelling.doc or f"runs actions when {self.kind.doc}"

    @property
    def own_usage(self) -> str:
        """How the command is written, without options that may be left out."""
        words = [self.name, *(row.usage for row in self.parameters if row.usage)]
        return " ".join([*words, "pid P"] if self.kind.needs_pid else words)

    @property
    def emulated(self) -> bool:
        """Whether hds raises events of any of its kinds."""
        return any(kind.emulated for kind in self.kinds)

    def kind_with(self, access: int | None) -> EventKind:
        """The kind with this access, of those of `!monitor`, or else the only one."""
        return next((kind for kind in self.kinds if kind.number == access), self.kind)


def _rows() -> tuple[EventRow, ...]:
    spellings = {spelling.name: spelling for kind in EVENT_KINDS for spelling in kind.spellings}
    return tuple(
        EventRow(spelling, tuple(kind for kind in EVENT_KINDS if name in kind.commands))
        for name, spelling in spellings.items()
    )


EVENTS: tuple[EventRow, ...] = _rows()
EVENT_BY_NAME: Mapping[str, EventRow] = {row.name: row for row in EVENTS}

# Lines that may be typed, which `.help` shows.
EVENT_EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "!monitor": ('!monitor w 404000 404fff script { printf("%llx was written\\n", $context); }',),
    "!epthook2": ("!epthook2 main script { print(@rdi); }",),
    "!epthook": (
        '!epthook malloc script { printf("malloc(%llx)\\n", @rdi); }',
        "!epthook 401000",
    ),
    "!syscall": (
        '!syscall script { printf("call %llx\\n", @rax); }',
        '!syscall 1 script { printf("write of %d bytes\\n", @rdx); }',
    ),
    "!syscall2": ("!syscall2 script { print(@rax); }",),
    "!sysret": ("!sysret script { print(@rax); }",),
    "!sysret2": ("!sysret2 script { print(@rax); }",),
    "!cpuid": ('!cpuid script { printf("leaf %x\\n", @eax); }', "!cpuid 1 stage post script { @rcx = 0; }"),
    "!msrread": ("!msrread c0000082 script { print(@rcx); }",),
    "!msrwrite": ("!msrwrite script { print(@rcx); }",),
    "!ioin": ("!ioin 64 script { print(@rip); }",),
    "!ioout": ("!ioout script { print(@rdx); }",),
    "!exception": ('!exception e script { printf("page fault at %llx\\n", @rip); }',),
    "!interrupt": ("!interrupt d1 script { print(@rip); }",),
    "!dr": ("!dr script { print(@rip); }",),
    "!tsc": ("!tsc stage post script { @rax = 0; @rdx = 0; }",),
    "!pmc": ("!pmc script { print(@rcx); }",),
    "!vmcall": ("!vmcall script { print(@rip); }",),
    "!crwrite": ("!crwrite 0 script { print(@rip); }",),
    "!mode": ("!mode u pid 1000 script { print(@rip); }",),
    "!trace": ("!trace step-in script { print(@rip); }",),
    "!xsetbv": ("!xsetbv script { print(@rcx); }",),
}
