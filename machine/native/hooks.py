"""The hooks of SYSCALL, SYSRET and hooked addresses as machine code.

    void on_plain_syscall(engine, HookState*), for a process that no event of the family waits in
    void on_syscall(engine, HookState*)
    bool on_undefined(engine, HookState*)
    void on_execution(engine, address, size, HookedAddress*)

Each walks the events of the process by `machine.native.protocol` and does what the operation comes to; SYSCALL and
SYSRET as `machine.system_call` has them. General registers are the processor's own throughout; the others live in the
cells of the DirectAccess, and are written to the processor at the end of a trigger.
"""

from __future__ import annotations

import ctypes
from functools import cache

from machine.cpu import PHYSICAL_MASK, SYSCALL_LENGTH
from machine.events.syscall import SYSRET_BYTES, WayBack
from machine.native import protocol
from machine.native.protocol import FETCH, STAGE
from machine.native.tables import (
    ANSWERS,
    CS,
    FLAGS_AND_SELECTORS,
    GENERAL_REGISTERS,
    R11,
    RAX,
    RCX,
    SS,
    AnswerRow,
    EventTable,
    HookedAddress,
    HookState,
)
from machine.native.writer import BATCH, ONE, HookWriter, nothing
from machine.system_call import RETURNED_FLAG, RPL, SYSCALL_DROPS, SYSRET_DROPS, SYSRET_LENGTH
from vm.native.access import DirectAccess
from vm.native.emitter import I1, I32, I64, NO, POINTER, YES, Block, Module, Signature, Value, number
from vm.native.jit import MachineCode, compile_text
from vm.native.layout import CELL
from vm.registers import GENERAL, RFLAGS, RIP

_HOOK = nothing(POINTER, POINTER)
_UNDEFINED_HOOK = Signature("zeroext i1", (POINTER, POINTER))
_EXECUTION_HOOK = nothing(POINTER, I64, I32, POINTER)
_READ_MEMORY = Signature(I32, (POINTER, I64, POINTER, I64))
_SELECTOR_MASK = 0xFFFF
_SYSRET_WORD = int.from_bytes(SYSRET_BYTES, "little")


@cache
def plain() -> MachineCode:
    """The first of the hooks, which is compiled in a fraction of the time that the others take."""
    return compile_text(llvm_text_of_plain())


@cache
def compiled() -> MachineCode:
    """The other three."""
    return compile_text(llvm_text())


def address(name: str) -> int:
    """The address of one of the hooks; what it needs is compiled once in a process."""
    return (plain() if name == "on_plain_syscall" else compiled()).address(name)


def llvm_text_of_plain() -> str:
    """The first hook as LLVM IR."""
    module = Module()
    protocol.define_registers(module)
    _define_shared(module)
    _on_plain_syscall(HookWriter(module, "on_plain_syscall", _HOOK, internal=False))
    return str(module)


def _define_shared(module: Module) -> None:
    _write_back(HookWriter(module, "write_back", _HOOK))
    _prepare(HookWriter(module, "prepare", _HOOK))


def llvm_text() -> str:
    """The other hooks as LLVM IR."""
    module = Module()
    protocol.define(module)
    _define_shared(module)
    _on_syscall(HookWriter(module, "on_syscall", _HOOK, internal=False))
    _on_undefined(HookWriter(module, "on_undefined", _UNDEFINED_HOOK, internal=False))
    _on_execution(_ExecutionWriter(module, "on_execution", _EXECUTION_HOOK, internal=False))
    return str(module)


# --- SYSCALL


def _on_plain_syscall(e: HookWriter) -> None:
    e.use("prepare", _HOOK)
    _plain_call(e, e.op("add", e.register(RIP), number(SYSCALL_LENGTH)))


