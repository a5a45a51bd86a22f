"""The trigger protocol of `machine.events.dispatch` as machine code, for the hooks of `machine.native.hooks`.

    void stage(engine, HookState*, rows, count, stage, context*)

walks the events of one stage: filters, condition, short-circuit default, actions. Scripts are called, blocks run in
the sandbox by `block`; whatever has no native form is Python's, at the point where it is due.
"""

from __future__ import annotations

import ctypes
import time

from machine.events import EventCells
from machine.native.tables import (
    GENERAL_REGISTERS,
    R8,
    RCX,
    RDX,
    RSP,
    ActionRow,
    EventRow,
    HookedAddress,
    HookState,
    Mark,
    Marks,
)
from machine.native.writer import ONE, HookWriter, nothing
from machine.processor import CEILING, EXECUTED, GS_BASE_ID, RFLAGS_ID, UNREAD_FLAGS
from machine.root import GUEST_REGS, BlockRow, RootState
from vm.facts.registers import GENERAL, RFLAGS, RIP
from vm.native import CELL, I1, I32, I64, NULL, POINTER, Block, Context, DirectAccess, Module, Signature, Value, number

FETCH = nothing(POINTER, POINTER, I64)
STAGE = nothing(POINTER, POINTER, POINTER, I64, I64, POINTER)
FAULT = nothing(POINTER, POINTER, POINTER, I64, I32)
_BLOCK = Signature(I64, (POINTER, POINTER, POINTER, I64, I64, I64, I64, I64))
_RUN = Signature(I32, (POINTER,))
_READ_FLAGS = Signature(I64, (POINTER,))
_ACT = nothing(I64, I64)
_SETTLE = nothing(I64, I64, I32)
_FINISH = Signature(I64, (I64, I64, I32))
_START = Signature(I32, (POINTER, I64, I64, I64, I64))
_READ_CLOCK = Signature(I32, (I32, POINTER))
_RESTORE = Signature(I32, (POINTER, POINTER))
_MEMCPY, _MEMCPY_NAME = nothing(POINTER, POINTER, I64, I1), "llvm.memcpy.p0.p0.i64"
_MEMSET, _MEMSET_NAME = nothing(POINTER, "i8", I64, I1), "llvm.memset.p0.i64"

CONDITION = (1 << 64) - 1  # in place of the index of an action
_GENERAL_BYTES = CELL * len(GENERAL)


def define(module: Module) -> None:
    """Add the functions of the protocol to a module."""
    define_registers(module)
    _block(HookWriter(module, "block", _BLOCK))
    _stage(HookWriter(module, "stage", STAGE))
    _settle_lone(HookWriter(module, "settle_lone", FAULT))


# --- registers


def define_registers(module: Module) -> None:
    """Add what reads registers to a module."""
    _fetch(HookWriter(module, "fetch", FETCH))


def begin(e: HookWriter, rip: Value, hooked: Value = NULL) -> None:
    """Start a trigger at this RIP: general registers at hand, nothing written. `hooked` is the HookedAddress of one."""
    e.set_own("rip", rip)
    e.set_own("hooked", hooked)
    for name in ("short", "python", "over"):
        e.set_own(name, number(0))
    e.set_own("bits", number(-1))
    e.put(DirectAccess, "registers", e.direct, rip, RIP)
    e.put(DirectAccess, "readable", e.direct, number(GENERAL_REGISTERS | 1 << RIP))
    e.put(DirectAccess, "dirty", e.direct, number(0))


def flags(e: HookWriter) -> Value:
    """RFLAGS, which are fetched where they were neither read nor written in this trigger."""
    known = e.op("and", e.get(DirectAccess, "readable", e.direct), number(1 << RFLAGS))
    with e.when(e.is_clear(known)):
        read = e.own("read_flags")
        at_hand = e.compare("ne", read, NULL)
        with e.when(at_hand):
            most = e.call(read.text, _READ_FLAGS, [e.get(DirectAccess, "general", e.direct)])
            rest = e.op("and", e.load(e.own("eflags_at")), number(UNREAD_FLAGS))
            _take_flags(e, e.op("or", most, rest))
            e.add_registers(number(1 << RFLAGS), "readable")
        with e.when(e.opposite(at_hand)):
            e.use("fetch", FETCH, number(1 << RFLAGS))
    return e.register(RFLAGS)


def _take_flags(e: HookWriter, flags: Value) -> None:
    seen = e.op("xor", e.load(e.own("hidden_flags_at")), number(-1))
    e.store(e.op("and", flags, seen), e.register_place(RFLAGS))


