"""`hds check`: findings as text, JSON and SARIF; what is checked; exit codes."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from processor_time import least

from hds.cli.main import main
from machine.root import assembler_process

COMMANDS = """\
? .total = 0;
!syscall 3 script {
    .total++;
    print(unknown_v);
}
print .total +
!sycall 4
"""


@pytest.fixture
def command_file(tmp_path: Path) -> Path:
    path = tmp_path / "commands.hds"
    path.write_text(COMMANDS)
    return path


def test_findings_point_into_the_command_file(capsys: pytest.CaptureFixture[str], command_file: Path) -> None:
    assert main(["check", str(command_file), "--target", "hds"]) == 1
    out, err = capsys.readouterr()
    assert [line for line in out.splitlines() if ": " in line and line.startswith(str(command_file))] == [
        f"{command_file}:4:11: warning W001: `unknown_v` is read before it is assigned; it is 0",
        f"{command_file}:6:15: error E030: found the end, expected an expression",
        f"{command_file}:7:1: error E200: couldn't resolve command at '!sycall'",
    ]
    assert err == "checked 1 file: 2 errors, 1 warning, 0 portability remarks\n"


def test_the_scripts_of_a_file_share_their_globals_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-e", "? print(.late);\n? .late = 1;\n? print(.late);\n"]) == 0
    out = capsys.readouterr().out
    assert out.count("W002") == 1
    assert "1:9: warning W002" in out


def test_a_file_script_is_relative_to_the_command_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "one.hds").write_text("print(1);\nb0 = 5;\n")
    path = tmp_path / "commands.hds"
    path.write_text("!cpuid script {file:scripts/one.hds}\n!cpuid script {file:none.hds}\n!tsc script {file:}\n")
    assert main(["check", str(path)]) == 1
    out = capsys.readouterr().out
    assert f"{tmp_path / 'scripts/one.hds'}:2:1: error E031" in out
    assert f"{path}:2:21: error E222" in out
    assert f"{path}:3:14: error E222" in out


def test_escaped_braces_keep_their_places(capsys: pytest.CaptureFixture[str]) -> None:
    text = "!cpuid script {\n  if (1 == 1) \\{ print(q); \\}\n  print(a 5); }\n"
    assert main(["check", "-e", text]) == 1
    out = capsys.readouterr().out
    assert "<command line>:3:11: error E030" in out
    assert "3 |   print(a 5); }" in out


def test_remarks_are_for_hyperdbg_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-e", "x = 1 == 1;"]) == 0
    assert "portability P040" in capsys.readouterr().out
    assert main(["check", "-e", "x = 1 == 1;", "--target", "hds"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["check", "-e", "x = 1 == 1;", "--disable", "P040"]) == 0
    assert capsys.readouterr().out == ""


def test_warnings_may_count_as_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-e", "rax = 5;"]) == 0
    assert main(["check", "-e", "rax = 5;", "--warnings-as-errors"]) == 1
    assert main(["check", "-e", "rax = 5;", "--warnings-as-errors", "--disable", "W011"]) == 0
    capsys.readouterr()


def test_a_remark_is_made_once_a_file_and_is_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    commands = "!syscall script { if (@rdi == 10) { print(1); } }\n!sysret script { if (@rdi > 20) { print(2); } }"
    assert main(["check", "-e", commands, "--warnings-as-errors", "--target", "hds"]) == 0
    out, err = capsys.readouterr()
    assert "<command line>:1:31: remark R001: `10` is hexadecimal: 16 in decimal\n" in out
    assert out.count("R001") == 1
    assert err == "checked 1 file: 0 errors, 0 warnings, 0 portability remarks, 1 other remark\n"
    assert main(["check", "-e", commands, "--disable", "R001", "--target", "hds"]) == 0
    assert capsys.readouterr().out == ""


def test_what_is_disabled_can_be_enabled_again(capsys: pytest.CaptureFixture[str]) -> None:
    script = "for (i = 0; i < 10; i++) { print(i); }"
    assert main(["check", "-e", script, "--disable", "W020"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["check", "-e", script, "--disable", "W020", "--enable", "W020"]) == 0
    assert "W020: `10` is hexadecimal: 16 in decimal" in capsys.readouterr().out


def test_json_has_one_object_per_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-e", "print(1);\nb0 = 5;", "--format", "json"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "type": "finding",
        "kind": "compile_error",
        "code": "E031",
        "severity": "error",
        "message": "'b0' cannot be a variable name: it is the number 0xb0 here",
        "hint": "use for example 'b0_v'",
        "file": "<command line>",
        "line": 2,
        "column": 1,
        "end_line": 2,
        "end_column": 3,
        "notes": [],
    }


def test_sarif_has_the_parts_that_2_1_0_asks_for(capsys: pytest.CaptureFixture[str], command_file: Path) -> None:
    assert main(["check", str(command_file), "--format", "sarif"]) == 1
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "hds"
    assert {result["level"] for result in run["results"]} == {"error", "warning", "note"}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == command_file.as_uri()
        region = result["locations"][0]["physicalLocation"]["region"]
        assert 1 <= region["startLine"] <= region["endLine"]
        assert region["startColumn"] >= 1
        assert region["endColumn"] >= 1


@pytest.mark.parametrize("mistake", ["", "1 +"])
def test_errors_beyond_the_limit_are_counted(capsys: pytest.CaptureFixture[str], mistake: str) -> None:
    script = "".join(f"nothing_{n}({mistake});\n" for n in range(30))
    assert main(["check", "-e", script]) == 1
    out, err = capsys.readouterr()
    assert out.count(": error E") == 20
    assert "<command line>: 10 more errors are left out (limit max_errors)" in err
    assert "30 errors" in err


def test_several_files_are_checked_and_the_worst_counts(
    capsys: pytest.CaptureFixture[str], command_file: Path, tmp_path: Path
) -> None:
    good = tmp_path / "good.hds"
    good.write_text("print(1);\n")
    assert main(["check", str(good)]) == 0
    assert main(["check", str(good), str(command_file)]) == 1
    assert main(["check", str(good), "no-such-file"]) == 3
    assert "cannot read no-such-file" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["-e", "x=1;", "--disable", "E031"], ["-e", "x=1;", "--disable", "Q1"]])
def test_a_wrong_command_line_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["check", *arguments]) == 2
    assert capsys.readouterr().err


def test_a_thousand_lines_take_less_than_half_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    block = 'if (@rax == {n}) {{\n    x{n}_ = poi(@rcx + {n}) & 0xff;\n    printf("%d %x\\n", x{n}_, .g);\n}}\n'
    script = ".g = 1;\n" + "".join(block.format(n=n) for n in range(250))
    main(["check", "-e", "x = 1;"])

    def seconds() -> float:
        start = time.process_time()
        assert main(["check", "-e", script]) == 0
        return time.process_time() - start

    assert least(seconds, 1.5) < 1.5  # half a second on an idle core
    capsys.readouterr()


# --- assembly blocks

ASSEMBLY = """\
!syscall asm condition { mov rax, 1;
    moov rbx, 2; ret } script { print(1); }
