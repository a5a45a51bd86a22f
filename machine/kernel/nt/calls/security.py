"""Calls on tokens and on who may do what: the user is no administrator, and everybody may do everything."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from machine.kernel.nt.abi import Address, Handle, NtThread, UInt, answer_with, call
from machine.kernel.nt.objects import Token
from machine.kernel.nt.registry import USER
from machine.kernel.nt.rights import MAXIMUM_ALLOWED, PROCESS_QUERY_LIMITED, TOKEN_DUPLICATE, TOKEN_QUERY, Rights
from machine.kernel.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_GENERIC_NOT_MAPPED,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_SECURITY_DESCR,
    STATUS_NO_IMPERSONATION_TOKEN,
    STATUS_NO_TOKEN,
    STATUS_NOT_IMPLEMENTED,
    STATUS_SUCCESS,
    NtError,
)

# --- tokens


@call("NtOpenProcessToken", "NtOpenProcessTokenEx")
def open_process_token(thread: NtThread, process: Handle, access: UInt, third: Address, fourth: Address) -> int:
    """A token of a user without privileges; the Ex form has attributes before the handle."""
    thread.check_process(process, PROCESS_QUERY_LIMITED)
    number = thread.process.cpu.registers.read(0) & 0xFFFF_FFFF
    is_ex = thread.state.numbering.names.get(number, "").endswith("Ex")
    thread.open(fourth if is_ex else third, Token(), access)
    return STATUS_SUCCESS


@call("NtOpenThreadToken", "NtOpenThreadTokenEx")
def open_thread_token(thread: NtThread, handle: Handle) -> int:
    """Threads have none of their own."""
    return STATUS_NO_TOKEN


def _sid(text: str) -> bytes:
    parts = [int(part) for part in text.split("-")[2:]]
    head = struct.pack("<BB", 1, len(parts) - 1) + parts[0].to_bytes(6, "big")
    return head + struct.pack(f"<{len(parts) - 1}I", *parts[1:])


# Of a user who is no administrator: the domain's users, everyone, the computer's users, interactive, authenticated.
_GROUPS = (USER.rpartition("-")[0] + "-513", "S-1-1-0", "S-1-5-32-545", "S-1-5-4", "S-1-5-11")
_ENABLED = 7  # SE_GROUP_MANDATORY, SE_GROUP_ENABLED_BY_DEFAULT, SE_GROUP_ENABLED
_IMPERSONATES = 2  # the kind of a token
_IMPERSONATION = 2  # SecurityImpersonation


def _groups(buffer: int) -> bytes:
    """TOKEN_GROUPS, which is to stand at `buffer`."""
    head, texts = struct.pack("<I4x", len(_GROUPS)), b""
    for group in _GROUPS:
        head += struct.pack("<QI4x", buffer + 8 + 16 * len(_GROUPS) + len(texts), _ENABLED)
        texts += _sid(group)
    return head + texts


@call("NtPrivilegeCheck")
def check_privileges(thread: NtThread, token: Handle, privileges: Address, answer: Address) -> int:
    """The user has none."""
    thread.state.handles.of(token, Token, TOKEN_QUERY)
    thread.put(answer, b"\0")
    return STATUS_SUCCESS


@call("NtQuerySecurityObject")
def security(thread: NtThread, handle: Handle, wanted: UInt, buffer: Address, length: UInt, returned: Address) -> int:
    """A SECURITY_DESCRIPTOR by offsets: everything is the user's, and everybody may do everything."""
    thread.object(handle)
    owner, group = (_sid(text) if wanted & bit else b"" for text, bit in ((USER, 1), (_GROUPS[0], 2)))
    places = 20 * bool(owner), (20 + len(owner)) * bool(group)
    head = struct.pack("<BBHIIII", 1, 0, 0x8000 | wanted & 4, *places, 0, 0)
    return answer_with(thread, head + owner + group, buffer, length, returned, STATUS_BUFFER_TOO_SMALL)


@call("NtSetSecurityObject")
def set_security(thread: NtThread, handle: Handle, wanted: UInt, descriptor: Address) -> int:
    """Accepted, without effect."""
    thread.object(handle)
    thread.data(descriptor, 20)
    return STATUS_SUCCESS


@call("NtDuplicateToken")
def duplicate_token(
    thread: NtThread, token: Handle, access: UInt, attributes: Address, only: UInt, kind: UInt, copy: Address
) -> int:
    """The same as a token of this kind: primary (1), or for impersonation (2)."""
    if token < 0xFFFF_FFFF_FFFF_FFF0:
        thread.state.handles.of(token, Token, TOKEN_DUPLICATE)
    if kind not in (1, 2):
        return STATUS_INVALID_PARAMETER
    thread.open(copy, Token(kind), access or None, attributes)
    return STATUS_SUCCESS


