"""Libraries: the ELF files that a Linux process has mapped, as its memory says at this moment."""

from __future__ import annotations

from dataclasses import dataclass, replace

from machine.schedule import Process

_ELF = b"\x7fELF"
_ENTRY_AT = 0x18  # in the file's header
_MOST = 256  # modules of a process
_ADDRESS_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Module:
    """A library or the dynamic linker: its path as the guest has opened it, its pages [start, end), where it begins."""

    path: str
    start: int
    end: int
    entry: int = 0


def modules_of(process: Process) -> tuple[Module, ...]:
    """The libraries of a process by address, at most 256: neighbouring areas of one file that begin with its header."""
    runs: list[Module] = []
    for area in process.cpu.memory.areas:
        if not area.name.startswith("/"):
            continue
        last = runs[-1] if runs else None
        if last is not None and (last.path, last.end) == (area.name, area.start):
            runs[-1] = replace(last, end=area.end)
        else:
            runs.append(Module(area.name, area.start, area.end))
    memory = process.cpu.memory
    found = [run for run in runs if memory.read(run.start, len(_ELF)) == _ELF][:_MOST]
    entries = [int.from_bytes(memory.read(run.start + _ENTRY_AT, 8) or b"", "little") for run in found]
    return tuple(
        replace(run, entry=run.start + entry & _ADDRESS_MASK) for run, entry in zip(found, entries, strict=True)
    )
