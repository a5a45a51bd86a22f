"""What a Cpu promises, and the oddities of Unicorn it hides: a new Unicorn that behaves otherwise fails here."""

from __future__ import annotations

import gc
import random
from unittest import mock

import pytest
from engines import need_machine_code
from machine_guests import CODE, DATA, FunctionEngine, cpu_with, get_register, set_register
from unicorn import unicorn_const as uc, x86_const as x86

from machine.machine import Machine
from machine.memory import AddressSpace, Area, MapError, PhysicalMemory, Protection, SharedMemory
from machine.options import MachineOptions
from machine.processor import instruction_hooks, msr
from machine.processor.binding import Engine
from machine.processor.cpu import SYSCALL_LENGTH, Cpu
from machine.processor.cpu_model import FEATURES_1_ECX, FEATURES_1_EDX, FEATURES_7_EBX, new_engine
from machine.processor.fault import DebugStatus, Vector
from machine.processor.run_state import StopKind, StopReason
from machine.root.assembler import assemble
from vm.facts.registers import RIP

NOWHERE = 0xFFFF_FFFF_FFFF_FFFF


def run(text: str, budget: int = 10_000) -> tuple[Cpu, StopReason]:
    cpu, end = cpu_with(text)
    return cpu, cpu.run(CODE, end, budget)


def test_a_run_ends_at_the_until_address() -> None:
    cpu, reason = run("mov rax, 5; inc rax")
    assert reason == StopReason(StopKind.REACHED, CODE + 10)
    assert get_register(cpu, "rax") == 6


def test_instructions_are_counted_exactly() -> None:
    cpu, _ = run("mov rcx, 10; again: dec rcx; jnz again; nop; nop")
    assert cpu.executed == 1 + 2 * 10 + 2


def test_a_rep_instruction_counts_once_per_iteration_and_once_for_its_end() -> None:
    cpu, _ = run(f"mov rcx, 5; mov rdi, {DATA:#x}; xor eax, eax; rep stosb")
    assert cpu.executed == 3 + 5 + 1


def test_a_block_that_does_not_fit_in_the_budget_is_not_begun() -> None:
    cpu, reason = run("nop; nop; jmp next; next: inc rax; inc rax", budget=4)
    assert reason.kind is StopKind.BUDGET
    assert (cpu.executed, get_register(cpu, "rax")) == (3, 0)


def test_a_stopped_run_goes_on_where_it_stopped() -> None:
    cpu, end = cpu_with("mov rcx, 100; again: inc rax; dec rcx; jnz again")
    while (reason := cpu.run(cpu.registers.read(RIP) or CODE, end, 7)).kind is StopKind.BUDGET:
        pass
    assert (reason.kind, get_register(cpu, "rax"), cpu.executed) == (StopKind.REACHED, 100, 301)


def test_hlt_is_told_from_the_end() -> None:
    _, reason = run("nop; hlt; nop")
    assert reason == StopReason(StopKind.HALT, CODE + 2)


def test_a_cpu_fault_carries_its_vector_and_address() -> None:
    _, reason = run("xor ecx, ecx; div ecx; nop")
    assert reason == StopReason(StopKind.FAULT, CODE + 2, vector=0)


def test_a_software_interrupt_is_a_fault_behind_the_instruction() -> None:
    _, reason = run("int3; nop")
    assert reason == StopReason(StopKind.FAULT, CODE + 1, vector=3)


def test_a_second_fault_is_reported_like_the_first() -> None:
    cpu, end = cpu_with("xor ecx, ecx; div ecx; nop")
    set_register(cpu, "rbx", 0x1234)
    cpu.write_msr(msr.LSTAR, 0x5678)
    reasons = {cpu.run(CODE, end, 100) for _ in range(3)}
    assert reasons == {StopReason(StopKind.FAULT, CODE + 2, vector=0)}
    assert (get_register(cpu, "rbx"), cpu.read_msr(msr.LSTAR)) == (0x1234, 0x5678)


