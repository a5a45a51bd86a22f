"""What CPUID says on the emulated processor (Intel SDM volume 2A, CPUID)."""

from __future__ import annotations

from machine.memory import PAGE, AddressSpace, Area, PhysicalMemory, Protection
from machine.processor import Cpu
from vm.facts.registers import STORAGE_INDEX

RESULTS = ("rax", "rbx", "rcx", "rdx")

_CODE = b"\x0f\xa2"
_ADDRESS = 0x1000
_MEMORY = 16 * PAGE


def cpuid_results(leaf: int, subleaf: int = 0) -> dict[str, int]:
    """The results, 32 bits each, by the names of the registers, of a processor that no guest is on."""
    processor = Cpu(AddressSpace(PhysicalMemory(_MEMORY).guests))
    processor.memory.map(Area(_ADDRESS, _ADDRESS + PAGE, Protection.ALL, "cpuid"))
    processor.memory.write(_ADDRESS, _CODE)
    processor.registers.write(STORAGE_INDEX["rax"], leaf)
    processor.registers.write(STORAGE_INDEX["rcx"], subleaf)
    processor.run(_ADDRESS, _ADDRESS + len(_CODE), 1)
    return {name: processor.registers.read(STORAGE_INDEX[name]) for name in RESULTS}
