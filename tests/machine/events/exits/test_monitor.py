"""!monitor: accesses to a range of memory, on all carriers (events-and-commands B.7, C.2, G.5)."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from carrier_worlds import CARRIERS, Collecting, Line, Outcome, make_engine, run
from effort import often
from hds_guests import refused, shown
from machine_guests import CODE, bench
from msgspec.structs import replace

from hds.report.reporters import Questions
from hds.session.session import Session
from machine.machine import StopCause
from machine.memory import PAGE, Area, Protection, SharedMemory
from vm.facts.limits import DEFAULT_LIMITS


def top_of_stack() -> int:
    """RSP where an assembled program begins, on the kernel that it has by default."""
    made = bench()
    made.machine.load(b"nop", "asm")
    return made.register("rsp")


TOP = top_of_stack()
ROOM = 0x100
DATA = TOP - ROOM  # what [rsp-256] is
BUSYBOX = shutil.which("busybox")
SHOW = 'script { printf("%d %llx %llx", $event_stage, $context, @rip); }'
AT = f"{DATA:x}"


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def texts(outcome: Outcome) -> list[str]:
    return [line[1].text.decode() for line in outcome.lines if line[0] == "message"]  # type: ignore[attr-defined]


def contexts(outcome: Outcome) -> list[int]:
    return [int(text.split()[1], 16) - DATA for text in texts(outcome)]


# --- which accesses


@pytest.mark.parametrize(
    ("instruction", "reads", "writes"),
    [
        ("mov rax, [rsp-256]", True, False),
        ("mov [rsp-256], rax", False, True),
        ("inc dword ptr [rsp-256]", True, True),
        ("cmp byte ptr [rsp-256], 1", True, False),
        ("xchg [rsp-256], rax", True, True),
        ("lock cmpxchg [rsp-256], rbx", True, True),
        ("movups [rsp-256], xmm1", False, True),
        ("lea rax, [rsp-256]", False, False),
        ("prefetcht0 [rsp-256]", False, False),
    ],
)
def test_an_event_fires_once_for_an_access_of_its_kind(instruction: str, reads: bool, writes: bool) -> None:
    kinds = {
        "r": reads,
        "w": writes,
        "x": False,
        "rw": reads or writes,
        "rx": reads,
        "wx": writes,
        "rwx": reads or writes,
    }
    for kind, fires in kinds.items():
        outcome = run("native", f"nop; {instruction}; nop", f"!monitor {kind} {AT} l 4 {SHOW}")
        assert texts(outcome) == ([f"0 {AT} {CODE + 1:x}"] if fires else []), kind


@pytest.mark.parametrize("kind", ["x", "rx", "wx", "rwx"])
def test_every_instruction_of_a_range_triggers(carrier: str, kind: str) -> None:
    guest = "mov ecx, 2; again: nop; call f; dec ecx; jnz again; jmp end; f: inc rbx; ret; end: nop"
    outcome = run(carrier, guest, f"!monitor {kind} {CODE + 5:x} {CODE + 0x11:x} {SHOW}")
    once = [0x5, 0x6, 0x11, 0xB, 0xD]
    assert [int(text.split()[2], 16) - CODE for text in texts(outcome)] == [*once, *once, 0xF]
    assert outcome.registers["rbx"] == 2


def test_a_fetch_is_no_read(carrier: str) -> None:
    outcome = run(carrier, "mov al, [0x400000]; nop; nop", f"!monitor r {CODE:x} l 100 {SHOW}")
    assert texts(outcome) == [f"0 {CODE:x} {CODE:x}"]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    ("first", "last", "fires"), [(-1, 0, True), (0, 0, True), (1, 7, False), (-8, -1, False), (-1, 9, True)]
)
def test_the_address_of_the_first_byte_decides(carrier: str, first: int, last: int, fires: bool) -> None:
    outcome = run(carrier, "mov [rsp-256], rax; nop", f"!monitor w {DATA + first:x} {DATA + last:x} {SHOW}")
    assert contexts(outcome) == [0] * fires


def test_an_access_across_pages_is_one_at_its_first_byte(carrier: str) -> None:
    edge = (DATA & -PAGE) - 4
    guest = f"mov rbx, {edge}; mov [rbx], rax; mov rcx, [rbx]; mov [rbx+4], eax; nop"
    whole = run(carrier, guest, f"!monitor rw {edge:x} l 10 {SHOW}")
    assert contexts(whole) == [edge - DATA, edge - DATA, edge + 4 - DATA]
    behind = run(carrier, guest, f"!monitor rw {edge + 4:x} l 10 {SHOW}")
    assert contexts(behind) == [edge + 4 - DATA]


def test_an_instruction_triggers_once_for_a_page(carrier: str) -> None:
    near = "lea rsi, [rsp-256]; lea rdi, [rsp-224]; movsq; nop"
    assert contexts(run(carrier, near, f"!monitor rw {AT} l 100 {SHOW}")) == [0]
    assert contexts(run(carrier, near, f"!monitor w {AT} l 100 {SHOW}")) == [0x20]
    far = f"lea rsi, [rsp-256]; lea rdi, [rsi-{PAGE}]; movsq; nop"
    assert contexts(run(carrier, far, f"!monitor rw {DATA - PAGE:x} {DATA + 8:x} {SHOW}")) == [0, -PAGE]


def test_a_repeated_instruction_triggers_for_each_iteration(carrier: str) -> None:
    guest = "lea rdi, [rsp-258]; mov ecx, 6; rep stosb; nop"
    alone = run(carrier, guest, "print 1")
    outcome = run(carrier, guest, f"!monitor w {AT} l 3 {SHOW}")
    assert contexts(outcome) == [0, 1, 2]
    assert outcome.registers == alone.registers


def test_the_stack_of_calls_is_memory(carrier: str) -> None:
    guest = "push rax; call f; pop rbx; nop; jmp end; f: ret; end: nop"
    outcome = run(carrier, guest, f"!monitor rw {TOP - 0x10:x} {TOP - 1:x} {SHOW}")
    assert [int(text.split()[1], 16) - TOP for text in texts(outcome)] == [-8, -16, -16, -8]


@pytest.mark.parametrize(
    "guest",
    [
        "mov rax, 0x12345; push rax; popfq; pushfq; pop rbx; nop",
        "pushfq; pop rax; push rax; popfq; mov rcx, rsp; pushfw; pop bx; nop",
        "enter 32, 3; leave; nop",
        "pushfq; or qword ptr [rsp], 0x100; popfq; mov [rsp-256], rax; nop; nop",
        "mov ecx, 70; again: mov [rsp-256], rcx; add rax, [rsp-256]; loop again; nop",
        "lea rsi, [rsp-300]; lea rdi, [rsp-256]; mov ecx, 20; rep movsb; mov rbx, rcx; nop",
        "lea rsi, [rsp-300]; lea rdi, [rsp-256]; mov ecx, 20; repe cmpsb; mov ecx, 9; repne scasb; rep stosw; nop",
        "lea rdi, [rsp-256]; mov byte ptr [rdi+5], 1; mov ecx, 20; repe scasb; xor ecx, ecx; rep stosb; nop",
        "call next; next: pop rax; lock xadd [rsp-256], rax; cpuid; rdtsc; mov eax, 5; syscall; nop",
    ],
)
def test_a_guest_is_as_without_the_event(carrier: str, guest: str) -> None:
    alone = run(carrier, guest, "print 1")
    base = DATA & -PAGE
    watched = run(carrier, guest, f"!monitor rw {base:x} {TOP + 7:x} stage all script {{ .n = .n + 1; }}")
    inside = run(carrier, guest, f"!monitor x {CODE:x} l 80 stage all script {{ .n = .n + 1; }}")
    for outcome in (watched, inside):
        assert outcome.triggers[0] > 0
        assert outcome.registers == alone.registers
        assert outcome.summary.instructions == alone.summary.instructions  # type: ignore[attr-defined]


def test_code_that_is_written_is_executed_anew(carrier: str) -> None:
    guest = "mov ecx, 2; again: mov eax, 1; add ebx, eax; mov dword ptr [0x400006], 0x20; dec ecx; jnz again; nop"
    alone = run(carrier, guest, "print 1")
    assert alone.registers["rbx"] == 0x21
    for kind in ("w", "x", "rwx"):
        outcome = run(carrier, guest, f"!monitor {kind} {CODE:x} l 40 script {{ .n = 1; }}")
        assert outcome.registers == alone.registers


def test_a_store_into_its_own_bytes_is_executed_and_counted_once(carrier: str) -> None:
    guest = f"mov eax, {CODE + 5:#x}; mov byte ptr [rax], 0xc6; nop"  # the store's first byte is c6
    alone = run(carrier, guest, "print 1")
    for kind in ("w", "wx", "rw"):
        outcome = run(carrier, guest, f"!monitor {kind} {CODE:x} l 200 script {{ .n = 1; }}")
        assert outcome.registers == alone.registers
        assert outcome.summary.cause == alone.summary.cause  # type: ignore[attr-defined]
        assert outcome.summary.instructions == alone.summary.instructions  # type: ignore[attr-defined]


# --- stages and short-circuiting


def test_before_and_after_a_write(carrier: str) -> None:
    """Scenario 21."""
    guest = "mov ecx, 2; again: mov [rsp-256], rcx; dec ecx; jnz again; nop"
    shows = 'script { printf("%d %llx %llx %llx", $event_stage, @rip, $context, poi($context)); }'
    outcome = run(carrier, guest, f"!monitor w {AT} {DATA + 4:x} stage all {shows}")
    assert texts(outcome) == [
        f"0 {CODE + 5:x} {AT} 0", f"1 {CODE + 0xD:x} {AT} 2",
        f"0 {CODE + 5:x} {AT} 2", f"1 {CODE + 0xD:x} {AT} 1",
    ]  # fmt: skip


def test_only_the_stages_that_were_asked_for(carrier: str) -> None:
    guest = "mov [rsp-256], rax; nop"
    for stage, seen in {"pre": ["0"], "post": ["1"], "all": ["0", "1"]}.items():
        outcome = run(carrier, guest, f"!monitor w {AT} l 8 stage {stage} {SHOW}")
        assert [text.split()[0] for text in texts(outcome)] == seen


def test_the_context_of_the_post_stage_is_that_of_the_access(carrier: str) -> None:
    guest = "lea rbx, [rsp-256]; mov rbx, [rbx]; nop"
    outcome = run(carrier, guest, f"!monitor r {AT} l 8 stage post {SHOW}")
    assert texts(outcome) == [f"1 {AT} {CODE + 11:x}"]


@pytest.mark.parametrize(
    "instruction",
    ["mov rbx, [rsp-256]", "inc qword ptr [rsp-256]", "xchg [rsp-256], rbx", "mov qword ptr [rsp-256], 5", "lodsq"],
)
def test_a_short_circuited_access_leaves_registers_and_memory_alone(carrier: str, instruction: str) -> None:
    guest = f"lea rsi, [rsp-256]; mov ebx, 7; stc; {instruction}; nop; mov rcx, [rsp-256]; nop"
    outcome = run(carrier, guest, f"!monitor rw {AT} l 8 sc on script {{ event_sc(@rip < {CODE + 0x12:x}); }}")
    registers = outcome.registers
    assert (registers["rbx"], registers["rcx"], registers["rflags"] & 1) == (7, 0, 1)
    assert registers["rsi"] == DATA


def test_memory_is_protected_until_the_event_is_cleared(carrier: str) -> None:
    """Scenario 17."""
    guest = "mov ecx, 5; again: inc dword ptr [rsp-256]; dec ecx; jnz again; mov ebx, [rsp-256]; nop"
    protect = "event_sc(1); if (@rcx == 2) { event_clear($event_id); }"
    outcome = run(carrier, guest, f"!monitor w {AT} {DATA + 4:x} pid 1000 script {{ print($context); {protect} }}")
    assert texts(outcome) == [f"{AT}\n"] * 4
    assert outcome.registers["rbx"] == 1


def test_any_event_short_circuits_and_no_post_stage_follows(carrier: str) -> None:
    guest = "mov qword ptr [rsp-256], 5; mov rbx, [rsp-256]; nop"
    commands = f"!monitor rw {AT} l 8 stage all {SHOW}\n!monitor w {AT} l 8 sc on {SHOW}"
    outcome = run(carrier, guest, commands)
    assert outcome.registers["rbx"] == 0
    assert [text.split()[0] for text in texts(outcome)] == ["0", "0", "0", "1"]


def test_a_short_circuited_execution_is_tried_again_for_ever(carrier: str) -> None:
    outcome = run(carrier, "nop; nop; inc rbx; nop", f"!monitor x {CODE + 2:x} l 1 sc on {SHOW}", max_instructions=9)
    assert outcome.registers["rbx"] == 0
    assert outcome.triggers == [7]
    assert outcome.summary.cause is StopCause.BUDGET  # type: ignore[attr-defined]


def test_a_short_circuited_execution_goes_on_where_the_script_says(carrier: str) -> None:
    event = f"!monitor x {CODE + 2:x} l 1 sc on script {{ @rip = @rip + 3; }}"
    assert run(carrier, "nop; nop; inc rbx; inc rcx; nop", event).registers["rcx"] == 1


def test_a_script_that_moves_rip_takes_the_place_of_the_access(carrier: str) -> None:
    guest = "mov ebx, 7; mov [rsp-256], rbx; mov rcx, [rsp-256]; nop"
    outcome = run(carrier, guest, f"!monitor w {AT} l 8 stage all script {{ @rip = {CODE + 0xD:x}; @rdx = 1; }}")
    assert (outcome.registers["rcx"], outcome.registers["rdx"], outcome.triggers) == (0, 1, [1])


def test_a_script_that_writes_registers_alters_the_access(carrier: str) -> None:
    guest = "mov ebx, 7; mov [rsp-256], rbx; mov rcx, [rsp-256]; setc dl; nop"
    outcome = run(carrier, guest, f"!monitor w {AT} l 8 script {{ @rbx = 9; @cf = 1; }}")
    assert (outcome.registers["rcx"], outcome.registers["rdx"]) == (9, 1)


# --- several events


def test_events_of_an_access_by_kind_and_newest_first(carrier: str) -> None:
    kinds = ("rw", "r", "rwx", "w", "r", "rx", "x", "wx")
    commands = "\n".join(f"!monitor {kind} {AT} l 8 script {{ print({number}); }}" for number, kind in enumerate(kinds))
    assert texts(run(carrier, "mov rax, [rsp-256]; nop", commands)) == ["4\n", "1\n", "0\n", "5\n", "2\n"]
    assert texts(run(carrier, "mov [rsp-256], rax; nop", commands)) == ["3\n", "0\n", "7\n", "2\n"]


def test_ranges_of_one_page_are_apart(carrier: str) -> None:
    guest = "mov [rsp-256], rax; mov [rsp-248], rax; mov rax, [rsp-256]; mov rax, [rsp-240]; nop"
    commands = f"!monitor w {AT} l 8 {SHOW}\n!monitor rw {DATA + 8:x} l 8 {SHOW}\n!monitor r {DATA + 8:x} l 10 {SHOW}"
    assert run(carrier, guest, commands).triggers == [1, 1, 1]


def test_a_script_enables_and_disables_events(carrier: str) -> None:
    """Scenarios 27 and 28."""
    guest = "mov ecx, 4; again: mov [rsp-256], rcx; dec ecx; jnz again; nop"
    once = f"!monitor w {AT} l 8 script {{ print(@rcx); event_disable($event_id); }}"
    assert texts(run(carrier, guest, once)) == ["4\n"]
    later = f"!monitor w {AT} l 8 script {{ print(@rcx); }}\nevents d 0\n"
    later += f"!monitor x {CODE + 0xF:x} l 1 script {{ event_enable(0); }}"
    assert texts(run(carrier, guest, later)) == ["3\n", "2\n", "1\n"]


def test_the_writers_of_a_range(carrier: str) -> None:
    """Scenario 29."""
    guest = "mov [rsp-256], al; mov [rsp-253], ax; push rax; nop"
    outcome = run(carrier, guest, f"!monitor w {AT} {DATA + 3:x} script {{ print($ip); }}")
    assert texts(outcome) == [f"{CODE:x}\n", f"{CODE + 7:x}\n"]


def test_filters_conditions_code_and_buffer(carrier: str) -> None:
    guest = "mov ecx, 3; again: mov [rsp-256], rcx; dec ecx; jnz again; nop"
    condition = "asm condition { mov rax, [rcx+8]; cmp rax, 2; sete al; movzx eax, al }"
    code = "asm code { mov [rcx], r8; mov qword ptr [rdx+0x18], 77 }"
    commands = f"""!monitor w {AT} l 8 pid 1000 core 0 imm no buffer 20 {condition} {code} script {{ print(@rcx); }}