def test_an_undefined_instruction_is_invalid() -> None:
    _, reason = run("nop; ud2")
    assert reason == StopReason(StopKind.INVALID, CODE + 1)


@pytest.mark.parametrize(
    ("text", "address", "access"),
    [
        ("mov rax, [0x1000]", 0x1000, "read"),
        ("mov [0x1000], rax", 0x1000, "write"),
        ("mov rax, 0x1000; jmp rax", 0x1000, "fetch"),
        (f"mov rax, {DATA:#x}; jmp rax", DATA, "fetch"),
    ],
)
def test_a_bad_access_is_named(text: str, address: int, access: str) -> None:
    _, reason = run(text)
    assert (reason.kind, reason.address, reason.access) == (StopKind.UNMAPPED, address, access)


@pytest.mark.parametrize(
    ("code", "vector"),
    [
        ("50", Vector.SS),  # push rax
        ("58", Vector.SS),
        ("c3", Vector.SS),
        ("c9", Vector.SS),  # leave
        ("e800000000", Vector.SS),
        ("8b4d00", Vector.SS),  # [rbp]
        ("8b0424", Vector.SS),  # [rsp]
        ("3e8b4d00", Vector.SS),  # 64-bit mode ignores DS, ES, CS and SS
        ("368b00", Vector.GP),  # SS:[rax]
        ("648b4d00", Vector.GP),  # FS:[rbp]
        ("418b4d00", Vector.GP),  # [r13]
        ("8b00", Vector.GP),
        ("ff7500", Vector.SS),  # push [rbp]
        ("ff30", Vector.GP),  # push [rax]
        ("8f00", Vector.SS),  # pop [rax]: the stack comes first
        ("a4", Vector.GP),
    ],
)
@pytest.mark.parametrize("address", [1 << 63, (1 << 47) - 1])
def test_an_address_that_is_not_canonical_is_ss_on_the_stack(code: str, vector: Vector, address: int) -> None:
    """So processors have it, and for an access that only ends at such an address, too."""
    cpu, _ = cpu_with("nop; nop; nop; nop; nop; hlt")
    cpu.memory.write(CODE, bytes.fromhex(code))
    for name in ("rax", "rsp", "rbp", "rsi", "r13"):
        set_register(cpu, name, address)
    reason = cpu.run(CODE, NOWHERE, 100)
    if address == (1 << 47) - 1 and code in ("50", "e800000000", "a4"):  # canonical to the last byte
        assert (reason.kind, reason.rip) == (StopKind.UNMAPPED, CODE)
    else:
        assert reason == StopReason(StopKind.FAULT, CODE, vector=vector)


def test_a_write_to_a_read_only_page_is_refused() -> None:
    cpu, end = cpu_with("mov [0x700000], rax")
    cpu.memory.map(Area(0x70_0000, 0x70_1000, Protection.READ, "constants"))
    assert cpu.run(CODE, end, 10).access == "write"


def test_a_jump_to_an_earlier_until_address_is_an_unmapped_fetch() -> None:
    cpu, _ = cpu_with("mov rax, 0x900000; jmp rax")
    assert cpu.run(CODE, 0x90_0000, 10).kind is StopKind.REACHED
    assert cpu.run(CODE, NOWHERE, 10).kind is StopKind.UNMAPPED


def test_an_exception_in_a_hook_is_raised_by_run() -> None:
    cpu, end = cpu_with("syscall; inc rax")

    def fail() -> None:
        raise KeyboardInterrupt

    cpu.on_syscall = fail
    with pytest.raises(KeyboardInterrupt):
        cpu.run(CODE, end, 10)
    assert get_register(cpu, "rax") == 0


def test_stop_ends_the_run_before_the_next_block() -> None:
    cpu, end = cpu_with("syscall; inc rax; jmp next; next: inc rax")
    cpu.on_syscall = cpu.stop
    reason = cpu.run(CODE, end, 10)
    assert (reason.kind, reason.rip) == (StopKind.STOPPED, CODE + SYSCALL_LENGTH)


