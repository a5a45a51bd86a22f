"""The hooks of exits as machine code, generated from their descriptions (machine.events.exit).

    void on_plain_syscall(engine, HookState*): a fast path, for a process that no event of the family waits in
    void on_exit(engine, HookState*), of an instruction that the emulator names
    void on_exit(engine, address, size, HookedAddress*), of one that is hooked at its address
    void on_behind(engine, address, size, HookedAddress*), behind one that the processor executes

Each walks the events of the process by `machine.native.protocol` and does what the exit comes to. General registers
are the processor's own throughout; the others live in the cells of the DirectAccess, and are written to the processor
at the end of a trigger.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache

from machine.events import (
    ALL_BITS,
    NEVER,
    AtAddress,
    ByProcessor,
    Exit,
    Hooked,
    PrivilegeLevel,
    Register,
    Step,
    Waiting,
    WayBack,
)
from machine.events.exits import exit_of, syscall, sysret
from machine.native import protocol
from machine.native.expressions import carry_out, emit
from machine.native.protocol import FAULT, FETCH, STAGE
from machine.native.tables import (
    ANSWERS,
    FLAGS_AND_SELECTORS,
    GENERAL_REGISTERS,
    R11,
    RAX,
    RCX,
    AnswerRow,
    EventTable,
    HookedAddress,
    HookState,
)
from machine.native.writer import BATCH, ONE, HookWriter, nothing
from machine.processor import EXECUTED, OWN, OWN_SLOT, UNDER_WAY
from vm.facts.events import SYSCALL, ShortCircuit
from vm.facts.registers import GENERAL, RFLAGS, RIP
from vm.native import (
    CELL,
    I32,
    I64,
    NO,
    NULL,
    POINTER,
    Block,
    DirectAccess,
    MachineCode,
    Module,
    Signature,
    Value,
    add_symbol,
    compile_text,
    number,
)

_HOOK = nothing(POINTER, POINTER)
_ADDRESS_HOOK = nothing(POINTER, I64, I32, POINTER)
_SELECTOR_MASK = 0xFFFF
QUICK_CALL = Signature(I64, (POINTER, POINTER))  # whether machine code has carried it out
_OTHER_COPIES = 6  # rip, cs, ss, STAR, LSTAR, FMASK
_SHARED = {
    "fetch": FETCH,
    "prepare": _HOOK,
    "write_back": _HOOK,
    "stage": STAGE,
    "run_stage": STAGE,
    "settle_lone": FAULT,
}


@cache
def plain() -> MachineCode:
    """The hook of SYSCALL without events, which is compiled in a fraction of the time that the others take."""
    return compile_text(llvm_text_of_plain())


@cache
def _shared() -> MachineCode:
    """What the hooks of all exits call; SYSCALL's stands beside it, which saves it 12 ns of far calls a trigger."""
    code = compile_text(llvm_text_of_shared())
    for name in _SHARED:
        add_symbol(_symbol(name), code.address(name))
    return code


@cache
def _compiled(exit_: Exit | None) -> MachineCode:
    shared = _shared()
    return shared if exit_ is not None and isinstance(exit_.source, Hooked) else compile_text(llvm_text(exit_))


def plain_address() -> int:
    """The address of the hook of SYSCALL without events."""
    return plain().address("on_plain_syscall")


def address_of(exit_: Exit) -> int:
    """The address of the hook of an exit, which is compiled once in a process."""
    return _compiled(exit_).address("on_exit")


def shared_symbols() -> dict[str, str]:
    """The symbols of the functions that hooks share, by name, for other modules of machine code."""
    _shared()
    return {name: _symbol(name) for name in _SHARED}


def address_of_stage() -> int:
    """The address of what runs the events of a stage between two stretches of guest code."""
    return _shared().address("run_stage")


def address_behind() -> int:
    """The address of the hook behind an instruction that the processor has executed."""
    return _compiled(None).address("on_behind")


def _symbol(name: str) -> str:
    return f"hds.hook.{name}"


def llvm_text_of_plain() -> str:
    """The fast path as LLVM IR."""
    module = Module()
    protocol.define_registers(module)
    _define_passage(module)
    _on_plain_syscall(_SyscallWriter(module, "on_plain_syscall", _HOOK, internal=False))
    return str(module)