@call("NtQueryInformationToken")
def token_information(
    thread: NtThread, token: Handle, kind: UInt, buffer: Address, length: UInt, returned: Address
) -> int:
    """User, group, integrity level, elevation."""
    found = Token() if token >= 0xFFFF_FFFF_FFFF_FFF0 else thread.state.handles.of(token, Token, TOKEN_QUERY)
    user = _sid(USER)
    match kind:
        case 1 | 4 | 5:
            data = (struct.pack("<QQ", buffer + 16, 0) if kind == 1 else struct.pack("<Q", buffer + 8)) + user
        case 2:
            data = _groups(buffer)
        case 3:
            data = struct.pack("<I", 0)
        case 8:
            data = struct.pack("<I", found.kind_of)
        case 9:
            data = struct.pack("<I", _IMPERSONATION)
        case 10:
            data = bytes(56)
        case 12:
            data = struct.pack("<I", 1)
        case 18:
            data = struct.pack("<I", 1)
        case 20:
            data = struct.pack("<I", 0)
        case 25:
            data = struct.pack("<QII", buffer + 16, 0x60, 0) + _sid("S-1-16-8192")
        case 29:
            data = struct.pack("<I", 0)
        case _:
            return STATUS_NOT_IMPLEMENTED
    return answer_with(thread, data, buffer, length, returned, STATUS_BUFFER_TOO_SMALL)


# --- access checks

_DACL_PRESENT, _SELF_RELATIVE = 4, 0x8000
_ALLOWED, _DENIED, _INHERIT_ONLY = 0, 1, 8
_MOST_ENTRIES = 4096  # of an ACL
_OWNERS = 0x6_0000  # READ_CONTROL, WRITE_DAC
_LEAST_PRIVILEGES = 20  # bytes of a PRIVILEGE_SET
_GENERICS = 0xF000_0000


@call("NtAccessCheck")
def check_access(
    thread: NtThread, descriptor: Address, token: Handle, wanted: UInt, mapping: Address, privileges: Address,
    length_at: Address, granted_at: Address, status_at: Address,
) -> int:  # fmt: skip
    """Which rights a SECURITY_DESCRIPTOR gives the user of a token."""
    if thread.state.handles.of(token, Token, TOKEN_QUERY).kind_of != _IMPERSONATES:
        return STATUS_NO_IMPERSONATION_TOKEN
    if wanted & _GENERICS:
        return STATUS_GENERIC_NOT_MAPPED
    (length,) = struct.unpack("<I", thread.data(length_at, 4))
    thread.put_half(length_at, _LEAST_PRIVILEGES)
    if length < _LEAST_PRIVILEGES:
        return STATUS_BUFFER_TOO_SMALL
    thread.put(privileges, bytes(_LEAST_PRIVILEGES))
    rights = Rights(*struct.unpack("<4I", thread.data(mapping, 16)))
    found = _allowed(thread, descriptor, wanted, rights)
    thread.put_half(granted_at, found)
    thread.put_half(status_at, STATUS_SUCCESS if found else STATUS_ACCESS_DENIED)
    return STATUS_SUCCESS


def _allowed(thread: NtThread, descriptor: int, wanted: int, rights: Rights) -> int:
    """The rights that are granted: all that are wanted, or none; with MAXIMUM_ALLOWED all there are. Raises NtError."""
    owner, dacl = _parts(thread, descriptor)
    sids = {_sid(USER), *map(_sid, _GROUPS)}
    wants_all, wanted = bool(wanted & MAXIMUM_ALLOWED), wanted & ~MAXIMUM_ALLOWED
    allowed, denied = _OWNERS if owner in sids else 0, 0
    if dacl is None:
        allowed = rights.every | wanted
    for kind, mask, sid in () if dacl is None else _entries(thread, dacl):
        if sid in sids:
            mask = rights.mapped(mask)
            if kind == _ALLOWED:
                allowed |= mask & ~denied
            elif kind == _DENIED:
                denied |= mask & ~allowed
    if wanted & ~allowed:
        return 0
    return allowed if wants_all else wanted


def _parts(thread: NtThread, descriptor: int) -> tuple[bytes, int | None]:
    """The owner, and where the DACL is: None for none, which allows everything. Raises NtError."""
    revision, _, control = struct.unpack("<BBH", thread.data(descriptor, 4))
    if control & _SELF_RELATIVE:
        offsets = struct.unpack("<4I", thread.data(descriptor + 4, 16))
        owner, group, _, dacl = (descriptor + offset if offset else 0 for offset in offsets)
    else:
        owner, group, _, dacl = struct.unpack("<4Q", thread.data(descriptor + 8, 32))
    if revision != 1 or not owner or not group:
        raise NtError(STATUS_INVALID_SECURITY_DESCR)
    return _sid_at(thread, owner), dacl if control & _DACL_PRESENT and dacl else None


def _sid_at(thread: NtThread, place: int) -> bytes:
    count = thread.data(place + 1, 1)[0]
    return thread.data(place, 8 + 4 * min(count, 15))


def _entries(thread: NtThread, dacl: int) -> Iterator[tuple[int, int, bytes]]:
    """Kinds, masks and SIDs of an ACL's entries that count for the object itself. Raises NtError."""
    _, size, count = struct.unpack("<HHH", thread.data(dacl, 6))
    at, end = dacl + 8, dacl + size
    for _ in range(min(count, _MOST_ENTRIES)):
        kind, flags, length, mask = struct.unpack("<BBHI", thread.data(at, 8))
        if length < 8 or at + length > end:
            raise NtError(STATUS_INVALID_SECURITY_DESCR)
        if not flags & _INHERIT_ONLY and kind in (_ALLOWED, _DENIED):
            yield kind, mask, _sid_at(thread, at + 8)
        at += length