!monitor w {AT} l 8 pid 77777 {SHOW}
!monitor w {AT} l 8 {code}"""
    with pytest.raises(Exception, match="process id"):
        run(carrier, guest, commands)
    outcome = run(carrier, guest, "\n".join(line for line in commands.splitlines() if "77777" not in line))
    assert (texts(outcome), outcome.triggers) == (["2\n"], [1, 3])


def test_a_hook_of_the_instruction_is_called_once(carrier: str) -> None:
    guest = "mov ecx, 2; again: mov [rsp-256], rcx; dec ecx; jnz again; nop"
    commands = f"!epthook {CODE + 5:x} script {{ print(1); }}\n!monitor w {AT} l 8 stage all script {{ print(2); }}"
    assert texts(run(carrier, guest, commands)) == ["1\n", "2\n", "2\n"] * 2


def test_instruction_events_in_a_watched_page(carrier: str) -> None:
    guest = "mov eax, 5; cpuid; mov ecx, 1; syscall; nop"
    shows = 'script { printf("%d %llx %llx", $event_stage, $event_id, @rflags); }'
    commands = f"!monitor x {CODE + 5:x} l 1 stage all {shows}\n!cpuid stage all {shows}\n!syscall stage all {shows}"
    seen = [" ".join(text.split()[:2]) for text in texts(run(carrier, guest, commands))]
    assert seen == ["0 0", "0 1", "1 0", "1 1", "0 2", "1 2"]


# --- instructions that access watched memory often, which machine code learns


def same_on_all(guest: str | list[str], commands: str, **options: Any) -> Outcome:
    """What every carrier makes of a run."""
    first, *others = (run(carrier, guest, commands, **options) for carrier in CARRIERS)
    for other in others:
        assert other == first
    return first


LOOP = "mov ecx, 300; again: mov [rsp-256], rcx; add rbx, [rsp-256]; add [rsp-248], ecx; mov [rsp-128], rcx; loop again"


@pytest.mark.lasting
@pytest.mark.parametrize(
    "body",
    [
        ".n = .n + @rcx;",
        "if (@rcx % 7 == 0) { event_sc(1); .n = .n + 1; }",
        "if (@rcx % 50 == 0) { print(@rcx); }",
        "if (@rcx == 40) { @rip = @rip + 8; @rbx = 5; }",
        "if (@rcx == 40) { @zf = 1; @rdx = @rflags; }",
        "if (@rcx == 40) { event_disable(0); } if (@rcx == 30) { event_enable(0); }",
        "if (@rcx == 40) { event_clear(0); } .n = .n + 1;",
        "if (@rcx == 40) { .n = poi(0); } .n = .n + 1;",
    ],
)
def test_learned_instructions_are_as_they_were(body: str) -> None:
    alone = run("native", LOOP + "; nop", "print 1")
    for kind in often(("rw",), ("w", "rw", "r")):
        outcome = same_on_all(
            LOOP + "; nop",
            f"!monitor {kind} {AT} l c script {{ {body} }}\n!monitor w {AT} l 10 imm no script {{ .m = .m + 1; }}",
        )
        if "@rip" not in body:
            assert outcome.summary.instructions == alone.summary.instructions  # type: ignore[attr-defined]


def test_a_learned_instruction_that_is_rewritten_is_another_one() -> None:
    guest = (
        "mov ecx, 20; again: mov [rsp-256], rdx; cmp ecx, 10; jne over; mov byte ptr [0x400006], 0x8b; "
        "over: loop again; nop"
    )
    assert same_on_all(guest, f"!monitor w {AT} l 8 {SHOW}").triggers == [11]
    assert same_on_all(guest, f"!monitor r {AT} l 8 {SHOW}").triggers == [9]


@pytest.mark.lasting
def test_hooks_breakpoints_and_events_come_to_learned_instructions() -> None:
    guest = LOOP + "; nop"
    commands = f"!monitor w {AT} l 8 script {{ .n = .n + 1; if (@rcx == 0n200) {{ pause(); }} }}\ng\n"
    outcome = same_on_all(guest, commands + f"!epthook {CODE + 5:x} script {{ .h = .h + 1; }}\ng", halts=True)
    assert outcome.triggers == [300, 200]
    outcome = same_on_all(guest, commands + f"!monitor w {AT} l 1 stage post script {{ .h = .h + 1; }}\ng", halts=True)
    assert outcome.triggers == [300, 199]  # it is told of those that begin from then on
    outcome = same_on_all(guest, commands + "events c all\ng", halts=True)
    assert outcome.triggers == [101]


def test_two_programs_and_small_turns() -> None:
    outcome = same_on_all(
        [LOOP + "; nop"] * 2,
        f"!monitor w {AT} l 8 pid 1010 script {{ .n = .n + 1; }}",
        limits=replace(DEFAULT_LIMITS, quantum_instructions=7),
    )
    assert outcome.triggers == [300]


def test_another_name_that_comes_later_is_watched(carrier: str) -> None:
    lines: list[Line] = []
    session = Session(engine=make_engine(carrier), reporter=Collecting(lines), questions=Questions())
    guest = "mov rbx, 0x500010; mov ecx, 5; again: mov [rbx], rcx; loop again; mov rbx, 0x600010; mov ecx, 2; jmp again"
    process = session.machine.load(guest.encode(), "asm")
    memory = process.cpu.memory
    shared = SharedMemory(memory.source)
    memory.map(Area(0x50_0000, 0x50_0000 + PAGE, Protection.READ | Protection.WRITE, "shared", backing=shared))
    session.execute(f"!monitor w 500010 l 8 {SHOW}")
    session.run(12)
    memory.map(Area(0x60_0000, 0x60_0000 + PAGE, Protection.READ | Protection.WRITE, "shared", backing=shared))
    session.run(8)
    found = [line[1].text.decode().split()[1] for line in lines]  # type: ignore[attr-defined]
    assert found == ["500010"] * 7


# --- what is no access of the guest, and what is


def test_accesses_of_scripts_and_commands_are_none(carrier: str) -> None:
    guest = "mov [rsp-256], rax; nop"
    body = f"eq({AT}, 5); .x = poi({AT}); eq({DATA + 8:x}, .x);"
    outcome = run(carrier, guest, f"!monitor rw {AT} l 10 script {{ {body} }}\neb {AT} 1\ndb {AT} l 8")
    assert outcome.triggers == [1]


WRITES = "lea rsi, [rsp-256]; mov edi, 1; mov edx, 16; mov eax, 1; syscall; nop"


def test_a_kernel_accesses_memory_on_the_guests_behalf(carrier: str) -> None:
    reads = run(carrier, WRITES, f"!monitor r {DATA + 4:x} l 4 stage all {SHOW}", kernel="linux")
    assert [text.split()[:2] for text in texts(reads)] == [["0", f"{DATA + 4:x}"], ["1", f"{DATA + 4:x}"]]
    assert run(carrier, WRITES, f"!monitor w {DATA + 4:x} l 4 {SHOW}", kernel="linux").triggers == [0]
    uname = "lea rdi, [rsp-1024]; mov eax, 63; syscall; mov rbx, rax; mov al, [rsp-1024]; nop"
    name = f"{TOP - 1024:x}"
    wrote = run(carrier, uname, f"!monitor w {name} l 8 stage all {SHOW}", kernel="linux")
    assert [text.split()[:2] for text in texts(wrote)] == [["0", name], ["1", name]]
    assert wrote.registers["rax"] & 0xFF == ord("L")
    skipped = run(carrier, uname, f"!monitor w {name} l 8 sc on {SHOW}", kernel="linux")
    assert (skipped.registers["rbx"], skipped.registers["rax"] & 0xFF) == (0, 0)


def test_of_a_string_a_kernel_reads_no_more_than_it_has(carrier: str) -> None:
    path = "lea rdi, [rsp-256]; mov word ptr [rdi], 0x2f; xor esi, esi; mov eax, 2; syscall; nop"
    event = f"!monitor r {DATA + 1:x} l 1 {SHOW}\n!monitor r {DATA + 2:x} l 8 {SHOW}"
    assert run(carrier, path, event, kernel="linux").triggers == [1, 0]


def test_other_names_of_the_memory_are_the_range_too(carrier: str) -> None:
    lines: list[Line] = []
    session = Session(engine=make_engine(carrier), reporter=Collecting(lines), questions=Questions())
    process = session.machine.load(b"mov [0x500010], rax; mov [0x600010], rax; mov rax, [0x601010]; nop", "asm")
    memory = process.cpu.memory
    shared = SharedMemory(memory.source)
    for start in (0x50_0000, 0x60_0000):
        memory.map(Area(start, start + 2 * PAGE, Protection.READ | Protection.WRITE, "shared", backing=shared))
    session.execute(f"!monitor w 500000 500fff {SHOW}\n!monitor rw 600000 601fff {SHOW}")
    session.run()
    found = [line[1].text.decode().split()[1] for line in lines]  # type: ignore[attr-defined]
    assert found == ["500010", "600010", "500010", "600010", "601010"]


def test_physical_addresses_are_those_of_frames(carrier: str) -> None:
    lines: list[Line] = []
    session = Session(engine=make_engine(carrier), reporter=Collecting(lines), questions=Questions())
    process = session.machine.load(b"mov [0x500010], rax; mov [0x600010], rax; nop", "asm")
    memory = process.cpu.memory
    shared = SharedMemory(memory.source)
    for start in (0x50_0000, 0x60_0000):
        memory.map(Area(start, start + PAGE, Protection.READ | Protection.WRITE, "shared", backing=shared))
    assert memory.write(0x50_0000, b"x")
    place = (memory.frame_at(0x50_0000) or 0) * PAGE
    session.execute(f"!va2pa 500010\n!monitor pa w {place + 0x10:x} l 4 pid 1000 {SHOW}")
    session.run()
    assert [line[1].text.decode().split()[1] for line in lines] == [f"{place + 0x10:x}"] * 2  # type: ignore[attr-defined]


def test_a_fault_of_a_watched_instruction_is_the_guests(carrier: str) -> None:
    outcome = run(
        carrier, "xor eax, eax; xor edx, edx; div qword ptr [rsp-256]; nop", f"!monitor r {AT} l 8 stage all {SHOW}"
    )
    assert texts(outcome) == [f"0 {AT} {CODE + 4:x}"]
    assert (outcome.summary.cause, outcome.registers["rip"]) == (StopCause.FAULT, CODE + 4)  # type: ignore[attr-defined]
    assert not outcome.registers["rflags"] & 0x100


@pytest.mark.parametrize("kernel", ["linux", "nt"])
def test_a_program_that_ends_nowhere(carrier: str, kernel: str) -> None:
    """The emulator asks for the page of a run's last address whenever it stops; no guest has that one."""
    lines: list[Line] = []
    session = Session(engine=make_engine(carrier), kernel=kernel, reporter=Collecting(lines), questions=Questions())
    guest = "mov ecx, 3; again: mov [rsp-256], rcx; push rcx; mov eax, 0x66; push rcx; syscall; pop rcx; pop rcx; "
    process = session.machine.load((guest + "loop again; hlt").encode(), "asm")
    process.until = (1 << 64) - 1
    stack = process.cpu.registers.read(4)
    session.execute(
        f"!monitor w {stack - 256:x} l 8 {SHOW}\n!monitor rw {stack - 16:x} l 10 stage all script {{ .n = 1; }}"
    )
    session.execute(f"!monitor x {CODE:x} l 30 stage post script {{ .m = .m + 1; }}")
    summary = session.run()
    assert summary.cause is StopCause.HALT
    assert [summary.triggers[number] for number in range(3)] == [3, 24, 26]


