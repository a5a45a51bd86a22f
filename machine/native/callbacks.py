"""What the hooks of a process call in Python, for what has no native form. None of these may raise."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING

from machine.events import BlockKind, CallAction, block_of
from machine.kernel import Kernel
from machine.native.handling import Handling
from machine.native.protocol import CONDITION
from machine.native.tables import ASK, HookedAddress, address_of

if TYPE_CHECKING:
    from machine.native.process_hook import ProcessHook

_U64 = ctypes.c_uint64
_ACT = ctypes.CFUNCTYPE(None, _U64, _U64)
_SETTLE = ctypes.CFUNCTYPE(None, _U64, _U64, ctypes.c_int32)
_BLOCK = ctypes.CFUNCTYPE(_U64, _U64, _U64, ctypes.c_int32)


class Callbacks:
    """Those of one process, in its HookState as long as this object lives."""

    def __init__(self, hook: ProcessHook) -> None:
        self._hook, self._carrier = hook, hook.carrier
        self._process, self._cells, self._state = hook.process, hook.cells, hook.state
        self._counts = hook.carrier.engine.callbacks
        self._functions = {
            "block_in_python": _BLOCK(self._block_in_python),
            "finish": _BLOCK(self._finish_block),
            "enter": _BLOCK(self._enter_sandbox),
            "act": _ACT(self._act),
            "settle": _SETTLE(self._settle),
            "perform": ASK(lambda: self._end_system_call(hook.sides.perform)),
            "complete": ASK(lambda: self._end_system_call(hook.sides.complete)),
            "done": ASK(lambda: self._aside(hook.sides.done)),
            "relevel": ASK(hook.process.cpu.take_level),
        }
        for name, function in self._functions.items():
            setattr(self._state, name, address_of(function))

    def answer_for(self, kernel: Kernel) -> None:
        """Have a kernel's model answer system calls."""
        self._functions["answer"] = answer = ASK(self._answer_of(kernel))
        self._state.answer = address_of(answer)

    def _count(self, detour: str) -> None:
        self._counts[detour] += 1

    def _aside(self, body: Callable[[], None]) -> None:
        if not self._process.cpu.aside(body):
            self._state.over = 1

    def _act(self, event_id: int, index: int) -> None:
        self._aside(lambda: self._act_in_python(self._hook.handling_of(event_id), index))

    def _act_in_python(self, handling: Handling, index: int) -> None:
        action = handling.action(index)
        if isinstance(action, CallAction) and action.looks_on:
            self._counts["action: call"] += 1
            handling.look_on(action.function)
            return
        self._count(f"action: {action.kind.name.lower()}")
        with handling.python() as trigger:
            self._carrier.dispatcher.act(action, trigger)

    def _settle(self, event_id: int, index: int, status: int) -> None:
        self._aside(lambda: self._follow_up(self._hook.handling_of(event_id), index, status))

    def _follow_up(self, handling: Handling, index: int, status: int) -> None:
        """Deliver the messages of a run, and report its error."""
        self._count("trigger: message or error")
        activation = handling.activations[index]
        with handling.python():
            self._carrier.state.messages.catch_up()
            activation.drain()
            fault = activation.outcome(status).fault
            self._learn_place()
            if fault is not None:
                handling.event.faults += 1
                self._carrier.owner.script_fault(handling.event, fault, activation.loaded)

    def _learn_place(self) -> None:
        """Where the trigger's address stands in its block, so that machine code knows the time there."""
        if self._state.hooked not in (0, self._state.unknown):
            place, cpu = HookedAddress.from_address(self._state.hooked), self._process.cpu
            place.block, place.shape, place.rest = cpu.block_behind(place.address)
            place.known_at = cpu.code.changes

    def _answer_of(self, kernel: Kernel) -> Callable[[], None]:
        """What has a kernel's model carry out a system call, in whose trigger general registers were written at most.

        It is called for each one: names are bound here.
        """
        process, callbacks, aside = self._process, self._counts, self._process.cpu.aside
        registers, system_call = process.cpu.registers, kernel.system_call
        sides = self._hook.sides

        def carry_out() -> None:
            callbacks["system call"] += 1
            registers.forget()
            system_call(process.thread)
            if not self._state.caller:
                self._hook.be_quick()
            if sides.someone_waits():  # since this call, perhaps
                self._hook.show_sides(sides)
            registers.store_general()
            if registers.changed:
                self._cells.take()

        def answer() -> None:
            if not aside(carry_out):
                self._state.over = 1

        return answer

    def _end_system_call(self, body: Callable[[], None]) -> None:
        """Do the rest of a SYSCALL."""
        self._count("system call")

        def end() -> None:
            self._cells.pour()
            body()
            if not self._state.caller:
                self._hook.be_quick()

        self._process.cpu.within_system_call(end)

    # --- blocks

    def _enter_sandbox(self, event_id: int, index: int, _status: int) -> int:
        def enter(handling: Handling, _kind: BlockKind, code: bytes) -> int:
            self._hook.desk.sandbox.enter(block_of(handling.event, code), self._process.cpu, self._state.token)
            return 1

        return self._ask_of_block(event_id, index, enter)

    def _block_in_python(self, event_id: int, index: int, _status: int) -> int:
        return self._ask_of_block(event_id, index, self._run_block)

    def _finish_block(self, event_id: int, index: int, status: int) -> int:
        def has_returned(handling: Handling, kind: BlockKind, code: bytes) -> int:
            return int(self._finish_in_python(handling, kind, code, status))

        return self._ask_of_block(event_id, index, has_returned)

    def _ask_of_block(self, event_id: int, index: int, question: Callable[[Handling, BlockKind, bytes], int]) -> int:
        handling, answers = self._hook.handling_of(event_id), [0]
        if index == CONDITION:
            kind, code = BlockKind.CONDITION, handling.event.definition.condition or b""
        else:
            kind, code = BlockKind.CODE, handling.code(index)

        def ask() -> None:
            answers[0] = question(handling, kind, code)

        self._aside(ask)
        return answers[0]

    def _run_block(self, handling: Handling, kind: BlockKind, code: bytes) -> int:
        self._count(f"block: {kind.value}")
        with handling.python() as trigger:
            return self._carrier.dispatcher.block(kind, code, trigger)

    def _finish_in_python(self, handling: Handling, kind: BlockKind, code: bytes, status: int) -> bool:
        with handling.python() as trigger:
            fault = self._hook.desk.sandbox.finish(block_of(handling.event, code), status)
            if fault is not None:
                self._carrier.dispatcher.block_fault(kind, fault, trigger)
        return fault is None
