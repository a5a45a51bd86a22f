"""Code blocks on both carriers."""

from __future__ import annotations

from hds.session import Session
from machine.root import assemble
from vm import Engine
from vm.facts.registers import STORAGE_INDEX

GUEST = b"mov r15d, 20; again: mov eax, 0x55; xor ebx, ebx; syscall; add r14, rbx; dec r15; jnz again"


def test_a_block_has_the_bmi_instructions_that_the_emulator_has_wrong(engine: Engine) -> None:
    code = assemble("mov r9, rdx; mov ecx, 0xff; mov edx, 7", radix=16).code
    code += bytes.fromhex("c4e2f0f5c2") + assemble("mov [r9+18], rax", radix=16).code  # bzhi rax, rdx, rcx
    with Session(engine=engine) as session:
        session.machine.load(GUEST, "asm", name="guest")
        session.execute(f"!syscall code {{ {code.hex()} }}")
        session.run(10_000)
        registers = session.machine.processes[0].cpu.registers
        assert registers.read(STORAGE_INDEX["r14"]) == 20 * 7
