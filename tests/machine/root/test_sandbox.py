"""Conditions and code blocks in vmx-root mode: conventions, what they see, and that nothing gets out."""

from __future__ import annotations

import gc
import weakref
from typing import Any
from unittest import mock

import pytest
from machine_guests import CODE, Bench, bench, block, get_register, read, say, script, write

from machine.events.definition import BreakAction, CodeAction
from machine.machine import StopCause
from machine.memory import Area, Protection
from machine.processor import Engine, new_engine
from machine.root.guest_regs import SIZE
from machine.root.sandbox import MOST_PROCESSORS
from vm.facts.limits import Limits
from vm.facts.registers import GENERAL
from vm.host import Host
from vm.program import GlobalSymbol
from vm.script_memory import GlobalStore

CALL = "mov eax, 0x55; mov edx, 0x1000; mov r8d, 0x47424448; syscall; inc rbx"

# The documented conditions and code (scenarios 4, 5 and 6), each with the return that is appended.
NAME_IS_SVCHOST = bytes.fromhex(
    "65488B042588010000 488B80B8000000 488B8050040000 48B9737663686F73742E 4839C8 7405 4831C0 EB07 48C7C001000000 C3 C3"
)
RDX_IS_1000 = bytes.fromhex("488B5910 4881FB00100000 7405 4831C0 EB07 48C7C001000000 C3 C3".replace("5910", "5910"))
CHANGE_THE_TAG = bytes.fromhex("488B5A40 4881FB48444247 7402 EB08 48C7424048444232 C3 C3")


def ran(guest: Bench) -> Bench:
    guest.machine.run()
    return guest


def condition_holds(text: str, listing: str = CALL) -> bool:
    guest = bench(listing)
    event = guest.on_syscall(say(b"x"), condition=block(text))
    ran(guest)
    return event.triggers == 1


def fault_of(text: str) -> str:
    guest = bench(CALL)
    guest.on_syscall(CodeAction(block(text)))
    ran(guest)
    ((_, description),) = guest.code_faults
    return description


# --- conditions


def test_random_numbers_of_a_block_are_its_own() -> None:
    """The guest draws what it draws without the block."""
    drawn = []
    for code in ("rdrand rax; mov [rdx+18], rax", "nop"):
        guest = bench(CALL + "; rdrand r10")
        guest.on_syscall(CodeAction(block(code)))
        ran(guest)
        assert guest.code_faults == []
        cpu = guest.machine.processes[0].cpu
        drawn.append((get_register(cpu, "rbx"), get_register(cpu, "r10")))
    assert drawn[0][1] == drawn[1][1] != 0
    assert drawn[0][0] != drawn[1][0]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("mov eax, 0x10; tzcnt eax, eax; cmp eax, 4; sete al", True),
        ("mov eax, 0xf0; mov ecx, 0x35; pext eax, ecx, eax; cmp eax, 3; sete al", True),
        ("mov eax, 1; cpuid; bt ecx, 0x1e; setc al; movzx eax, al", True),
    ],
)
def test_blocks_have_the_processor_of_guests(text: str, result: bool) -> None:
    assert condition_holds(text) == result


