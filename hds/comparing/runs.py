"""A run as its records: JSON objects, from lines of a file or from a run that is made now."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping

import msgspec

from hds.recorded_runs import BadRun, Object, records_of
from vm.facts.limits import Limits

LEAST_ADDRESS = 0x1000  # smaller numbers are none
_WORD = re.compile(r"(?<![\w`])(?:0x)?([0-9A-Fa-f`]{4,19})(?![\w`])")


class Run(msgspec.Struct):
    """The records of a run, as texts, which take least memory; `places` are the names of addresses that are known.

    `lines` are the numbers of the records' lines in their file.
    """

    name: str
    limits: Limits
    texts: list[str] = msgspec.field(default_factory=list)
    lines: list[int] = msgspec.field(default_factory=list)
    places: dict[int, str] = msgspec.field(default_factory=dict)
    program: str | None = None  # the name of the first process; None where the run has no end
    _bytes: int = 0

    def add(self, record: Mapping[str, object], line: int) -> None:
        """One more record. Raises BadRun where there are too many."""
        text = json.dumps(record, separators=(",", ":"))
        self._bytes += len(text)
        for name, count in (("max_compared_records", len(self.texts) + 1), ("max_compared_bytes", self._bytes)):
            if count > getattr(self.limits, name):
                flag = "--" + name.replace("_", "-")
                raise BadRun(f"{self.name} has more than the limit {name} allows", f"{flag} raises it")
        self.texts.append(text)
        self.lines.append(line)
        pc, symbol = record.get("pc"), record.get("symbol")
        if type(pc) is int and isinstance(symbol, str):
            self.places.setdefault(pc, symbol)
        if record.get("type") == "summary":
            self.program = _first_process(record)

    def is_of_program(self, module: str) -> bool:
        """Whether a module is the program itself; those of Windows and of listings are named without a suffix."""
        return bool(self.program) and module in (self.program, str(self.program).partition(".")[0])

    def record(self, number: int) -> Object:
        """One of them, by its index."""
        found: Object = json.loads(self.texts[number])
        return found

    @classmethod
    def of_lines(cls, name: str, data: bytes, limits: Limits) -> Run:
        """The run that a file of JSON lines has. Raises BadRun."""
        run = cls(name, limits)
        for number, record in records_of(name, io.BytesIO(data)):
            run.add(record, number)
        return run


def _first_process(summary: Mapping[str, object]) -> str:
    processes = summary.get("processes")
    first = processes[0] if isinstance(processes, list) and processes else None
    name = first.get("name") if isinstance(first, dict) else None
    return name if isinstance(name, str) else ""


def hexadecimal_words(text: str) -> Iterator[tuple[int, int, int]]:
    """What looks like an address in a text: where it stands, [start, end), and its value."""
    for match in _WORD.finditer(text):
        digits = match[1].replace("`", "")
        if digits and len(digits) <= 16 and int(digits, 16) >= LEAST_ADDRESS:
            yield match.start(), match.end(), int(digits, 16)
