"""Agreement with reality: the tables of sockets in /proc/net and of NETLINK_SOCK_DIAG, and programs that read them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from linux_guests import Ran, without_calls
from whole_machine import here, native_runs

pytestmark = pytest.mark.programs

SOURCE = Path(__file__).with_name("socket_tables.py").read_text()
PYTHON = ("/usr/bin/python3", "-IS", "-c")
LISTENING = """
import _socket, posix, sys
one = _socket.socket()
one.bind(("127.0.0.1", int(sys.argv[1])))
one.listen()
child = posix.posix_spawn("/usr/bin/env", ["env", *sys.argv[2:]], posix.environ)
posix.waitpid(child, 0)
"""


def test_a_program_s_own_sockets_are_told_as_natively(tmp_path: Path) -> None:
    native, emulated = native_runs((*PYTHON, SOURCE), tmp_path), here((*PYTHON, SOURCE))
    assert emulated.exit_code == 0
    assert without_calls(emulated) == without_calls(native.like(emulated, without_calls))


@pytest.mark.parametrize("command", [("ss", "-Htln", "sport = :54321"), ("netstat", "-tln")], ids=" ".join)
def test_programs_that_list_sockets(command: tuple[str, ...], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
    whole = (*PYTHON, LISTENING, port, *(word.replace("54321", port) for word in command))

    def listed(ran: Ran) -> list[str]:
        return [line for line in ran.output.decode().splitlines() if f":{port} " in line]

    native, emulated = native_runs(whole, tmp_path), here(whole)
    assert listed(emulated)
    assert listed(emulated) == listed(native.like(emulated, listed))


@pytest.mark.parametrize("words", ["addr show lo", "link show no"])
def test_ip_asks_for_one_interface(words: str, tmp_path: Path) -> None:
    native, emulated = native_runs(("ip", *words.split()), tmp_path), here(("ip", *words.split()))
    assert without_calls(emulated) == without_calls(native.like(emulated, without_calls))