@pytest.mark.lasting
@pytest.mark.parametrize(
    ("code", "result", "carry"),
    [
        ("c4e273f5c2", 0xF00, 0),  # pdep eax, ecx, edx
        ("c4e2f0f5c2", 0xF0F0_0000_0000_0F00, 1),  # bzhi rax, rdx, rcx
        ("c4e2f8f3da", 0x100, 1),  # blsi rax, rdx
        ("c4e2f8f31c24", 0x100, 1),  # blsi rax, [rsp]
    ],
)
def test_blocks_have_the_cases_of_bmi_that_the_emulator_has_wrong(code: str, result: int, carry: int) -> None:
    before = block("mov r9, rdx; mov ecx, 0xffffffff; mov rdx, 0xf0f0000000000f00; push rdx; clc")[:-1]
    behind = block("pop rdx; mov [r9+18], rax; setc cl; movzx ecx, cl; mov [r9+28], rcx")
    guest = bench("mov eax, 0x55; syscall; mov r12, rbx; mov r13, rbp; xor ebx, ebx; syscall")
    guest.on_syscall(CodeAction(before + bytes.fromhex(code) + behind))
    for count in range(1, MOST_PROCESSORS + 1):  # one of them has the processor of the first
        guest.on_syscall(CodeAction(block("; ".join(["nop"] * count))))
    ran(guest)
    assert guest.code_faults == []
    cpu = guest.machine.processes[0].cpu
    assert [get_register(cpu, name) for name in ("r12", "r13", "rbx", "rbp")] == [result, carry] * 2


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("mov eax, 1", True),
        ("mov rax, 0x8000000000000000", True),
        ("xor eax, eax", False),
        ("nop; nop", False),  # rax is 0 on entry
        ("cmp rdx, 55; sete al", True),  # the context
        ("cmp qword ptr [rcx], 55; sete al", True),  # GUEST_REGS
        ("cmp qword ptr [rcx+10], 1000; sete al", True),
        ("test rsp, 0f; setnz al", True),  # as behind a call of an aligned stack
    ],
)
def test_a_condition_gets_guest_regs_and_context_and_answers_in_rax(text: str, holds: bool) -> None:
    assert condition_holds(text) is holds


def test_without_its_condition_an_event_neither_acts_nor_short_circuits() -> None:
    guest = bench(CALL)
    guest.on_syscall(say(b"x"), condition=block("xor eax, eax"), short_circuit=True)
    summary = guest.machine.run()
    assert (guest.texts, summary.triggers, summary.unknown_system_calls) == ([], {}, {0x55: 1})


def test_the_documented_argument_condition_runs() -> None:
    guest = bench("mov edx, 0x1000; syscall; mov edx, 0x1001; syscall")
    event = guest.on_syscall(say(b"x"), condition=RDX_IS_1000)
    ran(guest)
    assert event.triggers == 1


def test_the_documented_process_name_condition_runs() -> None:
    guest = bench(cores=2)
    guest.machine.load(b"\x0f\x05", "raw", name="svchost.exe")
    guest.machine.load(b"\x0f\x05", "raw", name="explorer.exe")
    seen: list[int] = []
    guest.on_syscall(script(lambda host: seen.append(host.pseudo_register(0))), condition=NAME_IS_SVCHOST)
    ran(guest)
    assert seen == [0x1000]


# --- code


def test_the_documented_tag_swap_runs() -> None:
    guest = bench(CALL)
    guest.on_syscall(CodeAction(CHANGE_THE_TAG))
    assert ran(guest).register("r8") == 0x32424448


def test_code_gets_buffer_guest_regs_and_context() -> None:
    guest = bench(CALL)
    guest.on_syscall(CodeAction(block("mov [rcx], r8; mov rax, [rdx+10]; mov [rcx+8], rax")), buffer_size=16)
    ran(guest)
    address = guest.machine.registry.get(0).buffers[0]
    assert guest.machine.read_memory(address, 16) == (0x55).to_bytes(8, "little") + (0x1000).to_bytes(8, "little")


def test_without_a_buffer_rcx_is_zero() -> None:
    guest = bench(CALL)
    guest.on_syscall(CodeAction(block("mov [rdx+18], rcx")))
    assert ran(guest).register("rbx") == 1


@pytest.mark.parametrize(("index", "name"), list(enumerate(GENERAL)))
def test_every_field_of_guest_regs_is_read_and_written_back(index: int, name: str) -> None:
    guest = bench("nop; syscall")
    write(guest.machine.host_for_commands(), name, 0x1234_5678_9ABC_DEF0)
    seen: list[int] = []
    guest.on_syscall(
        CodeAction(block(f"inc qword ptr [rdx+{8 * index:x}]")), script(lambda host: seen.append(read(host, name)))
    )
    ran(guest)
    assert seen == [0x1234_5678_9ABC_DEF1]


def test_guest_regs_has_sixteen_words() -> None:
    assert SIZE == 0x80


