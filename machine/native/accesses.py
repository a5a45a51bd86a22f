"""Watched accesses in machine code: what machine.processor.watched and machine.events.memory do, for frequent cases.

    i32 on_access(engine, HookState*, AccessState*, begin, until), in place of uc_emu_start
    void on_step(engine, vector, AccessState*), a hook of exceptions

An instruction is learned when Python has dealt with it: a *site* has the form of its operand, and the ranges that its
accesses are compared with. From then on its refusals are dealt with here: the pre stage, and its execution alone.
Whatever is not as it was then - the code, the block under way, the guest's trap flag - makes it Python's again, with
nothing done; so do post stages, and instructions with several operands. A stage that leaves more behind than general
registers is ended by Python (`was_told`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache

from machine.memory import PAGE
from machine.native.protocol import STAGE
from machine.native.tables import GENERAL_REGISTERS, AccessState, HookState, RangeRow, SiteRow
from machine.native.writer import ONE, HookWriter, nothing
from machine.processor import (
    CEILING,
    EXCEPTION_STATUS,
    EXECUTED,
    FLUSH_TLB,
    OWN,
    OWN_SLOT,
    PLAIN_IDS,
    RFLAGS_ID,
    SET_EXITS,
    SLOTS_AT,
    TRAP_FLAG,
    UNDER_WAY,
    WATCHED_RIGHT,
    WATCHING,
    WORD_MASK,
    Due,
    Vector,
    function_address,
    memory_operands,
)
from machine.schedule import Process
from vm.facts.paging import EXECUTE, PAGE_BITS, READ, WRITE
from vm.facts.registers import RIP, STORAGE_INDEX
from vm.native import CELL, I32, I64, NULL, POINTER, Block, MachineCode, Module, Signature, Value, compile_text, number

SITES = 256  # an instruction's is that of its address, modulo this
TOLD = 1 << 16  # beside Unicorn's status: the pre stage is over, and Python goes on

_START = Signature(I32, (POINTER, I64, I64, I64, I64))
_ON_ACCESS = Signature(I32, (POINTER, POINTER, POINTER, I64, I64))
_ON_STEP = nothing(POINTER, I32, POINTER)
_ALL = READ | WRITE | EXECUTE
_FLAGS = Value(I32, str(RFLAGS_ID))
_START_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_uint64] * 5)
_CODE_BYTES = 16  # that are compared
_MOST_LEARNED = 4 * SITES
Range = tuple[int, int, int, int]  # a RangeRow


@cache
def code(linked: tuple[tuple[str, str], ...]) -> MachineCode:
    """The functions; `linked` has the names of those that hooks share."""
    return compile_text(llvm_text(linked))


def llvm_text(linked: tuple[tuple[str, str], ...]) -> str:
    """The functions as LLVM IR."""
    module = Module(linked=dict(linked))
    module.declared[module.linked["prepare"]] = nothing(POINTER, POINTER)
    module.declared[module.linked["stage"]] = STAGE
    _on_access(_Writer(module, "on_access", _ON_ACCESS, internal=False))
    _on_step(_StepWriter(module, "on_step", _ON_STEP, internal=False))
    return str(module)


class _Writer(HookWriter):
    """A function that works on an AccessState, its third parameter."""

    @property
    def access(self) -> Value:
        """The AccessState."""
        return self.parameters[2]

    def word(self, name: str, index: int) -> Value:
        """The address of a word of a state that the AccessState leads to."""
        return self.at(self.get(AccessState, name, self.access), CELL * index)

    def own_word(self, name: str) -> Value:
        """A word of the AccessState."""
        return self.get(AccessState, name, self.access)

    def flags(self, name: str) -> Value:
        """Read or write RFLAGS, or DR6, in the AccessState's cell of that name."""
        return self.place(AccessState, name, self.access)

    def transfer_one(self, function: str, identity: Value, name: str) -> None:
        """Read or write one register, whose value is in a cell of the AccessState."""
        self.call(self.own_word(function).text, ONE, [self.engine, identity, self.flags(name)])

    def control(self, word: int, *arguments: Value) -> None:
        """Call uc_ctl."""
        given = "".join(f", {argument}" for argument in arguments)
        function = self.own_word("control").text
        self.emit(I32, f"call i32 (ptr, i32, ...) {function}({self.engine}, i32 {word}{given})")

    def finish_block(self) -> None:
        """No block is under way, as behind BlockCounter.finish."""
        for word, value in ((OWN, 0), (OWN + 1, 0), (UNDER_WAY, OWN_SLOT)):
            self.store(number(value), self.word("counter", word))


