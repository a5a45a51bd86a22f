"""The examples of HyperDbg's pages, command by command (events-and-commands B to F): checked, and carried out.

`hds check` accepts each, or says that hds does not have it, and why. FOLDER stands for the files that they name.
What is accepted is then carried out in a session: it does what it says, or is refused with HyperDbg's own words.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hds_guests import CALLS, session

from hds.session import Scripts, refused_commands
from lang import Code, Compiler, Diagnostic, Severity, SourceFile, SymbolTable
from vm import GlobalStore, Interpreter
from vm.facts.commands import COMMAND_BY_NAME, COMMANDS, Support
from vm.facts.events import EVENTS, EventKind
from vm.facts.limits import DEFAULT_LIMITS

FOLDER = Path(__file__).parent / "documented_examples"
SYMBOLS = {
    "nt!ExAllocatePoolWithTag": 0x40_0010, "nt!NtOpenFile": 0x40_0012, "nt!Kd_DEFAULT_Mask": 0x40_0100,
    "nt!PsActiveProcessHead": 0xFFFF_F803_0000_0FF0,
}  # fmt: skip

# --- events: own parameters of the pages, each with the four groups of usage (C.2)

EVENT_EXAMPLES = (FOLDER / "events.txt").read_text().splitlines()

GROUPS = [
    "",
    'script { printf("rip: %llx, rax: %x\\n", @rip, @rax); }',
    "imm no script { print($context); }",
    "script {{file:{file}}}",
    "code {90 90 90}",
    "asm code {nop; nop; nop}",
    "code {90 90 90} condition {90 90 90}",
    "buffer 100 asm condition {mov rax, 1} asm code {nop}",
    "script { pause(); } output {log}",
]
STAGES = ["stage pre", "stage post", "stage all", "sc on"]

# --- the other commands (A, B.11, B.12, E)

EXAMPLES = (FOLDER / "commands.txt").read_text().splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the examples name."""
    result = tmp_path_factory.mktemp("examples")
    (result / "guest.asm").write_text("nop; hlt")
    (result / "script.ds").write_text("? print(1);\n")
    (result / "symbols.json").write_text("{}")
    return result


def compiler() -> Compiler:
    return Compiler(symbols=SymbolTable(SYMBOLS))


def verdict(command: str) -> list[Diagnostic]:
    """What `hds check` says of one command, but for remarks on portability."""
    scripts = Scripts(compiler(), Interpreter(), GlobalStore(DEFAULT_LIMITS))
    prepared = scripts.prepare(SourceFile("<example>", command))
    found = [*prepared.diagnostics, *refused_commands(prepared.file)]
    return [item for item in found if item.severity in (Severity.ERROR, Severity.WARNING)]


def is_named(item: Diagnostic) -> bool:
    """Whether a refusal says that hds does not have it, and why or what to do instead."""
    return item.code is Code.NOT_AVAILABLE and bool(item.hint)


def row_of(command: str) -> str:
    return COMMAND_BY_NAME[command.split()[0].lower()].name


def kinds_of(command: str) -> tuple[EventKind, ...]:
    return next(row.kinds for row in EVENTS if row.name == row_of(command))


def test_every_command_has_an_example() -> None:
    shown = {row_of(command) for command in (*EVENT_EXAMPLES, *EXAMPLES)}
    assert {row.name for row in COMMANDS} - shown == {"t-", "p-", "g-", "watch"}  # which HyperDbg does not have


@pytest.mark.parametrize("event", EVENT_EXAMPLES)
def test_every_use_of_an_event_is_accepted_or_not_emulated(event: str, folder: Path) -> None:
    file = folder / "script.txt"
    file.write_text("print(@rax);")
    groups = [group.format(file=file) if "{file}" in group else group for group in GROUPS]
    emulated = all(kind.emulated for kind in kinds_of(event))
    wrong = {group: verdict(f"{event} {group}") for group in groups}
    if emulated:
        assert {group: [item.message for item in found] for group, found in wrong.items() if found} == {}
    else:
        assert all(is_named(item) for found in wrong.values() for item in found)
        assert all(wrong.values())


@pytest.mark.parametrize("event", [event for event in EVENT_EXAMPLES if len(event.split()) <= 2 and "sc" not in event])
def test_options_are_refused_where_an_event_has_no_such_thing(event: str) -> None:
    """Stages and short-circuiting; the message names what is not supported."""
    for option in STAGES:
        for item in verdict(f"{event} {option} script {{ print(1); }}"):
            assert is_named(item) or item.code is Code.STAGE_NOT_SUPPORTED, (event, option)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_other_example_is_accepted_or_not_available(example: str, folder: Path) -> None:
    text = example.replace("FOLDER", str(folder))
    found = verdict(text)
    if COMMAND_BY_NAME[example.split()[0].lower()].support is Support.UNAVAILABLE:
        assert [is_named(item) for item in found] == [True]
    else:
        assert [item.message for item in found] == []


@pytest.mark.lasting
@pytest.mark.parametrize("example", EXAMPLES)
def test_what_is_refused_when_it_is_carried_out_says_so(example: str, folder: Path) -> None:
    text = example.replace("FOLDER", str(folder))
    made, said = session(CALLS, compiler=compiler())
    made.perform(made.prepare(SourceFile("<example>", text)))
    made.close()
    refusals = [line for line in said.text.splitlines() if line.startswith(f"{Code.REFUSED} ")]
    assert all(line.partition(" ")[2].startswith(("err, ", "incorrect use")) for line in refusals)
    row = COMMAND_BY_NAME[example.split()[0].lower()]
    if row.support is Support.UNAVAILABLE:
        assert refusals == [f"{Code.REFUSED} err, '{example.split()[0]}' is not available offline: {row.notes}"]
