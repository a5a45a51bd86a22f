"""A guest's own table of handlers: exceptions and INT go through it (Intel SDM volume 3A, chapter 6)."""

from __future__ import annotations

from interrupt_worlds import with_handlers

from machine.machine import Machine
from machine.options import MachineOptions
from machine.processor import StopKind
from machine.schedule import Process
from vm.facts.registers import STORAGE_INDEX
from vm.interpreter import Interpreter

TAKE = "mov r8, [rsp]; mov r9, [rsp + 8]; mov r10, [rsp + 16]; mov r11, [rsp + 24]; mov r12, [rsp + 32]; "
SKIP = "add qword ptr [rsp], 2; iretq"


def guest(handlers: dict[int, str], program: str, **gate: int) -> Process:
    """A program that has run to its end."""
    machine = Machine(Interpreter(), MachineOptions(kernel="bare"))
    process = machine.load(with_handlers(handlers, program, **gate).encode(), "asm")
    machine.run(100_000)
    return process


def register(process: Process, name: str) -> int:
    """What is in it at the end."""
    return process.cpu.registers.read(STORAGE_INDEX[name])


def test_an_exception_goes_to_its_handler_with_the_frame_of_level_0() -> None:
    process = guest({6: TAKE + SKIP}, "mov rbx, rsp; ud2; mov ecx, 7")
    assert register(process, "rcx") == 7
    assert [register(process, name) for name in ("r9", "r12")] == [0x10, 0x18]
    assert register(process, "r11") == register(process, "rbx")
    assert register(process, "r10") & 0x10202 == 0x10202  # RF: a fault


def test_an_error_code_lies_on_top() -> None:
    process = guest({13: TAKE + "add rsp, 8; add qword ptr [rsp], 3; iretq"}, "mov ax, 0x1238; mov ds, ax; mov ecx, 7")
    assert (register(process, "r8"), register(process, "rcx")) == (0x1238, 7)


def test_a_page_fault_has_its_address_in_cr2() -> None:
    process = guest(
        {14: TAKE + "mov rbx, cr2; add rsp, 8; add qword ptr [rsp], 3; iretq"},
        "mov edx, 0x1234; mov [rdx + 8], eax; mov ecx, 7",
    )
    assert [register(process, name) for name in ("rbx", "r8", "rcx")] == [0x123C, 2, 7]


def test_int_and_int3_return_behind_themselves() -> None:
    process = guest(
        {3: "inc edx; iretq", 0x80: "inc ebx; iretq"},
        "xor edx, edx; xor ebx, ebx; int3; int 0x80; int 0x80; mov ecx, 7",
    )
    assert [register(process, name) for name in ("rdx", "rbx", "rcx")] == [1, 2, 7]


def test_a_trap_gate_leaves_interrupts_on() -> None:
    def flag(kind: int) -> int:
        return register(guest({0x80: "pushfq; pop rbx; iretq"}, "int 0x80", kind=kind), "rbx") >> 9 & 1

    assert (flag(0x8E), flag(0x8F)) == (0, 1)


def test_without_a_gate_it_is_not_present_and_then_a_double_fault() -> None:
    process = guest({8: "mov ecx, 8; hlt", 11: TAKE + "mov ecx, 11; hlt"}, "int 0x81")
    assert (register(process, "rcx"), register(process, "r8")) == (11, 0x81 << 3 | 2)
    assert register(guest({8: "mov ecx, 8; hlt"}, "xor ecx, ecx; div ecx"), "rcx") == 8


def test_a_triple_fault_ends_the_run_by_the_first_exception() -> None:
    process = guest({0x80: "iretq"}, "ud2")
    assert process.ended is not None
    assert process.ended.vector is None
    assert process.ended.kind is StopKind.INVALID


def test_a_guest_without_a_table_ends_by_its_exception() -> None:
    machine = Machine(Interpreter(), MachineOptions(kernel="bare"))
    process = machine.load(b"ud2", "asm")
    machine.run(100)
    assert process.ended is not None


def test_an_interrupt_stack_of_the_tss_is_used() -> None:
    # A descriptor table with a TSS of 64 bits at its end, whose first interrupt stack lies at rsi + 3000.
    set_up = (
        "lea rdi, [rsi + 0x1100]; mov rax, 0x00af9b000000ffff; mov [rdi + 0x10], rax; mov rax, 0x00cf93000000ffff; "
        "mov [rdi + 0x18], rax; lea rbp, [rsi + 0x1200]; lea rax, [rsi + 0x3000]; mov [rbp + 0x24], rax; "
        "mov word ptr [rdi + 0x40], 0x67; mov rax, rbp; mov word ptr [rdi + 0x42], ax; shr rax, 16; "
        "mov byte ptr [rdi + 0x44], al; mov byte ptr [rdi + 0x45], 0x89; mov byte ptr [rdi + 0x46], 0; "
        "mov byte ptr [rdi + 0x47], ah; shr rax, 16; mov dword ptr [rdi + 0x48], eax; "
        "mov word ptr [rsp - 16], 0x4f; mov [rsp - 14], rdi; lgdt [rsp - 16]; mov ax, 0x40; ltr ax; "
    )
    process = guest({0x80: "mov rbx, rsp; iretq"}, set_up + "mov rcx, rsp; int 0x80; sub rcx, rsp", stack=1)
    assert register(process, "rbx") == register(process, "rsi") + 0x3000 - 0x28
    assert register(process, "rcx") == 0
