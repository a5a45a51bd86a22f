"""The nt kernel: what a process finds, what its system calls answer, and the kernel objects beside it."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from machine_guests import CODE, Bench, FunctionEngine, bench, block, pseudo, say, script

from hds.session.engines import load_engine
from machine.debugger import cpuid_results
from machine.kernel import KERNEL_NAMES
from machine.kernel.builds import BUILDS, DEFAULT_BUILD, Build
from machine.kernel.nt.calls import CALLS
from machine.kernel.nt.names import numbers_of
from machine.machine import Machine, StopCause
from machine.options import MachineOptions
from machine.processor import msr
from machine.schedule.process import Process
from vm.facts.events import SYSCALL, SYSRET
from vm.facts.limits import DEFAULT_LIMITS
from vm.host import Host

SCRATCH = CODE + 0x800
NUMBERS = numbers_of()
SUCCESS, INVALID_HANDLE, ACCESS_VIOLATION = 0, 0xC000_0008, 0xC000_0005


def word(guest: Bench, address: int, size: int = 8) -> int:
    data = guest.machine.read_memory(address, size)
    assert data is not None
    return int.from_bytes(data, "little")


def call(name: str, *arguments: int) -> str:
    """A listing that makes one system call as a Windows stub does, and keeps its status in rbx."""
    registers = ("r10", "rdx", "r8", "r9")
    lines = ["sub rsp, 0x80"]
    for index, value in enumerate(arguments):
        place = registers[index] if index < 4 else f"[rsp + {0x28 + 8 * (index - 4):#x}]"
        lines += [f"mov rax, {value:#x}", f"mov {place}, rax"]
    number = NUMBERS[name] if name in NUMBERS else int(name, 16)
    return "\n".join([*lines, f"mov eax, {number}", "syscall", "mov ebx, eax", "add rsp, 0x80", ""])


def after(listing: str, memory: bytes = b"") -> Bench:
    """A guest that has run a listing, with bytes at SCRATCH."""
    guest = bench(listing, kernel="nt")
    guest.machine.write_memory(SCRATCH, memory)
    guest.machine.run()
    return guest


def status(guest: Bench) -> int:
    return guest.register("rbx")


# --- system calls


def test_calls_have_the_numbers_of_their_build() -> None:
    """Of the sources that machine.kernel.nt.names has: 1903 ends with 1cf, 2004 has 6 calls more."""
    old, new = numbers_of(18362), numbers_of(19041)
    assert (len(old), old["NtWaitLowEventPair"], old["NtCreateThreadEx"]) == (0x1D0, 0x1CF, 0xBD)
    assert (len(new), new["NtCreateThreadEx"], new["NtContinueEx"]) == (0x1D6, 0xC1, 0xA1)
    assert list(old.values()) == list(range(len(old)))
    assert list(old)[:0x67] == list(new)[:0x67]


def test_every_call_that_is_carried_out_is_one_of_windows() -> None:
    assert set(CALLS) <= {*numbers_of(18362), *numbers_of(19041)}


@pytest.mark.parametrize(
    ("name", "number"),
    [("NtDeviceIoControlFile", 7), ("NtAllocateVirtualMemory", 0x18), ("NtCreateFile", 0x55), ("NtClose", 0xF)],
)
def test_numbers_are_those_of_the_documented_builds(name: str, number: int) -> None:
    assert NUMBERS[name] == number


def test_an_unknown_call_is_an_invalid_system_service_and_is_counted() -> None:
    guest = bench(call("fff"), kernel="nt")
    assert guest.machine.run().unknown_system_calls == {0xFFF: 1}
    assert status(guest) == 0xC000_001C


def test_a_write_to_a_console_handle_is_guest_output() -> None:
    guest = after(call("NtWriteFile", 0x54, 0, 0, 0, SCRATCH + 8, SCRATCH, 5), b"hello")
    assert (status(guest), guest.output) == (SUCCESS, [(1, b"hello")])
    assert (word(guest, SCRATCH + 8), word(guest, SCRATCH + 16)) == (SUCCESS, 5)


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        (call("NtWriteFile", 0x99, 0, 0, 0, SCRATCH, SCRATCH, 5), INVALID_HANDLE),
        (call("NtWriteFile", 0x54, 0, 0, 0, SCRATCH, 0x10, 5), ACCESS_VIOLATION),
        (call("NtWriteFile", 0x54, 0, 0, 0, 0x10, SCRATCH, 5), ACCESS_VIOLATION),
        (call("NtReadFile", 0x50, 0, 0, 0, SCRATCH, SCRATCH, 5), 0xC000_0011),
        (call("NtReadFile", 0x99, 0, 0, 0, SCRATCH, SCRATCH, 5), INVALID_HANDLE),
        (call("NtClose", 0x50), SUCCESS),
        (call("NtClose", 0x99), INVALID_HANDLE),
        (call("NtDeviceIoControlFile", 0x50, 0, 0, 0, SCRATCH), SUCCESS),
        (call("NtDeviceIoControlFile", 0x99, 0, 0, 0, SCRATCH), INVALID_HANDLE),
        (call("NtOpenKey", SCRATCH, 0, SCRATCH), 0xC000_0034),
        (call("NtYieldExecution"), 0x4000_0024),
        (call("NtWaitForSingleObject", 0x50, 0, 0), SUCCESS),
        (call("NtCreateEvent", SCRATCH, 0, 0, 0, 0), SUCCESS),
        (call("NtCreateEvent", 0x10, 0, 0, 0, 0), ACCESS_VIOLATION),
        (call("NtQueryInformationProcess", -1 & 2**64 - 1, 7, SCRATCH, 8, 0), 0xC000_0003),
        (call("NtQueryInformationProcess", -1 & 2**64 - 1, 0, SCRATCH, 8, 0), 0xC000_0004),
        (call("NtQuerySystemInformation", 5, SCRATCH, 64, 0), 0xC000_0003),
        (call("NtQuerySystemInformation", 0, SCRATCH, 64, 0), SUCCESS),
        (call("NtFreeVirtualMemory", -1 & 2**64 - 1, SCRATCH, SCRATCH + 8, 0x8000), 0xC000_00A0),
        (call("NtAllocateVirtualMemory", 5, SCRATCH, 0, SCRATCH + 8, 0x3000, 4), INVALID_HANDLE),
        (call("NtAllocateVirtualMemory", -1 & 2**64 - 1, SCRATCH, 0, SCRATCH, 0x3000, 4), 0xC000_000D),
        (call("NtAllocateVirtualMemory", -1 & 2**64 - 1, SCRATCH, 0, 0x10, 0x3000, 4), ACCESS_VIOLATION),
    ],
)  # fmt: skip
def test_a_call_answers_with_its_status(listing: str, expected: int) -> None:
    assert status(after(listing)) == expected


def test_a_kernel_address_is_no_place_for_a_result() -> None:
    guest = after(call("NtQuerySystemTime", 0xFFFF_F803_0000_0188))
    assert status(guest) == ACCESS_VIOLATION
    assert word(guest, 0xFFFF_F803_0000_0188) == guest.machine.processes[0].objects.first.thread


def open_file() -> tuple[str, bytes]:
    """NtCreateFile of a path by OBJECT_ATTRIBUTES at SCRATCH."""
    name = "\\??\\C:\\test.txt".encode("utf-16-le")
    attributes = struct.pack("<QQQQQQ", 0x30, 0, SCRATCH + 0x40, 0, 0, 0).ljust(0x40, b"\0")
    text = struct.pack("<HHIQ", len(name), len(name), 0, SCRATCH + 0x60).ljust(0x20, b"\0") + name
    return call("NtCreateFile", SCRATCH + 0x200, 0, SCRATCH, SCRATCH + 0x210), attributes + text


def test_an_opened_file_has_a_handle_that_can_be_written_and_closed() -> None:
    listing, memory = open_file()
    write = call("NtWriteFile", 0x5C, 0, 0, 0, SCRATCH + 0x210, SCRATCH, 5)
    guest = after(listing + "mov esi, ebx\n" + write + "mov edi, ebx\n" + call("NtClose", 0x5C), memory)
    assert [guest.register(name) for name in ("rsi", "rdi", "rbx")] == [SUCCESS] * 3
    assert (word(guest, SCRATCH + 0x200), guest.output) == (0x5C, [])


def test_a_script_reads_the_name_of_an_opened_file() -> None:
    listing, memory = open_file()
    guest = bench(listing, kernel="nt")
    guest.machine.write_memory(SCRATCH, memory)
    names: list[str] = []

    def log(host: Host) -> None:
        attributes = host.read_register(8)
        name = int.from_bytes(host.read_memory(attributes + 0x10, 8) or b"", "little")
        text = int.from_bytes(host.read_memory(name + 8, 8) or b"", "little")
        names.append((host.read_memory(text, 30) or b"").decode("utf-16-le"))

    guest.on(SYSCALL, script(log), parameters=(0x55,))
    guest.machine.run()
    assert names == ["\\??\\C:\\test.txt"]


def allocate(base: int, size: int) -> tuple[str, bytes]:
    return call("NtAllocateVirtualMemory", 2**64 - 1, SCRATCH, 0, SCRATCH + 8, 0x3000, 4), struct.pack(
        "<QQ", base, size
    )


def test_allocated_memory_can_be_used_until_it_is_freed() -> None:
    listing, memory = allocate(0, 0x1234)
    free = call("NtFreeVirtualMemory", 2**64 - 1, SCRATCH, SCRATCH + 8, 0x8000)
    guest = after(listing + "mov rsi, [0x400800]; mov byte ptr [rsi + 0x1fff], 7; mov rdi, [0x400808]\n" + free, memory)
    assert (guest.register("rsi"), guest.register("rdi"), status(guest)) == (0x1_0000_0000, 0x2000, SUCCESS)
    assert guest.machine.read_memory(0x1_0000_0000, 1) is None


@pytest.mark.parametrize(
    ("base", "size", "expected"),
    [(CODE, 0x10_0000, 0xC000_0018), (CODE, 0x10, 0xC000_0018), (0, 1 << 46, 0xC000_0017), (1 << 63, 1, 0xC000_000D)],
)
def test_an_allocation_is_refused_where_it_cannot_be(base: int, size: int, expected: int) -> None:
    listing, memory = allocate(base, size)
    assert status(after(listing, memory)) == expected


def test_a_protection_is_accepted() -> None:
    guest = after(
        call("NtProtectVirtualMemory", 2**64 - 1, SCRATCH, SCRATCH + 8, 0x40, SCRATCH + 16),
        struct.pack("<QQ", CODE + 0x10, 0x20),
    )
    assert (status(guest), word(guest, SCRATCH), word(guest, SCRATCH + 8)) == (SUCCESS, CODE, 0x1000)


def test_a_view_of_a_section_is_memory() -> None:
    listing = call("NtCreateSection", SCRATCH + 0x100, 0xF001F, 0, SCRATCH + 8, 4, 0x800_0000, 0)
    listing += call("NtMapViewOfSection", 0x5C, 2**64 - 1, SCRATCH, 0, 0, 0, SCRATCH + 8, 2, 0, 4)
    unmap = call("NtUnmapViewOfSection", 2**64 - 1, 0x1_0000_0000)
    guest = after(listing + "mov rsi, [0x400800]; mov [rsi], rsi\n" + unmap, struct.pack("<QQ", 0, 0x1000))
    assert (guest.register("rsi"), status(guest)) == (0x1_0000_0000, SUCCESS)


def test_a_handle_has_the_rights_that_it_was_opened_with() -> None:
    made = call("NtCreateEvent", SCRATCH, 0x10_0000, 0, 0, 0) + call("NtCreateEvent", SCRATCH, 2, 0, 0, 0)
    set_both = call("NtSetEvent", 0x5C, 0) + "mov esi, ebx\n" + call("NtSetEvent", 0x60, 0) + "mov edi, ebx\n"
    guest = after(made + set_both + call("NtWaitForSingleObject", 0x60, 0, 0))
    assert [guest.register(name) for name in ("rsi", "rdi", "rbx")] == [0xC000_0022, SUCCESS, 0xC000_0022]


def test_the_performance_counter_is_the_virtual_clock() -> None:
    guest = bench(call("NtQueryPerformanceCounter", SCRATCH, SCRATCH + 8), kernel="nt")
    guest.machine.clock.sleep(1_000_000)
    guest.machine.run()
    assert (word(guest, SCRATCH), word(guest, SCRATCH + 8)) == (10_000_000, 10_000_000)


def test_a_delay_advances_the_virtual_clock() -> None:
    guest = after(call("NtDelayExecution", 0, SCRATCH), struct.pack("<q", -10_000))  # one millisecond
    assert guest.machine.clock.elapsed() >= 1_000_000


def test_the_system_time_counts_from_1601() -> None:
    guest = after(call("NtQuerySystemTime", SCRATCH))
    assert word(guest, SCRATCH) == 133_485_408_000_000_000  # 2024-01-01


def test_a_process_ends_itself_with_a_status() -> None:
    guest = bench(call("NtTerminateProcess", 2**64 - 1, 0xC000_0005), kernel="nt")
    summary = guest.machine.run()
    assert (summary.cause, summary.exit_code) == (StopCause.EXIT, 0xC000_0005)


def test_returning_from_the_entry_point_ends_the_process_with_its_result() -> None:
    guest = bench("mov eax, 7; ret", kernel="nt")
    assert guest.machine.run().exit_code == 7


# --- user structures


def test_gs_leads_to_the_teb_and_the_peb() -> None:
    guest = after("mov rsi, gs:[0x30]; mov rdi, gs:[0x60]; mov rbx, gs:[0x40]")
    process = guest.machine.processes[0]
    assert [guest.register(name) for name in ("rsi", "rdi", "rbx")] == [process.teb, process.peb, process.pid]


def test_the_peb_has_image_base_parameters_and_version() -> None:
    guest = bench(kernel="nt")
    guest.machine.load(b"\x90", "raw", name="tool.exe", arguments=["a b", "c"])
    peb = guest.machine.processes[0].peb
    parameters = word(guest, peb + 0x20)
    length, text = word(guest, parameters + 0x70, 2), word(guest, parameters + 0x78)
    line = guest.machine.read_memory(text, length)
    assert (word(guest, peb + 0x10), word(guest, peb + 0x120, 2)) == (CODE, DEFAULT_BUILD.number)
    assert line is not None
    assert line.decode("utf-16-le") == 'tool.exe "a b" c'
    assert word(guest, parameters + 0x28) == 0x54


def test_the_basic_information_of_a_process_has_its_peb_and_id() -> None:
    guest = after(call("NtQueryInformationProcess", 2**64 - 1, 0, SCRATCH, 48, SCRATCH + 0x80))
    process = guest.machine.processes[0]
    assert (word(guest, SCRATCH + 8), word(guest, SCRATCH + 32)) == (process.peb, process.pid)
    assert word(guest, SCRATCH + 0x80, 4) == 48


# --- MSRs and selectors


def test_the_msrs_are_windows() -> None:
    machine = bench("nop", kernel="nt").machine
    values = [machine.read_msr(0, number) for number in (msr.STAR, msr.FMASK)]
    assert values == [0x0023_0010_0000_0000, 0x4700]


def test_selectors_are_windows() -> None:
    guest = bench("syscall", kernel="nt")
    seen: list[tuple[int, int]] = []
    look = script(lambda host: seen.append((host.read_register(18), host.read_register(23))))
    guest.on(SYSCALL, look, stage=3)
    guest.on(SYSRET, look, stage=2)
    guest.machine.run()
    assert seen == [(0x33, 0x2B), (0x10, 0x18), (0x33, 0x2B)]


# --- kernel objects


@pytest.mark.parametrize("kernel", KERNEL_NAMES)
def test_the_chain_from_gs_leads_to_the_image_name(kernel: str) -> None:
    guest = bench("syscall", kernel=kernel)
    seen: list[int] = []
    event = guest.on(
        SYSCALL,
        script(lambda host: seen.append(pseudo(host, "proc"))),
        condition=block(
            "mov rax, gs:[188]; mov rax, [rax+0b8]; cmp dword ptr [rax+450], 73657567; sete al; movzx eax, al"
        ),
    )  # "gues"
    guest.machine.run()
    process = guest.machine.processes[0]
    assert (event.triggers, seen) == (1, [process.objects.process])
    assert word(guest, process.processor_block + 0x188) == process.objects.first.thread
    assert word(guest, process.objects.first.thread + 0xB8) == process.objects.process


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_the_fields_of_a_process_stand_where_its_build_has_them(build: Build) -> None:
    recorded = Bench(Machine(FunctionEngine(), MachineOptions(build=build)))
    machine = recorded.machine
    machine.load(b"\x90", "raw", name="a-rather-long-name.exe")
    objects = machine.processes[0].objects
    assert word(recorded, objects.process + build.process_id) == 0x1000
    assert machine.read_memory(objects.process + build.process_image_name, 16) == b"a-rather-long-n\0"
    assert word(recorded, objects.first.thread + build.thread_client_id + 8) == 0x1004


def test_no_fields_of_a_build_overlap() -> None:
    for build in BUILDS:
        fields = [
            (build.process_id, 8), (build.process_links, 16), (build.process_peb, 8), (build.process_image_name, 16),
            (build.process_threads, 16),
        ]  # fmt: skip
        ends = [(start, start + size) for start, size in sorted(fields)]
        assert all(end <= start for (_, end), (start, _) in pairwise(ends))


def test_the_default_build_keeps_the_name_where_the_documented_condition_looks() -> None:
    assert DEFAULT_BUILD.process_image_name == 0x450


def test_the_processes_form_a_ring() -> None:
    guest = bench(cores=3)
    for name in ("a", "b", "c"):
        guest.machine.load(b"\x90", "raw", name=name)
    links = DEFAULT_BUILD.process_links
    first = guest.machine.processes[0].objects.process + links
    ring = [first]
    while (following := word(guest, ring[-1])) != first:
        assert word(guest, following + 8) == ring[-1]
        ring.append(following)
    assert len(ring) == 4  # three processes and the head


def test_pseudo_registers_are_the_objects() -> None:
    guest = bench("nop", kernel="nt")
    host = guest.machine.host_for_commands()
    process = guest.machine.processes[0]
    names = ("proc", "thread", "pname", "peb", "teb", "pid", "tid")
    objects = process.objects
    assert [pseudo(host, name) for name in names] == [
        objects.process, objects.first.thread, objects.process + 0x450, process.peb, process.teb, process.pid,
        process.tid,
    ]  # fmt: skip


@pytest.mark.parametrize("kernel", ["linux", "bare"])
def test_other_kernels_have_neither_peb_nor_teb(kernel: str) -> None:
    host = bench("nop", kernel=kernel).machine.host_for_commands()
    assert (pseudo(host, "peb"), pseudo(host, "teb")) == (0, 0)


def test_every_process_sees_the_objects_of_the_others() -> None:
    guest = bench("nop", cores=2)
    later = guest.machine.load(b"\x90", "raw", name="later")
    first: Process = guest.machine.processes[0]
    assert first.cpu.memory.read(later.objects.name, 5) == b"later"


def test_messages_of_an_nt_guest_carry_its_ids() -> None:
    guest = bench("syscall", kernel="nt")
    guest.on(SYSCALL, say(b"x"))
    guest.machine.run()
    assert (guest.messages[0].process_id, guest.messages[0].thread_id) == (0x1000, 0x1004)


def test_the_features_that_programs_ask_for_are_those_of_cpuid() -> None:
    """IsProcessorFeaturePresent, by winnt.h: the leaf, the register and the bit of each."""
    page = bench("nop", kernel="nt").machine.read_memory(0x7FFE_0000, 0x1000)
    assert page is not None
    features = {
        39: (1, "rcx", 28), 28: (1, "rcx", 30), 38: (1, "rcx", 20), 37: (1, "rcx", 19), 36: (1, "rcx", 9),
        22: (7, "rbx", 0), 40: (7, "rbx", 5), 60: (7, "rbx", 8), 42: (7, "rbx", 9), 32: (0x8000_0001, "rdx", 27),
    }  # fmt: skip
    announced = {number: cpuid_results(leaf)[name] >> bit & 1 for number, (leaf, name, bit) in features.items()}
    assert {number: page[0x274 + number] for number in features} == announced


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("watched", [False, True])
def test_instructions_are_counted_exactly_where_ntcontinue_goes_elsewhere(engine: str, watched: bool) -> None:
    times = 50
    listing = f"""
        mov ebx, {times}
        mov r10, {SCRATCH:#x}
        mov dword ptr [r10 + 0x30], 0x100001
        mov dword ptr [r10 + 0x44], 0x202
        mov [r10 + 0x98], rsp
        lea rax, [rip + back]
        mov [r10 + 0xf8], rax
    again:
        xor edx, edx
        mov eax, {NUMBERS["NtContinue"]}
        syscall
        ud2
        ud2
    back:
        dec ebx
        jnz again
        nop
    """
    machine = Machine(load_engine(engine, DEFAULT_LIMITS), MachineOptions(kernel="nt"))
    guest = Bench(machine=machine)
    machine.load(listing.encode(), "asm", name="guest")
    if watched:  # by the big hooks, which walk tables of events
        guest.on(SYSCALL, condition=block("mov eax, 0"))
        guest.on(SYSRET, condition=block("mov eax, 0"))
    assert machine.run().cause is StopCause.END
    assert guest.register("rbx") == 0
    assert machine.executed == 7 + times * 5 + 1