def _on_syscall(e: HookWriter) -> None:
    table = e.own("syscalls")
    post, post_count = e.get(EventTable, "post", table), e.get(EventTable, "post_count", table)
    e.use("prepare", _HOOK)
    rip = e.register(RIP)
    with e.when(e.is_set(e.op("and", rip, e.own("guess_bits")))):
        e.ask("syscall_in_python", _HOOK, e.engine, e.state)
        e.give()
    behind = e.op("add", rip, number(SYSCALL_LENGTH))
    rax = e.register_place(RAX)
    with e.when(_has(e, table, "pre")):
        _walk(e, table, "pre", rax)
        with e.when(e.compare("ne", e.register(RIP), rip)):
            _finish_syscall(e, behind)
        with e.when(e.is_set(e.own("short"))):
            e.set_register(RIP, behind)
            _finish_syscall(e, behind)
    at_once = e.compare("ne", e.own("way_back"), number(WayBack.BY_SYSRET))
    with e.when(e.op("and", e.is_clear(post_count), at_once)):
        _plain_call(e, behind)
    _enter_kernel(e, behind)
    entered = e.register(RIP)
    e.use("stage", STAGE, post, post_count, number(1), rax)
    _leave_if_over(e)
    with e.when(e.compare("ne", e.register(RIP), entered)):
        _finish_syscall(e, behind)
    _complete(e, behind)


def _plain_call(e: HookWriter, behind: Value) -> None:
    """SYSCALL, the model's answer and SYSRET in one (machine.system_call.pass_through), or Python."""
    python, unknown = e.new_block("python"), e.new_block("answer")
    _read_again(e)
    _only_if(e, e.compare("eq", e.own("way_back"), number(WayBack.AT_ONCE)), python)
    _only_if(e, e.is_clear(e.dirty(FLAGS_AND_SELECTORS)), python)
    flags = _flags(e)
    selectors = e.op("lshr", _word_at(e, "star_at"), number(48))
    _only_if(e, e.compare("eq", _word_at(e, "lstar_at"), e.own("entry")), python)
    _only_if(e, e.compare("eq", flags, _returned(e, flags)), python)
    _only_if(e, e.compare("eq", _selector_at(e, "cs_at"), _selector(e, selectors, 16)), python)
    _only_if(e, e.compare("eq", _selector_at(e, "ss_at"), _selector(e, selectors, 8)), python)
    e.set_register(RCX, behind)
    e.set_register(R11, flags)
    _give_answer(e, _default_answer(e, unknown))
    with e.if_copied():
        e.transfer("write_batch", len(GENERAL))
    e.give()

    e.block = unknown
    e.ask_python("answer", nothing())
    _leave_if_over(e)
    elsewhere = e.compare("ne", e.register(RCX), behind)
    otherwise = e.compare("ne", e.register(R11), flags)
    with e.when(e.op("or", e.op("or", elsewhere, otherwise), e.is_set(e.dirty(~GENERAL_REGISTERS)))):
        _return_to_user(e)
        _finish_syscall(e, behind)
    e.give()

    e.block = python
    _do_in_python(e, "perform")


def _complete(e: HookWriter, behind: Value) -> None:
    """Behind the post stage: the answer, and the way back."""
    python = e.new_block("python")
    _only_if(e, e.is_set(e.own("way_back")), python)
    _only_if(e, e.compare("eq", e.register(RIP), e.own("entry")), python)
    answer = _default_answer(e, python)
    _give_answer(e, answer)
    with e.when(e.compare("eq", e.own("way_back"), number(WayBack.BY_SYSRET))):
        e.set_register(RIP, e.own("sysret"))
        _finish_syscall(e, behind)
    _return_to_user(e)
    _finish_syscall(e, behind)

    e.block = python
    _do_in_python(e, "complete")


def _do_in_python(e: HookWriter, name: str) -> None:
    """The rest of the trigger is Python's."""
    with e.if_copied():
        e.transfer("write_batch", len(GENERAL))
    e.ask(name, nothing())
    e.give()


def _default_answer(e: HookWriter, otherwise: Block) -> Value:
    """The AnswerRow of the call, if machine code may give the answer."""
    call = e.register(RAX)
    _only_if(e, e.compare("ult", call, number(ANSWERS)), otherwise)
    answer = e.at(e.own("answers"), e.op("mul", call, number(ctypes.sizeof(AnswerRow))))
    _only_if(e, e.is_set(e.get(AnswerRow, "known", answer)), otherwise)
    return answer


def _give_answer(e: HookWriter, answer: Value) -> None:
    e.count_up(e.place(AnswerRow, "count", answer))
    e.set_register(RAX, e.get(AnswerRow, "value", answer))


def _finish_syscall(e: HookWriter, behind: Value) -> None:
    """Let the guest go on at RIP; Unicorn adds the length of the instruction."""
    target = e.register(RIP)
    with e.when(e.compare("ne", target, behind)):
        cell = e.register_place(RIP)
        e.store(e.op("sub", target, number(SYSCALL_LENGTH)), cell)
        e.ask("write_one", ONE, e.engine, e.id_of(RIP), cell)
    e.use("write_back", _HOOK)
    e.give()


