"""Privilege levels: what code of level 3 may not do, what it may load into segment registers, whose pages it sees.

Expected values: the Intel SDM, and the same instructions in a Linux process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from carrier_worlds import without_window
from machine_guests import CODE, DATA, get_register

from machine.kernel.builds import DEFAULT_BUILD, PROCESSOR_BASE
from machine.kernel.objects import KernelObjects
from machine.memory import AddressSpace, Area, PhysicalMemory, Protection
from machine.processor import descriptors
from machine.processor.cpu import Cpu
from machine.processor.fault import PageFault, Vector, name_of
from machine.processor.run_state import StopKind, StopReason
from machine.root.assembler import assemble
from vm.facts.registers import STORAGE_INDEX

USER, KERNEL = descriptors.USER_LEVEL, descriptors.KERNEL_LEVEL
STACK = DATA + 0x800
KERNEL_PAGE = 0xFFFF_F805_0000_0000

PRIVILEGED = {
    "cli": "fa", "sti": "fb", "hlt": "f4", "rdmsr": "0f32", "wrmsr": "0f30", "rdpmc": "0f33", "clts": "0f06",
    "in al, dx": "ec", "in eax, dx": "ed", "in al, 60": "e460", "out dx, al": "ee", "out 80, eax": "e780", "insb": "6c",
    "outsd": "6f", "rep outsb": "f36e", "rep insw": "66f36d", "mov rax, cr0": "0f20c0", "mov rax, cr8": "440f20c0",
    "mov cr0, rax": "0f22c0", "mov cr3, rax": "0f22d8", "mov rax, dr7": "0f21f8", "mov dr7, rax": "0f23f8",
    "lgdt [rsp]": "0f011424", "lidt [rsp]": "0f011c24", "lldt ax": "0f00d0", "ltr ax": "0f00d8", "lmsw ax": "0f01f0",
    "invlpg [rsp]": "0f013c24", "invd": "0f08", "wbinvd": "0f09", "swapgs": "0f01f8", "sysretq": "480f07",
    "sysret": "0f07", "sysexit": "0f35", "sysenter": "0f34", "xsetbv": "0f01d1",
}  # fmt: skip
HARMLESS = {
    "rdtsc": "0f31", "cpuid": "0fa2", "sgdt [rsp]": "0f010424", "sidt [rsp]": "0f010c24", "smsw eax": "0f01e0",
    "str ax": "0f00c8", "sldt ax": "0f00c0", "pushfq; popfq": "9c9d", "xor eax, eax; mov ds, ax": "31c08ed8",
    "mov ax, ss; mov ss, ax": "668cd08ed0", "mov ax, 2b; mov ds, ax": "66b82b008ed8",
    "mov ax, 2b; mov gs, ax": "66b82b008ee8", "syscall": "0f05",
}  # fmt: skip


@pytest.fixture(params=("in place", "copied"), autouse=True)
def window(request: pytest.FixtureRequest) -> Iterator[None]:
    with nullcontext() if request.param == "in place" else without_window():
        yield


def cpu_at(level: int, code: bytes | str) -> tuple[Cpu, int]:
    """A CPU on a level with code at CODE, a stack in DATA, and a page of the kernel; the address behind the code."""
    physical = PhysicalMemory(1 << 22, 1 << 20)
    memory = AddressSpace(physical.guests)
    KernelObjects(physical.kernel, DEFAULT_BUILD, 1).show_in(memory)
    cpu = Cpu(memory, level)
    data = assemble(code, address=CODE).code if isinstance(code, str) else code
    memory.map(Area(CODE, CODE + 0x1000, Protection.READ | Protection.EXECUTE, "code"))
    memory.map(Area(DATA, DATA + 0x1000, Protection.READ | Protection.WRITE, "data"))
    memory.map(Area(KERNEL_PAGE, KERNEL_PAGE + 0x1000, Protection.ALL, "kernel", supervisor=True))
    memory.write(CODE, data + b"\x90" * 16)
    for name, value in {"rsp": STACK, "rsi": DATA, "rdi": DATA, "rcx": 3, "rax": 0x1122_3344_5566_7788}.items():
        cpu.registers.write(STORAGE_INDEX[name], value)
    return cpu, CODE + len(data)


def run(cpu: Cpu, until: int) -> StopReason:
    return cpu.run(CODE, until, 100)


def test_a_program_begins_on_its_level_with_the_selectors_of_a_descriptor_table() -> None:
    for level, selectors in ((KERNEL, (0x10, 0x18)), (USER, (0x33, 0x2B))):
        cpu, end = cpu_at(level, "nop")
        assert (cpu.privilege_level, cpu.home_level) == (level, level)
        assert run(cpu, end).kind is StopKind.REACHED
        assert (get_register(cpu, "cs"), get_register(cpu, "ss")) == selectors


@pytest.mark.parametrize("name", PRIVILEGED)
def test_code_of_level_3_is_refused_and_nothing_has_happened(name: str) -> None:
    cpu, end = cpu_at(USER, bytes.fromhex(PRIVILEGED[name]))
    before = cpu.registers.general()
    reason = run(cpu, end)
    assert (reason.kind, reason.vector, reason.rip, reason.error) == (StopKind.FAULT, Vector.GP, CODE, 0)
    assert (cpu.registers.general(), get_register(cpu, "rip")) == (before, CODE)


@pytest.mark.parametrize("name", HARMLESS)
def test_others_are_no_matter_of_the_level(name: str) -> None:
    cpu, end = cpu_at(USER, bytes.fromhex(HARMLESS[name]))
    assert run(cpu, end).kind is StopKind.REACHED


@pytest.mark.parametrize(
    "name", [name for name in PRIVILEGED if name[:3] in ("cli", "sti", "in ", "out", "rdm", "mov")]
)
def test_code_of_level_0_may(name: str) -> None:
    cpu, end = cpu_at(KERNEL, bytes.fromhex(PRIVILEGED[name]))
    cpu.registers.write(STORAGE_INDEX["rax"], 0x11)
    assert run(cpu, end).kind is StopKind.REACHED


def test_iopl_3_opens_ports() -> None:
    cpu, end = cpu_at(USER, bytes.fromhex("ec"))
    cpu.registers.write(STORAGE_INDEX["rflags"], 0x3202)
    assert run(cpu, end).kind is StopKind.REACHED
    assert get_register(cpu, "rax") == 0x1122_3344_5566_77FF


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("mov eax, 0x10; mov ds, ax", 0x10),
        ("mov eax, 0x18; mov ss, ax", 0x18),
        ("xor eax, eax; mov ss, ax", 0),
        ("mov eax, 0x100; mov es, ax", 0x100),
        ("mov eax, 0x33; mov ss, ax", 0x30),
    ],
)
def test_a_segment_that_level_3_may_not_load_is_named_by_the_error_code(text: str, error: int) -> None:
    cpu, end = cpu_at(USER, text)
    reason = run(cpu, end)
    assert (reason.vector, reason.error) == (Vector.GP, error)
    assert reason.rip == end - 3  # with a prefix


@pytest.mark.parametrize("far", ["retfq", "iretq"])
def test_far_returns_to_the_same_level(far: str) -> None:
    frame = "push 0x2b; push rcx; push 0x202; " if far == "iretq" else ""
    code = bytes.fromhex("48cf" if far == "iretq" else "48cb")
    head = assemble(
        f"mov rcx, rsp; lea rax, [rip + TARGET]; {frame}push 0x33; push rax".replace("TARGET", "0"), address=CODE
    ).code
    distance = len(head) + len(code) - (3 + 7)  # from behind the LEA to behind the far return
    head = assemble(
        f"mov rcx, rsp; lea rax, [rip + {distance}]; {frame}push 0x33; push rax", address=CODE, radix=10
    ).code
    cpu, end = cpu_at(USER, head + code)
    assert run(cpu, end).kind is StopKind.REACHED
    assert [get_register(cpu, name) for name in ("cs", "ss", "rsp")] == [0x33, 0x2B, STACK]


@pytest.mark.parametrize(
    ("text", "access", "code"),
    [
        ("mov rax, [rbx]", "read", PageFault.USER),
        ("mov [rbx], rax", "write", PageFault.USER | PageFault.WRITE),
        ("inc qword ptr [rbx]", None, PageFault.USER | PageFault.WRITE),
        ("jmp rbx", "fetch", PageFault.USER | PageFault.FETCH),
    ],
)
def test_pages_of_the_kernel_are_not_for_level_3(text: str, access: str | None, code: PageFault) -> None:
    cpu, end = cpu_at(USER, text)
    for touched in (False, True):
        cpu.registers.write(STORAGE_INDEX["rbx"], KERNEL_PAGE + 8)
        reason = run(cpu, end)
        assert (reason.kind, reason.address, reason.error) == (StopKind.UNMAPPED, KERNEL_PAGE + 8, code | touched)
        assert access in (None, reason.access)
        assert cpu.memory.write(KERNEL_PAGE + 8, b"\x90" * 8)  # the debugger may


def test_pages_of_the_kernel_are_for_level_0() -> None:
    cpu, end = cpu_at(KERNEL, "mov [rbx], rax; mov rdx, [rbx]")
    cpu.registers.write(STORAGE_INDEX["rbx"], KERNEL_PAGE)
    assert run(cpu, end).kind is StopKind.REACHED
    assert get_register(cpu, "rdx") == 0x1122_3344_5566_7788


def test_what_level_0_has_touched_is_still_not_for_level_3() -> None:
    cpu, end = cpu_at(KERNEL, "mov [rbx], rax; mov rdx, [rbx]")
    for level, kind in ((KERNEL, StopKind.REACHED), (USER, StopKind.UNMAPPED), (KERNEL, StopKind.REACHED)):
        cpu.privilege_level = level
        cpu.registers.write(STORAGE_INDEX["rbx"], KERNEL_PAGE)
        assert run(cpu, end).kind is kind
    assert cpu.memory.area_at(PROCESSOR_BASE) is not None


def test_the_page_of_descriptors_is_the_exception_and_can_only_be_read() -> None:
    for text, kind in (("mov rax, [rbx]", StopKind.REACHED), ("mov [rbx], rax", StopKind.UNMAPPED)):
        cpu, end = cpu_at(USER, text)
        cpu.registers.write(STORAGE_INDEX["rbx"], descriptors.TABLE_AT)
        assert run(cpu, end).kind is kind


def test_page_faults_have_the_error_code_of_the_processor() -> None:
    for address, protection, code in (
        (CODE, Protection.READ, PageFault.PRESENT | PageFault.WRITE | PageFault.USER),
        (0x10_0000, Protection.NONE, PageFault.WRITE | PageFault.USER),
    ):
        cpu, end = cpu_at(USER, "mov [rbx], rax")
        cpu.registers.write(STORAGE_INDEX["rbx"], address)
        reason = run(cpu, end)
        assert (reason.kind, reason.error, reason.address) == (StopKind.UNMAPPED, code, address), protection


@pytest.mark.parametrize(
    ("code", "vector", "rip", "error"),
    [
        ("cc", Vector.BP, 1, 0),
        ("cd03", Vector.BP, 2, 0),
        ("cd80", Vector.GP, 0, 0x402),
        ("cd0d", Vector.GP, 0, 0x6A),
        ("f1", Vector.DB, 1, 0),
        ("0f0b", Vector.UD, 0, 0),
        ("31c9f7f1", Vector.DE, 2, 0),
    ],
)
def test_software_interrupts_pass_the_gates_of_level_3_only(code: str, vector: int, rip: int, error: int) -> None:
    cpu, end = cpu_at(USER, bytes.fromhex(code))
    fault = run(cpu, end).fault
    assert fault is not None
    assert (fault.vector, fault.rip - CODE, fault.error) == (vector, rip, error)


def test_a_kernel_opens_gates() -> None:
    cpu, end = cpu_at(USER, bytes.fromhex("cd80"))
    cpu.exceptions.open_vectors = frozenset((0x80,))
    reason = run(cpu, end)
    assert (reason.vector, reason.rip) == (0x80, CODE + 2)


def test_a_second_fault_is_reported_like_the_first_on_every_level() -> None:
    cpu, end = cpu_at(USER, bytes.fromhex("f4"))
    assert [run(cpu, end).vector for _ in range(3)] == [Vector.GP] * 3
    assert cpu.privilege_level == USER


def test_vectors_have_the_names_of_the_manual() -> None:
    assert [name_of(vector) for vector in (0, 13, 14, 0x80)] == ["#DE", "#GP", "#PF", "interrupt 80"]
