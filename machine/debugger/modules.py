"""Libraries: the ELF files and DLLs that a process has mapped, as its memory says at this moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace as moved

if TYPE_CHECKING:
    from machine.loaders import Symbol, WindowsPlan
    from machine.schedule import Process

_ELF, _PE = b"\x7fELF", b"MZ"
_ENTRY_AT = 0x18  # in the file's header
_MOST = 256  # modules of a process
_ADDRESS_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Module:
    """A library or the dynamic linker: its path as the guest has opened it, its pages [start, end), where it begins.

    `dll` gives the symbols of a DLL whose place was planned.
    """

    path: str
    start: int
    end: int
    entry: int = 0
    dll: Callable[[], Sequence[Symbol]] | None = field(default=None, compare=False, repr=False)


def modules_of(process: Process) -> tuple[Module, ...]:
    """The libraries of a process by address, at most 256: neighbouring areas of one file that begin with its header."""
    if process.image.windows is not None:
        return _dlls_of(process, process.image.windows)
    memory = process.cpu.memory
    found = [run for run in _runs(process, "/") if memory.read(run.start, len(_ELF)) == _ELF][:_MOST]
    entries = [int.from_bytes(memory.read(run.start + _ENTRY_AT, 8) or b"", "little") for run in found]
    return tuple(
        replace(run, entry=run.start + entry & _ADDRESS_MASK) for run, entry in zip(found, entries, strict=True)
    )


def planned_dlls(plan: WindowsPlan) -> tuple[Module, ...]:
    """The DLLs of a plan, mapped or not."""
    return tuple(
        Module(
            each.path, each.base, each.base + each.file.size, each.base + each.file.entry, partial(plan.symbols, each)
        )
        for each in plan.modules.values()
    )


def _dlls_of(process: Process, plan: WindowsPlan) -> tuple[Module, ...]:
    """The DLLs that are mapped; an image that is not at its place has no entry here."""
    memory = process.cpu.memory
    known = {module.path: module for module in planned_dlls(plan)}
    runs = [run for run in _runs(process, "C:\\") if memory.read(run.start, len(_PE)) == _PE][:_MOST]
    found = [
        _moved(known[run.path], run) if run.path in known else run for run in runs if run.path != plan.program.path
    ]
    return tuple(dict.fromkeys(found))


def _moved(planned: Module, run: Module) -> Module:
    """A planned DLL where it is."""
    distance, dll = run.start - planned.start, planned.dll
    if not distance or dll is None:
        return planned
    entry = planned.entry + distance
    return replace(run, entry=entry, dll=lambda: [moved(each, address=each.address + distance) for each in dll()])


def _runs(process: Process, beginning: str) -> list[Module]:
    """Neighbouring areas of one file, whose paths begin so."""
    runs: list[Module] = []
    for area in process.cpu.memory.areas:
        if not area.name.startswith(beginning):
            continue
        last = runs[-1] if runs else None
        if last is not None and (last.path, last.end) == (area.name, area.start):
            runs[-1] = replace(last, end=area.end)
        else:
            runs.append(Module(area.name, area.start, area.end))
    return runs
