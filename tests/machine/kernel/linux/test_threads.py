"""Threads of Linux guests: real pthread programs run as natively, calls that wait, and what scripts see of threads."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from carrier_worlds import CARRIERS, Outcome, run
from effort import often
from linux_guests import Listening, build
from linux_world import SCRATCH, Guest
from machine_guests import CODE
from msgspec.structs import replace
from native_runs import native_outputs

from hds.report.records import Message, Record, Result
from hds.report.reporters import Questions
from hds.session import ScriptError, Session, why_stopped
from machine.kernel import LINUX
from machine.kernel.linux import World
from machine.kernel.linux.errors import Errno
from machine.kernel.linux.names import NUMBERS
from machine.machine import RunSummary, StopCause
from machine.processor import StopReason
from machine.root import assemble
from machine.schedule import Process, Scheduler
from vm.facts.limits import DEFAULT_LIMITS
from vm.facts.registers import RIP, STORAGE_INDEX

RAX = STORAGE_INDEX["rax"]
HANDLER = LINUX.lstar + 3
MARK_OF_CHILD = bytes.fromhex("bb02000000")  # mov ebx, 2

SOURCE = Path(__file__).with_name("threads.c").read_text()
KINDS = ("glibc", "musl")
PROGRAMS = (
    "counter", "condition", "barrier", "rwlock", "tls", "floating", "spinning", "sleeping", "timeouts", "piping",
    "polling", "robust", "signals", "main_ends_first", "thread_exits", "identities", "many_in_turn",
)  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The program with threads, by the kind of its build."""
    return cache(lambda kind: build(SOURCE, kind, tmp_path_factory.mktemp(kind)))


def ran(program: Path, name: str, *, commands: str = "", parallel: bool = False) -> tuple[Session, bytes, RunSummary]:
    """A session whose guest has run, what it printed, and the summary."""
    heard = Listening()
    session = Session(
        program, arguments=(name,), world=World(), reporter=heard, cores=2 if parallel else 1, parallel=parallel
    )
    session.execute(commands)
    summary = session.run(timeout=60)
    return session, heard.output, summary


@pytest.mark.programs
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_program_with_threads_runs_as_natively(
    kind: str, name: str, program: Callable[[str], Path], tmp_path: Path
) -> None:
    _, output, summary = ran(program(kind), name)
    here = output, summary.exit_code
    assert here == native_outputs([program(kind), name], tmp_path).like(here)


@pytest.mark.programs
@pytest.mark.parametrize("name", ["counter", "condition"])
def test_two_runs_of_threads_are_the_same(name: str, program: Callable[[str], Path]) -> None:
    def once() -> tuple[object, ...]:
        script = '!syscall script { printf("%llx %llx %llx %llx\\n", $tid, @rip, @rsi, $thread); }'
        session, output, summary = ran(program("musl"), name, commands=script)
        return [message.text for message in session.messages], output, summary

    assert once() == once()


@pytest.mark.parametrize(("name", "threads"), [("deadlock", 2), ("twice", 1), ("pipe", 1)])
def test_a_guest_in_which_nobody_can_go_on_is_a_named_deadlock(
    name: str, threads: int, program: Callable[[str], Path]
) -> None:
    session, _, summary = ran(program("musl"), name)
    assert summary.cause is StopCause.DEADLOCK
    said = why_stopped(session)
    assert said == f"stopped: deadlock (waiting for ever: {threads} thread{'s' * (threads > 1)})"


@pytest.mark.programs
@pytest.mark.parametrize("name", ["counter", "piping", "sleeping", "main_ends_first"])
def test_threads_take_turns_where_cores_are_parallel(name: str, program: Callable[[str], Path]) -> None:
    file = program("musl")
    assert ran(file, name, parallel=True)[1] == ran(file, name)[1]


# --- threads of a listing: a clone with all that threads share, and each side a getpid as its mark

SHARED = 0x10F00
GETPID, CLONE, EXIT, EXIT_GROUP = (NUMBERS[name] for name in ("getpid", "clone", "exit", "exit_group"))
TWO = f"""
    mov edi, {SHARED:#x}; lea rsi, [rsp - 0x4000]; xor edx, edx; xor r10d, r10d; xor r8d, r8d
    mov eax, {CLONE:#x}; syscall
    test eax, eax; jz child
    mov ebx, 1; mov ebp, 3
parent: mov eax, {GETPID:#x}; syscall
    mov eax, 0x18; syscall
    dec ebp; jnz parent
    mov eax, {EXIT_GROUP:#x}; mov edi, 7; syscall
child: mov ebx, 2; mov ebp, 2
next: mov eax, {GETPID:#x}; syscall
    mov eax, 0x18; syscall
    dec ebp; jnz next
    mov eax, {EXIT:#x}; xor edi, edi; syscall
"""
LOG = f'!syscall {GETPID:x} script {{ printf("%llx %llx %llx\\n", $tid, @rbx, $pid); }}'


