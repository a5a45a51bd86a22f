"""What `--net FILE` says: hosts outside of the run, their ports, and what they answer. A TOML file:

[[host]]
names = ["c2.example"]       # DNS answers with these
addresses = ["192.0.2.10"]
[[host.port]]
port = 80
protocol = "tcp"             # or "udp"
http = "page"                # one of echo = true, text, hex, file (a path beside this one), http, http_file
on = "data"                  # of text, hex, file: "start" (the default of TCP, which closes then) or "data"
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from enum import Enum

import msgspec

from machine.kernel.linux.interfaces import GUEST, GUEST6

_MOST_ROWS = 4096  # hosts of a file, ports of a host
_LONGEST_NAME, _LONGEST_LABEL = 253, 63
_BROADCAST = b"\xff" * 4
_HOST_KEYS, _PORT_KEYS = {"names", "addresses", "port"}, {"port", "protocol", "on"}
_ANSWERS = ("echo", "text", "hex", "file", "http", "http_file")


class NetworkFileError(Exception):
    """A file is not what it should be; the text begins with the place."""


class Kind(Enum):
    """What a port does."""

    ECHO = "echo"
    FIXED = "fixed"
    HTTP = "http"


class Answer(msgspec.Struct, frozen=True):
    """What a port answers with: `data` is what is sent, or the body of a page. `at_once`: before anything is asked."""

    kind: Kind
    data: bytes = b""
    at_once: bool = False


class ScriptedNetwork(msgspec.Struct, frozen=True):
    """Hosts by address (4 or 16 bytes), ports by address, protocol and number, and addresses by lower-case name."""

    hosts: frozenset[bytes]
    ports: Mapping[tuple[bytes, str, int], Answer]
    names: Mapping[bytes, tuple[bytes, ...]]


def read_network(text: str, read: Callable[[str], bytes]) -> ScriptedNetwork:
    """Read a file's text; `read` gives the files that it names. Raises NetworkFileError."""
    import tomllib

    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise NetworkFileError("too deeply nested") from None
    except ValueError as error:  # of its syntax, and of a number with thousands of digits
        raise NetworkFileError(str(error).partition(";")[0]) from None
    _only(table, {"host"}, "the file")
    hosts, ports, names = set[bytes](), dict[tuple[bytes, str, int], Answer](), dict[bytes, tuple[bytes, ...]]()
    for number, host in enumerate(_rows(table, "host", "the file"), 1):
        place = f"host {number}"
        _only(host, _HOST_KEYS, place)
        addresses = [_address(each, place) for each in _texts(host, "addresses", place)]
        if not addresses:
            raise NetworkFileError(f"{place}: no `addresses`")
        if hosts & set(addresses):
            raise NetworkFileError(f"{place}: one of its addresses is another host's")
        hosts.update(addresses)
        for name in _texts(host, "names", place):
            key = _name(name, place)
            if key in names:
                raise NetworkFileError(f"{place}: the name {name} is there twice")
            names[key] = tuple(addresses)
        for index, row in enumerate(_rows(host, "port", place), 1):
            where = f"{place}, port {index}"
            protocol, port, answer = _port(row, where, read)
            for address in addresses:
                if (address, protocol, port) in ports:
                    raise NetworkFileError(f"{where}: {protocol} {port} is there twice")
                ports[address, protocol, port] = answer
    return ScriptedNetwork(frozenset(hosts), ports, names)


def _only(table: Mapping[str, object], known: set[str], place: str) -> None:
    for key in table:
        if key not in known:
            raise NetworkFileError(f"{place}: unknown key `{key[:40]}`; there are {', '.join(sorted(known))}")


def _rows(table: Mapping[str, object], key: str, place: str) -> list[dict[str, object]]:
    rows = table.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NetworkFileError(f"{place}: `{key}` is no list of tables (`[[{key}]]`)")
    if len(rows) > _MOST_ROWS:
        raise NetworkFileError(f"{place}: more than {_MOST_ROWS} of `{key}`")
    return rows


def _texts(table: Mapping[str, object], key: str, place: str) -> list[str]:
    rows = table.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
        raise NetworkFileError(f"{place}: `{key}` is no list of texts")
    return rows


def _address(text: str, place: str) -> bytes:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise NetworkFileError(f"{place}: {text[:60]!r} is no address") from None
    address = getattr(address, "ipv4_mapped", None) or address
    is_own = address.packed in (GUEST, GUEST6, _BROADCAST)
    if is_own or address.is_loopback or address.is_unspecified or address.is_multicast:
        raise NetworkFileError(f"{place}: {text} cannot be a host outside")
    return address.packed


def _name(text: str, place: str) -> bytes:
    labels = text.lower().rstrip(".").split(".")
    right = text.isascii() and len(text) <= _LONGEST_NAME and all(0 < len(each) <= _LONGEST_LABEL for each in labels)
    if not right:
        raise NetworkFileError(f"{place}: {text[:60]!r} is no name of a host")
    return ".".join(labels).encode()


def _port(row: Mapping[str, object], place: str, read: Callable[[str], bytes]) -> tuple[str, int, Answer]:
    _only(row, _PORT_KEYS | set(_ANSWERS), place)
    port, protocol = row.get("port"), row.get("protocol", "tcp")
    if type(port) is not int or not 0 < port < 65_536:
        raise NetworkFileError(f"{place}: `port` is no number from 1 to 65535")
    if protocol not in ("tcp", "udp"):
        raise NetworkFileError(f'{place}: `protocol` is neither "tcp" nor "udp"')
    given = [key for key in _ANSWERS if key in row]
    if len(given) != 1:
        raise NetworkFileError(f"{place}: one of {', '.join(_ANSWERS)} is needed, and {len(given)} are there")
    fixed = given[0] in ("text", "hex", "file")
    on = row.get("on", "start" if fixed and protocol == "tcp" else "data")
    if on not in ("start", "data"):
        raise NetworkFileError(f'{place}: `on` is neither "start" nor "data"')
    if on == "start" and (not fixed or protocol == "udp"):
        raise NetworkFileError(f"{place}: only text, hex and file of tcp can be sent at the start")
    if protocol == "udp" and given[0].startswith("http"):
        raise NetworkFileError(f"{place}: HTTP is spoken by tcp")
    return str(protocol), port, _answer(given[0], row[given[0]], on == "start", place, read)


def _answer(key: str, value: object, at_once: bool, place: str, read: Callable[[str], bytes]) -> Answer:
    if key == "echo":
        if value is not True:
            raise NetworkFileError(f"{place}: `echo` is not true")
        return Answer(Kind.ECHO)
    if not isinstance(value, str):
        raise NetworkFileError(f"{place}: `{key}` is no text")
    if key == "hex":
        try:
            return Answer(Kind.FIXED, bytes.fromhex(value), at_once)
        except ValueError:
            raise NetworkFileError(f"{place}: `hex` is not made of pairs of hexadecimal digits") from None
    if key in ("file", "http_file") and (value.startswith("/") or ".." in value.split("/") or "\0" in value):
        raise NetworkFileError(f"{place}: `{key}` names no file beside this one")
    data = read(value) if key in ("file", "http_file") else value.encode()
    return Answer(Kind.HTTP if key.startswith("http") else Kind.FIXED, data, at_once)
