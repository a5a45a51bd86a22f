"""The hook of SYSCALL as machine code: the trigger protocol of `machine.events.dispatch` for the pre stage.

    void on_syscall(engine, HookState*)

walks the events of the process, runs their scripts, and answers system calls that the kernel's model does not carry
out. Python does the rest, at the point where it is needed: the whole trigger when the state is not armed, what follows
a script's messages and errors, the operation. Registers live in the cells of the DirectAccess during a trigger, and are
written back at its end only.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

from machine.cpu import SYSCALL_LENGTH
from machine.events.registry import EventCells
from machine.native.tables import (
    ANSWERS,
    CS,
    ENTRY,
    FLAGS_AND_SELECTORS,
    R11,
    RAX,
    RCX,
    RESULT,
    SS,
    AnswerRow,
    EventRow,
    HookState,
)
from machine.system_call import RETURNED_FLAG, SYSRET_DROPS
from vm.native.access import DirectAccess
from vm.native.context import Context
from vm.native.emitter import I32, I64, NULL, POINTER, VOID, Emitter, Module, Signature, Value, number
from vm.native.jit import MachineCode, compile_text
from vm.native.layout import CELL, table
from vm.registers import PSEUDO_INDEX, RFLAGS, RIP

_HOOK = "on_syscall"
_RPL = 3
_UNLIKELY = ", !prof !1"
_MSR_VALUE = 1  # the cell of an MSR's value, behind its number

_BATCH = Signature(I32, (POINTER, POINTER, POINTER, I32))
_ONE = Signature(I32, (POINTER, I32, POINTER))
_RUN = Signature(I32, (POINTER,))
_IN_PYTHON = Signature(VOID, (POINTER, POINTER))
_SETTLE = Signature(I32, (I64, I32))
_ASK = Signature(VOID, ())


@cache
def compiled() -> MachineCode:
    """The hook; compiled once in a process, in some 20 ms."""
    return compile_text(llvm_text())


def address() -> int:
    """The address of `on_syscall`."""
    return compiled().address(_HOOK)


def llvm_text() -> str:
    """The hook as LLVM IR."""
    module = Module()
    for name, body in (("each", _each_register), ("fetch", _fetch), ("write_back", _write_back), (_HOOK, _on_syscall)):
        function = _Function(module, name, _SIGNATURES[name], internal=name != _HOOK)
        body(function)
    return str(module)


_SIGNATURES = {
    "each": Signature(VOID, (POINTER, POINTER, I64, POINTER)),
    "fetch": Signature(VOID, (POINTER, POINTER, POINTER)),
    "write_back": Signature(VOID, (POINTER, POINTER, I64)),
    _HOOK: Signature(VOID, (POINTER, POINTER)),
}


class _Function(Emitter):
    """A function whose first parameters are the engine and the HookState."""

    def __init__(self, module: Module, name: str, signature: Signature, internal: bool) -> None:
        super().__init__(module, name, signature, internal)
        self.engine, self.state = self.parameters[:2]
        self._direct: Value | None = None

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

    @property
    def direct(self) -> Value:
        """The DirectAccess; asked for in the first block of the function."""
        if self._direct is None:
            self._direct = self.own("direct")
        return self._direct

    def ask(self, name: str, signature: Signature, *arguments: Value) -> Value:
        """Call a function whose address is in the HookState."""
        return self.call(self.own(name).text, signature, arguments)

    def transfer(self, name: str, ids: Value, cells: Value, count: Value) -> None:
        """Read or write several registers."""
        self.ask(name, _BATCH, self.engine, ids, cells, count)

    def count_up(self, address: Value) -> None:
        """Add 1 to a cell."""
        self.store(self.op("add", self.load(address), number(1)), address)

    def is_set(self, value: Value) -> Value:
        """Whether a cell is not 0."""
        return self.compare("ne", value, number(0))

    def subset(self, mask: Value, name: str) -> Value:
        """The registers of a mask that are in a mask of the DirectAccess."""
        return self.op("and", mask, self.get(DirectAccess, name, self.direct))

    def add_registers(self, mask: Value, name: str) -> None:
        """Add registers to a mask of the DirectAccess."""
        self.put(DirectAccess, name, self.direct, self.op("or", mask, self.get(DirectAccess, name, self.direct)))

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

    def leave(self) -> None:
        """Return."""
        self.give()


# --- registers


def _each_register(e: _Function) -> None:
    """Read or write, by `transfer`, every register of a mask, one at a time."""
    _, state, mask, transfer = e.parameters
    direct, left = e.direct, e.cell("left")
    e.store(mask, left)

    def one() -> None:
        now = e.load(left)
        storage = e.call(
            "llvm.cttz.i64", e.module.declared.setdefault("llvm.cttz.i64", _COUNT_ZEROS), [now, Value("i1", "true")]
        )
        offset = e.op("shl", storage, number(3))
        register = e.load(e.at(e.place(HookState, "ids", state), offset))
        cell = e.at(e.place(DirectAccess, "registers", direct), offset)
        e.call(transfer.text, _ONE, [e.engine, e.convert("trunc", register, I32), cell])
        e.store(e.op("and", now, e.op("sub", now, number(1))), left)

    e.loop(lambda: e.is_set(e.load(left)), one)
    e.leave()


_COUNT_ZEROS = Signature(I64, (I64, "i1"))


def _fetch(e: _Function) -> None:
    """Read the registers of an event's script that no event before it has read or written."""
    _, state, row = e.parameters
    wanted = e.get(EventRow, "registers", row)
    known = e.get(DirectAccess, "readable", e.direct)
    missing = e.op("and", wanted, e.op("xor", known, number(-1)))
    with e.when(e.is_set(missing)):
        e.add_registers(missing, "readable")
        with e.when(e.compare("ne", missing, wanted)):
            e.call("each", _SIGNATURES["each"], [e.engine, state, missing, e.own("read_one")])
            e.leave()
        count = e.convert("trunc", e.get(EventRow, "register_count", row), I32)
        ids, places = e.get(EventRow, "register_ids", row), e.get(EventRow, "register_cells", row)
        e.transfer("read_batch", ids, places, count)
    e.leave()


