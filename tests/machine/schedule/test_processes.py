"""Several processes on fewer cores: turns, switches, and what belongs to a core and what to a process."""

from __future__ import annotations

from functools import partial
from unittest import mock

import pytest
from machine_guests import CODE, Bench, bench, pseudo, read, say, script, write

from machine.kernel.builds import DEFAULT_BUILD
from machine.loaders import LoadError
from machine.machine import MsrError, StopCause
from machine.processor import msr
from vm.facts.events import EPTHOOK, SYSCALL, SYSRET
from vm.facts.limits import Limits
from vm.host import Host

CALLS = "mov ebx, 3; again: syscall; dec ebx; jnz again"
BUSY = "mov ecx, 1000; again: inc rbx; dec ecx; jnz again"


def processes(guest: Bench, count: int, listing: str) -> Bench:
    """Load `count` processes of one program."""
    for index in range(count):
        guest.machine.load(listing.encode(), "asm", name=f"p{index}")
    return guest


def order_of_calls(guest: Bench) -> list[tuple[int, int]]:
    """The process and the core of each system call of a run."""
    seen: list[tuple[int, int]] = []
    guest.on(SYSCALL, script(lambda host: seen.append((pseudo(host, "pid") >> 4 & 0xF, pseudo(host, "core")))))
    guest.machine.run()
    return seen


def test_a_system_call_gives_the_core_to_the_process_that_waits_longest() -> None:
    seen = order_of_calls(processes(bench(), 3, CALLS))
    assert seen == [(process, 0) for _ in range(3) for process in range(3)]


