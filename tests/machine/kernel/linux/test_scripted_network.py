"""`--net`: hosts of a script answer what Linux guests send them; malformed files are refused with their place."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import NoReturn

import pytest
from linux_guests import Listening, busybox
from linux_world import SCRATCH, Guest

from hds.session import Session, load_engine
from machine.kernel import NetworkFileError, World, read_network
from machine.kernel.linux.errors import Errno
from machine.kernel.linux.scripted_peers import dns_answer
from machine.kernel.linux.sockets import AF_INET, SOCK_DGRAM, SOCK_STREAM
from vm.facts.limits import DEFAULT_LIMITS

FILE = """
[[host]]
names = ["c2.example", "www.C2.example."]
addresses = ["192.0.2.10", "2001:db8::10"]
[[host.port]]
port = 80
http = "<p>a page</p>\\n"
[[host.port]]
port = 81
http_file = "beside"
[[host.port]]
port = 7
echo = true
[[host.port]]
port = 22
text = "SSH-2.0-banner\\r\\n"
[[host.port]]
port = 9
hex = "4f4b"
on = "data"
"""
SHELL = {
    "wget -q -O - http://192.0.2.10/x": b"<p>a page</p>\n",
    "wget -q -O - http://192.0.2.10:81/": b"0123456789" * 30_000,
    "wget -q -O - http://[2001:db8::10]/": b"<p>a page</p>\n",
    "nc 192.0.2.10 22": b"SSH-2.0-banner\r\n",
    "echo to and fro | nc 192.0.2.10 7": b"to and fro\n",
    "echo beacon | nc 192.0.2.10 9": b"OK",
    "nslookup -type=a c2.example | tail -n 2 | head -n 1": b"Address: 192.0.2.10\n",
    "nslookup -type=a nobody.example | grep -c NXDOMAIN": b"1\n",
    "nc 192.0.2.10 4444; echo $?": b"1\n",
    "nc 192.0.2.11 22; echo $?": b"1\n",
}


@pytest.mark.programs
@pytest.mark.parametrize("line", SHELL)
def test_hosts_of_the_script_answer(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> NoReturn:
        raise AssertionError("a socket of the host")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "busybox").write_bytes(busybox().read_bytes())
    (tmp_path / "bin" / "busybox").chmod(0o755)
    for applet in ("sh", "nc", "wget", "nslookup", "tail", "head", "grep"):
        (tmp_path / "bin" / applet).symlink_to("busybox")
    heard = Listening()
    session = Session(
        tmp_path / "bin" / "busybox", arguments=("sh", "-c", line), environment=["PATH=/bin"], reporter=heard,
        world=World(tmp_path, network=read_network(FILE, lambda name: b"0123456789" * 30_000)),
        engine=load_engine("reference", DEFAULT_LIMITS),
    )  # fmt: skip
    session.run(timeout=60)
    assert heard.output == SHELL[line]


def inet(host: str, port: int) -> bytes:
    return struct.pack("<H", AF_INET) + struct.pack(">H", port) + socket.inet_aton(host) + bytes(8)


@pytest.mark.parametrize("kind", [SOCK_STREAM, SOCK_DGRAM])
@pytest.mark.parametrize("bound", ["0.0.0.0", "10.0.2.15"])
def test_the_guests_own_address_is_their_machine(kind: int, bound: str) -> None:
    guest = Guest(network=read_network("", lambda name: b""))
    server, client = guest.call("socket", AF_INET, kind, 0), guest.call("socket", AF_INET, kind, 0)
    assert guest.call("bind", server, inet(bound, 4000), 16) == 0
    if kind == SOCK_STREAM:
        assert guest.call("listen", server, 1) == 0
    assert guest.call("connect", client, inet("10.0.2.15", 4000), 16) == 0
    assert guest.call("getsockname", client, SCRATCH, bytes([16, 0, 0, 0])) == 0
    assert guest.memory(SCRATCH + 4, 4) == bytes([10, 0, 2, 15])
    assert guest.call("connect", client, inet("10.0.2.16", 4000), 16) != 0


def test_without_hosts_the_guests_have_no_address_outside() -> None:
    guest = Guest()
    client = guest.call("socket", AF_INET, SOCK_STREAM, 0)
    assert guest.call("bind", client, inet("10.0.2.15", 4000), 16) == -Errno.EADDRNOTAVAIL
    assert guest.call("connect", client, inet("10.0.2.15", 4000), 16) == -Errno.ENETUNREACH


def question(name: str, kind: int, *, flags: int = 0x100) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", 7, flags, 1, 0, 0, 0) + labels + struct.pack(">xHH", kind, 1)


@pytest.mark.parametrize(
    ("query", "code", "answers"),
    [
        (question("c2.example", 1), 0, [bytes([192, 0, 2, 10])]),
        (question("WWW.c2.EXAMPLE", 1), 0, [bytes([192, 0, 2, 10])]),
        (question("c2.example", 28), 0, [socket.inet_pton(socket.AF_INET6, "2001:db8::10")]),
        (question("c2.example", 15), 0, []),
        (question("other.example", 1), 3, []),
        (question("c2.example", 1, flags=0x2800), 4, []),
    ],
)
def test_names_are_answered(query: bytes, code: int, answers: list[bytes]) -> None:
    answer = dns_answer(read_network(FILE, lambda name: b""), query)
    assert answer is not None
    identity, flags, questions, count, _, _ = struct.unpack_from(">6H", answer)
    assert (identity, flags & 0x8000, flags & 15, questions, count) == (7, 0x8000, code, 1, len(answers))
    rest = answer[len(query) :]
    assert rest == b"".join(
        struct.pack(">HHHIH", 0xC00C, 1 if len(each) == 4 else 28, 1, 300, len(each)) + each for each in answers
    )


@pytest.mark.parametrize("size", range(len(question("c2.example", 1))))
def test_what_is_no_question_is_not_answered(size: int) -> None:
    assert dns_answer(read_network(FILE, lambda name: b""), question("c2.example", 1)[:size]) is None


HOST = '[[host]]\naddresses = ["192.0.2.1"]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[host]\n", "at line 1, column 7"),
        ("a = " + "[" * 200_000, "too deeply nested"),
        (HOST + "[[host.port]]\nport = " + "9" * 5000 + "\n", "5000 digits"),
        ("hosts = 1\n", "the file: unknown key `hosts`"),
        ("host = 1\n", "the file: `host` is no list of tables"),
        ("[[host]]\n", "host 1: no `addresses`"),
        ('[[host]]\naddresses = ["127.0.0.1"]\n', "host 1: 127.0.0.1 cannot be a host outside"),
        ('[[host]]\naddresses = ["10.0.2.15"]\n', "host 1: 10.0.2.15 cannot be a host outside"),
        ('[[host]]\naddresses = ["::ffff:127.0.0.1"]\n', "host 1: ::ffff:127.0.0.1 cannot be a host outside"),
        ('[[host]]\naddresses = ["255.255.255.255"]\n', "host 1: 255.255.255.255 cannot be a host outside"),
        ('[[host]]\naddresses = ["far away"]\n', "host 1: 'far away' is no address"),
        ("[[host]]\naddresses = [1]\n", "host 1: `addresses` is no list of texts"),
        (HOST + HOST, "host 2: one of its addresses is another host's"),
        (HOST + 'names = ["a..b"]\n', "host 1: 'a..b' is no name"),
        (HOST + 'names = ["a", "A."]\n', "host 1: the name A. is there twice"),
        (HOST + "[[host.port]]\necho = true\n", "host 1, port 1: `port` is no number"),
        (HOST + "[[host.port]]\nport = 65536\necho = true\n", "host 1, port 1: `port` is no number"),
        (HOST + "[[host.port]]\nport = 1\n", "host 1, port 1: one of echo"),
        (HOST + '[[host.port]]\nport = 1\necho = true\ntext = ""\n', "and 2 are there"),
        (HOST + "[[host.port]]\nport = 1\necho = 1\n", "`echo` is not true"),
        (HOST + "[[host.port]]\nport = 1\ntext = 1\n", "`text` is no text"),
        (HOST + '[[host.port]]\nport = 1\nhex = "0"\n', "`hex` is not made of pairs"),
        (HOST + '[[host.port]]\nport = 1\nprotocol = "icmp"\ntext = ""\n', "`protocol` is neither"),
        (HOST + '[[host.port]]\nport = 1\nprotocol = "udp"\nhttp = ""\n', "HTTP is spoken by tcp"),
        (HOST + '[[host.port]]\nport = 1\non = "never"\ntext = ""\n', "`on` is neither"),
        (HOST + '[[host.port]]\nport = 1\non = "start"\necho = true\n', "can be sent at the start"),
        (HOST + '[[host.port]]\nport = 1\nfile = "/etc/passwd"\n', "names no file beside"),
        (HOST + '[[host.port]]\nport = 1\nhttp_file = "a/../../b"\n', "names no file beside"),
        (HOST + 2 * "[[host.port]]\nport = 1\necho = true\n", "host 1, port 2: tcp 1 is there twice"),
    ],
)
def test_a_malformed_file_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(NetworkFileError) as caught:
        read_network(text, lambda name: b"")
    assert message in str(caught.value)