def test_rip_in_a_syscall_hook_is_that_of_the_instruction() -> None:
    cpu, end = cpu_with("nop; syscall")
    seen: list[int] = []
    cpu.on_syscall = lambda: seen.append(cpu.registers.read(RIP))
    cpu.run(CODE, end, 10)
    assert seen == [CODE + 1]


def test_rip_written_in_a_syscall_hook_is_where_execution_goes_on() -> None:
    cpu, end = cpu_with("syscall; inc rax; inc rax; target: inc rbx")
    cpu.on_syscall = lambda: cpu.registers.write(RIP, CODE + 8)
    cpu.run(CODE, end, 10)
    assert (get_register(cpu, "rax"), get_register(cpu, "rbx")) == (0, 1)


def test_flags_in_a_syscall_hook_are_current_and_writable() -> None:
    cpu, end = cpu_with("xor eax, eax; syscall; jz end; inc rbx; end: nop")
    seen: list[int] = []

    def hook() -> None:
        seen.append(get_register(cpu, "rflags") & 0x40)
        set_register(cpu, "rflags", 0)

    cpu.on_syscall = hook
    cpu.run(CODE, end, 10)
    assert (seen, get_register(cpu, "rbx"), get_register(cpu, "rflags") & 2) == ([0x40], 1, 2)


def test_time_stamps_come_from_the_clock() -> None:
    cpu, end = cpu_with("rdtsc; mov rbx, rax; mov rsi, rdx; rdtscp")
    cpu.time_stamp.read = lambda: 0x1_2345_6789
    cpu.write_msr(msr.TSC_AUX, 3)
    cpu.run(CODE, end, 10)
    assert [get_register(cpu, name) for name in ("rbx", "rsi", "rax", "rdx", "rcx")] == [
        0x23456789,
        1,
        0x23456789,
        1,
        3,
    ]


def test_random_numbers_are_the_generators() -> None:
    cpu, reason = run("mov rbx, -1; mov rcx, -1; stc; rdrand rax; rdseed ebx; rdrand cx; nop")
    expected = random.Random("").getrandbits
    assert (reason.kind, cpu.executed) == (StopKind.REACHED, 7)
    values = expected(64), expected(32), 0xFFFF_FFFF_FFFF_0000 | expected(16)
    assert tuple(get_register(cpu, name) for name in ("rax", "rbx", "rcx")) == values
    assert get_register(cpu, "rflags") & 0x8D5 == 1


def test_random_numbers_of_a_bare_engine_are_undefined() -> None:
    engine = new_engine()
    engine.uc.mem_map(0, 0x1000)
    for code in ("48 0f c7 f0", "48 0f c7 f8"):
        engine.uc.mem_write(0, bytes.fromhex(code))
        engine.forget_all_code()
        assert engine.start(0, 4) == uc.UC_ERR_INSN_INVALID


@pytest.mark.parametrize("code", ["f3 0f c7 f0", "f3 0f c7 f8", "f2 0f c7 f0", "f0 0f c7 f0", "0f c7 30", "0f c7 38"])
def test_what_looks_like_rdrand_is_undefined(code: str) -> None:
    cpu, end = cpu_with("nop; nop; nop; nop")
    cpu.memory.write(CODE, bytes.fromhex(code))
    assert cpu.run(CODE, end, 10).kind is StopKind.INVALID


def test_a_random_number_is_stepped_over() -> None:
    cpu, end = cpu_with("pushfq; or dword ptr [rsp], 0x100; popfq; rdrand rax; nop")
    set_register(cpu, "rsp", DATA + 0x800)
    assert cpu.run(CODE, end, 10) == StopReason.trapped(end - 1, DebugStatus.BS)


def test_cpuid_announces_what_there_is() -> None:
    cpu, _ = run("mov eax, 7; xor ecx, ecx; cpuid; mov esi, ebx; mov eax, 1; cpuid")
    assert (get_register(cpu, "rcx"), get_register(cpu, "rdx")) == (FEATURES_1_ECX, FEATURES_1_EDX)
    assert get_register(cpu, "rsi") == FEATURES_7_EBX
    avx, rdrand, avx2 = 1 << 28, 1 << 30, 1 << 5
    assert (FEATURES_1_ECX & (avx | rdrand), FEATURES_7_EBX & avx2) == (rdrand, 0)


