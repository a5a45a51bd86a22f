"""The option `--net` on the command line: a file that is not right ends the run before it begins, by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hds_guests import command_line, listing_file

PORT = '[[host]]\naddresses = ["192.0.2.1"]\n[[host.port]]\nport = 1\n'


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"[[host]]\nx = 1\n", 1, "net.toml: host 1: unknown key `x`"),
        (b"[[host\n", 1, "net.toml: "),
        (b"\xff\n", 1, "net.toml: byte 0 is no UTF-8"),
        (PORT.encode() + b'file = "missing"\n', 3, "missing: No such file or directory"),
        (PORT.encode() + b'file = "-"\n', 3, "-: No such file or directory"),
        (None, 3, "net.toml: No such file or directory"),
    ],
)
def test_a_file_that_is_not_right_is_refused(tmp_path: Path, content: bytes | None, code: int, message: str) -> None:
    file = tmp_path / "net.toml"
    if content is not None:
        file.write_bytes(content)
    ran = command_line("run", "-e", "? print(1);", "--net", str(file), listing_file(tmp_path, "nop"))
    assert (ran.code, ran.output) == (code, "")
    assert message in ran.errors


def test_a_file_that_is_right_is_no_matter_to_a_program_without_sockets(tmp_path: Path) -> None:
    (tmp_path / "answer").write_bytes(b"yes")
    (tmp_path / "net.toml").write_text(PORT + 'file = "answer"\n')
    ran = command_line(
        "run", "--quiet", "-e", "? print(1);", "--net", str(tmp_path / "net.toml"), listing_file(tmp_path, "hlt")
    )
    assert (ran.code, ran.output) == (0, "1\n")
