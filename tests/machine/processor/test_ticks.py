"""The count of instructions is exact to the instruction: in hooks, behind faults, and where one is begun anew."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, example, given, settings, strategies as st
from machine_guests import CODE, DATA, cpu_with, get_register, set_register

from machine.memory import AddressSpace, Area, PhysicalMemory, Protection
from machine.processor import Cpu, StopKind, StopReason, block_decoder, block_hook
from machine.processor.block_decoder import BlockDecoder
from machine.processor.bmi import WRONG
from machine.processor.decoders import decoder
from vm.facts.registers import RFLAGS, RIP

CARRY = 1
NOWHERE = 0xFFFF_FFFF_FFFF_FFFF


def hooked(cpu: Cpu, *offsets: int) -> list[int]:
    """The ticks of hooks at these offsets, in the order of their calls."""
    ticks: list[int] = []
    for offset in offsets:
        cpu.hook_address(CODE + offset, lambda: ticks.append(cpu.executed))
    return ticks


@pytest.mark.usefixtures("counting")
def test_hooks_within_one_block_count_up_to_their_own_instruction() -> None:
    cpu, end = cpu_with("mov eax, 39; nop; mov rbx, 1; nop; nop; nop; inc rax")
    ticks = hooked(cpu, 0, 6, 14, 16)
    cpu.run(CODE, end, 100)
    assert (ticks, cpu.executed) == ([1, 3, 5, 7], 7)


@pytest.mark.usefixtures("counting")
def test_a_jump_into_the_middle_of_the_block_before_counts_that_whole() -> None:
    cpu, end = cpu_with("mov rcx, 3; again: nop; dec rcx; jnz again")
    ticks = hooked(cpu, 8)
    cpu.run(CODE, end, 100)
    assert (ticks, cpu.executed) == ([3, 6, 9], 10)


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize(
    ("text", "executed"),
    [
        ("xor ecx, ecx; div ecx; nop; nop; nop; nop", 1),
        ("nop; nop; mov rax, [0x123456]; nop", 2),
        ("nop; nop; mov [0x123456], rax; nop", 2),
        ("nop; ud2; nop", 1),
        ("nop; jmp 0x123456; nop", 2),
        ("nop; int3; nop", 2),
        ("nop; hlt; nop", 2),
        ("mov rsp, 16; nop; push rax; nop", 2),
        ("mov rcx, 9; mov rdi, 0x600ffd; rep stosb; nop", 2 + 3),  # three bytes of the page are left
        ("nop; jmp far; nop; far: ud2", 2),
    ],
)
def test_a_fault_counts_what_was_executed(text: str, executed: int) -> None:
    cpu, end = cpu_with(text)
    reason = cpu.run(CODE, end, 100)
    assert reason.kind in (StopKind.FAULT, StopKind.UNMAPPED, StopKind.INVALID, StopKind.HALT)
    assert cpu.executed == executed


@pytest.mark.usefixtures("counting")
def test_a_fault_that_is_mended_counts_nothing_twice() -> None:
    cpu, end = cpu_with("mov rbx, 0x700000; nop; mov rax, [rbx]; nop; mov [rbx+0x1000], rax; nop")
    ticks = hooked(cpu, 7, 8, 11, 12)
    faults = []
    where = CODE
    while (reason := cpu.run(where, end, 100)).kind is StopKind.UNMAPPED:
        faults.append(cpu.executed)
        assert reason.address is not None
        cpu.memory.map(Area(reason.address, reason.address + 0x1000, Protection.READ | Protection.WRITE, "mended"))
        where = reason.rip
    assert reason.kind is StopKind.REACHED
    assert (faults, ticks, cpu.executed) == ([2, 4], [2, 3, 3, 4, 5, 5], 6)


@pytest.mark.usefixtures("counting")
def test_a_repeated_instruction_that_is_mended_counts_each_iteration_once() -> None:
    cpu, end = cpu_with("mov rcx, 6; mov rdi, 0x600ffd; rep stosb; nop")
    reason = cpu.run(CODE, end, 100)
    assert (reason.kind, cpu.executed) == (StopKind.UNMAPPED, 2 + 3)
    cpu.memory.map(Area(0x60_1000, 0x60_2000, Protection.READ | Protection.WRITE, "mended"))
    assert cpu.run(reason.rip, end, 100).kind is StopKind.REACHED
    assert cpu.executed == 2 + 6 + 1 + 1


@pytest.mark.usefixtures("counting")
def test_an_instruction_that_is_begun_anew_counts_once() -> None:
    cpu, end = cpu_with("nop; nop; mov rax, 0; adc rax, 0; nop")
    ticks: list[int] = []

    def set_carry() -> None:
        ticks.append(cpu.executed)
        cpu.registers.write(RFLAGS, cpu.registers.read(RFLAGS) | CARRY)

    cpu.hook_address(CODE + 9, set_carry)
    after = hooked(cpu, 9, 13)
    cpu.run(CODE, end, 100)
    assert get_register(cpu, "rax") == 1
    assert (ticks, after, cpu.executed) == ([4], [4, 5], 5)


@pytest.mark.usefixtures("counting")
def test_an_instruction_whose_place_a_hook_takes_counts() -> None:
    cpu, end = cpu_with("nop; inc rax; inc rax; inc rax; nop")
    ticks: list[int] = []

    def skip() -> None:
        ticks.append(cpu.executed)
        cpu.registers.write(RIP, CODE + 7)

    cpu.hook_address(CODE + 1, skip)
    after = hooked(cpu, 7)
    cpu.run(CODE, end, 100)
    assert (ticks, after, get_register(cpu, "rax"), cpu.executed) == ([2], [3], 1, 4)


@pytest.mark.usefixtures("counting")
def test_a_stop_counts_what_was_executed() -> None:
    cpu, end = cpu_with("nop; nop; inc rax; nop")
    cpu.hook_address(CODE + 2, cpu.stop)
    assert cpu.run(CODE, end, 100).kind is StopKind.STOPPED
    assert cpu.executed == 2
    assert cpu.run(CODE + 2, end, 100).kind is StopKind.REACHED
    assert cpu.executed == 4


@pytest.mark.usefixtures("counting")
def test_a_stop_before_a_jump_into_the_last_block_counts_that_whole() -> None:
    cpu, end = cpu_with("mov rcx, 3; again: rdtsc; dec rcx; jnz again")

    def stop() -> int:
        cpu.stop()
        return 0

    cpu.time_stamp.read = stop
    reason = cpu.run(CODE, end, 100)
    assert (reason.kind, reason.rip, cpu.executed) == (StopKind.STOPPED, CODE + 7, 4)


@pytest.mark.usefixtures("counting")
def test_an_exception_while_the_time_is_read_counts_the_block_that_is_executed_to_its_end() -> None:
    cpu, end = cpu_with("mov rcx, 3; again: rdtsc; dec rcx; jnz again")

    def fail() -> int:
        raise ValueError("the clock is gone")

    cpu.time_stamp.read = fail
    with pytest.raises(ValueError, match="gone"):
        cpu.run(CODE, end, 100)
    assert (cpu.executed, get_register(cpu, "rcx")) == (4, 2)


@pytest.mark.usefixtures("counting")
def test_the_time_stamp_counts_up_to_its_own_instruction() -> None:
    cpu, end = cpu_with("nop; rdtsc; mov rbx, rax; nop; rdtscp; nop; nop")
    cpu.run(CODE, end, 100)
    assert (get_register(cpu, "rbx"), get_register(cpu, "rax")) == (2, 5)


@pytest.mark.usefixtures("counting")
def test_a_hook_that_rewrites_the_code_before_it_counts_what_was_executed() -> None:
    cpu, end = cpu_with("xchg ax, ax; nop; inc rax; nop")  # two bytes, and one

    def rewrite() -> None:
        cpu.memory.write(CODE, b"\x90\x90\x90")

    cpu.hook_address(CODE + 3, rewrite)
    ticks = hooked(cpu, 6)
    cpu.run(CODE, end, 100)
    assert (ticks, cpu.executed) == ([4], 4)


@pytest.mark.usefixtures("counting")
def test_code_that_is_rewritten_to_another_count_in_the_same_bytes_is_counted_anew() -> None:
    cpu, end = cpu_with(
        "mov rsp, 0x600800; call twice; mov byte ptr [rip + twice], 0x66; call twice; jmp done; "
        "twice: nop; nop; ret; done: nop"  # two NOPs become one
    )
    assert cpu.run(CODE, end, 100).kind is StopKind.REACHED
    assert cpu.executed == (1 + 1 + 3) + (1 + 1 + 2) + 1 + 1


@pytest.mark.usefixtures("counting")
def test_a_rewritten_block_that_ends_the_run_is_counted_anew() -> None:
    cpu, end = cpu_with("mov rbx, 2; jmp next; nop; next: nop; nop; dec rbx; mov byte ptr [rip + next], 0x66; jnz next")
    assert cpu.run(CODE, end, 100).kind is StopKind.REACHED
    assert cpu.executed == 2 + 5 + 4


@pytest.mark.usefixtures("counting")
def test_a_block_that_ends_the_run_and_is_translated_anew_counts_as_before() -> None:
    cpu, end = cpu_with("nop; nop; nop")
    for _ in range(3):
        cpu.hook_address(CODE + 1, cpu.stop)
    where = CODE
    while (reason := cpu.run(where, end, 100)).kind is StopKind.STOPPED:
        where = reason.rip
    assert cpu.executed == 3


@pytest.mark.usefixtures("counting")
def test_a_run_that_begins_at_rewritten_code_counts_it_anew() -> None:
    cpu, end = cpu_with(
        "mov rbx, 2; again: syscall; next: nop; nop; dec rbx; jz done; "
        "mov byte ptr [rip + next], 0x66; jmp again; done: nop"
    )
    cpu.on_syscall = cpu.stop
    where = CODE
    while (reason := cpu.run(where, end, 100)).kind is StopKind.STOPPED:
        where = reason.rip
    assert reason.kind is StopKind.REACHED
    assert cpu.executed == (1 + 1 + 4) + (1 + 1 + 1 + 3) + 1


@pytest.mark.usefixtures("counting")
def test_what_a_hook_gives_back_of_a_block_may_be_executed() -> None:
    cpu, end = cpu_with("nop; nop; nop; jmp far; nop; nop; nop; far: nop")

    def rewrite() -> None:
        cpu.memory.write(CODE + 1, b"\x90")

    for _ in range(2):  # the block is begun anew behind its first instruction: 1 + 3 + 1
        cpu.hook_address(CODE + 1, rewrite)
    assert cpu.run(CODE, end, 5).kind is StopKind.REACHED


# Arithmetic, memory, stack, branches, strings, traps, and what one decoder knows and another does not.
PIECES = tuple(
    bytes.fromhex(text)
    for text in (
        "4801d8", "48f7f1", "488b06", "488906", "50", "58", "9c", "9d", "e800000000", "c3", "eb00", "75fd", "7402",
        "e2fc", "f3aa", "f348a5", "f4", "cc", "cd80", "0f31", "0fa2", "90", "f20f58c1", "6a00", "c9", "0f0b", "8fc9",
        "488d0500000000", "f0480fc103", "ff", "48", "66", "48ffc9",
    )
)  # fmt: skip
ACTIONS = ("look", "flags", "code", "stop", "skip")
pieces = st.sampled_from(PIECES) | st.binary(min_size=1, max_size=3)
NO_CODE = b"\x06"  # undefined with 64 bits: what is executed stands where a hook is
MOST_WRITTEN = 64
machine_code = st.lists(pieces, min_size=1, max_size=14).map(b"".join)


class Watched:
    """A guest at each of whose addresses a hook notes the tick, and acts at some arrivals."""

    def __init__(self, code: bytes, actions: dict[int, str], written: int | None = None) -> None:
        """`written` is an offset in the code to which registers point, so that it changes itself; None: it cannot."""
        self.ticks: list[int] = []
        self.arrivals: list[int] = []
        self._actions = actions
        self.cpu = cpu = Cpu(AddressSpace(PhysicalMemory(1 << 20).guests))
        rights = Protection.READ | Protection.EXECUTE
        cpu.memory.map(Area(CODE, CODE + 0x1000, rights if written is None else Protection.ALL, "code"))
        cpu.memory.map(Area(DATA, DATA + 0x2000, Protection.READ | Protection.WRITE, "data"))
        cpu.memory.write(CODE, code + b"\xf4" + NO_CODE * (0x1000 - len(code) - 1))
        for name in ("rsp", "rsi", "rdi", "rbx"):
            set_register(cpu, name, DATA + 0xF00 if written is None or name == "rsp" else CODE + written)
        set_register(cpu, "rcx", 3)
        for address in range(CODE, CODE + len(code) + MOST_WRITTEN):
            cpu.hook_address(address, lambda address=address: self._arrive(address))  # type: ignore[misc]

    def _arrive(self, address: int) -> None:
        cpu = self.cpu
        if self.arrivals[-1:] == [address] and self.ticks[-1:] == [cpu.executed]:
            return  # a store into the code under way, which is begun anew
        self.ticks.append(cpu.executed)
        self.arrivals.append(address)
        match self._actions.get(len(self.arrivals)):
            case "flags":
                cpu.registers.write(RFLAGS, cpu.registers.read(RFLAGS) ^ CARRY)
            case "code":
                cpu.code.changed(CODE, CODE + 0x1000)
            case "stop":
                cpu.stop()
            case "skip":
                cpu.registers.write(RIP, CODE)

    def run(self, until: int) -> tuple[StopReason, int]:
        """Go on behind every stop; why it ended, and how many instructions were not completed."""
        where = CODE
        while True:
            reason = self.cpu.run(where, until, 200 - self.cpu.executed)
            if reason.kind is not StopKind.STOPPED:
                break
            where = reason.rip
        last = self.arrivals[-2:][::-1]  # behind a refused access of x87 state the emulator goes on to the next hook
        if reason.kind is StopKind.BUDGET or reason.rip not in last[: 1 + (reason.access in ("read", "write"))]:
            return reason, 0
        return reason, 1 + last.index(reason.rip)


@pytest.mark.lasting
@settings(max_examples=150, deadline=None)
@example(b"H\x8d\x05\x00\x00\x00\x00\xf3\xaa\x00", {}, 12, False)  # goes on into what it writes
@example(b"H\x8d\x05\x00\x00\x00\x00\xf3\xaa", {}, 5, False)  # REP STOSB that writes its own prefix
@example(b"\xf3\xaa", {}, 1, False)
@example(b"\x0f\x1a\xe8\0\0\0\0\x0f\x1a", {}, None, False)  # NOPs that Capstone does not know
@example(b"\xf0l\xf0h", {}, None, False)  # LOCK before what takes none
@given(
    machine_code,
    st.dictionaries(st.integers(1, 40), st.sampled_from(ACTIONS), max_size=6),
    st.none() | st.integers(0, 30),
    st.booleans(),
)
def test_any_code_counts_one_instruction_after_the_other(
    code: bytes, actions: dict[int, str], written: int | None, ends: bool
) -> None:
    if not BlockDecoder().is_certain(code):
        ends = False  # of the last block of a run Python counts the instructions as it decodes them
    seen = []
    for native in (False, True):
        if native and block_hook.address() is None:
            continue
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(block_hook, "is_compiled", lambda native=native: native)
            guest = Watched(code, actions, written)
            reason, given_up = guest.run(CODE + len(code) if ends else NOWHERE)
            assume(reason.rip - CODE not in range(len(code) + MOST_WRITTEN, 0x1000))  # where nobody waits
            assert guest.ticks == list(range(1, len(guest.ticks) + 1))
            assert guest.cpu.executed == len(guest.ticks) - given_up
            seen.append((reason, guest.arrivals, guest.cpu.registers.general()))
    assert len(set(map(str, seen))) == 1
    assert all(later - earlier == 1 for earlier, later in itertools.pairwise(guest.ticks))


@pytest.mark.parametrize("prefixes", [b"", b"\xf3", b"\xf2", b"\x48", b"\xf3\x48", b"\xf2\x41"])
@pytest.mark.parametrize(
    "opcode", [b"\xa4", b"\xa5", b"\xa6", b"\xa7", b"\xaa", b"\xab", b"\xac", b"\xad", b"\xae", b"\xaf"]
)
def test_a_string_instruction_alone_is_one_without_a_decoder(prefixes: bytes, opcode: bytes) -> None:
    code = prefixes + opcode
    (row,) = decoder().disasm_lite(code, 0)
    assert row[1] == len(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_decoder, "decoder", None)
        assert (BlockDecoder().count(code), BlockDecoder().length(code)) == (1, len(code))


def test_a_lone_vex_prefix_byte_asks_no_decoder() -> None:
    assert not WRONG.may_be_in(b"\xc4\xc5 \x83\xc4\x28\xc3")  # add rsp, 0x28; ret
    blsi = bytes.fromhex("c4e278f3d8")
    assert all(WRONG.may_be_in(before + blsi) for before in (b"", b"\xc4", b"\x2e"))
    assert WRONG.may_be_in(blsi[:2])  # it may go on in the next page
