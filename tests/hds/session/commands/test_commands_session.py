"""Processes, programs, symbols, `.script`, the log, `settings`, `.help` and the table of commands (A.5, E.7, E.8)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hds_guests import CODE, TWO_CALLS, lines, listing_file, refused, session, shown

from hds.session.commands.families import HOMES, handlers_of
from lang.compiler import Compiler
from lang.source import SourceFile
from lang.symbols import SymbolTable
from vm.facts.command_examples import COMMAND_EXAMPLES
from vm.facts.commands import COMMAND_BY_NAME, COMMANDS, Support

ROOT = Path(__file__).parents[4]
SYMBOLS = {"nt!KiSystemCall64": 0xFFFF_F801_0000_0000, "nt!NtClose": 0xFFFF_F801_0000_1234, "guest!main": 0x40_0000}


# --- processes and threads


def test_process_and_thread_show_the_current_ones() -> None:
    text = shown(".process\n.thread")
    process = "process (_EPROCESS): ffffe001`00000000\nprocess name (16-Byte): program\n"
    assert (
        text
        == f"process id: 1000\n{process}thread id: 1004 (pid: 1000)\nthread (_ETHREAD): ffffe001`00001000\n{process}"
    )


def test_processes_and_threads_are_listed(tmp_path: Path) -> None:
    text = shown(f'.start path "{listing_file(tmp_path)}"\n.process list\n.thread list').partition("mov rdi, 0x01\n")[2]
    assert text.count("PROCESS\t") == 4
    assert re.search(r"\tProcess Id: 1010\tDirBase \(Kernel Cr3\): [0-9a-f]{13}000\tImage: guest.asm\n\n", text)
    assert "\n\tTHREAD\tffffe00100001000 (1000.1004)\n" in text


def test_the_current_process_is_switched_at_once(tmp_path: Path) -> None:
    made, said = session(cores=2)
    made.execute(f'.start path "{listing_file(tmp_path)}"\nr rbx = 7\n.process pid 1010\nr rbx')
    assert "switched to the specified process\n00000000`00400000" in said.text
    assert said.take().endswith("rbx=0000000000000000\n")
    made.execute(".thread tid 1004\nr rbx\n~ 1\n~")
    assert "switched to the specified thread" in said.text
    assert "rbx=0000000000000007" in said.text
    assert said.text.endswith("mov rdi, 0x01\ncurrent processor : 0x1\n")
    made.execute(".process process ffffe00100000000\n.process")
    assert "process id: 1000\n" in said.text


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (".process pid 77", "err, there is no such process (c0000020)"),
        (".thread tid 77", "err, there is no such thread (c0000021)"),
        (".process process 77", "err, there is no such process (c0000020)"),
        (".process bogus", "incorrect use of the '.process': .process, or .process list, or .process pid P, or "
                           ".process process EPROCESS"),
        (".thread pid", "incorrect use of the '.thread': .thread, or .thread list [process EPROCESS], "
                        "or .thread tid T, or .thread thread ETHREAD"),
        (".start", "incorrect use of the '.start': .start path FILE [ARGUMENT ...]"),
        (".start path /no/where", "err, cannot read /no/where: No such file or directory"),
        (".restart", "err, nothing to restart"),
        (".kill\n.kill", "err, nothing to terminate!"),
        ("lm bogus", "err, couldn't resolve error at 'bogus'"),
        ("lm um km", "err, 'um' and 'km' cannot be used together"),
        ("x nothing*", "err, no symbol matches 'nothing*'"),
        ("x", "incorrect use of the 'x': x [MODULE!]PATTERN"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(command: str, message: str) -> None:
    assert refused(command) == message


# --- programs


def test_start_loads_a_program_that_waits_at_its_entry(tmp_path: Path) -> None:
    path = listing_file(tmp_path)
    text = shown(f'.start path "{path}"\n!syscall pid all script {{ print(@rax); }}\ng', "")
    assert text == (
        "process id: 1000\n00000000`00400000    48 C7 C7 01 00 00 00                mov rdi, 0x01\n55\n66\n"
    )


def test_restart_loads_the_program_again(tmp_path: Path) -> None:
    path = listing_file(tmp_path)
    text = shown(f'.start path "{path}"\n!syscall 55 script {{ print($pid); }}\ng\n.restart\ng', "")
    assert [line for line in text.splitlines() if " " not in line] == ["1000", "1010"]


# --- modules and symbols


def test_lm_lists_programs_and_the_modules_of_kernel_symbols() -> None:
    text = shown("lm", compiler=Compiler(symbols=SymbolTable(SYMBOLS)))
    user, kernel = text.split("=" * 76 + "\n")
    assert user == "user mode\nstart\t\t\tentrypoint\t\tpath\n\n0000000000400000\t0000000000400000\tprogram\n"
    assert kernel == "kernel mode\nstart\t\t\tsize\tname\t\t\t\tpath\n\nfffff801`00000000\t2000\tnt\t\t\t\tnt\n"


def test_lm_takes_a_part_a_name_and_a_process() -> None:
    assert "kernel" not in shown("lm um m PROG pid 1000")
    assert "program" not in shown("lm um m other")
    assert shown("lm km").startswith("kernel mode\n")


def test_x_finds_symbols_by_pattern() -> None:
    compiler = Compiler(symbols=SymbolTable(SYMBOLS))
    assert shown("x nt!Ki*", compiler=compiler) == "fffff801`00000000  nt!KiSystemCall64\n"
    assert shown("x *Close", compiler=compiler) == "fffff801`00001234  nt!NtClose\n"
    assert "guest!main" in shown("x *!*", compiler=compiler)


# --- files


def test_script_runs_the_commands_of_a_file_with_arguments(tmp_path: Path) -> None:
    (tmp_path / "inner.hds").write_text('? print($arg1 + $arg2);\n? printf("%s\\n", "$arg0");\n')
    path = tmp_path / "inner.hds"
    assert shown(f'? print(1);\n.script "{path}" 10 0n5\n? print(2);') == f"1\n15\n{path}\n2\n"


def test_script_leaves_arguments_that_were_not_given(tmp_path: Path) -> None:
    path = tmp_path / "inner.hds"
    path.write_text("? print($arg1);")
    assert "$arg1" in shown(f'.script "{path}"')


def test_a_file_with_a_mistake_is_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "inner.hds"
    path.write_text("? print(1);\nbogus\n")
    text = shown(f'.script "{path}"\n? print(2);')
    assert text == (
        f"E200 couldn't resolve command at 'bogus'\nE240 err, {path} has errors, none of its commands is executed\n2\n"
    )


def test_a_file_that_cannot_be_read_is_refused() -> None:
    assert refused(".script /no/where") == (
        "err, invalid file specified: cannot read /no/where: No such file or directory"
    )
    assert refused(".script") == "err, please specify a file: .script FILE [ARGUMENTS]"


def test_files_that_run_each_other_for_ever_are_stopped(tmp_path: Path) -> None:
    path = tmp_path / "inner.hds"
    path.write_text(f'.script "{path}"')
    assert (
        refused(f'.script "{path}"') == "err, command files are nested deeper than 32 levels (limit max_script_depth)"
    )


def test_the_log_holds_commands_and_what_is_displayed(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    text = shown(lines("print 1", f'.logopen "{log}"', "print 2", "r zzz", "!syscall 55", "g", ".logclose", "print 3"))
    assert log.read_text() == (
        f"save commands and results to the log file {log} (2024-01-01 00:00:00)\n"
        "HyperDbg> print 2\n2\nHyperDbg> r zzz\n"
        "<test>:4:1: error E240: err, invalid register 'zzz' (names are in lower case)\n    4 | r zzz\n      | ^^^^^\n"
        "HyperDbg> !syscall 55\nHyperDbg> g\nevent 0x0 triggered (pre)\n"
        "00000000`0040000e    0F 05                               syscall\n"
        "HyperDbg> .logclose\nlog file is closed (2024-01-01 00:00:00)\n"
    )
    assert text.endswith("3\n")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (".logopen", "incorrect use of the '.logopen': .logopen FILE"),
        (".logopen /no/where", "err, cannot open the file /no/where: No such file or directory"),
        (".logopen /dev/null\n.logopen /dev/null", "err, log was opened previously"),
        (".logclose", "err, there is no opened log"),
    ],
)
def test_the_log_is_opened_once(command: str, message: str) -> None:
    assert refused(command) == message


# --- settings, status, help


def test_settings_are_shown_and_set() -> None:
    text = shown("settings autoflush\nsettings AutoUnpause\nsettings autoflush on\nsettings autoflush\nsettings syntax")
    assert text == lines(
        "auto-flush is disabled", "auto-unpause is enabled", "set auto-flush to enabled", "auto-flush is enabled",
        "disassembler syntax is : intel",
    )  # fmt: skip


@pytest.mark.parametrize("command", ["settings", "settings bogus", "settings autoflush maybe", "settings syntax zydis"])
def test_other_settings_are_incorrect_use(command: str) -> None:
    assert refused(command).startswith("incorrect use of the 'settings'")


def test_status_says_what_the_session_is_connected_to() -> None:
    assert shown(".status") == "emulated machine: 1 core(s), 1 process(es), halted\n"
    assert shown("!syscall 55\ng\n.status").endswith("halted by an event\n")
    assert shown(".status", "").endswith("no program is running\n")


def test_help_shows_what_a_command_does_and_how_it_is_written() -> None:
    assert shown(".help EB") == (
        "eb : writes bytes\n\n\teb ADDRESS VALUE [VALUE ...] [pid P]\n\nexamples :\n\teb @rip 90 90\n\n"
        + COMMAND_BY_NAME["eb"].notes
        + "\n"
    )
    assert "[[asm] condition {...}]" in shown("help !syscall")
    assert "other names : eval, evaluate" in shown(".help ?")
    assert shown(".help !pt").endswith("\nnot available offline\n")
    assert "!crwrite 0|4 [[mask] MASK] [OPTIONS]" in shown(".help !crwrite")
    assert refused(".help bogus") == "err, couldn't find the help of the command 'bogus'"


def test_help_has_the_texts_of_links_and_not_where_they_lead() -> None:
    assert shown("help output").endswith("\nSee events.md.\n")
    linked = [row.name for row in COMMAND_BY_NAME.values() if row.plain_notes != row.notes]
    assert linked
    assert not [name for name in linked if "](" in shown(f"help {name}")]


def test_help_lists_and_searches() -> None:
    listed = shown("help")
    assert all(f"\n  {row.name} " in listed for row in COMMANDS if row.support is not Support.UNAVAILABLE)
    assert max(map(len, listed.splitlines())) <= 120
    found = shown("help stack")
    assert [line.split()[0] for line in found.splitlines() if line.startswith("  k")] == ["k", "kd", "kq"]
    assert "functions of scripts\n" in shown("help memcpy")


def test_every_command_that_runs_has_examples_that_compile() -> None:
    assert COMMAND_EXAMPLES.keys() == {row.name for row in COMMANDS if row.support is Support.RUNS}
    made, _ = session(compiler=Compiler(symbols=SymbolTable({"nt!main": CODE, "nt!malloc": CODE})))
    for name, examples in COMMAND_EXAMPLES.items():
        for example in examples:
            prepared = made.prepare(SourceFile("<example>", example))
            assert [item.message for item in prepared.diagnostics] == []
            assert [command.canonical_name for command in prepared.file.commands] == [name]


def test_every_command_that_runs_has_a_handler() -> None:
    running = {row.name for row in COMMANDS if row.support is Support.RUNS}
    assert running <= HOMES.keys()


@pytest.mark.parametrize("family", sorted({*HOMES.values()}))
def test_the_table_of_families_names_the_commands_of_each(family: str) -> None:
    assert handlers_of(family).keys() == {name for name, home in HOMES.items() if home == family}


def test_every_module_with_handlers_is_in_the_table_of_families() -> None:
    folder = ROOT / "hds/session/commands"
    assert {path.stem for path in folder.glob("*.py") if "\nHANDLERS" in path.read_text()} == {*HOMES.values()}


def test_commands_that_are_not_available_say_so() -> None:
    assert refused("!smi trigger") == (
        "err, '!smi' is not available offline: the emulated machine has no system-management mode"
    )
    assert shown(".connect local") == "'.connect' has no effect offline\n"


def test_every_usage_begins_with_the_name_of_its_command() -> None:
    for row in COMMANDS:
        assert {form.split()[0] for form in row.forms} == {row.name}


def test_clearing_the_screen_and_the_two_calls() -> None:
    assert shown(".cls", TWO_CALLS) == "\x1b[H\x1b[2J"
