"""API sets: which DLL stands behind a name such as `api-ms-win-core-file-l1-1-0.dll`.

The map is the section `.apiset` of apisetschema.dll (API_SET_NAMESPACE, schema 6: Geoff Chappell, "API Set Schema").
All offsets count from its beginning; what leads out of it is left out, and so are names that no file can have.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from machine.loaders.pe_file import PeFile

SECTION = ".apiset"
_SCHEMA = 6
_HEAD = struct.Struct("<IIIIIII")  # schema, size, flags, count, entries, hashes, factor
_ENTRY = struct.Struct("<IIIIII")  # flags, name and its bytes, the bytes that count, values and how many
_VALUE = struct.Struct("<IIIII")  # flags, name of the importer and its bytes, name of the host and its bytes
_MOST = 1 << 16
_LONGEST_NAME = 510  # bytes: 255 characters


def is_api_set(name: str) -> bool:
    """Whether a name of a DLL is that of an API set."""
    return name.lower().startswith(("api-", "ext-"))


def section_of(file: PeFile) -> bytes:
    """The map in apisetschema.dll; empty where it has none."""
    for section in file.sections:
        if section.name == SECTION:
            return file.read(section.relative, section.memory_size)
    return b""


def hosts_of(data: bytes) -> Mapping[str, str]:
    """The host by the part of an API set's name that counts (without the last number), in small letters."""
    found: dict[str, str] = {}
    if len(data) < _HEAD.size:
        return found
    schema, _, _, count, entries, _, _ = _HEAD.unpack_from(data)
    if schema != _SCHEMA:
        return found
    for index in range(min(count, _MOST)):
        entry = _unpack(_ENTRY, data, entries + index * _ENTRY.size)
        if entry is None:
            break
        _, name, _, counts, values, value_count = entry
        value = _unpack(_VALUE, data, values) if value_count else None
        if value is not None and max(counts, value[4]) <= _LONGEST_NAME:
            found[_text(data, name, counts).lower()] = _text(data, value[3], value[4]).lower()
    return found


def host_of(hosts: Mapping[str, str], name: str) -> str:
    """The DLL behind an API set's name; empty for none."""
    stem = name.lower().removesuffix(".dll")
    return hosts.get(stem.rpartition("-")[0], "")


def _unpack(row: struct.Struct, data: bytes, at: int) -> tuple[int, ...] | None:
    return row.unpack_from(data, at) if at + row.size <= len(data) else None


def _text(data: bytes, at: int, size: int) -> str:
    return data[at : at + size].decode("utf-16-le", "replace")
