"""The console on a real terminal (tmux): completion, a block, history, Ctrl-C, and going back from there."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hds_guests import listing_file
from source_trees import ROOT

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed (Debian: tmux)"),
]
LOOPING = "mov rbx, 0\nagain: inc rbx\npush rbx\npop rcx\ncmp rbx, 0x20000000\njne again\nhlt"


class Terminal:
    """A window of tmux, with a server of its own."""

    def __init__(self, command: str) -> None:
        self._name = f"hds{os.getpid()}"
        self._tmux("new-session", "-d", "-x", "100", "-y", "40", command)

    def _tmux(self, *words: str) -> str:
        return subprocess.run(["tmux", "-L", self._name, *words], capture_output=True, text=True, check=True).stdout

    def keys(self, *names: str) -> None:
        self._tmux("send-keys", "-t", "0", *names)

    def types(self, text: str) -> None:
        self._tmux("send-keys", "-t", "0", "-l", text)

    def until(self, text: str) -> list[str]:
        """The lines on the screen once this is among them, without empty ones."""
        end = time.monotonic() + 60
        while text not in (screen := self._tmux("capture-pane", "-p", "-t", "0")):
            assert time.monotonic() < end, screen
            time.sleep(0.05)
        return [line.rstrip() for line in screen.splitlines() if line.strip()]

    def close(self) -> None:
        self._tmux("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    hds = f"cd {shlex.quote(str(ROOT))}; HDS_HISTORY={shlex.quote(str(tmp_path / 'history'))} {sys.executable} -m hds"
    made = Terminal(f"{hds} console --record {shlex.quote(listing_file(tmp_path, LOOPING))}; echo left $?; sleep 1000")
    yield made
    made.close()


def test_a_session_on_a_terminal(terminal: Terminal) -> None:
    terminal.until("HyperDbg>")
    terminal.types("settings synt")
    terminal.keys("Tab")
    terminal.until("settings syntax")
    terminal.keys("Enter")
    terminal.until("disassembler syntax is : intel")
    terminal.types("? {")
    terminal.keys("Enter")
    terminal.until("\n>")
    terminal.types('printf("%d there\\n", 40 + 2); }')
    terminal.keys("Enter")
    terminal.until("66 there")  # numbers are hexadecimal
    terminal.types("g")
    terminal.keys("Enter")
    time.sleep(1)
    terminal.keys("C-c")
    terminal.until("interrupted")
    terminal.types("t-")
    terminal.keys("Enter")
    terminal.until("HyperDbg> t-\n00000000`004000")
    terminal.keys("Up", "Up", "Up")
    terminal.until('HyperDbg> ? {\n> printf("%d there\\n", 40 + 2); }\n\n')
    terminal.keys("C-c")
    terminal.types("q")
    terminal.keys("Enter")
    assert terminal.until("left ")[-1] == "left 0"