def texts_of(outcome: Outcome) -> list[list[str]]:
    """The words of each message."""
    return [line[1].text.decode().split() for line in outcome.lines if isinstance(line[1], Message)]


def summary_of(outcome: Outcome) -> RunSummary:
    """That of the run."""
    assert isinstance(outcome.summary, RunSummary)
    return outcome.summary


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_script_sees_the_thread_that_runs(carrier: str) -> None:
    outcome = run(carrier, TWO, LOG, kernel="linux")
    assert sorted(texts_of(outcome)) == [["1004", "1", "1000"]] * 3 + [["1008", "2", "1000"]] * 2
    assert summary_of(outcome).exit_code == 7


def test_both_carriers_show_the_same_threads() -> None:
    first, *others = (run(carrier, TWO, LOG, kernel="linux") for carrier in CARRIERS)
    assert others == [first] * len(others)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("walked", ["", f"!epthook {HANDLER:x} script {{ .w++; }}\n"])
def test_conditions_find_the_running_thread_behind_gs(carrier: str, walked: str) -> None:
    condition = "mov rax, gs:[0x188]; mov rax, [rax+0x650]; cmp rax, 0x1008; sete al; movzx eax, al"
    commands = f"{walked}!syscall {GETPID:x} asm condition {{ {condition} }} script {{ .n++; }}"
    outcome = run(carrier, TWO, commands, kernel="linux")
    assert outcome.triggers[-1] == 2


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("event", ["!sysret", f"!epthook {HANDLER:x}", "!syscall stage post"])
def test_a_thread_that_waits_within_the_kernel_comes_back_to_its_own_place(carrier: str, event: str) -> None:
    outcome = run(carrier, TWO, f"{event} script {{ .n++; }}\n{LOG}", kernel="linux")
    assert sorted(texts_of(outcome)) == [["1004", "1", "1000"]] * 3 + [["1008", "2", "1000"]] * 2
    assert (summary_of(outcome).cause, summary_of(outcome).exit_code) == (StopCause.EXIT, 7)


def halted_in_the_child() -> tuple[Session, list[str]]:
    """A session that a breakpoint has halted where only the second thread comes, and what it shows."""
    shown: list[str] = []

    class Showing:
        def report(self, record: Record, /) -> None:
            if isinstance(record, Result):
                shown.append(record.text)

    session = Session(
        TWO.encode(), kind="asm", kernel="linux", reporter=Showing(), questions=Questions(broke=lambda halt: False)
    )
    code = session.machine.processes[0].cpu.memory.read(CODE, 0x80) or b""
    session.execute(f"bp {CODE + code.index(MARK_OF_CHILD):x} tid 1008")
    assert session.run().cause is StopCause.BREAK
    return session, shown


def test_a_breakpoint_halts_the_thread_that_it_names() -> None:
    session, _ = halted_in_the_child()
    process = session.machine.processes[0]
    assert (process.tid, [thread.tid for thread in process.threads]) == (0x1008, [0x1004, 0x1008])


def test_a_thread_is_listed_and_chosen_by_its_id() -> None:
    session, shown = halted_in_the_child()
    process = session.machine.processes[0]
    places = [thread.objects.thread for thread in process.threads]
    session.execute(".thread list")
    rows = "".join(f"\tTHREAD\t{place:x} (1000.{tid:x})\n" for place, tid in zip(places, (0x1004, 0x1008), strict=True))
    assert shown[-1].endswith(rows)
    session.execute(".thread tid 1004")
    assert (process.tid, process.cpu.registers.read(RAX)) == (0x1004, 0x1008)
    session.execute(f".thread thread {places[1]:x}")
    assert (process.tid, process.cpu.registers.read(RAX)) == (0x1008, 0)
    assert session.run().exit_code == 7


def test_the_list_of_a_process_has_its_threads_and_loses_those_that_end() -> None:
    session, _ = halted_in_the_child()
    machine, process = session.machine, session.machine.processes[0]
    head = process.objects.process + machine.options.build.process_threads

    def listed() -> list[int]:
        found, link = [], int.from_bytes(machine.read_memory(head, 8) or b"", "little")
        while link != head:
            found.append(link - machine.options.build.thread_links)
            link = int.from_bytes(machine.read_memory(link, 8) or b"", "little")
        return found

    assert listed() == [thread.objects.thread for thread in process.threads]
    first = process.threads[0].objects.thread
    session.execute(f"!syscall {EXIT_GROUP:x} script {{ pause(); }}")
    session.run()
    assert listed() == [first]


