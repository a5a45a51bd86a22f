"""Standard output and standard error of every subcommand: closed, full, abandoned, and in a narrow encoding."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TextIO

import pytest
from hds_guests import command_line, elf_file, listing_file
from source_trees import ROOT
from stream_doubles import Pipe, abandoned, absent, full, needs_full, run_with, through_pipes

from hds.cli.main import SUBCOMMANDS
from hds.exit_codes import ExitCode
from hds.report.streams import Stream

pytestmark = pytest.mark.slow


# Command lines that write to standard output, and the subcommand that each is for.
LINES: dict[str, tuple[str, ...]] = {
    "run": ("run", "-e", "print 1"),
    "run, json": ("run", "--format", "json", "-e", "print 1"),
    "console": ("console",),
    "check": ("check", "-e", "bogus"),
    "check, json": ("check", "--format", "json", "-e", "bogus"),
    "check, sarif": ("check", "--format", "sarif", "-e", "print 1"),
    "eval": ("eval", "-e", "print(1);"),
    "eval, json": ("eval", "--json", "-e", "print(1);"),
    "compile": ("compile", "-e", "print(1);", "-o", "-"),
    "disasm": ("disasm", "-e", "print(1);"),
    "fmt": ("fmt", "-e", "print(1);"),
    "test": ("test", str(ROOT / "examples" / "count_writes.hds")),
    "trace": ("trace", "--show-script"),
    "diff": ("diff", "--format", "json", os.devnull, os.devnull),
    "corpus": ("corpus", "--help"),
    "lsp": ("lsp", "--help"),
    "report": ("report", os.devnull, "-o", "-"),
    "bench": ("bench", "--help"),
    "conform": ("conform", os.devnull),
    "fuzz": ("fuzz", "--cases", "1", "--law", "text"),
    "explain": ("explain", "E031"),
    "doctor": ("doctor", "--root", "/dev"),
    "examples": ("examples",),
    "completion": ("completion", "bash"),
    "list": ("list", "limits"),
    "list, json": ("list", "limits", "--format", "json"),
    "help": ("--help",),
    "help of a subcommand": ("run", "--help"),
    "version": ("--version",),
}
HARMLESS = (ExitCode.OK, ExitCode.FAILED)


@pytest.fixture(autouse=True)
def nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())


def test_every_subcommand_is_tried() -> None:
    assert {row.name for row in SUBCOMMANDS} <= {words[0] for words in LINES.values()}


# --- standard output


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(
    ("stream", "reason"),
    [(absent, "it is closed"), pytest.param(full, "No space left on device", marks=needs_full)],
)
def test_output_that_cannot_be_written_ends_with_one_line(
    line: str, stream: type[AbstractContextManager[TextIO | None]], reason: str
) -> None:
    errors = Pipe()
    with stream() as output:
        assert run_with(output, errors, *LINES[line]) == ExitCode.STREAM
    assert errors.data.decode().splitlines()[-1] == f"hds: cannot write standard output: {reason}"
    assert b"internal error" not in errors.data


@pytest.mark.parametrize("line", LINES)
def test_a_reader_that_went_away_ends_it_silently(line: str) -> None:
    errors = Pipe()
    with abandoned() as output:
        assert run_with(output, errors, *LINES[line]) == ExitCode.BROKEN_PIPE
    assert b"cannot write" not in errors.data


def test_output_that_was_closed_by_a_python_program_is_the_same() -> None:
    output, errors = Pipe(), Pipe()
    output.close()
    assert run_with(output, errors, "list", "limits") == ExitCode.STREAM
    assert errors.data == b"hds: cannot write standard output: it is closed\n"


def test_a_subcommand_without_output_needs_none(tmp_path: Path) -> None:
    errors = Pipe()
    assert run_with(None, errors, "compile", "-e", "print(1);", "-o", str(tmp_path / "x.hdc")) == ExitCode.OK


@needs_full
def test_a_run_ends_at_the_first_message_that_cannot_be_written(tmp_path: Path) -> None:
    errors = Pipe()
    log = tmp_path / "log"
    commands = (
        f"output create o file {log}\noutput open o\n!syscall 55 script {{ print(1); }} output {{o}}\n!syscall 66"
    )
    with full() as output:
        code = run_with(output, errors, "run", "-e", f"{commands} script {{ print(2); }}", listing_file(tmp_path))
    assert (code, log.read_bytes()) == (ExitCode.STREAM, b"1\n")
    assert errors.data == b"hds: cannot write standard output: No space left on device\n"


def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    received = bytearray()

    def read() -> None:
        while data := os.read(reader, 4096):
            received.extend(data)

    thread = threading.Thread(target=read)
    with os.fdopen(writer, "w") as file:
        stream = Stream("standard output", file)
        thread.start()
        for _ in range(100):
            stream.write_bytes(bytes(10_000))
        stream.finish()
    thread.join(10)
    os.close(reader)
    assert len(received) == 1_000_000


@contextlib.contextmanager
def unread() -> Iterator[TextIO]:
    """A pipe that somebody has open and never reads."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as file:
        yield file
        os.close(reader)


