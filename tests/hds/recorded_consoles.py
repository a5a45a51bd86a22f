"""What `hds console --record` answers to commands, and the programs that it is given."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from compiled import compiled

FOLDER = Path(__file__).parent / "session"
PROMPT = "HyperDbg> "


def answers(commands: str, *words: str) -> list[str]:
    """What `hds console --record` answers to each command, notices too."""
    line = [sys.executable, "-m", "hds", "console", "--record", *words]
    text = "\n".join(commands.splitlines()) + "\n"
    ran = subprocess.run(
        line, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True, timeout=100
    )
    return ran.stdout.split(PROMPT)[1:]


def static_program(source: str, folder: Path) -> Path:
    """A static program with threads."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed (Debian: gcc)")
    guest = folder / "guest"
    command = ["gcc", "-O1", "-static", "-pthread", "-o", str(guest), str(FOLDER / source)]
    compiled(command, guest, [FOLDER / source]).check_returncode()
    return guest