@pytest.mark.lasting
@pytest.mark.skipif(BUSYBOX is None, reason="there is no busybox (Debian: busybox-static)")
@pytest.mark.parametrize("event", ["rw @rsp-3000 @rsp+ff", "rwx @rsp-1000 @rsp stage all", "r 400000 l 2000"])
def test_a_real_program_does_what_it_does_without_the_event(event: str) -> None:
    def ran(command: str) -> tuple[list[Line], int]:
        lines: list[Line] = []
        session = Session(engine=make_engine("native"), reporter=Collecting(lines), questions=Questions())
        session.machine.load(str(BUSYBOX), name="busybox", arguments=("echo", "hi"))
        session.execute(command)
        summary = session.run()
        assert command == "print 1" or summary.triggers[0] > 100
        return [line for line in lines if line[0] == "guest"], summary.instructions

    assert ran(f"!monitor {event} script {{ .n = .n + 1; }}") == ran("print 1")


# --- runs that end in between


def test_a_break_ends_the_run_before_the_access(carrier: str) -> None:
    guest = "mov ebx, 5; mov [rsp-256], rbx; mov rcx, [rsp-256]; nop"
    outcome = run(
        carrier,
        guest,
        f"!monitor w {AT} l 8 stage all\ng\nprint @rip\nprint poi({AT})\ng\nprint poi({AT})\ng",
        halts=True,
    )
    assert outcome.triggers == [2]
    assert texts(outcome) == [f"{CODE + 5:x}\n", "0\n", "5\n"]
    assert outcome.registers["rcx"] == 5


