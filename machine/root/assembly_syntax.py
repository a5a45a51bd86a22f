"""The syntax of assembly text: from words to statements with structured operands, in Intel order.

Directives (a statement that begins with a dot) are refused: Keystone's reach the host's files. Values are read by
`assembly_expressions`, so that nothing is left to the assembler's own reading. Which instructions exist is not known
here.
"""

from __future__ import annotations

import msgspec

from machine.root.assembly_expressions import AssemblerWarning, Expression, ExpressionReader, Sum
from machine.root.assembly_tokens import Position, Source, label_names, shortened, split
from vm import late_pattern
from vm.facts.numbers import number_in
from vm.facts.registers import SEGMENTS

PREFIXES = frozenset({"lock", "rep", "repe", "repz", "repne", "repnz"})
_OTHER_PREFIXES = frozenset({
    "data16", "data32", "addr16", "addr32", "rex", "rex64", "bnd", "notrack", "xacquire", "xrelease",
    *SEGMENTS,
})  # fmt: skip
_PREFIX_HINT = "lock, rep, repe and repne are; a segment stands in front of its address, as in fs:[rax]"
DATA_SIZES: dict[str, int] = {"db": 1, "dw": 2, "dd": 4, "dq": 8}
OPERAND_SIZES: dict[str, int] = {
    "byte": 1, "word": 2, "dword": 4, "fword": 6, "qword": 8, "mmword": 8, "tbyte": 10, "xmmword": 16, "ymmword": 32,
}  # fmt: skip
_WORDS_OF_VALUES = frozenset({"offset", "short"})
_SCALES = (1, 2, 4, 8)
_MOST_OPERANDS = 5
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


class Register(msgspec.Struct, frozen=True):
    """A register operand."""

    name: str


class Immediate(msgspec.Struct, frozen=True):
    """A constant, or the target of a branch."""

    expression: Expression


class Memory(msgspec.Struct, frozen=True):
    """A memory operand: size in bytes if stated, segment if stated, registers with their scales.

    With `relative` the expression is the address itself, to be reached relative to the next instruction.
    """

    size: int | None
    segment: str | None
    registers: tuple[tuple[str, int], ...]
    expression: Expression
    relative: bool


Operand = Register | Immediate | Memory


class _Address:
    """What the brackets of one memory operand add up to."""

    def __init__(self, position: Position) -> None:
        self._position = position
        self._registers: list[tuple[str, int]] = []
        self.total = Sum()
        self.relative = False

    def add(self, register: tuple[str, int]) -> None:
        """One more register, with its scale."""
        if len(self._registers) == 2:
            raise self._position.error("an address has at most two registers")
        self._registers.append(register)

    def operand(self, size: int | None, segment: str | None) -> Memory:
        """The operand. Raises AssemblerError."""
        total = self.total.total()
        relative = self.relative or ("rip" in dict(self._registers) and bool(total.labels))
        if relative and any(name != "rip" for name, _ in self._registers):
            raise self._position.error("an address relative to rip has no other register")
        return Memory(size, segment, tuple(self._registers), total, relative)


class Label(msgspec.Struct, frozen=True):
    """A label at the address of what follows."""

    name: str
    position: Position


class Instruction(msgspec.Struct, frozen=True):
    """One instruction; `prefix` is one of PREFIXES or empty."""

    prefix: str
    mnemonic: str
    operands: tuple[Operand, ...]
    position: Position
    text: str


class Data(msgspec.Struct, frozen=True):
    """A db, dw, dd or dq statement: values of `size` bytes that depend on labels, and the bytes of all others."""

    size: int
    elements: tuple[Expression | bytes, ...]
    position: Position

    def pack(self, value: int) -> bytes:
        """The bytes of a value. Raises AssemblerError."""
        return _pack(value, self.size, self.position)


Statement = Label | Instruction | Data


class Listing(msgspec.Struct, frozen=True):
    """The statements of a text in order, and what is doubtful about it."""

    statements: tuple[Statement, ...]
    warnings: tuple[AssemblerWarning, ...]


_MNEMONIC = late_pattern(r"[a-z][a-z0-9_]{0,19}\Z")
_NAME = late_pattern(r"[A-Za-z_@?][A-Za-z0-9_@?.$]*\Z")


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


