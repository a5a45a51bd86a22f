"""Running, stopping, summaries, and the machine as commands see it between runs."""

from __future__ import annotations

import _thread
import gc
import signal
import subprocess
import sys
import threading
import weakref

import pytest
from machine_guests import CODE, bench, read, script, write

from machine.machine import Machine, RunSummary, StopCause
from vm.facts.pseudo_registers import PSEUDO_INDEX
from vm.host import Host

FOREVER = "again: inc rbx; jmp again"


def text_at(host: Host, name: str) -> bytes:
    data = host.read_memory(host.pseudo_register(PSEUDO_INDEX[name]), 16)
    assert data is not None
    return data.rstrip(b"\0")


@pytest.mark.parametrize(
    ("listing", "cause", "description"),
    [
        ("nop", StopCause.END, "guest at 0x400001: end"),
        ("hlt; nop", StopCause.HALT, "guest at 0x400001: halt"),
        ("ud2", StopCause.INVALID, "guest at 0x400000: invalid instruction"),
        ("xor ecx, ecx; div ecx", StopCause.FAULT, "guest at 0x400002: exception 0x0 (#DE)"),
        (
            "mov rax, [0x10]",
            StopCause.UNMAPPED,
            "guest at 0x400000: read of 0x10, which is not mapped or not allowed",
        ),
    ],
)
def test_a_run_says_why_it_ended(listing: str, cause: StopCause, description: str) -> None:
    summary = bench(listing).machine.run()
    assert (summary.cause, summary.ends[0].describe()) == (cause, description)


def test_exit_ends_the_process_at_once() -> None:
    guest = bench("mov eax, 60; mov edi, 0x103; syscall; inc rbx", kernel="linux")
    summary = guest.machine.run()
    assert (summary.cause, summary.exit_code, guest.register("rbx")) == (StopCause.EXIT, 3, 0)
    assert summary.ends[0].describe() == "guest exited with code 3"


def test_linux_answers_unknown_calls_with_enosys_and_counts_them() -> None:
    guest = bench("mov eax, 999; syscall; mov rbx, rax; mov eax, 999; syscall", kernel="linux")
    assert guest.machine.run().unknown_system_calls == {999: 2}
    assert guest.register("rbx") == 2**64 - 38


@pytest.mark.parametrize(
    ("descriptor", "address", "size", "result"),
    [
        (1, CODE, 4, 4),
        (2, CODE, 0, 0),
        (3, CODE, 4, -9),
        (1, 0x10, 4, -14),
        (1, CODE + 0xFFE, 0x7FFF_FFFF, -14),  # a pipe takes whole pages
        (1, CODE + 0xFFE, 1 << 48, -14),
    ],
)
def test_linux_write_has_linuxs_results(descriptor: int, address: int, size: int, result: int) -> None:
    guest = bench(f"mov eax, 1; mov edi, {descriptor}; mov rsi, {address}; mov rdx, {size}; syscall", kernel="linux")
    guest.machine.run()
    assert guest.register("rax") == result % 2**64


def test_a_run_without_a_program_does_nothing() -> None:
    assert bench().machine.run() == RunSummary(StopCause.NOTHING_LOADED, 0, {}, {}, {}, ())


def test_the_instruction_limit_stops_and_the_next_run_goes_on() -> None:
    guest = bench(FOREVER)
    first, second = guest.machine.run(1000), guest.machine.run(1000)
    assert (first.cause, second.cause) == (StopCause.BUDGET, StopCause.BUDGET)
    assert (first.instructions, guest.register("rbx")) == (1000, 1000)


def test_the_instruction_limit_holds_for_all_cores_together() -> None:
    guest = bench(FOREVER, cores=2)
    guest.machine.load(b"\xeb\xfe", "raw")
    assert guest.machine.run(250_001).instructions == 250_000  # whose turn it is has a block of two next
    assert guest.machine.run(2).instructions == 2