def test_runs_of_single_instructions_trigger_as_one_run(carrier: str) -> None:
    guest = "mov ecx, 3; lea rdi, [rsp-256]; rep stosb; mov rax, [rsp-256]; push rax; nop"
    lines: list[Line] = []
    session = Session(engine=make_engine(carrier), reporter=Collecting(lines), questions=Questions())
    session.machine.load(guest.encode(), "asm")
    session.execute(f"!monitor rw {DATA & -PAGE:x} {TOP:x} stage all {SHOW}")
    for _ in range(12):
        session.run(4)
    whole = run(carrier, guest, f"!monitor rw {DATA & -PAGE:x} {TOP:x} stage all {SHOW}")
    assert [line[1].text.decode() for line in lines] == texts(whole)  # type: ignore[attr-defined]


# --- registration


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("!monitor r 402000 l 8", "err, invalid address: 402000 to 402007 (c0000005)"),
        ("!monitor r 400ff8 l 10", "err, invalid address: 400ff8 to 401007 (c0000005)"),
        (
            "!monitor r ffffffffffffff00 l 1000",
            "err, the range from ffffffffffffff00 goes past the last address (c0000005)",
        ),
        ("!monitor r 400000 l ffffffffffffffff", "err, the range from 400000 goes past"),
        ("!monitor pa r fffffffffffffff0 l 4", "err, there is no physical memory at fffffffffffffff3 (c0000052)"),
        ("!monitor r 400000 l 8 core 99", "err, invalid core id (c0000006)"),
        ("!monitor r 400000 l 8 pid 77777", "err,"),
        ("!monitor r 400000 l 8 buffer 400", "err,"),
    ],
)
def test_what_is_refused(command: str, error: str) -> None:
    assert refused(command).startswith(error)