ENDLESS = "again: mov eax, 1\nmov edi, 1\nlea rsi, [rip]\nmov edx, 0x800\nsyscall\njmp again"


@pytest.mark.lasting
@pytest.mark.parametrize(
    "words",
    [
        ("-e", '!syscall script { printf("%1000d", 1); }', "--guest-output", "none"),
        ("-e", '!syscall imm no script { printf("%1000d", 1); }', "--guest-output", "none"),
        ("-e", "g", "--guest-output", "stdout"),
        ("-e", "g", "--format", "json"),
    ],
)
def test_a_reader_that_takes_nothing_ends_the_run_at_the_timeout(words: tuple[str, ...], tmp_path: Path) -> None:
    errors = Pipe()
    with unread() as output:
        code = run_with(output, errors, "run", "--timeout", "0.2", *words, listing_file(tmp_path, ENDLESS))
    assert code == ExitCode.LIMIT
    assert errors.data == b"hds: cannot write standard output: nobody has read it for 0.2 s (--timeout)\n"


def test_a_standard_error_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    output = Pipe()
    with unread() as errors:
        code = run_with(output, errors, "run", "--timeout", "0.2", "-e", "g", listing_file(tmp_path, ENDLESS))
    assert code == ExitCode.LIMIT


def test_a_reader_that_takes_its_time_gets_everything() -> None:
    reader, writer = os.pipe()
    received = bytearray()

    def read() -> None:
        while data := os.read(reader, 50_000):
            received.extend(data)

    thread = threading.Thread(target=read)
    with os.fdopen(writer, "w") as file:
        stream = Stream("standard output", file)
        stream.write("first ")
        stream.wait_at_most(60)
        thread.start()
        for _ in range(20):
            stream.write_bytes(b"a" * 50_000)
        stream.finish()
    thread.join(10)
    os.close(reader)
    assert received == b"first " + b"a" * 1_000_000


# --- standard error


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("stream", [absent, pytest.param(full, marks=needs_full)])
def test_without_standard_error_the_output_is_the_same(
    line: str, stream: type[AbstractContextManager[TextIO | None]]
) -> None:
    usual, plain = Pipe(), Pipe()
    usual_code = run_with(usual, io.StringIO(), *LINES[line])
    with stream() as errors:
        code = run_with(plain, errors, *LINES[line])
    assert plain.data == usual.data
    assert code in (usual_code, ExitCode.STREAM)


@needs_full
def test_a_full_standard_error_is_told_by_the_exit_code_where_all_else_went_well() -> None:
    with full() as errors:
        assert run_with(Pipe(), errors, "run", "-e", "print 1") == ExitCode.STREAM
        assert run_with(Pipe(), errors, "run", "-e", "bogus") == ExitCode.FAILED
        assert run_with(Pipe(), errors, "run", "--bogus") == ExitCode.USAGE
    assert run_with(Pipe(), None, "run", "-e", "print 1") == ExitCode.OK


def test_a_guest_that_writes_to_a_closed_pipe_is_ended(tmp_path: Path) -> None:
    endless = "again:\nmov eax, 1\nmov edi, 1\nlea rsi, [again]\nmov edx, 8\nsyscall\njmp again"
    with abandoned() as errors:
        assert run_with(Pipe(), errors, "run", "-e", "g", listing_file(tmp_path, endless)) == ExitCode.BROKEN_PIPE