def test_leaf_1_is_the_emulators_with_rdrand() -> None:
    engine = Engine(x86.UC_CPU_X86_BROADWELL)
    engine.uc.mem_map(0, 0x1000)
    engine.uc.mem_write(0, bytes.fromhex("0fa2"))
    engine.set_register(x86.UC_X86_REG_CR4, 0x600)
    engine.set_register(x86.UC_X86_REG_RAX, 1)
    engine.start(0, 2)
    cpu, _ = run("mov eax, 1; cpuid")
    bare = [engine.read_register(getattr(x86, f"UC_X86_REG_{name.upper()}")) for name in ("rax", "rbx", "rcx", "rdx")]
    assert bare == [get_register(cpu, name) for name in ("rax", "rbx", "rcx", "rdx")]


def test_leaf_1_is_the_same_where_machine_code_passes_the_others() -> None:
    need_machine_code()
    cpu, _ = run("mov ebp, 100; again: mov eax, 1; cpuid; mov esi, ecx; xor eax, eax; cpuid; dec ebp; jnz again")
    assert (get_register(cpu, "rsi"), get_register(cpu, "rax")) == (FEATURES_1_ECX, 13)


@pytest.mark.parametrize("code", ["c4 e2 78 f2 c1", "c4 e2 73 f6 c1", "c4 e3 7b f0 c1 03", "c4 e2 f2 f7 c1"])
def test_bmi_instructions_are_counted(code: str, counting: str) -> None:
    cpu, end = cpu_with("; ".join(["nop"] * 40))
    cpu.memory.write(CODE, 3 * bytes.fromhex(code))
    assert cpu.run(CODE, end, 100).kind is StopKind.REACHED
    assert cpu.executed == 3 + 40 - 3 * len(bytes.fromhex(code))


def test_the_cases_of_bmi_that_the_emulator_has_wrong(counting: str) -> None:
    """pdep eax, ecx, edx; bzhi r8, rdx, rcx; blsi r9, rdx."""
    cpu, end = cpu_with("; ".join(["nop"] * 16))
    cpu.memory.write(CODE, bytes.fromhex("c4e273f5c2 c462f0f5c2 c4e2b0f3da") + b"\x90")
    set_register(cpu, "rcx", 0xFFFF_FFFF)
    set_register(cpu, "rdx", 0xF0F0_0000_0000_0F00)
    assert cpu.run(CODE, end, 100).kind is StopKind.REACHED
    assert [get_register(cpu, name) for name in ("rax", "r8", "r9")] == [0xF00, 0xF0F0_0000_0000_0F00, 0x100]
    assert (get_register(cpu, "rflags") & 0x8C1, cpu.executed) == (1, 4)


def test_sse_instructions_work() -> None:
    cpu, reason = run("mov rax, 7; movq xmm0, rax; paddq xmm0, xmm0; movq rax, xmm0")
    assert (reason.kind, get_register(cpu, "rax")) == (StopKind.REACHED, 14)


def test_kernel_addresses_can_be_mapped() -> None:
    cpu, end = cpu_with("mov rax, 0xfffff80000000008; mov rbx, [rax]")
    cpu.memory.map(Area(0xFFFF_F800_0000_0000, 0xFFFF_F800_0000_1000, Protection.READ, "kernel"))
    cpu.memory.write(0xFFFF_F800_0000_0008, b"\x55")
    assert cpu.run(CODE, end, 10).kind is StopKind.REACHED
    assert get_register(cpu, "rbx") == 0x55


