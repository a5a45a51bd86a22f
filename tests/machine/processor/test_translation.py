"""The emulator's TLB, answered by machine code and in Python: what is refused or translated anew, what it costs."""

from __future__ import annotations

import time

import pytest
from engines import need_machine_code
from machine_guests import get_register, set_register

from machine.memory import PAGE, AddressSpace, Area, PhysicalMemory, Protection, SharedMemory
from machine.processor import Cpu, StopKind, block_hook
from machine.root.assembler import assemble

CODE, DATA, OTHER = 0x40_0000, 0x60_0000, 0x70_0000
KERNEL = 0xFFFF_F800_0000_0000
NOWHERE = 0x7FFF_0000_0000
READ_WRITE, READ_EXECUTE = Protection.READ | Protection.WRITE, Protection.READ | Protection.EXECUTE


@pytest.fixture(params=["machine code", "Python"])
def cpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Cpu:
    """A CPU with a page to execute at CODE and one to write at DATA."""
    if request.param == "machine code":
        need_machine_code()
        import vm.native.jit  # noqa: F401 - machine code is used from the start where it is loaded
    else:
        monkeypatch.setattr(block_hook, "is_compiled", lambda: False)
    cpu = Cpu(AddressSpace(PhysicalMemory(1 << 20).guests))
    cpu.memory.map(Area(CODE, CODE + PAGE, READ_EXECUTE, "code"))
    cpu.memory.map(Area(DATA, DATA + PAGE, READ_WRITE, "data"))
    return cpu


def put(cpu: Cpu, text: str, at: int = CODE) -> int:
    """Write code; the address behind it."""
    code = assemble(text, address=at).code
    assert cpu.memory.write(at, code)
    return at + len(code)


def run(cpu: Cpu, start: int = CODE, until: int = NOWHERE) -> tuple[StopKind, int, int | None, str | None]:
    reason = cpu.run(start, until, 10_000)
    return reason.kind, reason.rip, reason.address, reason.access


@pytest.mark.parametrize(
    ("text", "rights", "access"),
    [
        ("mov [rbx], rcx", Protection.READ, "write"),
        ("mov rcx, [rbx]", Protection.NONE, "read"),
        ("mov [rbx], rcx", Protection.NONE, "write"),
        ("add [rbx], rcx", Protection.READ, "write"),
        ("jmp rbx", READ_WRITE, "fetch"),
    ],
)
def test_what_a_page_does_not_allow_is_refused(cpu: Cpu, text: str, rights: Protection, access: str) -> None:
    cpu.memory.map(Area(OTHER, OTHER + PAGE, rights, "other"))
    end = put(cpu, text)
    set_register(cpu, "rbx", OTHER)
    set_register(cpu, "rcx", 7)
    rip = OTHER if access == "fetch" else CODE
    assert run(cpu) == (StopKind.UNMAPPED, rip, OTHER, access)
    assert get_register(cpu, "rcx") == 7
    cpu.memory.protect(OTHER, OTHER + PAGE, Protection.ALL)
    if access != "fetch":
        assert run(cpu, until=end)[0] is StopKind.REACHED


def test_a_refused_store_across_pages_has_written_nothing(cpu: Cpu) -> None:
    put(cpu, "mov [rbx], rcx")
    set_register(cpu, "rbx", DATA + PAGE - 4)
    set_register(cpu, "rcx", (1 << 64) - 1)
    kind, rip, address, _ = run(cpu)
    assert (kind, rip, address) == (StopKind.UNMAPPED, CODE, DATA + PAGE)
    assert cpu.memory.read(DATA + PAGE - 4, 4) == bytes(4)


def test_what_stands_before_an_instruction_that_cannot_be_fetched_is_executed(cpu: Cpu) -> None:
    start = CODE + PAGE - 5
    assert cpu.memory.write(start, b"\xb1\x05\x48\xb8\x01")  # mov cl, 5; the beginning of mov rax, imm64
    assert run(cpu, start) == (StopKind.UNMAPPED, start + 2, CODE + PAGE, "fetch")
    assert get_register(cpu, "rcx") == 5
    assert cpu.executed == 1


