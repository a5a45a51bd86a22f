"""The exceptions of a guest: those that the emulator raises, and those that it should raise and does not."""

from __future__ import annotations

from collections.abc import Callable

from unicorn import unicorn_const as uc, x86_const as x86

from machine.processor import descriptors
from machine.processor.binding import INTERRUPT_HOOK, INVALID_INSTRUCTION_HOOK, SYSCALL_HOOK, callback_address
from machine.processor.core import Core
from machine.processor.debug_registers import DebugRegisters
from machine.processor.fault import IN_TABLE, WITH_ERROR_CODE, DebugStatus, Fault, Vector
from machine.processor.instruction_finder import LONGEST_INSTRUCTION, InstructionPattern
from machine.processor.interrupt_table import InterruptTable
from machine.processor.register_file import RegisterFile
from machine.processor.run_state import StopKind, StopReason
from machine.processor.tlb import Tlb
from machine.processor.watched import TRAP_FLAG
from machine.processor.watched_accesses import WatchedAccesses
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX

_RDPMC, _INT1 = InstructionPattern(b"\x0f\x33"), InstructionPattern(b"\xf1")
_INT3, _SYSCALL = b"\xcc", b"\x0f\x05"
_OPEN_VECTORS: frozenset[int] = frozenset((Vector.BP, Vector.OF))
_CR2 = STORAGE_INDEX["cr2"]


