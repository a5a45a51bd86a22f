"""GuestHost: the machine as a script sees it, in one trigger or in a command between runs.

Reads and writes see the process first and the debugger's own memory (buffers, texts) second; they ignore page
protection, as a debugger's do. Without a process the registers are plain cells that start at 0 and nothing is mapped.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from machine.events import RegistrationError, Registry, Trigger
from machine.memory import PhysicalMemory
from machine.messages import Message, MessageChannel
from machine.processor import LONGEST_INSTRUCTION, branches, decoder
from machine.root import RootMemory
from machine.schedule import (
    TEXT_BYTES,
    BranchRecording,
    Process,
    VirtualClock,
    branch_lines,
    fields_of,
    text_of,
)
from vm import UnsupportedHere
from vm.facts.builtins import BUILTIN_BY_NAME
from vm.facts.events import TraceType
from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import RIP
from vm.facts.stages import Stage


class DebuggerState(msgspec.Struct):
    """What all hosts of a machine share."""

    registry: Registry
    messages: MessageChannel
    clock: VirtualClock
    root: RootMemory
    physical: PhysicalMemory
    branches: BranchRecording
    notice: Callable[[str, int | None], None]  # with the event whose script it is about
    broke: Callable[[Trigger], None]
    step: Callable[[Trigger, TraceType], None]  # a script asks for one
    inject: Callable[[Process, Trigger | None, int, int, int], None] = lambda *_: None  # type, vector, error code
    texts: dict[str, int] = msgspec.field(default_factory=dict)
    loose_registers: dict[int, int] = msgspec.field(default_factory=dict)
    writes: int = 0  # to memory, by scripts that Python carries out and by commands


class GuestHost:
    """A `vm.host.Host`. `trigger` is None outside events."""

    def __init__(
        self, state: DebuggerState, process: Process | None, core: int, trigger: Trigger | None = None
    ) -> None:
        self._state = state
        self._process = process
        self._core = core
        self._trigger = trigger

    # --- registers and memory

    def read_register(self, storage: int) -> int:
        if self._process is None:
            return self._state.loose_registers.get(storage, 0)
        return self._process.cpu.registers.read(storage)

    def write_register(self, storage: int, value: int) -> None:
        if self._process is None:
            self._state.loose_registers[storage] = value
        else:
            self._process.cpu.registers.write(storage, value)

    def read_memory(self, address: int, size: int) -> bytes | None:
        data = None if self._process is None else self._process.cpu.memory.read(address, size)
        return self._state.root.read(address, size) if data is None else data

    def write_memory(self, address: int, data: bytes) -> bool:
        self._state.writes += 1
        written = self._process is not None and self._process.cpu.memory.write(address, data)
        return written or self._state.root.write(address, data)

    def read_physical(self, address: int, size: int) -> bytes | None:
        return self._state.physical.read(address, size)

    def write_physical(self, address: int, data: bytes) -> bool:
        self._state.writes += 1
        return self._state.physical.write(address, data)

    # --- pseudo-registers

    def pseudo_register(self, index: int) -> int:
        reader = _PSEUDO_READERS.get(PSEUDO_REGISTERS[index].name)
        return 0 if reader is None else reader(self)

    def _process_id(self) -> int:
        return 0 if self._process is None else self._process.pid

    def _thread_id(self) -> int:
        return 0 if self._process is None else self._process.tid

    def _core_index(self) -> int:
        return self._core

    def _process_name(self) -> int:
        return 0 if self._process is None else self._process.objects.name

    def _process_object(self) -> int:
        return 0 if self._process is None else self._process.objects.process

    def _thread_object(self) -> int:
        return 0 if self._process is None else self._process.thread.objects.thread

    def _peb(self) -> int:
        return 0 if self._process is None else self._process.peb

    def _teb(self) -> int:
        return 0 if self._process is None else self._process.teb

    def _instruction_pointer(self) -> int:
        return self.read_register(RIP) if self._trigger is None else self._trigger.instruction_pointer

    def _buffer(self) -> int:
        return 0 if self._trigger is None else self._trigger.buffer

    def _context(self) -> int:
        return 0 if self._trigger is None else self._trigger.context

    def _event_id(self) -> int:
        return 0 if self._trigger is None else self._trigger.event.definition.id

    def _event_tag(self) -> int:
        return 0 if self._trigger is None else self._trigger.event.definition.tag

    def _event_stage(self) -> int:
        return 0 if self._trigger is None else int(self._trigger.stage is Stage.POST)

    def _date(self) -> int:
        return self._text("date")

    def _time(self) -> int:
        return self._text("time")

    def _text(self, name: str) -> int:
        """The address of a text that is refreshed at each use; the record that it is made of lies before it."""
        texts, now = self._state.texts, self._state.clock.now()
        fields = fields_of(now)
        if name not in texts:
            texts[name] = self._state.root.allocate(len(fields) + TEXT_BYTES) + len(fields)
        self._state.root.write(texts[name] - len(fields), fields + text_of(name, now))
        return texts[name]

    # --- messages and requests

    def message(self, text: bytes) -> None:
        trigger = self._trigger
        if trigger is None:
            self._state.messages.send(Message(text, core=self._core, process_id=self._process_id()))
            return
        definition = trigger.event.definition
        if not definition.immediate:
            self._state.messages.catch_up()
            self._state.messages.hold(text)
            return
        self._state.messages.send(
            Message(
                text=text,
                event_id=definition.id,
                core=self._core,
                stage=self._event_stage(),
                process_id=self._process_id(),
                thread_id=self._thread_id(),
                instruction_pointer=trigger.instruction_pointer,
                time=self._state.clock.elapsed(),
                outputs=definition.outputs,
            )
        )

    def request(self, name: str, arguments: tuple[int, ...]) -> int:
        handler = _REQUESTS.get(name)
        if handler is None:
            row = BUILTIN_BY_NAME.get(name)
            raise UnsupportedHere(row.missing if row and row.missing else f"this machine cannot do {name}")
        return handler(self, *arguments) or 0

    def _event_enable(self, event_id: int) -> None:
        self._modify(self._state.registry.enable, event_id)

    def _event_disable(self, event_id: int) -> None:
        self._modify(self._state.registry.disable, event_id)

    def _event_clear(self, event_id: int) -> None:
        self._modify(self._state.registry.clear, event_id)

    def _modify(self, change: Callable[[int], None], event_id: int) -> None:
        try:
            change(event_id)
        except RegistrationError as error:
            self._notice(str(error))

    def _notice(self, text: str) -> None:
        self._state.notice(text, None if self._trigger is None else self._trigger.event.definition.id)

    def _event_sc(self, state: int) -> None:
        if self._trigger is None:
            self._notice("event_sc has no effect outside events")
        elif self._trigger.stage is Stage.POST:
            self._notice("event_sc has no effect in the post stage: the operation has been carried out")
        else:
            self._trigger.short_circuit = state != 0

    def _pause(self) -> None:
        if self._trigger is None:
            self._notice("pause has no effect outside events")
        else:
            self._state.broke(self._trigger)

    def _step(self, kind: TraceType) -> None:
        if self._trigger is None:
            self._notice("there is nothing to trace outside events")
        else:
            self._state.step(self._trigger, kind)

    def _step_in(self) -> None:
        self._step(TraceType.STEP_IN)

    def _step_out(self) -> None:
        """HyperDbg accepts it, and does nothing."""

    def _step_exactly(self) -> None:
        self._step(TraceType.INSTRUMENTATION_STEP)

    def _event_inject(self, kind: int, vector: int, error: int = 0) -> None:
        if self._process is None:
            self._notice("there is no guest to inject an interruption into")
        else:
            self._state.inject(self._process, self._trigger, kind, vector, error & 0xFFFF_FFFF)

    def _flush(self) -> None:
        self._state.messages.drop()

    def _time_stamp(self) -> int:
        return self._state.clock.time_stamp()

    def _microsleep(self, microseconds: int) -> None:
        self._state.clock.sleep(microseconds)

    def _to_physical(self, address: int) -> int:
        return (None if self._process is None else self._process.cpu.memory.to_physical(address)) or 0

    def _from_physical(self, address: int) -> int:
        return (None if self._process is None else self._process.cpu.memory.from_physical(address)) or 0

    def _instruction_length(self, address: int, bits: int) -> int:
        code = b"" if self._process is None else self._process.cpu.memory.read_up_to(address, LONGEST_INSTRUCTION)
        for _, length, _, _ in decoder(bits).disasm_lite(code, address, 1):
            return int(length)
        return 0

    def _length_64(self, address: int) -> int:
        return self._instruction_length(address, 64)

    def _length_32(self, address: int) -> int:
        return self._instruction_length(address, 32)

    # --- last branches; without a process there are none

    def _lbr_save(self) -> int:
        return int(self._process is not None and self._state.branches.save(self._process))

    def _lbr_dump(self) -> int:
        recording, process = self._state.branches, self._process
        if process is None or not recording.is_on:
            return 0
        saved = recording.saved(process.core)
        self.message(branch_lines(recording.of(process) if saved is None else saved).encode())
        return 1

    def _lbr_check(self) -> int:
        return int(self._state.branches.is_on)

    def _lbr_restore(self) -> int:
        return int(self._process is not None and self._state.branches.restore(self._process))

    def _lbr_restore_by_filter(self, mask: int) -> int:
        done = self._lbr_restore()
        if done:
            self._state.branches.leave_out(branches.Select(mask & sum(branches.Select)))
        return done


_PSEUDO_READERS: dict[str, Callable[[GuestHost], int]] = {
    "pid": GuestHost._process_id,
    "tid": GuestHost._thread_id,
    "core": GuestHost._core_index,
    "proc": GuestHost._process_object,
    "thread": GuestHost._thread_object,
    "pname": GuestHost._process_name,
    "peb": GuestHost._peb,
    "teb": GuestHost._teb,
    "ip": GuestHost._instruction_pointer,
    "buffer": GuestHost._buffer,
    "context": GuestHost._context,
    "event_id": GuestHost._event_id,
    "event_tag": GuestHost._event_tag,
    "event_stage": GuestHost._event_stage,
    "date": GuestHost._date,
    "time": GuestHost._time,
}

_REQUESTS: dict[str, Callable[..., int | None]] = {
    "event_enable": GuestHost._event_enable,
    "event_disable": GuestHost._event_disable,
    "event_clear": GuestHost._event_clear,
    "event_sc": GuestHost._event_sc,
    "event_inject": GuestHost._event_inject,
    "event_inject_error_code": GuestHost._event_inject,
    "pause": GuestHost._pause,
    "flush": GuestHost._flush,
    "event_trace_step": GuestHost._step_in,
    "event_trace_step_in": GuestHost._step_in,
    "event_trace_step_out": GuestHost._step_out,
    "event_trace_instrumentation_step": GuestHost._step_exactly,
    "event_trace_instrumentation_step_in": GuestHost._step_exactly,
    "rdtsc": GuestHost._time_stamp,
    "rdtscp": GuestHost._time_stamp,
    "microsleep": GuestHost._microsleep,
    "virtual_to_physical": GuestHost._to_physical,
    "physical_to_virtual": GuestHost._from_physical,
    "disassemble_len": GuestHost._length_64,
    "disassemble_len64": GuestHost._length_64,
    "disassemble_len32": GuestHost._length_32,
    "lbr_save": GuestHost._lbr_save,
    "lbr_print": GuestHost._lbr_dump,
    "lbr_dump": GuestHost._lbr_dump,
    "lbr_check": GuestHost._lbr_check,
    "lbr_restore": GuestHost._lbr_restore,
    "lbr_restore_by_filter": GuestHost._lbr_restore_by_filter,
}