def test_addresses_have_64_bits(cpu: Cpu) -> None:
    cpu.memory.map(Area(KERNEL, KERNEL + PAGE, READ_WRITE, "kernel"))
    end = put(cpu, "mov [rbx], rcx; mov rdx, [rbx]")
    set_register(cpu, "rbx", KERNEL + 8)
    set_register(cpu, "rcx", 0x1234)
    assert run(cpu, until=end)[0] is StopKind.REACHED
    assert (get_register(cpu, "rdx"), cpu.memory.read(KERNEL + 8, 2)) == (0x1234, b"\x34\x12")
    set_register(cpu, "rbx", KERNEL & (1 << 52) - 1)
    assert run(cpu)[0] is StopKind.FAULT  # not canonical: #GP
    set_register(cpu, "rbx", KERNEL - PAGE)
    assert run(cpu)[2] == KERNEL - PAGE


def test_memory_that_is_used_up_ends_the_run(cpu: Cpu) -> None:
    cpu.memory.map(Area(OTHER, OTHER + (1 << 20), READ_WRITE, "more than there is"))
    put(cpu, "mov [rbx], rbx")
    kind = StopKind.REACHED
    for page in range(256):
        set_register(cpu, "rbx", OTHER + page * PAGE)
        kind = run(cpu, until=CODE + 3)[0]
        if kind is not StopKind.REACHED:
            break
    assert kind is StopKind.MEMORY


# --- code that changes


def adds(value: int) -> str:
    return f"add rax, {value}; ret"


def call(cpu: Cpu, target: int) -> int:
    """What a function adds to rax."""
    caller = CODE + 0x800
    cpu.memory.write(caller, b"\xff\xd2")  # call rdx
    set_register(cpu, "rax", 0)
    set_register(cpu, "rdx", target)
    set_register(cpu, "rsp", DATA + 0x800)
    assert run(cpu, caller, caller + 2)[0] is StopKind.REACHED
    return get_register(cpu, "rax")


def guest_writes(cpu: Cpu, text: str, target: int, as_at: int | None = None) -> None:
    """Have the guest itself write code, byte by byte."""
    code = assemble(text, address=target if as_at is None else as_at).code
    stores = "; ".join(f"mov byte ptr [rdi+{index}], {byte}" for index, byte in enumerate(code))
    writer = CODE + 0xA00
    end = put(cpu, stores, writer)
    set_register(cpu, "rdi", target)
    assert run(cpu, writer, end)[0] is StopKind.REACHED


def test_code_that_the_guest_writes_again_is_translated_again(cpu: Cpu) -> None:
    cpu.memory.map(Area(OTHER, OTHER + PAGE, Protection.ALL, "both"))
    for value in (1, 2, 3):
        for place in (OTHER, OTHER + 0x40, OTHER + 0xF00):
            guest_writes(cpu, adds(value), place)
            assert call(cpu, place) == value
    assert [call(cpu, place) for place in (OTHER, OTHER + 0x40)] == [3, 3]


def test_code_that_is_written_under_another_address_is_translated_again(cpu: Cpu) -> None:
    shared = SharedMemory(cpu.memory.source)
    cpu.memory.map(Area(OTHER, OTHER + PAGE, READ_EXECUTE, "code", backing=shared))
    cpu.memory.map(Area(OTHER + 0x1_0000, OTHER + 0x1_0000 + PAGE, READ_WRITE, "alias", backing=shared))
    alias = OTHER + 0x1_0000
    for value in (1, 2, 3):
        for offset in (0, 0x40, 0xF00):
            guest_writes(cpu, adds(value), alias + offset)
            assert call(cpu, OTHER + offset) == value
        for offset in (0, 0x40, 0xF00):
            assert cpu.memory.write(alias + offset, assemble(adds(value + 10)).code)
            assert call(cpu, OTHER + offset) == value + 10


def test_a_compiler_that_switches_between_writing_and_executing(cpu: Cpu) -> None:
    cpu.memory.map(Area(OTHER, OTHER + PAGE, READ_WRITE, "code"))
    for value in (1, 2, 3):
        cpu.memory.protect(OTHER, OTHER + PAGE, READ_WRITE)
        for offset in (0, 0x40):
            guest_writes(cpu, adds(value + offset), OTHER + offset)
        cpu.memory.protect(OTHER, OTHER + PAGE, READ_EXECUTE)
        assert [call(cpu, OTHER + offset) for offset in (0, 0x40)] == [value, value + 0x40]


