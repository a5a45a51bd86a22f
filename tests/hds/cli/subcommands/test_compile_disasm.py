"""`hds compile` and `hds disasm`: what is written can be read, and what is shown names things."""

from __future__ import annotations

from pathlib import Path

import pytest
from engines import need_machine_code

from hds.cli.main import main
from vm.bundle import read_bundle
from vm.program import decode_program

COMMANDS = """\
? .total = 0n100;
!syscall 3 script {
    int twice(int n) {
        return n * 2;
    }
    .total += twice(@eax);
    printf("%d of %s\\n", .total, $pname);
}
print .total + 1
"""


@pytest.fixture
def command_file(tmp_path: Path) -> Path:
    path = tmp_path / "commands.hds"
    path.write_text(COMMANDS)
    return path


def test_a_command_file_becomes_a_bundle(
    capsys: pytest.CaptureFixture[str], command_file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.hdc"
    assert main(["compile", str(command_file), "-o", str(output)]) == 0
    bundle = read_bundle(output.read_bytes())
    assert (bundle.name, bundle.text) == (str(command_file), COMMANDS)
    assert [COMMANDS[key:].split()[0] for key, _ in bundle.programs] == [".total", "int", ".total"]
    assert "3 scripts" in capsys.readouterr().err


def test_what_is_compiled_is_not_written_over(capsys: pytest.CaptureFixture[str], command_file: Path) -> None:
    text = command_file.read_bytes()
    link = command_file.with_name("link.hds")
    link.symlink_to(command_file)
    assert main(["compile", str(command_file), "-o", str(link)]) == 2
    assert "is read: it would be written over" in capsys.readouterr().err
    assert command_file.read_bytes() == text


def test_a_bare_script_becomes_a_program(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    output = tmp_path / "out.hdc"
    assert main(["compile", "-e", "print(5);", "-o", str(output)]) == 0
    assert len(decode_program(output.read_bytes()).functions) == 1
    assert "1 script" in capsys.readouterr().err


def test_a_listing_is_the_same_from_source_and_from_a_file(
    capsys: pytest.CaptureFixture[str], command_file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.hdc"
    assert main(["compile", str(command_file), "-o", str(output)]) == 0
    capsys.readouterr()
    assert main(["disasm", str(command_file)]) == 0
    from_source = capsys.readouterr().out
    assert main(["disasm", str(output)]) == 0
    assert capsys.readouterr().out == from_source


def test_a_listing_names_what_operands_mean(capsys: pytest.CaptureFixture[str], command_file: Path) -> None:
    assert main(["disasm", str(command_file)]) == 0
    out = capsys.readouterr().out
    for part in (
        f"; script at {command_file}:2:20",
        "function main: 0 parameters",
        "function twice: 1 parameter,",
        "; .total",
        "; @eax",
        "; $pname",
        "; twice",
        "'%d of %s\\n'",
        "block 0, fuel",
        f"; {command_file}:4  return n * 2;",
    ):
        assert part in out, part


def test_nothing_is_written_when_there_are_errors(
    capsys: pytest.CaptureFixture[str], command_file: Path, tmp_path: Path
) -> None:
    command_file.write_text(COMMANDS + "? x = ;\n")
    output = tmp_path / "out.hdc"
    assert main(["compile", str(command_file), "-o", str(output)]) == 1
    assert main(["disasm", str(command_file)]) == 1
    assert not output.exists()
    assert "10:7: error E030" in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"HDSC", b"HDSB" + bytes(40), b"HDSX rest", b"HDSC\x01\x00\x00\x00\x00\x00\x00\x00"])
def test_a_damaged_file_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "damaged.hdc"
    path.write_bytes(data)
    assert main(["disasm", str(path)]) == 1
    assert str(path) in capsys.readouterr().err


def test_wrong_command_lines_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["compile", "-e", "x=1;"]) == 2
    assert main(["compile", "-o", "x.hdc"]) == 2
    assert main(["compile", "-e", "x=1;", "-o", str(tmp_path / "none" / "x.hdc")]) == 3
    assert main(["disasm", "no-such-file"]) == 3
    capsys.readouterr()


@pytest.mark.parametrize(("form", "part"), [("llvm", "define internal"), ("asm", "retq")])
def test_the_native_code_can_be_read(
    capsys: pytest.CaptureFixture[str], command_file: Path, form: str, part: str
) -> None:
    need_machine_code()
    assert main(["compile", str(command_file), "--emit", form]) == 0
    out = capsys.readouterr().out
    assert f"script at {command_file}:9:7" in out
    assert part in out
