"""Which programs a campaign has: files, folders, lists of files, standard input; and what is to be run of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from hds.corpus.refusals import NoPrograms
from hds.script_tests import Choice
from machine.loaders import KIND_OF_SUFFIX

STANDARD_INPUT = "-"
_CACHED = 512  # KiB of keys that are in memory
LIST = "@"  # in front of the name of a file that has a path in each line


def paths_of(named: Iterable[str], choice: Choice | None, standard_input: BinaryIO) -> Iterator[str]:
    """The files that are named, those of folders in the order of their names. Raises NoPrograms."""
    for name in named:
        if name == STANDARD_INPUT:
            found = _lines(standard_input, "standard input")
        elif name.startswith(LIST):
            found = _listed(name)
        elif os.path.isdir(name):
            found = _within(name)
        else:
            found = iter((name,))
        for path in found:
            if choice is None or choice.takes(path):
                yield path


def check_named(named: Iterable[str]) -> None:
    """Raises NoPrograms where a file or folder is named that is not there: a link that leads nowhere is."""
    for name in named:
        if name != STANDARD_INPUT and not name.startswith(LIST):
            try:
                os.lstat(name)
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else str(error)
                raise NoPrograms(f"cannot read {name}: {why}") from None


def can_be_read_once(name: str) -> bool:
    """Whether it is standard input, or a list that is no file on a disk."""
    if not name.startswith(LIST):
        return name == STANDARD_INPUT
    try:
        return not stat.S_ISREG(os.stat(name.removeprefix(LIST)).st_mode)
    except (OSError, ValueError):
        return False


@contextmanager
def listed_twice(named: tuple[str, ...], standard_input: BinaryIO) -> Iterator[tuple[str, ...]]:
    """Names that say the same as often as they are asked: what can be read once lies in files that nobody else sees.

    Raises NoPrograms.
    """
    with ExitStack() as stack:
        found = []
        for name in dict.fromkeys(named):  # a second `-` finds nothing
            if not can_be_read_once(name):
                found.append(name)
                continue
            file = stack.enter_context(TemporaryFile())
            with ExitStack() as reading:
                shutil.copyfileobj(
                    standard_input if name == STANDARD_INPUT else reading.enter_context(_list_of(name)), file
                )
            file.flush()
            found.append(f"{LIST}/proc/self/fd/{file.fileno()}")
        yield tuple(found)


@contextmanager
def _list_of(name: str) -> Iterator[BinaryIO]:
    try:
        with open(name.removeprefix(LIST), "rb") as file:
            yield file
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise NoPrograms(f"cannot read the list {name.removeprefix(LIST)}: {why}") from None


def _listed(name: str) -> Iterator[str]:
    with _list_of(name) as file:
        yield from _lines(file, name.removeprefix(LIST))


def _lines(file: BinaryIO, name: str) -> Iterator[str]:
    try:
        for line in file:
            path = os.fsdecode(line.rstrip(b"\r\n"))
            if path:
                yield path
    except OSError as error:
        raise NoPrograms(f"cannot read {name}: {error.strerror}") from None


def _within(folder: str) -> Iterator[str]:
    """The regular files below a folder; links are not followed."""

    def refuse(error: OSError) -> None:
        raise NoPrograms(f"cannot list {error.filename}: {error.strerror}")

    for inner, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(inner, name)
            try:
                mode = os.lstat(path).st_mode
            except OSError:
                continue  # it is gone
            if stat.S_ISREG(mode):
                yield path


def kind_by_name(path: str) -> str | None:
    """The kind of program that a file is by its name, where the name says it."""
    kind = KIND_OF_SUFFIX.get(Path(path).suffix.lower())
    return None if kind is None else kind.name


def digest(data: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def shown(path: str) -> str:
    """A path as text: what of it is no UTF-8 as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def row_of_path(path: str) -> dict[str, str | None]:
    """The columns `path` and `path_bytes`; the latter is None unless the path is no UTF-8, and in hexadecimal then."""
    text = shown(path)
    return {"path": text, "path_bytes": None if os.fsencode(text) == os.fsencode(path) else os.fsencode(path).hex()}


def path_of_row(row: dict[str, Any]) -> str:
    """The path that a row has."""
    return os.fsdecode(bytes.fromhex(row["path_bytes"])) if row["path_bytes"] else str(row["path"])


class Place(Enum):
    """What is known of a file: nothing, that it has this content, that it has another."""

    NEW = "new"
    SAME = "same"
    OTHER = "other"


class Known:
    """Keys and files, as many as there are: they lie in a temporary file, not in memory."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)  # a file that nobody else sees, once it is large
        self._base.execute("PRAGMA journal_mode = OFF")
        self._base.execute(f"PRAGMA cache_size = -{_CACHED}")
        self._base.execute("CREATE TABLE known (key BLOB PRIMARY KEY, since INTEGER) WITHOUT ROWID")
        self._base.execute(  # `key` is NULL where a file has several, `rows` how many of its rows stay; NULL: all
            "CREATE TABLE files (path BLOB PRIMARY KEY, key BLOB, rows INTEGER) WITHOUT ROWID"
        )

    def add(self, keys: Iterable[str], since: int = 0) -> None:
        """These are known from now on; `since` is what `since` says of those that were not."""
        rows = ((_short(key), since) for key in keys)
        self._base.execute("BEGIN")
        self._base.executemany("INSERT OR IGNORE INTO known VALUES (?, ?)", rows)
        self._base.execute("COMMIT")

    def __contains__(self, key: str) -> bool:
        return self.since(key) is not None

    def since(self, key: str) -> int | None:
        """Since when it is known; None where it is not."""
        row = self._base.execute("SELECT since FROM known WHERE key = ?", (_short(key),)).fetchone()
        return None if row is None else int(row[0])

    def add_files(self, files: Iterable[tuple[str, str]]) -> None:
        """Files whose content has been seen, with the keys of their runs."""
        self._base.execute("BEGIN")
        self._base.executemany(
            "INSERT INTO files VALUES (?, ?, NULL) ON CONFLICT DO UPDATE SET key = NULL WHERE key IS NOT excluded.key",
            ((_short(path), _short(key)) for path, key in files),
        )
        self._base.execute("COMMIT")

    def place(self, path: str, key: str) -> Place:
        """What is known of a file, which has the content of this key from now on."""
        row = self._base.execute("SELECT key FROM files WHERE path = ?", (_short(path),)).fetchone()
        if row is None:
            self._base.execute("INSERT INTO files VALUES (?, ?, NULL)", (_short(path), _short(key)))
            return Place.NEW
        if row[0] == _short(key):
            return Place.SAME
        self._base.execute("UPDATE files SET key = ?, rows = 1 WHERE path = ?", (_short(key), _short(path)))
        return Place.OTHER

    def keeps(self, path: str, key: str) -> bool:
        """Whether a row of a file stays; asked once for each. Of one that was `OTHER` one row of the last key does."""
        row = self._base.execute("SELECT key, rows FROM files WHERE path = ?", (_short(path),)).fetchone()
        if row is None or row[1] is None:
            return True
        if row[0] != _short(key) or not row[1]:
            return False
        self._base.execute("UPDATE files SET rows = 0 WHERE path = ?", (_short(path),))
        return True

    def close(self) -> None:
        """Give the room back."""
        self._base.close()


def _short(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16).digest()