def test_other_code_at_the_same_address(cpu: Cpu) -> None:
    for value in (1, 2, 3):
        cpu.memory.map(Area(OTHER, OTHER + PAGE, READ_EXECUTE, "code"))
        assert cpu.memory.write(OTHER, assemble(adds(value)).code)
        assert call(cpu, OTHER) == value
        cpu.memory.unmap(OTHER, OTHER + PAGE)


def test_code_that_moves(cpu: Cpu) -> None:
    cpu.memory.map(Area(OTHER, OTHER + PAGE, READ_EXECUTE, "code"))
    assert cpu.memory.write(OTHER, assemble(adds(5)).code)
    assert call(cpu, OTHER) == 5
    cpu.memory.move(OTHER, PAGE, OTHER + 0x1_0000)
    assert call(cpu, OTHER + 0x1_0000) == 5
    set_register(cpu, "rdx", OTHER)
    assert run(cpu, CODE + 0x800)[0] is StopKind.UNMAPPED


def test_rights_that_are_taken_in_a_hook_count_from_the_next_instruction(cpu: Cpu) -> None:
    end = put(cpu, "mov [rbx], rcx; syscall; mov [rbx], rdx")
    set_register(cpu, "rbx", DATA)
    set_register(cpu, "rcx", 1)
    set_register(cpu, "rdx", 2)
    cpu.on_syscall = lambda: cpu.memory.protect(DATA, DATA + PAGE, Protection.READ)
    kind, rip, _, access = run(cpu, until=end)
    assert (kind, rip, access) == (StopKind.UNMAPPED, end - 3, "write")
    assert cpu.memory.read(DATA, 1) == b"\1"


# --- what it costs


def test_a_store_costs_about_what_a_load_costs() -> None:
    need_machine_code()
    import vm.native.jit  # noqa: F401 - machine code is used from the start

    cpu = Cpu(AddressSpace(PhysicalMemory(1 << 20).guests))
    cpu.memory.map(Area(CODE, CODE + PAGE, READ_EXECUTE, "code"))
    cpu.memory.map(Area(DATA, DATA + PAGE, READ_WRITE, "data"))
    set_register(cpu, "rbx", DATA)

    def seconds(access: str) -> float:
        loop = "; ".join([access] * 16)
        start = CODE + 0x100
        end = put(cpu, f"{loop}; dec rcx; jnz {start:#x}", start)
        set_register(cpu, "rcx", 40_000)
        begin = time.process_time()
        assert cpu.run(start, end, 10_000_000).kind is StopKind.REACHED
        return time.process_time() - begin

    pairs = [(seconds("mov rax, [rbx]"), seconds("mov [rbx], rax")) for _ in range(7)]
    assert min(store / load for load, store in pairs) <= 3


def test_a_guest_that_uses_many_pages_gets_a_larger_tlb() -> None:
    need_machine_code()
    import vm.native.jit  # noqa: F401 - machine code is used from the start

    pages = 1024
    cpu = Cpu(AddressSpace(PhysicalMemory(2 * pages * PAGE).guests))
    cpu.memory.map(Area(CODE, CODE + PAGE, READ_EXECUTE, "code"))
    cpu.memory.map(Area(OTHER, OTHER + pages * PAGE, READ_WRITE, "many"))
    page = f"mov rbx, {OTHER}; mov ecx, {pages}; page: mov rax, [rbx]; add rbx, {PAGE}; dec ecx; jnz page"
    end = put(cpu, f"pass: {page}; dec rdx; jnz pass")

    def seconds(passes: int) -> float:
        set_register(cpu, "rdx", passes)
        begin = time.process_time()
        assert cpu.run(CODE, end, 10_000_000).kind is StopKind.REACHED
        return time.process_time() - begin

    seconds(1)  # the pages get their memory
    at_first = seconds(64)
    assert min(seconds(64) for _ in range(8)) < at_first / 3
