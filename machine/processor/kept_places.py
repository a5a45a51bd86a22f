"""Where Unicorn keeps what it has no calls for is searched for once, and kept: the searches take 10 ms of a start.

What they find (`window`, `cpu_model`, `hidden_state`) follows from the library and from the file that searches. It is
kept beside compiled code, by `code_cache`'s rules for who may have written it; where nothing can be kept, it is
searched for in every process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import msgspec

from machine.processor.binding import library
from vm.native import code_cache

Found = TypeVar("Found")


def kept_or_found(name: str, kind: type[Found], find: Callable[[], Found | None]) -> Found | None:
    """What `find` found in an earlier process, or finds; None, which is not kept, where it finds nothing.

    Raises what `find` raises.
    """
    key = _key(name, find.__code__.co_filename)
    data = None if key is None else code_cache.read(key)
    if data is not None:
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.MsgspecError:
            pass  # it is found anew
    found = find()
    if found is not None and key is not None:
        code_cache.keep(key, msgspec.json.encode(found))
    return found


def _key(name: str, source: str) -> str | None:
    """The name of what is found with these files as they are; None where one cannot be looked at."""
    parts = ["places", name]
    for path in (library(), source):
        try:
            status = os.stat(path)
        except OSError:
            return None
        parts.append(f"{path} {status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns}")
    return code_cache.key_of(*parts)
