"""Published programs for Windows (wheels of PyPI) on Wine's DLLs say what the same releases for Linux say natively.

A test skips where one of the two wheels is missing.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from windows_world import END, build, extracted, make_root, missing_in, needs_wine, run

pytestmark = [needs_wine, pytest.mark.programs]
FILES = {
    "a.c": "int main(){return 0;}\n",
    "a.py": "import os\nimport sys\nx=lambda: sys.argv\n",
    "t.txt": "This is a tset of teh wrod recieve.\nfine line\n",
    "s.cmake": 'math(EXPR x "6*7")\nfile(READ t.txt y)\nmessage("${x} ${y}")\n',
    "build.ninja": "rule cc\n  command = cc -c $in -o $out\nbuild a.o: cc a.c\n",
}


def published(name: str, platform: str, folder: Path) -> Path:
    """The program in a wheel; the test is skipped where there is none."""
    try:
        return extracted(name, platform, folder)
    except FileNotFoundError as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize(
    ("name", "arguments", "calls"),
    [
        ("ninja", ("--version",), ("QuerySystemInformationEx", "QueryInformationJobObject", "WriteFile", *END)),
        ("ninja", ("-n",), ("CreateFile", "ReadFile", "Close", "OpenFile", "QueryDirectoryFile", "WriteFile", *END)),
        ("clang-format", ("a.c",), ("OpenFile", "QueryDirectoryFile", "CreateFile", "ReadFile", "WriteFile", *END)),
        ("typos", ("--isolated", "--format", "brief", "t.txt"), ("CreateFile", "ReadFile", "WriteFile", *END)),
        ("cmake", ("-E", "sha256sum", "a.c", "a.py"), ("CreateFile", "ReadFile", "Close", "WriteFile", *END)),
        ("cmake", ("-P", "s.cmake"), ("CreateFile", "ReadFile", "Close", "WriteFile", *END)),  # without its modules
        (
            "ruff",
            ("check", "--isolated", "--no-cache", "--select", "E,F", "a.py"),
            ("CreateFile", "CreateThreadEx", "TerminateThread", "ReadFile", "WriteFile", *END),
        ),
        (
            "ruff",
            ("format", "--isolated", "--no-cache", "--diff", "a.py"),
            ("CreateFile", "CreateThreadEx", "TerminateThread", "ReadFile", "WriteFile", *END),
        ),
    ],
)
def test_a_published_program_says_what_it_says_on_linux_each_time(
    name: str, arguments: tuple[str, ...], calls: tuple[str, ...], tmp_path: Path
) -> None:
    root = make_root(tmp_path / "c", tmp_path)
    native = tmp_path / "native"
    native.mkdir()
    for file, text in FILES.items():
        (root / "prog" / file).write_text(text)
        (native / file).write_text(text)
    published(name, "win_amd64", root / "prog")
    program = published(name, "linux", native)
    (root / "Windows" / "System32" / "bcryptprimitives.dll").write_bytes(build(tmp_path, "prng").read_bytes())
    wanted = subprocess.run([program, *arguments], cwd=native, capture_output=True, timeout=60, check=False)
    engines = ("native", "reference")
    found, other = (run(root, name, *arguments, writable=True, engine=engine) for engine in engines)
    assert missing_in(found.own, calls) == []
    assert (other.text, other.calls, other.summary) == (found.text, found.calls, found.summary)
    assert found.code == wanted.returncode
    text = found.text.decode().replace("\r\n", "\n")
    assert text == (wanted.stdout + wanted.stderr).decode()