def test_a_timeout_stops() -> None:
    assert bench(FOREVER).machine.run(timeout=0.05).cause is StopCause.TIMEOUT


def test_another_thread_can_stop_a_run() -> None:
    guest = bench(FOREVER)
    timer = threading.Timer(0.05, guest.machine.stop)
    timer.start()
    assert guest.machine.run().cause is StopCause.STOPPED
    timer.join()


def test_ctrl_c_stops_a_run_between_two_blocks() -> None:
    guest = bench("again: inc rbx; inc rcx; jmp again")
    timer = threading.Timer(0.05, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        guest.machine.run()
    timer.join()
    assert (guest.register("rip"), guest.register("rbx")) == (CODE, guest.register("rcx"))


def test_ctrl_c_at_a_break_is_the_prompts_business() -> None:
    guest = bench("syscall; inc rbx; nop")

    def prompt(trigger: object) -> bool:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return True

    guest.machine.goes_on = prompt
    guest.on_syscall(script(lambda host: host.request("pause", ())))
    assert guest.machine.run().cause is StopCause.END


def test_a_run_leaves_the_signal_handler_as_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    bench("nop").machine.run()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_sink_cannot_run_the_machine() -> None:
    guest = bench("syscall")
    guest.on_syscall(script(lambda host: guest.machine.run()))
    with pytest.raises(RuntimeError, match="running"):
        guest.machine.run()


def test_the_summary_counts_triggers_of_this_run_also_of_cleared_events() -> None:
    guest = bench("again: syscall; jmp again")
    guest.on_syscall(script(lambda host: None))
    guest.on_syscall(script(lambda host: host.request("event_clear", (1,))))
    assert guest.machine.run(20).triggers == {0: 10, 1: 1}
    assert guest.machine.run(20).triggers == {0: 10}


def test_two_runs_of_one_program_are_equal() -> None:
    def transcript() -> tuple[RunSummary, list[object]]:
        guest = bench("mov ebx, 9; again: rdtsc; syscall; dec ebx; jnz again")
        guest.on_syscall(script(lambda host: host.message(b"%x %x" % (read(host, "rax"), host.request("rdtsc", ())))))
        return guest.machine.run(), list(guest.messages)

    assert transcript() == transcript()


def test_time_stamps_increase() -> None:
    guest = bench("rdtsc; mov ebx, eax; rdtsc; sub eax, ebx")
    guest.machine.run()
    assert guest.register("rax") > 0


def test_microsleep_advances_date_and_time() -> None:
    host = bench("nop").machine.host_for_commands()
    assert (text_at(host, "date"), text_at(host, "time")) == (b"2024-01-01", b"00:00:00.000")
    host.request("microsleep", (86_400_000_000 + 1_500_000,))
    assert (text_at(host, "date"), text_at(host, "time")) == (b"2024-01-02", b"00:00:01.500")


def test_the_calendar_stands_still_at_its_end() -> None:
    host = bench("nop").machine.host_for_commands()
    host.request("microsleep", (2**64 - 1,))
    assert text_at(host, "date") == b"9999-12-31"


def test_the_process_name_is_text_of_at_most_fifteen_characters() -> None:
    guest = bench(cores=2)
    guest.machine.load(b"\xf4", "raw", name="a-rather-long-name")
    assert text_at(guest.machine.host_for_commands(), "pname") == b"a-rather-long-n"


def test_outside_events_the_event_registers_are_zero() -> None:
    host = bench("nop").machine.host_for_commands()
    names = ("context", "event_id", "event_tag", "event_stage", "buffer")
    assert {name: host.pseudo_register(PSEUDO_INDEX[name]) for name in names} == dict.fromkeys(names, 0)
    assert host.pseudo_register(PSEUDO_INDEX["ip"]) == CODE


def test_commands_read_and_write_registers_and_memory_between_runs() -> None:
    guest = bench("mov rax, [rbx]; inc rax")
    write(guest.machine.host_for_commands(), "rbx", CODE)
    assert guest.machine.write_memory(CODE + 0x100, b"\x05")
    write(guest.machine.host_for_commands(), "rbx", CODE + 0x100)
    guest.machine.run()
    assert guest.register("rax") == 6


def test_without_a_program_registers_are_cells_and_nothing_is_mapped() -> None:
    guest = bench()
    host = guest.machine.host_for_commands()
    write(host, "rax", 5)
    assert (guest.register("rax"), guest.register("rip"), host.read_memory(0x1000, 1)) == (5, 0, None)
    assert not host.write_memory(0x1000, b"x")


@pytest.mark.parametrize(
    ("name", "offset", "length"),
    [("disassemble_len", 0, 3), ("disassemble_len64", 3, 1), ("disassemble_len32", 0, 1), ("disassemble_len", 4, 0)],
)
def test_instruction_lengths(name: str, offset: int, length: int) -> None:
    host = bench("inc rax; nop; db 0x06").machine.host_for_commands()
    assert host.request(name, (CODE + offset,)) == length


def test_the_length_of_unmapped_code_is_zero() -> None:
    assert bench("nop").machine.host_for_commands().request("disassemble_len", (0,)) == 0


def test_requests_without_meaning_here_report_zero_or_a_notice() -> None:
    guest = bench("nop")
    host = guest.machine.host_for_commands()
    assert [host.request("lbr_save", ()), host.request("lbr_restore_by_filter", (1,))] == [0, 0]
    host.request("pause", ())
    host.request("event_sc", (1,))
    host.request("event_enable", (9,))
    assert len(guest.notices) == 3


def test_physical_addresses_are_those_of_the_frames() -> None:
    guest = bench("nop")
    host = guest.machine.host_for_commands()
    place = host.request("virtual_to_physical", (CODE + 3,))
    assert place == guest.machine.processes[0].cpu.memory.to_physical(CODE + 3) != CODE + 3
    assert host.request("physical_to_virtual", (place,)) == CODE + 3
    assert host.read_physical(place - 3, 1) == b"\x90"
    assert host.write_physical(place, b"\xcc")
    assert host.read_memory(CODE + 3, 1) == b"\xcc"
    assert (host.request("virtual_to_physical", (0x10,)), host.request("physical_to_virtual", (0x10,))) == (0, 0)


def test_importing_the_package_loads_no_emulator() -> None:
    program = (
        "import sys, machine.kernel, machine.loaders, machine.native, machine.root\n"
        "assert machine.kernel.ENTRY_POINTS and machine.LoadError\n"
        "sys.exit(any(name in sys.modules for name in ('unicorn', 'capstone', 'keystone', 'llvmlite')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd="/").returncode == 0


def test_the_package_offers_the_machine() -> None:
    import machine

    assert machine.Machine is Machine


def test_a_turn_that_ends_before_its_first_instruction_is_not_the_end_of_the_budget() -> None:
    guest = bench("nop; nop")
    process = guest.machine.processes[0]
    process.cpu.hook_address(0x40_0000, process.cpu.stop)
    summary = guest.machine.run()
    assert (summary.cause, summary.instructions) == (StopCause.END, 2)


def test_no_two_time_stamps_are_equal_where_an_instruction_was_given_up() -> None:
    guest = bench("nop; nop")
    process = guest.machine.processes[0]
    stamps = []

    def stop() -> None:
        stamps.append(guest.machine.clock.time_stamp())
        process.exit(0)

    process.cpu.hook_address(0x40_0001, stop)
    guest.machine.run()
    stamps += [guest.machine.clock.time_stamp() for _ in range(2)]
    assert stamps == [3, 4, 5]


def test_a_machine_that_nobody_has_is_gone_with_its_memory() -> None:
    guest = bench("mov rcx, 1; syscall")
    guest.machine.run()
    memory = weakref.ref(guest.machine.processes[0].cpu.memory.physical)
    del guest
    gc.collect()
    assert memory() is None
