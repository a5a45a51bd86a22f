"""Pseudo-registers: values that the host supplies under a name (language.md 10.2). Bytecode has their index."""

from __future__ import annotations

import msgspec


class PseudoRegister(msgspec.Struct, frozen=True):
    """A read-only value that the host supplies (language.md 10.2)."""

    name: str
    doc: str


PSEUDO_REGISTERS: tuple[PseudoRegister, ...] = (
    PseudoRegister("pid", "process id of the process that runs on the core"),
    PseudoRegister("tid", "thread id of the thread that runs on the core"),
    PseudoRegister("core", "index of the current core"),
    PseudoRegister("proc", "address of the process object"),
    PseudoRegister("thread", "address of the thread object"),
    PseudoRegister("pname", "address of the process name: zero-terminated narrow text, up to 15 characters (nt: 14)"),
    PseudoRegister("peb", "address of the process environment block"),
    PseudoRegister("teb", "address of the thread environment block"),
    PseudoRegister("ip", "instruction pointer of the trigger"),
    PseudoRegister("buffer", "address of the buffer of the event's action, or 0"),
    PseudoRegister("context", "the value that the event kind defines"),
    PseudoRegister("event_id", "id of the event, 0 outside events"),
    PseudoRegister("event_tag", "tag of the event: 0x1000000 + id, 0 outside events"),
    PseudoRegister("event_stage", "0 before, 1 after the emulated operation"),
    PseudoRegister("date", "address of the text YYYY-MM-DD, refreshed at each use"),
    PseudoRegister(
        "time",
        "address of the text HH:MM:SS.mmm, refreshed at each use; TIME_FIELDS lie 10 before it",
    ),
)
PSEUDO_INDEX: dict[str, int] = {row.name: index for index, row in enumerate(PSEUDO_REGISTERS)}
