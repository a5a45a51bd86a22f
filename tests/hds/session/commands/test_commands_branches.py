"""`!lbr`, `!lbrdump` and the `lbr_*` functions (events-and-commands E.8, F.3)."""

from __future__ import annotations

import re

import pytest
from hds_guests import refused, session, shown

from machine.processor import block_hook, branch_ring
from machine.processor.branches import Select
from vm import Interpreter

# Every kind of branch; the comments have the instructions that come between two that are taken.
GUEST = """
start:
    mov ecx, 3
again:
    call add_one
    dec ecx
    jnz again
    call next
next:
    pop rax
    lea rax, [rip+over]
    jmp rax
    nop
over:
    mov eax, 0x55
    syscall
    lea rax, [rip+add_one]
    call rax
    jmp last
    nop
last:
    nop
    hlt
add_one:
    test ecx, 1
    jz even
    inc edx
even:
    ret
"""
ROW = re.compile(r"\[ ?([0-9a-f]+)\] mispredicted: 0, cycles: ([0-9a-f]+), from: ([0-9a-f]{16}).*, to: ([0-9a-f]{16})")


def rows(text: str) -> list[tuple[int, int, int]]:
    """From, to and cycles, the oldest first."""
    found = [tuple(int(part, 16) for part in row) for row in ROW.findall(text)]
    assert [row[0] for row in found] == list(range(len(found)))
    return [(source, target, cycles) for _, cycles, source, target in reversed(found)]


def pairs(text: str) -> list[tuple[int, int]]:
    return [row[:2] for row in rows(text)]


def stepped(listing: str) -> list[tuple[int, int]]:
    """The branches that are taken, found by steps: what an instruction is comes from its text."""
    made, said = session(listing)
    taken: list[tuple[int, int]] = []
    while made.guest_alive:
        made.execute("r rip\nu @rip l 10")
        place, line = said.take().splitlines()[:2]
        made.execute("i")
        said.take()
        if not made.guest_alive:
            break
        here = int(place.partition("=")[2], 16)
        code, _, text = line[20:].lstrip().partition("  ")
        end = here + len(code.split())
        made.execute("r rip")
        there = int(said.take().partition("=")[2], 16)
        if there != end or text.split()[0] in ("jmp", "call", "ret"):
            taken.append((here, there))
    return taken


