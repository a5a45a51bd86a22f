"""Going back in a recorded session: `t- p- g-` and `watch back`. The session goes on in another process then."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hds.session.commands.handler import Handler, address, current_process, incorrect_use, number, split, words
from hds.session.refused import CommandFailed
from vm.facts.numbers import number_32

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from hds.session.timeline import Point, Timeline
    from lang.commands import Command

TYPED = "<console>"  # the name of a text that was typed
_LENGTH = 8  # bytes that are watched unless it is said


def _recorded(session: Session, command: Command, prepared: Prepared) -> Timeline:
    if session.timeline is None:
        raise CommandFailed("err, nothing is recorded", "start the console with `hds console --record`")
    if command.span.file.name != TYPED or len(prepared.file.commands) > 1:
        raise CommandFailed(
            f"err, '{command.canonical_name}' is typed alone: what stands beside it would be undone, or never be done",
            "type the commands one by one",
        )
    return session.timeline


def _stepper(before: Callable[[Timeline, Point], Point | None]) -> Handler:
    def step(session: Session, command: Command, prepared: Prepared) -> None:
        timeline, given = _recorded(session, command, prepared), words(command)
        count = number_32(given[0]) if given else 1
        if len(given) > 1 or not count:
            raise incorrect_use(command)
        typed = timeline.drop_command()
        point = timeline.point()
        for _ in range(count):
            found = before(timeline, point)
            if found is None:
                break
            point = found
        else:
            timeline.go(point.count, typed)
        timeline.go_to_beginning(typed)

    return step


def to_trigger(session: Session, command: Command, prepared: Prepared) -> None:
    """`g-`: to the last trigger, or the last breakpoint that is enabled now."""
    timeline = _recorded(session, command, prepared)
    if command.tokens:
        raise incorrect_use(command)
    typed = timeline.drop_command()
    from hds.session.searching import Place

    rows = session.execution.breakpoints.rows
    places = [
        Place(row.process.pid, row.address, thread_id=row.thread_id)
        for row in rows
        if row.enabled and row.number is not None and row.process_id in (None, row.process.pid)
    ]
    count = timeline.last(timeline.count, places=places, triggers=True).count
    if count is None:
        timeline.go_to_beginning(typed)
    else:
        timeline.go(count, typed)


def to_write(session: Session, command: Command, prepared: Prepared) -> None:
    """`watch back ADDRESS [l LENGTH]`: in front of the instruction that wrote there last."""
    timeline, arguments = _recorded(session, command, prepared), split(command, ("l",))
    if len(arguments.plain) != 2 or arguments.plain[0].lower != "back":
        raise incorrect_use(command)
    first = address(session, arguments.plain[1])
    length = number(arguments.keyed.get("l"), _LENGTH, "length")
    if not length:
        raise CommandFailed("err, the length is 0: no byte would be watched")
    last = first + length - 1
    if last >> 64:
        raise CommandFailed(f"err, the range from {first:x} goes past the last address")
    process = current_process(session)
    typed = timeline.drop_command()
    from hds.session.searching import Written

    found = timeline.last(timeline.count, written=Written(first, last, timeline.lineages.of(process)))
    if found.count is None:
        since = "this program was executed" if timeline.lineages.has_executed(process) else "the record began"
        raise CommandFailed(f"err, nothing has written to {first:x} since {since}")
    waiter = found.waiter
    note = "" if waiter is None else f"behind this instruction the kernel wrote there for thread {waiter:x}"
    timeline.go(found.count, typed, note)


HANDLERS: dict[str, Handler] = {
    "t-": _stepper(lambda timeline, point: timeline.before(point)),
    "p-": _stepper(lambda timeline, point: timeline.before_call(point)),
    "g-": to_trigger,
    "watch": to_write,
}