def llvm_text_of_shared() -> str:
    """What hooks share, and the hook of SYSCALL, as LLVM IR."""
    module = Module()
    protocol.define(module)
    _define_passage(module)
    _run_stage(HookWriter(module, "run_stage", STAGE))
    for function in module.functions:
        function.internal = function.name not in _SHARED
    _on_exit(_SyscallWriter(module, "on_exit", _HOOK, internal=False), exit_of(SYSCALL))
    return str(module)


def llvm_text(exit_: Exit | None) -> str:
    """The hook of an exit at an address as LLVM IR; None: the one behind an instruction."""
    module = Module(linked={name: _symbol(name) for name in _SHARED})
    for name, signature in _SHARED.items():
        module.declared[_symbol(name)] = signature
    writer = _AddressWriter(module, "on_behind" if exit_ is None else "on_exit", _ADDRESS_HOOK, internal=False)
    if exit_ is None:
        _on_behind(writer)
    else:
        writer.replaces = not isinstance(exit_.effect, ByProcessor)
        _on_exit(writer, exit_)
    return str(module)


def _define_passage(module: Module) -> None:
    _write_back(HookWriter(module, "write_back", _HOOK))
    _prepare(HookWriter(module, "prepare", _HOOK))


# --- the one protocol


class _ExitWriter(HookWriter):
    """A hook: how it begins and ends."""

    def arrive(self) -> None:
        """Begin a trigger; RIP is at the instruction."""
        raise NotImplementedError

    def leave(self) -> None:
        """End it: the guest goes on at RIP."""
        raise NotImplementedError

    def go_to_python(self) -> None:
        """Have Python do all of it."""
        raise NotImplementedError

    def behind(self) -> Value:
        """The address behind the instruction."""
        raise NotImplementedError

    def table(self) -> Value:
        """The EventTable."""
        raise NotImplementedError


def _on_exit(e: _ExitWriter, exit_: Exit) -> None:
    e.arrive()
    if exit_.refused is not NEVER:
        with e.when(e.is_set(emit(PrivilegeLevel(), e))), e.when(e.is_set(emit(exit_.refused, e))):
            if exit_.raises is not None:
                e.go_to_python()
            e.give()
    rip, table, context = e.register(RIP), e.table(), _context(e, exit_)
    if exit_.bits is not ALL_BITS:
        e.set_own("bits", emit(exit_.bits, e))
    post, post_count = e.get(EventTable, "post", table), e.get(EventTable, "post_count", table)
    with e.when(e.is_set(e.get(EventTable, "pre_count", table))):
        lone = e.get(EventTable, "lone", table)
        is_alone = e.compare("ne", lone, NULL)
        with e.when(is_alone):
            protocol.run_lone(e, lone, context)
        with e.when(e.opposite(is_alone)):
            _walk(e, table, "pre", context)
        _leave_if_over(e)
        with e.when(e.compare("ne", e.register(RIP), rip)):
            e.leave()
        if exit_.kind.short_circuit is not ShortCircuit.IGNORED:
            with e.when(e.is_set(e.own("short"))):
                e.set_register(RIP, e.behind())
                e.leave()
    if isinstance(exit_.effect, ByProcessor):
        if not isinstance(exit_.source, AtAddress):
            with e.when(e.is_set(post_count)):
                _wait(e, context)
        correction = exit_.correction and exit_.correction()
        if correction is not None:
            with e.when(e.is_set(emit(correction.when, e))):
                carry_out(correction.effect, e)
                e.set_register(RIP, e.behind())
                e.leave()
        e.leave()
        return
    whole, follow = _KERNEL.get(exit_.effect, (None, None))
    if whole is not None:
        whole(e, post_count)
    _carry_out(e, exit_.effect)
    entered = e.register(RIP)
    with e.when(e.is_set(post_count)):
        e.use("stage", STAGE, post, post_count, number(1), context)
        _leave_if_over(e)
        with e.when(e.compare("ne", e.register(RIP), entered)):
            e.leave()
    if follow is not None:
        follow(e)
    e.leave()


def _context(e: _ExitWriter, exit_: Exit) -> Value:
    """Where `$context` stands: a register that is read anew for each event, or what it is now."""
    if exit_.read_anew and isinstance(exit_.context, Register):
        return e.register_place(exit_.context.storage)
    place = e.place(HookState, "context", e.state)
    e.store(emit(exit_.context, e), place)
    return place


# --- an instruction that the emulator names: SYSCALL


