"""A small writer of LLVM IR text: modules, functions, blocks, and one method for each form of instruction we use.

Text, because llvmlite's object model takes longer to build and print a module than LLVM takes to compile it. Types are
LLVM's own spelling; operations, comparisons and conversions are called by their LLVM names.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

I1, I8, I32, I64, POINTER, F32, F64, VOID = "i1", "i8", "i32", "i64", "ptr", "float", "double", "void"
WIDTHS = (8, 16, 32, 64)  # of integers in memory

_METADATA = ("!0 = !{}", '!1 = !{!"branch_weights", i32 1, i32 999}')
INVARIANT, UNLIKELY = ", !invariant.load !0", ", !prof !1"


class Value(msgspec.Struct, frozen=True):
    """An operand: a constant, a parameter or the result of an instruction."""

    type: str
    text: str

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


def number(value: int) -> Value:
    """A 64-bit constant."""
    return Value(I64, str(value))


def double(value: float) -> Value:
    """A binary64 constant, spelled as its bits."""
    return Value(F64, "0x" + struct.pack(">d", value).hex())


NULL, NO, YES = Value(POINTER, "null"), Value(I1, "false"), Value(I1, "true")


class Signature(msgspec.Struct, frozen=True):
    """The type of a function and its attributes."""

    result: str
    parameters: tuple[str, ...]
    attributes: str = "nounwind"


class Module(msgspec.Struct):
    """A module under construction; `linked` has the linker's names of functions that stand elsewhere."""

    tables: list[str] = msgspec.field(default_factory=list)
    functions: list[Emitter] = msgspec.field(default_factory=list)
    declared: dict[str, Signature] = msgspec.field(default_factory=dict)
    linked: dict[str, str] = msgspec.field(default_factory=dict)

    def __str__(self) -> str:
        declarations = (
            f"declare {row.result} @{name}({', '.join(row.parameters)}) {row.attributes}"
            for name, row in self.declared.items()
        )
        return "\n".join((*self.tables, *declarations, *map(str, self.functions), *_METADATA, ""))

    def table(self, values: Sequence[int]) -> Value:
        """The address of 64-bit constants, one behind the other."""
        name, kind = f"@table{len(self.tables)}", f"[{len(values)} x i64]"
        numbers = ", ".join(f"i64 {value}" for value in values)
        self.tables.append(f"{name} = private unnamed_addr constant {kind} [{numbers}], align 8")
        return Value(POINTER, name)


class Block:
    """A basic block: a label and the lines written so far."""

    __slots__ = ("closed", "label", "lines")

    def __init__(self, label: str) -> None:
        self.label = label
        self.lines: list[str | Phi] = []
        self.closed = False  # it has its terminator


class Phi:
    """A phi instruction, which may learn of its predecessors later."""

    __slots__ = ("incoming", "value")

    def __init__(self, value: Value) -> None:
        self.value = value
        self.incoming: list[str] = []

    def add(self, value: Value, block: Block) -> None:
        """Control that comes from this block brings this value."""
        self.incoming.append(f"[ {value.text}, %{block.label} ]")

    def __str__(self) -> str:
        return f"  {self.value.text} = phi {self.value.type} {', '.join(self.incoming)}"


