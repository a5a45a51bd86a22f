"""Agreement with reality: the tables of sockets in /proc/net and of NETLINK_SOCK_DIAG, and programs that read them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from whole_machine import here, natively

pytestmark = pytest.mark.programs

SOURCE = Path(__file__).with_name("socket_tables.py").read_text()
PYTHON = ("/usr/bin/python3", "-I", "-c")
LISTENING = """
import socket, subprocess, sys
one = socket.create_server(("127.0.0.1", int(sys.argv[1])))
subprocess.run(sys.argv[2:])
"""


def test_a_program_s_own_sockets_are_told_as_natively(tmp_path: Path) -> None:
    native, emulated = natively((*PYTHON, SOURCE), tmp_path / "trace"), here((*PYTHON, SOURCE))
    assert native.exit_code == 0
    assert (emulated.output, emulated.exit_code) == (native.output, native.exit_code)


@pytest.mark.parametrize("command", [("ss", "-Htln", "sport = :54321"), ("netstat", "-tln")], ids=" ".join)
def test_programs_that_list_sockets(command: tuple[str, ...], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
    whole = (*PYTHON, LISTENING, port, *(word.replace("54321", port) for word in command))
    found = [ran.output.decode().splitlines() for ran in (natively(whole, tmp_path / "trace"), here(whole))]
    native, emulated = ([line for line in lines if f":{port} " in line] for lines in found)
    assert native
    assert emulated == native


@pytest.mark.parametrize("words", ["addr show lo", "link show no"])
def test_ip_asks_for_one_interface(words: str, tmp_path: Path) -> None:
    native, emulated = natively(("ip", *words.split()), tmp_path / "trace"), here(("ip", *words.split()))
    assert (emulated.output, emulated.exit_code) == (native.output, native.exit_code)
