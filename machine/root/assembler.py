"""Assembly text to machine code. Keystone encodes instructions for address 0 and is not trusted with anything else.

Text is read by `assembly_syntax`; labels, data, branches and numbers are resolved here. Keystone runs in a process of
its own (`assembler_process`); what it returns is read back by `assembly_check` and refused unless it means the same.
Addresses without a register are given to it as `[riz*1 + n]`, the only form that it does not turn into a RIP-relative
one. Its options are never set: that would flip its radix.

All steps take time in proportion to the text: what does not depend on labels is encoded once, in batches and once for
equal instructions; the sizes of branches settle in a fixed number of rounds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

import msgspec
from msgspec.structs import replace

from machine.root import assembler_process
from machine.root.assembler_process import Encoding, KeystoneMissingError, KeystoneUnavailableError, Refusal
from machine.root.assembly_expressions import AssemblerWarning, Expression
from machine.root.assembly_syntax import (
    OPERAND_SIZES,
    Data,
    Immediate,
    Instruction,
    Label,
    Memory,
    Operand,
    Register,
    Statement,
    parse,
)
from machine.root.assembly_tokens import AssemblerError
from machine.root.branches import Branch, find_branch
from vm.facts.limits import DEFAULT_LIMITS, Limits

__all__ = ["AssemblerError", "AssemblerWarning", "Assembly", "MissingAssemblerError", "assemble"]

_ROUNDS = 64  # of sizes settling
_EXACT_ROUNDS = 32  # after which every branch is long that may come to need it
_SHORT_REACH = 127  # bytes
_GROWTH = 4  # bytes by which a branch becomes longer at most
_GUESS = 7  # bytes of an instruction with a label that was not encoded yet
_WORD_MASK = 0xFFFF_FFFF_FFFF_FFFF

# Instructions that Keystone does not know, and those that it knows in another spelling only.
_OWN_ENCODINGS: dict[str, bytes] = {
    "endbr64": b"\xf3\x0f\x1e\xfa",
    "sysretq": b"\x48\x0f\x07",
    "pushfw": b"\x66\x9c",
    "popfw": b"\x66\x9d",
    "iretw": b"\x66\xcf",
}
_KEYSTONE_SPELLINGS: dict[str, str] = {"movsd": "movs dword ptr [rdi], dword ptr [rsi]", "xlat": "xlatb"}

# Keystone, with which HyperDbg assembles, makes the 16-bit instruction of these, other assemblers another one.
_AMBIGUOUS: dict[str, str] = {
    "pushf": "write pushfq or pushfw",
    "popf": "write popfq or popfw",
    "iret": "write iretq, iretd or iretw",
}

_NO_INDEX = frozenset({"rsp", "esp"})  # is a base only
_ACCUMULATORS = frozenset({"al", "ax", "eax", "rax"})

_SIZE_NAMES = {size: name for name, size in OPERAND_SIZES.items()}


class MissingAssemblerError(AssemblerError):
    """Keystone is not installed, so that nothing is known about the text."""


class Assembly(msgspec.Struct, frozen=True):
    """Assembled text: its bytes, how many instructions and data statements it has, and where its labels are."""

    code: bytes
    statements: int
    labels: Mapping[str, int]
    warnings: tuple[AssemblerWarning, ...]


def assemble(text: str, *, address: int = 0, radix: int = 10, limits: Limits = DEFAULT_LIMITS) -> Assembly:
    """Assemble for execution at `address`. `radix` (16 or 10) is that of numbers without a prefix.

    Condition and code blocks use 16, with a warning for numbers that look decimal; listings use 10. Raises
    AssemblerError; MissingAssemblerError when Keystone is not installed.
    """
    try:
        listing = parse(text, radix, limits.max_assembly_statements)
        layout = _Layout(listing.statements, address, _Encoder(listing.statements, limits))
        layout.settle()
    except AssemblerError as error:
        if not error.hint and _may_be_comment(text, error):
            error.hint = "`;` ends a statement; comments begin with //"
        raise
    count = sum(not isinstance(statement, Label) for statement in listing.statements)
    return Assembly(b"".join(layout.pieces()), count, layout.labels, listing.warnings)


def _may_be_comment(text: str, error: AssemblerError) -> bool:
    """Whether the error lies in the rest of a line, of several, behind a `;`."""
    lines = text.split("\n")
    before, behind = lines[error.line - 1][: error.column - 1], lines[error.line - 1][error.column - 1 :]
    return len(lines) > 1 and ";" in before and ";" not in behind


class _Layout:
    """The sizes and addresses of all statements."""

    def __init__(self, statements: tuple[Statement, ...], base: int, encoder: _Encoder) -> None:
        self._statements = statements
        self._base = base
        self._encoder = encoder
        self._fixed: dict[int, bytes] = {}  # by index, as the two below: instructions that do not depend on labels
        self._branches: dict[int, tuple[Branch, Expression]] = {}
        self._moving: dict[int, bytes] = {}  # instructions that depend on labels, as of the last round
        self._label_indices = _label_indices(statements)
        for index, statement in enumerate(statements):
            if isinstance(statement, Instruction):
                self._sort_in(index, statement)
        self._fixed = encoder.encode({index: _resolve(_at(statements, index), {}, 0) for index in self._fixed})
        self._sizes = [self._first_size(index, statement) for index, statement in enumerate(statements)]
        self._place()

    def _sort_in(self, index: int, statement: Instruction) -> None:
        if statement.mnemonic in _AMBIGUOUS:
            reason = f"`{statement.mnemonic}` is 16 bits wide in Keystone, and not in other assemblers"
            raise statement.position.error(reason, _AMBIGUOUS[statement.mnemonic])
        branch = _branch_of(statement)
        if branch is not None:
            self._branches[index] = branch
        elif any(_depends_on_labels(operand) for operand in statement.operands):
            self._moving[index] = bytes(_GUESS)
        else:
            self._fixed[index] = b""

    def _first_size(self, index: int, statement: Statement) -> int:
        if isinstance(statement, Label):
            return 0
        if isinstance(statement, Data):
            return sum(len(element) if isinstance(element, bytes) else statement.size for element in statement.elements)
        if index in self._branches:
            return self._branches[index][0].short_size
        return len(self._fixed[index] if index in self._fixed else self._moving[index])

    def _place(self) -> None:
        self._addresses = list(accumulate(self._sizes, initial=self._base))
        self.labels = {name: self._addresses[index] for name, index in self._label_indices.items()}

    def settle(self) -> None:
        """Find sizes with which everything reaches what it names. Raises AssemblerError."""
        for number in range(_ROUNDS):
            before = list(self._sizes)
            self._encode_moving()
            self._lengthen_branches(exact=number < _EXACT_ROUNDS)
            if self._sizes == before:
                return
            self._place()
        first = min([*self._moving, *self._branches])
        raise _at(self._statements, first).position.error("the sizes of the instructions with labels do not settle")

    def _encode_moving(self) -> None:
        wanted = {
            index: _resolve(
                _at(self._statements, index), self.labels, self._addresses[index], self._addresses[index + 1]
            )
            for index in self._moving
        }
        self._moving = self._encoder.encode(wanted)
        for index, code in self._moving.items():
            self._sizes[index] = len(code)

    def _lengthen_branches(self, exact: bool) -> None:
        short = [index for index, (branch, _) in self._branches.items() if self._sizes[index] != branch.near_size]
        places = [self._addresses[index] for index in short]
        for index in short:
            here, target = self._addresses[index + 1], self._target(index)
            reach = _SHORT_REACH
            if not exact:
                low, high = sorted((here, target))
                reach -= _GROWTH * (bisect_right(places, high) - bisect_left(places, low))
            if not -reach - 1 <= _signed(target - here) <= reach:
                self._sizes[index] = self._branches[index][0].near_size

    def _target(self, index: int) -> int:
        return self._branches[index][1].value(self.labels, self._addresses[index])

    def pieces(self) -> Iterable[bytes]:
        """The bytes of each statement. Raises AssemblerError."""
        for index, statement in enumerate(self._statements):
            if isinstance(statement, Data):
                yield _data_bytes(statement, self.labels, self._addresses[index])
            elif index in self._branches:
                yield self._branch_bytes(index)
            elif isinstance(statement, Instruction):
                yield self._fixed[index] if index in self._fixed else self._moving[index]

    def _branch_bytes(self, index: int) -> bytes:
        distance = _signed(self._target(index) - self._addresses[index + 1])
        code = self._branches[index][0].encode(distance, self._sizes[index])
        if code is None:
            statement = _at(self._statements, index)
            reason = f"the target is {abs(distance):#x} bytes away, out of reach of {statement.mnemonic}"
            raise statement.position.error(f"`{statement.text}` cannot be assembled: {reason}")
        return code


class _Encoder:
    """Instructions without labels to code that was read back; equal ones are encoded once."""

    def __init__(self, statements: tuple[Statement, ...], limits: Limits) -> None:
        self._statements = statements
        self._limits = limits
        self._known: dict[str, bytes] = {}

    def encode(self, wanted: Mapping[int, tuple[Operand, ...]]) -> dict[int, bytes]:
        """The code of instructions with these operands, by their index. Raises AssemblerError."""
        texts = {index: _render(_at(self._statements, index), operands) for index, operands in wanted.items()}
        new: dict[str, int] = {}
        for index, text in texts.items():
            if text not in self._known:
                new.setdefault(text, index)
        if new:
            self._ask(new, wanted)
        return {index: self._known[text] for index, text in texts.items()}

    def _ask(self, new: Mapping[str, int], wanted: Mapping[int, tuple[Operand, ...]]) -> None:
        first = _at(self._statements, next(iter(new.values())))
        try:
            assembler_process.start(self._limits)
            from machine.root.assembly_check import without_encoding  # Capstone is imported while Keystone starts

            answers: dict[str, Encoding] = {text: code for text, code in _OWN_ENCODINGS.items() if text in new}
            answers |= {text: Refusal(why) for text, index in new.items() if (why := without_encoding(wanted[index]))}
            asked = _one_by_one([text for text in new if text not in answers], self._limits)
            for text, index in new.items():  # to the first one that is refused
                self._keep(text, index, wanted[index], answers[text] if text in answers else next(asked))
        except KeystoneMissingError:
            raise MissingAssemblerError(
                "assembly text needs the package keystone-engine, which is not installed",
                first.position.line,
                first.position.column,
                "install keystone-engine, or write the code as hexadecimal bytes",
            ) from None
        except KeystoneUnavailableError as error:
            raise first.position.error(f"nothing can be assembled: {error}") from None

    def _keep(self, text: str, index: int, operands: tuple[Operand, ...], code: Encoding) -> None:
        """Remember what was answered for an instruction. Raises AssemblerError."""
        from machine.root.assembly_check import disagreement

        instruction = _at(self._statements, index)
        problem = code.reason if isinstance(code, Refusal) else disagreement(instruction, operands, code)
        if problem or isinstance(code, Refusal):
            reason = f"`{instruction.text}` cannot be assembled: {problem}"
            raise instruction.position.error(reason, _hint(instruction, problem))
        self._known[text] = code


def _one_by_one(texts: list[str], limits: Limits) -> Iterator[Encoding]:
    """The encoding of each text, to the first one that is refused."""
    from machine.root.assembly_check import lengths

    done = 0
    for count, encoding in assembler_process.encode(texts, limits):
        group = texts[done : done + count]
        done += count
        if isinstance(encoding, Refusal) or count == 1:
            yield encoding
            continue
        sizes = lengths(encoding)
        if len(sizes) == count and sum(sizes) == len(encoding):
            yield from (encoding[end - size : end] for size, end in zip(sizes, accumulate(sizes), strict=True))
        else:
            yield from assembler_process.encode_singly(group, limits)


def _hint(instruction: Instruction, problem: str) -> str:
    if "operand" not in problem:
        return ""
    unclear = any(isinstance(operand, Memory) and operand.size is None for operand in instruction.operands)
    return "state the size of the memory operand, as in `dword ptr [rax]`" if unclear else ""


def _at(statements: tuple[Statement, ...], index: int) -> Instruction:
    statement = statements[index]
    assert isinstance(statement, Instruction)
    return statement


def _label_indices(statements: tuple[Statement, ...]) -> dict[str, int]:
    indices: dict[str, int] = {}
    for index, statement in enumerate(statements):
        if isinstance(statement, Label):
            if statement.name in indices:
                raise statement.position.error(f"the label {statement.name!r} is defined twice")
            indices[statement.name] = index
    return indices


def _branch_of(instruction: Instruction) -> tuple[Branch, Expression] | None:
    """What a branch to an address is, and where it leads."""
    branch = find_branch(instruction.mnemonic)
    if branch is None or instruction.prefix or len(instruction.operands) != 1:
        return None
    (target,) = instruction.operands
    return (branch, target.expression) if isinstance(target, Immediate) else None


def _data_bytes(data: Data, labels: Mapping[str, int], here: int) -> bytes:
    parts: list[bytes] = []
    for element in data.elements:
        if isinstance(element, bytes):
            parts.append(element)
        else:
            parts.append(data.pack(element.value(labels, here)))
    return b"".join(parts)


def _signed(value: int) -> int:
    """The value modulo 2**64, as a signed number."""
    return ((value + (1 << 63)) & _WORD_MASK) - (1 << 63)


def _depends_on_labels(operand: Operand) -> bool:
    """Whether the operand changes with the layout: it has a label, or is an address reached relative to rip."""
    return not isinstance(operand, Register) and (
        bool(operand.expression.labels) or (isinstance(operand, Memory) and operand.relative)
    )


def _resolve(instruction: Instruction, labels: Mapping[str, int], here: int, following: int = 0) -> tuple[Operand, ...]:
    """The operands as numbers; relative addresses become rip plus the distance from the `following` instruction."""
    return tuple(
        operand if isinstance(operand, Register) else _resolve_number(instruction, operand, labels, here, following)
        for operand in instruction.operands
    )


def _resolve_number(
    instruction: Instruction, operand: Immediate | Memory, labels: Mapping[str, int], here: int, following: int
) -> Operand:
    value = operand.expression.value(labels, here)
    if isinstance(operand, Immediate):
        return Immediate(Expression(value)) if operand.expression.labels else operand
    registers = operand.registers
    if operand.relative:
        value, registers = value - following, (("rip", 1),)
    elif value >> 63 == 1:
        value -= 1 << 64
    if not _fits_displacement(value) and not _takes_a_long_address(instruction):
        hint = "load the address into a register"
        if instruction.mnemonic == "mov" and not registers:
            hint += "; only al, ax, eax and rax are moved from and to a 64-bit address"
        raise instruction.position.error(f"the displacement {value & _WORD_MASK:#x} does not fit in 32 bits", hint)
    return replace(operand, registers=registers, expression=Expression(value))


def _fits_displacement(value: int) -> bool:
    return -(1 << 31) <= value < 1 << 31


def _takes_a_long_address(instruction: Instruction) -> bool:
    """Whether there is a form of it with a 64-bit address: MOV of an accumulator (SDM volume 2, MOV moffs64)."""
    names = {operand.name for operand in instruction.operands if isinstance(operand, Register)}
    absolute = [operand for operand in instruction.operands if isinstance(operand, Memory) and not operand.registers]
    return (
        instruction.mnemonic in ("mov", "movabs")
        and len(names & _ACCUMULATORS) == len(absolute) == 1
        and not (absolute[0].relative)
    )


def _render(instruction: Instruction, operands: tuple[Operand, ...]) -> str:
    """The instruction as Keystone reads it without doubt."""
    if not operands and instruction.mnemonic in _KEYSTONE_SPELLINGS:
        return f"{instruction.prefix} {_KEYSTONE_SPELLINGS[instruction.mnemonic]}".strip()
    long = instruction.mnemonic == "movabs" and _takes_a_long_address(instruction)
    rendered = ", ".join(_render_operand(operand, long) for operand in operands)
    return f"{instruction.prefix} {instruction.mnemonic} {rendered}".strip()


def _render_operand(operand: Operand, long: bool) -> str:
    """Every number signed and hexadecimal; an address as one of 64 bits if it is to be, or must be."""
    if isinstance(operand, Register):
        return operand.name
    value = f"{operand.expression.constant:#x}"
    if isinstance(operand, Immediate):
        return value
    size = f"{_SIZE_NAMES[operand.size]} ptr " if operand.size is not None else ""
    segment = f"{operand.segment}:" if operand.segment is not None else ""
    if not operand.registers and (long or not _fits_displacement(operand.expression.constant)):
        return f"{size}{segment}[{operand.expression.constant & _WORD_MASK:#x}]"
    registers = operand.registers or (("riz", 1),)
    if registers[1:] and registers[1][0] in _NO_INDEX and registers[0][1] == 1:
        registers = registers[::-1]
    terms = [name if scale == 1 and name != "riz" else f"{name}*{scale}" for name, scale in registers]
    return f"{size}{segment}[{' + '.join(terms)} + {value}]".replace("+ -", "- ")