def test_the_guests_registers_are_not_those_of_the_block() -> None:
    guest = bench("mov rsi, 7; syscall")
    guest.on_syscall(CodeAction(block("mov rsi, 9; mov rbx, 9; mov rbp, 9")))
    assert (ran(guest).register("rsi"), guest.register("rbx")) == (7, 0)


def test_xmm_registers_are_the_guests_own() -> None:
    guest = bench("mov rax, 7; movq xmm3, rax; syscall; movq rbx, xmm3")
    guest.on_syscall(CodeAction(block("paddq xmm3, xmm3")))
    assert ran(guest).register("rbx") == 14


def test_a_block_sees_and_changes_the_memory_of_the_guest() -> None:
    guest = bench("mov rbx, 0x400100; mov qword ptr [rbx], 5; syscall; mov rbx, [rbx]")
    guest.on_syscall(CodeAction(block("mov rax, [rdx+18]; inc qword ptr [rax]")))
    assert ran(guest).register("rbx") == 6


def test_code_that_a_block_patches_is_what_the_guest_runs_next() -> None:
    guest = bench("again: mov ebx, 1; syscall; mov ecx, 1; cmp ebx, 1; dec esi; jz again")
    guest.on_syscall(CodeAction(block(f"mov rax, {CODE + 8:x}; mov byte ptr [rax], 9")))
    write(guest.machine.host_for_commands(), "rsi", 2)
    ran(guest)
    assert guest.register("rcx") == 9


def test_a_block_sees_the_processes_apart() -> None:
    guest = bench("mov rbx, [0x400100]; syscall", cores=2)
    guest.machine.load(b"\x0f\x05", "raw")
    first, second = guest.machine.processes
    first.cpu.memory.write(CODE + 0x100, b"A")
    second.cpu.memory.write(CODE + 0x100, b"B")
    guest.on_syscall(CodeAction(block("mov al, [400100]; mov [rcx], al")), say(b"x"), buffer_size=8)
    seen: list[bytes | None] = []
    address = guest.machine.registry.get(0).buffers[0]
    guest.on_syscall(script(lambda host: seen.append(host.read_memory(address, 1))), stage=2)
    ran(guest)
    assert seen == [b"A", b"B"]


def test_a_block_sees_the_globals_of_the_scripts() -> None:
    store = GlobalStore()
    (address,) = store.bind((GlobalSymbol("counter", "u64", 8),))
    guest = bench(CALL, store=store)
    guest.on_syscall(CodeAction(block(f"mov rax, {address:x}; inc qword ptr [rax]")))
    ran(guest)
    assert store.read("counter") == (1).to_bytes(8, "little")


def test_a_new_global_is_zero_whatever_a_block_has_written_behind_the_others() -> None:
    store = GlobalStore()
    (address,) = store.bind((GlobalSymbol("counter", "u64", 8),))
    guest = bench(CALL, store=store)
    guest.on_syscall(CodeAction(block(f"mov rax, {address:x}; mov qword ptr [rax+8], 7; mov qword ptr [rax+10], 7")))
    ran(guest)
    store.bind((GlobalSymbol("other", "u64", 8), GlobalSymbol("third", "u8", 1)))
    assert store.read("other") + store.read("third") == bytes(9)


def test_gs_is_the_processor_block_of_the_core() -> None:
    guest = bench(cores=2)
    guest.machine.load(b"\x0f\x05", "raw")
    guest.machine.load(b"\x0f\x05", "raw")
    seen: list[tuple[int, int]] = []
    guest.on_syscall(
        CodeAction(block("mov eax, gs:[1a4]; mov [rdx+18], rax; mov rax, gs:[188]; mov [rdx+70], rax")),
        script(lambda host: seen.append((read(host, "rbx"), read(host, "r14")))),
    )
    ran(guest)
    assert seen == [(process.core, process.objects.first.thread) for process in guest.machine.processes]


