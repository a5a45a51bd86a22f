"""What a machine is made of, and what a program is started with: built once, then handed on as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast

import msgspec
from msgspec.structs import replace

from machine.kernel import DEFAULT_BUILD, KERNEL_NAMES, Build
from machine.kernel.linux import World
from machine.schedule import DEFAULT_START
from vm.facts.limits import DEFAULT_LIMITS, MOST_CORES, MOST_PROCESS_ID, Limits

_LAST_ADDRESS = (1 << 64) - 1


class ProgramStart(TypedDict, total=False):
    """The fields of `Program` by name, as keywords of what loads one; source and kind stand in front of them."""

    name: str | None
    arguments: Sequence[str]
    environment: Sequence[str]
    base: int | None
    entry: int | None
    process_id: int | None
    ring: int | None
    modules: Sequence[str]


class MachineKeywords(TypedDict, total=False):
    """The fields of `MachineOptions` by name, as keywords."""

    limits: Limits
    kernel: str | None
    cores: int
    parallel: bool
    world: World | None
    build: Build
    start_time: datetime
    emulate_message_loss: bool
    prompt_messages: bool
    timer: int | None
    record_blocks: bool
    measure_times: bool


class ProgramKeywords(ProgramStart, total=False):
    """The same with the kind, for what loads a program on the way."""

    kind: str | None


class Keywords(MachineKeywords, ProgramKeywords, total=False):
    """The fields of both classes by name."""


class MachineOptions(msgspec.Struct, frozen=True):
    """One emulated computer.

    `kernel` is a name of machine.kernel, or None for the one that suits the program. `build` says where Windows'
    structures have their fields, `world` what Linux programs are shown of the host. With `parallel` several cores run
    at the same time, in threads of their own, and no two runs are the same. With `emulate_message_loss` collected
    messages (`imm no`) go through HyperDbg's ring of packets, and may be lost there. Those that are sent at once (`imm
    yes`), and what guests print, reach the reporter before the guest goes on; without `prompt_messages`, which is
    faster, before whatever else is reported and at the end of a turn. `timer` is how often in a virtual second a clock
    interrupt comes, at most `limits.max_timer_hz`; None: never. With `record_blocks` the machine knows which code each
    process has executed. With `measure_times` each event knows its real time (`Event.time_ns`), for which the clock is
    read twice a trigger.
    Raises TypeError and ValueError for options that are none.
    """

    limits: Limits = DEFAULT_LIMITS
    kernel: str | None = None
    cores: int = 1
    parallel: bool = False
    world: World | None = None
    build: Build = DEFAULT_BUILD
    start_time: datetime = DEFAULT_START
    emulate_message_loss: bool = False
    prompt_messages: bool = True
    timer: int | None = None
    record_blocks: bool = False
    measure_times: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.limits, Limits):
            raise TypeError(f"limits are an object of Limits, not {self.limits!r}")
        if self.kernel not in (None, *KERNEL_NAMES):
            raise ValueError(f"there is no kernel {self.kernel!r}; there are {', '.join(KERNEL_NAMES)}")
        _require_number("cores", self.cores, 1, MOST_CORES)
        if not isinstance(self.timer, int | None):
            raise TypeError(f"timer is a number of interrupts a second, not {self.timer!r}")
        if not isinstance(self.build, Build):
            raise TypeError(f"the build is a Build, not {self.build!r}")
        if not isinstance(self.start_time, datetime):
            raise TypeError(f"the start time is a datetime, not {self.start_time!r}")


def _require_number(name: str, value: object, least: int, most: int) -> None:
    """Raises TypeError or ValueError for what is neither None nor such a number."""
    if value is None:
        return
    if not isinstance(value, int):
        raise TypeError(f"{name} is a number, not {value!r}")
    if not least <= value <= most:
        raise ValueError(f"{name} is a number from 0x{least:x} to 0x{most:x}, not {value}")


def _require_texts(name: str, value: object) -> None:
    """Raises TypeError for anything but several texts."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise TypeError(f"{name} is a list of texts, not {value!r}")
    if wrong := [item for item in value if not isinstance(item, str)]:
        raise TypeError(f"{name} is a list of texts; {wrong[0]!r} is none")


class Program(msgspec.Struct, frozen=True):
    """A guest program: a path or its bytes, and how it is started.

    `kind` is elf, pe, raw or asm; None means: by the first bytes, or the suffix of a path (`machine.loaders`). `name`
    is that of the process, by default the path's. `arguments` follow it, `environment` are texts NAME=VALUE. `base`
    and `entry` are addresses, for raw and asm; `ring` is their privilege level, 0 (the default) or 3: other programs
    run on level 3. `process_id` is None for the next one that is free. `modules` are the DLLs that scripts name, whose
    places in a Windows program are to be known before it loads them. Raises TypeError and ValueError for fields that
    say nothing of this.
    """

    source: str | Path | bytes
    kind: str | None = None
    name: str | None = None
    arguments: Sequence[str] = ()
    environment: Sequence[str] = ()
    base: int | None = None
    entry: int | None = None
    process_id: int | None = None
    ring: int | None = None
    modules: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.source, str | Path | bytes):
            raise TypeError(f"a program is a path or bytes, not {self.source!r}")
        if not isinstance(self.name, str | None):
            raise TypeError(f"the name is a text, not {self.name!r}")
        _require_texts("arguments", self.arguments)
        _require_texts("environment", self.environment)
        _require_texts("modules", self.modules)
        _require_number("base", self.base, 0, _LAST_ADDRESS)
        _require_number("entry", self.entry, 0, _LAST_ADDRESS)
        _require_number("process_id", self.process_id, 1, MOST_PROCESS_ID)
        if self.ring not in (None, 0, 3):
            raise ValueError(f"the ring is 0 or 3, not {self.ring!r}")

    @classmethod
    def of(
        cls, program: Program | str | Path | bytes, kind: str | None = None, **named: Unpack[ProgramStart]
    ) -> Program:
        """A program, or a source, with these other fields."""
        made = program if isinstance(program, Program) else cls(program)
        return replace(made, kind=kind or made.kind, **named)

    @property
    def content(self) -> Path | bytes:
        """The source; a text is a path."""
        return Path(self.source) if isinstance(self.source, str) else self.source

    @property
    def file(self) -> Path | None:
        """The file on the host, where nothing else than its path gives the process its name."""
        content = self.content
        return content if isinstance(content, Path) and self.name is None else None

    @property
    def process_name(self) -> str:
        """What the process is called."""
        content = self.content
        return self.name or (content.name if isinstance(content, Path) else "program")


def with_names(options: MachineOptions | None, named: Keywords) -> tuple[MachineOptions, ProgramKeywords]:
    """Keywords that are fields of either class: the options with theirs, and those of the program. Raises TypeError."""
    of_machine, of_program = MachineKeywords.__annotations__, ProgramKeywords.__annotations__
    for name in named:
        if name not in of_machine and name not in of_program:
            raise TypeError(f"there is no keyword {name!r}")
    changed: dict[str, Any] = {name: value for name, value in named.items() if name in of_machine}
    rest = {name: value for name, value in named.items() if name in of_program}
    return replace(options or MachineOptions(), **changed), cast(ProgramKeywords, rest)