def _fetch(e: HookWriter) -> None:
    """Read the registers of a mask that were neither read nor written in this trigger."""
    known = e.get(DirectAccess, "readable", e.direct)
    missing = e.op("and", e.parameters[2], e.op("xor", known, number(-1)))

    def one(storage: Value) -> None:
        cell = e.at(e.place(DirectAccess, "registers", e.direct), e.op("shl", storage, number(3)))
        e.ask("read_one", ONE, e.engine, e.id_of(storage), cell)

    with e.when(e.is_set(missing)):
        e.each_register(missing, one)
        with e.when(e.is_set(e.op("and", missing, number(1 << RFLAGS)))):
            _take_flags(e, e.register(RFLAGS))
        e.add_registers(missing, "readable")
    e.give()


# --- events


def _begin_stage(e: HookWriter, stage: Value) -> None:
    e.set_own("stage", stage)
    e.put(DirectAccess, "short_ready", e.direct, e.op("xor", stage, number(1)))
    e.set_pseudo("event_stage", stage)
    e.set_pseudo("ip", e.register(RIP))
    e.set_pseudo("core", e.own("core"))


def _begin_event(e: HookWriter, row: Value) -> None:
    e.set_pseudo("event_id", e.get(EventRow, "id", row))
    e.set_pseudo("event_tag", e.get(EventRow, "tag", row))


def _stage(e: HookWriter) -> None:
    _, _, rows, count, stage, context = e.parameters
    e.kept("read_clock")
    _begin_stage(e, stage)

    def one(place: Value) -> None:
        row = e.load(place, POINTER)
        event = e.get(EventRow, "event", row)
        with e.when(e.is_set(e.get(EventCells, "enabled", event))):
            same_core = e.compare("eq", e.get(EventRow, "core", row), e.own("core"))
            with e.when(e.op("or", same_core, e.is_set(e.get(EventRow, "any_core", row)))):
                _matching_core(e, row, event, e.load(context))

    e.each_row("rows", rows, count, CELL, one)
    e.give()


def run_lone(e: HookWriter, row: Value, context: Value) -> None:
    """What `stage` does where all that can happen is a run of one script: its trigger is told to Python if it stops."""
    with e.when(e.is_set(e.get(EventCells, "enabled", e.get(EventRow, "event", row)))):
        now = e.load(context)
        with e.when(_is_number(e, row, now)):
            run = e.get(ActionRow, "context", action := e.get(EventRow, "actions", row))
            status = e.call(e.get(ActionRow, "entry", action).text, _RUN, [run])
            e.count_up(e.place(EventRow, "triggers", row))
            e.add_to(e.place(EventRow, "fuel", row), e.get(Context, "steps", run))
            with e.when(e.compare("ne", status, Value(I32, "0"))):
                e.use("settle_lone", FAULT, row, now, status)


def _settle_lone(e: HookWriter) -> None:
    _, _, row, context, status = e.parameters
    _begin_stage(e, number(0))
    e.set_pseudo("context", context)
    e.put(DirectAccess, "short", e.direct, number(0))
    _begin_event(e, row)
    e.set_pseudo("buffer", e.get(ActionRow, "buffer", e.get(EventRow, "actions", row)))
    e.ask_python("settle", _SETTLE, e.get(EventRow, "id", row), number(0), status)
    e.set_own("short", e.get(DirectAccess, "short", e.direct))
    e.give()


def _is_number(e: HookWriter, row: Value, context: Value) -> Value:
    same = e.compare("eq", e.get(EventRow, "number", row), context)
    return e.op("or", same, e.is_set(e.get(EventRow, "any_number", row)))


def _matching_core(e: HookWriter, row: Value, event: Value, context: Value) -> None:
    meant = _is_number(e, row, context)
    with e.when(e.op("and", meant, e.is_set(e.op("and", e.get(EventRow, "mask", row), e.own("bits"))))):
        e.set_pseudo("context", context)
        e.put(DirectAccess, "short", e.direct, e.get(EventRow, "short_circuit", row))
        measured, began = e.compare("ne", e.kept("read_clock"), NULL), e.cell("began")
        with e.when(measured):
            e.store(_now(e), began)
        with e.when(_condition(e, row, context)):
            e.count_up(e.place(EventRow, "triggers", row))
            _begin_event(e, row)
            index = e.cell("index")
            e.store(number(0), index)

            def one(action: Value) -> None:
                _action(e, row, action, e.load(index), context)
                e.count_up(index)

            first, count = e.get(EventRow, "actions", row), e.get(EventRow, "action_count", row)
            e.each_row("actions", first, count, ctypes.sizeof(ActionRow), one)
            e.set_own("short", e.op("or", e.own("short"), e.get(DirectAccess, "short", e.direct)))
        with e.when(measured):
            e.add_to(e.place(EventRow, "time_ns", row), e.op("sub", _now(e), e.load(began)))
        _leave_if_over(e)


