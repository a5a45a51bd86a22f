"""The reference engine: an interpreter that is obviously right before it is fast.

It runs verified programs only. Instructions are decoded once into tuples; arithmetic is `vm.semantics`, memory is
`vm.memory`, built-in functions are `vm.library` and the host. A run is a loop over decoded instructions with an
explicit stack of frames, so that neither deep recursion nor a long loop of the script is one of Python's.
"""

from __future__ import annotations

import mmap
from array import array
from functools import cached_property
from typing import Any

import msgspec

from vm import formatting
from vm.blocks import block_fuel
from vm.engine import Fault, FaultKind, Loaded, RunResult, no_entries
from vm.facts.builtins import BUILTINS
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.registers import REGISTERS
from vm.host import Host
from vm.host_memory import private_memory
from vm.isa import Instruction, Operand, decode
from vm.library import call
from vm.memory import Memory
from vm.program import Function, Program
from vm.script_memory import SLOT, STACK_BASE, GlobalStore, Literals, ScriptMemory
from vm.semantics import BINARY, MASK, UNARY, Stop, double_to_integer, sign_extend
from vm.sharing import Sharing
from vm.verifier import verify

REGISTER_FILE = 256
_PATIENCE = 50_000  # steps between two questions whether to go on: some 50 ms


# What the loop does with a decoded instruction; most frequent first.
(
    DO_BINARY,
    DO_CONSTANT,
    DO_CHARGE,
    DO_JZ,
    DO_JNZ,
    DO_JMP,
    DO_MOVE,
    DO_UNARY,
    DO_LOAD,
    DO_STORE,
    DO_LOAD_GLOBAL,
    DO_STORE_GLOBAL,
    DO_LOAD_FRAME,
    DO_STORE_FRAME,
    DO_FRAME_ADDRESS,
    DO_READ_REGISTER,
    DO_WRITE_REGISTER,
    DO_PSEUDO,
    DO_PARAMETER,
    DO_ARGUMENT,
    DO_CALL,
    DO_RETURN,
    DO_BUILTIN,
    DO_PRINT,
    DO_PRINTF,
    DO_LOAD_HIGH,
    DO_TO_INTEGER,
    DO_BOUND,
    DO_COPY,
    DO_ZERO,
    DO_COUNT,
) = range(31)

# Operands of a decoded instruction: kind, a, b, c; what they are depends on the kind.
Decoded = tuple[int, Any, Any, Any]

_SIMPLE: dict[str, int] = {
    "JZ": DO_JZ, "JNZ": DO_JNZ, "MOV": DO_MOVE, "LDF": DO_LOAD_FRAME, "STF": DO_STORE_FRAME,
    "LEA": DO_FRAME_ADDRESS, "LDP": DO_PSEUDO, "PAR": DO_PARAMETER, "ARG": DO_ARGUMENT, "RET": DO_RETURN,
    "PRINT": DO_PRINT, "LDH": DO_LOAD_HIGH, "D2I": DO_TO_INTEGER, "BOUND": DO_BOUND, "COPY": DO_COPY,
    "ZERO": DO_ZERO, "JMP": DO_JMP,
}  # fmt: skip


class _Body(msgspec.Struct, frozen=True):
    """A decoded function: the instructions, and the pc of each for error messages."""

    function: Function
    code: list[Decoded]
    pcs: list[int]


class _Prepared(msgspec.Struct, frozen=True, eq=False, dict=True):
    """What `load` keeps for `run`; a program that is never run is never decoded."""

    program: Program
    slots: tuple[int, ...]
    literals: Literals
    entries: array[int] | None

    @cached_property
    def bodies(self) -> list[_Body]:
        """The functions."""
        return [_decode(self, function) for function in self.program.functions]

    @cached_property
    def formats(self) -> list[formatting.Format]:
        """Those of printf."""
        return [formatting.parse(text) for text in self.program.formats]


class _Frame:
    """An active call: where to go on in the caller, which register gets the result, and the callee's own state."""

    __slots__ = ("arguments", "base", "body", "registers", "result", "resume")

    def __init__(self, body: _Body, arguments: list[int], base: int, result: int) -> None:
        self.body = body
        self.arguments = arguments
        self.base = base
        self.registers = [0] * REGISTER_FILE
        self.result = result
        self.resume = 0


