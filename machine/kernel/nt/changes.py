"""Who watches which directory of the drive, and what the guest has changed there since (ReadDirectoryChangesW)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from machine.kernel.nt.status import STATUS_NOTIFY_ENUM_DIR, STATUS_SUCCESS

ADDED, REMOVED, MODIFIED, OLD_NAME, NEW_NAME = 1, 2, 3, 4, 5  # FILE_ACTION_*
FILE_NAME, DIRECTORY_NAME, ATTRIBUTES, SIZE, LAST_WRITE = 1, 2, 4, 8, 0x10  # FILE_NOTIFY_CHANGE_*
_MOST_CHANGES = 1024  # that wait for one who watches; with more it is told to look itself


class Watch:
    """A directory under watch; `kinds` are those changes that count, `is_deep` says whether those below do, too."""

    def __init__(self, watches: list[Watch], names: Sequence[str], kinds: int, is_deep: bool) -> None:
        self._watches = watches
        self._names = [name.lower() for name in names]
        self._kinds = kinds
        self._is_deep = is_deep
        self._rows: list[tuple[int, str]] = []
        self._is_full = False
        watches.append(self)

    @property
    def has_changes(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._rows) or self._is_full

    def see(self, names: Sequence[str], action: int, kinds: int) -> None:
        """Something was changed at a place of the drive."""
        depth = len(self._names)
        below = names[depth:]
        if not kinds & self._kinds or not below or (len(below) > 1 and not self._is_deep):
            return
        if [name.lower() for name in names[:depth]] != self._names:
            return
        row = (action, "\\".join(below))
        if row in self._rows[-1:]:
            return
        if len(self._rows) >= _MOST_CHANGES:
            self._is_full = True
        else:
            self._rows.append(row)

    def take(self, length: int) -> tuple[int, bytes]:
        """FILE_NOTIFY_INFORMATION of all; STATUS_NOTIFY_ENUM_DIR without any where they do not fit."""
        rows, data = self._rows, bytearray()
        is_full, self._rows, self._is_full = self._is_full, [], False
        for index, (action, name) in enumerate(rows):
            text = name.encode("utf-16-le", "surrogatepass")
            size = 12 + len(text) + 3 & -4
            is_last = index == len(rows) - 1
            data += struct.pack("<III", 0 if is_last else size, action, len(text)) + text.ljust(size - 12, b"\0")
        if is_full or len(data) > length:
            return STATUS_NOTIFY_ENUM_DIR, b""
        return STATUS_SUCCESS, bytes(data)

    def end(self) -> None:
        """Nobody watches any more."""
        self._watches.remove(self)
