"""The assembly blocks of events (`asm condition`, `asm code`): assembled, and what is wrong in them, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lang import Code, Diagnostic
from lang.commands import AssemblyText, EventCommand
from vm import late_pattern

if TYPE_CHECKING:
    from lang.commands import Token
    from machine.root import AssemblerError, AssemblerWarning, Assembly
    from vm.facts.limits import Limits

_STATEMENT = late_pattern(r"[^;\n]*")
_RADIX = 16  # of a number without a prefix, as everywhere in commands


def assemble_block(block: AssemblyText, limits: Limits) -> Assembly:
    """The machine code of a block. Raises machine.root.assembler.AssemblerError."""
    from machine.root import (
        assemble,
    )  # Keystone takes time to import, which files without blocks need not pay

    return assemble(block.token.text, radix=_RADIX, limits=limits)


def check_assembly(event: EventCommand, limits: Limits) -> tuple[list[Diagnostic], int]:
    """What is wrong or doubtful in the blocks of an event; how many could not be looked at, without Keystone."""
    blocks = [block for block in (event.condition, event.code) if isinstance(block, AssemblyText)]
    if not blocks:
        return [], 0
    from machine.root import AssemblerError, MissingAssemblerError, Source

    findings: list[Diagnostic] = []
    unchecked = 0
    for block in blocks:
        lines = Source(block.token.text).line_starts
        try:
            warnings = assemble_block(block, limits).warnings
        except MissingAssemblerError:
            unchecked += 1
        except AssemblerError as error:
            start = lines[error.line - 1] + error.column - 1
            statement = _STATEMENT.match(block.token.text, start)
            length = len(statement.group().rstrip()) if statement else 0
            findings.append(_finding(Code.BAD_ASSEMBLY, error, block.token, start, length))
        else:
            findings += [
                _finding(
                    Code.HEXADECIMAL_NUMBER, found, block.token, lines[found.line - 1] + found.column - 1, found.length
                )
                for found in warnings
            ]
    return findings, unchecked


def _finding(code: Code, found: AssemblerError | AssemblerWarning, token: Token, start: int, length: int) -> Diagnostic:
    return Diagnostic(code, found.message, token.span_of(start, start + length), found.hint or None)
