"""EFER.SCE while system calls are intercepted: clear in the processor, set for the guest (events-and-commands D.1).

With SCE clear SYSRET raises #UD. RDMSR and WRMSR of EFER are found by searching executable memory for their bytes when
the interception begins, and get a hook each; a hook fires only where an instruction starts, so other code with these
bytes is not disturbed. Code that the guest generates later is not searched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from machine import msr
from machine.binding import Engine, Hook
from machine.memory import Protection
from vm.registers import RIP, STORAGE_INDEX

if TYPE_CHECKING:
    from machine.cpu import Cpu

_RAX, _RCX, _RDX = (STORAGE_INDEX[name] for name in ("rax", "rcx", "rdx"))
_RDMSR, _WRMSR = b"\x0f\x32", b"\x0f\x30"
_INSTRUCTION_LENGTH = 2
_MOST_HOOKS = 1024  # a guest with more such bytes is not code; the rest of its reads see the processor's EFER
_LOW = 0xFFFF_FFFF
_STORED = msr.EFER_SCE | msr.EFER_NXE  # what a guest changes; the mode bits stay


class EferView:
    """EFER of one CPU as its guest sees it."""

    def __init__(self, cpu: Cpu, engine: Engine) -> None:
        self._cpu = cpu
        self._engine = engine
        self._guest_value: int | None = None  # while intercepted
        self._hooks: dict[int, Hook] = {}  # by address

    @property
    def intercepted(self) -> bool:
        """Whether SCE is clear in the processor."""
        return self._guest_value is not None

    def read(self) -> int:
        """The guest's EFER."""
        return self._engine.read_msr(msr.EFER) if self._guest_value is None else self._guest_value

    def write(self, value: int) -> None:
        """A write of the guest: SCE and NXE; the mode bits stay."""
        value = self.read() & ~_STORED | value & _STORED
        if self._guest_value is not None:
            self._guest_value = value
            value &= ~msr.EFER_SCE
        self._engine.write_msr(msr.EFER, value)

    def intercept(self, wanted: bool) -> None:
        """Clear SCE in the processor, or give it the guest's value back."""
        if wanted == self.intercepted:
            return
        if wanted:
            self._guest_value = self._engine.read_msr(msr.EFER)
            self._engine.write_msr(msr.EFER, self._guest_value & ~msr.EFER_SCE)
            self._hooks = {address: self._hook(address) for address in self._accesses()}
            return
        self._engine.write_msr(msr.EFER, self.read())
        self._guest_value = None
        for hook in self._hooks.values():
            self._cpu.unhook(hook)
        self._hooks = {}

    def come_last(self, address: int) -> None:
        """An address has got another hook, which is called before an access is carried out."""
        if address in self._hooks:
            self._cpu.unhook(self._hooks.pop(address))
            self._hooks[address] = self._hook(address)

    def _hook(self, address: int) -> Hook:
        return self._cpu.hook_address(address, self._on_access)

    def _accesses(self) -> list[int]:
        """Where the bytes of RDMSR and WRMSR stand in executable memory."""
        found: list[int] = []
        for region in self._cpu.memory.regions:
            if Protection.EXECUTE not in region.protection:
                continue
            for code in (_RDMSR, _WRMSR):
                offset = region.buffer.find(code)
                while offset >= 0 and len(found) < _MOST_HOOKS:
                    found.append(region.start + offset)
                    offset = region.buffer.find(code, offset + 1)
        return found

    def _on_access(self) -> None:
        registers = self._cpu.registers
        if registers.read(_RCX) & _LOW != msr.EFER:
            return
        rip = registers.read(RIP)
        if self._cpu.memory.read(rip, _INSTRUCTION_LENGTH) == _RDMSR:
            value = self.read()
            registers.write(_RAX, value & _LOW)
            registers.write(_RDX, value >> 32)
        else:
            self.write((registers.read(_RDX) & _LOW) << 32 | registers.read(_RAX) & _LOW)
        registers.write(RIP, rip + _INSTRUCTION_LENGTH)
