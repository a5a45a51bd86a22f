"""Sockets of Linux guests: programs that talk to themselves do so as natively; the host's network is out of reach."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from linux_guests import Listening, build
from linux_world import SCRATCH, Guest
from msgspec.structs import replace
from native_runs import native_outputs

from hds.session import Session, load_engine
from machine.kernel import read_network
from machine.kernel.linux import World
from machine.machine import RunSummary, StopCause
from vm.facts.limits import DEFAULT_LIMITS, Limits

SOURCE = Path(__file__).with_name("sockets.c").read_text()
CASES = (
    "forked", "threaded", "bulk", "pairs", "pipe_signal", "refused", "in_use", "names", "datagrams", "local_names",
    "rights", "polling", "event_loop", "options", "reset", "interfaces",
)  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """The program with sockets."""
    return cache(lambda: build(SOURCE, "glibc", tmp_path_factory.mktemp("sockets")))


def ran(
    program: Path, case: str, *, engine: str = "reference", limits: Limits = DEFAULT_LIMITS, world: World | None = None
) -> tuple[bytes, RunSummary, Session]:
    """What a guest prints, how it ends, and the session."""
    heard = Listening()
    session = Session(
        program, arguments=(case,), world=world or World(), reporter=heard, engine=load_engine(engine, DEFAULT_LIMITS),
        limits=limits,
    )  # fmt: skip
    summary = session.run(timeout=60)
    return heard.output, summary, session


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks the host for a socket fails."""

    def refuse(*_arguments: object, **_options: object) -> NoReturn:
        raise AssertionError("a socket of the host")

    for name in ("socket", "create_connection", "create_server", "socketpair", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.mark.programs
@pytest.mark.parametrize("case", CASES)
def test_a_program_with_sockets_runs_as_natively(
    case: str, program: Callable[[], Path], no_network: None, tmp_path: Path
) -> None:
    output, summary, _ = ran(program(), case)
    here = output, summary.exit_code
    assert here == native_outputs([program(), case], tmp_path).like(here)


@pytest.mark.parametrize("case", ["event_loop", "threaded"])
def test_two_runs_are_the_same(case: str, program: Callable[[], Path], no_network: None) -> None:
    runs = [ran(program(), case, engine=engine) for engine in ("reference", "reference", "native")]
    assert {(output, summary.instructions) for output, summary, _ in runs} == {(runs[0][0], runs[0][1].instructions)}
    assert runs[0][1].cause is StopCause.EXIT


def test_all_but_loopback_is_out_of_reach(program: Callable[[], Path], no_network: None) -> None:
    output, summary, _ = ran(program(), "outside")
    results = [line.rpartition("= ")[2] for line in output.decode().splitlines()]
    assert results == [
        "-1 ENETUNREACH", "-1 ENETUNREACH", "-1 ENETUNREACH", "-1 ENETUNREACH", "-1 EADDRNOTAVAIL", "-1 EPERM",
        "-1 EAFNOSUPPORT", "-1 EPROTONOSUPPORT",
    ]  # fmt: skip
    assert summary.unknown_system_calls == {41: 3}


def test_a_guest_has_an_interface_where_hosts_are_scripted(program: Callable[[], Path], no_network: None) -> None:
    alone, _, _ = ran(program(), "addresses")
    assert alone.decode().splitlines()[0] == "lo 127.0.0.1 000000000000"
    assert b"eth0" not in alone
    output, _, _ = ran(program(), "addresses", world=World(network=read_network("", lambda name: b"")))
    lines = output.decode().splitlines()
    assert lines[:2] == ["lo 127.0.0.1 000000000000", "eth0 10.0.2.15 525400123456"]
    assert "  eth0:" in lines[2]
    assert "eth0\t00000000\t0102000A\t0003" in lines[3]
    assert lines[4].startswith("00000000000000000000000000000001 01 80 10 80       lo;fd")
    assert [line for line in lines if line.startswith("eth0 ")][1:] == [
        "eth0 17 11043  ", "eth0 2 11043 10.0.2.15 255.255.255.0", "eth0 10 11043 fd00::15 ffff:ffff:ffff:ffff::",
    ]  # fmt: skip
    assert lines[-1] == "EPERM"


def test_what_waits_in_sockets_is_bounded(program: Callable[[], Path], no_network: None) -> None:
    output, _, session = ran(program(), "hoarding", limits=replace(DEFAULT_LIMITS, max_socket_bytes=1_000_000))
    assert output == b"ENOBUFS\n"
    assert "max_socket_bytes" in session.machine.kernels.reached_limits()


def test_a_call_carries_a_thousand_messages() -> None:
    guest = Guest()
    assert guest.call("socketpair", 1, 1, 0, SCRATCH + 0x20000) == 0
    assert guest.call("sendmmsg", 3, SCRATCH, 5000, 0) == 1024
