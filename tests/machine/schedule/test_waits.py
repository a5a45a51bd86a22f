"""Waits: who runs meanwhile, how time passes, and the end of a run in which nobody can go on."""

from __future__ import annotations

import pytest

from hds.report.records import GuestOutput, Record
from hds.session import Session
from machine.kernel.linux.names import NUMBERS
from machine.machine import RunSummary, StopCause
from vm.facts.registers import STORAGE_INDEX

PAUSE, EXIT = NUMBERS["pause"], NUMBERS["exit"]


def sleeper(nanoseconds: int, mark: str) -> str:
    """Sleeps, prints its mark and exits with it."""
    return f"""
    push {ord(mark):#x}; push {nanoseconds:#x}; push 0
    mov rdi, rsp; xor esi, esi; mov eax, {NUMBERS["nanosleep"]:#x}; syscall
    mov edi, 1; lea rsi, [rsp + 0x10]; mov edx, 1; mov eax, {NUMBERS["write"]:#x}; syscall
    mov edi, {ord(mark):#x}; mov eax, {EXIT:#x}; syscall
    """


def ran(*guests: str, cores: int = 1, parallel: bool = False, kernel: str = "linux") -> tuple[Session, str, RunSummary]:
    """A session whose guests have run, what they printed, and the summary."""
    printed: list[str] = []

    class Output:
        def report(self, record: Record, /) -> None:
            if isinstance(record, GuestOutput):
                printed.append(record.data.decode())

    session = Session(cores=cores, parallel=parallel, kernel=kernel, reporter=Output())
    for guest in guests:
        session.machine.load(guest.encode(), "asm")
    summary = session.run(timeout=30)
    return session, "".join(printed), summary


@pytest.mark.parametrize(("cores", "parallel"), [(1, False), (2, False), (4, False), (2, True), (4, True)])
def test_others_run_while_one_sleeps_and_the_clock_jumps_to_the_next(cores: int, parallel: bool) -> None:
    late, soon, sooner = sleeper(30_000_000, "c"), sleeper(20_000_000, "b"), sleeper(10_000_000, "a")
    session, printed, summary = ran(late, soon, sooner, cores=cores, parallel=parallel)
    assert (printed, summary.cause) == ("abc", StopCause.EXIT)
    assert 30_000_000 <= session.machine.clock.elapsed() < 31_000_000


@pytest.mark.parametrize(("cores", "parallel"), [(1, False), (2, False), (2, True)])
def test_a_process_that_can_run_does_so_while_another_waits_for_ever(cores: int, parallel: bool) -> None:
    _, printed, summary = ran(f"mov eax, {PAUSE:#x}; syscall", sleeper(1000, "x"), cores=cores, parallel=parallel)
    assert (printed, summary.cause) == ("x", StopCause.DEADLOCK)
    assert [end.exit_code for end in summary.ends] == [ord("x")]


@pytest.mark.parametrize(("cores", "parallel"), [(1, False), (2, False), (2, True)])
def test_a_deadlock_is_one_again_at_the_next_run(cores: int, parallel: bool) -> None:
    guest = f"mov eax, {PAUSE:#x}; syscall; nop"
    session, _, summary = ran(guest, guest, cores=cores, parallel=parallel)
    assert (summary.cause, summary.ends) == (StopCause.DEADLOCK, ())
    again = session.run()
    assert (again.cause, again.instructions) == (StopCause.DEADLOCK, 0)


def test_a_wait_costs_no_instructions() -> None:
    alone = ran(sleeper(10_000_000, "a"))[2]
    beside = ran(sleeper(10_000_000, "a"), sleeper(20_000_000, "b"))[2]
    assert beside.instructions == 2 * alone.instructions


@pytest.mark.parametrize(("cores", "parallel"), [(1, False), (2, True)])
def test_a_delay_of_windows_lets_others_run(cores: int, parallel: bool) -> None:
    def delayed(units: int, code: int) -> str:
        ends = f"mov edx, {code}; mov r10, -1; mov eax, 0x2c; syscall"
        return f"mov rax, -{units:#x}; push rax; mov rdx, rsp; xor r10d, r10d; mov eax, 0x34; syscall; {ends}"

    session, _, summary = ran(delayed(20_000, 1), delayed(10_000, 2), cores=cores, parallel=parallel, kernel="nt")
    assert {process.exit_code for process in session.machine.processes} == {1, 2}
    assert 2_000_000 <= session.machine.clock.elapsed() < 2_100_000
    assert summary.cause is StopCause.EXIT


def test_a_thread_keeps_all_its_registers_while_another_has_the_cpu() -> None:
    session, _, _ = ran("nop")
    process = session.machine.processes[0]
    cpu = process.cpu
    cpu.registers.write(STORAGE_INDEX["r9"], 1 << 63)
    cpu.write_vectors(range(32))
    saved = cpu.save()
    cpu.restore(saved.with_values({STORAGE_INDEX["r9"]: 5, STORAGE_INDEX["rflags"]: 0x246}, 0x1234, 0x5678))
    cpu.write_vectors([0] * 32)
    assert [cpu.registers.read(STORAGE_INDEX[name]) for name in ("r9", "rflags")] == [5, 0x246]
    assert [cpu.read_msr(number) for number in (0xC000_0100, 0xC000_0101)] == [0x1234, 0x5678]
    cpu.restore(saved)
    vectors = [0] * 32
    cpu.read_vectors(vectors)
    assert (cpu.registers.read(STORAGE_INDEX["r9"]), vectors) == (1 << 63, list(range(32)))
    assert cpu.save() == saved
