"""Messages that are sent at once and kept for a while: nobody can tell but by the time it takes."""

from __future__ import annotations

import pytest
from carrier_worlds import Collecting, Line
from engines import make_engine, need_machine_code

import hds
from machine import Message
from machine.messages import Kept
from vm.facts.limits import Limits

need_machine_code()

LOOP = "mov ebx, {rounds}; next: mov eax, 0x55; syscall; mov eax, 0x66; syscall; dec ebx; jnz next; nop"
WRITER = (
    "mov ebx, 5; mov rsi, rsp; mov dword ptr [rsi], 0x0a646c6f; next: mov eax, 1; mov edi, 1; mov edx, 4; syscall; "
    "mov eax, 39; syscall; dec ebx; jnz next; mov eax, 60; mov edi, 7; syscall"
)
BOTH = '!syscall imm no script { printf("%llx;", @rbx); }\n!syscall script { print(@rax); }'


def lines_of(commands: str, guest: str, *, prompt: bool, **options: object) -> list[Line]:
    lines: list[Line] = []
    session = hds.Session(
        guest.format(rounds=40).encode(), kind="asm", engine=make_engine("native"), reporter=Collecting(lines),
        prompt_messages=prompt, **options,  # type: ignore[arg-type]  # whatever a session takes
    )  # fmt: skip
    session.execute(commands)
    session.run()
    return lines


COMMANDS = {
    "one": "!syscall script { print(@rbx); }",
    "several of one trigger": "!syscall script { print(@rbx); if (@rax == 0x55) { print(1); print(2); } }",
    "two events": "!syscall script { print(@rbx); }\n!syscall 66 stage all script { print(@rip); }",
    "both stages and the return": "!syscall stage all script { print(@rip); }\n!sysret script { print(@rcx); }",
    "collected ones in between": BOTH,
    "an address": "!epthook 400005 script { print(@rip); }\n!syscall script { print(@rax); }",
    "an address in the middle of a block": '!epthook 40000a script { printf("%llx\\n", @rip); }',
    "a watched place": "!monitor x 400000 l 100 script { print(@rip); }",
    "errors in between": "!syscall script { print(1); .n = .n + 1; if (.n % 7 == 0) { print(poi(0)); } print(2); }",
    "requests in between": "!syscall script { print(1); .n++; if (.n == 9) { event_disable($event_id); } print(2); }",
    "an event that clears itself": "!syscall script { print(.n); .n++; if (.n == 9) { event_clear($event_id); } }",
    "notices": "!syscall script { print(1); event_disable(0n77); print(2); }",
    "readings of the clock": "!syscall script { .t = rdtsc(); print(.t); microsleep(3); }",
    "texts": '!syscall script { printf("%s %llx\\n", "text", @rbx); }',
    "too long to wait": '!syscall script { print(1); printf("%5000d", 7); print(2); }',
    "nothing, mostly": "!syscall script { if (@rbx == 3) { print(@rbx); } }",
}


@pytest.mark.parametrize("case", COMMANDS)
def test_the_order_and_what_is_said_of_each_are_the_same(case: str) -> None:
    kept = lines_of(COMMANDS[case], LOOP, prompt=False, kernel="bare")
    assert kept == lines_of(COMMANDS[case], LOOP, prompt=True, kernel="bare")
    assert kept


@pytest.mark.parametrize("commands", ["!syscall script { print(@rax); }", BOTH], ids=["at once", "and collected"])
def test_what_the_guest_writes_comes_in_between(commands: str) -> None:
    kept = lines_of(commands, WRITER, prompt=False, kernel="linux")
    assert kept == lines_of(commands, WRITER, prompt=True, kernel="linux")
    assert [line[0] for line in kept].count("guest") == 5


def test_more_than_there_is_room_for_comes_in_time() -> None:
    said = lines_of("!syscall script { print(@rbx); }", LOOP.replace("{rounds}", "2500"), prompt=False, kernel="bare")
    assert len(said) == 5000
    times = [line[1].time for line in said]  # type: ignore[attr-defined]  # messages
    assert times == sorted(times)


