"""What each event of a command file costs: the same runs with the event, with an empty script in it, and without it.

The other commands of the file are carried out in every run; other events are left out, so that nothing is counted
twice. Times are those of the processor, the least of several rounds that take turns.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from hds.measuring.guests import BuiltIn
from hds.session import ScriptError
from lang import Severity, SourceFile
from lang.commands import AssemblyText, EventCommand

if TYPE_CHECKING:
    from hds.session import Session

_ENOUGH, _LONGEST = 0.1, 2.0  # seconds that a run of a built-in guest shall take
_FEWEST, _MOST = 16, 1 << 24  # its rounds
_FEW_TRIGGERS = 1000  # fewer say little about time


class Sample(msgspec.Struct, frozen=True):
    """One run: seconds of the processor, and what the events have counted."""

    seconds: float
    triggers: int
    fuel: int
    callbacks: Mapping[str, int]


class Cost(msgspec.Struct, frozen=True):
    """What an event costs. Times are None where a run without it took as long: they are lost in the noise.

    `seconds` are those of a whole run, as it is, with an empty script and without the event; `callbacks` what machine
    code asked Python for besides what it does without the event, by name.
    """

    command: str
    event: str
    file: str
    line: int
    triggers: int
    fuel_per_trigger: float | None
    nanoseconds_per_trigger: float | None
    empty_nanoseconds_per_trigger: float | None
    triggers_per_second: float | None
    callbacks: Mapping[str, int]
    seconds: float
    seconds_empty: float
    seconds_without: float
    guest: str  # built-in, or the program

    @property
    def has_few_triggers(self) -> bool:
        """Whether there were too few to time them."""
        return self.triggers < _FEW_TRIGGERS


class Plan(msgspec.Struct, frozen=True):
    """An event to be measured on a built-in guest, or on the program that sessions come with (None)."""

    event: EventCommand
    kind: str
    guest: BuiltIn | None
    title: str  # of the guest


Start = Callable[[BuiltIn | None, int], "Session"]  # with so many rounds of a built-in guest


def measure(source: SourceFile, plan: Plan, events: Mapping[int, EventCommand], start: Start, rounds: int) -> Cost:
    """The cost of one event of a file; `start` makes a session with a built-in guest, or the program of its own.

    Raises hds.session.ScriptError where a command is refused.
    """
    texts = [SourceFile(source.name, text) for text in variants(source, plan, events)]
    count = _rounds(texts[0], plan, start)
    samples: list[list[Sample]] = [[], [], []]
    for _ in range(rounds):
        for text, found in zip(texts, samples, strict=True):
            found.append(_sample(text, plan, start, count))
    own, empty, without = (min(found, key=lambda each: each.seconds) for found in samples)
    return Cost(
        " ".join(plan.event.command.span.text.split()),
        plan.kind,
        source.name,
        plan.event.command.span.line,
        own.triggers,
        own.fuel / own.triggers if own.triggers else None,
        _nanoseconds(own, without),
        _nanoseconds(empty, without),
        own.triggers / own.seconds if own.seconds else None,
        dict(sorted((Counter(own.callbacks) - Counter(without.callbacks)).items())),
        own.seconds,
        empty.seconds,
        without.seconds,
        plan.title,
    )


def variants(source: SourceFile, plan: Plan, events: Mapping[int, EventCommand]) -> Iterator[str]:
    """The text with this event only, with nothing to do for it, and without it. Lines stay where they are."""
    event, span = plan.event, plan.event.command.span
    others = [
        (each.command.span.start, each.command.span.end, _blank(each.command.span.text))
        for each in events.values()
        if each is not event
    ]
    places = {} if plan.guest is None else plan.guest.places
    own = [(each.span.start, each.span.end, places[name]) for name, each in event.parameters.items() if name in places]
    asking = () if plan.guest is None or not plan.guest.asking else ((span.end, span.end, f"\n{plan.guest.asking}"),)
    yield _edited(source.text, [*others, *own, *asking])
    yield _edited(source.text, [*others, *own, *asking, *_emptied(event)])
    yield _edited(source.text, [*others, *asking, (span.start, span.end, _blank(span.text))])


def _emptied(event: EventCommand) -> Iterator[tuple[int, int, str]]:
    """What makes an event that is just raised of this one."""
    if event.script is not None:
        span = event.given["script"]
        yield span.start, span.end, "script { }"
    if event.code is not None:
        span = event.code.token.span
        yield span.start, span.end, " nop " if isinstance(event.code, AssemblyText) else " 90 "
    if event.breaks:
        end = event.command.span.end
        yield end, end, " script { }"


def _blank(text: str) -> str:
    return re.sub(r"[^\r\n]", " ", text)


def _edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _rounds(text: SourceFile, plan: Plan, start: Start) -> int:
    """How many rounds of a built-in guest take long enough and trigger often enough, without taking too long."""
    count = _FEWEST
    if plan.guest is None:
        return count
    _sample(text, plan, start, count)  # what is compiled once takes its time here
    while count < _MOST:
        found = _sample(text, plan, start, count)
        is_enough = found.seconds >= _ENOUGH and not 0 < found.triggers < 2 * _FEW_TRIGGERS
        if is_enough or found.seconds > _LONGEST / 2:
            break
        count *= 8 if found.seconds < _ENOUGH / 8 else 2
    return min(count, _MOST)


def _sample(text: SourceFile, plan: Plan, start: Start, count: int) -> Sample:
    session = start(plan.guest, count)
    try:
        prepared = session.prepare(text)
        errors = [item for item in prepared.diagnostics if item.severity is Severity.ERROR]
        began = time.process_time()
        problems = errors or session.perform(prepared)
        if problems:
            raise ScriptError(problems)
        if session.guest_alive and not session.ended:
            session.run()
        seconds = time.process_time() - began
        events = [
            event for event in session.machine.registry.ever_registered if event.definition.kind.name == plan.kind
        ]
        return Sample(
            seconds,
            sum(event.triggers for event in events),
            sum(event.fuel for event in events),
            dict(session.machine.callbacks),
        )
    finally:
        session.close()


def _nanoseconds(sample: Sample, without: Sample) -> float | None:
    more = sample.seconds - without.seconds
    return more / sample.triggers * 1e9 if sample.triggers and more > 0 else None
