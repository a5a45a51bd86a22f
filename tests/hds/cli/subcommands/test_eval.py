"""`hds eval`: what goes where, and with which exit code."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from hds.cli.main import main


def test_messages_and_nothing_else_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "-e", 'print(y); printf("%d|", 0n12);']) == 0
    out, err = capsys.readouterr()
    assert out == "0\n12|"
    assert "W001" in err
    assert "P031" not in err


def test_a_file_may_hold_the_script(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script = tmp_path / "script.hds"
    script.write_bytes(b"\xef\xbb\xbf? { print(5); }\r\n")
    assert main(["eval", str(script)]) == 0
    assert capsys.readouterr().out == "5\n"


def test_standard_input_may_hold_the_script(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"print(7);")))
    assert main(["eval", "-"]) == 0
    assert capsys.readouterr().out == "7\n"


def test_registers_and_memory_are_given_in_hexadecimal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = tmp_path / "data.bin"
    data.write_bytes(b"zebra")
    script = 'print(@rax); print(@rbx); printf("%s %s\\n", 1000, 5000);'
    registers = ["--reg", "rax=0n16", "--reg", "@bl=-1", "--memory", "1000=68 65 78", "--memory", f"5000=@{data}"]
    assert main(["eval", "-e", script, *registers]) == 0
    assert capsys.readouterr().out == "10\nff\nhex zebra\n"


def test_dumps_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--memory", "1ff8=4142434445464748", "--dump-registers", "--dump-memory", "1ff8:10"]
    assert main(["eval", "-e", "@rax = 5; eb(1ff8, 0x61);", *arguments]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "rax    0000000000000005" in err
    assert "0000000000001ff8  61 42 43 44 45 46 47 48 ?? ?? ?? ?? ?? ?? ?? ??  aBCDEFGH........" in err


def test_a_run_time_error_is_shown_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "-e", "print(1); x = 0; print(4 / x);"]) == 4
    out, err = capsys.readouterr()
    assert out == "1\n"
    assert err == (
        "<command line>:1:24: run-time error: division_by_zero: 0x4 is divided by zero\n"
        "    1 | print(1); x = 0; print(4 / x);\n"
        "      |                        ^^^^^\n"
        "  hint: test the divisor first\n"
    )


def test_a_script_that_does_not_compile_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "-e", "print(1); a = 5;"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "1:11: error E031" in err
    assert "hint: use for example 'a_v'" in err


def test_json_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["eval", "--json", "-e", "print(y); @rbx = 7; poi(10);", "--dump-memory", "10:4"])
    found = json.loads(capsys.readouterr().out)
    assert code == 4
    assert found["status"] == "runtime_error"
    assert found["messages"] == ["0\n"]
    assert found["fault"]["kind"] == "invalid_address"
    assert (found["fault"]["line"], found["fault"]["column"]) == (1, 21)
    assert found["fault"]["values"] == {"address": "0x10", "size": "0x8"}
    assert found["registers"]["rbx"] == "0x7"
    assert found["memory"] == [{"address": "0x10", "bytes": None}]
    assert "W001" in {item["code"] for item in found["diagnostics"]}


def test_arguments_replace_arg_n_longest_first(capsys: pytest.CaptureFixture[str]) -> None:
    many = [part for number in range(1, 11) for part in ("--arg", str(number))]
    assert main(["eval", "-e", "print($arg10); print($arg1);", *many]) == 0
    assert capsys.readouterr().out == "10\n1\n"


def test_a_symbol_has_the_address_that_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "-e", "print(NT!NtOpenFile + 1);", "--symbol", "nt!ntopenfile=fffff800`1000"]) == 0
    assert capsys.readouterr().out == "fffff8001001\n"


def test_a_limit_has_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "-e", "while (1) { }", "--max-steps", "50"]) == 4
    assert "step_limit: the script did not end within 50 steps (limit max_steps)" in capsys.readouterr().err


def test_an_argument_that_is_no_utf8_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for subcommand in ("eval", "check", "fmt", "disasm"):
        assert main([subcommand, "-e", 'print("\udcff");']) == 1
        assert capsys.readouterr().err == "hds: the text behind -e is not UTF-8\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-e", "x=1;", "--reg", "rax"],
        ["-e", "x=1;", "--reg", "r99=1"],
        ["-e", "x=1;", "--memory", "zz=00"],
        ["-e", "x=1;", "--memory", "10=0"],
        ["-e", "x=1;", "--memory", "ffffffffffffffff=0000"],
        ["-e", "x=1;", "--dump-memory", "10"],
        ["-e", "x=1;", "--symbol", "name"],
        ["-e", "x=1;", "--max-steps", "0"],
        ["-e", "x=1;", "--engine", "other"],
    ],
)
def test_a_wrong_command_line_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["eval", *arguments]) == 2
    assert capsys.readouterr().err


def test_a_missing_file_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "no-such-file"]) == 3
    assert capsys.readouterr().err == "hds: cannot read no-such-file: No such file or directory\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"x = 1;\ny = \xff;", ":2:5: byte 0xff is not UTF-8; save the file as UTF-8"),
        ("x = 1;".encode("utf-16"), ":1:1: the file is UTF-16; save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_utf8_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, data: bytes, message: str
) -> None:
    script = tmp_path / "script.hds"
    script.write_bytes(data)
    assert main(["eval", str(script)]) == 1
    assert capsys.readouterr().err == f"hds: {script}{message}\n"


def test_a_file_beyond_the_limit_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script = tmp_path / "script.hds"
    script.write_text("print(1);")
    assert main(["eval", str(script), "--max-source-bytes", "8"]) == 3
    assert "larger than 8 bytes (limit max_source_bytes)" in capsys.readouterr().err
