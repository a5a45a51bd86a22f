"""Symbols of programs that are loaded later: in scripts, in events, and in what commands show."""

from __future__ import annotations

from pathlib import Path

import pytest
from hds_guests import command_line, elf_file, refused, session, shown

from hds.session.session import Session
from lang.compiler import Compiler
from lang.symbols import SymbolTable
from machine.loaders import LoadError

# The labels of the two programs lie at the same addresses.
FIRST = "start: call first; mov eax, 60; syscall\nfirst: push rbp; mov rbp, rsp; pop rbp; ret"
SECOND = "start: call second; mov eax, 60; syscall\nsecond: push rbp; mov rbp, rsp; pop rbp; ret"
MAIN, FUNCTION = 0x400078, 0x400084


@pytest.fixture
def programs(tmp_path: Path) -> tuple[str, str]:
    """Commands that start the two programs."""
    first = elf_file(tmp_path / "one.elf", FIRST, "start", "first")
    second = elf_file(tmp_path / "two.elf", SECOND, "start", "second")
    return f'.start path "{first}"\n', f'.start path "{second}"\n'


def after_start(commands: str, programs: tuple[str, ...], **options: object) -> str:
    """What commands behind the `.start` lines show."""
    text = shown("".join(programs) + ".cls\n" + commands, "", **options)
    return text.partition("\x1b[H\x1b[2J")[2]


def test_a_script_names_a_function_of_a_program_that_the_file_starts(programs: tuple[str, str]) -> None:
    assert after_start("? print(one!first);", programs[:1]) == f"{FUNCTION:x}\n"


def test_an_event_hooks_a_function_of_a_program_that_the_file_starts(programs: tuple[str, str]) -> None:
    commands = '!epthook one!first script { printf("%llx\\n", $ip); }\ng'
    assert after_start(commands, programs[:1]).splitlines()[1:] == [f"{FUNCTION:x}"]


@pytest.mark.parametrize(("hook", "pid"), [("one!first", "1000"), ("two!second", "1010"), ("two!start+c", "1010")])
def test_a_hook_belongs_to_the_program_of_its_symbol(programs: tuple[str, str], hook: str, pid: str) -> None:
    commands = f'!epthook {hook} script {{ printf("%x\\n", $pid); }}\ng'
    notice, *messages = after_start(commands, programs).splitlines()
    assert notice.startswith(f"event 0 applies to process {pid} ")
    assert messages == [pid]


def test_the_option_pid_comes_first(programs: tuple[str, str]) -> None:
    commands = '!epthook two!second pid 1000 script { printf("%x\\n", $pid); }\ng'
    assert after_start(commands, programs) == "1000\n"


def test_x_finds_the_symbols_of_every_program(programs: tuple[str, str]) -> None:
    text = after_start("x ???!*", programs)
    assert [line.split()[-1] for line in text.splitlines()] == ["one!start", "two!start", "one!first", "two!second"]


def test_lm_lists_every_program(programs: tuple[str, str]) -> None:
    text = after_start("lm um", programs)
    assert [line.split("\t")[1:] for line in text.splitlines()[-2:]] == [
        [f"{MAIN:016x}", "one.elf"],
        [f"{MAIN:016x}", "two.elf"],
    ]


@pytest.mark.parametrize(("switch", "name"), [("", "one!first"), (".process pid 1010\n.cls\n", "two!second")])
def test_code_is_named_after_the_program_of_its_process(programs: tuple[str, str], switch: str, name: str) -> None:
    assert after_start(f"{switch}u {FUNCTION:x} l 1", programs).split("\x1b[2J")[-1].startswith(f"{name}:\n")


def test_k_names_the_calls_of_the_process_that_is_halted(programs: tuple[str, str]) -> None:
    text = after_start("!epthook two!second\ng\nk l 8", programs)
    assert text.endswith(f"(from two!start <{MAIN:016x}>)\n")


def test_a_given_symbol_wins(programs: tuple[str, str]) -> None:
    compiler = Compiler(symbols=SymbolTable({"one!first": 0x55}))
    assert after_start("? print(one!first);", programs[:1], compiler=compiler) == "55\n"


def test_the_program_that_was_loaded_last_wins(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    old = elf_file(tmp_path / "one.elf", FIRST, "first")
    new = elf_file(tmp_path / "new" / "one.elf", FIRST, "first", base=0x500000)
    made, said = session("")
    made.execute(f'.start path "{old}"')
    made.execute(f'.start path "{new}"')
    said.take()
    made.execute("? print(one!first);")
    assert said.text == "500084\n"


def test_check_and_compile_know_them_too(tmp_path: Path, programs: tuple[str, str]) -> None:
    script = tmp_path / "hook.hds"
    script.write_text(programs[0] + "!epthook one!first script { print(one!start); }\n")
    assert command_line("check", str(script)).code == 0
    assert command_line("compile", str(script), "-o", str(tmp_path / "hook.hdc")).code == 0


def test_a_program_that_cannot_be_read_has_no_symbols(tmp_path: Path) -> None:
    ran = command_line("check", "-e", f'.start path "{tmp_path}/none"\n? print(none!start);')
    assert "E011: the symbol `none!start` is unknown" in ran.errors + ran.output


@pytest.mark.parametrize("content", [b"#!/bin/sh\n", b"{}\n", b"\x89PNG\r\n\x1a\n", b"", b"\xf8\0\1"])
def test_what_is_no_program_is_started_nowhere(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "guest"
    path.write_bytes(content)
    assert "guest is no ELF or PE program, but " in refused(f".start path {path}", "")
    with pytest.raises(LoadError, match="is no ELF or PE program, but "):
        Session(program=path)
    with pytest.raises(LoadError, match="the program is no ELF or PE program, but "):
        Session(program=content)