# --- SYSRET


def _on_undefined(e: HookWriter) -> None:
    """An undefined instruction; true when it was a SYSRET of ours and the guest goes on."""
    python, ours = e.new_block("python"), e.new_block("ours")
    rip = e.load(e.own("rip_at"))
    guess_bits = e.own("guess_bits")
    agrees = e.op("or", e.is_clear(guess_bits), e.is_set(e.op("and", rip, guess_bits)))
    _only_if(e, agrees, python)
    _only_if(e, e.is_set(e.own("intercepted")), python)
    _only_if(e, e.is_clear(e.own("copied")), python)
    code = e.cell("code")
    e.store(number(0), code)
    physical = e.op("and", rip, number(PHYSICAL_MASK))
    status = e.ask("read_memory", _READ_MEMORY, e.engine, physical, code, number(SYSRET_LENGTH))
    _only_if(e, e.compare("eq", status, Value(I32, "0")), python)
    e.branch(e.compare("eq", e.load(code), number(_SYSRET_WORD)), ours, python)

    e.block = python
    e.give(e.ask("sysret_in_python", Signature(I1, (POINTER, POINTER)), e.engine, e.state))

    e.block = ours
    _sysret(e)


def _sysret(e: HookWriter) -> None:
    table = e.own("sysrets")
    post, post_count = e.get(EventTable, "post", table), e.get(EventTable, "post_count", table)
    e.use("prepare", _HOOK)
    rip = e.register(RIP)
    context = e.place(HookState, "context", e.state)
    e.store(rip, context)
    with e.when(_has(e, table, "pre")):
        _walk(e, table, "pre", context, NO)
        with e.when(e.compare("ne", e.register(RIP), rip)):
            _finish_sysret(e)
        with e.when(e.is_set(e.own("short"))):
            e.set_register(RIP, e.op("add", rip, number(SYSRET_LENGTH)))
            _finish_sysret(e)
    _return_to_user(e)
    entered = e.register(RIP)
    with e.when(e.is_set(post_count)):
        e.use("stage", STAGE, post, post_count, number(1), context)
        _leave_if_over(e, NO)
        with e.when(e.compare("ne", e.register(RIP), entered)):
            _finish_sysret(e)
    with e.when(e.is_set(e.own("someone_waits"))):
        e.ask_python("done", nothing())
    _finish_sysret(e)


def _finish_sysret(e: HookWriter) -> None:
    e.ask("write_one", ONE, e.engine, e.id_of(RIP), e.register_place(RIP))
    e.use("write_back", _HOOK)
    e.give(YES)


# --- hooked addresses


class _ExecutionWriter(HookWriter):
    """The hook of an address, whose last parameter leads to the HookState."""

    def __init__(self, module: Module, name: str, signature: Signature, internal: bool) -> None:
        super().__init__(module, name, signature, internal)
        self.hooked = self.parameters[3]
        self.state = self.get(HookedAddress, "state", self.hooked)


def _on_execution(e: _ExecutionWriter) -> None:
    _, address, size, hooked = e.parameters
    with e.when(e.is_set(e.load(e.get(HookedAddress, "anew", hooked)))):
        _whole_execution_in_python(e, address, size)
    with e.if_copied():
        e.transfer("read_batch", len(GENERAL) + 1)
    with e.when(e.compare("ne", e.load(e.own("rip_at")), address)):
        e.give()  # another hook of this address has moved it
    table = e.get(HookedAddress, "events", hooked)
    protocol.begin(e, address)
    e.set_own("changes", e.load(e.get(HookedAddress, "changes", hooked)))
    _walk(e, table, "pre", e.place(HookedAddress, "address", hooked))
    written = e.dirty(~GENERAL_REGISTERS)
    with e.when(e.is_set(e.op("or", written, e.own("python")))):
        with e.if_copied():
            e.transfer("write_batch", len(GENERAL))
        e.call(e.get(HookedAddress, "moved", hooked).text, nothing(), [])
        e.give()
    with e.if_copied():
        e.transfer("write_batch", len(GENERAL))
    e.give()


def _whole_execution_in_python(e: _ExecutionWriter, address: Value, size: Value) -> None:
    target = e.get(HookedAddress, "in_python", e.hooked)
    e.call(target.text, _EXECUTION_HOOK, [e.engine, address, size, e.hooked])
    e.give()


