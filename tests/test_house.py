"""What one more thing touches (docs/architecture.md), held against the code.

A thing is *named* by a text that is its name, or by an import of it. Its own file and its row name it; what else does
stands in `ELSEWHERE` with a reason. `hds/fuzzing` writes programs for tests and may name everything.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from source_trees import tree_of

from hds.cli.main import SUBCOMMANDS
from hds.exporting import FORMATS
from hds.report.records import Record
from machine.kernel.linux.calls import CALLS as LINUX_CALLS
from machine.kernel.nt.calls import CALLS as NT_CALLS
from machine.loaders.reading import KINDS
from vm.facts import events
from vm.facts.builtins import BUILTINS, Effect
from vm.facts.commands import COMMANDS
from vm.facts.events import EVENTS, EventKind
from vm.facts.outputs import OUTPUT_KINDS
from vm.isa import INSTRUCTIONS

pytestmark = pytest.mark.walls

ROOT = Path(__file__).parent.parent
PRODUCT = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("hds", "lang", "machine", "vm")
    for path in (ROOT / package).rglob("*.py")
    if "fuzzing" not in path.parts
)
MOST_FILES = {"instruction": 3}  # of the product; 2 for everything else


# --- how files name things


@cache
def names_in(name: str, named_by: Callable[[ast.Module], Iterable[str]]) -> frozenset[str]:
    """What a file names, by one of the ways below."""
    return frozenset(named_by(tree_of(ROOT / name)))


def texts(tree: ast.Module) -> Iterator[str]:
    """The texts of a file but its docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def kinds_and_commands(tree: ast.Module) -> Iterator[str]:
    """Event kinds, by their rows that a file imports, and the commands that create them."""
    yield from (text for text in texts(tree) if text.startswith("!"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == events.__name__:
            yield from (alias.name for alias in node.names)


def told_apart(tree: ast.Module) -> Iterator[str]:
    """The classes that a file tells apart from others, in `match` or by isinstance."""
    for node in ast.walk(tree):
        if isinstance(node, ast.MatchClass):
            yield ast.unparse(node.cls)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            yield from (part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name))


# --- what there is


@dataclass(frozen=True)
class Things:
    """The things of one row of the table: by name, with the NAME of their file where each has one."""

    names: Mapping[str, str]
    named_by: Callable[[ast.Module], Iterable[str]] = texts
    looked_at: tuple[str, ...] = ("hds/", "lang/", "machine/", "vm/")
    elsewhere: Mapping[str, str] = field(default_factory=dict)  # a file, or `file: name`, and why
    homonyms: str = ""  # names that are words of something else as well

    @property
    def telling(self) -> set[str]:
        """The names that mean nothing else."""
        return self.names.keys() - set(self.homonyms.split())


def by_own_name(names: Iterable[str]) -> dict[str, str]:
    return {name: name for name in names}


def builtins(effect: Effect) -> dict[str, str]:
    return by_own_name(row.name for row in BUILTINS if row.effect is effect)


def snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


EMULATED = {name: kind for name, kind in vars(events).items() if isinstance(kind, EventKind) and kind.emulated}
FORMS = {"Forwarded": "message", "Diagnostic": "finding"}  # records whose file has another name
FAST_PATH = "SYSCALL and SYSRET as fast paths, which a law compares with their exits"
EXAMPLE = "examples of what is reported"
NATIVE_FORM = "native forms, which a built-in may have"
LANGUAGE = "HyperDbg's reader treats it unlike others"
CONTROL = "calls need more than a row"
OPERANDS = "its operands have a rule of their own"
TRIED = "a test of a script is carried out by it"

THINGS: dict[str, Things] = {
    "event kind": Things(
        {name: kind.family for name, kind in EMULATED.items()}
        | {row.name: kind.family for row in EVENTS for kind in row.kinds if kind.emulated},
        kinds_and_commands,
        elsewhere={
            "machine/events/system_calls.py": FAST_PATH,
            "hds/tracing/calls.py": "what traces are made of",
            "machine/native/hooks.py": FAST_PATH,
            "machine/native/process_hook.py": FAST_PATH,
            "machine/events/sources.py: SYSRET": FAST_PATH,
            "machine/events/modes.py: MODE": "no instruction: where threads change their mode",
            "machine/events/traces.py: TRACE": "no instruction: the steps that scripts ask for",
            "lang/codes/command_errors.py: !syscall": EXAMPLE,
        },
    ),
    "built-in on memory": Things(
        builtins(Effect.LIBRARY),
        elsewhere={
            "vm/native/builtins.py": NATIVE_FORM,
            "vm/native/texts.py": NATIVE_FORM,
            "vm/native/linkage.py": NATIVE_FORM,
            "vm/native/atomics.py": NATIVE_FORM,
            "lang/portability_rules.py": LANGUAGE,
        },
        homonyms="eb ed eq",
    ),
    "built-in of the debugger": Things(
        builtins(Effect.HOST),
        elsewhere={
            "vm/native/builtins.py: event_sc": NATIVE_FORM,
            "vm/host.py": "the host without a machine has a clock",
            "lang/portability_rules.py": LANGUAGE,
            "vm/library.py": "arguments that every host refuses",
            "hds/measuring/guests.py": "a guest that is measured has what asks for its event",
        },
        homonyms="flush pause rdtsc",
    ),
    "instruction": Things(
        by_own_name(row.mnemonic for row in INSTRUCTIONS),
        looked_at=("vm/", "machine/", "hds/"),
        elsewhere={
            "vm/verifier.py": OPERANDS,
            "vm/native/module.py": CONTROL,
            "vm/native/body.py": CONTROL,
            "vm/native/chains.py": CONTROL,
            "vm/native/stack_bound.py": CONTROL,
            "vm/native/trigger.py": "which registers a script reads and writes",
        },
    ),
    "Linux call": Things(
        by_own_name(call.name for call in LINUX_CALLS.values()),
        looked_at=("machine/",),
        elsewhere={
            "machine/kernel/linux/proc/files.py": "files of /proc have such names, too",
            "machine/kernel/linux/proc/nodes.py": "files of /proc have such names, too",
            "machine/kernel/linux/quick.py": "machine code answers some, too",
            "machine/kernel/linux/argument_names.py": "constants are told apart by the call that takes them",
        },
        homonyms="access exit pause read time write",
    ),
    "NT call": Things(
        by_own_name(call.name for call in NT_CALLS.values()),
        elsewhere={"machine/kernel/nt/process.py: NtTerminateProcess": "code in the process's memory makes this call"},
    ),
    "command": Things(
        by_own_name(row.name for row in COMMANDS if not row.is_event and len(row.name) > 2),
        looked_at=("hds/", "lang/"),
        elsewhere={
            "hds/session/command_scripts.py: .formats": "its text is an expression, which is compiled with the file",
            "hds/session/symbols.py": "the whole file knows the symbols of what it starts and adds",
            "hds/gdb/server.py": "what lets the guest go on is gdb's to say",
            "hds/measuring/guests.py: cpuid": "an event of that name",
            "hds/tracing/calls.py: pause": "a system call of that name",
        },
        homonyms="continue events exit output print struct test",
    ),
    "output": Things(by_own_name(OUTPUT_KINDS), looked_at=("hds/",), homonyms="file module"),
    "record": Things(
        {kind.__name__: FORMS.get(kind.__name__) or snake_case(kind.__name__) for kind in get_args(Record)},
        told_apart,
        looked_at=("hds/", "machine/"),
        elsewhere={
            "hds/session/session.py": "a session counts, keeps and forwards before it reports",
            "hds/session/command_scripts.py: Diagnostic": "what the language answers instead of a program",
            "hds/report/json_lines.py": "`--guest-output` keeps guest output out, `--fields` reads messages",
            "hds/aggregation/groups.py": "rows are those of triggers and messages, and the end is a record",
            "hds/cli/case_runs.py": "a test keeps each where its expectations look",
            "hds/gdb/server.py: Halt": "gdb itself says where the program stopped",
            "hds/gdb/server.py: Result": "gdb itself shows the instruction that a step comes to",
        },
    ),
    "loader": Things(
        by_own_name(KINDS),
        looked_at=("machine/", "hds/"),
        elsewhere={
            "hds/cli/subcommands/compile.py: asm": "a form of compiled scripts",
            "machine/root/assembly_names.py: pe": "a condition: parity even",
            "hds/measuring/guests.py: raw": "its guests are code that it makes",
        },
    ),
    "form of a report": Things(
        by_own_name(row.name for row in FORMATS), looked_at=("hds/cli/", "hds/exporting/", "hds/session/")
    ),
    "subcommand": Things(
        by_own_name(row.name for row in SUBCOMMANDS),
        looked_at=("hds/",),
        elsewhere={
            "hds/cli/word_order.py": "a hint shows the whole command line",
            "hds/tracing/selection.py: trace": "as strace calls it",
            "hds/script_tests/cases.py": TRIED,
            "hds/script_tests/directives.py": TRIED,
        },
        homonyms="completion examples list report test",
    ),
}


# --- the table


def rows() -> dict[str, list[str]]:
    """The patterns of files by thing, as docs/architecture.md has them."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    section = page.partition("## What one more thing touches")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    return {cells[0].strip(): re.findall(r"`([^`]+)`", "|".join(cells[1:])) for cells in lines[1:]}


TABLE = rows()


def files(pattern: str, name: str = "*") -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern.replace("NAME", name))]


def test_the_table_has_every_thing() -> None:
    assert TABLE.keys() == THINGS.keys()


@pytest.mark.parametrize("thing", THINGS)
def test_one_more_thing_touches_few_files_and_they_exist(thing: str) -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    (line,) = (line for line in page.splitlines() if line.startswith(f"| {thing} |"))
    assert len(TABLE[thing]) - line.count("` or `") <= MOST_FILES.get(thing, 2)
    for pattern in TABLE[thing]:
        assert files(pattern), pattern


@pytest.mark.parametrize("thing", [thing for thing in THINGS if any("NAME" in pattern for pattern in TABLE[thing])])
def test_each_has_a_file_of_its_own(thing: str) -> None:
    (pattern,) = (pattern for pattern in TABLE[thing] if "NAME" in pattern)
    for stem in THINGS[thing].names.values():
        assert files(pattern, stem), pattern.replace("NAME", stem)


@pytest.mark.parametrize("thing", THINGS)
def test_nothing_else_names_one(thing: str) -> None:
    things = THINGS[thing]
    own = {file for pattern in TABLE[thing] for file in files(pattern)}
    found = {
        f"{file}: {name}"
        for file in PRODUCT
        if file.startswith(things.looked_at) and file not in own
        for name in things.telling & names_in(file, things.named_by)
    }
    assert sorted(hit for hit in found if not {hit, hit.partition(":")[0]} & things.elsewhere.keys()) == []


@pytest.mark.parametrize("thing", [thing for thing in THINGS if THINGS[thing].elsewhere])
def test_what_is_named_elsewhere_is_so_still(thing: str) -> None:
    things = THINGS[thing]
    assert set(things.homonyms.split()) <= things.names.keys()
    for place in things.elsewhere:
        file, _, name = place.partition(": ")
        assert ({name} if name else things.telling) & names_in(file, things.named_by), place


def test_every_file_of_tests_has_a_name_of_its_own() -> None:
    """pytest imports them by it."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