class _SyscallWriter(_ExitWriter):
    """The hook of SYSCALL, whose address is RIP."""

    def arrive(self) -> None:
        self.use("prepare", _HOOK)
        rip = self.register(RIP)
        with self.when(self.is_set(self.op("and", rip, self.own("guess_bits")))):
            self.ask("syscall_in_python", _HOOK, self.engine, self.state)
            self.give()
        self._behind = self.op("add", rip, number(syscall.LENGTH))

    def behind(self) -> Value:
        return self._behind

    def table(self) -> Value:
        return self.own("syscalls")

    def leave(self) -> None:
        """Unicorn adds the length of the instruction to RIP."""
        target = self.register(RIP)
        with self.when(self.compare("ne", target, self._behind)):
            cell = self.register_place(RIP)
            self.store(self.op("sub", target, number(syscall.LENGTH)), cell)
            self.ask("write_one", ONE, self.engine, self.id_of(RIP), cell)
            _finish_block(self)
        self.use("write_back", _HOOK)
        self.give()


def _on_plain_syscall(e: _SyscallWriter) -> None:
    e.arrive()
    _plain_call(e)


def _kernel_at_once(e: _ExitWriter, post_count: Value) -> None:
    """The rest of a SYSCALL, where nobody waits for its parts."""
    at_once = e.compare("ne", e.own("way_back"), number(WayBack.BY_SYSRET))
    with e.when(e.op("and", e.is_clear(post_count), at_once)):
        _plain_call(e)


def _plain_call(e: _ExitWriter) -> None:
    """SYSCALL, the model's answer and SYSRET in one (machine.events.passage), or Python."""
    here, behind = e.register(RIP), e.behind()
    python, unknown = e.new_block("python"), e.new_block("answer")
    _read_again(e)
    e.only_if(e.compare("eq", e.own("way_back"), number(WayBack.AT_ONCE)), python)
    e.only_if(e.is_clear(e.dirty(FLAGS_AND_SELECTORS)), python)
    flags = protocol.flags(e)
    selectors = e.op("lshr", _word_at(e, "star_at"), number(48))
    e.only_if(e.compare("eq", _word_at(e, "lstar_at"), e.own("entry")), python)
    e.only_if(e.compare("eq", flags, _returned(e, flags)), python)
    e.only_if(e.compare("eq", _selector_at(e, "cs_at"), _selector(e, selectors, 16)), python)
    e.only_if(e.compare("eq", _selector_at(e, "ss_at"), _selector(e, selectors, 8)), python)
    e.set_register(RCX, behind)
    e.set_register(R11, flags)
    _answer(e, unknown)
    with e.if_copied():
        e.transfer("write_batch", len(GENERAL))
    e.give()

    e.block = unknown
    e.ask_python("answer", nothing())
    _leave_if_over(e)
    _give_way(e)
    with e.when(e.compare("ne", e.register(RIP), here)):
        e.leave()  # the kernel has the thread go on elsewhere (machine.kernel.outcomes.Enter)
    elsewhere = e.compare("ne", e.register(RCX), behind)
    otherwise = e.compare("ne", e.register(R11), flags)
    with e.when(e.op("or", e.op("or", elsewhere, otherwise), e.is_set(e.dirty(~GENERAL_REGISTERS)))):
        _carry_out(e, sysret.EFFECT)
        e.leave()
    e.give()

    e.block = python
    _do_in_python(e, "perform")


def _kernel_answers(e: _ExitWriter) -> None:
    """Behind the post stage of a SYSCALL: the answer, and the way back."""
    python = e.new_block("python")
    e.only_if(e.is_set(e.own("way_back")), python)
    e.only_if(e.compare("eq", e.register(RIP), e.own("entry")), python)
    _answer(e, python)
    with e.when(e.compare("eq", e.own("way_back"), number(WayBack.BY_SYSRET))):
        e.set_register(RIP, e.own("sysret"))
        e.leave()
    _carry_out(e, sysret.EFFECT)
    e.leave()

    e.block = python
    _do_in_python(e, "complete")


def _do_in_python(e: HookWriter, name: str) -> None:
    """The rest of the trigger is Python's."""
    with e.if_copied():
        e.transfer("write_batch", len(GENERAL))
    e.ask(name, nothing())
    e.give()


