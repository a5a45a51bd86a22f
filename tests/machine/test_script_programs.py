"""A script with `#!` is started as the kernel of the guest does it: by the program that its first line names."""

from __future__ import annotations

from pathlib import Path

import pytest
from linux_guests import Listening, busybox

from hds.session.session import Session
from machine.kernel.linux import World
from machine.loaders import LoadError

SHELL = '#!/bin/busybox ash\necho "$0 $# $1"; cat /proc/$$/comm; readlink /proc/$$/exe; exit 3\n'


def folder_with(tmp_path: Path, **scripts: str) -> Path:
    """A root with the static busybox and executable scripts."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "busybox").write_bytes(busybox().read_bytes())
    (tmp_path / "bin" / "busybox").chmod(0o755)
    for name, text in scripts.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.programs
def test_a_script_runs_in_its_interpreter(tmp_path: Path) -> None:
    root = folder_with(tmp_path, one=SHELL)
    heard = Listening()
    session = Session(root / "one", arguments=("a b",), environment=["PATH=/bin"], world=World(root), reporter=heard)
    assert session.run(timeout=60).exit_code == 3
    assert heard.output == b"/one 1 a b\none\n/bin/busybox\n"


@pytest.mark.programs
def test_a_script_may_be_for_a_script(tmp_path: Path) -> None:
    root = folder_with(tmp_path, one=SHELL, two="#!/one  more \n")
    heard = Listening()
    session = Session(root / "two", environment=["PATH=/bin"], world=World(root), reporter=heard)
    assert session.run(timeout=60).exit_code == 3
    assert heard.output.startswith(b"/one 2 more\n")


def test_scripts_that_are_for_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("#!/one\n")
    (tmp_path / "one").chmod(0o755)
    with pytest.raises(LoadError, match="more than 5"):
        Session(tmp_path / "one", world=World(tmp_path))


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("#!/bin/none x\n")
    with pytest.raises(LoadError, match="this program needs /bin/none, its interpreter: No such file"):
        Session(tmp_path / "one", world=World(tmp_path))


def test_a_script_outside_of_the_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "one").write_text("#!/bin/sh\n")
    with pytest.raises(LoadError, match="is a script, which its interpreter would not find"):
        Session(tmp_path / "one", world=World(tmp_path / "root"))


def test_without_a_root_the_hint_says_what_a_script_needs(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("#!/bin/sh -e\n")
    with pytest.raises(LoadError) as refused:
        Session(tmp_path / "one")
    assert refused.value.hint.startswith("`--root DIR` shows the guest /bin/sh, which it is for")
