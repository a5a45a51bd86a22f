"""The command line as people type it: order of words, programs in place of scripts, missing files, friendly names."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hds_guests import command_line, elf_file, listing_file

import hds
from hds.cli.main import SUBCOMMANDS, configure, parse
from hds.exit_codes import ExitCode
from vm.facts.limits import LIMITS


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "script.hds"
    path.write_text("print 1\n")
    return str(path)


PROGRAMS = [
    ("guest", b"\x7fELF\x02\x01\x01" + bytes(64), "an ELF program"),
    ("guest.exe", b"MZ".ljust(0x3C, b"\0") + b"\x40\0\0\0PE\0\0", "a PE program"),
    ("guest.com", b"MZ" + bytes(64), "a DOS program"),
    ("guest.asm", b"start: nop\n", "an assembly listing"),
    ("guest.bin", b"\x90\x90\xf4", "machine code"),
    ("guest", b"\xf8\xff\x00\x01", "data of an unknown kind"),
]


@pytest.mark.parametrize(("name", "content", "what"), PROGRAMS)
def test_a_program_in_place_of_the_script_is_named(
    name: str, content: bytes, what: str, script: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    ran = command_line("run", str(path), script)
    assert ran.code == ExitCode.USAGE
    assert f"{path} is {what}: SCRIPT comes first\n  hint: hds run {script} {path}\n" in ran.errors
    assert ran.output == ""
    with_gdb = command_line("run", "--gdb", "0", str(path), script)
    assert (with_gdb.code, "SCRIPT comes first" in with_gdb.errors) == (ExitCode.USAGE, True)


def test_a_script_in_place_of_the_program_is_refused(script: str) -> None:
    ran = command_line("run", script, script)
    assert ran.code == ExitCode.GUEST
    assert f"{script} is no ELF or PE program, but text" in ran.errors


@pytest.mark.parametrize("option", ["--stats", "--root", "-x", "--no-such-flag"])
def test_options_come_before_the_script(option: str, script: str, tmp_path: Path) -> None:
    ran = command_line("run", script, option, listing_file(tmp_path))
    assert ran.code == ExitCode.USAGE
    assert f"{option} stands behind SCRIPT: options come before SCRIPT" in ran.errors


def test_a_flag_of_hds_among_the_guests_arguments_is_passed_with_a_note(script: str, tmp_path: Path) -> None:
    guest = elf_file(tmp_path / "guest", "mov edi, [rsp]; mov eax, 60; syscall")  # exits with its argc
    ran = command_line("run", "--guest-exit-code", script, guest, "--root", "/", "--quiet=1", "-e", "--help", "--other")
    assert ran.code == 7
    notes = [line for line in ran.errors.splitlines() if line.startswith("note: ")]
    assert notes == [
        f"note: {flag} behind PROGRAM goes to the guest; options of hds come before PROGRAM"
        for flag in ("--root", "--quiet")
    ]


@pytest.mark.parametrize("words", [("nowhere.hds",), ("-e", "print 1", "nowhere"), ("{script}", "nowhere")])
def test_a_missing_file_has_one_exit_code(words: tuple[str, ...], script: str) -> None:
    ran = command_line("run", *(word.format(script=script) for word in words))
    assert (ran.code, ran.output) == (ExitCode.NO_INPUT, "")
    assert "cannot read nowhere" in ran.errors
    assert "No such file or directory" in ran.errors


@pytest.mark.parametrize(("name", "content", "what"), PROGRAMS[:2])
def test_check_does_not_count_what_it_could_not_check(
    name: str, content: bytes, what: str, script: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    ran = command_line("check", str(path))
    assert ran.code == ExitCode.FAILED
    assert f"{path} is {what}, and no script\n" in ran.errors
    assert ran.errors.endswith("could not be checked: 1\n")
    assert "checked" not in ran.errors.replace("could not be checked", "")
    assert "checked 1 file: 0 errors, 0 warnings, 0 portability remarks; could not be checked: 2\n" in (
        command_line("check", str(path), script, str(tmp_path)).errors
    )


@pytest.mark.parametrize("words", [(), ("help",), ("--help",)])
def test_hds_alone_and_hds_help_list_the_subcommands(words: tuple[str, ...]) -> None:
    ran = command_line(*words)
    assert (ran.code, ran.errors) == (0, "")
    assert {row.name for row in SUBCOMMANDS} <= set(re.findall(r"^    (\w+)\s", ran.output, re.MULTILINE))


def test_version_is_a_word_too() -> None:
    assert command_line("version").output == command_line("--version").output == f"hds {hds.__version__}\n"


@pytest.mark.parametrize("row", SUBCOMMANDS, ids=lambda row: row.name)
def test_help_of_a_subcommand_has_its_options_one_line_for_limits_and_examples(row: object) -> None:
    assert hasattr(row, "name")
    ran = command_line("help", row.name)
    assert (ran.code, ran.output) == (0, command_line(row.name, "--help").output)
    assert "examples:\n  hds " in ran.output
    assert "--max-steps" not in ran.output
    limits = command_line(row.name, "--help-limits")
    if "--help-limits" in ran.output:
        assert limits.code == 0
        assert all("--" + limit.name.replace("_", "-") in limits.output for limit in LIMITS)
    else:
        assert limits.code == ExitCode.USAGE


EXAMPLES = [(row, example) for row in SUBCOMMANDS for example in row.examples]


@pytest.mark.parametrize(("row", "example"), EXAMPLES, ids=[example for _, example in EXAMPLES])
def test_an_example_of_the_help_is_a_command_line_that_parses(row: object, example: str) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    configure(parser, row)  # type: ignore[arg-type]
    words = shlex.split(example.rpartition(" && ")[2].partition(" < ")[0])
    assert words[:2] == ["hds", row.name]  # type: ignore[attr-defined]
    parse(parser, row, words[2:])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("chekc", "did you mean `hds check`?"),
        ("vresion", "did you mean `hds version`?"),
        ("qqqq", "`hds help` shows them"),
    ],
)
def test_a_word_that_is_no_subcommand_gets_a_hint(word: str, hint: str) -> None:
    ran = command_line(word)
    assert ran.code == ExitCode.USAGE
    assert f"there is no subcommand {word}\n" in ran.errors
    assert hint in ran.errors


def test_a_file_that_is_no_subcommand_can_be_run(script: str) -> None:
    assert f"to run it: `hds run {script}`" in command_line(script).errors


def test_the_package_is_a_program() -> None:
    ran = subprocess.run([sys.executable, "-m", "hds", "version"], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (0, f"hds {hds.__version__}\n")


def test_dir_shows_what_is_imported_when_asked_for() -> None:
    fresh = importlib.import_module("hds")
    assert {"Session", "Message", "testing"} <= set(dir(fresh))


ELF = b"\x7fELF\x02\x01\x01" + bytes(64)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("elf",), "hds run SCRIPT elf"),
        (("elf", "elf"), "hds run SCRIPT elf elf"),
        (("elf", "first", "second"), "hds run SCRIPT elf first second"),
        (("elf", "script.hds", "first"), "hds run script.hds elf first"),
        (("elf", "missing.hds"), "hds run missing.hds elf"),
        (("elf", "guest.asm"), "hds run SCRIPT elf guest.asm"),
        (("tool.sh", "script.hds"), "hds run script.hds tool.sh"),
    ],
)
def test_the_hint_is_a_command_line_that_runs(
    words: tuple[str, ...], command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("elf").write_bytes(ELF)
    Path("script.hds").write_text("print 1\n")
    Path("tool.sh").write_text("#!/bin/sh\n")
    Path("guest.asm").write_text("nop\n")
    ran = command_line("run", *words)
    assert ran.code == ExitCode.USAGE
    assert f": SCRIPT comes first\n  hint: {command}\n" in ran.errors


@pytest.mark.parametrize("script", ["tool.sh", "data"])
def test_what_is_no_script_is_not_swapped_with_a_program(script: str, tmp_path: Path) -> None:
    (tmp_path / "elf").write_bytes(ELF)
    (tmp_path / "tool.sh").write_text("#!/bin/sh\n")
    (tmp_path / "data").write_bytes(b"\xf8\xff\x00\x01")
    ran = command_line("run", str(tmp_path / script), str(tmp_path / "elf"))
    assert ran.code in (ExitCode.FAILED, ExitCode.GUEST)
    assert "comes first" not in ran.errors


def test_with_execute_or_in_the_console_a_script_is_no_program(script: str) -> None:
    ran = command_line("run", "-e", "g", script, "guest")
    assert ran.code == ExitCode.USAGE
    assert f"{script} is a script: -e stands in place of SCRIPT\n  hint: hds run {script} guest\n" in ran.errors
    ran = command_line("console", script)
    assert ran.code == ExitCode.USAGE
    assert f"{script} is a script: PROGRAM was expected\n  hint: hds run {script}, or: hds console < {script}\n" in (
        ran.errors
    )


@pytest.mark.parametrize("words", [("help", "help"), ("help", "version"), ("help", "--help")])
def test_help_of_the_friendly_words_lists_the_subcommands(words: tuple[str, ...]) -> None:
    ran = command_line(*words)
    assert (ran.code, ran.errors, ran.output) == (0, "", command_line("help").output)


def test_help_shows_the_first_of_several_subcommands() -> None:
    assert command_line("help", "run", "check").output == command_line("help", "run").output


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("-V",), "options stand behind the subcommand"),
        (("--quiet", "run", "x"), "options stand behind the subcommand"),
        (("--verison",), "did you mean `hds --version`?"),
        (("run", "--timout", "5", "x"), "did you mean --timeout?"),
        (("eval", "--dump-register", "-e", ";", "--engin=native", "--jsno"), "did you mean --json?"),
        (("list", "limits", "--colour"), "`hds list --help` shows the options"),
    ],
)
def test_an_unknown_option_has_a_hint(words: tuple[str, ...], hint: str) -> None:
    ran = command_line(*words)
    assert ran.code == ExitCode.USAGE
    assert f"hint: {hint}" in ran.errors
    assert "required" not in ran.errors


def test_each_execute_is_a_line() -> None:
    ran = command_line("run", "-e", "print 1", "--quiet", "-e", "? { print(2);", "-e", "print(3); }", "--execute=bp zz")
    assert ran.output == "1\n2\n3\n"
    assert "<command line>:4:" in ran.errors
    assert command_line("eval", "-e", "x = 5;", "-e", "print(x);").output == "5\n"
    assert "checked 1 file: 0 errors" in command_line("check", "-e", "print 1", "-e", "print 2").errors