# --- what they share


def _prepare(e: HookWriter) -> None:
    """What each system call begins with."""
    with e.if_copied():
        e.transfer("read_batch", len(GENERAL) + _OTHER_COPIES)
    protocol.begin(e, e.load(e.own("rip_at")))
    e.give()


_OTHER_COPIES = 6  # rip, cs, ss, STAR, LSTAR, FMASK


def _read_again(e: HookWriter) -> None:
    """Copies of selectors and MSRs follow what Python has let happen to them."""
    with e.if_copied(), e.when(e.is_set(e.own("python"))):
        ids, cells = (e.at(e.own(f"copy_{name}"), size * len(GENERAL)) for name, size in (("ids", 4), ("cells", CELL)))
        e.ask("read_batch", BATCH, e.engine, ids, cells, Value(I32, str(_OTHER_COPIES)))


def _has(e: HookWriter, table: Value, stage: str) -> Value:
    return e.is_set(e.get(EventTable, f"{stage}_count", table))


def _walk(e: HookWriter, table: Value, stage: str, context: Value, *if_over: Value) -> None:
    rows, count = e.get(EventTable, stage, table), e.get(EventTable, f"{stage}_count", table)
    e.use("stage", STAGE, rows, count, number(int(stage == "post")), context)
    _leave_if_over(e, *if_over)


def _leave_if_over(e: HookWriter, *result: Value) -> None:
    with e.when(e.is_set(e.own("over"))):
        e.give(*result)


def _write_back(e: HookWriter) -> None:
    """Give the processor what a trigger has written, but for RIP."""
    with e.if_copied():
        e.transfer("write_batch", len(GENERAL))

    def one(storage: Value) -> None:
        cell = e.at(e.place(DirectAccess, "registers", e.direct), e.op("shl", storage, number(3)))
        e.ask("write_one", ONE, e.engine, e.id_of(storage), cell)

    mask = e.dirty(FLAGS_AND_SELECTORS)
    with e.when(e.is_set(mask)):
        e.each_register(mask, one)
    e.give()


def _only_if(e: HookWriter, flag: Value, otherwise: Block) -> None:
    go_on = e.new_block("plain")
    e.branch(flag, go_on, otherwise)
    e.block = go_on


def _enter_kernel(e: HookWriter, behind: Value) -> None:
    """SYSCALL (machine.system_call.enter_kernel)."""
    _read_again(e)
    flags = _flags(e)
    code = e.op("and", e.op("lshr", _word_at(e, "star_at"), number(32)), number(_SELECTOR_MASK & ~RPL))
    dropped = e.op("or", _word_at(e, "fmask_at"), number(SYSCALL_DROPS))
    e.set_register(RCX, behind)
    e.set_register(R11, flags)
    e.set_register(RIP, _word_at(e, "lstar_at"))
    e.set_register(RFLAGS, e.op("and", flags, e.op("xor", dropped, number(-1))))
    e.set_register(CS, code)
    e.set_register(SS, e.op("add", code, number(8)))


def _return_to_user(e: HookWriter) -> None:
    """SYSRET (machine.system_call.return_to_user)."""
    _read_again(e)
    selectors = e.op("lshr", _word_at(e, "star_at"), number(48))
    e.set_register(RIP, e.register(RCX))
    e.set_register(RFLAGS, _returned(e, e.register(R11)))
    e.set_register(CS, _selector(e, selectors, 16))
    e.set_register(SS, _selector(e, selectors, 8))


def _flags(e: HookWriter) -> Value:
    e.use("fetch", FETCH, number(1 << RFLAGS))
    return e.register(RFLAGS)


def _returned(e: HookWriter, flags: Value) -> Value:
    """The flags behind a SYSRET."""
    return e.op("or", e.op("and", flags, number(~SYSRET_DROPS)), number(RETURNED_FLAG))


def _selector(e: HookWriter, base: Value, offset: int) -> Value:
    """A selector of user mode as SYSRET makes it."""
    whole = e.op("or", e.op("add", base, number(offset)), number(RPL))
    return e.op("and", whole, number(_SELECTOR_MASK))


def _word_at(e: HookWriter, name: str) -> Value:
    return e.load(e.own(name))


def _selector_at(e: HookWriter, name: str) -> Value:
    return e.convert("zext", e.load(e.own(name), I32, align=4), I64)