def test_collected_ones_are_taken_together_when_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("machine.messages.MessageChannel.hold")
    guest = LOOP.replace("{rounds}", "20000")
    said = lines_of('!syscall imm no script { printf("%llx\n", @rbx); }', guest, prompt=False, kernel="bare")
    texts = b"".join(line[1].text for line in said)  # type: ignore[attr-defined]  # packets
    assert texts == b"".join(2 * (b"%x\n" % number) for number in range(20000, 0, -1))


class Counting:
    """Takes messages in bulk."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.deliveries = 0

    def report(self, record: object, /) -> None:
        if isinstance(record, Message):
            self.texts.append(record.text)

    def report_messages(self, messages: Kept, /) -> None:
        self.deliveries += 1
        self.texts += messages.texts()


def counted(prompt: bool, limits: Limits) -> tuple[Counting, hds.Session]:
    reporter = Counting()
    session = hds.Session(
        LOOP.format(rounds=40).encode(), kind="asm", kernel="bare", limits=limits, engine=make_engine("native", limits),
        reporter=reporter, prompt_messages=prompt,
    )  # fmt: skip
    session.execute("!syscall script { print(@rbx); }")
    return reporter, session


def test_a_reporter_of_texts_gets_them_together() -> None:
    reporter, session = counted(False, Limits(max_kept_messages=0))
    session.run()
    assert session.totals.messages == 80
    assert (len(reporter.texts), reporter.deliveries) == (80, 1)
    reporter, session = counted(True, Limits(max_kept_messages=0))
    session.run()
    assert (len(reporter.texts), reporter.deliveries) == (80, 0)


def test_a_session_that_keeps_messages_has_all_of_each() -> None:
    reporter, session = counted(False, Limits())
    session.run()
    assert reporter.deliveries == 0
    assert [message.text for message in session.messages] == reporter.texts


def test_what_a_reporter_leaves_since_it_raises_comes_again() -> None:
    class FailsError(Exception):
        pass

    taken: list[bytes] = []

    class Failing:
        def report(self, record: object, /) -> None:
            if isinstance(record, Message):
                if len(taken) == 5:
                    taken.append(b"lost")
                    raise FailsError
                taken.append(record.text)

    session = hds.Session(
        LOOP.format(rounds=10).encode(), kind="asm", kernel="bare", engine=make_engine("native"), reporter=Failing(),
        prompt_messages=False,
    )  # fmt: skip
    session.execute("!syscall script { print(@rbx); }")
    with pytest.raises(FailsError):
        session.run()
    session.run()
    assert len(taken) == 20


@pytest.mark.parametrize("prompt", [True, False])
def test_a_prompt_session_tells_before_the_guest_goes_on(prompt: bool) -> None:
    seen: list[int] = []
    session: hds.Session

    class Reading:
        def report(self, record: object, /) -> None:
            if isinstance(record, Message):
                seen.append(session.machine.executed)

    session = hds.Session(
        LOOP.format(rounds=4).encode(), kind="asm", kernel="bare", engine=make_engine("native"), reporter=Reading(),
        prompt_messages=prompt,
    )  # fmt: skip
    session.execute("!syscall script { print(@rbx); }")
    session.run()
    assert len(set(seen)) == (8 if prompt else 1)


def test_a_reporter_that_asks_for_messages_meanwhile_gets_each_once() -> None:
    taken: list[bytes] = []
    session: hds.Session

    class Asking:
        def report(self, record: object, /) -> None:
            if isinstance(record, Message):
                taken.append(record.text)
                session.machine.messages.catch_up()

    session = hds.Session(
        LOOP.format(rounds=10).encode(), kind="asm", kernel="bare", engine=make_engine("native"), reporter=Asking(),
        prompt_messages=False,
    )  # fmt: skip
    session.execute("!syscall script { print(@rbx); }")
    session.run()
    assert [int(text, 16) for text in taken] == [rounds for rounds in range(10, 0, -1) for _ in range(2)]
