"""Addresses, messages and options of sockets."""

from __future__ import annotations

import socket
import struct

from hds.tracing.linux.memory import boxed, bytes_at, vectors
from hds.tracing.linux.words import LOW, length, plain, remark, typed
from hds.tracing.views import (
    LONGEST_PATH,
    View,
    address,
    flags,
    hexadecimal,
    members,
    named,
    quoted,
)
from machine.kernel.linux import constants


@plain("msghdr")
def _msghdr(view: View, word: int) -> str:
    found = view.exactly(word, 56)
    if found is None:
        return address(word)
    name, name_size, vector, count, control, control_size, state = struct.unpack("<QI4xQQQQi4x", found)
    rows = [("msg_name", socket_address(view, name, name_size)), ("msg_namelen", str(name_size))]
    rows += [("msg_iov", vectors(view, vector, count)), ("msg_iovlen", str(count))]
    if control and control_size:
        rows.append(("msg_control", address(control)))
    rows += [("msg_controllen", str(control_size)), ("msg_flags", flags(constants("msg"), state & LOW))]
    return members(rows)


@typed("sockaddr")
def _sockaddr(view: View, word: int, place: str) -> str:
    return socket_address(view, word, length(view, place) & LOW)


def socket_address(view: View, word: int, size: int) -> str:
    """A struct sockaddr (man 7 ip, ipv6, unix)."""
    data = view.exactly(word, min(size, 128)) if size >= 2 else None
    if data is None:
        return address(word)
    family = int.from_bytes(data[:2], "little")
    rows = [("sa_family", named(constants("family"), family, "AF_???"))]
    if family == 1:
        name, where = data[2:], ("@" if data[2:3] == b"\0" and len(data) > 2 else "")
        text = name[1:] if where else name.partition(b"\0")[0]
        rows += [("sun_path", where + quoted(text, LONGEST_PATH))] if name else []
    elif family == 2 and len(data) >= 8:
        rows.append(("sin_port", f"htons({int.from_bytes(data[2:4], 'big')})"))
        rows.append(("sin_addr", f'inet_addr("{socket.inet_ntoa(data[4:8])}")'))
    elif family == 10 and len(data) >= 24:
        rows.append(("sin6_port", f"htons({int.from_bytes(data[2:4], 'big')})"))
        rows.append(("sin6_flowinfo", f"htonl({int.from_bytes(data[4:8], 'big')})"))
        place = socket.inet_ntop(socket.AF_INET6, data[8:24])
        before = f'{members(rows)[:-1]}, inet_pton(AF_INET6, "{place}", &sin6_addr)'
        scope = int.from_bytes(data[24:28], "little") if len(data) >= 28 else 0
        return f"{before}, sin6_scope_id={scope}}}"
    else:
        rows.append(("sa_data", quoted(data[2:], view.longest)))
    return members(rows)


@plain("socket_protocol")
def _protocol(view: View, word: int) -> str:
    table = {2: "ipproto", 10: "ipproto", 16: "netlink"}.get(view.words[0] & LOW)
    return str(word & LOW) if table is None else named(constants(table), word & LOW, remark(table))


_OPTIONS = {1: "option", 6: "option_tcp", 0: "option_ip", 41: "option_ipv6"}


@plain("sockopt")
def _sockopt(view: View, word: int) -> str:
    table = _OPTIONS.get(view.words[1] & LOW)
    return hexadecimal(word & LOW) if table is None else named(constants(table), word & LOW, remark(table))


@typed("sockopt_value")
def _sockopt_value(view: View, word: int, place: str) -> str:
    size = length(view, place) & LOW
    if size == 4:
        return boxed(view, word, "i")
    return bytes_at(view, word, size)