class Exceptions:
    """Those of one CPU; each ends the run. `on_invalid_instruction` says whether it has moved RIP, and they go on.

    `undone` are the general registers before an instruction that has raised one by `raise_here`, while the emulator is
    behind it.
    """

    def __init__(
        self,
        core: Core,
        tlb: Tlb,
        watched: WatchedAccesses,
        debug: DebugRegisters,
        table: InterruptTable,
        carry_out: Callable[[bytes, RegisterFile], bool],
    ) -> None:
        """`carry_out` executes instructions of the CPU model that the emulator takes for undefined, and moves RIP."""
        self._engine, self._memory, self._blocks = core.engine, core.memory, core.blocks
        self._registers, self._hidden, self._run = core.registers, core.hidden, core.run
        self._tlb, self._watched, self._debug, self._table = tlb, watched, debug, table
        self._carry_out = carry_out
        self.undone: bytes | None = None
        self.open_vectors = _OPEN_VECTORS  # of INT on level 3
        self.on_invalid_instruction: Callable[[], bool] = lambda: False
        engine = self._engine
        engine.add_hook(uc.UC_HOOK_INSN_INVALID, INVALID_INSTRUCTION_HOOK(self._on_invalid_instruction))
        self._interrupt_hook = engine.add_hook(uc.UC_HOOK_INTR, INTERRUPT_HOOK(self._on_interrupt))
        engine.add_hook(uc.UC_HOOK_INSN, SYSCALL_HOOK(self._on_sysenter), x86.UC_X86_INS_SYSENTER)

    def carry(self, code: int, data: int) -> int:
        """Have machine code called at those that the emulator raises; the address of the hook in Python."""
        self._engine.add_hook(uc.UC_HOOK_INTR, code, data=data)
        self._engine.remove_hook(self._interrupt_hook)
        return callback_address(self._interrupt_hook)

    def deliver(self, fault: Fault) -> None:
        """Between two runs: what the processor notes of an exception that it delivers, in CR2 and DR6."""
        if fault.address is not None:
            self._registers.write(_CR2, fault.address)
        if fault.debug:
            self._debug.delivered(fault.debug)

    def drop(self) -> None:
        """Between two runs: the instruction whose exception is not delivered takes its time."""
        self._blocks.count_one()

    def raise_here(self, vector: Vector, rip: int) -> None:
        """Raise an exception in the hook of an instruction, of which nothing happens then."""
        self._run.give_up()
        self._run.event = StopReason(StopKind.FAULT, rip, vector=vector)
        self.undone = self._registers.general()
        self._tlb.hide_memory()
        self._engine.stop()

    def go_back(self, reason: StopReason) -> None:
        """A run has ended: let RIP be that of the fault, where the emulator was farther."""
        if self._run.event is not None:
            self._hidden.forget_exception()
        if self.undone is not None:
            self._registers.set_general(self.undone)
            self.undone = None
            self._tlb.show_memory()
        if self._registers.read(RIP) != reason.rip:
            self._registers.write(RIP, reason.rip)
        self._registers.store()

    def _on_interrupt(self, _engine: int, vector: int, _data: int) -> None:
        try:
            self._registers.forget()
            if self._watched.has_stepped(vector) or self._is_early(vector):
                return
            self._run.give_up()
            self._run.event = self._exception(vector, self._registers.read(RIP))
            self._engine.stop()
        except BaseException as error:
            self._run.carry(error)

    def _is_early(self, vector: int) -> bool:
        """Whether a single step ends behind SYSCALL: the flags are from the kernel's way back, by IRET in effect.

        The trap is behind the next instruction then (Intel SDM volume 3B, section 17.3.1.4).
        """
        if vector != Vector.DB or self._watched.trap:
            return False
        return self._blocks.is_settled or self._blocks.ends_with(_SYSCALL)

    def _exception(self, vector: int, rip: int) -> StopReason:
        """What the emulator raises; an INT whose gate level 3 may not pass is another exception."""
        if self._hidden.was_software:
            length = self._blocks.length_before(rip)
            is_closed = vector not in self.open_vectors and not self._table.is_loaded
            if is_closed and self._hidden.level == descriptors.USER_LEVEL:
                error = vector << 3 | IN_TABLE
                return StopReason(StopKind.FAULT, rip - length, vector=Vector.GP, error=error)
            is_interrupt = self._memory.read(rip - 1, 1) != _INT3 or vector != Vector.BP
            return StopReason.of(Fault(vector, rip, length=length, is_interrupt=is_interrupt, is_trap=True))
        if vector == Vector.DB:
            trap, self._watched.trap = self._watched.trap or DebugStatus.BS, 0
            return StopReason.trapped(rip, trap)
        error = self._hidden.error_code & 0xFFFF if vector in WITH_ERROR_CODE else 0
        return StopReason(StopKind.FAULT, rip, vector=vector, error=error)

    def _on_sysenter(self, _engine: int, _data: int) -> None:
        """SYSENTER, for which no kernel stand-in has set up an entry (SDM volume 2B)."""
        try:
            self._registers.forget()
            self.raise_here(Vector.GP, self._registers.read(RIP))
        except BaseException as error:
            self._run.carry(error)

    def _on_invalid_instruction(self, _engine: int, _data: int) -> bool:
        handled = False
        self._registers.forget()
        try:
            if self._carried_out():
                return self._run.event is None
            with self._run.gate:
                handled = self.on_invalid_instruction()
            if handled:
                self._registers.store()
            else:
                self._undefined(self._registers.read(RIP))
        except BaseException as error:
            self._run.carry(error)
        self._registers.forget()
        if handled and self._run.stop_requested:
            self._blocks.finish()
            self._run.heed_stop()
        return handled

    def _carried_out(self) -> bool:
        """Whether the instruction is one that the emulator does not have; it is executed then, and may trap."""
        code = self._memory.read_up_to(self._registers.read(RIP), LONGEST_INSTRUCTION)
        if not self._carry_out(code, self._registers):
            return False
        if self._registers.read(RFLAGS) & TRAP_FLAG:
            self._run.event = StopReason.trapped(self._registers.read(RIP), DebugStatus.BS)
        self._registers.store()
        return True

    def _undefined(self, rip: int) -> None:
        """Instructions that the emulator takes for undefined: RDPMC is a privileged one, INT1 a trap."""
        self._run.give_up()
        code = self._memory.read_up_to(rip, LONGEST_INSTRUCTION)
        if _RDPMC.matches(code):
            self._run.event = StopReason(StopKind.FAULT, rip, vector=Vector.GP)
        elif _INT1.matches(code):
            length = _INT1.length_of(code)
            self._run.event = StopReason.of(Fault(Vector.DB, rip + length, length=length, is_trap=True))
        else:  # the emulator's own error is lost where it cannot fetch `until` when it ends
            self._run.event = StopReason(StopKind.INVALID, rip)
