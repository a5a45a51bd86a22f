"""Events and the processes and threads that a guest makes: each is seen, with ids of its own, on all carriers.

An event without `pid` is meant for every process, one with `pid` for that process alone, whatever it executes: children
have ids of their own (events-and-commands C.1, "`pid` semantics").
"""

from __future__ import annotations

from pathlib import Path

import pytest
from carrier_worlds import make_engine, run
from machine_guests import elf

from hds.session.session import Session
from machine.kernel.linux import World
from machine.root import assemble
from machine.summary import StopCause
from vm.facts.limits import Limits

BODY = """
    mov eax, 1; cpuid
    rdtsc
    mov edx, 0x3f8; out dx, al
    in al, 0x60
    mov ecx, 0xc0000082; rdmsr
    wrmsr
    mov rax, cr4; xor eax, 0x100; mov cr4, rax
    mov rax, dr7
    add dword ptr [rsp-0x40], 5
    ud2
    mov eax, 39; syscall
"""
WAIT = "mov edi, -1; xor esi, esi; xor edx, edx; xor r10d, r10d; mov eax, 61; syscall"
PROCESSES = f"mov eax, CALL; syscall; test eax, eax; jz both; {WAIT}; both: {BODY}; xor edi, edi; mov eax, 231; syscall"
CPUID = bytes.fromhex("0fa2")
GUESTS = {
    "fork": PROCESSES.replace("CALL", "57"),
    "vfork": PROCESSES.replace("CALL", "58"),
    "thread": f"""mov edi, 0x10f00; lea rsi, [rsp-0x800]; xor edx, edx; mov eax, 56; syscall; mov r15d, eax; {BODY};
        mov ebx, 8; again: test r15d, r15d; jz out; mov eax, 24; syscall; dec ebx; jnz again;
        out: xor edi, edi; mov eax, 60; syscall""",
}
# The threads that execute BODY.
MADE = {"fork": ["1000.1004", "1010.1014"], "vfork": ["1000.1004", "1010.1014"], "thread": ["1000.1004", "1000.1008"]}
SHOW = 'printf("%x.%x\\n", $pid, $tid);'
PASS_UD2 = "!exception 6 script { if (dw(@rip) == b0f) { @rip = @rip + 2; } }"
STEP = "!cpuid script { event_trace_step(); event_trace_instrumentation_step(); }"
EVERY_500 = Limits(max_timer_hz=2_000_000)  # instructions, as one takes a nanosecond
# Events that BODY triggers once, with what their scripts do besides, and commands beside them.
EVENTS = {
    "!cpuid": ("", ""), "!tsc": ("", ""), "!ioout 3f8": ("", ""), "!ioin": ("", ""), "!msrread c0000082": ("", ""),
    "!msrwrite": ("", ""), "!crwrite 4": ("", ""), "!dr": ("", ""), "!syscall 27": ("", ""),
    "!trace step-in": ("", STEP), "!trace instrument-step": ("", STEP),
    "!exception 1 sc on": ("@dr7 = 400;", "!cpuid script { @dr0 = @rip + 2; @dr7 = 1; }"),
}  # fmt: skip


@pytest.fixture(params=("portable", "native"))
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def said(carrier: str, guest: str, commands: str, *, halts: bool = False) -> list[str]:
    outcome = run(carrier, guest, commands, kernel="linux", max_instructions=5000, halts=halts)
    assert outcome.summary.cause is StopCause.EXIT  # type: ignore[attr-defined]
    messages = [record for kind, record, *_ in outcome.lines if kind == "message"]
    return sorted("".join(message.text.decode() for message in messages).splitlines())  # type: ignore[attr-defined]


def commands_of(event: str, pid: str = "") -> str:
    more, beside = EVENTS[event]
    return f"{event} {pid} script {{ {SHOW} {more} }}\n{PASS_UD2}\n{beside}"


@pytest.mark.parametrize("guest", GUESTS)
@pytest.mark.parametrize("event", EVENTS)
def test_an_event_sees_what_is_made(carrier: str, guest: str, event: str) -> None:
    assert said(carrier, GUESTS[guest], commands_of(event)) == MADE[guest]


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_of_one_process_does_not_see_its_children(carrier: str, event: str) -> None:
    assert said(carrier, GUESTS["fork"], commands_of(event, "pid 1000")) == ["1000.1004"]


@pytest.mark.parametrize("guest", GUESTS)
def test_an_exception_event_sees_what_is_made(carrier: str, guest: str) -> None:
    assert said(carrier, GUESTS[guest], f"!exception 6 script {{ {SHOW} @rip = @rip + 2; }}") == MADE[guest]


@pytest.mark.parametrize("guest", GUESTS)
def test_an_interrupt_event_sees_what_is_made(carrier: str, guest: str) -> None:
    """The clock's: all execute a loop in which it comes several times."""
    text = GUESTS[guest].replace("mov eax, 1; cpuid", "mov ecx, 2000; turn: dec ecx; jnz turn")
    outcome = run(
        carrier,
        text,
        f"!interrupt d1 script {{ {SHOW} }}\n{PASS_UD2}",
        kernel="linux",
        limits=EVERY_500,
        timer=2_000_000,
    )
    messages = "".join(line[1].text.decode() for line in outcome.lines if line[0] == "message")  # type: ignore[attr-defined]
    assert sorted(set(messages.split())) == MADE[guest]


