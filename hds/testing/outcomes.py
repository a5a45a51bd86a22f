"""What a run of a script did, as plain values: texts, numbers, dicts, which compare and show well in a test."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from hds.session import Session, summarize


class Ran(msgspec.Struct, frozen=True):
    """The outcome of a run.

    `messages` are the texts that scripts said, one for each print or packet; `triggers` and `rejections` count by the
    name of the event's command, `events` in the order of their commands. `errors` are the scripts, conditions and code
    blocks that stopped early, as one line each. `registers` are those of the guest at its end, `globals` those of the
    scripts. `cause` says why the run ended, `exit_code` is the guest's.
    """

    messages: list[str]
    triggers: dict[str, int]
    rejections: dict[str, int]
    events: list[int]
    errors: list[str]
    notices: list[str]
    guest_output: str
    registers: dict[str, int]
    globals: dict[str, int | bytes]
    cause: str
    exit_code: int | None

    @property
    def text(self) -> str:
        """All messages in one."""
        return "".join(self.messages)


def run(script: str | Path, program: Any = None, *, max_instructions: int | None = None, **options: Any) -> Ran:
    """Execute a script - its text, or the Path of a file - and let the guest run to its end.

    `program` and `options` are those of `hds.Session`. Raises hds.ScriptError and hds.LoadError.
    """
    text = script.read_text(encoding="utf-8") if isinstance(script, Path) else script
    with Session(program, **options) as session:
        session.execute(text)
        if session.guest_alive:
            session.run(max_instructions)
        return outcome(session)


def outcome(session: Session) -> Ran:
    """What a session did so far."""
    summary, records = summarize(session), session.to_records()
    triggers: dict[str, int] = {}
    rejections: dict[str, int] = {}
    for event in summary.events:
        name = event.command.split()[0]
        triggers[name] = triggers.get(name, 0) + event.triggers
        rejections[name] = rejections.get(name, 0) + event.rejections

    def texts(*kinds: str) -> list[str]:
        return [str(each["text"]) for each in records if each["type"] in kinds]

    return Ran(
        messages=texts("message"),
        triggers=triggers,
        rejections=rejections,
        events=[event.triggers for event in summary.events],
        errors=[str(each.get("message", each.get("text"))) for each in records if each["type"] in _ERRORS],
        notices=texts("notice"),
        guest_output="".join(texts("guest_output")),
        registers=dict(session.registers),
        globals=dict(session.globals),
        cause=summary.cause,
        exit_code=summary.exit_code,
    )


_ERRORS = ("script_error", "code_error")


def assert_messages(ran: Ran | Session, expected: Sequence[str | re.Pattern[str]], *, ordered: bool = True) -> None:
    """The messages are these, each a text or a pattern that matches the whole of one.

    A line feed at the end may be left out. Raises AssertionError with a diff.
    """
    __tracebackhide__ = True
    found = [text.removesuffix("\n") for text in (ran if isinstance(ran, Ran) else outcome(ran)).messages]
    wanted = list(expected)
    if len(found) == len(wanted):
        left = list(found)
        for want in wanted:
            candidates = left[:1] if ordered else left
            hit = next((text for text in candidates if _fits(want, text)), None)
            if hit is None:
                break
            left.remove(hit)
        if not left:
            return
    lines = difflib.unified_diff([_spelled(want) for want in wanted], found, "expected", "said", lineterm="")
    raise AssertionError("the messages are others:\n" + "\n".join(lines))


def _fits(want: str | re.Pattern[str], text: str) -> bool:
    if isinstance(want, str):
        return want.removesuffix("\n") == text
    return want.fullmatch(text) is not None


def _spelled(want: str | re.Pattern[str]) -> str:
    return want.removesuffix("\n") if isinstance(want, str) else f"/{want.pattern}/"
