"""HookWriter: the writer of LLVM text, with words for the tables of `machine.native.tables` and for registers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machine.native.tables import HookedAddress, HookState
from machine.processor import SLOTS_AT, UNDER_WAY
from vm.facts.pseudo_registers import PSEUDO_INDEX
from vm.facts.registers import GENERAL
from vm.native import (
    CELL,
    I1,
    I32,
    I64,
    POINTER,
    VOID,
    Block,
    DirectAccess,
    Emitter,
    Module,
    Signature,
    Value,
    number,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = Signature(I32, (POINTER, POINTER, POINTER, I32))
ONE = Signature(I32, (POINTER, I32, POINTER))
_COUNT_ZEROS = Signature(I64, (I64, I1))


class HookWriter(Emitter):
    """A function whose first parameters are an engine and the HookState of its process."""

    def __init__(self, module: Module, name: str, signature: Signature, internal: bool = True) -> None:
        super().__init__(module, name, signature, internal)
        self.engine, self.state = self.parameters[:2]
        self._kept: dict[str, Value] = {}

    # --- tables

    def get(self, structure: type[ctypes.Structure], name: str, base: Value, index: int = 0) -> Value:
        """A field of a structure, or a cell of an array in it."""
        kind = POINTER if table(structure)[name] == "address" else I64
        return self.load(self.place(structure, name, base, index), kind)

    def put(self, structure: type[ctypes.Structure], name: str, base: Value, value: Value, index: int = 0) -> None:
        """Set a field."""
        self.store(value, self.place(structure, name, base, index))

    def place(self, structure: type[ctypes.Structure], name: str, base: Value, index: int = 0) -> Value:
        """The host address of a field."""
        offset: int = getattr(structure, name).offset
        return self.at(base, offset + CELL * index)

    def own(self, name: str) -> Value:
        """A field of the HookState."""
        return self.get(HookState, name, self.state)

    def set_own(self, name: str, value: Value) -> None:
        """Set a field of the HookState."""
        self.put(HookState, name, self.state, value)

    def kept(self, name: str) -> Value:
        """A field of the HookState that does not change; asked for in the first block of the function."""
        if name not in self._kept:
            self._kept[name] = self.own(name)
        return self._kept[name]

    @property
    def direct(self) -> Value:
        """The DirectAccess."""
        return self.kept("direct")

    # --- calls

    def ask(self, name: str, signature: Signature, *arguments: Value) -> Value:
        """Call a function whose address is in the HookState."""
        return self.call(self.own(name).text, signature, arguments)

    def ask_python(self, name: str, signature: Signature, *arguments: Value) -> Value:
        """The same where Python may look at the registers and write them."""
        self.set_own("python", number(1))
        return self.ask_beside(name, signature, *arguments)

    def ask_beside(self, name: str, signature: Signature, *arguments: Value) -> Value:
        """The same where Python itself says if it takes part in the trigger (`Handling.take_part`)."""
        with self.if_copied():
            self.transfer("write_batch", len(GENERAL))
        answer = self.ask(name, signature, *arguments)
        with self.if_copied():
            self.transfer("read_batch", len(GENERAL))
        return answer

    def use(self, name: str, signature: Signature, *arguments: Value) -> Value:
        """Call another function of hooks, which gets the engine and the state as well."""
        return self.call(self.module.linked.get(name, name), signature, [self.engine, self.state, *arguments])

    # --- registers

    def register(self, storage: int) -> Value:
        """The value of a register; what is not a general one must have been fetched."""
        return self.load(self.register_place(storage))

    def register_place(self, storage: int) -> Value:
        """The host address of a register's cell."""
        if storage < len(GENERAL):
            return self.at(self.get(DirectAccess, "general", self.direct), CELL * storage)
        return self.place(DirectAccess, "registers", self.direct, storage)

    def set_register(self, storage: int, value: Value) -> None:
        """Give a register a value; one that is not general is written to the processor at the end."""
        self.store(value, self.register_place(storage))
        if storage >= len(GENERAL):
            self.add_registers(number(1 << storage), "dirty")
            self.add_registers(number(1 << storage), "readable")

    def set_pseudo(self, name: str, value: Value) -> None:
        """Set a pseudo-register."""
        self.put(DirectAccess, "pseudo", self.direct, value, PSEUDO_INDEX[name])

    def pseudo(self, name: str) -> Value:
        """A pseudo-register that stands in its cell."""
        return self.get(DirectAccess, "pseudo", self.direct, PSEUDO_INDEX[name])

    def dirty(self, mask: int) -> Value:
        """Which registers of a mask were written."""
        return self.op("and", self.get(DirectAccess, "dirty", self.direct), number(mask))

    def add_registers(self, mask: Value, name: str) -> None:
        """Add registers to a mask of the DirectAccess."""
        self.put(DirectAccess, name, self.direct, self.op("or", mask, self.get(DirectAccess, name, self.direct)))

    def transfer(self, name: str, count: int) -> None:
        """Read or write the first of the registers that are copied."""
        self.ask(name, BATCH, self.engine, self.own("copy_ids"), self.own("copy_cells"), Value(I32, str(count)))

    def id_of(self, storage: int | Value) -> Value:
        """Unicorn's number of a storage."""
        if isinstance(storage, int):
            found = self.load(self.place(HookState, "ids", self.state, storage))
        else:
            found = self.load(self.at(self.place(HookState, "ids", self.state), self.op("shl", storage, number(3))))
        return self.convert("trunc", found, I32)

    def read(self, storage: int) -> Value:
        """The value of a register that no trigger keeps: a control register."""
        place = self.place(HookState, "scratch", self.state)
        self.store(number(0), place)
        self.ask("read_one", ONE, self.engine, self.id_of(storage), place)
        return self.load(place)

    def operand(self) -> Value:
        """The operand of the instruction at a site."""
        raise NotImplementedError

    # --- control

    def only_if(self, flag: Value, otherwise: Block) -> None:
        """What is written from here on happens where the flag is true; control goes elsewhere where it is not."""
        go_on = self.new_block("plain")
        self.branch(flag, go_on, otherwise)
        self.block = go_on

    def only_if_block_is_known(self, hooked: Value, otherwise: Block) -> None:
        """The same where it is known how much of the block under way stands behind a HookedAddress."""
        counter = self.own("counter")
        slot = self.at(self.at(counter, CELL * SLOTS_AT), self.load(self.at(counter, CELL * UNDER_WAY)))
        changes = self.load(self.get(HookedAddress, "changes", hooked))
        for now, name in ((self.load(slot), "block"), (self.load(self.at(slot, CELL)), "shape"), (changes, "known_at")):
            self.only_if(self.compare("eq", now, self.get(HookedAddress, name, hooked)), otherwise)

    def is_set(self, value: Value) -> Value:
        """Whether a cell is not 0."""
        return self.compare("ne", value, number(0))

    def is_clear(self, value: Value) -> Value:
        """Whether a cell is 0."""
        return self.compare("eq", value, number(0))

    @contextmanager
    def if_copied(self) -> Iterator[None]:
        """What is written inside happens when the general registers are copies."""
        with self.when(self.is_set(self.own("copied"))):
            yield

    def count_up(self, address: Value) -> None:
        """Add 1 to a cell."""
        self.add_to(address, number(1))

    def add_to(self, address: Value, value: Value) -> None:
        """Add to a cell."""
        self.store(self.op("add", self.load(address), value), address)

    def loop(self, more: Callable[[], Value], body: Callable[[], None]) -> None:
        """Do `body` as long as `more` is true."""
        head, inside, after = self.new_block("head"), self.new_block("inside"), self.new_block("behind")
        self.jump(head)
        self.block = head
        self.branch(more(), inside, after)
        self.block = inside
        body()
        self.jump(head)
        self.block = after

    def each_row(self, name: str, first: Value, count: Value, step: int, body: Callable[[Value], None]) -> None:
        """Do `body` with the address of each of `count` rows of `step` bytes."""
        row, left = self.cell(name), self.cell(f"{name}.left")
        self.store(first, row)
        self.store(count, left)

        def one() -> None:
            here = self.load(row, POINTER)
            body(here)
            self.store(self.at(here, step), row)
            self.store(self.op("sub", self.load(left), number(1)), left)

        self.loop(lambda: self.is_set(self.load(left)), one)

    def each_register(self, mask: Value, body: Callable[[Value], None]) -> None:
        """Do `body` with the number of each storage in a mask."""
        left = self.cell("registers.left")
        self.store(mask, left)
        name = "llvm.cttz.i64"
        signature = self.module.declared.setdefault(name, _COUNT_ZEROS)

        def one() -> None:
            now = self.load(left)
            body(self.call(name, signature, [now, Value(I1, "true")]))
            self.store(self.op("and", now, self.op("sub", now, number(1))), left)

        self.loop(lambda: self.is_set(self.load(left)), one)


def nothing(*parameters: str) -> Signature:
    """The type of a function without a result."""
    return Signature(VOID, parameters)