# --- as processes


@pytest.mark.lasting
@pytest.mark.parametrize(
    ("redirections", "code"),
    [("2>&-", ExitCode.OK), (">&- 2>&- <&-", ExitCode.STREAM)],
)
def test_files_do_not_take_the_place_of_closed_streams(redirections: str, code: ExitCode, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f'.logopen {log}\n? printf("a");'
    ran = subprocess.run(
        ["sh", "-c", f'"$0" -m hds run -e "$1" {redirections}', sys.executable, script],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )
    assert ran.returncode == code
    assert "Traceback" not in ran.stderr
    assert "hds:" not in log.read_text()


# --- standard input


@pytest.mark.parametrize("subcommand", ["run", "check", "eval", "disasm", "fmt", "conform"])
def test_standard_input_that_is_closed_cannot_be_read(subcommand: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    ran = command_line(subcommand, "-")
    assert ran.code == ExitCode.NO_INPUT
    assert ran.errors.startswith("hds: cannot read standard input: it is closed\n")


def test_a_console_without_input_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert command_line("console").code == ExitCode.OK


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_console_takes_any_bytes(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = '? printf("\xe9\n");\n'.encode() + b'? printf("\xff\\n");\nprint \xff\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed), encoding=encoding))
    code, output, errors = through_pipes("console")
    assert code == ExitCode.OK
    assert b"\xff\n" in output
    assert b"error E001: `\\` begins no token" in errors


# --- encodings


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A folder whose name no encoding has."""
    folder = tmp_path / os.fsdecode(b"\xff\xc3\xa9")
    folder.mkdir()
    return folder


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("subcommand", ["run", "check", "eval", "compile", "disasm"])
def test_text_that_the_encoding_lacks_is_escaped(subcommand: str, encoding: str, strange: Path) -> None:
    path = strange / "a.hds"
    path.write_text("\u20ac = zz_\u20ac;", encoding="utf-8")
    more = ("-o", str(strange / "x.hdc")) if subcommand == "compile" else ()
    code, output, errors = through_pipes(subcommand, str(path), *more, encoding=encoding)
    assert code in HARMLESS
    said = (output + errors).decode(encoding)
    assert ("\\u20ac" in said) == (encoding != "utf-8")
    assert "\\udcff" in said


def test_what_scripts_print_is_bytes_in_any_encoding() -> None:
    assert through_pipes("run", "-e", '? printf("\u20ac");', encoding="ascii")[1] == "\u20ac".encode()
    assert through_pipes("eval", "-e", 'printf("\u20ac");', encoding="ascii")[1] == "\u20ac".encode()


def test_a_source_that_is_laid_out_stays_utf_8() -> None:
    assert through_pipes("fmt", "-e", 'printf("\u20ac");', encoding="ascii")[1] == 'printf("\u20ac");\n'.encode()


def test_records_are_utf_8_in_any_encoding(strange: Path) -> None:
    _, output, _ = through_pipes("run", "--format", "json", "-e", '? printf("\u20ac");', encoding="ascii")
    assert json.loads(output.splitlines()[0])["text"] == "\u20ac"
    code, output, errors = through_pipes("run", "--format", "json", str(strange / "a.hds"), encoding="ascii")
    assert (code, errors) == (ExitCode.NO_INPUT, b"")
    assert json.loads(output)["message"] == f"cannot read {strange}/a.hds: No such file or directory"


def test_a_guest_with_a_name_and_arguments_that_are_no_utf_8(strange: Path) -> None:
    say = "mov eax, 1\nmov edi, 1\nmov rsi, [rsp+16]\nmov edx, 1\nsyscall\nmov eax, 60\nsyscall"
    guest = listing_file(strange, say)
    os.rename(guest, str(strange) + ".asm")
    code, _, errors = through_pipes("run", "-e", "print $proc", str(strange) + ".asm", os.fsdecode(b"\xff"))
    assert code == ExitCode.OK
    assert errors.startswith(b"\xff")


def test_an_elf_file_in_a_folder_that_is_no_utf_8(strange: Path) -> None:
    guest = elf_file(strange / "guest", "start:\nmov eax, 60\nsyscall", "start")
    assert through_pipes("run", "-e", "g", guest)[0] == ExitCode.OK
