"""The far ends of sockets that `--net` scripts: they answer at once, from the file, and reach nothing."""

from __future__ import annotations

import struct
from collections.abc import Callable

from machine.kernel.linux.datagram_sockets import DatagramSocket
from machine.kernel.linux.scripted_network import Answer, Kind, ScriptedNetwork
from machine.kernel.linux.sockets import (
    AF_INET,
    AF_INET6,
    SOCK_DGRAM,
    SOCK_STREAM,
    Address,
    InetAddress,
    Message,
    Network,
    Socket,
)
from machine.kernel.linux.stream_sockets import StreamSocket

DNS_PORT = 53
_LONGEST_HEAD = 65_536  # bytes of a request of HTTP
_A, _AAAA, _ANY_TYPE, _INTERNET, _LIFETIME = 1, 28, 255, 1, 300
_NAME_ERROR, _NOT_IMPLEMENTED = 3, 4


def _family(address: InetAddress) -> int:
    return AF_INET if len(address.host) == 4 else AF_INET6


class ScriptedStream(StreamSocket):
    """The far end of a TCP connection."""

    def __init__(self, network: Network, address: InetAddress, answer: Answer) -> None:
        super().__init__(network, _family(address), SOCK_STREAM, 6, 0, 0)
        self.local = address
        self._answer, self._request = answer, bytearray()

    def begin(self) -> None:
        """The connection is there."""
        if self._answer.at_once:
            self._say(self._answer.data, last=True)

    def deliver(self, message: Message) -> None:
        """As `Socket`."""
        if self._answer.kind is Kind.ECHO:
            self._say(bytes(message.data))
        elif self._answer.kind is Kind.HTTP:
            self._hear_request(message.data)
        elif not self._answer.at_once:
            self._say(self._answer.data)

    def _hear_request(self, data: bytearray) -> None:
        if self.is_mute:
            return
        self._request += data
        ends = b"\r\n\r\n" in self._request or b"\n\n" in self._request
        if ends or len(self._request) > _LONGEST_HEAD:
            body = self._answer.data
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            self._say(head if self._request.startswith(b"HEAD ") else head + body, last=True)
            self._request.clear()

    def _say(self, data: bytes, last: bool = False) -> None:
        if self.peer is not None and not self.peer.is_closed and not self.is_mute and data:
            self.pass_on(Message(bytearray(data), self.local))
        if last:
            self.shut_down(reading=False, writing=True)

    def hear_end(self) -> None:
        """As `StreamSocket`: nothing more comes, so nothing more is answered."""
        if not self.is_mute:
            self.shut_down(reading=False, writing=True)


class ScriptedDatagrams(DatagramSocket):
    """Who answers datagrams at one address."""

    def __init__(
        self, network: Network, address: InetAddress, answer: Callable[[bytes], bytes | None],
        find: Callable[[InetAddress, Address], Socket | None],
    ) -> None:  # fmt: skip
        super().__init__(network, _family(address), SOCK_DGRAM, 17, 0, 0)
        self.local, self._answer, self._find = address, answer, find

    def deliver(self, message: Message) -> None:
        """As `Socket`."""
        answer = self._answer(bytes(message.data))
        if answer is None or not isinstance(message.sender, InetAddress):
            return
        reply = Message(bytearray(answer), self.local, target=message.sender)
        self.note(reply)
        target = self._find(message.sender, self.local) if self.local is not None else None
        if isinstance(target, DatagramSocket) and target.hears(reply):
            target.deliver(reply)


class Outside:
    """The hosts of a `--net` file."""

    def __init__(self, script: ScriptedNetwork) -> None:
        self._script = script

    def knows(self, address: InetAddress, kind: int) -> bool:
        """Whether a host is reached; names are asked for wherever the guest believes a server to be."""
        return address.host in self._script.hosts or (kind == SOCK_DGRAM and address.port == DNS_PORT)

    def stream(self, network: Network, address: InetAddress) -> ScriptedStream | None:
        """Who takes a connection; None for a port that is closed."""
        answer = self._script.ports.get((address.host, "tcp", address.port))
        return None if answer is None else ScriptedStream(network, address, answer)

    def datagrams(
        self, network: Network, address: InetAddress, find: Callable[[InetAddress, Address], Socket | None]
    ) -> ScriptedDatagrams | None:
        """Who takes datagrams; None for a port that is closed."""
        answer = self._script.ports.get((address.host, "udp", address.port))
        if answer is not None:
            echoes, data = answer.kind is Kind.ECHO, answer.data
            return ScriptedDatagrams(network, address, lambda asked: asked if echoes else data, find)
        if address.port != DNS_PORT:
            return None
        return ScriptedDatagrams(network, address, lambda asked: dns_answer(self._script, asked), find)


def dns_answer(script: ScriptedNetwork, query: bytes) -> bytes | None:
    """The answer to a query of one name (RFC 1035); None to what is none."""
    if len(query) < 12:
        return None
    identity, flags, questions = struct.unpack_from(">HHH", query)
    if flags & 0x8000 or questions != 1:
        return None
    labels, position = list[bytes](), 12
    while position < len(query) and 0 < query[position] < 64:
        labels.append(query[position + 1 : position + 1 + query[position]])
        position += 1 + query[position]
    if position + 5 > len(query) or query[position]:
        return None
    kind, group = struct.unpack_from(">HH", query, position + 1)
    question = query[12 : position + 5]
    head = 0x8080 | flags & 0x7900  # an answer; recursion is there
    if flags & 0x7800 or group != _INTERNET:
        return struct.pack(">6H", identity, head | _NOT_IMPLEMENTED, 1, 0, 0, 0) + question
    addresses = script.names.get(b".".join(labels).lower())
    if addresses is None:
        return struct.pack(">6H", identity, head | _NAME_ERROR, 1, 0, 0, 0) + question
    rows = [
        struct.pack(">HHHIH", 0xC00C, _A if len(each) == 4 else _AAAA, _INTERNET, _LIFETIME, len(each)) + each
        for each in addresses
        if kind in (_ANY_TYPE, _A if len(each) == 4 else _AAAA)
    ][:16]
    return struct.pack(">6H", identity, head, 1, len(rows), 0, 0) + question + b"".join(rows)
