"""Copies of a process that wait to be woken. Each test's copies end with it."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from collections.abc import Callable
from functools import partial

import pytest

from hds.session.snapshots import CopyLost, Snapshots, Woken, launch


def taken(snapshots: Snapshots, state: list[int], answer: Callable[[Woken], bytes], *, kept: bool = False) -> None:
    """A snapshot whose copies answer and end."""
    woken = snapshots.take(len(snapshots.rows), 0, in_run=False, kept=kept)
    if woken is not None:
        try:
            woken.answer(answer(woken))
        finally:
            os._exit(0)


def test_a_copy_has_the_state_of_its_time_however_often_it_is_woken() -> None:
    snapshots, state = Snapshots(4), [1]
    taken(snapshots, state, lambda woken: woken.request + bytes(state))
    state[0] = 2
    taken(snapshots, state, lambda woken: woken.request + bytes(state))
    state[0] = 3
    assert [snapshots.ask(row, b"x") for row in (*snapshots.rows, *snapshots.rows)] == [b"x\1", b"x\2"] * 2
    snapshots.give_up(list(snapshots.rows))


def test_a_woken_copy_knows_the_snapshots_before_it_and_its_own() -> None:
    snapshots = Snapshots(4)
    taken(snapshots, [], lambda woken: b"first")
    taken(snapshots, [], lambda woken: b"".join(snapshots.ask(row, b"first") for row in snapshots.rows[:1]))
    taken(snapshots, [], lambda woken: bytes([len(snapshots.rows)]))
    assert snapshots.ask(snapshots.rows[1], b"?") == b"first"
    assert snapshots.ask(snapshots.rows[2], b"?") == b"\3"
    snapshots.give_up(list(snapshots.rows))


def test_every_second_one_goes_when_there_are_too_many_but_the_first_the_newest_and_those_kept() -> None:
    snapshots = Snapshots(5)
    for number in range(6):
        taken(snapshots, [number], partial(_constantly, bytes([number])), kept=number == 3)
    assert [snapshots.ask(row, b"?")[0] for row in snapshots.rows] == [0, 2, 3, 5]
    snapshots.give_up(list(snapshots.rows))


def test_a_copy_that_ends_without_an_answer_is_lost() -> None:
    snapshots = Snapshots(2)

    def die(_: Woken) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b"too late"

    taken(snapshots, [], die)
    with pytest.raises(CopyLost):
        snapshots.ask(snapshots.rows[0], b"?")
    snapshots.give_up(list(snapshots.rows))
    assert snapshots.rows == []


def test_copies_end_when_nobody_is_left_to_wake_them() -> None:
    reader, writer = os.pipe()

    def run() -> int:
        snapshots = Snapshots(4)
        for _ in range(3):
            taken(snapshots, [], lambda woken: b"")
        return 7

    began = time.monotonic()
    ends = launched(run)
    os.close(writer)
    assert os.read(reader, 1) == b""  # copies had it open, too
    os.close(reader)
    assert (ends, time.monotonic() - began < 60) == (7, True)


def _constantly(answer: bytes, _: Woken) -> bytes:
    return answer


def launched(run: Callable[[], int]) -> int:
    """What `launch` gives, in whose copy the test does not go on."""
    parent = os.getpid()
    try:
        return launch(run)
    finally:
        if os.getpid() != parent:
            os._exit(0)


def test_a_request_that_nobody_waits_for_any_more_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    snapshots = Snapshots(2)
    woken = snapshots.take(0, 0, in_run=False, kept=False)
    if woken is not None:  # in the copy
        woken.answer(woken.request.upper())
        os._exit(0)
    wire = snapshots.rows[0].wire
    reader, writer = os.pipe()
    os.close(reader)
    socket.send_fds(wire, [struct.pack("<Q", 4) + b"lost"], [writer, wire.fileno()])
    os.close(writer)
    assert snapshots.ask(snapshots.rows[0], b"word") == b"WORD"
    snapshots.give_up(list(snapshots.rows))
    assert capfd.readouterr().err == ""