def _now(e: HookWriter) -> Value:
    """The real time in nanoseconds, from some start."""
    moment = e.place(HookState, "moment", e.state)
    e.call(e.kept("read_clock").text, _READ_CLOCK, [Value(I32, str(time.CLOCK_MONOTONIC)), moment])
    seconds, nanoseconds = e.load(moment), e.load(e.at(moment, CELL))
    return e.op("add", e.op("mul", seconds, number(1_000_000_000)), nanoseconds)


def _condition(e: HookWriter, row: Value, context: Value) -> Value:
    """Whether the event does something at this trigger."""
    holds, block, identity = e.cell("holds"), e.get(EventRow, "condition", row), e.get(EventRow, "id", row)
    e.store(number(1), holds)
    with e.when(e.compare("ne", block, NULL)):
        value = e.use("block", _BLOCK, block, identity, number(-1), number(GUEST_REGS), context, number(0))
        e.store(value, holds)
        rejected = e.convert("zext", e.compare("eq", value, number(0)), I64)
        e.add_to(e.place(EventRow, "rejections", row), rejected)
    return e.is_set(e.load(holds))


def _action(e: HookWriter, row: Value, action: Value, index: Value, context: Value) -> None:
    python, after = e.new_block("python"), e.new_block("done")
    identity, buffer = e.get(EventRow, "id", row), e.get(ActionRow, "buffer", action)
    e.set_pseudo("buffer", buffer)
    entry = e.get(ActionRow, "entry", action)
    with e.when(e.compare("ne", entry, NULL)):
        _script(e, row, action, entry, index)
        e.jump(after)
    block = e.get(ActionRow, "block", action)
    with e.when(e.compare("eq", block, NULL)):
        e.jump(python)
    e.use("block", _BLOCK, block, identity, index, buffer, number(GUEST_REGS), context)
    e.jump(after)
    e.block = python
    e.ask_beside("act", _ACT, identity, index)
    e.jump(after)
    e.block = after
    _leave_if_over(e)


def _script(e: HookWriter, row: Value, action: Value, entry: Value, index: Value) -> None:
    with e.when(e.is_set(e.load(e.get(ActionRow, "before", action)))):
        e.ask_python("settle", _SETTLE, e.get(EventRow, "id", row), index, Value(I32, "0"))
    fetched = e.get(ActionRow, "registers", action)
    with e.when(e.is_set(fetched)):
        e.use("fetch", FETCH, fetched)
    run = e.get(ActionRow, "context", action)
    status = e.call(entry.text, _RUN, [run])
    e.add_to(e.place(EventRow, "fuel", row), e.get(Context, "steps", run))
    e.add_registers(e.get(DirectAccess, "dirty", e.direct), "readable")
    marks = e.get(ActionRow, "marks", action)
    sends, settle, after = e.new_block("sends"), e.new_block("settle"), e.new_block("sent")
    with e.when(e.compare("ne", status, Value(I32, "0"))):
        e.jump(settle)
    with e.when(e.compare("ne", marks, NULL)):
        e.jump(sends)
    e.jump(after)
    e.block = sends
    sent = e.load(e.get(Marks, "ring", marks))
    with e.when(e.compare("eq", sent, e.get(Marks, "end", marks))):
        e.jump(after)
    _mark(e, row, marks, sent, settle)
    e.jump(after)
    e.block = settle
    e.ask_python("settle", _SETTLE, e.get(EventRow, "id", row), index, status)
    e.jump(after)
    e.block = after


def _mark(e: HookWriter, row: Value, marks: Value, sent: Value, settle: Block) -> None:
    """Note which trigger the messages up to here are of, where there is room and the time is known."""
    used = e.get(Marks, "used", marks)
    e.only_if(e.compare("ult", used, e.get(Marks, "capacity", marks)), settle)
    counter = e.own("counter")
    executed, rest = e.load(e.at(counter, CELL * EXECUTED)), e.cell("rest")
    e.store(number(0), rest)
    hooked = e.own("hooked")
    with e.when(e.compare("ne", hooked, NULL)):
        e.only_if_block_is_known(hooked, settle)
        e.store(e.get(HookedAddress, "rest", hooked), rest)
    clock = e.own("clock")
    added = e.op("add", e.load(clock), e.load(e.at(clock, CELL)))
    mark = e.at(e.get(Marks, "rows", marks), e.op("mul", used, number(ctypes.sizeof(Mark))))
    for name, value in (
        ("end", sent),
        ("event", e.get(EventRow, "id", row)),
        ("stage", e.own("stage")),
        ("pointer", e.pseudo("ip")),
        ("thread", e.pseudo("tid")),
        ("ticks", e.op("add", e.op("sub", executed, e.load(rest)), added)),
    ):
        e.put(Mark, name, mark, value)
    e.put(Mark, "state", mark, e.state)
    e.put(Marks, "end", marks, sent)
    e.count_up(e.place(Marks, "used", marks))


