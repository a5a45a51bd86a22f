"""The disassembler: a Program as text, with source lines, basic blocks and what every operand means.

The listing is for people and has no promise of stability. It reads any program that `decode_program`
gives; operands that designate nothing (the verifier would refuse the program) are shown as `?`.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vm.blocks import block_fuel
from vm.facts.builtins import BUILTINS
from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import REGISTERS
from vm.isa import INTEGER_KINDS, Operand, decode
from vm.patterns import late_pattern
from vm.program import Function, Program

# Characters; a name, literal or line may be mentioned any number of times.
_TEXT_LENGTH = 60
_LINE_LENGTH = 200
_LINE_END = late_pattern(r"\r\n|\r|\n")


def listing_of(program: Program) -> str:
    """The whole program as text that ends with a line feed."""
    return "".join(f"{line}\n" for line in _program(program))


def _program(program: Program) -> Iterator[str]:
    yield f"; {_count(len(program.code), 'instruction')}, {program.size} bytes, without names and positions"
    for index, symbol in enumerate(program.globals):
        yield f"; global {index}: .{symbol.name}, {symbol.type}, {symbol.size} bytes"
    lines = _SourceLines(program)
    for function in program.functions:
        yield ""
        yield from _function(program, function, lines)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _function(program: Program, function: Function, lines: _SourceLines) -> Iterator[str]:
    yield f"function {function.name}: {_count(function.parameters, 'parameter')}, {function.frame} bytes of memory"
    fuel = block_fuel(program, function)
    shown: tuple[int, int] | None = None
    for pc in range(function.start, function.end):
        place = lines.place(pc)
        if place is not None and place != shown:
            yield f"    ; {lines.text(place)}"
            shown = place
        if pc in fuel:
            yield f"  block {pc}, fuel {fuel[pc]}"
        yield _instruction(program, pc)


class _SourceLines:
    """The source lines of a program's instructions; a place is the number of a source and of a line, from 1."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._lines = [_LINE_END.split(source.text) for source in program.sources]
        self._starts = [[0, *(match.end() for match in _LINE_END.finditer(source.text))] for source in program.sources]

    def place(self, pc: int) -> tuple[int, int] | None:
        """Where an instruction comes from, if that is known."""
        position = self._program.position(pc)
        if position is None or position.source >= len(self._lines):
            return None
        return position.source, bisect.bisect_right(self._starts[position.source], position.start)

    def text(self, place: tuple[int, int]) -> str:
        """Name of the file, line, and what stands there."""
        source, line = place
        text = self._lines[source][line - 1]
        shown = _printable(text[:_LINE_LENGTH].strip()) + ("..." if len(text) > _LINE_LENGTH else "")
        return f"{self._program.sources[source].name}:{line}  {shown}"


def _instruction(program: Program, pc: int) -> str:
    word = program.code[pc]
    row, operands = decode(word)
    shown = []
    meanings = []
    for kind, value in zip(row.operands, operands, strict=True):
        if kind in (Operand.JUMP16, Operand.JUMP24):
            shown.append(f"-> {pc + 1 + value}")
        elif kind in (Operand.DST, Operand.SRC):
            shown.append(f"r{value}")
        else:
            shown.append(str(value))
            meanings.append(_meaning(program, kind, value))
    line = f"    {pc:5}  {word:08x}  {row.mnemonic:<6} {', '.join(shown)}"
    comment = ", ".join(meaning for meaning in meanings if meaning)
    return f"{line:<46} ; {comment}" if comment else line.rstrip()


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " if c == "\t" else "." for c in text)


def _bytes(data: bytes) -> str:
    return _short(repr(data[: _TEXT_LENGTH + 1])[1:])


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_LENGTH else text[:_TEXT_LENGTH] + "..."


def _meaning(program: Program, kind: Operand, value: int) -> str:
    """What an operand that is no register stands for; empty where its number says it all."""
    match kind:
        case Operand.INT16:
            return f"0x{value & 0xFFFF_FFFF_FFFF_FFFF:x}" if value else ""
        case Operand.BITS16:
            return f"0x{value:x}"
        case Operand.ARGUMENT:
            return f"argument {value}"
        case Operand.SLOT:
            return f"frame + {8 * value}"
    rows, shown = _TABLES[kind]
    table = rows(program)
    return shown(table[value]) if value < len(table) else "?"


# What an operand counts in, and how an entry is shown.
_TABLES: dict[Operand, tuple[Callable[[Program], Sequence[Any]], Callable[[Any], str]]] = {
    Operand.KIND: (lambda program: INTEGER_KINDS, lambda row: row[0]),
    Operand.CONSTANT: (lambda program: program.constants, lambda value: f"0x{value:x}"),
    Operand.STRING: (lambda program: program.strings, _bytes),
    Operand.FORMAT: (lambda program: program.formats, _bytes),
    Operand.GLOBAL: (lambda program: program.globals, lambda row: _short(f".{row.name}")),
    Operand.REGISTER: (lambda program: REGISTERS, lambda row: f"@{row.name}"),
    Operand.PSEUDO: (lambda program: PSEUDO_REGISTERS, lambda row: f"${row.name}"),
    Operand.FUNCTION: (lambda program: program.functions, lambda row: _short(row.name)),
    Operand.BUILTIN: (lambda program: BUILTINS, lambda row: row.name),
}
