"""`?`, `print` and `.formats`: scripts and expressions outside events (events-and-commands E.1)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hds.session.commands.handler import Handler
from hds.session.refused import CommandFailed

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command


def run_script(session: Session, command: Command, prepared: Prepared) -> None:
    """`? statements` and `print expression`."""
    session.run_script(prepared.loaded[command.raw.start])


def formats(session: Session, command: Command, prepared: Prepared) -> None:
    """`.formats expression`: one value in several forms; decimal and octal in 64 bits ([R])."""
    value = session.evaluate(prepared.loaded[command.raw.start])
    if value is None:
        raise CommandFailed(f"err, couldn't resolve error at '{command.raw.text}'")
    data = value.to_bytes(8, "little")
    digits = f"{value:064b}"
    rows = (
        ("Hex :", f"{value >> 32:08x}`{value & 0xFFFF_FFFF:08x}"),
        ("Decimal :", str(int.from_bytes(data, "little", signed=True))),
        ("Octal :", f"{value:o}"),
        ("Binary :", " ".join(digits[i : i + 8] for i in range(0, 64, 8))),
        ("Char :", "".join(chr(c) if 0x20 <= c < 0x7F else "." for c in data)),
        ("Time :", session.machine.clock.now().strftime("%m/%d/%y - %I:%M%p")),
        ("Float :", f"{struct.unpack('<f', data[:4])[0]:f}"),
        ("Double :", f"{struct.unpack('<d', data)[0]:f}"),
    )
    lines = ["evaluate expression:", *(f"{label:<13}{text}" for label, text in rows)]
    session.show("\n".join(lines) + "\n")


HANDLERS: dict[str, Handler] = {"?": run_script, "print": run_script, ".formats": formats}