class _StepWriter(_Writer):
    """A hook, which has no HookState."""

    def __init__(self, module: Module, name: str, signature: Signature, internal: bool) -> None:
        super().__init__(module, name, signature, internal)
        self.state = NULL


def _on_access(e: _Writer) -> None:
    _, _, _, begin, until = e.parameters
    here, status, until_at = e.cell("here"), e.cell("status"), e.cell("until")
    e.store(begin, here)
    e.store(until, until_at)
    python = e.new_block("python")
    with e.repeat():
        e.control(SET_EXITS, until_at, number(1))
        started = e.call(e.own_word("start").text, _START, [e.engine, e.load(here), until, number(0), number(0)])
        e.store(e.convert("zext", started, I64), status)
        e.only_if(e.compare("eq", e.load(status), number(EXCEPTION_STATUS)), python)
        right = e.load(e.word("translation", WATCHED_RIGHT))
        e.only_if(e.is_set(e.op("and", right, number(READ | WRITE))), python)
        rip = e.load(e.own_word("rip_at"))
        e.store(rip, here)
        site = _site(e, rip, python)
        executed = _settled(e, site, python)
        e.transfer_one("read_one", _FLAGS, "flags")
        e.only_if(e.is_clear(e.op("and", e.own_word("flags"), number(TRAP_FLAG))), python)
        _run_events(e, site, python)
        _begin_step(e, rip, executed)
    e.block = python
    e.give(e.convert("trunc", e.load(status), I32))


def _site(e: _Writer, rip: Value, python: Block) -> Value:
    """The site of the instruction, as it was learned."""
    index = e.op("and", rip, number(SITES - 1))
    site = e.at(e.own_word("sites"), e.op("mul", index, number(ctypes.sizeof(SiteRow))))
    e.only_if(e.compare("eq", e.get(SiteRow, "rip", site), rip), python)
    code_at = e.get(SiteRow, "code_at", site)
    e.only_if(e.compare("eq", e.load(code_at, align=1), e.get(SiteRow, "code", site)), python)
    e.only_if(e.compare("eq", e.load(e.at(code_at, CELL), align=1), e.get(SiteRow, "code", site, 1)), python)
    e.only_if(e.compare("eq", e.load(e.own_word("changes_at")), e.get(SiteRow, "changes", site)), python)
    return site


def _settled(e: _Writer, site: Value, python: Block) -> Value:
    """The count of instructions before this one, if one more fits under the ceiling."""
    slot = e.at(e.word("counter", SLOTS_AT), e.load(e.word("counter", UNDER_WAY)))
    e.only_if(e.compare("eq", e.load(slot), e.get(SiteRow, "block", site)), python)
    e.only_if(e.compare("eq", e.load(e.at(slot, CELL)), e.get(SiteRow, "shape", site)), python)
    executed = e.op("sub", e.load(e.word("counter", EXECUTED)), e.get(SiteRow, "rest", site))
    e.only_if(e.compare("ult", executed, e.load(e.word("counter", CEILING))), python)
    return executed