def test_a_block_does_not_see_memory_that_the_guest_has_unmapped() -> None:
    guest = bench("mov ebx, 3; again: syscall; dec ebx; jnz again")
    cpu = guest.machine.processes[0].cpu
    area = Area(0x70_0000, 0x70_1000, Protection.READ, "for a while")
    cpu.memory.map(area)
    guest.on_syscall(CodeAction(block("mov rax, [700000]")))

    def unmap_at_the_second(host: Host) -> None:
        if read(host, "rbx") == 2:
            cpu.memory.unmap(area.start, area.end)

    guest.on_syscall(script(unmap_at_the_second))
    summary = guest.machine.run()
    assert summary.code_faults == {0: 2}


# --- faults


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("ud2", "invalid instruction"),
        ("vmcall", "invalid instruction"),
        ("xor edx, edx; div edx", "exception 0"),
        ("int3", "exception 3"),
        ("hlt", "HLT"),
        ("syscall", "SYSCALL in vmx-root mode"),
        ("mov rax, [0]", "read of page 0, which is not mapped or not allowed,"),
        ("mov rdi, 123456789; mov [rdi], rax", "write of page 123456000, which is not mapped or not allowed,"),
        ("mov rax, 8000000000000000; mov rax, [rax]", "read of page 8000000000000000, which is not mapped"),
        ("jmp rax", "fetch of page 0, which is not mapped"),
        (f"mov eax, {CODE:x}; jmp rax", "fetch of page 400000, which is not code of a block,"),
        ("pop rax", "fetch of page 0, which is not mapped"),  # an unbalanced stack
        ("lea rax, [rip]; inc byte ptr [rax]", "write of page ffffb10000000000, which is code of a block,"),
        ("db 0b8", "fetch of what is not code of the block at ffffb10000000025: hlt"),  # the return is in an operand
        ("again: jmp again", "limit max_root_instructions (100000 instructions) reached"),
        ("again: push rax; jmp again", "write of page ffffb1fffffff000"),  # the stack ends
    ],
)
def test_a_fault_says_what_happened(text: str, what: str) -> None:
    assert fault_of(text).startswith(f"code stopped: {what}")


def test_a_fault_has_address_offset_and_disassembly() -> None:
    assert fault_of("nop; mov rax, [rax+8]").endswith(" (+1): mov rax, qword ptr [rax + 8]")


def test_a_repeated_instruction_counts_once_per_iteration() -> None:
    assert "max_root_instructions" in fault_of(
        f"mov rdi, {CODE + 0x500:x}; mov rcx, -1; cld; again: stosb; dec rdi; loop again"
    )


def test_a_fault_ends_its_action_only_and_is_counted() -> None:
    guest = bench(CALL)
    guest.on_syscall(CodeAction(block("mov qword ptr [rdx+18], 9; ud2")), say(b"next action"))
    guest.on_syscall(say(b"other event"))
    summary = guest.machine.run()
    assert (summary.code_faults, summary.script_faults, guest.texts) == ({0: 1}, {}, [b"other event", b"next action"])
    assert guest.register("rbx") == 1  # nothing of the structure reached the guest


def test_a_spoiled_emulator_is_freed_at_once() -> None:
    engines: list[weakref.ref[Any]] = []

    def made(translations: int) -> Engine:
        engine = new_engine(translations)
        engines.append(weakref.ref(engine.uc))
        return engine

    guest = bench("mov ebx, 3; again: syscall; dec ebx; jnz again")
    guest.on_syscall(CodeAction(block("mov eax, 1; mov dr0, rax; ud2")))
    gc.disable()
    try:
        with mock.patch("machine.root.processor.new_engine", made):
            ran(guest)
        alive = [engine() is not None for engine in engines]
    finally:
        gc.enable()
    assert len(alive) >= 3
    assert alive == [False] * (len(alive) - 1) + [True]


def test_a_fault_in_a_condition_makes_it_false() -> None:
    guest = bench(CALL)
    event = guest.on_syscall(BreakAction(), condition=block("mov eax, 1; ud2"))
    summary = guest.machine.run()
    assert (summary.cause, event.triggers, summary.code_faults) == (StopCause.END, 0, {0: 1})
    assert guest.code_faults[0][1].startswith("condition stopped: invalid instruction at ")