def test_code_written_by_a_hook_is_what_runs_next() -> None:
    cpu, end = cpu_with("again: inc rbx; syscall; mov eax, 1; cmp rbx, 2; jb again")
    count: list[int] = []

    def patch_second_time() -> None:
        count.append(get_register(cpu, "rax"))
        if len(count) == 2:
            cpu.memory.write(CODE + 6, b"\x09")

    cpu.on_syscall = patch_second_time
    cpu.run(CODE, end, 100)
    assert (count, get_register(cpu, "rax")) == ([0, 1], 9)


def test_a_register_that_the_cpu_lacks_reads_zero() -> None:
    cpu, _ = cpu_with("nop")
    cpu.registers.write(1000, 5)
    assert cpu.registers.read(1000) == 0


@pytest.mark.parametrize("name", ["rax", "r15", "rflags", "cs", "ss", "ds", "cr2", "cr8", "dr0", "gdtr", "tr"])
def test_a_written_register_is_read_back(name: str) -> None:
    cpu, end = cpu_with("nop")
    set_register(cpu, name, 0x33 if len(name) == 2 else 0x202)
    expected = get_register(cpu, name)
    cpu.run(CODE, end, 10)
    assert get_register(cpu, name) == expected != 0


def test_a_selector_of_gs_needs_a_descriptor_table() -> None:
    cpu, _ = cpu_with("nop")
    set_register(cpu, "gs", 0x2B)
    assert get_register(cpu, "gs") == 0


@pytest.mark.parametrize("row", [row for row in msr.MSRS if row.number != msr.EFER], ids=lambda row: row.name)
def test_every_listed_msr_is_stored(row: msr.Msr) -> None:
    cpu, _ = cpu_with("nop")
    cpu.write_msr(row.number, 0x1000)
    assert cpu.read_msr(row.number) == 0x1000


def test_memory_beyond_the_quota_is_refused() -> None:
    with pytest.raises(MapError, match="max_guest_memory"):
        Cpu(AddressSpace(PhysicalMemory(0x2000).guests)).memory.map(Area(0x8000, 0xB000, Protection.ALL, "more"))


def test_unmapped_memory_can_be_mapped_again() -> None:
    cpu, _ = cpu_with("nop")
    cpu.memory.map(Area(0x70_0000, 0x70_1000, Protection.ALL, "once"))
    cpu.memory.write(0x70_0000, b"x")
    cpu.memory.unmap(0x70_0000, 0x70_1000)
    assert cpu.memory.read(0x70_0000, 1) is None
    cpu.memory.map(Area(0x70_0000, 0x70_1000, Protection.ALL, "twice"))
    assert cpu.memory.read(0x70_0000, 1) == b"\0"


def test_private_names_of_the_binding_are_there() -> None:
    engine = new_engine()
    assert engine.start(0, 0) in (uc.UC_ERR_OK, uc.UC_ERR_FETCH_UNMAPPED)


def test_hooks_outlive_a_garbage_collection() -> None:
    cpu, end = cpu_with("syscall")
    hits: list[int] = []
    cpu.on_syscall = lambda: hits.append(1)
    gc.collect()
    cpu.run(CODE, end, 10)
    assert hits == [1]


def test_nothing_can_be_written_to_code() -> None:
    cpu, _ = cpu_with("nop")
    assert cpu.memory.write(CODE, b"")


# --- hooks of addresses


def test_flags_written_at_a_hook_decide_the_next_branch() -> None:
    cpu, end = cpu_with("xor eax, eax; jne taken; inc rbx; taken: nop")
    calls: list[int] = []

    def clear_flags() -> None:
        calls.append(get_register(cpu, "rflags") & 0x40)
        set_register(cpu, "rflags", 2)

    cpu.hook_address(CODE + 2, clear_flags)
    cpu.run(CODE, end, 100)
    assert (calls, get_register(cpu, "rbx")) == ([0x40], 0)


def test_a_loop_of_one_instruction_calls_its_hook_each_time() -> None:
    cpu, end = cpu_with("again: loop again")
    calls: list[int] = []

    def change_flags() -> None:
        calls.append(1)
        set_register(cpu, "rflags", get_register(cpu, "rflags") ^ 1)

    cpu.hook_address(CODE, change_flags)
    set_register(cpu, "rcx", 4)
    cpu.run(CODE, end, 1000)
    assert len(calls) == 4


