"""Cores that run at the same time: nothing is lost, nothing hangs, and what must not depend on the order does not."""

from __future__ import annotations

import faulthandler
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from unittest import mock

import pytest
from effort import often
from engines import make_engine
from machine_guests import Failing

from hds.report.records import Halt, Record, ScriptFault
from hds.report.reporters import Questions
from hds.session.session import Session
from machine.machine import StopCause
from machine.records import Silent
from vm.engine import Fault, FaultKind
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.registers import STORAGES

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

ENGINES = ("reference", "native")
CALLS = "mov ebx, {count}; again: mov eax, 5; syscall; dec ebx; jnz again"
ENDLESS = "again: mov eax, 5; syscall; jmp again"
BUSY = "again: inc rbx; jmp again"
AT_ONCE = 0.2  # seconds
STUCK = 100  # seconds until a test that hangs shows where, and ends all


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    faulthandler.dump_traceback_later(STUCK, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def session(
    commands: str,
    guests: Sequence[str],
    *,
    cores: int = 2,
    engine: str = "native",
    limits: Limits = DEFAULT_LIMITS,
    parallel: bool = True,
    broke: Callable[[Halt], bool] = lambda halt: False,
    fault: Callable[[Fault], None] = lambda fault: None,
) -> Session:
    """A session with these guests, loaded and not run yet."""

    class Faults:
        def report(self, record: Record, /) -> None:
            if isinstance(record, ScriptFault):
                fault(record.fault)

    made = Session(
        cores=cores,
        limits=limits,
        engine=make_engine(engine, limits),
        kernel="bare",
        parallel=parallel,
        reporter=Faults(),
        questions=Questions(broke=broke),
    )
    for number, guest in enumerate(guests):
        made.load(guest.encode(), "asm", process_id=0x1000 + number)
    made.execute(commands)
    return made


def calls(count: int, processes: int = 4) -> list[str]:
    return [CALLS.format(count=count)] * processes


def value(of: Session, name: str) -> int:
    return int.from_bytes(of.store.read(name), "little")


def count_of(engine: str) -> int:
    return often(60, 200) if engine == "reference" else often(200, 2000)


# --- nothing is lost

COUNTERS = {
    "interlocked": "!syscall script { interlocked_increment(&.n); }",
    "locked": "!syscall script { spinlock_lock(&.k); .n = .n + 1; spinlock_unlock(&.k); }",
    "locked, with messages": "!syscall script { spinlock_lock(&.k); .n = .n + 1; print(.n); spinlock_unlock(&.k); }",
    "with a condition": "!syscall asm condition { mov al, 1 } script { interlocked_increment(&.n); }",
    "behind a block": "!syscall asm code { inc qword ptr [rdx+20] } \n!syscall script { interlocked_increment(&.n); }",
    "in the post stage": "!syscall stage post script { interlocked_increment(&.n); }",
    "at the return": "!sysret script { interlocked_increment(&.n); }",
    "at an address": "!epthook 400005 script { interlocked_increment(&.n); }",
    "guessed": "!syscall2 script { interlocked_increment(&.n); }",
}


# Every kind of counter on both engines, with two cores on one of them and four on the other.
PAIRS = [
    (name, engine, 2 << (place + at) % 2) for place, name in enumerate(COUNTERS) for at, engine in enumerate(ENGINES)
]


@pytest.mark.lasting
@pytest.mark.parametrize(("name", "engine", "cores"), often(PAIRS, [(n, e, c) for n, e, _ in PAIRS for c in (2, 4)]))
def test_no_trigger_and_no_count_is_lost(name: str, engine: str, cores: int) -> None:
    count = count_of(engine)
    guest = session(COUNTERS[name], calls(count), cores=cores, engine=engine)
    summary = guest.run()
    assert summary.cause is StopCause.END
    assert value(guest, "n") == 4 * count
    assert set(summary.triggers.values()) == {4 * count}
    assert not summary.script_faults
    assert not summary.code_faults


@pytest.mark.lasting
def test_nothing_is_lost_where_registers_are_copied() -> None:
    with (
        mock.patch("machine.processor.cpu.window_of", return_value=None),
        mock.patch("machine.root.processor.window_of", return_value=None),
    ):
        commands = COUNTERS["behind a block"] + "\n" + COUNTERS["with a condition"]
        guest = session(commands, calls(200))
        guest.run()
    assert value(guest, "n") == 1600


@pytest.mark.parametrize("engine", ENGINES)
def test_a_count_without_protection_is_never_too_large(engine: str) -> None:
    guest = session("!syscall script { .n = .n + 1; }", calls(count_of(engine)), engine=engine)
    guest.run()
    assert 0 < value(guest, "n") <= 4 * count_of(engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_counter_in_an_event_buffer_is_exact(engine: str) -> None:
    guest = session(
        "!syscall buffer 8 script { interlocked_increment($buffer); .b = $buffer; }", calls(200), engine=engine
    )
    guest.run()
    assert guest.machine.read_memory(value(guest, "b"), 8) == (800).to_bytes(8, "little")


@pytest.mark.parametrize("immediate", ["yes", "no"])
@pytest.mark.parametrize("cores", [2, 4])
def test_every_message_arrives(immediate: str, cores: int) -> None:
    commands = f'!syscall imm {immediate} script {{ printf("%llx %llx\\n", $pid, @rbx); }}'
    most = often(200, 500)
    guest = session(commands, calls(most), cores=cores)
    guest.run()
    lines = b"".join(message.text for message in guest.messages).splitlines()
    assert sorted(lines) == sorted(b"%x %x" % (0x1000 + pid, rbx) for pid in range(4) for rbx in range(1, most + 1))
    for pid in range(4):  # those of one process in their order
        own = [line for line in lines if line.startswith(b"%x " % (0x1000 + pid))]
        assert own == [b"%x %x" % (0x1000 + pid, rbx) for rbx in range(most, 0, -1)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("processes", [1, 3])
def test_registers_and_counts_are_those_of_the_deterministic_run(engine: str, processes: int) -> None:
    guest = "mov ebx, 300; again: mov eax, 5; syscall; add rcx, rbx; imul rdi, rbx; inc rdi; dec ebx; jnz again"

    def outcome(parallel: bool) -> object:
        commands = "!syscall script { @rsi = @rsi + @rbx; }"
        made = session(commands, [guest] * processes, engine=engine, parallel=parallel)
        summary = made.run()
        registers = [
            [process.cpu.registers.read(storage) for storage, name in enumerate(STORAGES) if "gs" not in name]
            for process in made.machine.processes
        ]
        return registers, summary.instructions, summary.triggers, summary.cause

    assert outcome(parallel=True) == outcome(parallel=False)


def test_one_core_runs_as_without() -> None:
    def messages(parallel: bool) -> list[object]:
        made = session("!syscall script { print($pid); print(rdtsc()); }", calls(50), cores=1, parallel=parallel)
        made.run()
        return list(made.messages)

    assert messages(parallel=True) == messages(parallel=False)


def test_cores_run_at_the_same_time() -> None:
    """Each waits in its script for the other."""
    meet = "!syscall script { interlocked_increment(&.n); while (.n < 2) { } .met = 1; }"
    guest = session(meet, calls(1, processes=2), limits=Limits(max_steps=1 << 40))
    assert guest.run(timeout=30).cause is StopCause.END
    assert value(guest, "met") == 1


# --- locks


@pytest.mark.parametrize("engine", ENGINES)
def test_a_lock_that_a_later_trigger_releases_is_waited_for(engine: str) -> None:
    """The first process takes the lock and has a long way to go before it releases it."""
    holder = "mov eax, 1; syscall; mov ecx, 1000000; wait: dec ecx; jnz wait; mov eax, 2; syscall"
    waiter = "mov ecx, 100000; wait: dec ecx; jnz wait; mov eax, 1; syscall; mov eax, 2; syscall"
    faults: list[Fault] = []
    commands = "!syscall 1 script { spinlock_lock(&.k); .n = .n + 1; }\n!syscall 2 script { spinlock_unlock(&.k); }"
    guest = session(commands, [holder, waiter], engine=engine, fault=faults.append)
    guest.run()
    assert (value(guest, "n"), value(guest, "k"), faults) == (2, 0, [])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_lock_that_nobody_releases_is_a_deadlock(engine: str) -> None:
    faults: list[Fault] = []
    guest = session(
        "!syscall script { spinlock_lock(&.k); }", calls(2, processes=2), engine=engine, fault=faults.append
    )
    start = time.monotonic()
    assert guest.run().cause is StopCause.END
    assert [fault.kind for fault in faults] == [FaultKind.DEADLOCK] * 3
    assert time.monotonic() - start < 30


# --- breaks


@pytest.mark.parametrize("engine", ENGINES)
def test_a_break_halts_all_cores(engine: str) -> None:
    seen: list[bool] = []

    def broke(halt: Halt) -> bool:
        before = guest.instructions
        time.sleep(0.02)
        seen.append(guest.instructions == before)
        return True

    commands = "!syscall 1 script { pause(); }\n!syscall 5 script { interlocked_increment(&.n); }"
    guests = ["mov ebx, 5; again: mov eax, 1; syscall; dec ebx; jnz again", *calls(2000, processes=3)]
    guest = session(commands, guests, engine=engine, cores=4, broke=broke)
    assert guest.run().cause is StopCause.END
    assert seen == [True] * 5
    assert value(guest, "n") == 6000


def test_a_break_is_shown_in_the_thread_of_the_run_with_its_process() -> None:
    seen: list[object] = []

    def broke(halt: Halt) -> bool:
        current = guest.machine.current
        seen.append((threading.current_thread(), None if current is None else current.pid, halt.process_id))
        return False

    guest = session(
        "!syscall 1 pid 1001 script { pause(); }", [BUSY, "mov eax, 1; syscall", BUSY], cores=3, broke=broke
    )
    assert guest.run().cause is StopCause.BREAK
    assert seen == [(threading.current_thread(), 0x1001, 0x1001)]
    assert guest.machine.current is guest.machine.processes[1]


def test_events_may_come_and_go_at_a_break() -> None:
    def broke(halt: Halt) -> bool:
        guest.execute("!epthook 400005 script { interlocked_increment(&.hooked); }")
        guest.machine.registry.clear(max(guest.machine.registry.ids))
        guest.execute("!syscall 5 script { interlocked_increment(&.n); }")
        return True

    breaking = "mov ebx, 3; again: mov eax, 1; syscall; dec ebx; jnz again"
    guest = session("!syscall 1 script { pause(); }", [breaking, *calls(50_000, processes=2)], cores=3, broke=broke)
    assert guest.run().cause is StopCause.END
    assert len(guest.machine.registry.ids) == 4


@pytest.mark.parametrize("turn", range(often(3, 10)))
def test_two_breaks_at_the_same_time_halt_once_each(turn: int) -> None:
    seen: list[int] = []

    def broke(halt: Halt) -> bool:
        seen.append(halt.core)
        return True

    guest = session("!syscall script { pause(); }", calls(10), cores=4, broke=broke)
    assert guest.run().cause is StopCause.END
    assert len(seen) == 40


def test_a_breakpoint_halts_every_core() -> None:
    halts: list[Halt] = []

    def note(halt: Halt) -> bool:
        halts.append(halt)
        return False

    guest = session("", [BUSY, "mov ecx, 50000; wait: dec ecx; jnz wait; nop; nop"], broke=note)
    target = guest.machine.processes[1]
    guest.execution.breakpoints.add(target, 0x400000 + 9)
    assert guest.run(timeout=30).cause is StopCause.BREAK
    assert [halt.process_id for halt in halts] == [target.pid]
    assert guest.machine.current is target


@pytest.mark.lasting
@pytest.mark.parametrize("turn", range(often(1, 5)))
def test_a_process_that_waits_may_be_made_the_current_one_at_a_break(turn: int) -> None:
    def broke(halt: Halt) -> bool:
        on_cores = [core.process for core in guest.machine.cores]
        guest.machine.switch(next(process for process in guest.machine.processes if process not in on_cores))
        return True

    commands = "!syscall 1 script { pause(); }\n!syscall 5 script { interlocked_increment(&.n); }"
    breaking = "mov ebx, 9; again: mov eax, 1; syscall; dec ebx; jnz again"
    guest = session(commands, [breaking, *calls(200, processes=3), BUSY], cores=2, broke=broke)
    guest.run(max_instructions=200_000_000)
    assert value(guest, "n") == 600


def test_a_program_may_be_loaded_at_a_break() -> None:
    def broke(halt: Halt) -> bool:
        guest.load(calls(100)[0].encode(), "asm")
        return True

    commands = "!syscall 1 script { pause(); }\n!syscall 5 script { interlocked_increment(&.n); }"
    guest = session(commands, ["mov eax, 1; syscall", *calls(5000, processes=1)], cores=3, broke=broke)
    assert guest.run().cause is StopCause.END
    assert value(guest, "n") == 5100


# --- events that scripts change

CHANGES = {
    "enabled and disabled": "!syscall 1 script { event_disable(0); event_enable(0); }",
    "an address cleared": "!syscall 1 script { event_clear(2); }\n!epthook 400005 script { .n = 1; }",
    "a block cleared": "!syscall 1 script { event_clear(2); }\n!syscall asm condition { mov al, 1 } script { .n = 1; }",
    "itself cleared": "!syscall 1 script { event_clear(1); }",
    "the returns cleared": "!syscall 1 script { event_clear(2); }\n!sysret script { interlocked_increment(&.n); }",
}


@pytest.mark.lasting
@pytest.mark.parametrize("turn", range(often(1, 5)))
@pytest.mark.parametrize("commands", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("engine", ENGINES)
def test_events_change_while_other_cores_trigger_them(engine: str, commands: str, turn: int) -> None:
    count = count_of(engine)
    waiting = f"mov ecx, {turn * 1000 + 1}; wait: dec ecx; jnz wait; "
    # Its last call counts in any case; the others may make all of theirs while the event is disabled.
    changing = waiting + "mov ebx, 20; again: mov eax, 1; syscall; dec ebx; jnz again; mov eax, 5; syscall"
    every = "!syscall 5 script { interlocked_increment(&.all); }\n"
    guest = session(every + commands, [changing, *calls(count, processes=3)], cores=4, engine=engine)
    assert guest.run().cause is StopCause.END
    assert 0 < value(guest, "all") <= 3 * count + 1


# --- what ends a run


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exception_of_a_reporter_ends_the_run_and_arrives(engine: str) -> None:
    guest = session("!syscall script { print(1); }", [ENDLESS, BUSY, ENDLESS], cores=3, engine=engine)
    guest.machine.reporter = Failing()
    with pytest.raises(OSError, match="the pipe is closed"):
        guest.run()
    assert threading.active_count() < 10
    guest.machine.reporter = Silent()
    assert guest.run(max_instructions=10_000).cause is StopCause.BUDGET


def test_an_exception_at_a_break_ends_the_run_and_arrives() -> None:
    def broke(halt: Halt) -> bool:
        raise KeyboardInterrupt

    guest = session("!syscall script { pause(); }", [ENDLESS, BUSY], broke=broke)
    with pytest.raises(KeyboardInterrupt):
        guest.run()


@pytest.mark.lasting
@pytest.mark.parametrize("guests", [[BUSY, BUSY], [ENDLESS, BUSY], [ENDLESS] * 4])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_timeout_ends_a_run_at_once(engine: str, guests: list[str]) -> None:
    guest = session("!syscall script { .n = .n + 1; }", guests, engine=engine)
    guest.run(max_instructions=3000)  # compiles the script
    start = time.process_time()
    assert guest.run(timeout=0.1).cause is StopCause.TIMEOUT
    assert time.process_time() - start < 2 * (0.1 + AT_ONCE)  # on two cores


@pytest.mark.lasting
@pytest.mark.parametrize("guests", [[BUSY, BUSY], [ENDLESS, BUSY], [ENDLESS] * 4])
@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_ends_a_run_at_once(engine: str, guests: list[str]) -> None:
    guest = session("!syscall script { .n = .n + 1; }", guests, engine=engine)
    guest.run(max_instructions=3000)  # compiles the script
    sent: list[float] = []

    def interrupt() -> None:
        sent.append(time.process_time())
        signal.raise_signal(signal.SIGINT)

    threading.Timer(0.1, interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        guest.run()
    assert time.process_time() - sent[0] < 2 * AT_ONCE


@pytest.mark.lasting
def test_a_timeout_ends_a_run_whose_cores_wait_for_a_lock() -> None:
    guest = session("!syscall script { spinlock_lock(&.k); }", [ENDLESS, ENDLESS, BUSY], cores=3)
    start = time.monotonic()
    assert guest.run(timeout=0.3).cause is StopCause.TIMEOUT
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("most", [1, 2, 3, 10, 1000, 12_345, 1_000_000])
@pytest.mark.parametrize("processes", [2, 5])
def test_the_instruction_limit_is_never_exceeded(most: int, processes: int) -> None:
    guest = session("!syscall script { .n = .n + 1; }", [ENDLESS, *[BUSY] * (processes - 1)])
    summary = guest.run(max_instructions=most)
    assert summary.cause is StopCause.BUDGET
    assert most - 4 <= summary.instructions <= most


def test_a_reporter_may_stop_the_run() -> None:
    class Stopping:
        def report(self, record: object, /) -> None:
            guest.machine.stop()

    guest = session("!syscall script { print(1); }", [ENDLESS, BUSY])
    guest.machine.reporter = Stopping()
    assert guest.run(timeout=30).cause is StopCause.STOPPED
    assert guest.triggers < 10


# --- processes and cores


@pytest.mark.parametrize("engine", ENGINES)
def test_more_processes_than_cores_take_turns(engine: str) -> None:
    limits = Limits(quantum_instructions=500)
    guest = session(
        "!syscall script { interlocked_increment(&.n); }", calls(100, 7), cores=3, engine=engine, limits=limits
    )
    assert guest.run().cause is StopCause.END
    assert value(guest, "n") == 700
    assert all(not process.alive for process in guest.machine.processes)


@pytest.mark.lasting
def test_blocks_follow_a_process_to_other_cores() -> None:
    """GUEST_REGS, the stack and the processor block are those of the core that a trigger is on."""
    commands = (
        "!syscall asm condition { mov rax, gs:[188]; test rax, rax; setne al; movzx eax, al } "
        "asm code { inc qword ptr [rdx+38] }\n!syscall script { interlocked_increment(&.n); }"
    )
    guest = session(commands, calls(300, 5), cores=2)
    summary = guest.run()
    assert not summary.code_faults
    assert [guest.machine.processes[at].cpu.registers.read(7) for at in range(5)] == [300] * 5
    assert value(guest, "n") == 1500


@pytest.mark.lasting
@pytest.mark.parametrize("turn", range(often(2, 10)))
def test_runs_in_a_row_go_on_where_they_were(turn: int) -> None:
    guest = session("!syscall script { interlocked_increment(&.n); }", calls(200), cores=3)
    while guest.guest_alive:
        guest.run(max_instructions=777)
    assert value(guest, "n") == 800