@pytest.fixture(params=["machine code", "python"])
def ring(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who writes the ring."""
    if request.param == "python":
        monkeypatch.setattr("machine.processor.branch_ring.note_block_address", lambda: None)
    return str(request.param)


def test_the_last_branches_are_those_that_were_taken(ring: str) -> None:
    assert pairs(shown("!lbr enable\ng\n!lbrdump", GUEST)) == stepped(GUEST)


def test_cycles_are_the_instructions_since_the_branch_before() -> None:
    text = shown("!lbr enable\ng\n!lbrdump", GUEST)
    assert [cycles for *_, cycles in rows(text)] == [2, 4, 2, 1, 2, 1, 2, 1, 4, 3, 3, 4, 4, 1]


@pytest.mark.lasting
@pytest.mark.parametrize(
    "events",
    [
        "!syscall script { @rax = 5; }",
        "!epthook 400005 script { x = 1; }",
        "!epthook 400005 script { @zf = 1; }\n!epthook 40000a script { @cf = 1; }",
        "!cpuid\nbp 400013",
        "!syscall stage post script { @rbx = 1; }\n!sysret script { @rbx = 2; }",
    ],
)
@pytest.mark.parametrize("engine", [None, Interpreter()], ids=["native", "reference"])
def test_hooks_in_the_middle_of_blocks_are_no_branches(events: str, engine: Interpreter | None) -> None:
    text = shown(f"!lbr enable\n{events}\ng\ng\n!lbrdump", GUEST, engine=engine)
    assert [row for row in pairs(text) if not (row[0] | row[1]) >> 47] == stepped(GUEST)


def test_steps_and_runs_record_the_same() -> None:
    assert pairs(shown("!lbr enable\ni 100\n!lbrdump", GUEST)) == stepped(GUEST)


def test_a_changed_instruction_pointer_is_no_branch() -> None:
    guest = "mov eax, 1; nop; jmp there; there: nop; hlt"
    assert pairs(shown("!lbr enable\n!epthook 400005 script { @rip = 400006; }\ng\n!lbrdump", guest)) == [
        (0x40_0006, 0x40_0008)
    ]


def test_recording_begins_at_a_held_event() -> None:
    guest = "jmp one; one: mov eax, 0x55; syscall; jmp two; two: jmp three; three: hlt"
    text = shown("!syscall 55\ng\n!lbr enable\ng\n!lbrdump", guest)
    assert pairs(text) == [(0x40_0009, 0x40_000B), (0x40_000B, 0x40_000D)]


def test_32_branches_are_kept() -> None:
    found = pairs(shown("!lbr enable\ng\n!lbrdump", "mov ecx, 0x64; again: dec ecx; jnz again; hlt"))
    assert found == [(0x40_0007, 0x40_0005)] * 32


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        ("jcc", lambda kind: kind is not Select.CONDITIONAL),
        ("rel_call ind_call", lambda kind: kind not in (Select.RELATIVE_CALL, Select.INDIRECT_CALL)),
        ("ret ind_jmp rel_jmp", lambda kind: kind & 0xE0 == 0),
        ("4", lambda kind: kind is not Select.CONDITIONAL),
        ("kernel", lambda kind: True),
        ("user", lambda kind: False),
        ("", lambda kind: True),
    ],
)
def test_filters_leave_kinds_out(words: str, kinds: object) -> None:
    made, _ = session(GUEST)
    made.execute("!lbr enable\ng")
    assert made.process is not None
    every = made.machine.branches.of(made.process)
    text = shown(f"!lbr enable\n!lbr filter {words}\ng\n!lbrdump", GUEST)
    assert pairs(text) == [(row.source, row.target) for row in every if kinds(row.kind)]  # type: ignore[operator]


def test_a_filter_holds_from_now_on() -> None:
    guest = "jmp one; one: mov eax, 0x55; syscall; jmp two; two: hlt"
    assert len(rows(shown("!lbr enable\n!syscall 55\ng\n!lbr filter rel_jmp\ng\n!lbrdump", guest))) == 1


def test_the_call_stack_has_calls_that_have_not_returned() -> None:
    guest = "call outer; hlt; outer: call inner; call inner; nop; hlt; inner: ret"
    text = shown("!lbr enable\n!lbr filter call_stack\nbp 400010\ng\n!lbrdump", guest)
    assert pairs(text) == [(0x40_0000, 0x40_0006)]


def test_scripts_save_dump_and_restore() -> None:
    script = "!syscall 55 script { print(lbr_check()); print(lbr_save()); print(lbr_dump()); }"
    text = shown(f"!lbr enable\n{script}\ng", GUEST)
    assert text.startswith("1\n1\n[ 0] mispredicted")
    assert text.endswith("\n1\n")
    every = stepped(GUEST)
    assert pairs(text) == every[: every.index((0x40_001B, 0x40_001E)) + 1]
    restored = shown(f"!lbr enable\n{script}\ng\n!lbr flush\n? print(lbr_restore());\n!lbrdump", GUEST)
    assert pairs(restored.rpartition("\n1\n")[2]) == pairs(text)
    made, said = session(GUEST)
    made.execute("!lbr enable\n!syscall 55 script { lbr_save(); }\ng\n? print(lbr_restore_by_filter(3C4));")
    assert said.text == "1\n"
    assert made.machine.branches.select == Select(0x3C4)


def test_scripts_have_nothing_while_nothing_is_recorded() -> None:
    calls = ("check()", "save()", "print()", "dump()", "restore()", "restore_by_filter(0)")
    assert shown("".join(f"? print(lbr_{call});\n" for call in calls)) == "0\n" * 6
    assert shown("!lbr enable\n? print(lbr_restore());") == "0\n"


def test_names_are_shown_where_they_are_known(tmp_path: object) -> None:
    from lang import Compiler, SymbolTable

    compiler = Compiler(symbols=SymbolTable({"guest!loop": 0x40_0000}))
    text = shown("!lbr enable\ng\n!lbrdump", "jmp there; there: hlt", compiler=compiler)
    assert "from: 0000000000400000 (guest!loop), to: 0000000000400002 (guest!loop+0x2)\n" in text


def test_every_core_has_its_own() -> None:
    made, said = session("jmp there; there: hlt", cores=2)
    made.execute("!lbr enable")
    made.load(b"nop; nop; jmp there; there: hlt", kind="asm")
    made.execute("g\n!lbrdump core 1")
    assert said.text.startswith("last branch records of core 0x1:\n")
    assert pairs(said.text) == [(0x40_0002, 0x40_0004)]


def test_threads_and_runs_do_not_seem_to_branch_to_each_other() -> None:
    made, said = session("jmp there; there: nop; nop; nop; hlt")
    made.execute("!lbr enable\ni 2\nr rip = 400003\ng\n!lbrdump")
    assert pairs(said.text) == [(0x40_0000, 0x40_0002)]


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        ("!lbr", "incorrect use of the '!lbr'"),
        ("!lbr on", "incorrect use of the '!lbr'"),
        ("!lbr disable", "err, branches are not recorded (c000005d)"),
        ("!lbr flush", "err, branches are not recorded (c000005d)"),
        ("!lbr enable\n!lbr enable", "err, branches are recorded already (c000005c)"),
        ("!lbr filter bogus", "err, unknown filter at 'bogus'"),
        ("!lbr filter 400", "err, the filter has the bits 3ff only"),
        ("!lbrdump", "err, branches are not recorded (c000005d)"),
        ("!lbr enable\n!lbrdump core 5", "err, invalid core id (c0000006)"),
        ("!lbr enable\n!lbrdump 5", "incorrect use of the '!lbrdump'"),
    ],
)
def test_what_is_wrong_is_said(commands: str, message: str) -> None:
    assert refused(commands).startswith(message)


def test_nothing_is_watched_unless_it_is_wanted() -> None:
    made, _ = session(GUEST)
    assert made.process is not None
    cpu = made.process.cpu
    made.execute("g")
    assert (cpu.last_branches, cpu.code._branch_hook) == (None, None)
    other, _ = session(GUEST)
    assert other.process is not None
    other.execute("!lbr enable\ni\n!lbr disable\ng")
    assert (other.process.cpu.last_branches, other.process.cpu.code._branch_hook) == (None, None)


def test_machine_code_writes_the_ring_where_the_compiler_is() -> None:
    assert (branch_ring.note_block_address() is None) == (block_hook.address() is None)