def patch(cpu: Cpu, address: int, code: bytes) -> None:
    assert cpu.memory.write(address, code)


def test_code_patched_in_its_own_block_by_a_hook_is_what_runs_next() -> None:
    cpu, end = cpu_with("nop; mov eax, 1; nop")
    cpu.hook_address(CODE, lambda: patch(cpu, CODE + 2, b"\x09"))
    cpu.run(CODE, end, 100)
    assert get_register(cpu, "rax") == 9


def test_every_hook_of_an_address_is_called_once_when_one_has_the_instruction_begun_anew() -> None:
    cpu, end = cpu_with("again: nop; nop; dec rcx; jnz again")
    calls: list[str] = []

    def change_code(name: str) -> None:
        calls.append(name)
        cpu.memory.write(CODE + 1, b"\x90")

    cpu.hook_address(CODE + 1, lambda: calls.append("first"))
    cpu.hook_address(CODE + 1, lambda: change_code("second"))
    cpu.hook_address(CODE + 1, lambda: calls.append("third"))
    cpu.hook_address(CODE + 1, lambda: change_code("fourth"))
    set_register(cpu, "rcx", 3)
    assert cpu.run(CODE, end, 100).kind is StopKind.REACHED
    assert calls == ["first", "second", "third", "fourth"] * 3


def test_after_a_stop_in_one_hook_of_an_address_the_next_run_calls_the_others() -> None:
    cpu, end = cpu_with("nop; inc rax")
    calls: list[str] = []

    def stop() -> None:
        calls.append("second")
        cpu.stop()

    cpu.hook_address(CODE + 1, lambda: calls.append("first"))
    cpu.hook_address(CODE + 1, stop)
    cpu.hook_address(CODE + 1, lambda: calls.append("third"))
    assert cpu.run(CODE, end, 100) == StopReason(StopKind.STOPPED, CODE + 1)
    assert calls == ["first", "second"]
    assert cpu.run(CODE + 1, end, 100).kind is StopKind.REACHED
    assert calls == ["first", "second", "third"]


def test_an_instruction_that_is_begun_anew_in_a_block_of_its_own_is_executed() -> None:
    cpu, _ = cpu_with("nop; nop; inc rax")
    for _ in range(2):
        cpu.hook_address(CODE + 1, lambda: patch(cpu, CODE + 1, b"\x90"))
    assert cpu.run(CODE + 1, CODE + 2, 100).kind is StopKind.REACHED
    assert cpu.executed == 1


def test_a_removed_hook_is_not_called() -> None:
    cpu, end = cpu_with("nop; nop")
    calls: list[int] = []
    hook = cpu.hook_address(CODE + 1, lambda: calls.append(1))
    cpu.run(CODE, end, 100)
    cpu.unhook(hook)
    cpu.run(CODE, end, 100)
    assert calls == [1]


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("by_itself", [False, True])
def test_a_hook_that_is_removed_is_called_no_more(by_itself: bool) -> None:
    """Its block was translated with it, and others jump there."""
    cpu, end = cpu_with("again: inc rax; mov [rbx], rax; inc rdx; dec rcx; jnz again; nop")
    set_register(cpu, "rbx", DATA)
    set_register(cpu, "rcx", 1000)
    calls: list[int] = []

    def called() -> None:
        calls.append(cpu.executed)
        if by_itself and len(calls) == 3:
            cpu.unhook(hook)

    hook = cpu.hook_address(CODE + 6, called)
    assert cpu.run(CODE, end, 15).kind is StopKind.BUDGET
    cpu.unhook(hook)
    assert cpu.run(CODE, end, 10_000).kind is StopKind.REACHED
    assert calls == [3, 8, 13]
    assert cpu.executed == 15 + 5 * 997 + 1