def _run_events(e: _Writer, site: Value, python: Block) -> None:
    """The pre stage of the access, if it is in a page of the ranges."""
    address, known, begun = _address(e, site), e.cell("known"), e.cell("begun")
    context = e.place(HookState, "context", e.state)
    e.store(number(0), known)
    e.store(number(0), begun)
    page = e.op("lshr", address, number(PAGE_BITS))

    def look(row: Value) -> None:
        first, last = (e.op("lshr", e.get(RangeRow, name, row), number(PAGE_BITS)) for name in ("first", "last"))
        inside = e.op("and", e.compare("uge", page, first), e.compare("ule", page, last))
        e.store(e.op("or", e.load(known), e.convert("zext", inside, I64)), known)

    def run(row: Value) -> None:
        first, last = (e.get(RangeRow, name, row) for name in ("first", "last"))
        hit = e.op("and", e.compare("uge", address, first), e.compare("ule", address, last))
        with e.when(e.op("and", hit, e.is_clear(e.get(RangeRow, "only_watched", row)))):
            with e.when(e.is_clear(e.load(begun))):
                e.use("prepare", nothing(POINTER, POINTER))
                e.set_own("hooked", e.own("unknown"))
                e.store(number(1), begun)
            e.store(address, context)
            e.use("stage", STAGE, e.place(RangeRow, "event", row), number(1), number(0), context)

    rows, count, size = e.get(SiteRow, "ranges", site), e.get(SiteRow, "count", site), ctypes.sizeof(RangeRow)
    e.each_row("looked", rows, count, size, look)
    e.only_if(e.is_set(e.load(known)), python)
    e.each_row("ranges", rows, count, size, run)
    with e.when(e.is_set(e.load(begun))):
        dirty = e.dirty(~GENERAL_REGISTERS)
        closed = e.convert("zext", e.is_clear(e.load(e.word("counter", CEILING))), I64)
        left = e.op("or", e.op("or", dirty, closed), e.op("or", e.own("short"), e.own("over")))
        with e.when(e.is_set(left)):
            e.give(Value(I32, str(TOLD)))


def _address(e: _Writer, site: Value) -> Value:
    """Where the operand lies. A part that is not there points to a cell that is 0."""
    base = e.load(e.get(SiteRow, "base", site))
    index = e.op("mul", e.load(e.get(SiteRow, "index", site)), e.get(SiteRow, "scale", site))
    return e.op("add", e.op("add", base, index), e.get(SiteRow, "displacement", site))


def _begin_step(e: _Writer, rip: Value, executed: Value) -> None:
    """As SingleStep.begin."""
    e.store(number(0), e.word("translation", WATCHED_RIGHT))
    e.store(number(0), e.word("translation", WATCHING))
    e.store(executed, e.word("counter", EXECUTED))
    e.finish_block()
    e.put(AccessState, "ceiling", e.access, e.load(e.word("counter", CEILING)))
    e.store(e.op("add", executed, number(1)), e.word("counter", CEILING))
    e.transfer_one("read_one", _dr6(e), "debug_status")
    e.put(AccessState, "flags", e.access, e.op("or", e.own_word("flags"), number(TRAP_FLAG)))
    e.transfer_one("write_one", _FLAGS, "flags")
    e.store(number(TRAP_FLAG), e.own_word("hidden_flags_at"))
    e.put(AccessState, "stepped", e.access, rip)
    e.put(AccessState, "active", e.access, number(1))


def _on_step(e: _StepWriter) -> None:
    """As SingleStep.end, behind the instruction."""
    vector = e.convert("zext", e.parameters[1], I64)
    is_step = e.op("and", e.compare("eq", vector, number(Vector.DB)), e.is_set(e.own_word("active")))
    with e.when(e.opposite(is_step)):
        e.call(e.own_word("in_python").text, _ON_STEP, list(e.parameters))
        e.give()
    e.put(AccessState, "active", e.access, number(0))
    e.transfer_one("read_one", _FLAGS, "flags")
    e.put(AccessState, "flags", e.access, e.op("and", e.own_word("flags"), number(~TRAP_FLAG)))
    e.transfer_one("write_one", _FLAGS, "flags")
    e.transfer_one("write_one", _dr6(e), "debug_status")
    e.store(number(0), e.own_word("hidden_flags_at"))
    e.store(number(_ALL), e.word("translation", WATCHING))
    e.finish_block()
    with e.when(e.is_set(e.load(e.word("counter", CEILING)))):
        e.store(e.own_word("ceiling"), e.word("counter", CEILING))
    e.control(FLUSH_TLB)
    e.give()


def _dr6(e: _Writer) -> Value:
    return e.convert("trunc", e.own_word("dr6"), I32)


# --- Python's part