def test_a_step_over_a_call_that_waits_comes_back_in_its_thread() -> None:
    session, _ = halted_in_the_child()
    process = session.machine.processes[0]
    for _ in range(6):  # up to behind the sched_yield
        session.execute("p")
    assert (process.tid, process.thread.waiting) == (0x1008, None)
    assert process.cpu.memory.read(process.cpu.registers.read(RIP) - 2, 2) == bytes.fromhex("0f05")


# Both threads copy 100 bytes by one instruction and ask CPUID, ten times each, in turns of a few instructions.
WATCHED = f"""
    mov edi, {SHARED:#x}; lea rsi, [rsp - 0x4000]; xor edx, edx; xor r10d, r10d; xor r8d, r8d
    mov eax, {CLONE:#x}; syscall
    mov r15d, eax; mov r14d, 0xa
next: lea rdi, [rsp - 0x400]; mov ecx, 0x64
copy: rep stosb
    xor eax, eax
    cpuid
    nop
    dec r14d; jnz next
    test r15d, r15d; jz end
wait: mov eax, 0x18; syscall
    cmp qword ptr [rsp - 0x4008], 0; je wait
    mov eax, {EXIT_GROUP:#x}; mov edi, 7; syscall
end: mov qword ptr [rsp - 8], 1
    mov eax, {EXIT:#x}; syscall
"""


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("quantum", often([7], [1, 7, 50]))
def test_an_instruction_that_events_wait_for_is_one_in_each_thread(carrier: str, quantum: int) -> None:
    copy = CODE + assemble(WATCHED, address=CODE).code.index(bytes.fromhex("f3aa"))
    commands = f"!epthook {copy:x} script {{ .a++; }}\n!cpuid script {{ .b++; }}\n!cpuid stage post script {{ .c++; }}"
    outcome = run(
        carrier, WATCHED, commands, kernel="linux", limits=replace(DEFAULT_LIMITS, quantum_instructions=quantum)
    )
    assert (outcome.triggers, summary_of(outcome).exit_code) == ([20, 20, 20], 7)


def test_threads_have_their_own_arrival_at_a_breakpoint() -> None:
    session, _ = halted_in_the_child()
    for tid in ("1004", "1008"):
        session.execute(f".thread tid {tid}")
    assert session.run().cause is StopCause.EXIT  # the breakpoint has halted the thread here already


def test_a_thread_is_not_exchanged_while_an_event_holds_it() -> None:
    session, _ = halted_in_the_child()
    with pytest.raises(ScriptError, match="an event holds the program here"):
        session.execute(f"!syscall {GETPID:x}\ng\n.thread tid 1004\ng")


# --- the calls


def test_a_thread_beyond_the_limit_is_refused_and_the_limit_is_named() -> None:
    many = f"""
    more: mov edi, {SHARED:#x}; lea rsi, [rsp - 0x4000]; xor edx, edx; xor r10d, r10d; xor r8d, r8d
    mov eax, {CLONE:#x}; syscall
    test eax, eax; jz wait; jns more
    neg eax; mov edi, eax; mov eax, {EXIT_GROUP:#x}; syscall
    wait: mov eax, 0x22; syscall
    """
    session = Session(many.encode(), kind="asm", kernel="linux", limits=replace(DEFAULT_LIMITS, max_threads=3))
    assert session.run().exit_code == Errno.EAGAIN
    assert session.machine.kernels.reached_limits() == ["max_threads"]
    assert len(session.machine.processes[0].threads) == 3


@pytest.mark.parametrize(
    ("flags", "error"),
    [(0x10000, Errno.EINVAL), (0x800, Errno.EINVAL),
     (SHARED | 0x20000, Errno.EINVAL), (SHARED | 0x4000, Errno.EAGAIN)],
)  # fmt: skip
def test_threads_of_other_kinds_are_refused(flags: int, error: Errno) -> None:
    guest = Guest()
    assert guest.call("clone", flags, 0) == -error
    assert guest.kernel.unknown_calls == ({NUMBERS["clone"]: 1} if error is Errno.EAGAIN else {})


