"""A trace in Chrome's JSON ("Trace Event Format"), which ui.perfetto.dev and chrome://tracing read.

A tick of the virtual clock is a microsecond there. Of several runs, those behind the first have process identifiers of
their own, so that nothing falls together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain

from hds.exporting.runs import RecordedRun, shown
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
    """The triggers and messages of a run as instants, and the names of its processes and threads."""
    kinds: dict[tuple[int, int], tuple[str, str]] = {}
    lead = f"{shown(run.name)}: " if count > 1 else ""

    def named(pid: int, tid: int, process: str, thread: str) -> Iterator[Event]:
        if kinds.get((pid, tid)) != (process, thread):
            kinds[pid, tid] = process, thread
            place = {"ts": 0, "pid": pid, "tid": tid}
            yield {"ph": "M", "name": "process_name", **place, "args": {"name": lead + shown(process)}}
            yield {"ph": "M", "name": "thread_name", **place, "args": {"name": shown(thread)}}

    for record in run:
        if record["type"] == "summary":
            for process in record["processes"]:
                for text, thread in process["threads"].items():
                    if text.isascii() and text.isdecimal():
                        yield from named(number << _RUN_BITS | process["pid"], int(text), process["name"], thread)
        if record["type"] != "trigger" and record["type"] != "message":
            continue
        pid, tid = number << _RUN_BITS | record["pid"], record["tid"]
        said: Event = {"event": record["event"], "stage": record["stage"], "core": record["core"]}
        said["pc"] = f"0x{record['pc']:x}"
        if record["symbol"] is not None:
            said["symbol"] = shown(record["symbol"])
        if record["type"] == "trigger":
            yield from named(pid, tid, record["process"], record["thread"])
            said["context"] = f"0x{record['context']:x}"
            if "arguments" in record:
                said["arguments"] = [f"0x{value:x}" for value in record["arguments"]]
            if "registers" in record:
                said["registers"] = {name: f"0x{value:x}" for name, value in record["registers"].items()}
            name = record["name"] or f"event {record['event']:x}"
        else:
            name = record["text"].strip()[:80] or "message"
            said["text"] = shown(record["text"])
        yield {
            "ph": "i",
            "s": "t",
            "cat": record["type"],
            "name": shown(name),
            "ts": record["tick"],
            "pid": pid,
            "tid": tid,
            "args": said,
        }
