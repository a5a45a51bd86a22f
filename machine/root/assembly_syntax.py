"""The syntax of assembly text: from words to statements with structured operands, in Intel order.

Directives (a statement that begins with a dot)
are refused: Keystone's reach the host's files. This module decides what a number means, so that nothing is left to the
assembler's own reading; it does not know which instructions exist.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from machine.root.assembly_tokens import AssemblerError, Position, Source, Token, label_names, shortened, split
from vm.facts.numbers import ASSEMBLY_BLOCK, ASSEMBLY_LISTING, DECIMAL, TOO_LARGE, number_in, read

PREFIXES = frozenset({"lock", "rep", "repe", "repz", "repne", "repnz"})
DATA_SIZES: dict[str, int] = {"db": 1, "dw": 2, "dd": 4, "dq": 8}
OPERAND_SIZES: dict[str, int] = {
    "byte": 1, "word": 2, "dword": 4, "fword": 6, "qword": 8, "tbyte": 10, "xmmword": 16, "ymmword": 32,
}  # fmt: skip
SEGMENTS = ("cs", "ds", "es", "fs", "gs", "ss")
_IGNORED_WORDS = frozenset({"ptr", "offset", "short", "near"})
_SCALES = (1, 2, 4, 8)
_MOST_OPERANDS = 5
_LONGEST_NUMBER = 100  # characters
_DIALECTS = {16: ASSEMBLY_BLOCK, 10: ASSEMBLY_LISTING}  # by the radix of numbers without a prefix
_LONGEST_QUOTE = 80  # characters of a statement in a message


def _register_name(word: str) -> str:
    """The name of a register as in REGISTERS, if the word is one: `ST`, `st( 0 )` and `st(0)` are the same."""
    name = "".join(word.lower().split())
    return "st(0)" if name == "st" else name


def _register_names() -> frozenset[str]:
    names = {*SEGMENTS, "rip"}
    for letter in "abcd":
        names |= {f"r{letter}x", f"e{letter}x", f"{letter}x", f"{letter}l", f"{letter}h"}
    for name in ("si", "di", "bp", "sp"):
        names |= {"r" + name, "e" + name, name, name + "l"}
    for number in range(8, 16):
        names |= {f"r{number}{suffix}" for suffix in ("", "d", "w", "b")}
    for family, count in (("xmm", 16), ("ymm", 16), ("mm", 8), ("cr", 9), ("dr", 8)):
        names |= {f"{family}{number}" for number in range(count)}
    return frozenset(names | {f"st({number})" for number in range(8)})


REGISTERS = _register_names()


@dataclass(frozen=True)
class AssemblerWarning:
    """A word of this length that the author may not have meant so."""

    message: str
    hint: str
    line: int
    column: int
    length: int

    def __str__(self) -> str:
        return f"{self.message}; {self.hint} (line {self.line}, column {self.column})"


@dataclass(frozen=True)
class Expression:
    """A constant plus labels, each added (1) or subtracted (-1). `$` is the label of the statement's own address."""

    constant: int = 0
    labels: tuple[tuple[str, int], ...] = ()

    def value(self, labels: Mapping[str, int], here: int) -> int:
        """The sum, in a statement at address `here`; every other label is in `labels`."""
        if not self.labels:
            return self.constant
        return self.constant + sum(sign * (here if name == "$" else labels[name]) for name, sign in self.labels)


@dataclass(frozen=True)
class Register:
    """A register operand."""

    name: str


@dataclass(frozen=True)
class Immediate:
    """A constant, or the target of a branch."""

    expression: Expression


@dataclass(frozen=True)
class Memory:
    """A memory operand: size in bytes if stated, segment if stated, registers with their scales.

    With `relative` the expression is the address itself, to be reached relative to the next instruction.
    """

    size: int | None
    segment: str | None
    registers: tuple[tuple[str, int], ...]
    expression: Expression
    relative: bool


Operand = Register | Immediate | Memory


@dataclass(frozen=True)
class Label:
    """A label at the address of what follows."""

    name: str
    position: Position


@dataclass(frozen=True)
class Instruction:
    """One instruction; `prefix` is one of PREFIXES or empty."""

    prefix: str
    mnemonic: str
    operands: tuple[Operand, ...]
    position: Position
    text: str


@dataclass(frozen=True)
class Data:
    """A db, dw, dd or dq statement: values of `size` bytes that depend on labels, and the bytes of all others."""

    size: int
    elements: tuple[Expression | bytes, ...]
    position: Position

    def pack(self, value: int) -> bytes:
        """The bytes of a value. Raises AssemblerError."""
        return _pack(value, self.size, self.position)


Statement = Label | Instruction | Data


@dataclass(frozen=True)
class Listing:
    """The statements of a text in order, and what is doubtful about it."""

    statements: tuple[Statement, ...]
    warnings: tuple[AssemblerWarning, ...]