!syscall asm code { mov rax, [rip + nowhere] }
!syscall asm code { nop }
"""


def test_what_cannot_be_assembled_is_shown_where_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-e", ASSEMBLY]) == 1
    out = capsys.readouterr().out
    assert "<command line>:2:5: error E225: `moov rbx, 2` cannot be assembled: Keystone refuses it (invalid" in out
    assert "    2 |     moov rbx, 2; ret } script { print(1); }\n      |     ^^^^^^^^^^^\n" in out
    assert "<command line>:3:37: error E225: " in out
    assert out.count("error E225") == 2


def test_numbers_of_assembly_that_look_decimal_are_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    text = "!syscall asm code { mov rax, 9;\n  add rax, 10; ret }"
    assert main(["check", "-e", text]) == 0
    out = capsys.readouterr().out
    assert "<command line>:2:12: warning W021: 10 is hexadecimal here: 0x10\n" in out
    assert "      |            ^^\n  hint: write 0n10 for decimal\n" in out
    assert out.count("W021") == 1
    assert main(["check", "-e", text, "--disable", "W021"]) == 0
    assert "W021" not in capsys.readouterr().out
    assert main(["run", "-e", text]) == 0
    assert capsys.readouterr().err.count("warning W021: ") == 1


def test_running_reports_the_same_code_at_the_same_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-e", ASSEMBLY]) == 1
    assert "<command line>:2:5: error E225: `moov rbx, 2` cannot be assembled: " in capsys.readouterr().err


def test_assembly_is_in_json_and_sarif_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-e", ASSEMBLY, "--format", "json"]) == 1
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["code"], first["line"], first["column"], first["end_column"]) == ("E225", 2, 5, 16)
    assert main(["check", "-e", ASSEMBLY, "--format", "sarif"]) == 1
    results = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == ["E225", "E225"]


def test_escaped_braces_and_comments_keep_places_in_assembly(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-e", "!syscall asm code { nop; // \\{\n moov }"]) == 1
    assert "<command line>:2:2: error E225" in capsys.readouterr().out


def test_without_keystone_assembly_is_not_checked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assembler_process.stop()
    monkeypatch.setitem(sys.modules, "keystone", None)
    assert main(["check", "-e", "!syscall asm code { moov rbx, 2 }"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(
        "<command line>: note: only the syntax of assembly text is checked: the package keystone-engine "
    )
