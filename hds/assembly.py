"""The assembly blocks of events (`asm condition`, `asm code`): assembled, and what is wrong in them, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lang.commands import AssemblyText, Code, EventCommand
from lang.diagnostics import Diagnostic

if TYPE_CHECKING:
    from lang.commands import Token
    from machine.root.assembler import Assembly
    from machine.root.assembly_syntax import AssemblerError

_RADIX = 16  # of a number without a prefix, as everywhere in commands


def assemble_block(block: AssemblyText) -> Assembly:
    """The machine code of a block. Raises machine.root.assembler.AssemblerError."""
    from machine.root.assembler import (
        assemble,
    )  # Keystone takes time to import, which files without blocks need not pay

    return assemble(block.token.text, radix=_RADIX)


def check_assembly(event: EventCommand) -> tuple[list[Diagnostic], int]:
    """What is wrong with the blocks of an event, and how many could not be looked at: Keystone is not installed."""
    blocks = [block for block in (event.condition, event.code) if isinstance(block, AssemblyText)]
    if not blocks:
        return [], 0
    from machine.root.assembler import AssemblerError, MissingAssemblerError

    findings: list[Diagnostic] = []
    unchecked = 0
    for block in blocks:
        try:
            assemble_block(block)
        except MissingAssemblerError:
            unchecked += 1
        except AssemblerError as error:
            findings.append(_finding(error, block.token))
    return findings, unchecked


def _finding(error: AssemblerError, token: Token) -> Diagnostic:
    lines = token.text.split("\n")
    start = sum(len(line) + 1 for line in lines[: error.line - 1]) + error.column - 1
    statement = lines[error.line - 1][error.column - 1 :].partition(";")[0].rstrip()
    return Diagnostic(
        Code.BAD_ASSEMBLY, error.message, token.span_of(start, start + len(statement)), error.hint or None
    )
