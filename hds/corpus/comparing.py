"""Two campaigns compared, program by program: `hds diff RESULTS RESULTS`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from hds.comparing import MARKS, Kind
from hds.corpus.rows import MAIN
from hds.corpus.store import Reading
from hds.json_text import plain

COMPARED = (
    "outcome", "reason", "cause", "exit_code", "triggers", "messages", "lost_messages", "instructions", "script_errors",
    "code_errors", "refused_commands", "breaks",
)  # fmt: skip
SAYS = "texts"  # a digest of all messages of a run


class ProgramChange(msgspec.Struct, frozen=True):
    """What became of a program; `fields` are those that differ, of the one campaign and the other."""

    kind: Kind
    path: str
    sha256: str | None
    fields: dict[str, tuple[Any, Any]]


def compare_campaigns(a: Reading, b: Reading, ignored: tuple[str, ...] = ()) -> Iterator[ProgramChange]:
    """Every program of both once, in the order of the first, then of the second. Raises BadResults.

    Programs are the same that have the same content, and files that could not be read those of the same path.
    """
    names = [name for name in (*COMPARED, SAYS) if name not in ignored]
    left, right = _programs(a), _programs(b)
    for identity, (path, sha256, mine) in left.items():
        if identity not in right:
            yield ProgramChange(Kind.MISSING, path, sha256, {})
            continue
        its = right[identity][2]
        fields = {name: (mine[name], its[name]) for name in names if mine[name] != its[name]}
        yield ProgramChange(Kind.CHANGED if fields else Kind.SAME, path, sha256, fields)
    for identity, (path, sha256, _) in right.items():
        if identity not in left:
            yield ProgramChange(Kind.ADDED, path, sha256, {})


_Program = tuple[str, str | None, dict[str, Any]]


def _programs(results: Reading) -> dict[str, _Program]:
    texts = _texts(results)
    found: dict[str, _Program] = {}
    for batch in results.rows(MAIN, ("key", "path", "sha256", *COMPARED)):
        for row in batch.to_pylist():
            key, path, sha256 = row.pop("key"), row.pop("path"), row.pop("sha256")
            found[sha256 or key] = path, sha256, {**row, SAYS: texts.get(key)}
    return dict(sorted(found.items(), key=lambda item: item[1][0]))


def _texts(results: Reading) -> dict[str, str]:
    """Digests of what runs said, by key; a run's rows follow each other."""
    digests: dict[str, Any] = {}
    for batch in results.rows("messages", ("key", "type", "text")):
        for row in batch.to_pylist():
            digest = digests.setdefault(row["key"], hashlib.blake2b(digest_size=8))
            digest.update(f"{row['type']}\0{row['text']}\0".encode())
    return {key: digest.hexdigest() for key, digest in digests.items()}


def lines_of_change(change: ProgramChange) -> Iterator[str]:
    """A line for the program, and one for each field that differs."""
    yield f"{MARKS[change.kind]} {plain(change.path)}"
    for name, (old, new) in change.fields.items():
        yield f"    {name}: {plain(str(old))} -> {plain(str(new))}"


def object_of_change(change: ProgramChange) -> dict[str, object]:
    """The change as a JSON object."""
    fields = {name: {"a": old, "b": new} for name, (old, new) in change.fields.items()}
    return {
        "type": "change",
        "kind": change.kind.value,
        "path": change.path,
        "sha256": change.sha256,
        "fields": fields,
    }
