"""Pipes of Windows guests: what waits in them, who sees what of the other end, and how much may wait."""

from __future__ import annotations

import pytest

from machine.kernel.nt.pipes import CLOSING, CONNECTED, DISCONNECTED, Pipe, PipeEnd, Pipes
from machine.kernel.nt.sharing import READS, WRITES
from machine.kernel.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_INSTANCE_NOT_AVAILABLE,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_PIPE_BROKEN,
    STATUS_PIPE_CLOSING,
    STATUS_PIPE_DISCONNECTED,
    STATUS_PIPE_NOT_AVAILABLE,
    STATUS_SUCCESS,
    NtError,
)

BOTH = READS | WRITES


def ends(is_message: bool = False, most: int = 1 << 20) -> tuple[Pipes, PipeEnd, PipeEnd]:
    pipes = Pipes(most)
    pipe = Pipe("p", is_message, BOTH, 1, 4, 4, 0)
    server = pipes.create(pipe, BOTH, is_new=True)
    return pipes, server, pipes.connect(pipe, BOTH)


def failing(error: pytest.ExceptionInfo[NtError], status: int) -> bool:
    return error.value.status == status


def test_bytes_are_read_as_they_come_and_messages_one_by_one() -> None:
    _, server, client = ends()
    client.put(b"ab")
    client.put(b"cd")
    assert (server.peek(3), server.receive(3)) == (b"abc", (STATUS_SUCCESS, b"abc"))
    assert server.receive(9) == (STATUS_SUCCESS, b"d")
    _, server, client = ends(is_message=True)
    server.reads_messages = True
    for message in (b"abc", b"", b"d"):
        client.put(message)
    assert server.receive(2) == (STATUS_BUFFER_OVERFLOW, b"ab")
    assert [server.receive(9)[1] for _ in range(3)] == [b"c", b"", b"d"]


def test_who_writes_more_than_there_is_room_waits_for_the_reader() -> None:
    _, server, client = ends()
    ready, finish = client.put(b"123456")
    assert not ready()
    server.receive(2)
    assert (ready(), finish()) == (True, (STATUS_SUCCESS, 6))
    server.receive(4)
    ready, finish = client.put(b"7654321")
    server.closed()
    assert ready()
    with pytest.raises(NtError) as error:
        finish()
    assert failing(error, STATUS_PIPE_BROKEN)
    _, server, client = ends()
    client.is_nonblocking = True
    assert [client.put(data)[1]() for data in (b"123456", b"7")] == [(STATUS_SUCCESS, 4), (STATUS_SUCCESS, 0)]


def test_what_waits_is_still_read_when_the_other_end_is_closed_but_not_when_it_disconnects() -> None:
    pipes, server, client = ends()
    client.put(b"x")
    client.closed()
    assert (server.state, server.receive(1)) == (CLOSING, (STATUS_SUCCESS, b"x"))
    with pytest.raises(NtError) as error:
        server.receive(1)
    assert failing(error, STATUS_PIPE_BROKEN)
    with pytest.raises(NtError) as error:
        server.put(b"y")
    assert failing(error, STATUS_PIPE_CLOSING)
    server.disconnect()
    server.listen()
    client = pipes.connect(server.pipe, BOTH)
    server.put(b"lost")
    server.disconnect()
    assert (server.state, client.state, pipes.waiting) == (DISCONNECTED, DISCONNECTED, 0)
    with pytest.raises(NtError) as error:
        client.receive(1)
    assert failing(error, STATUS_PIPE_DISCONNECTED)


def test_names_have_instances_and_go_with_the_last_one() -> None:
    pipes, server, client = ends()
    pipe = server.pipe
    assert client.state == CONNECTED
    for is_new, status in ((True, STATUS_ACCESS_DENIED), (False, STATUS_INSTANCE_NOT_AVAILABLE)):
        with pytest.raises(NtError) as error:
            pipes.create(Pipe("p", False, BOTH, 1, 4, 4, 0), BOTH, is_new=is_new)
        assert failing(error, status)
    with pytest.raises(NtError) as error:
        pipes.connect(pipe, BOTH)
    assert failing(error, STATUS_PIPE_NOT_AVAILABLE)
    server.closed()
    assert pipes.find("p") is None


def test_no_more_waits_than_the_limit_allows() -> None:
    pipes, server, client = ends(most=2000)
    client.put(b"x" * 1000)
    with pytest.raises(NtError) as error:
        client.put(b"y" * 1000)
    assert failing(error, STATUS_INSUFFICIENT_RESOURCES)
    server.receive(1000)
    client.put(b"y" * 1000)
    assert pipes.waiting == 1512
