"""What /proc/net and NETLINK_SOCK_DIAG tell of a program's own sockets: the same natively and here."""

from __future__ import annotations

import os
import socket
import struct

_LISTENS = "0A"


def inode(of: socket.socket) -> int:
    return os.fstat(of.fileno()).st_ino


listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
accepted, _ = listener.accept()
waiting = socket.create_connection(listener.getsockname())
client.send(b"hello")
wide = socket.create_server(("::1", 0), family=socket.AF_INET6)
bound = socket.socket(type=socket.SOCK_DGRAM)
bound.bind(("127.0.0.1", 0))
aimed = socket.socket(type=socket.SOCK_DGRAM)
aimed.connect(bound.getsockname())
one, other = socket.socketpair()
named = socket.socket(socket.AF_UNIX)
named.bind(f"\0hds-{os.getpid()}")
named.listen()
mail = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
questions = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)

SOCKETS = {
    "listener": listener, "client": client, "accepted": accepted, "waiting": waiting, "wide": wide, "bound": bound,
    "aimed": aimed, "one": one, "other": other, "named": named, "mail": mail,
}  # fmt: skip
OWN = {inode(each): name for name, each in SOCKETS.items()}
PORTS = {
    f"{SOCKETS[name].getsockname()[1]:04X}": name
    for name in ("listener", "client", "wide", "bound", "aimed", "waiting")
}


def show_file(name: str, inode_at: int) -> None:
    """The rows of the own sockets, without the address in the kernel and what counts its references."""
    with open(f"/proc/net/{name}") as file:
        head, *rows = file.read().split("\n")
    print(name, repr(head))
    found = []
    for row in rows:
        words = row.split()
        if len(words) <= inode_at or int(words[inode_at]) not in OWN:
            continue
        if name == "unix":
            shown = [*words[2:6], *words[7:]]
        else:
            times = [] if words[3] != _LISTENS else words[12:]
            addresses = [f"{host}:{PORTS.get(port, port)}" for host, port in (word.split(":") for word in words[1:3])]
            shown = [*addresses, *words[3:5], *words[7:9], *times, str(len(row) if name in ("tcp", "udp") else "")]
        found.append(f"{OWN[int(words[inode_at])]} {' '.join(shown)}")
    print(*(line.replace(str(os.getpid()), "PID") for line in sorted(found)), sep="\n")


def ask(body: bytes) -> list[bytes | tuple[int, int]]:
    """The rows of an answer, and how it ends."""
    questions.send(struct.pack("<IHHII", 16 + len(body), 20, 0x301, 7, 0) + body)
    rows: list[bytes | tuple[int, int]] = []
    while True:
        data = questions.recv(65536)
        while data:
            size, kind = struct.unpack_from("<IH", data)
            if kind in (2, 3):
                return [*rows, (kind, struct.unpack_from("<i", data, 16)[0])]
            rows.append(data[16:size])
            data = data[size + 3 & ~3 :]


def show_internet(family: int, protocol: int) -> None:
    told = []
    for row in ask(struct.pack("<BBBxI", family, protocol, 0, 0xFFFF_FFFF) + bytes(48)):
        if isinstance(row, tuple):
            told.append(str(row))
        elif (number := struct.unpack_from("<I", row, 68)[0]) in OWN:
            ports = [PORTS.get(f"{port:04X}", str(port)) for port in struct.unpack_from(">HH", row, 4)]
            queue, _, user = struct.unpack_from("<III", row, 56)
            told.append(f"{OWN[number]} {row[0]} {row[1]} {ports} {row[8:40].hex()} {queue} {user}")
    print(*sorted(told), sep="\n")


def show_local() -> None:
    told = []
    for row in ask(struct.pack("<BBxxIIIII", 1, 0, 0xFFFF_FFFF, 0, 1 | 4 | 16, 0, 0)):
        if isinstance(row, tuple):
            told.append(str(row))
            continue
        number, at, parts = struct.unpack_from("<I", row, 4)[0], 16, []
        while at + 4 <= len(row):
            size, kind = struct.unpack_from("<HH", row, at)
            value = row[at + 4 : at + size]
            shown = OWN.get(int.from_bytes(value, "little")) if kind == 2 else value.hex() if kind else "a name"
            parts.append(f"{kind} {shown}")
            at += size + 3 & ~3
        if number in OWN:
            told.append(f"{OWN[number]} {row[:4].hex()} {sorted(parts)}")
    print(*sorted(told), sep="\n")


for name in ("tcp", "tcp6", "udp", "udp6", "raw"):
    show_file(name, 9)
show_file("unix", 6)
for family, protocol in ((socket.AF_INET, 6), (socket.AF_INET6, 6), (socket.AF_INET, 17)):
    show_internet(family, protocol)
show_local()
print(ask(b"\2"))