_MNEMONIC = re.compile(r"[a-z][a-z0-9]{0,19}\Z")
_NAME = re.compile(r"[A-Za-z_@?][A-Za-z0-9_@?.$]*\Z")


def parse(text: str, radix: int, most: int) -> Listing:
    """The statements of `text`, at `most` so many. `radix` (16 or 10) is that of numbers without prefix.

    Raises AssemblerError.
    """
    source = Source(text)
    labels = label_names(text)
    warnings: list[AssemblerWarning] = []
    statements: list[Statement] = []
    for count, tokens in enumerate(split(source, most)):
        if count == most:
            raise tokens[0].position.error(f"more than {most} statements (max_assembly_statements)")
        statements += _StatementParser(tokens, radix, labels, warnings).statements()
    return Listing(tuple(statements), tuple(warnings))


class _StatementParser:
    """One statement's tokens, read from left to right."""

    def __init__(
        self,
        tokens: Sequence[Token],
        radix: int,
        labels: frozenset[str],
        warnings: list[AssemblerWarning],
    ) -> None:
        self._tokens = tokens
        self._radix = radix
        self._labels = labels
        self._warnings = warnings
        self._next = 0

    def statements(self) -> list[Statement]:
        """The labels in front of the statement, then the statement itself if there is one."""
        found: list[Statement] = []
        while len(self._tokens) > self._next + 1 and self._tokens[self._next + 1].kind == ":":
            found.append(self._label())
        if self._next < len(self._tokens):
            found.append(self._body())
        return found

    def _label(self) -> Label:
        token = self._take()
        self._take()
        if token.text.startswith("."):
            raise token.position.error("a label cannot begin with a dot")
        if token.kind != "word" or not _NAME.match(token.text) or _register_name(token.text) in REGISTERS:
            raise token.position.error(f"{token.text!r} cannot be a label")
        return Label(token.text, token.position)

    def _body(self) -> Instruction | Data:
        first = self._take()
        if first.text.startswith("."):
            raise first.position.error(f"directives such as {first.text} are not accepted")
        word = first.text.lower()
        if first.kind != "word" or not _MNEMONIC.match(word):
            raise first.position.error(f"an instruction was expected, not {first.text!r}")
        if word in DATA_SIZES:
            return Data(DATA_SIZES[word], self._data_elements(DATA_SIZES[word]), first.position)
        prefix = ""
        if word in PREFIXES:
            prefix, word = word, self._take().text.lower() if self._more() else ""
            if not _MNEMONIC.match(word):
                raise first.position.error(f"an instruction was expected after {prefix}")
        operands: list[Operand] = []
        while self._more():
            if len(operands) == _MOST_OPERANDS:
                raise self._tokens[self._next].position.error(f"no instruction has more than {_MOST_OPERANDS} operands")
            operands.append(self._operand())
            self._separator()
        last = self._tokens[-1]
        text = shortened(
            first.position.source.text[first.position.offset : last.position.offset + len(last.text)], _LONGEST_QUOTE
        )
        return Instruction(prefix, word, tuple(operands), first.position, text)

    def _data_elements(self, size: int) -> tuple[Expression | bytes, ...]:
        elements: list[Expression | bytes] = []
        while self._more():
            token = self._tokens[self._next]
            if token.kind == "string":
                if size != 1:
                    raise token.position.error("texts are written with db")
                elements.append(self._take().text[1:-1].encode("ascii"))
            else:
                value = self._expression()
                elements.append(value if value.labels else _pack(value.constant, size, token.position))
            self._separator()
        if not elements:
            raise self._tokens[-1].position.error("a value was expected")
        return tuple(elements)

    def _separator(self) -> None:
        """A comma between two operands, or the end."""
        if self._more():
            comma = self._take()
            if comma.kind != ",":
                raise comma.position.error(f"unexpected {comma.text!r}", "operands are separated by commas")
            if not self._more():
                raise comma.position.error("an operand was expected after the comma")

    def _operand(self) -> Operand:
        size: int | None = None
        while self._more() and self._tokens[self._next].text.lower() in (OPERAND_SIZES.keys() | _IGNORED_WORDS):
            size = OPERAND_SIZES.get(self._take().text.lower(), size)
        if not self._more():
            raise self._tokens[-1].position.error("an operand was expected")
        token = self._tokens[self._next]
        name = _register_name(token.text)
        if token.kind == "[":
            return self._memory(size, None)
        if token.kind == "word" and name in REGISTERS:
            self._take()
            if name in SEGMENTS and self._more() and self._tokens[self._next].kind == ":":
                self._take()
                if not self._more() or self._tokens[self._next].kind != "[":
                    raise token.position.error(f"'[' was expected after {name}:", f"write {name}:[address]")
                return self._memory(size, name)
            return Register(name)
        if size is not None:
            raise token.position.error("a memory operand was expected after its size", "write it in brackets")
        return Immediate(self._expression())

    def _memory(self, size: int | None, segment: str | None) -> Memory:
        opening = self._take()
        relative = self._more() and self._tokens[self._next].text.lower() == "rel"
        if relative:
            self._take()
        if self._more() and self._tokens[self._next].text.lower() in SEGMENTS:
            segment = self._take().text.lower()
            if not self._more() or self._take().kind != ":":
                raise opening.position.error(f"':' was expected after {segment}")
        registers: list[tuple[str, int]] = []
        constant, labels, sign = 0, list[tuple[str, int]](), 1
        while True:
            register = self._scaled_register()
            if register is None:
                term = self._term()
                constant += sign * term.constant
                labels += [(name, sign * factor) for name, factor in term.labels]
            elif sign < 0:
                raise opening.position.error("a register cannot be subtracted")
            elif len(registers) == 2:
                raise opening.position.error("an address has at most two registers")
            else:
                registers.append(register)
            if not self._more():
                raise opening.position.error("this '[' is not closed")
            token = self._take()
            if token.kind == "]":
                break
            if token.kind not in "+-":
                raise token.position.error(f"unexpected {token.text!r} in an address")
            sign = 1 if token.kind == "+" else -1
        by_name = "rip" in dict(registers)
        relative = relative or (by_name and bool(labels))
        if relative and any(name != "rip" for name, _ in registers):
            raise opening.position.error("an address relative to rip has no other register")
        return Memory(size, segment, tuple(registers), Expression(constant, tuple(labels)), relative)

    def _scaled_register(self) -> tuple[str, int] | None:
        """`reg`, `reg*scale` or `scale*reg`, if one stands here."""
        rest = self._tokens[self._next : self._next + 3]
        words = [token.text.lower() for token in rest]
        if len(words) == 3 and words[1] == "*" and (words[0] in REGISTERS) != (words[2] in REGISTERS):
            name, factor = (words[0], words[2]) if words[0] in REGISTERS else (words[2], words[0])
            if factor not in map(str, _SCALES):
                raise rest[0].position.error(f"{factor!r} is no scale", "a scale is 1, 2, 4 or 8")
            self._next += 3
            return name, int(factor)
        if words and words[0] in REGISTERS:
            self._next += 1
            return words[0], 1
        return None

    def _expression(self) -> Expression:
        """Terms joined by + and -."""
        first = self._term()
        constant, labels = first.constant, list(first.labels)
        while self._more() and self._tokens[self._next].kind in ("+", "-"):
            sign = 1 if self._take().kind == "+" else -1
            term = self._term()
            constant += sign * term.constant
            labels += [(name, sign * factor) for name, factor in term.labels]
        return Expression(constant, tuple(labels))

    def _term(self) -> Expression:
        """A number or a label, perhaps negated."""
        if not self._more():
            raise self._tokens[-1].position.error("a value was expected")
        token = self._take()
        if token.kind == "-":
            term = self._term_after_sign(token)
            return Expression(-term.constant, tuple((name, -sign) for name, sign in term.labels))
        if token.kind == "string" and len(token.text) == 3:
            return Expression(ord(token.text[1]))
        if token.kind != "word":
            raise token.position.error(f"a value was expected, not {token.text!r}")
        if token.text in self._labels or token.text == "$":
            return Expression(0, ((token.text, 1),))
        return Expression(self._number(token))

    def _term_after_sign(self, sign: Token) -> Expression:
        if not self._more() or self._tokens[self._next].kind == "-":
            raise sign.position.error("a value was expected after '-'")
        return self._term()

    def _number(self, token: Token) -> int:
        if len(token.text) > _LONGEST_NUMBER:
            raise token.position.error(f"a number of more than {_LONGEST_NUMBER} characters")
        reading = read(token.text, _DIALECTS[self._radix])
        value = reading.value
        if not reading.is_number:
            raise self._unknown_word(token)
        if value == TOO_LARGE:
            raise token.position.error(f"{token.text} does not fit in 64 bits")
        if self._radix == 16 and number_in(token.text.replace("`", ""), DECIMAL) not in (None, value):
            message, hint = f"{token.text} is hexadecimal here: {value:#x}", f"write 0n{token.text} for decimal"
            place = token.position
            self._warnings.append(AssemblerWarning(message, hint, place.line, place.column, len(token.text)))
        return value

    def _unknown_word(self, token: Token) -> AssemblerError:
        if token.text[0].isdigit():
            return token.position.error(f"{token.text} is not a number", "0x is hexadecimal, 0n decimal, 0y binary")
        return token.position.error(f"{token.text!r} is neither a label nor a register nor a number")

    def _more(self) -> bool:
        return self._next < len(self._tokens)

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token


def _pack(value: int, size: int, position: Position) -> bytes:
    """A signed or unsigned value in `size` bytes. Raises AssemblerError."""
    bits = 8 * size
    if not -(1 << bits - 1) <= value < 1 << bits:
        raise position.error(f"{value:#x} does not fit in {size} bytes")
    return (value % (1 << bits)).to_bytes(size, "little")