@pytest.mark.parametrize(
    "damage",
    [
        "ud2",
        "int3",
        "mov rax, cr0; bts rax, 1f; mov cr0, rax; mov rax, [0]",
        "mov rax, 1; mov cr3, rax",
        "xor esp, esp; push rax",
        "std",
        "mov ecx, 0c0000101; xor eax, eax; xor edx, edx; wrmsr",
        "wrmsr; lgdt [rcx]; lidt [rcx]",
        "fninit; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1",
    ],
)
def test_a_block_starts_from_a_clean_state_whatever_ran_before(damage: str) -> None:
    guest = bench("mov ecx, 3; mov ebx, 3; again: syscall; dec ebx; jnz again")
    good = block(
        "pushfq; pop rax; and eax, 400; mov [rcx], rax; mov rax, gs:[188]; mov [rcx+8], rax; push rcx; pop rcx"
    )
    guest.on_syscall(CodeAction(good), buffer_size=16)
    guest.on_syscall(CodeAction(block(damage)), buffer_size=16)
    ran(guest)
    thread = guest.machine.processes[0].objects.first.thread
    data = guest.machine.read_memory(guest.machine.registry.get(0).buffers[0], 16)
    assert data == bytes(8) + thread.to_bytes(8, "little")
    assert [event for event, _ in guest.code_faults if event == 0] == []


def test_the_budget_has_a_name_and_a_limit() -> None:
    guest = bench(CALL, limits=Limits(max_root_instructions=10))
    guest.on_syscall(CodeAction(block("nop; " * 8)), CodeAction(block("nop; " * 12)))
    ran(guest)
    assert ["max_root_instructions (10 instructions)" in text for _, text in guest.code_faults] == [True]


@pytest.mark.lasting
def test_code_beyond_what_is_kept_translated_is_translated_again() -> None:
    guest = bench("syscall; syscall", limits=Limits(max_root_instructions=300_000))
    guest.on_syscall(CodeAction(bytes.fromhex("48ff4260") * 200_000 + b"\xc3"))
    assert ran(guest).register("r12") == 400_000


@pytest.mark.lasting
def test_many_faults_do_not_pile_up_engines() -> None:
    guest = bench("mov ebx, 300; again: syscall; dec ebx; jnz again")
    guest.on_syscall(CodeAction(block("ud2")))
    summary = guest.machine.run()
    assert summary.code_faults == {0: 300}


FAULTS = ("mov rax, [0]", "mov [0], rax", "ud2", "int3", "int 80", "xor ecx, ecx; div ecx", "syscall", "jmp rax", "hlt")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_block_that_has_failed_is_run_again_by_the_same_emulator(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Engine] = []

    def noted(size: int) -> Engine:
        made.append(new_engine(size))
        return made[-1]

    monkeypatch.setattr("machine.root.processor.new_engine", noted)
    guest = bench("mov ebx, 4; again: syscall; dec ebx; jnz again")
    guest.on_syscall(
        CodeAction(
            block(f"mov r9, rcx; mov r8, [rdx+18]; test r8, 1; jnz odd; pushfq; pop rax; mov [r9+r8*8], rax; "
                  f"mov rax, [rsp-8]; ret; odd: std; push rdx; mov eax, 5; {fault}; odd2: nop")
        ),
        buffer_size=64,
    )  # fmt: skip
    summary = guest.machine.run()
    assert summary.code_faults == {0: 2}
    assert len(made) == 1
    data = guest.machine.read_memory(guest.machine.registry.get(0).buffers[0], 40)
    assert data is not None
    assert data[16:24] == data[32:40] != bytes(8)


def test_time_in_a_block_is_the_virtual_clock() -> None:
    def stamps() -> int:
        guest = bench(CALL)
        guest.on_syscall(CodeAction(block("mov r9, rdx; rdtsc; mov [r9+60], eax")))
        return ran(guest).register("r12")

    assert stamps() == stamps() > 0


def test_a_block_does_not_change_what_the_next_script_computes() -> None:
    guest = bench(CALL)
    seen: list[int] = []

    def look(host: Host) -> None:
        seen.append(read(host, "rax"))

    guest.on_syscall(script(look), CodeAction(block("mov eax, 5")), script(look))
    ran(guest)
    assert seen == [0x55, 0x55]