def test_waiting_processes_come_to_any_core() -> None:
    seen = order_of_calls(processes(bench(cores=2), 3, CALLS))
    assert sorted(seen[:2]) == [(0, 0), (1, 1)]
    assert {core for process, core in seen if process == 2} == {0, 1}
    assert sorted(process for process, _ in seen) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_many_processes_that_wait_are_asked_with_one_reading_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading is a sum over all processes: one for each of them would make every system call quadratic."""
    guest = processes(bench(), 8, CALLS)
    scheduler, clock = guest.machine.run_loop._scheduler, mock.Mock(wraps=guest.machine.clock)
    monkeypatch.setattr(scheduler, "_clock", clock)
    for process in guest.machine.processes:
        monkeypatch.setattr(process, "can_run", lambda now: False)
    assert not scheduler.someone_waits
    assert clock.elapsed.call_count == 1
    clock.elapsed.reset_mock()
    scheduler.rotate(guest.machine.cores[0])
    assert clock.elapsed.call_count <= 2  # one for the alarms


def test_a_quantum_ends_a_turn() -> None:
    guest = processes(bench(limits=Limits(quantum_instructions=100)), 2, BUSY)
    guest.machine.run(400)
    counts = [process.cpu.executed for process in guest.machine.processes]
    assert all(150 < count < 250 for count in counts)


def _note(seen: list[int], host: Host) -> None:
    seen.append(pseudo(host, "pid"))


@pytest.mark.parametrize("cores", [1, 2, 3])
@pytest.mark.parametrize("budget", [5, 13, 50, 77])
def test_what_comes_next_does_not_depend_on_where_runs_have_ended(cores: int, budget: int) -> None:
    orders = []
    for most in (1 << 20, budget):
        guest = processes(bench(cores=cores, limits=Limits(quantum_instructions=50)), 3, BUSY.replace("1000", "60"))
        seen: list[int] = []
        note = script(partial(_note, seen))
        guest.on(EPTHOOK, note, parameters=(CODE + 5,))
        while guest.machine.run(most).cause is StopCause.BUDGET:
            pass
        orders.append(seen)
    assert len(orders[0]) == 180
    assert orders[1] == orders[0]


def test_a_quantum_shorter_than_a_block_does_not_stop_a_process() -> None:
    guest = processes(bench(limits=Limits(quantum_instructions=1)), 2, "nop; " * 50 + "inc rbx")
    assert guest.machine.run().cause is StopCause.END
    assert all(not process.alive for process in guest.machine.processes)


def test_a_process_with_interrupts_off_is_not_preempted() -> None:
    guest = processes(bench(limits=Limits(quantum_instructions=10)), 2, "cli\n" + BUSY + "\nsti\nsyscall")
    assert order_of_calls(guest) == [(0, 0), (1, 0)]


@pytest.mark.parametrize("quantum", [1, 2, 3, 5, 7])
def test_the_handler_at_lstar_is_not_interrupted_by_a_switch(quantum: int) -> None:
    guest = bench(cores=2, limits=Limits(quantum_instructions=quantum))
    processes(
        guest, 3, "mov rsi, rsp; mov ebx, 5; again: syscall; cmp rsi, rsp; jne wrong; dec ebx; jnz again; wrong: nop"
    )
    hooked = guest.on(EPTHOOK, say(b"x"), parameters=(guest.machine.read_msr(0, msr.LSTAR) + 3,))
    back = guest.on(SYSRET, say(b"x"))
    guest.machine.run()
    assert (hooked.triggers, back.triggers) == (15, 15)
    assert [read_of(guest, process, "rbx") for process in guest.machine.processes] == [0, 0, 0]


def read_of(guest: Bench, process: object, name: str) -> int:
    guest.machine.switch(process)  # type: ignore[arg-type]
    return guest.register(name)


def test_one_process_on_many_cores_stays_on_the_first() -> None:
    assert {core for _, core in order_of_calls(processes(bench(cores=4), 1, CALLS))} == {0}


def test_the_end_of_a_process_lets_the_others_go_on() -> None:
    guest = bench()
    guest.machine.load(b"\x0f\x0b", "raw", name="bad")
    guest.machine.load(b"\x90", "raw", name="good")
    summary = guest.machine.run()
    assert [(end.name, end.cause) for end in summary.ends] == [("bad", StopCause.INVALID), ("good", StopCause.END)]


def test_processes_have_their_own_ids() -> None:
    guest = processes(bench(cores=2), 3, "nop")
    assert [(process.pid, process.tid) for process in guest.machine.processes] == [
        (0x1000, 0x1004),
        (0x1010, 0x1014),
        (0x1020, 0x1024),
    ]


def test_a_process_id_is_used_once() -> None:
    guest = processes(bench(cores=2), 1, "nop")
    with pytest.raises(LoadError, match="1000"):
        guest.machine.load(b"\x90", "raw", process_id=0x1000)


def test_processes_have_their_own_memory() -> None:
    guest = processes(bench(cores=2), 2, "inc qword ptr [0x400100]; mov rbx, [0x400100]")
    guest.machine.run()
    assert [read_of(guest, process, "rbx") for process in guest.machine.processes] == [1, 1]


# --- what commands act on


def test_commands_act_on_the_process_that_was_switched_to() -> None:
    guest = processes(bench(), 3, "nop")
    third = guest.machine.processes[2]
    guest.machine.switch(third)
    host = guest.machine.host_for_commands()
    assert (guest.machine.current, pseudo(host, "pid"), pseudo(host, "core")) == (third, third.pid, 0)


def test_a_switch_to_a_process_on_another_core_moves_nothing() -> None:
    guest = processes(bench(cores=2), 2, "nop")
    second = guest.machine.processes[1]
    guest.machine.switch(second)
    assert [core.process for core in guest.machine.cores] == list(guest.machine.processes)
    assert pseudo(guest.machine.host_for_commands(), "core") == 1


def test_after_a_switch_every_process_still_runs_to_its_end() -> None:
    guest = processes(bench(), 3, CALLS)
    guest.machine.switch(guest.machine.processes[2])
    seen = order_of_calls(guest)
    assert seen[0] == (2, 0)
    assert sorted(process for process, _ in seen) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_gs_leads_to_the_thread_of_the_process_on_the_core() -> None:
    guest = processes(bench(cores=2), 4, CALLS)
    wrong: list[int] = []

    def check(host: Host) -> None:
        block = next(p for p in guest.machine.processes if p.pid == pseudo(host, "pid")).processor_block
        thread = int.from_bytes(host.read_memory(block + 0x188, 8) or b"", "little")
        wrong.extend([thread] if thread != pseudo(host, "thread") else [])

    guest.on(SYSCALL, script(check))
    guest.machine.run()
    assert wrong == []


# --- MSRs by core


def test_an_msr_is_read_and_written_by_core() -> None:
    guest = processes(bench(cores=2), 2, "mov ecx, 0xc0000084; rdmsr; mov ebx, eax")
    machine = guest.machine
    machine.write_msr(1, msr.FMASK, 0x5700)
    assert [machine.read_msr(core, msr.FMASK) for core in (0, 1)] == [0x4_7700, 0x5700]
    machine.run()
    assert [read_of(guest, process, "rbx") for process in machine.processes] == [0x4_7700, 0x5700]


@pytest.mark.parametrize(("core", "number"), [(0, 0x1234), (2, msr.LSTAR), (-1, msr.LSTAR), (1, msr.LSTAR)])
def test_an_unknown_msr_or_core_is_an_error(core: int, number: int) -> None:
    machine = processes(bench(cores=2), 1, "nop").machine
    with pytest.raises(MsrError):
        machine.read_msr(core, number)
    with pytest.raises(MsrError):
        machine.write_msr(core, number, 0)


def test_tsc_aux_is_the_core() -> None:
    guest = processes(bench(cores=2), 2, "rdtscp; mov ebx, ecx")
    guest.machine.run()
    assert [read_of(guest, process, "rbx") for process in guest.machine.processes] == [0, 1]


def test_lstar_written_by_a_command_is_where_calls_go() -> None:
    guest = bench("syscall; nop")
    guest.machine.write_memory(CODE + 0x100, b"\x48\xff\xc3\xff\xe1")  # inc rbx; jmp rcx
    guest.machine.write_msr(0, msr.LSTAR, CODE + 0x100)
    guest.machine.run()
    assert guest.register("rbx") == 1


def test_registers_written_between_runs_belong_to_the_current_process() -> None:
    guest = processes(bench(cores=2), 2, "mov rsi, rbx")
    guest.machine.switch(guest.machine.processes[1])
    write(guest.machine.host_for_commands(), "rbx", 7)
    guest.machine.run()
    assert [read_of(guest, process, "rsi") for process in guest.machine.processes] == [0, 7]


def test_the_test_hosts_see_the_same_registers() -> None:
    guest = processes(bench(), 1, "mov ebx, 3")
    guest.machine.run()
    assert read(guest.machine.host_for_commands(), "rbx") == 3


def test_a_program_that_cannot_be_loaded_leaves_no_process_behind() -> None:
    guest = processes(bench(limits=Limits(max_guest_memory=1 << 22)), 1, "nop")
    with pytest.raises(LoadError, match="max_guest_memory"):
        guest.machine.load(b"\x90" * (1 << 22), "raw")
    objects = guest.machine.processes[0].objects
    links = objects.process + DEFAULT_BUILD.process_links
    host = guest.machine.host_for_commands()
    head = int.from_bytes(host.read_memory(links, 8) or b"", "little")
    assert int.from_bytes(host.read_memory(head, 8) or b"", "little") == links
    assert len(guest.machine.processes) == 1


def test_a_machine_without_memory_for_guests_can_be_made() -> None:
    guest = bench(limits=Limits(max_guest_memory=1))
    with pytest.raises(LoadError, match="max_guest_memory"):
        guest.machine.load(b"\x90", "raw")


@pytest.mark.parametrize(("kind", "kernel"), [("raw", "linux"), ("asm", "linux")])
def test_raw_code_and_listings_run_on_linux_by_default(kind: str, kernel: str) -> None:
    guest = bench()
    guest.machine.load(b"nop", kind)
    assert guest.machine.processes[0].image.kernel == kernel