MODES = 'script { printf("%x.%x %x %x\\n", $pid, $tid, $context, @rip & f00000); }'
USER, KERNEL = "3 400000", "0 e00000"


def test_modes_are_those_of_each_thread(carrier: str) -> None:
    seen = said(carrier, GUESTS["thread"], f"!mode ku pid 1000 {MODES}\n{PASS_UD2}")
    maker, made = 11, 3  # system calls: clone, getpid, eight times sched_yield, exit; getpid, exit. And ud2 in both
    assert seen.count(f"1000.1004 {KERNEL}") == maker
    assert [line for line in seen if line.startswith("1000.1008 0")] == [f"1000.1008 {KERNEL}"] * (made - 1)
    assert seen.count(f"1000.1004 {USER}") == maker


def test_a_child_may_be_meant_while_it_is_there(carrier: str) -> None:
    at_halt = f"!mode ku pid 1010 {MODES}\nevents d 0"
    seen = said(carrier, GUESTS["fork"], f"!cpuid\n{PASS_UD2}\ng\n{at_halt}", halts=True)
    assert seen == [f"1010.1014 {KERNEL}"] * 2 + [f"1010.1014 {USER}"] * 2


def test_the_memory_of_a_range_is_the_parents_alone_once_the_child_has_a_copy(carrier: str) -> None:
    """On hardware the kernel's copy comes before the access, of what modifies memory as of what writes it."""
    for access in ("w", "rw", "r"):
        assert said(carrier, GUESTS["fork"], f"!monitor {access} @rsp-40 l 4 script {{ {SHOW} }}\n{PASS_UD2}") == [
            "1000.1004"
        ]
        shared = said(carrier, GUESTS["vfork"], f"!monitor {access} @rsp-40 l 4 script {{ {SHOW} }}\n{PASS_UD2}")
        assert shared == MADE["vfork"]


@pytest.mark.parametrize("guest", GUESTS)
def test_hardware_breakpoints_are_not_inherited(carrier: str, guest: str) -> None:
    """They are set at the first instruction, on the CPUID that all execute."""
    where = f"{0x40_0000 + assemble(GUESTS[guest]).code.index(CPUID):x}"
    hit = f"!exception 1 sc on script {{ {SHOW} @dr7 = 400; }}"
    commands = f"!epthook 400000 script {{ @dr0 = {where}; @dr7 = 1; }}\n{hit}"
    assert said(carrier, GUESTS[guest], f"{commands}\n{PASS_UD2}") == ["1000.1004"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that forks; the child executes another program."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "other").write_bytes(
        elf("mov eax, 1; cpuid; rdtsc; ud2; inc r15; mov eax, 39; syscall; mov edi, 3; mov eax, 231; syscall")
    )
    (folder / "first").write_bytes(
        elf(f"""
        mov eax, 57; syscall; test eax, eax; jz child; {WAIT}; lea rdi, [rip+name]; xor esi, esi; xor edx, edx
        mov eax, 59; syscall; child: lea rdi, [rip+name]; xor esi, esi; xor edx, edx; mov eax, 59; syscall
        name: db "/other", 0
    """)
    )
    (folder / "other").chmod(0o755)
    return folder


def executed(carrier: str, root: Path, commands: str, *, parallel: bool = False) -> list[str]:
    session = Session(
        root / "first", world=World(root), engine=make_engine(carrier), cores=1 + parallel, parallel=parallel
    )
    session.execute(commands)
    summary = session.run(timeout=60)
    assert (summary.cause, summary.exit_code) == (StopCause.EXIT, 3)
    return sorted("".join(message.text.decode() for message in session.messages).splitlines())


EVENTS_OF_OTHER = {"!cpuid": "", "!tsc": "", "!syscall 27": "", "!trace step-in": STEP, "!trace instrument-step": STEP}


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("event", EVENTS_OF_OTHER)
def test_an_event_sees_what_a_process_executes(carrier: str, root: Path, event: str, parallel: bool) -> None:
    commands = f"{event} script {{ {SHOW} }}\n{PASS_UD2}\n{EVENTS_OF_OTHER[event]}"
    assert executed(carrier, root, commands, parallel=parallel) == ["1000.1004", "1010.1014"]
    alone = f"{event} pid 1000 script {{ {SHOW} }}\n{PASS_UD2}\n{EVENTS_OF_OTHER[event]}"
    assert executed(carrier, root, alone, parallel=parallel) == ["1000.1004"]


def test_modes_go_on_in_what_a_process_executes(carrier: str, root: Path) -> None:
    """Kernel mode at fork, wait4, execve, getpid and exit_group."""
    seen = executed(carrier, root, f"!mode ku pid 1000 {MODES}\n{PASS_UD2}")
    assert seen == [f"1000.1004 {KERNEL}"] * 5 + [f"1000.1004 {USER}"] * 5


def test_a_fork_gives_way_at_once_on_all_carriers(carrier: str) -> None:
    """The call after which another process waits is the one that ends the turn, also where machine code carries it."""
    text = "mov eax, 57; syscall; nop; mov eax, 39; syscall; xor edi, edi; mov eax, 231; syscall"
    outcome = run(carrier, text, '!epthook 400007 script { printf("%x ", $pid); }', kernel="linux")
    messages = b"".join(line[1].text for line in outcome.lines if line[0] == "message")  # type: ignore[attr-defined]
    assert messages == b"1010 1000 "