class Interpreter:
    """The reference engine (`vm.engine.Engine`)."""

    name = "reference"

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.sharing = Sharing()
        self._stacks: list[mmap.mmap] = []  # of runs that ended; a run may start while another one waits

    def load(self, program: Program, store: GlobalStore, *, counts_entries: bool = False) -> Loaded:
        """Verify. Raises VerificationError or GlobalConflict."""
        verify(program, self.limits)
        slots = store.bind(program.globals)
        literals = Literals(program.strings)
        entries = no_entries(program) if counts_entries else None
        return Loaded(program, store, slots, _Prepared(program, slots, literals, entries), entries)

    def run(self, loaded: Loaded, host: Host) -> RunResult:
        """One run; every error of the script is in the result."""
        prepared = loaded.native
        assert isinstance(prepared, _Prepared)
        stack = self._stacks.pop() if self._stacks else private_memory(self.limits.max_stack_bytes)
        try:
            return _Run(prepared, loaded.store, host, self.limits, self.sharing, stack).run()
        finally:
            self._stacks.append(stack)


def _decode(prepared: _Prepared, function: Function) -> _Body:
    program, entries = prepared.program, prepared.entries
    fuel = block_fuel(program, function)
    code: list[Decoded] = []
    pcs: list[int] = []
    start_of: dict[int, int] = {}
    for pc in range(function.start, function.end):
        start_of[pc] = len(code)
        if pc in fuel and entries is not None:
            code.append((DO_COUNT, pc, entries, 0))
            pcs.append(pc)
        if pc in fuel:
            code.append((DO_CHARGE, fuel[pc], 0, 0))
            pcs.append(pc)
        row, operands = decode(program.code[pc])
        if row.is_jump:
            operands = (*operands[:-1], pc + 1 + operands[-1])
        code.append(_decoded(program, row, operands, prepared.slots, prepared.literals))
        pcs.append(pc)
    jumps = (DO_JZ, DO_JNZ, DO_JMP)
    code = [(kind, a, start_of[b], c) if kind in jumps else (kind, a, b, c) for kind, a, b, c in code]
    return _Body(function, code, pcs)