def test_ranges_of_one_byte_and_of_all_of_a_page_are_accepted() -> None:
    shown("!monitor r 400000 l 1\n!monitor wx 400000 400fff\n!monitor rwx 400000 400000")


@pytest.mark.parametrize("hook", ["!epthook", "!epthook2"])
def test_a_page_carries_hooks_of_one_kind(hook: str) -> None:
    error = "err, the page carries a hook of another kind; a page carries one kind only (c0000026)"
    watch = "!monitor r 400f00 l 8"
    assert refused(f"{hook} 400000\n{watch}") == error
    assert refused(f"{watch}\n{hook} 400000") == error
    shown(f"{hook} 400000\nevents c all\n{watch}")


@pytest.mark.parametrize("event", [f"w {AT} l 8", f"rw {DATA - 0x100:x} l 210", f"x {CODE:x} l 40 stage all"])
def test_last_branches_are_as_without_the_event(event: str) -> None:
    guest = "mov ecx, 9; again: mov [rsp-256], rcx; call f; loop again; jmp end; f: push rax; pop rax; ret; end: nop"
    alone = shown("!lbr enable\ng\n!lbrdump", guest)
    assert alone.count("from:") > 15
    assert shown(f"!lbr enable\n!monitor {event} script {{ .n = 1; }}\ng\n!lbrdump", guest) == alone


@pytest.mark.parametrize(
    ("guest", "offsets"),
    [
        ("nop; nop; nop; hlt", (0, 1, 2, 3)),
        ("nop; cpuid; nop; hlt", (0, 1, 3, 4)),
        ("jmp two; nop; two: nop; nop; hlt", (0, 3, 4, 5)),
        ("push rax; push rax; pop rcx; hlt", (0, 1, 2, 3)),
    ],
)
@pytest.mark.parametrize("other", ["", "!cpuid script { .n = 1; }", "!lbr enable"])
def test_each_instruction_of_a_block_is_executed_once(
    carrier: str, guest: str, offsets: tuple[int, ...], other: str
) -> None:
    outcome = run(carrier, guest, f"!monitor x 400000 l 40 script {{ print($context); }}\n{other}", kernel="bare")
    said = [line[1].text for line in outcome.lines if line[0] == "message"]  # type: ignore[attr-defined]
    assert said == [b"%x\n" % (0x400000 + offset) for offset in offsets]
