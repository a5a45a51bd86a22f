"""A campaign's results on disk: a folder with a folder of Parquet files for each table.

Whoever reads `RESULTS/triggers/*.parquet` sees each row once. A change - rows are added, parts become one, rows are
taken away - is a new part and the parts that it takes the place of. Its files are written under other names first; the
journal, one file that is replaced atomically, makes it happen, and names what is left to do where that is interrupted:
renaming and deleting, which the next one to open the folder for writing completes. What no journal names is removed
then.

One process writes at a time: it holds a lock, which the system takes back however the process ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from hds.corpus.campaign import Identity
from hds.corpus.refusals import BadResults
from hds.corpus.rows import FILES, MAIN, TABLES

FULL_PROGRAMS = 1_000  # rows of `programs` in a part that is not merged any more
FULL_BYTES = 64 << 20  # the same: the files of a part in all
_SUFFIX = ".parquet"
_NEW = ".new"  # behind the name of a file that no journal has made part of the dataset yet
_IDENTITY, _JOURNAL, _LOCK, _PROGRESS = "campaign.json", "journal.json", ".lock", "progress.json"


class _Change(msgspec.Struct, frozen=True):
    """A part that takes the place of others; `new` is None where only others go."""

    new: str | None
    old: tuple[str, ...]


class Progress(msgspec.Struct, frozen=True):
    """How far the campaign was when the client last said so; `total` counts files, and is None where nobody knows."""

    total: int | None = None
    seen: int = 0
    seconds: float = 0.0
    run: int = 0


@dataclass
class Part:
    """Files of the same name, one in each table that has rows in it."""

    name: str
    programs: int
    size: int  # bytes

    @property
    def is_full(self) -> bool:
        """Whether it stays as it is."""
        return self.programs >= FULL_PROGRAMS or self.size >= FULL_BYTES


def is_results(folder: str) -> bool:
    """Whether a path leads to the results of a campaign."""
    return os.path.isfile(os.path.join(folder, _IDENTITY))


class Reading:
    """A folder of results that nobody changes here. Raises BadResults."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.identity = self._identity()
        if self.identity is None:
            raise BadResults(f"{self.folder} has no results of hds corpus")

    def _identity(self) -> Identity | None:
        try:
            data = _read(self.folder / _IDENTITY)
        except OSError as error:
            raise BadResults(f"{self.folder} cannot be read: {error.strerror}") from None
        if data is None:
            return None
        try:
            return msgspec.json.decode(data, type=Identity)
        except msgspec.DecodeError as error:
            raise BadResults(f"{self.folder / _IDENTITY} cannot be read: {error}") from None

    @property
    def progress(self) -> Progress:
        """What the client last wrote."""
        with suppress(msgspec.DecodeError):
            return msgspec.json.decode(_read(self.folder / _PROGRESS) or b"{}", type=Progress)
        return Progress()

    def is_written_to(self) -> bool:
        """Whether a campaign is under way."""
        try:
            descriptor = os.open(self.folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def files(self, table: str) -> list[Path]:
        """The files of a table, in the order in which they were written."""
        return sorted((self.folder / table).glob(f"*{_SUFFIX}"))

    def rows(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """All rows of a table, some at a time. Raises BadResults for a damaged file.

        Columns that an older version of hds did not write are empty.
        """
        names = list(TABLES[table].names if columns is None else columns)
        for path in self.files(table):
            try:
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches(columns=names):
                        yield _with_all(batch, names, TABLES[table])
            except FileNotFoundError:
                continue  # merged meanwhile
            except (OSError, pa.ArrowException) as error:
                raise BadResults(f"{path} cannot be read: {error}") from None


class Store(Reading):
    """The same, to be written to. Raises BadResults, OSError where the disk is full."""

    def __init__(self, folder: str | os.PathLike[str], identity: Identity) -> None:
        self.folder = Path(folder)
        self.parts: dict[str, Part] = {}
        self.is_whole = True  # not while a change is carried out, nor behind one that was interrupted
        self._next = 0
        for table in TABLES:
            (self.folder / table).mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        try:
            self._claim(identity)
            self._complete()
            self._sweep()
        except BaseException:
            self.close()
            raise
        self.identity = identity

    def close(self) -> None:
        """Let others write."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take_lock(self) -> int:
        descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise BadResults(
                f"another campaign writes to {self.folder}", "`hds corpus status` shows how far it is"
            ) from None
        return descriptor

    def _claim(self, identity: Identity) -> None:
        found = self._identity()
        if found is None:
            if any(self.files(table) for table in TABLES):
                raise BadResults(f"{self.folder} has Parquet files of others", "name a new folder")
            self._replace(_IDENTITY, msgspec.json.format(msgspec.json.encode(identity)))
        elif found != identity:
            raise BadResults(
                f"{self.folder} has the results of another campaign: {found.difference(identity)}",
                "name a new folder; `hds diff` compares two",
            )

    # --- changes

    def add(self, tables: Mapping[str, pa.Table]) -> None:
        """One more part, whole or not at all. Raises OSError."""
        self._change(tables, ())

    def compact(self, *, all_of_them: bool = False) -> None:
        """Make one part of those that are not full, once it would be; `all_of_them`: of any two. Raises OSError."""
        small = [part for part in self.parts.values() if not part.is_full]
        programs, size = sum(part.programs for part in small), sum(part.size for part in small)
        if len(small) > 1 and (all_of_them or Part("", programs, size).is_full):
            self._change(self._together(small), [part.name for part in small])
            pa.default_memory_pool().release_unused()

    def drop(self, is_gone: Callable[[str], bool], but: Sequence[str] = ()) -> None:
        """Take away all rows of runs with such a key, except those of the tables `but`. Raises OSError."""
        tables = [table for table in TABLES if table not in but]
        for name in list(self.parts):
            paths = [path for table in tables if (path := self._path(table, name)).exists()]
            keys = {key for path in paths for key in _keys(path)}
            wanted = pa.array(sorted(filter(is_gone, keys)), pa.string())
            if len(wanted):
                part = self._together([self.parts[name]])
                kept = {
                    table: rows if table in but else rows.filter(_others(rows, wanted)) for table, rows in part.items()
                }
                self._change(kept, [name])

    def keep_files(self, is_kept: Callable[[dict[str, Any]], bool]) -> None:
        """Keep only these rows of `files`; each is asked about once, in order. Raises OSError."""
        for name in list(self.parts):
            path = self._path(FILES, name)
            if path.exists():
                kept = [is_kept(row) for row in pq.read_table(path, partitioning=None).to_pylist()]
                if not all(kept):
                    part = self._together([self.parts[name]])
                    self._change({**part, FILES: part[FILES].filter(pa.array(kept))}, [name])

    def _together(self, parts: Sequence[Part]) -> dict[str, pa.Table]:
        made: dict[str, pa.Table] = {}
        for table in TABLES:
            paths = [self._path(table, part.name) for part in parts]
            found = [pq.read_table(path, schema=TABLES[table], partitioning=None) for path in paths if path.exists()]
            if found:
                made[table] = pa.concat_tables(found)
        return made

    def _change(self, tables: Mapping[str, pa.Table], old: Sequence[str]) -> None:
        tables = {table: rows for table, rows in tables.items() if rows.num_rows}
        name = f"{self._next:08d}"
        self._next += 1
        try:
            for table, rows in tables.items():
                self._write(self._path(table, name, _NEW), rows)
                _synchronise(self.folder / table)
        except BaseException:
            for table in tables:
                self._path(table, name, _NEW).unlink(missing_ok=True)
            raise
        change = _Change(name if tables else None, tuple(old))
        self.is_whole = False
        self._replace(_JOURNAL, msgspec.json.encode(change))
        self._carry_out(change)
        self.is_whole = True
        for each in old:
            del self.parts[each]
        if tables:
            size = sum(self._path(table, name).stat().st_size for table in tables)
            self.parts[name] = Part(name, tables[MAIN].num_rows if MAIN in tables else 0, size)

    def _carry_out(self, change: _Change) -> None:
        """What a journal asks for; what of it is done already is passed over."""
        for table in TABLES:
            if change.new is not None:
                with suppress(FileNotFoundError):
                    os.rename(self._path(table, change.new, _NEW), self._path(table, change.new))
            for name in change.old:
                self._path(table, name).unlink(missing_ok=True)
            _synchronise(self.folder / table)
        (self.folder / _JOURNAL).unlink(missing_ok=True)
        _synchronise(self.folder)

    def _complete(self) -> None:
        data = _read(self.folder / _JOURNAL)
        if data is not None:
            try:
                self._carry_out(msgspec.json.decode(data, type=_Change))
            except msgspec.DecodeError as error:
                raise BadResults(f"{self.folder / _JOURNAL} cannot be read: {error}") from None

    def _sweep(self) -> None:
        """Remove what an interrupted writer left, and look at the parts."""
        for path in [*self.folder.glob(f"*{_NEW}"), *self.folder.glob(f"*/*{_NEW}")]:
            path.unlink(missing_ok=True)
        for table in TABLES:
            for path in self.files(table):
                try:
                    rows = pq.read_metadata(path).num_rows
                except (OSError, pa.ArrowException) as error:
                    raise BadResults(f"{path} cannot be read: {error}") from None
                part = self.parts.setdefault(path.stem, Part(path.stem, 0, 0))
                part.size += path.stat().st_size
                if table == MAIN:
                    part.programs = rows
        self._next = max((int(name) for name in self.parts if name.isdecimal()), default=-1) + 1

    # --- files

    def note(self, progress: Progress) -> None:
        """Say how far the campaign is, for `hds corpus status`. Raises OSError."""
        self._replace(_PROGRESS, msgspec.json.encode(progress), lasting=False)

    def _path(self, table: str, part: str, suffix: str = "") -> Path:
        return self.folder / table / f"{part}{_SUFFIX}{suffix}"

    def _write(self, path: Path, rows: pa.Table) -> None:
        with open(path, "wb") as file:
            pq.write_table(rows, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())

    def _replace(self, name: str, data: bytes, *, lasting: bool = True) -> None:
        path = self.folder / f"{name}{_NEW}"
        with open(path, "wb") as file:
            file.write(data)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        os.rename(path, self.folder / name)
        if lasting:
            _synchronise(self.folder)


def _keys(path: Path) -> Iterator[str]:
    """The keys of the rows of a file, those that follow each other once."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["key"]):
            yield from batch.column(0).unique().to_pylist()


def _with_all(batch: pa.RecordBatch, names: Sequence[str], schema: pa.Schema) -> pa.RecordBatch:
    there = set(batch.schema.names)
    arrays = [
        batch.column(name) if name in there else pa.nulls(batch.num_rows, schema.field(name).type) for name in names
    ]
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


def _others(rows: pa.Table, keys: pa.Array) -> Any:
    import pyarrow.compute as pc

    return pc.invert(pc.is_in(rows["key"], value_set=keys))


def _synchronise(folder: Path) -> None:
    """Have the names in a folder reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