def _leave_if_over(e: HookWriter) -> None:
    with e.when(e.is_set(e.own("over"))):
        e.give()


# --- blocks


def _block(e: HookWriter) -> None:
    """Run a block in the sandbox with three arguments; its rax, 0 when it stopped early."""
    _, _, block, identity, index, *arguments = e.parameters
    name, root = e.get(BlockRow, "number", block), e.get(BlockRow, "root", block)
    python, ready, nothing_yet = e.new_block("python"), e.new_block("ready"), Value(I32, "0")
    with e.when(e.is_clear(name)):
        e.jump(python)
    other_block = e.compare("ne", e.get(RootState, "block", root), name)
    other_process = e.compare("ne", e.get(RootState, "token", root), e.own("token"))
    with e.when(e.op("or", other_block, other_process)):
        e.ask_python("enter", _FINISH, identity, index, nothing_yet)
        with e.when(e.is_set(e.own("over"))):
            e.give(number(0))
        with e.when(e.compare("eq", e.get(RootState, "general", root), NULL)):
            e.jump(python)
    e.jump(ready)
    e.block = python
    e.give(e.ask_python("block_in_python", _FINISH, identity, index, nothing_yet))
    e.block = ready
    _run_block(e, root, identity, index, arguments)


def _run_block(e: HookWriter, root: Value, identity: Value, index: Value, arguments: list[Value]) -> None:
    """Run the block that a processor is ready for."""
    guest = e.get(DirectAccess, "general", e.direct)
    regs = e.get(RootState, "guest_regs_at", root)
    _clear_stack(e, root)
    _copy(e, regs, guest)
    engine = e.get(RootState, "engine", root)
    _make_clean(e, root, engine)
    general = _set_arguments(e, root, engine, arguments)
    counter = e.get(RootState, "counter", root)
    ceiling = e.op("add", e.load(e.at(counter, CELL * EXECUTED)), e.get(RootState, "budget", root))
    e.store(ceiling, e.at(counter, CELL * CEILING))
    status = _call(e, root, "start", _START, engine, e.get(RootState, "begin", root), number(0), number(0), number(0))
    rip, left = e.load(e.get(RootState, "rip", root)), e.get(RootState, "left", root)
    elsewhere = e.convert("zext", e.compare("ne", rip, left), I64)
    with e.when(e.is_set(e.op("or", elsewhere, e.get(RootState, "attention", root)))):
        returned = e.ask_python("finish", _FINISH, identity, index, status)
        with e.when(e.is_clear(returned)):
            e.give(number(0))
    value = e.load(general)
    _copy(e, guest, regs)
    e.give(value)


def _clear_stack(e: HookWriter, root: Value) -> None:
    size = e.get(RootState, "clear_bytes", root)
    with e.when(e.is_set(size)):
        _fill(e, e.get(RootState, "clear_at", root), size)


def _make_clean(e: HookWriter, root: Value, engine: Value) -> None:
    """Undo what blocks have done to more than general registers and flags."""
    with e.when(e.is_set(e.get(RootState, "restore", root))):
        _call(e, root, "restore_context", _RESTORE, engine, e.get(RootState, "clean", root))
        place = e.place(HookState, "processor_block", e.state)
        _call(e, root, "write_one", ONE, engine, Value(I32, str(GS_BASE_ID)), place)
        e.put(RootState, "restore", root, number(0))


def _set_arguments(e: HookWriter, root: Value, engine: Value, arguments: list[Value]) -> Value:
    general = e.get(RootState, "general", root)
    _fill(e, general, number(_GENERAL_BYTES))
    for storage, value in zip((RCX, RDX, R8), arguments, strict=True):
        e.store(value, e.at(general, CELL * storage))
    e.store(e.get(RootState, "stack_pointer", root), e.at(general, CELL * RSP))
    e.store(e.get(RootState, "leave", root), e.get(RootState, "stack_top", root))
    place = e.place(RootState, "flags", root)
    _call(e, root, "write_one", ONE, engine, Value(I32, str(RFLAGS_ID)), place)
    return general


def _call(e: HookWriter, root: Value, name: str, signature: Signature, *arguments: Value) -> Value:
    return e.call(e.get(RootState, name, root).text, signature, arguments)


def _copy(e: HookWriter, to: Value, source: Value) -> None:
    """Copy the general registers."""
    signature = e.module.declared.setdefault(_MEMCPY_NAME, _MEMCPY)
    e.call(_MEMCPY_NAME, signature, [to, source, number(_GENERAL_BYTES), Value(I1, "false")])


def _fill(e: HookWriter, at: Value, size: Value) -> None:
    """Zero bytes."""
    signature = e.module.declared.setdefault(_MEMSET_NAME, _MEMSET)
    e.call(_MEMSET_NAME, signature, [at, Value("i8", "0"), size, Value(I1, "false")])