class Emitter:
    """Writes one function of a module, which it joins, at the end of `block`."""

    def __init__(self, module: Module, name: str, signature: Signature, internal: bool = False) -> None:
        self.module = module
        self.name = name
        self.signature = signature
        self.internal = internal
        self.parameters = [Value(kind, f"%p{index}") for index, kind in enumerate(signature.parameters)]
        self.blocks: list[Block] = []
        self._made = 0
        self._entry_lines: list[str] = []
        self.block = self.new_block("entry")
        module.functions.append(self)

    def __str__(self) -> str:
        linkage = "internal " if self.internal else ""
        parameters = ", ".join(map(str, self.parameters))
        head = f"define {linkage}{self.signature.result} @{self.name}({parameters}) {self.signature.attributes} {{"
        first, *rest = self.blocks
        body = [f"{first.label}:", *self._entry_lines, *map(str, first.lines)]
        for block in rest:
            body += [f"{block.label}:", *map(str, block.lines)]
        return "\n".join((head, *body, "}"))

    # --- blocks

    def new_block(self, name: str) -> Block:
        """A new block at the end of the function; writing goes on where it was."""
        self._made += 1
        block = Block(f"{name}.{self._made}")
        self.blocks.append(block)
        return block

    def jump(self, block: Block) -> None:
        """Go to a block."""
        self._close(f"br label %{block.label}")

    def branch(self, flag: Value, then: Block, otherwise: Block, hint: str = "") -> None:
        """Go to one of two blocks."""
        self._close(f"br {flag}, label %{then.label}, label %{otherwise.label}{hint}")

    def switch(self, value: Value, cases: dict[int, Block], otherwise: Block) -> None:
        """Go to the block of a value."""
        rows = " ".join(f"{value.type} {key}, label %{block.label}" for key, block in cases.items())
        self._close(f"switch {value}, label %{otherwise.label} [ {rows} ]")

    def give(self, *parts: Value) -> None:
        """Return a value, or a structure of several."""
        if len(parts) > 1:
            whole = Value(self.signature.result, "poison")
            for index, part in enumerate(parts):
                whole = self.emit(whole.type, f"insertvalue {whole}, {part}, {index}")
            parts = (whole,)
        self._close(f"ret {parts[0]}" if parts else "ret void")

    @contextmanager
    def when(self, flag: Value) -> Iterator[None]:
        """What is written inside happens when the flag is true."""
        inside, after = self.new_block("then"), self.new_block("after")
        self.branch(flag, inside, after)
        self.block = inside
        yield
        if not self.block.closed:
            self.jump(after)
        self.block = after

    @contextmanager
    def repeat(self) -> Iterator[Callable[[Value], None]]:
        """What is written inside happens again and again, until it returns or calls what is given with a true flag."""
        head = self.new_block("repeat")
        self.jump(head)
        self.block = head
        behind: list[Block] = []

        def done(flag: Value) -> None:
            if not behind:
                behind.append(self.new_block("behind"))
            go_on = self.new_block("again")
            self.branch(flag, behind[0], go_on)
            self.block = go_on

        yield done
        self.jump(head)
        for block in behind:
            self.block = block

    def _close(self, line: str) -> None:
        self.block.lines.append("  " + line)
        self.block.closed = True

    # --- instructions

    def emit(self, kind: str, text: str) -> Value:
        """An instruction with a result."""
        self._made += 1
        value = Value(kind, f"%v{self._made}")
        self.block.lines.append(f"  {value.text} = {text}")
        return value

    def comment(self, text: str) -> None:
        """A line for the reader."""
        self.block.lines.append(f"  ; {text}")

    def op(self, name: str, x: Value, y: Value) -> Value:
        """A binary operation: add, sdiv, lshr, fmul, ..."""
        return self.emit(x.type, f"{name} {x}, {y.text}")

    def compare(self, condition: str, x: Value, y: Value) -> Value:
        """A comparison of integers (eq, ult, sle, ...) or of floating-point numbers (oeq, une, olt, ...)."""
        name = "fcmp" if x.type in (F32, F64) else "icmp"
        return self.emit(I1, f"{name} {condition} {x}, {y.text}")

    def convert(self, name: str, x: Value, to: str) -> Value:
        """A conversion: zext, trunc, sitofp, bitcast, ..."""
        return self.emit(to, f"{name} {x} to {to}")

    def select(self, flag: Value, x: Value, y: Value) -> Value:
        """x where the flag is true, else y."""
        return self.emit(x.type, f"select {flag}, {x}, {y}")

    def opposite(self, flag: Value) -> Value:
        """A truth value negated."""
        return self.emit(I1, f"xor {flag}, true")

    def phi(self, kind: str) -> Phi:
        """A value that depends on where control comes from; only at the start of a block."""
        self._made += 1
        phi = Phi(Value(kind, f"%v{self._made}"))
        self.block.lines.append(phi)
        return phi

    def part(self, whole: Value, index: int, kind: str = I64) -> Value:
        """A member of a structure."""
        return self.emit(kind, f"extractvalue {whole}, {index}")

    # --- memory

    def cell(self, name: str, count: int = 1) -> Value:
        """Cells on the native stack, made when the function is entered."""
        self._entry_lines.append(f"  %{name} = alloca i64, i64 {count}, align 8")
        return Value(POINTER, f"%{name}")

    def at(self, base: Value, offset: Value | int) -> Value:
        """The host address `offset` bytes behind base."""
        if offset == 0:
            return base
        distance = number(offset) if isinstance(offset, int) else offset
        return self.emit(POINTER, f"getelementptr i8, ptr {base.text}, {distance}")

    def load(self, address: Value, kind: str = I64, align: int = 8, hint: str = "") -> Value:
        """What stands at a host address."""
        return self.emit(kind, f"load {kind}, ptr {address.text}, align {align}{hint}")

    def load_anew(self, address: Value) -> Value:
        """What stands at a host address now, whatever stood there before: another thread may write it."""
        return self.emit(I64, f"load volatile i64, ptr {address.text}, align 8")

    def store(self, value: Value, address: Value, align: int = 8) -> None:
        """Put a value at a host address."""
        self.block.lines.append(f"  store {value}, ptr {address.text}, align {align}")

    def atomic(self, name: str, address: Value, value: Value) -> Value:
        """Change an aligned cell by an atomic operation (add, xchg); what stood there."""
        return self.emit(value.type, f"atomicrmw {name} ptr {address.text}, {value} seq_cst")

    def exchange_if_equal(self, address: Value, expected: Value, value: Value) -> Value:
        """Put a value into an aligned cell that has the expected one; what stood there, and whether it was that."""
        kind = f"{{ {value.type}, i1 }}"
        return self.emit(kind, f"cmpxchg ptr {address.text}, {expected}, {value} seq_cst seq_cst")

    def release(self, value: Value, address: Value) -> None:
        """Put a value into an aligned 32-bit cell, behind everything that was written before."""
        self.block.lines.append(f"  store atomic {value}, ptr {address.text} release, align 4")

    # --- calls

    def call(self, name: str, signature: Signature, arguments: Sequence[Value], hint: str = "") -> Value:
        """Call a function of this module (or one that the linker knows) by name, or any other by its address.

        `hint` is an attribute of this call: `alwaysinline`.
        """
        target = name if name.startswith("%") else "@" + name
        text = f"call {signature.result} {target}({', '.join(map(str, arguments))}) {hint}".rstrip()
        if signature.result == VOID:
            self.block.lines.append("  " + text)
            return Value(VOID, "")
        return self.emit(signature.result, text)