class CarriedAccesses:
    """The watched accesses of one process; a `machine.processor.AccessCarrier`."""

    def __init__(self, process: Process, hook: HookState, pour: Callable[[], None], linked: dict[str, str]) -> None:
        """For a CPU with a window. `pour` has the RegisterFile show what scripts have written; `linked` has the symbols
        of the functions that hooks share.
        """
        cpu = process.cpu
        assert cpu.window is not None
        machine_code = code(tuple(linked.items()))
        self.was_told = False
        self._cpu = cpu
        self._general = cpu.window.general
        self._engine = cpu.engine_address
        self._hook_state, self._hook, self._pour = hook, ctypes.addressof(hook), pour
        self._start = _START_FUNCTION(machine_code.address("on_access"))
        self._sites = (SiteRow * SITES)()
        self._ranges: list[object] = []
        self._nothing = ctypes.c_uint64()
        self.state = AccessState(
            sites=ctypes.addressof(self._sites),
            translation=cpu.tlb.words_address,
            counter=cpu.block_counter,
            rip_at=cpu.window.rip,
            changes_at=cpu.code.changes_address,
            hidden_flags_at=cpu.registers.hidden_flags_address,
            dr6=PLAIN_IDS[STORAGE_INDEX["dr6"]],
            start=function_address("uc_emu_start"),
            control=function_address("uc_ctl"),
            read_one=function_address("uc_reg_read"),
            write_one=function_address("uc_reg_write"),
        )
        self._address = ctypes.addressof(self.state)
        self.state.in_python = cpu.carry_accesses(self, machine_code.address("on_step"), self._address)
        cpu.memory.on_taken.append(self.forget)

    def forget(self) -> None:
        """What was learned is not so any more."""
        if self._ranges:
            self._ranges.clear()
            ctypes.memset(ctypes.addressof(self._sites), 0, ctypes.sizeof(self._sites))

    def learn(self, rip: int, operand: memory_operands.PlainOperand, ranges: Sequence[Range]) -> None:
        """Deal with an instruction here from now on: its accesses are compared with these ranges, in this order."""
        cpu, frame, left = self._cpu, self._cpu.memory.frame_at(rip), self._cpu.block_at(rip)
        if frame is None or left is None or rip % PAGE > PAGE - _CODE_BYTES or cpu.address_hooks.is_hooked(rip):
            return
        rows = (RangeRow * len(ranges))(*(RangeRow(*each) for each in ranges))
        code_at = cpu.memory.physical.host_address + frame * PAGE + rip % PAGE
        code = (ctypes.c_uint64 * 2).from_address(code_at)
        site = self._sites[rip % SITES]
        site.code[0], site.code[1] = code[0], code[1]
        site.code_at, site.changes = code_at, cpu.code.changes
        site.block, site.shape, site.rest = left
        site.base, site.index = (self._register(each) for each in (operand.base, operand.scaled))
        site.scale, site.displacement = operand.scale, operand.displacement & WORD_MASK
        site.ranges, site.count, site.rip = ctypes.addressof(rows), len(rows), rip
        self._ranges.append(rows)
        if len(self._ranges) > _MOST_LEARNED:
            self.forget()

    def _register(self, storage: int | None) -> int:
        return ctypes.addressof(self._nothing) if storage is None else self._general + CELL * storage

    # --- machine.processor.AccessCarrier

    def start(self, begin: int, until: int) -> int:
        """As `Engine.start`."""
        status: int = self._start(self._engine, self._hook, self._address, begin, until)
        self.was_told = status == TOLD
        return EXCEPTION_STATUS if self.was_told else status

    def decide(self, rip: int) -> Due | None:
        """What the pre stage comes to that machine code has run: as Monitors has it."""
        self.was_told = False
        self._pour()
        registers = self._cpu.registers
        if registers.read(RIP) != rip:
            return None
        if self._hook_state.short:
            registers.write(RIP, rip + self._cpu.length_at(rip))
            return None
        return Due(rip)

    def given_back(self) -> tuple[int, int, int] | None:
        """The instruction that is executed alone, the ceiling and DR6 behind it."""
        state = self.state
        if not state.active:
            return None
        state.active = 0
        return state.stepped, state.ceiling, state.debug_status
