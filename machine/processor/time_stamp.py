"""RDTSC and RDTSCP: the guest reads the clock of the machine, in machine code where it does so often."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from unicorn import unicorn_const as uc, x86_const as x86

from machine.processor import instruction_hooks, msr
from machine.processor.binding import TIME_STAMP_HOOK, WORD_MASK, callback_address, function_address
from machine.processor.core import Core
from machine.processor.translated_code import TranslatedCode

_INSTRUCTIONS = {"on_rdtsc": x86.UC_X86_INS_RDTSC, "on_rdtscp": x86.UC_X86_INS_RDTSCP}


class TimeStamp:
    """That of one CPU. `read` is the clock, in ticks; without one, it counts instructions."""

    def __init__(self, core: Core, code: TranslatedCode, calls: instruction_hooks.Calls) -> None:
        self._engine, self._window, self._blocks, self._run = core.engine, core.window, core.blocks, core.run
        self._code, self._calls = code, calls
        self._reading: instruction_hooks.Reading | None = None
        self._everywhere: Callable[[], int] = lambda: self._run.executed
        self.read: Callable[[], int] = lambda: self._run.executed
        self._hooks = [
            self._engine.add_hook(uc.UC_HOOK_INSN, TIME_STAMP_HOOK(callback), number)
            for callback, number in zip((self._on_rdtsc, self._on_rdtscp), _INSTRUCTIONS.values(), strict=True)
        ]

    def share_clock(self, cells: int, executed: Callable[[], int]) -> None:
        """Let machine code read the clock: the address of its words (machine.schedule.clock), and what it counts.

        Others than this CPU must not execute instructions while it runs.
        """
        if self._window is not None:
            self._everywhere = executed
            self._reading = instruction_hooks.Reading(
                counter=self._blocks.state,
                clock=cells,
                general=self._window.general,
                rip=self._window.rip,
                changes=self._code.changes_address,
                read_one=function_address("uc_reg_read"),
                msr=msr.TSC_AUX,
            )

    def begin_run(self) -> None:
        """Tell machine code what others have executed meanwhile."""
        if self._reading is not None and self._reading.in_python:
            self._count_elsewhere(self._reading)

    def _count_elsewhere(self, reading: instruction_hooks.Reading) -> None:
        reading.elsewhere = (self._everywhere() - self._run.executed) & WORD_MASK

    def _read_natively(self, reading: instruction_hooks.Reading) -> bool:
        """Have machine code read the clock, this time already: Unicorn comes to hooks that are added meanwhile."""
        code = instruction_hooks.compiled()
        if code is None:
            self._reading = None
            return False
        reading.in_python = callback_address(self._hooks[0])
        self._count_elsewhere(reading)
        for hook in self._hooks:
            self._engine.remove_hook(hook)
        for name, number in _INSTRUCTIONS.items():
            self._engine.add_hook(uc.UC_HOOK_INSN, code.address(name), number, data=ctypes.addressof(reading))
        return True

    def _note_place(self, reading: instruction_hooks.Reading) -> None:
        """Machine code has asked about the instruction at hand: let it know how many of its block stand behind it."""
        if not self._blocks.is_settled:
            rip = self._run.instruction()
            place = reading.place_of(rip)
            place.rip, place.changes = rip, self._code.changes
            place.block, place.shape, place.rest = self._blocks.behind(rip)

    def _on_rdtsc(self, _engine: int, _data: int) -> int:
        try:
            reading = self._reading
            if reading is not None and reading.in_python:
                self._note_place(reading)
            elif reading is not None and self._calls.are_many() and self._read_natively(reading):
                return 0  # machine code goes on
            with self._run.gate:
                ticks = self.read()
            self._engine.set_register(x86.UC_X86_REG_RAX, ticks & 0xFFFF_FFFF)
            self._engine.set_register(x86.UC_X86_REG_RDX, ticks >> 32 & 0xFFFF_FFFF)
        except BaseException as error:
            self._blocks.finish()  # the block is executed to its end
            self._run.carry(error)
        return 1  # the instruction is done

    def _on_rdtscp(self, engine: int, data: int) -> int:
        try:
            self._engine.set_register(x86.UC_X86_REG_RCX, self._engine.read_msr(msr.TSC_AUX) & 0xFFFF_FFFF)
        except BaseException as error:
            self._run.carry(error)
        return self._on_rdtsc(engine, data)
