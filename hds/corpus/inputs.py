"""Which programs a campaign has: files, folders, lists of files, standard input; and what is to be run of them."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from hds.corpus.refusals import NoPrograms
from hds.script_tests import Choice
from machine.loaders import KIND_OF_SUFFIX

STANDARD_INPUT = "-"
LIST = "@"  # in front of the name of a file that has a path in each line


def paths_of(named: Iterable[str], choice: Choice | None, standard_input: BinaryIO) -> Iterator[str]:
    """The files that are named, those of folders in the order of their names. Raises NoPrograms."""
    for name in named:
        if name == STANDARD_INPUT:
            found = _lines(standard_input, "standard input")
        elif name.startswith(LIST):
            found = _listed(name.removeprefix(LIST))
        elif os.path.isdir(name):
            found = _within(name)
        else:
            found = iter((name,))
        for path in found:
            if choice is None or choice.takes(path):
                yield path


@contextmanager
def listed_twice(named: tuple[str, ...], standard_input: BinaryIO) -> Iterator[tuple[str, ...]]:
    """Names that say the same as often as they are asked: what stands in standard input lies in a file meanwhile."""
    if STANDARD_INPUT not in named:
        yield named
        return
    with NamedTemporaryFile(prefix="hds-corpus-") as file:
        for line in standard_input:
            file.write(line)
        file.flush()
        first = named.index(STANDARD_INPUT)  # a second one finds nothing
        rest = (name for name in named[first + 1 :] if name != STANDARD_INPUT)
        yield *named[:first], f"{LIST}{file.name}", *rest


def _listed(name: str) -> Iterator[str]:
    try:
        with open(name, "rb") as file:
            yield from _lines(file, name)
    except OSError as error:
        raise NoPrograms(f"cannot read the list {name}: {error.strerror}") from None


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


class Known:
    """Keys, as many as there are: they lie in a temporary file, not in memory."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)  # a file that nobody else sees, once it is large
        self._base.execute("PRAGMA journal_mode = OFF")
        self._base.execute("CREATE TABLE known (key BLOB PRIMARY KEY, since INTEGER) WITHOUT ROWID")

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

    def close(self) -> None:
        """Give the room back."""
        self._base.close()


def _short(key: str) -> bytes:
    return hashlib.blake2b(os.fsencode(key), digest_size=16).digest()
