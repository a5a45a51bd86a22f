"""What a session keeps of what scripts say: the first messages, up to a named limit; hds itself keeps none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hds_guests import TWO_CALLS, command_line, listing_file, session

from hds.report.records import Message, Record
from hds.session.session import Session
from vm.facts.limits import Limits

SAY = '!syscall script { printf("%llx\\n", @rax); }'


def test_messages_are_kept_by_default() -> None:
    made, _ = session()
    made.execute(SAY)
    made.run()
    assert [message.text for message in made.messages] == [b"55\n", b"66\n"]
    assert made.totals.unkept_messages == 0


def test_beyond_the_limit_they_are_counted_and_that_is_said_once() -> None:
    heard: list[bytes] = []

    class Listener:
        def report(self, record: Record, /) -> None:
            if isinstance(record, Message):
                heard.append(record.text)

    made = Session(TWO_CALLS.encode(), kind="asm", limits=Limits(max_kept_messages=1), reporter=Listener())
    made.execute(SAY + "\n" + SAY)
    with pytest.warns(RuntimeWarning, match="keeps no more \\(limit max_kept_messages\\)") as warned:
        made.run()
    assert len(warned) == 1
    assert [message.text for message in made.messages] == [b"55\n"]
    assert (made.totals.messages, made.totals.unkept_messages) == (4, 3)
    assert heard == [b"55\n", b"55\n", b"66\n", b"66\n"]


def test_clearing_them_makes_room() -> None:
    made = Session(TWO_CALLS.encode(), kind="asm", limits=Limits(max_kept_messages=1))
    for text in ("1", "2"):
        made.messages.clear()
        made.execute(f"print {text}")
    assert [message.text for message in made.messages] == [b"2\n"]
    assert made.totals.unkept_messages == 0


@pytest.mark.parametrize("flags", [(), ("--format", "json"), ("--emulate-message-loss",)])
@pytest.mark.parametrize("immediate", ["", "imm no"])
def test_a_run_keeps_nothing(
    flags: tuple[str, ...], immediate: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions: list[Session] = []
    close = Session.close

    def note(made: Session) -> None:
        sessions.append(made)
        close(made)

    monkeypatch.setattr(Session, "close", note)
    command_line("run", *flags, "-e", f"!syscall {immediate} script {{ print(1); }}\nprint 2", listing_file(tmp_path))
    (made,) = sessions
    assert made.totals.messages > 0
    assert made.messages == []


def test_the_object_of_eval_has_the_first_messages() -> None:
    flags = ("--json", "--max-kept-messages", "2", "-e", "for (i = 0; i < 5; i++) { print(i); microsleep(1); }")
    found = json.loads(command_line("eval", *flags).output)
    assert found["messages"] == ["0\n", "1\n"]
    assert found["unkept_messages"] == 3


def test_requests_of_eval_are_limited_too() -> None:
    flags = ("--max-kept-messages", "2", "-e", "for (i = 0; i < 5; i++) { print(i); microsleep(1); }")
    ran = command_line("eval", *flags)
    assert ran.output == "0\n1\n2\n3\n4\n"
    assert ran.errors.count("hds: request of the host: microsleep(1)") == 2
    assert "hds: and 3 more requests (limit max_kept_messages)" in ran.errors