def _write_back(e: _Function) -> None:
    """Give registers to the processor; RIP is not among them."""
    _, state, mask = e.parameters
    with e.when(e.is_set(mask)):
        e.call("each", _SIGNATURES["each"], [e.engine, state, mask, e.own("write_one")])
    e.leave()


# --- the trigger


def _on_syscall(e: _Function) -> None:
    with e.when(e.compare("eq", e.own("armed"), number(0))):
        e.ask("in_python", _IN_PYTHON, e.engine, e.state)
        e.leave()
    rip = _begin(e)
    _walk(e)
    _end(e, rip)


def _begin(e: _Function) -> Value:
    """Read what every trigger needs; RIP."""
    _charge(e, number(1))
    with e.when(e.compare("slt", e.own("patience"), number(0))):
        e.ask("breathe", _ASK)
    direct = e.direct
    e.transfer("read_batch", e.own("entry_ids"), e.own("entry_cells"), Value(I32, "7"))
    e.put(DirectAccess, "readable", direct, number(ENTRY))
    e.put(DirectAccess, "dirty", direct, number(0))
    rip = _register(e, RIP)
    e.put(HookState, "rip", e.state, rip)
    e.put(HookState, "short", e.state, number(0))
    _set_pseudo(e, "ip", rip)
    _set_pseudo(e, "core", e.own("core"))
    return rip


def _walk(e: _Function) -> None:
    """Every event, newest first. The table is the one that stood when the trigger began."""
    row, left = e.cell("row"), e.cell("rows_left")
    e.store(e.own("rows"), row)
    e.store(e.own("row_count"), left)

    def one() -> None:
        here = e.load(row, POINTER)
        _event(e, e.load(here, POINTER))
        e.store(e.at(here, CELL), row)
        e.store(e.op("sub", e.load(left), number(1)), left)

    e.loop(lambda: e.is_set(e.load(left)), one)


def _event(e: _Function, row: Value) -> None:
    """The filters, in the order of the protocol; then the script."""
    event = e.get(EventRow, "event", row)
    with e.when(e.is_set(e.get(EventCells, "enabled", event))):
        same_core = e.compare("eq", e.get(EventRow, "core", row), e.own("core"))
        with e.when(e.op("or", same_core, e.is_set(e.get(EventRow, "any_core", row)))):
            context = _register(e, RAX)
            same_number = e.compare("eq", e.get(EventRow, "number", row), context)
            with e.when(e.op("or", same_number, e.is_set(e.get(EventRow, "any_number", row)))):
                e.count_up(e.place(EventCells, "triggers", event))
                e.put(EventRow, "short", row, e.get(EventRow, "short_circuit", row))
                _action(e, row, context)
                e.put(HookState, "short", e.state, e.op("or", e.own("short"), e.get(EventRow, "short", row)))


def _action(e: _Function, row: Value, context: Value) -> None:
    entry = e.get(EventRow, "entry", row)
    with e.when(e.compare("ne", entry, NULL)):
        e.call("fetch", _SIGNATURES["fetch"], [e.engine, e.state, row])
        _set_pseudo(e, "context", context)
        _set_pseudo(e, "event_id", e.get(EventRow, "id", row))
        _set_pseudo(e, "event_tag", e.get(EventRow, "tag", row))
        _set_pseudo(e, "buffer", e.get(EventRow, "buffer", row))
        run = e.get(EventRow, "context", row)
        status = e.call(entry.text, _RUN, [run])
        _charge(e, e.get(Context, "steps", run))
        e.add_registers(e.get(DirectAccess, "dirty", e.direct), "readable")
        messages = e.load(e.get(EventRow, "waiting", row))
        stopped = e.convert("zext", status, I64)
        with e.when(e.is_set(e.op("or", stopped, messages))):
            goes_on = e.ask("settle", _SETTLE, e.get(EventRow, "id", row), status)
            with e.when(e.compare("eq", goes_on, Value(I32, "0"))):
                e.leave()