@pytest.mark.parametrize(
    ("row", "size", "error"),
    [(b"", 56, Errno.EINVAL), (b"", 5000, Errno.E2BIG), (struct.pack("<Q", SHARED | 17), 64, Errno.EINVAL),
     (struct.pack("<5Q", SHARED, 0, 0, 0, 17), 64, Errno.EINVAL),
     (struct.pack("<6Q", SHARED, 0, 0, 0, 0, SCRATCH), 64, Errno.EINVAL),
     (bytes(88) + b"x", 96, Errno.E2BIG), (struct.pack("<5Q", 0, 0, 0, 0, 17), 88, Errno.EAGAIN)],
)  # fmt: skip
def test_clone3_checks_its_structure(row: bytes, size: int, error: Errno) -> None:
    assert Guest().call("clone3", row.ljust(128, b"\0"), size) == -error


def test_a_futex_wakes_requeues_and_counts_as_linux_does() -> None:
    guest = Guest()
    task = guest.kernel.task(guest.process.thread)
    futexes, word = task.futexes, task.space.word_at
    first, second = SCRATCH, SCRATCH + 4
    rows = [futexes.add(word(first), bits) for bits in (1, 2, 3, 4)]
    assert guest.call("futex", first, 0x80 | 10, 9, 0, 0, 2) == 2  # WAKE_BITSET
    assert [row.woken for row in rows] == [False, True, True, False]
    assert guest.call("futex", first, 0x80 | 4, 0, 5, second, 1) == -Errno.EAGAIN  # CMP_REQUEUE
    assert guest.call("futex", first, 0x80 | 4, 1, 5, second, 0) == 2
    assert [row.woken for row in rows] == [True, True, True, False]
    assert guest.call("futex", first, 0x80 | 1, 9) == 0
    assert guest.call("futex", second, 0x80 | 1, 0) == 1  # at least one
    assert guest.call("futex", first, 0x80 | 6, 0) == -Errno.ENOSYS  # LOCK_PI


def test_a_futex_operation_changes_one_word_and_compares_what_it_was() -> None:
    guest = Guest()
    task = guest.kernel.task(guest.process.thread)
    futexes, word = task.futexes, task.space.word_at
    first, second = SCRATCH, SCRATCH + 4
    guest.cpu.memory.write(second, struct.pack("<I", 5))
    rows = [futexes.add(word(address), 1) for address in (first, second)]
    add_three_if_five = 1 << 28 | 0 << 24 | 3 << 12 | 5
    assert guest.call("futex", first, 0x80 | 5, 1, 1, second, add_three_if_five) == 2
    assert (guest.memory(second, 4), [row.woken for row in rows]) == (struct.pack("<I", 8), [True, True])


def test_files_are_those_of_the_machine_and_descriptors_those_of_the_process() -> None:
    first = Guest()
    second = Guest(kernel=first.kernel, process_id=0x1010)
    descriptor = first.open("/tmp/file", 0o101)
    assert first.call("write", descriptor, b"abc", 3) == 3
    assert second.contents("/tmp/file") == b"abc"
    assert second.call("write", descriptor + 1, b"abc", 3) == -Errno.EBADF


def test_a_thread_that_others_wait_for_has_long_turns_and_gives_way_within_a_quantum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[int] = []
    turn = Scheduler.turn

    def counted(scheduler: Scheduler, process: Process, most: int) -> StopReason:
        reason = turn(scheduler, process, most)
        turns.append(process.cpu.executed)
        return reason

    monkeypatch.setattr(Scheduler, "turn", counted)
    program = build(
        """#define FUTEX_WAIT 0
        #define FUTEX_WAKE 1
        #include <pthread.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        static int word;
        static volatile int count, seen = -1;
        static void *woken(void *unused) {
            while (!__atomic_load_n(&word, __ATOMIC_SEQ_CST)) syscall(SYS_futex, &word, FUTEX_WAIT, 0, 0, 0, 0);
            seen = count;
            return 0;
        }
        int main(void) {
            pthread_t thread;
            pthread_create(&thread, 0, woken, 0);
            for (volatile int i = 0; i < 1000000; i++);
            __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
            syscall(SYS_futex, &word, FUTEX_WAKE, 1, 0, 0, 0);
            while (seen < 0 && count < 1000000) count++;
            pthread_join(thread, 0);
            return seen > 0 && seen < 40000 ? 0 : 1;
        }""",
        "musl",
        tmp_path,
    )
    summary = ran(program, "waiting")[2]
    assert summary.exit_code == 0
    assert summary.instructions > 4_000_000
    assert len(turns) < 12  # of up to 2,000,000 instructions, not of 100,000
