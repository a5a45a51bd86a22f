"""The command line as people type it: order of words, programs in place of scripts, missing files, friendly names."""

from __future__ import annotations

import importlib
import runpy
import shlex
import sys
from pathlib import Path

import pytest
from hds_guests import command_line, elf_file, listing_file

import hds
from hds.cli.main import SUBCOMMANDS, configure
from hds.exit_codes import ExitCode
from vm.limits import LIMITS


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
    assert all(f"    {row.name} " in ran.output for row in SUBCOMMANDS)


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
    words = shlex.split(example.partition(" < ")[0])
    assert words[:2] == ["hds", row.name]  # type: ignore[attr-defined]
    parser.parse_args(words[2:])


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


def test_the_package_is_a_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Left(Exception):  # noqa: N818
        pass

    def leave(code: int) -> None:
        raise Left(code)

    monkeypatch.setattr(sys, "argv", ["hds", "version"])
    monkeypatch.setattr("os._exit", leave)
    with pytest.raises(Left) as left:
        runpy.run_module("hds", run_name="__main__")
    assert left.value.args == (0,)
    assert capsys.readouterr().out == f"hds {hds.__version__}\n"


def test_dir_shows_what_is_imported_when_asked_for() -> None:
    fresh = importlib.import_module("hds")
    assert set(fresh.__all__) <= set(dir(fresh))
    assert "Session" in dir(fresh)
