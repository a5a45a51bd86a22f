"""Whether what a run came to is what its test expects: the differences, each with its place in the script file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from hds.script_tests.cases import OPERATORS, Case, Place, Sequence, Subcommand
from hds.script_tests.outcome import FaultSeen, Outcome
from hds.script_tests.output import cut, matches, shown
from hds.script_tests.patience import SECONDS_TO_JUDGE, TooSlow, at_most
from hds.script_tests.texts import lines_of, written
from lang import Span

_MOST_NAMED = 20  # findings, faults or lines in one message


class Mismatch(msgspec.Struct, frozen=True):
    """One difference: a word for programs, the directive, a line for people, and more lines."""

    kind: str
    span: Span
    message: str
    details: tuple[str, ...] = ()


def judge(case: Case, outcome: Outcome, read_file: Callable[[str], bytes]) -> tuple[Mismatch, ...]:
    """All that differs; `read_file` gives the companion files, named from the folder of the script, or raises OSError.

    What is looked at when it has taken too long is a difference, too.
    """
    found: list[Mismatch] = []
    try:
        with at_most(SECONDS_TO_JUDGE):
            for each in _differences(case, outcome, read_file):
                found.append(each)  # noqa: PERF402 - those before the time is over are kept
    except TooSlow:
        message = f"comparing took longer than {SECONDS_TO_JUDGE:g} s: a regular expression has too many ways to match"
        found.append(Mismatch("time", case.span, message))
    return tuple(found)


def _differences(case: Case, outcome: Outcome, read_file: Callable[[str], bytes]) -> Iterator[Mismatch]:
    if case.exit_code is not None and outcome.exit_code != case.exit_code:
        why = f": {outcome.failure}" if outcome.failure else ""
        message = f"expected the exit code {case.exit_code} of hds, got {outcome.exit_code}{why}"
        yield Mismatch("exit code", case.span, message, _said(outcome))
    yield from _findings(case, outcome)
    yield from _faults(case, outcome)
    for name, sequence, data in (("output", case.output, outcome.output), ("guest", case.guest, outcome.guest)):
        if sequence is not None:
            yield from _sequence(name, sequence, data, read_file)
    yield from _claims(case, outcome)
    yield from _state(case, outcome)
    if case.guest_exit_code is not None and outcome.guest_exit_code != case.guest_exit_code:
        message = f"expected the exit code {case.guest_exit_code} of the guest, got {outcome.guest_exit_code}"
        yield Mismatch("guest exit code", case.span, message)


def _said(outcome: Outcome) -> tuple[str, ...]:
    lines = [cut(written(line)) for line in outcome.said[:_MOST_NAMED]]
    return tuple(f"  {line}" for line in lines)


# --- output


def _sequence(name: str, sequence: Sequence, data: bytes, read_file: Callable[[str], bytes]) -> Iterator[Mismatch]:
    what = "the output differs" if name == "output" else "what the guest program writes differs"
    if sequence.file is not None:
        from hds.script_tests.cases import Item

        try:
            wanted = read_file(sequence.file)
        except OSError as error:
            message = f"cannot read {sequence.file}: {error.strerror or error}"
            yield Mismatch(name, sequence.span, message, ("  hint: `hds test --update` writes it",))
            return
        if wanted == data:
            return
        items = [Item(line, sequence.span) for line in lines_of(wanted)]
        lines = lines_of(data)
        ends = ("its last line has no end",) if [item.text for item in items] == lines else ()
        yield Mismatch(name, sequence.span, f"{what} from {sequence.file}", ends or tuple(shown(items, lines)))
        return
    lines = lines_of(data)
    if not matches(sequence.items, lines):
        yield Mismatch(name, sequence.span, what, tuple(shown(sequence.items, lines)))


def _claims(case: Case, outcome: Outcome) -> Iterator[Mismatch]:
    streams = {"out": lines_of(outcome.output), "err": outcome.said}
    for claim in case.claims:
        lines = [line for line in streams[claim.stream] if claim.is_in(line)]
        if len(lines) >= claim.least and (claim.most is None or len(lines) <= claim.most):
            continue
        wanted = "no line" if claim.most == 0 else "a line" if claim.most is None else f"{claim.least} lines"
        sought = f"/{claim.text}/" if claim.pattern else written(claim.text)
        where = "of output" if claim.stream == "out" else "beside the output"
        got = "none" if not lines else f"{len(lines)}"
        details = lines[:_MOST_NAMED] if claim.most is not None else streams[claim.stream][:_MOST_NAMED]
        message = f"expected {wanted} {where} with {cut(sought)}, got {got}"
        yield Mismatch("lines", claim.span, message, tuple(f"  {cut(written(line))}" for line in details))


# --- findings and run-time errors


def _findings(case: Case, outcome: Outcome) -> Iterator[Mismatch]:
    if case.findings is None:
        return
    checks = case.subcommand is Subcommand.CHECK
    found = [item for item in outcome.findings if checks or item.severity.is_for_everybody]
    left = list(found)
    missing = []
    for place in sorted(case.findings, key=_vague):
        for item in left:
            line, column = item.span.file.position(item.span.start)
            if _is_there(place, item.code, item.span.file.name, line, column, case):
                left.remove(item)
                break
        else:
            missing.append(place)
    missing = [place for place in missing if not _is_left_out(place, case)]
    details = [f"- {_named(place, case)}" for place in missing]
    details += [f"+ {item.span}: {item.code}: {cut(written(item.message))}" for item in left]
    if details:
        span = missing[0].span if missing else case.span
        yield Mismatch("findings", span, "the findings differ", _some(details))


def _is_left_out(place: Place, case: Case) -> bool:
    """Marks beside statements are for all tests of a file: those that this one does not report do not count."""
    if not place.span.text.startswith("//!"):
        return False
    if case.subcommand is not Subcommand.CHECK:
        return place.code[0] in "PR"
    return place.code in case.words or (place.code[0] == "P" and "hds" in case.words)


def _faults(case: Case, outcome: Outcome) -> Iterator[Mismatch]:
    if case.subcommand is Subcommand.CHECK:
        return
    left = list(outcome.faults)
    missing = []
    for place in sorted(case.faults, key=_vague):
        for fault in left:
            if _is_fault(place, fault, case):
                left.remove(fault)
                break
        else:
            missing.append(place)
    left = [fault for fault in left if not any(_is_fault(place, fault, case) for place in case.faults)]
    details = [f"- {_named(place, case)}" for place in missing] + [f"+ {fault}" for fault in left]
    if details:
        span = missing[0].span if missing else case.span
        yield Mismatch("run-time errors", span, "the run-time errors differ", _some(details))


def _is_fault(place: Place, fault: FaultSeen, case: Case) -> bool:
    return _is_there(place, fault.kind, fault.file, fault.line, fault.column, case)


def _is_there(place: Place, code: str, file: str | None, line: int | None, column: int | None, case: Case) -> bool:
    """Whether what was found is what a place names."""
    name = case.source.name if place.file is None else place.file
    return (
        place.code == code
        and (place.line is None or (line == place.line and file is not None and Path(file).name == Path(name).name))
        and place.column in (None, column)
    )


def _vague(place: Place) -> int:
    """Places that say more are looked for first."""
    return (place.line is None) + (place.column is None)


def _named(place: Place, case: Case) -> str:
    file = place.file or Path(case.source.name).name
    where = "" if place.line is None else f" at {file}:{place.line}"
    return f"{place.code}{where}" + ("" if place.column is None else f":{place.column}")


def _some(lines: list[str]) -> tuple[str, ...]:
    more = [f"... and {len(lines) - _MOST_NAMED} more"] if len(lines) > _MOST_NAMED else []
    return tuple(lines[:_MOST_NAMED] + more)


# --- registers, memory, values and counters


def _state(case: Case, outcome: Outcome) -> Iterator[Mismatch]:
    for register in case.registers:
        got = outcome.registers.get(register.name)
        if got != register.value:
            shown_value = "nothing" if got is None else f"{got:x}"
            yield Mismatch("register", register.span, f"expected {register.name}={register.value:x}, got {shown_value}")
    for row in case.memory:
        data = outcome.memory.get((row.address, len(row.data)))
        if data != row.data:
            message = f"the memory at {row.address:x} differs"
            details = (f"- {cut(row.data.hex(' '))}", f"+ {'is not mapped' if data is None else cut(data.hex(' '))}")
            yield Mismatch("memory", row.span, message, details)
    for each in case.values:
        value = outcome.values.get(each.expression, "it was not evaluated")
        if isinstance(value, str):
            yield Mismatch("value", each.span, f"{cut(each.expression)} has no value: {value}")
        elif not OPERATORS[each.comparison](value, each.value):
            message = f"expected {cut(each.expression)} {each.comparison} {each.value:x}, got {value:x}"
            yield Mismatch("value", each.span, message)
    for bound in case.bounds:
        counters = outcome.totals if bound.event is None else outcome.events.get(bound.event)
        if counters is None:
            ids = ", ".join(f"{number:x}" for number in list(outcome.events)[:_MOST_NAMED]) or "none"
            yield Mismatch("counter", bound.span, f"there is no event {bound.event:x}; the run had {ids}")
        elif not OPERATORS[bound.comparison](counters.get(bound.name, 0), bound.value):
            owner = "" if bound.event is None else f"event {bound.event:x}: "
            message = f"{owner}expected {bound.name}{bound.comparison}{bound.value}, got {counters.get(bound.name, 0)}"
            yield Mismatch("counter", bound.span, message)