def _answer(e: HookWriter, otherwise: Block) -> None:
    """Give the call's result to RAX, if machine code may: a default answer, or that of a quick call."""
    call = e.register(RAX)
    e.only_if(e.compare("ult", call, number(ANSWERS)), otherwise)
    answer = e.at(e.own("answers"), e.op("mul", call, number(ctypes.sizeof(AnswerRow))))
    quick, known, given = map(e.new_block, ("quick", "known", "given"))
    e.branch(e.is_set(e.get(AnswerRow, "known", answer)), known, quick)
    e.block = quick
    code = e.get(AnswerRow, "code", answer)
    e.only_if(e.compare("ne", code, NULL), otherwise)
    done = e.call(code.text, QUICK_CALL, [e.engine, e.state])
    e.branch(e.is_set(done), given, otherwise)
    e.block = known
    e.count_up(e.place(AnswerRow, "count", answer))
    e.set_register(RAX, e.get(AnswerRow, "value", answer))
    e.jump(given)
    e.block = given


def _back_from_kernel(e: _ExitWriter) -> None:
    """Behind a SYSRET: another process may have its turn."""
    _give_way(e)


# What the machine adds to the effects of SYSCALL and SYSRET: a way to do all at once, and what follows.
_KERNEL: dict[object, tuple[Callable[[_ExitWriter, Value], None] | None, Callable[[_ExitWriter], None]]] = {
    syscall.EFFECT: (_kernel_at_once, _kernel_answers),
    sysret.EFFECT: (None, _back_from_kernel),
}


# --- an instruction that is hooked at its address


class _AddressWriter(_ExitWriter):
    """The hook of an address, whose last parameter leads to the HookState."""

    def __init__(self, module: Module, name: str, signature: Signature, internal: bool) -> None:
        super().__init__(module, name, signature, internal)
        self.hooked = self.parameters[3]
        self.state = self.get(HookedAddress, "state", self.hooked)
        self.replaces = False  # the instruction is never executed: the guest goes on at RIP in any case

    def field(self, name: str) -> Value:
        """A field of the HookedAddress."""
        return self.get(HookedAddress, name, self.hooked)

    def arrive(self) -> None:
        address, anew = self.parameters[1], self.load(self.field("anew"))
        with self.when(self.is_set(self.op("or", anew, self.field("always_in_python")))):
            self.go_to_python()
            self.give()
        with self.if_copied():
            self.transfer("read_batch", len(GENERAL) + _OTHER_COPIES)
        with self.when(self.compare("ne", self.load(self.own("rip_at")), address)):
            self.give()  # another hook of this address has moved it
        protocol.begin(self, address, self.hooked)
        self.set_own("changes", self.load(self.field("changes")))

    def go_to_python(self) -> None:
        self.call(self.field("in_python").text, _ADDRESS_HOOK, [self.engine, *self.parameters[1:4]])

    def behind(self) -> Value:
        return self.field("behind")

    def table(self) -> Value:
        return self.field("events")

    def operand(self) -> Value:
        return self.field("operand")

    def leave(self) -> None:
        """RIP and flags that are written where the guest stays concern what is translated: that is Python's."""
        address = self.parameters[1]
        stays = NO if self.replaces else self.compare("eq", self.register(RIP), address)
        translated = self.op("and", stays, self.is_set(self.dirty(~GENERAL_REGISTERS)))
        with self.when(self.op("or", translated, self.is_set(self.own("python")))):
            with self.if_copied():
                self.transfer("write_batch", len(GENERAL))
            self.call(self.field("moved").text, nothing(), [])
            self.give()
        with self.when(self.opposite(stays)):
            self._leave_block()
            self.use("write_back", _HOOK)
            self.ask("write_one", ONE, self.engine, self.id_of(RIP), self.register_place(RIP))
            self.give()
        with self.if_copied():
            self.transfer("write_batch", len(GENERAL))
        self.give()

    def _leave_block(self) -> None:
        """Have counted what was executed of the block under way, as BlockCounter.leave does."""
        unknown, left = self.new_block("unknown"), self.new_block("left")
        counter = self.own("counter")
        self.only_if_block_is_known(self.hooked, unknown)
        executed = self.at(counter, CELL * EXECUTED)
        self.store(self.op("sub", self.load(executed), self.field("rest")), executed)
        _finish_block(self)
        self.jump(left)
        self.block = unknown
        self.call(self.field("left").text, nothing(), [])
        self.jump(left)
        self.block = left


def _wait(e: _ExitWriter, context: Value) -> None:
    """The post stage is due behind the instruction."""
    assert isinstance(e, _AddressWriter)  # its instruction was found at an address
    waiting = e.field("waiting")
    e.put(Waiting, "context", waiting, e.load(context))
    e.put(Waiting, "bits", waiting, e.own("bits"))
    e.put(Waiting, "armed", waiting, _armed(e))


