"""Quick calls as machine code, generated from their descriptions (machine.kernel.quick).

    i64 call_N(engine, HookState*)

carries out a call: general registers are at hand, and RAX gets its result. It returns 1; or 0 where Python has to do
it, and then nothing was done. A law compares both (tests/machine/native/test_quick_calls.py).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from machine.kernel import (
    DESCRIPTORS,
    MOST_BYTES,
    CallerCells,
    ContentCells,
    FileCells,
    Gives,
    OutputCells,
    QuickCall,
    Reads,
    ReadsFile,
    Seeks,
    SeeksFile,
    TellsTime,
    Wakes,
    Writes,
    WritesFile,
)
from machine.native.hooks import QUICK_CALL
from machine.native.tables import RAX
from machine.native.writer import HookWriter
from machine.processor import EXECUTED
from vm.facts.paging import FRAME_MASK, INDEX_BITS, LEVELS, OPEN, PAGE_BITS, PRESENT, READ, WATCHED_SHIFT, WRITE
from vm.facts.registers import STORAGE_INDEX
from vm.native import (
    CELL,
    I1,
    I32,
    I64,
    NULL,
    POINTER,
    VOID,
    DirectAccess,
    MachineCode,
    Module,
    Signature,
    Value,
    compile_text,
    number,
)

_PAGE = 1 << PAGE_BITS
_ARGUMENTS = tuple(STORAGE_INDEX[name] for name in ("rdi", "rsi", "rdx", "r10"))
_LOW = 0xFFFF_FFFF
_NANOSECONDS = 1_000_000_000
_TIME_BYTES = 16
_PAGE_OF = Signature(POINTER, (POINTER, POINTER, I64))
_BRING = Signature(I64, (POINTER, POINTER, POINTER, POINTER, I64, I64))
_TAKE = Signature(I64, (POINTER, POINTER, I64, I64, POINTER))
_PREAD = Signature(I64, (I32, POINTER, I64, I64))
_MEMCPY, _MEMCPY_NAME = Signature(VOID, (POINTER, POINTER, I64, I1)), "llvm.memcpy.p0.p0.i64"
_MEMSET, _MEMSET_NAME = Signature(VOID, (POINTER, "i8", I64, I1)), "llvm.memset.p0.i64"
# What a page must be that bytes are put into, or taken from: all of this, and nothing of that.
_MAY_BE_WRITTEN, _MAY_BE_READ, _IS_WATCHED = WRITE | OPEN, READ | PRESENT, 7 << WATCHED_SHIFT
_ROW_HEAD = 2 * CELL  # of an OutputCells


@cache
def compiled(calls: tuple[QuickCall, ...]) -> MachineCode:
    """The code of these calls: `call_0`, `call_1`, ..."""
    return compile_text(llvm_text(calls))


def llvm_text(calls: tuple[QuickCall, ...]) -> str:
    """The same as LLVM IR."""
    module = Module()
    module.declared.update({_MEMCPY_NAME: _MEMCPY, _MEMSET_NAME: _MEMSET, "pread": _PREAD})
    _page_of(HookWriter(module, "page_of", _PAGE_OF), _MAY_BE_WRITTEN)
    _page_of(HookWriter(module, "readable_page_of", _PAGE_OF), _MAY_BE_READ)
    _bring(HookWriter(module, "bring", _BRING))
    _take(HookWriter(module, "take", _TAKE))
    for index, call in enumerate(calls):
        _Writer(module, f"call_{index}", QUICK_CALL, internal=False).carry_out(call)
    return str(module)


class _Writer(HookWriter):
    """A quick call."""

    def carry_out(self, call: QuickCall) -> None:
        """The function of a call."""
        self.python = self.new_block("python")
        self.caller = self.own("caller")
        self.require(self.compare("ne", self.caller, NULL))
        self.require(self.is_set(self.of_caller("is_open")))
        _FORMS[type(call)](self, call)
        self.block = self.python
        self.give(number(0))

    def require(self, flag: Value) -> None:
        """Python has the call where this is not so."""
        self.only_if(flag, self.python)

    def of_caller(self, name: str) -> Value:
        """A field of the CallerCells."""
        return self.get(CallerCells, name, self.caller)

    def argument(self, index: int) -> Value:
        """An argument of the call, 64 bits."""
        return self.register(_ARGUMENTS[index])

    def finish(self, result: Value, moved: Value) -> None:
        """The call has this result, and has moved so many bytes."""
        self.charge(moved)
        self.set_register(RAX, result)
        self.give(number(1))

    def require_work(self, most: Value) -> None:
        """Python has the call where the run would end by its work."""
        wanted = self.op("add", most, self.of_caller("per_call"))
        self.require(self.compare("sge", self.load(self.of_caller("work")), wanted))

    def charge(self, moved: Value) -> None:
        """Have the work counted."""
        done = self.op("add", moved, self.of_caller("per_call"))
        self.add_to(self.of_caller("work"), self.op("sub", number(0), done))

    def file(self, field: str) -> Value:
        """The FileCells of the descriptor that is the first argument, of which a field must be set."""
        descriptor = self.op("and", self.argument(0), number(_LOW))
        self.require(self.compare("ult", descriptor, number(DESCRIPTORS)))
        place = self.at(self.of_caller("files"), self.op("mul", descriptor, number(CELL)))
        file = self.load(place, POINTER)
        self.require(self.compare("ne", file, NULL))
        self.require(self.is_set(self.get(FileCells, field, file)))
        return file

    def buffer(self) -> tuple[Value, Value]:
        """The address and the size that are the next two arguments."""
        address, size = self.argument(1), self.argument(2)
        self.require(self.compare("ult", self.op("sub", size, number(1)), number(MOST_BYTES)))
        self.require_user(address, size)
        return address, size

    def require_user(self, address: Value, size: Value) -> None:
        """A buffer of less than 2^47 bytes lies where programs have memory."""
        self.require(self.compare("ult", address, self.of_caller("user_end")))
        self.require(self.compare("ule", self.op("add", address, size), self.of_caller("user_end")))

    def offset(self) -> Value:
        """The offset that is the fourth argument."""
        offset = self.argument(3)
        self.require(self.compare("ult", offset, number(1 << 62)))
        return offset

    def page(self, address: Value) -> Value:
        """The host address of the page of an address, which may be written; NULL: Python knows."""
        return self.call("page_of", _PAGE_OF, [self.engine, self.state, address])

    def take(self, address: Value, size: Value, place: Value) -> None:
        """Copy bytes of the guest to a place of the host; Python has the call where one cannot be read."""
        self.require(self.is_set(self.call("take", _TAKE, [self.engine, self.state, address, size, place])))

    def now(self) -> Value:
        """Nanoseconds since the start."""
        executed, clock_at = self.load(self.at(self.own("counter"), CELL * EXECUTED)), self.own("clock")
        added = self.op("add", self.load(clock_at), self.load(self.at(clock_at, CELL)))
        return self.op("add", self.op("add", self.own("time_base"), executed), added)


def _gives(e: _Writer, call: Gives) -> None:
    e.require_work(number(0))
    e.finish(e.of_caller(call.field), number(0))


def _seeks(e: _Writer, call: SeeksFile) -> None:
    file, offset = e.file("seeks"), e.argument(1)
    whence = e.op("and", e.argument(2), number(_LOW))
    e.require(e.compare("ule", whence, number(1)))
    e.require_work(number(0))
    with e.when(e.compare("eq", e.get(FileCells, "seeks", file), number(Seeks.STAYS))):
        e.finish(number(0), number(0))
    start = e.select(e.is_set(whence), e.get(FileCells, "position", file), number(0))
    target = e.op("add", offset, start)
    e.require(e.compare("sge", target, number(0)))
    e.put(FileCells, "position", file, target)
    e.finish(target, number(0))


def _writes(e: _Writer, call: WritesFile) -> None:
    file = e.file("writes")
    address, size = e.buffer()
    offset = e.offset() if call.at_offset else e.get(FileCells, "position", file)
    blocks = {int(kind): e.new_block(kind.name.lower()) for kind in Writes}
    e.switch(e.get(FileCells, "writes", file), blocks, e.python)
    e.block = blocks[Writes.BY_PYTHON]
    e.jump(e.python)
    e.block = blocks[Writes.SWALLOWS]
    e.require_work(number(0))
    e.finish(size, number(0))
    e.block = blocks[Writes.KEEPS]
    if call.at_offset:
        e.jump(e.python)
    else:
        _keeps(e, file, address, size)
    e.block = blocks[Writes.MEMORY]
    _stores(e, call, file, address, size, offset)


def _stores(e: _Writer, call: WritesFile, file: Value, address: Value, size: Value, offset: Value) -> None:
    """To a file of memory, but behind a gap or where it has no room."""
    e.require(e.is_clear(e.of_caller("limits_files")))
    content = e.get(FileCells, "content", file)
    start, before = e.get(ContentCells, "start", content), e.get(ContentCells, "size", content)
    e.require(e.compare("ne", start, NULL))
    begin = e.select(e.is_set(e.get(FileCells, "appends", file)), before, offset)
    behind = e.op("add", begin, size)
    e.require(e.compare("ule", begin, before))
    e.require(e.compare("ule", behind, e.get(ContentCells, "capacity", content)))
    after = e.select(e.compare("ult", before, behind), behind, before)
    growth, left = e.op("sub", after, before), e.get(ContentCells, "left", content)
    e.require(e.compare("sge", e.load(left), growth))
    work = e.op("add", e.op("shl", size, number(1)), growth)  # read, written, and cleared before
    e.require_work(work)
    e.take(address, size, e.at(start, begin))
    e.add_to(left, e.op("sub", number(0), growth))
    e.put(ContentCells, "size", content, after)
    now = e.op("add", e.now(), e.of_caller("epoch"))
    for name in ("modified", "changed"):
        e.put(ContentCells, name, content, now)
    if not call.at_offset:
        e.put(FileCells, "position", file, behind)
    e.finish(size, work)


def _keeps(e: _Writer, file: Value, address: Value, size: Value) -> None:
    output, work = e.of_caller("output"), e.op("shl", size, number(1))  # read, and written
    used = e.get(OutputCells, "used", output)
    cells = e.op("and", e.op("add", size, number(_ROW_HEAD + CELL - 1)), number(-CELL))
    behind = e.op("add", used, cells)
    e.require(e.compare("ule", behind, e.get(OutputCells, "capacity", output)))
    for waiting in ("collected", "sent"):
        e.require(e.is_clear(e.load(e.get(OutputCells, waiting, output))))
    e.require_work(work)
    row = e.at(e.get(OutputCells, "rows", output), used)
    e.take(address, size, e.at(row, _ROW_HEAD))
    e.store(e.get(FileCells, "descriptor", file), row)
    e.store(size, e.at(row, CELL))
    e.put(OutputCells, "used", output, behind)
    e.finish(size, work)


def _reads(e: _Writer, call: ReadsFile) -> None:
    file = e.file("reads")
    address, size = e.buffer()
    offset = e.offset() if call.at_offset else e.get(FileCells, "position", file)
    e.require_work(size)
    done, room = e.cell("done"), e.cell("room")
    _for_pages(e, "at", address, e.op("add", address, size), lambda at: e.require(e.compare("ne", e.page(at), NULL)))
    e.store(number(0), done)
    e.store(number(1), room)

    def bring() -> None:
        so_far = e.load(done)
        here = e.op("add", address, so_far)
        inside, left = e.op("and", here, number(_PAGE - 1)), e.op("sub", size, so_far)
        rest = e.op("sub", number(_PAGE), inside)
        wanted = e.select(e.compare("ult", rest, left), rest, left)
        got = e.call(
            "bring", _BRING,
            [e.engine, e.state, file, e.at(e.page(here), inside), wanted, e.op("add", offset, so_far)],
        )  # fmt: skip
        failed = e.compare("slt", got, number(0))
        with e.when(failed):
            e.require(e.is_set(so_far))
        got = e.select(failed, number(0), got)
        e.store(e.op("add", so_far, got), done)
        e.store(e.convert("zext", e.compare("eq", got, wanted), I64), room)

    e.loop(lambda: e.op("and", e.is_set(e.load(room)), e.compare("ult", e.load(done), size)), bring)
    moved = e.load(done)
    if not call.at_offset:
        e.put(FileCells, "position", file, e.op("add", offset, moved))
    e.finish(moved, moved)


def _tells_time(e: _Writer, call: TellsTime) -> None:
    address = e.argument(call.buffer)
    calendar = e.of_caller("epoch")
    if call.calendar or call.elapsed:
        clock, known, since = e.op("and", e.argument(0), number(_LOW)), e.new_block("known"), e.cell("since")
        of_calendar, of_start = e.new_block("calendar"), e.new_block("start")
        rows = {**dict.fromkeys(call.calendar, of_calendar), **dict.fromkeys(call.elapsed, of_start)}
        e.switch(clock, rows, e.python)
        for block, value in ((of_calendar, calendar), (of_start, number(0))):
            e.block = block
            e.store(value, since)
            e.jump(known)
        e.block = known
        begun = e.load(since)
    else:
        e.require(e.is_clear(e.argument(1)))
        begun = calendar
    e.require_user(address, number(_TIME_BYTES))
    inside = e.op("and", address, number(_PAGE - 1))
    e.require(e.compare("ule", inside, number(_PAGE - _TIME_BYTES)))
    page = e.page(address)
    e.require(e.compare("ne", page, NULL))
    e.require_work(number(_TIME_BYTES))
    now = e.op("add", e.now(), begun)
    seconds, rest = (e.op(name, now, number(_NANOSECONDS)) for name in ("udiv", "urem"))
    place = e.at(page, inside)
    e.store(seconds, place, align=1)
    e.store(e.op("udiv", rest, number(call.unit)), e.at(place, CELL), align=1)
    e.finish(number(0), number(_TIME_BYTES))


def _wakes(e: _Writer, call: Wakes) -> None:
    address = e.argument(0)
    e.require(e.compare("eq", e.op("and", e.argument(1), number(_LOW)), number(call.operation)))
    e.require(e.is_clear(e.op("and", address, number(3))))
    e.require_user(address, number(4))
    e.require(e.is_clear(e.load(e.of_caller("waiting"))))
    e.require_work(number(0))
    e.finish(number(0), number(0))


_FORMS: dict[type, Callable[[_Writer, Any], None]] = {
    Gives: _gives,
    ReadsFile: _reads,
    SeeksFile: _seeks,
    TellsTime: _tells_time,
    Wakes: _wakes,
    WritesFile: _writes,
}


# --- what they share


def _for_pages(e: HookWriter, cell: str, address: Value, end: Value, body: Callable[[Value], None]) -> None:
    """Do something for each page of these bytes, which are some, by its address, which is in a new cell."""
    at = e.cell(cell)
    e.store(e.op("and", address, number(-_PAGE)), at)

    def once() -> None:
        body(e.load(at))
        e.store(e.op("add", e.load(at), number(_PAGE)), at)

    e.loop(lambda: e.compare("ult", e.load(at), end), once)


def _take(e: HookWriter) -> None:
    """Copy bytes of the guest to a place of the host; 0 where one of them cannot be read, and nothing was copied."""
    address, size, target = e.parameters[2:]
    end, missing = e.op("add", address, size), e.new_block("missing")

    def page(at: Value) -> Value:
        return e.call("readable_page_of", _PAGE_OF, [e.engine, e.state, at])

    def copy(at: Value) -> None:
        page_end = e.op("add", at, number(_PAGE))
        first = e.select(e.compare("ult", at, address), address, at)
        last = e.select(e.compare("ult", page_end, end), page_end, end)
        place, count = e.at(page(at), e.op("sub", first, at)), e.op("sub", last, first)
        e.call(_MEMCPY_NAME, _MEMCPY, [e.at(target, e.op("sub", first, address)), place, count, Value(I1, "false")])

    _for_pages(e, "looked", address, end, lambda at: e.only_if(e.compare("ne", page(at), NULL), missing))
    _for_pages(e, "copied", address, end, copy)
    e.give(number(1))
    e.block = missing
    e.give(number(0))


def _page_of(e: HookWriter, needed: int) -> None:
    """The page table of the process, walked for an address below 2^47; the page must have these bits."""
    missing, address = e.new_block("missing"), e.parameters[2]
    place = e.get(DirectAccess, "table", e.direct)
    for level in range(LEVELS):
        e.only_if(e.compare("ne", place, NULL), missing)
        index = e.op("lshr", address, number(PAGE_BITS + INDEX_BITS * (LEVELS - 1 - level)))
        index = e.op("and", index, number((1 << INDEX_BITS) - 1))
        row = e.at(place, e.op("shl", index, number(3)))
        place = e.load(row, POINTER)
    word = e.load(row)
    bits = e.op("and", word, number(needed | _IS_WATCHED))
    e.only_if(e.compare("eq", bits, number(needed)), missing)
    e.give(e.at(e.get(DirectAccess, "memory", e.direct), e.op("and", word, number(FRAME_MASK))))
    e.block = missing
    e.give(NULL)


def _bring(e: HookWriter) -> None:
    """Put bytes of a file to a place of the host; how many, less than 0 where the host refuses."""
    file, place, size, offset = e.parameters[2:]
    blocks = {int(kind): e.new_block(kind.name.lower()) for kind in Reads}
    e.switch(e.get(FileCells, "reads", file), blocks, blocks[Reads.BY_PYTHON])
    e.block = blocks[Reads.BY_PYTHON]
    e.give(number(-1))
    e.block = blocks[Reads.NOTHING]
    e.give(number(0))
    e.block = blocks[Reads.ZEROS]
    e.call(_MEMSET_NAME, _MEMSET, [place, Value("i8", "0"), size, Value(I1, "false")])
    e.give(size)
    e.block = blocks[Reads.HOST]
    descriptor = e.convert("trunc", e.get(FileCells, "descriptor", file), I32)
    e.give(e.call("pread", _PREAD, [descriptor, place, size, offset]))
    e.block = blocks[Reads.MEMORY]
    content = e.get(FileCells, "content", file)
    start, whole = e.get(ContentCells, "start", content), e.get(ContentCells, "size", content)
    with e.when(e.compare("uge", offset, whole)):
        e.give(number(0))
    with e.when(e.compare("eq", start, NULL)):
        e.give(number(-1))
    left = e.op("sub", whole, offset)
    count = e.select(e.compare("ult", size, left), size, left)
    e.call(_MEMCPY_NAME, _MEMCPY, [place, e.at(start, offset), count, Value(I1, "false")])
    e.give(count)
