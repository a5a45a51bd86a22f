"""`output create NAME file PATH`: a regular file. The log of `.logopen` is one, too."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hds.outputs.carriers import Carrier, OutputFailed, Rest
from vm import FileRefused, open_for_writing, reason

if TYPE_CHECKING:
    from hds.outputs.sources import Outputs


def acquire(outputs: Outputs, address: str) -> Carrier:
    """A file is emptied by the first source of the session that leads to it, and continued by the others."""
    others = [source.carrier for source in outputs.sources.values()]
    return FileCarrier(outputs.locate(address), (*others, *outputs.open_logs), guarded=outputs.guarded)


class FileCarrier:
    """A regular file; every message is written at once and at its end, so that a full disk is noticed with it.

    The file is emptied unless one of the `others` writes to it, whatever names and links lead there. `guarded` is the
    folder that the guest writes to, as in `vm.files`. Raises OutputFailed.
    """

    def __init__(self, path: Path, others: Iterable[Carrier] = (), *, guarded: Path | None = None) -> None:
        try:
            self._descriptor = open_for_writing(path, append=True, guarded=guarded)
        except FileRefused as error:
            raise OutputFailed(f"cannot open the file {path}: {error.reason}") from None
        self._path = path.absolute()
        self._accepted = 0  # bytes
        opened = os.fstat(self._descriptor)
        self._identity = opened.st_dev, opened.st_ino
        self._before = opened.st_size  # bytes
        shared = any(isinstance(other, FileCarrier) and other._identity == self._identity for other in others)
        if stat.S_ISREG(opened.st_mode) and not shared:
            os.ftruncate(self._descriptor, 0)
            self._before = 0

    def send(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise OutputFailed(reason(error)) from None
        self._accepted += len(data)

    def close(self) -> Rest:
        rest = self._removed()
        try:
            os.close(self._descriptor)
        except OSError as error:  # of file systems that write late
            return Rest(self._accepted, reason(error))
        return rest

    def _removed(self) -> Rest:
        """What was written into a file that nobody can open any more is lost, and what somebody has cut off again.

        One that was moved has it still.
        """
        mine = os.fstat(self._descriptor)
        if not stat.S_ISREG(mine.st_mode):
            return Rest()
        if mine.st_nlink == 0:
            return Rest(self._accepted, f"{self._path} was removed or replaced meanwhile")
        missing = min(self._accepted, self._before + self._accepted - mine.st_size)
        if missing > 0:
            return Rest(missing, f"{self._path} was cut off meanwhile")
        try:
            found = os.path.samestat(os.stat(self._path), mine)
        except OSError:
            found = False
        return Rest() if found else Rest(0, f"{self._path} was moved or replaced meanwhile; the old file has the bytes")