class _StatementParser(ExpressionReader):
    """One statement's tokens, read from left to right."""

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
            if word in PREFIXES:
                raise first.position.error("an instruction has one prefix at most here")
            if not _MNEMONIC.match(word):
                raise first.position.error(f"an instruction was expected after {prefix}")
        if word in _OTHER_PREFIXES:  # Keystone reads what follows for ever
            raise first.position.error(f"the prefix {word} is not accepted", _PREFIX_HINT)
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
        size = self._size()
        if self._more() and self._tokens[self._next].text.lower() in _WORDS_OF_VALUES:
            word = self._take()
            if not self._more() or self._is_next("[") or _register_name(self._tokens[self._next].text) in REGISTERS:
                raise word.position.error(f"`{word.text}` stands in front of a label or a number")
        if not self._more():
            raise self._tokens[-1].position.error("an operand was expected")
        token = self._tokens[self._next]
        if token.text.lower() == "far" and token.text not in self._labels:
            raise token.position.error("branches to other segments are not assembled: Keystone has none")
        name = _register_name(token.text)
        if token.kind == "word" and name in REGISTERS:
            self._take()
            if name == "st(0)" and self._is_next("("):
                raise token.position.error("the x87 registers are st(0) to st(7)")
            if name not in SEGMENTS or not self._is_next(":"):
                return Register(name)
            self._take()
            if not self._more() or self._tokens[self._next].text.lower() in REGISTERS:
                raise token.position.error(f"'[' was expected after {name}:", f"write {name}:[address]")
            return self._memory(size, name)
        if token.kind == "[":
            return self._memory(size, None)
        value = self._expression()
        if self._is_next("["):
            return self._memory(size, None, value)
        if size is not None:
            raise token.position.error("a memory operand was expected after its size", "write it in brackets")
        return Immediate(value)

    def _size(self) -> int | None:
        """The size in front of a memory operand, in bytes. Without `ptr` each assembler takes it for something else."""
        size = None
        while self._more() and (word := self._tokens[self._next].text.lower()) in (*OPERAND_SIZES, "ptr", "near"):
            stated = self._take()
            if word in OPERAND_SIZES:
                if not self._more() or self._tokens[self._next].text.lower() != "ptr":
                    raise stated.position.error(
                        f"`ptr` was expected after {stated.text}", f"write {word} ptr [address]"
                    )
                size = OPERAND_SIZES[word]
        return size

    def _memory(self, size: int | None, segment: str | None, before: Expression | None = None) -> Memory:
        """`[..]`, `[..][..]`, `8[..]`, where 8 was read `before`, and behind a segment also without brackets."""
        opening = self._tokens[self._next]
        address = _Address(opening.position)
        if before is None and not self._is_next("["):
            before = self._expression()
        if before is not None:
            address.total.add(before)
        while self._is_next("["):
            segment = self._brackets(address) or segment
        return address.operand(size, segment)

    def _brackets(self, address: _Address) -> str | None:
        """Read one pair of brackets; the segment that is named in it."""
        opening = self._take()
        segment, sign = None, 1
        if self._more() and self._tokens[self._next].text.lower() == "rel":
            self._take()
            address.relative = True
        if self._more() and self._tokens[self._next].text.lower() in SEGMENTS:
            segment = self._take().text.lower()
            if not self._is_next(":"):
                raise opening.position.error(f"':' was expected after {segment}")
            self._take()
        while True:
            register = self._scaled_register()
            if register is None:
                address.total.add(self._product(self._value()), sign)
            elif sign < 0:
                raise opening.position.error("a register cannot be subtracted")
            else:
                address.add(register)
            if not self._more():
                raise opening.position.error("this '[' is not closed")
            token = self._take()
            if token.kind == "]":
                return segment
            if token.kind not in ("+", "-"):
                raise token.position.error(f"unexpected {token.text!r} in an address")
            sign = 1 if token.kind == "+" else -1

    def _scaled_register(self) -> tuple[str, int] | None:
        """`reg`, `reg*scale` or `scale*reg`, if one stands here."""
        rest = self._tokens[self._next : self._next + 3]
        words = [token.text.lower() for token in rest]
        if len(words) == 3 and words[1] == "*" and (words[0] in REGISTERS) != (words[2] in REGISTERS):
            name, factor = (words[0], words[2]) if words[0] in REGISTERS else (words[2], words[0])
            scale = number_in(factor, self._dialect)
            if scale not in _SCALES:
                raise rest[0].position.error(f"{factor!r} is no scale", "a scale is 1, 2, 4 or 8")
            self._next += 3
            return name, scale
        if words and words[0] in REGISTERS:
            self._next += 1
            return words[0], 1
        return None


def _pack(value: int, size: int, position: Position) -> bytes:
    """A signed or unsigned value in `size` bytes. Raises AssemblerError."""
    bits = 8 * size
    if not -(1 << bits - 1) <= value < 1 << bits:
        raise position.error(f"{value:#x} does not fit in {size} bytes")
    return (value % (1 << bits)).to_bytes(size, "little")