def test_an_exception_in_a_hook_of_an_address_is_raised_by_run() -> None:
    cpu, end = cpu_with("nop; inc rax")

    def fail() -> None:
        raise ZeroDivisionError

    cpu.hook_address(CODE + 1, fail)
    with pytest.raises(ZeroDivisionError):
        cpu.run(CODE, end, 100)
    assert get_register(cpu, "rax") == 0


def test_shared_memory_is_seen_by_two_cpus() -> None:
    source = PhysicalMemory(1 << 20).guests
    shared = SharedMemory(source)
    cpus = []
    for text in ("mov byte ptr [0x700000], 5", "mov al, [0x700000]"):
        cpu = Cpu(AddressSpace(source))
        cpu.memory.map(Area(CODE, CODE + 0x1000, Protection.ALL, "code"))
        cpu.memory.map(Area(0x70_0000, 0x70_1000, Protection.READ | Protection.WRITE, "shared", backing=shared))
        code = assemble(text, address=CODE).code
        cpu.memory.write(CODE, code)
        cpu.run(CODE, CODE + len(code), 10)
        cpus.append(cpu)
    first, second = cpus
    assert get_register(second, "rax") == 5
    first.memory.unmap(0x70_0000, 0x70_1000)
    assert first.memory.read(0x70_0000, 1) is None
    assert second.memory.read(0x70_0000, 1) == b"\x05"


def test_machine_code_reads_the_clock_as_python_does(monkeypatch: pytest.MonkeyPatch) -> None:
    need_machine_code()
    read = "rdtsc; imul r8, r8, 7; add r8, rax; rdtscp; add r8, rcx; add r9, rax"
    compiled, seen = mock.Mock(wraps=instruction_hooks.compiled), []
    monkeypatch.setattr("machine.processor.block_hook.is_compiled", lambda: True)
    for answer in (compiled, lambda: None):
        monkeypatch.setattr(instruction_hooks, "compiled", answer)
        machine = Machine(FunctionEngine(), MachineOptions(kernel="bare"))
        for _ in range(2):
            machine.load(f"mov ebx, 100; again: {read}; dec ebx; jnz again".encode(), "asm")
        machine.clock.sleep(5)
        machine.run()
        seen.append([[process.cpu.registers.read(number) for number in range(16)] for process in machine.processes])
        assert machine.clock.elapsed() > 2 * 200 + 5000
    assert seen[0] == seen[1]
    assert compiled.call_count == 2


def test_machine_code_lets_the_kernel_use_ports_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    need_machine_code()
    monkeypatch.setattr("machine.processor.block_hook.is_compiled", lambda: True)
    cpu, end = cpu_with(
        "mov ecx, 100; again: out 0x60, al; xor eax, eax; in eax, 0x60; dec ecx; jnz again; mov ebx, eax"
    )
    for _ in range(2):
        assert cpu.run(CODE, end, 1000).kind is StopKind.REACHED
        assert get_register(cpu, "rbx") == 0xFFFF_FFFF
    assert cpu.ports.native is not None
    for instruction in ("in al, 0x60", "out 0x60, al"):
        cpu.memory.write(CODE, assemble(instruction, address=CODE).code)
        cpu.privilege_level = 3
        reason = cpu.run(CODE, end, 1000)
        assert (reason.kind, reason.vector, reason.rip) == (StopKind.FAULT, 13, CODE)


@pytest.mark.parametrize(
    "text", ["divsd xmm0, xmm1", "mov eax, 3; cvtsi2sd xmm1, eax; mov eax, 1; cvtsi2sd xmm0, eax; divsd xmm0, xmm1"]
)
def test_the_emulator_sets_no_flag_of_mxcsr(text: str) -> None:
    """Where it begins to (IE of 0/0, PE of 1/3), docs/processor.md is to say so."""
    cpu, end = cpu_with(f"{text}; stmxcsr [{DATA:#x}]")
    assert cpu.run(CODE, end, 100).kind is StopKind.REACHED
    assert cpu.memory.read(DATA, 4) == (0x1F80).to_bytes(4, "little")