def _end(e: _Function, rip: Value) -> None:
    """What the operation comes to."""
    dirty = e.get(DirectAccess, "dirty", e.direct)
    target = _register(e, RIP)
    registers = e.op("and", dirty, number(~(1 << RIP)))
    with e.when(e.compare("ne", target, rip)):
        e.call("write_back", _SIGNATURES["write_back"], [e.engine, e.state, registers])
        _go_to(e, rip, target)
        e.leave()
    with e.when(e.is_set(e.own("short"))):
        e.call("write_back", _SIGNATURES["write_back"], [e.engine, e.state, registers])
        e.leave()
    _answer(e, rip, dirty)


def _go_to(e: _Function, rip: Value, target: Value) -> None:
    """Let the guest go on at an address; Unicorn adds the length of the instruction to RIP."""
    with e.when(e.compare("ne", target, e.op("add", rip, number(SYSCALL_LENGTH)))):
        cell = e.place(DirectAccess, "registers", e.direct, RIP)
        e.store(e.op("sub", target, number(SYSCALL_LENGTH)), cell)
        e.ask("write_one", _ONE, e.engine, Value(I32, e.convert("trunc", _id(e, RIP), I32).text), cell)


def _answer(e: _Function, rip: Value, dirty: Value) -> None:
    """SYSCALL, the model's default answer and SYSRET in one (machine.system_call.pass_through), or Python."""
    python = e.new_block("python")

    def only_if(flag: Value) -> None:
        go_on = e.new_block("plain")
        e.branch(flag, go_on, python)
        e.block = go_on

    call = _register(e, RAX)
    only_if(e.is_set(e.own("quiet")))
    only_if(e.compare("ult", call, number(ANSWERS)))
    only_if(e.compare("eq", e.op("and", dirty, number(FLAGS_AND_SELECTORS)), number(0)))
    answer = e.at(e.own("answers"), e.op("mul", call, number(ctypes.sizeof(AnswerRow))))
    only_if(e.is_set(e.get(AnswerRow, "known", answer)))

    flags, code, stack = (_register(e, storage) for storage in (RFLAGS, CS, SS))
    selectors = e.op("lshr", e.get(HookState, "star", e.state, _MSR_VALUE), number(48))
    returned = e.op("or", e.op("and", flags, number(~SYSRET_DROPS)), number(RETURNED_FLAG))
    only_if(e.compare("eq", e.get(HookState, "lstar", e.state, _MSR_VALUE), e.own("entry")))
    only_if(e.compare("eq", flags, returned))
    only_if(e.compare("eq", code, _selector(e, selectors, 16)))
    only_if(e.compare("eq", stack, _selector(e, selectors, 8)))

    e.count_up(e.place(AnswerRow, "count", answer))
    _set_register(e, RAX, e.get(AnswerRow, "value", answer))
    _set_register(e, RCX, e.op("add", rip, number(SYSCALL_LENGTH)))
    _set_register(e, R11, flags)
    e.transfer("write_batch", e.own("result_ids"), e.own("result_cells"), Value(I32, "3"))
    others = e.op("and", dirty, number(~(RESULT | 1 << RIP)))
    with e.when(e.is_set(others)):
        e.call("write_back", _SIGNATURES["write_back"], [e.engine, e.state, others])
    e.leave()

    e.block = python
    e.ask("answer", _ASK)
    e.leave()


# --- cells


def _charge(e: _Function, work: Value) -> None:
    e.put(HookState, "patience", e.state, e.op("sub", e.own("patience"), work))


def _id(e: _Function, storage: int) -> Value:
    return e.load(e.place(HookState, "ids", e.state, storage))


def _register(e: _Function, storage: int) -> Value:
    return e.load(e.place(DirectAccess, "registers", e.direct, storage))


def _set_register(e: _Function, storage: int, value: Value) -> None:
    e.put(DirectAccess, "registers", e.direct, value, storage)


def _set_pseudo(e: _Function, name: str, value: Value) -> None:
    e.put(DirectAccess, "pseudo", e.direct, value, PSEUDO_INDEX[name])


def _selector(e: _Function, base: Value, offset: int) -> Value:
    """A selector of user mode as SYSRET makes it."""
    whole = e.op("or", e.op("add", base, number(offset)), number(_RPL))
    return e.op("and", whole, number(0xFFFF))
