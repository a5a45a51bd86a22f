"""A trace in Chrome's JSON ("Trace Event Format"), which ui.perfetto.dev and chrome://tracing read.

A tick of the virtual clock is a microsecond there. Of several runs, those behind the first have process identifiers of
their own, so that nothing falls together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain

from hds.exporting.runs import RecordedRun, shown
from hds.report.records import DecodedCallObject, IncidentObject, MessageObject, TriggerObject
from vm.facts.limits import Limits

Event = dict[str, object]
_RUN_BITS = 32  # where the number of the run stands in an identifier; all stay below 2^53


def chunks(runs: Sequence[RecordedRun], limits: Limits) -> Iterator[bytes]:
    """The object with all events, one on a line."""
    yield b'{"displayTimeUnit":"ns","traceEvents":[\n'
    lead = ""
    for event in chain.from_iterable(_events(run, number, len(runs)) for number, run in enumerate(runs)):
        yield (lead + json.dumps(event, separators=(",", ":"))).encode()
        lead = ",\n"
    yield b"\n]}\n"


def _events(run: RecordedRun, number: int, count: int) -> Iterator[Event]:
    """What a run has, and the names of its processes and threads.

    Triggers, messages and what happens to threads are instants. Calls are slices: those of `hds trace`, and what lies
    between the trigger of a `!syscall` event and the next one of a `!sysret` event in its thread.
    """
    names = _Names(f"{shown(run.name)}: " if count > 1 else "")
    calls: dict[tuple[int, int], tuple[str, int]] = {}  # under way, by thread: name and beginning
    first = number << _RUN_BITS
    for record in run:
        if record["type"] == "summary":
            for process in record["processes"]:
                for text, thread in process["threads"].items():
                    if text.isascii() and text.isdecimal():
                        yield from names.tell(first | process["pid"], int(text), process["name"], thread)
        elif record["type"] == "message":
            name = record["text"].strip()[:80] or "message"
            yield _event("i", first, record, name, _place(record) | {"text": shown(record["text"])}, s="t")
        elif record["type"] == "trigger":
            pid, tid, call = first | record["pid"], record["tid"], record["name"]
            yield from names.tell(pid, tid, record["process"], record["thread"])
            yield _event("i", first, record, call or f"event {record['event']:x}", _of_trigger(record), s="t")
            kind = record.get("kind") if record["stage"] == "pre" else None
            if kind == "syscall" and call:
                calls[pid, tid] = call, record["tick"]
            elif kind == "sysret" and (pid, tid) in calls:
                name, began = calls.pop((pid, tid))
                yield _event("X", first, record, name, {}, cat="call", ts=began, dur=record["tick"] - began)
        elif record["type"] == "call":
            said: Event = {"call": shown(record["text"])}
            if record["ticks"] is None:
                yield _event("i", first, record, record["name"], said, s="t")
            else:
                yield _event("X", first, record, record["name"], said, dur=record["ticks"])
        elif record["type"] == "incident":
            name = record["name"] or record["kind"]
            yield _event("i", first, record, name, {"text": shown(record["text"])}, s="t")


class _Names:
    """The names of processes and threads, each told when it is new; `lead` stands before those of processes."""

    def __init__(self, lead: str) -> None:
        self._lead = lead
        self._told: dict[tuple[int, int], tuple[str, str]] = {}

    def tell(self, pid: int, tid: int, process: str, thread: str) -> Iterator[Event]:
        """The thread has these names."""
        if self._told.get((pid, tid)) != (process, thread):
            self._told[pid, tid] = process, thread
            place = {"ts": 0, "pid": pid, "tid": tid}
            yield {"ph": "M", "name": "process_name", **place, "args": {"name": self._lead + shown(process)}}
            yield {"ph": "M", "name": "thread_name", **place, "args": {"name": shown(thread)}}


def _place(record: TriggerObject | MessageObject) -> Event:
    said: Event = {"event": record["event"], "stage": record["stage"], "core": record["core"]}
    said["pc"] = f"0x{record['pc']:x}"
    if record["symbol"] is not None:
        said["symbol"] = shown(record["symbol"])
    return said


def _of_trigger(record: TriggerObject) -> Event:
    said = _place(record) | {"context": f"0x{record['context']:x}"}
    if "arguments" in record:
        said["arguments"] = [f"0x{value:x}" for value in record["arguments"]]
    if "registers" in record:
        said["registers"] = {name: f"0x{value:x}" for name, value in record["registers"].items()}
    return said


def _event(
    phase: str,
    first: int,
    record: TriggerObject | MessageObject | DecodedCallObject | IncidentObject,
    name: str,
    said: Event,
    **more: int | str,
) -> Event:
    """An event of a run whose processes have numbers from `first` on."""
    place: Event = {"ts": record["tick"], "pid": first | record["pid"], "tid": record["tid"]}
    return {"ph": phase, "cat": record["type"], "name": shown(name)} | place | more | {"args": said}