def _decoded(
    program: Program, row: Instruction, operands: tuple[int, ...], slots: tuple[int, ...], literals: Literals
) -> Decoded:
    name = row.mnemonic
    a, b, c = (*operands, 0, 0, 0)[:3]
    if name in BINARY:
        return DO_BINARY, a, (b, c), BINARY[name]
    if name in UNARY:
        return DO_UNARY, a, b, UNARY[name]
    if name == "JMP":
        return DO_JMP, 0, a, 0
    if name in ("LDI", "LDK", "STR", "ADG"):
        table = {"LDK": program.constants, "STR": literals.addresses, "ADG": slots}
        return DO_CONSTANT, a, table[name][b] if name in table else b & MASK, 0
    if name in ("LDG", "STG"):
        return DO_LOAD_GLOBAL if name == "LDG" else DO_STORE_GLOBAL, a, slots[b], 0
    if name in ("LDM", "STM"):
        return DO_READ_REGISTER if name == "LDM" else DO_WRITE_REGISTER, a, REGISTERS[b], 0
    if Operand.SLOT in row.operands:
        return _SIMPLE[name], a, b * SLOT, 0
    if name.startswith("LD") and name.rstrip("S")[2:].isdigit():
        bits = int(name.rstrip("S")[2:])
        return DO_LOAD, a, b, (bits // 8, bits if name.endswith("S") else 64)
    if name.startswith("ST"):
        return DO_STORE, a, b, int(name[2:]) // 8
    if name == "CALL":
        return DO_CALL, a, b, 0
    if name == "SYS":
        return DO_BUILTIN, a, BUILTINS[b], 0
    if name == "PRINTF":
        return DO_PRINTF, a, 0, 0
    if name == "RETV":
        return DO_RETURN, None, 0, 0
    return _SIMPLE[name], a, b, c


class _Run:
    """The state of one run."""

    def __init__(
        self,
        prepared: _Prepared,
        store: GlobalStore,
        host: Host,
        limits: Limits,
        sharing: Sharing,
        stack: mmap.mmap,
    ) -> None:
        self.prepared = prepared
        self.host = host
        self.limits = limits
        self.script = ScriptMemory(store, prepared.literals, stack)
        self.sharing = sharing
        self.patience = _PATIENCE
        self.memory = Memory(self.script, host, limits, sharing)
        self.frames: list[_Frame] = []
        self.steps = 0

    def run(self) -> RunResult:
        """Run the main program to its end or to a fault."""
        try:
            self.enter(0, [], 0)
            while self.frames:
                self.execute(self.frames[-1])
        except Stop as stop:
            frame = self.frames[-1] if self.frames else None
            at = frame.body.pcs[frame.resume - 1] if frame else 0
            return RunResult(self.steps, Fault(stop.kind, at, stop.values, stop.detail))
        return RunResult(self.steps)

    def enter(self, index: int, arguments: list[int], result: int) -> _Frame:
        """Push a frame with zeroed registers and memory. Raises Stop(STACK_OVERFLOW)."""
        body = self.prepared.bodies[index]
        base, size = self.script.top, body.function.frame
        if len(self.frames) > self.limits.max_call_depth:
            raise Stop(FaultKind.STACK_OVERFLOW, "limit max_call_depth", limit=self.limits.max_call_depth)
        if base + size > self.limits.max_stack_bytes:
            raise Stop(FaultKind.STACK_OVERFLOW, "limit max_stack_bytes", limit=self.limits.max_stack_bytes)
        if size:
            self.memory.charge(size)
            self.script.stack[base : base + size] = bytes(size)
            self.script.top = base + size
        frame = _Frame(body, arguments, base, result)
        self.frames.append(frame)
        return frame

    def ceiling(self, steps: int) -> int:
        """How many steps may be made before this is asked again. Raises Stop(STEP_LIMIT), Stop(INTERRUPTED)."""
        limit = self.limits.max_steps
        if steps > limit:
            raise Stop(FaultKind.STEP_LIMIT, "limit max_steps", limit=limit)
        if steps >= self.patience:
            self.patience = steps + _PATIENCE
            if self.sharing.brake.is_pulled:
                raise Stop(FaultKind.INTERRUPTED)
        return min(limit, self.patience)

    def execute(self, frame: _Frame) -> None:
        """Run a frame until it calls or returns. One loop, one branch per kind of instruction."""
        code, r = frame.body.code, frame.registers
        memory, host = self.memory, self.host
        pc, arguments = frame.resume, list[int]()
        steps = self.steps
        ceiling = self.ceiling(steps)
        try:
            while True:
                kind, a, b, c = code[pc]
                pc += 1
                if kind == DO_BINARY:
                    r[a] = c(r[b[0]], r[b[1]])
                elif kind == DO_CONSTANT:
                    r[a] = b
                elif kind == DO_CHARGE:
                    steps += a
                    if steps > ceiling:
                        ceiling = self.ceiling(steps)
                elif kind == DO_JZ:
                    if not r[a]:
                        pc = b
                elif kind == DO_JNZ:
                    if r[a]:
                        pc = b
                elif kind == DO_JMP:
                    pc = b
                elif kind == DO_MOVE:
                    r[a] = r[b]
                elif kind == DO_UNARY:
                    r[a] = c(r[b])
                elif kind == DO_LOAD:
                    value = memory.load(r[b], c[0])
                    r[a] = value if c[1] == 64 else sign_extend(value, c[1])
                elif kind == DO_STORE:
                    memory.store(r[a], r[b], c)
                elif kind == DO_LOAD_GLOBAL:
                    r[a] = memory.load(b, SLOT)
                elif kind == DO_STORE_GLOBAL:
                    memory.store(b, r[a], SLOT)
                elif kind == DO_LOAD_FRAME:
                    r[a] = memory.load(STACK_BASE + frame.base + b, SLOT)
                elif kind == DO_STORE_FRAME:
                    memory.store(STACK_BASE + frame.base + b, r[a], SLOT)
                elif kind == DO_FRAME_ADDRESS:
                    r[a] = STACK_BASE + frame.base + b
                elif kind == DO_READ_REGISTER:
                    r[a] = b.extract(host.read_register(b.storage))
                elif kind == DO_WRITE_REGISTER:
                    host.write_register(b.storage, b.insert(host.read_register(b.storage), r[a]))
                elif kind == DO_PSEUDO:
                    r[a] = host.pseudo_register(b) & MASK
                elif kind == DO_PARAMETER:
                    r[a] = frame.arguments[b]
                elif kind == DO_ARGUMENT:
                    arguments.append(r[a])
                elif kind == DO_CALL:
                    self.enter(b, arguments, a)
                    return
                elif kind == DO_RETURN:
                    value = 0 if a is None else r[a]
                    self.frames.pop()
                    self.script.top = frame.base
                    if self.frames:
                        self.frames[-1].registers[frame.result] = value
                    return
                elif kind == DO_BUILTIN:
                    r[a] = call(memory, b, arguments)
                    arguments = []
                elif kind == DO_PRINT:
                    host.message(formatting.print_message(r[a]))
                elif kind == DO_PRINTF:
                    form = self.prepared.formats[a]
                    host.message(formatting.render(form, arguments, memory.message_text, self.limits.max_message))
                    arguments = []
                elif kind == DO_LOAD_HIGH:
                    r[a] = (r[a] << 16 | b) & MASK
                elif kind == DO_TO_INTEGER:
                    r[a] = double_to_integer(r[b], c)
                elif kind == DO_BOUND:
                    if r[a] >= r[b]:
                        raise Stop(FaultKind.INDEX_OUT_OF_RANGE, offset=r[a], size=r[b])
                elif kind == DO_COPY:
                    memory.copy(r[a], r[b], r[c])
                elif kind == DO_ZERO:
                    memory.zero(r[a], r[b])
                else:
                    b[a] += 1
        finally:
            frame.resume = pc
            self.steps = steps