def _armed(e: HookWriter) -> Value:
    """What a cell holds that was armed for the instruction under way."""
    return e.op("add", e.load(e.own("given_up_at")), number(1))


def _on_behind(e: _AddressWriter) -> None:
    waiting = e.field("waiting")
    with e.when(e.compare("ne", e.get(Waiting, "armed", waiting), _armed(e))):
        e.give()
    e.arrive()
    e.put(Waiting, "armed", waiting, number(0))
    context = e.place(HookState, "context", e.state)
    e.store(e.get(Waiting, "context", waiting), context)
    e.set_own("bits", e.get(Waiting, "bits", waiting))
    _walk(e, e.table(), "post", context)
    _leave_if_over(e)
    e.leave()


# --- a stage of which Python does the rest


def _run_stage(e: HookWriter) -> None:
    e.use("prepare", _HOOK)
    e.use("stage", STAGE, *e.parameters[2:])
    with e.if_copied():
        e.transfer("write_batch", len(GENERAL))
    e.give()


# --- what they share


def _prepare(e: HookWriter) -> None:
    """What each system call begins with."""
    with e.if_copied():
        e.transfer("read_batch", len(GENERAL) + _OTHER_COPIES)
    protocol.begin(e, e.load(e.own("rip_at")))
    e.give()


def _carry_out(e: HookWriter, effect: Sequence[Step]) -> None:
    """Do what the processor does."""
    _read_again(e)
    carry_out(effect, e)


def _read_again(e: HookWriter) -> None:
    """Copies of selectors and MSRs follow what Python has let happen to them."""
    with e.if_copied(), e.when(e.is_set(e.own("python"))):
        ids, cells = (e.at(e.own(f"copy_{name}"), size * len(GENERAL)) for name, size in (("ids", 4), ("cells", CELL)))
        e.ask("read_batch", BATCH, e.engine, ids, cells, Value(I32, str(_OTHER_COPIES)))


def _walk(e: HookWriter, table: Value, stage: str, context: Value) -> None:
    rows, count = e.get(EventTable, stage, table), e.get(EventTable, f"{stage}_count", table)
    e.use("stage", STAGE, rows, count, number(int(stage == "post")), context)


def _give_way(e: HookWriter) -> None:
    """A system call is done: the turn ends where another process waits."""
    with e.when(e.is_set(e.own("someone_waits"))):
        e.ask_python("done", nothing())


def _leave_if_over(e: HookWriter) -> None:
    with e.when(e.is_set(e.own("over"))):
        e.give()


def _write_back(e: HookWriter) -> None:
    """Give the processor what a trigger has written, but for RIP."""
    with e.if_copied():
        e.transfer("write_batch", len(GENERAL))

    def one(storage: Value) -> None:
        cell = e.at(e.place(DirectAccess, "registers", e.direct), e.op("shl", storage, number(3)))
        e.ask("write_one", ONE, e.engine, e.id_of(storage), cell)

    mask = e.dirty(FLAGS_AND_SELECTORS)
    with e.when(e.is_set(e.dirty(1 << RFLAGS))):
        e.store(e.op("or", e.register(RFLAGS), e.load(e.own("hidden_flags_at"))), e.register_place(RFLAGS))
    with e.when(e.is_set(mask)):
        e.each_register(mask, one)
    e.give()


def _finish_block(e: HookWriter) -> None:
    """No block is under way, as behind BlockCounter.finish."""
    counter = e.own("counter")
    for word, value in ((OWN, 0), (OWN + 1, 0), (UNDER_WAY, OWN_SLOT)):
        e.store(number(value), e.at(counter, CELL * word))


def _returned(e: HookWriter, flags: Value) -> Value:
    """The flags behind a SYSRET."""
    return e.op("or", e.op("and", flags, number(~sysret.DROPPED_FLAGS)), number(sysret.SET_FLAG))


def _selector(e: HookWriter, base: Value, offset: int) -> Value:
    """A selector of user mode as SYSRET makes it."""
    whole = e.op("or", e.op("add", base, number(offset)), number(syscall.RPL))
    return e.op("and", whole, number(_SELECTOR_MASK))


def _word_at(e: HookWriter, name: str) -> Value:
    return e.load(e.own(name))


def _selector_at(e: HookWriter, name: str) -> Value:
    return e.convert("zext", e.load(e.own(name), I32, align=4), I64)
