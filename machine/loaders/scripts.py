"""Scripts for another program (`#!`): what their first line names (fs/binfmt_script.c)."""

from __future__ import annotations

import msgspec

BEGINNING = b"#!"
MOST_SCRIPTS = 5  # that name each other as interpreters
LOOKED_AT = 256  # bytes of a file (BINPRM_BUF_SIZE)


class Interpreter(msgspec.Struct, frozen=True):
    """The program that a script is for: its path as it is written, and the one argument that may follow."""

    path: bytes
    argument: bytes

    def arguments(self, script: bytes) -> list[bytes]:
        """What the program begins with, in front of the script's own arguments."""
        return [self.path, *([self.argument] if self.argument else []), script]


def interpreter_of(data: bytes) -> Interpreter | None:
    """What the first bytes of a script name; None where that can be no path."""
    line = data[:LOOKED_AT].partition(b"\n")[0][len(BEGINNING) :].strip(b" \t")
    path, _, argument = line.partition(b" ") if b" " in line else line.partition(b"\t")
    return Interpreter(path, argument.strip(b" \t")) if path and b"\0" not in path else None
