"""The assembly blocks of events (`asm condition`, `asm code`): assembled, and what is wrong in them, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lang.commands import AssemblyText, Code, EventCommand
from lang.diagnostics import Diagnostic

if TYPE_CHECKING:
    from lang.commands import Token
    from machine.root.assembler import Assembly
    from machine.root.assembly_syntax import AssemblerError, AssemblerWarning

_RADIX = 16  # of a number without a prefix, as everywhere in commands


def assemble_block(block: AssemblyText) -> Assembly:
    """The machine code of a block. Raises machine.root.assembler.AssemblerError."""
    from machine.root.assembler import (
        assemble,
    )  # Keystone takes time to import, which files without blocks need not pay

    return assemble(block.token.text, radix=_RADIX)


def check_assembly(event: EventCommand) -> tuple[list[Diagnostic], int]:
    """What is wrong or doubtful in the blocks of an event; how many could not be looked at, without Keystone."""
    blocks = [block for block in (event.condition, event.code) if isinstance(block, AssemblyText)]
    if not blocks:
        return [], 0
    from machine.root.assembler import AssemblerError, MissingAssemblerError

    findings: list[Diagnostic] = []
    unchecked = 0
    for block in blocks:
        try:
            warnings = assemble_block(block).warnings
        except MissingAssemblerError:
            unchecked += 1
        except AssemblerError as error:
            statement = block.token.text.split("\n")[error.line - 1][error.column - 1 :].partition(";")[0].rstrip()
            findings.append(_finding(Code.BAD_ASSEMBLY, error, block.token, len(statement)))
        else:
            findings += [_finding(Code.HEXADECIMAL_NUMBER, found, block.token, found.length) for found in warnings]
    return findings, unchecked


def _finding(code: Code, found: AssemblerError | AssemblerWarning, token: Token, length: int) -> Diagnostic:
    lines = token.text.split("\n")
    start = sum(len(line) + 1 for line in lines[: found.line - 1]) + found.column - 1
    return Diagnostic(code, found.message, token.span_of(start, start + length), found.hint or None)
