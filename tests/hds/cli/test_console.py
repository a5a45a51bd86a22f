"""The `HyperDbg> ` prompt: unfinished lines, repetition, leaving, and `hds console` (events-and-commands A.1)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hds_guests import TWO_CALLS, command_line, command_line_together, listing_file, session

import hds.cli.console
import hds.cli.subcommands.run
from hds.cli.console import Console
from hds.report.reporters import Questions


def console(*typed: str | type[BaseException]) -> tuple[Console, list[str]]:
    """A console for what a user types, and the prompts that it shows; behind it the input ends."""
    prompts: list[str] = []
    answers = iter(typed)

    def read_line(prompt: str) -> str:
        prompts.append(prompt)
        answer = next(answers, EOFError)
        if isinstance(answer, str):
            return answer
        raise answer

    return Console(read_line), prompts


def test_commands_are_read_one_after_the_other() -> None:
    made, prompts = console("r rax", "events")
    assert [made.next_commands() for _ in range(3)] == ["r rax", "events", None]
    assert prompts == ["HyperDbg> "] * 3


def test_a_line_with_an_open_brace_or_quote_goes_on() -> None:
    made, prompts = console("? {", "  print(1);", "}", '.script "a', 'b"')
    assert [made.next_commands() for _ in range(2)] == ["? {\n  print(1);\n}", '.script "a\nb"']
    assert prompts == ["HyperDbg> ", "> ", "> ", "HyperDbg> ", "> "]


def test_an_unfinished_command_is_handed_on_at_the_end_of_the_input() -> None:
    made, _ = console("? {")
    assert [made.next_commands() for _ in range(2)] == ["? {\n", None]


@pytest.mark.parametrize("word", ["q", "Q", "quit", " q "])
def test_q_leaves(word: str) -> None:
    made, _ = console(word, "r rax")
    assert (made.next_commands(), made.left, made.next_commands()) == (None, True, None)


def test_ctrl_c_drops_what_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    made, _ = console("? {", KeyboardInterrupt, "r rax")
    assert made.next_commands() == "r rax"
    assert capsys.readouterr().err == "\n"


def test_an_empty_line_repeats_commands_that_walk_on() -> None:
    made, _ = console("t", "", "db 400000", "  ")
    assert [made.next_commands() for _ in range(4)] == ["t", "t", "db 400000", "db 400000"]


def test_an_empty_line_does_not_repeat_other_commands() -> None:
    made, _ = console("", "events", "", "r")
    assert [made.next_commands() for _ in range(3)] == ["events", "r", None]


def test_the_user_steps_and_examines_at_a_trigger() -> None:
    made, said = session()
    user, _ = console("!syscall 55", "g", "r rax", "t", "", "g")
    made.questions = Questions(next_commands=user.next_commands)
    user.interact(made)
    text = said.text
    assert "rax=0000000000000055\n" in text
    assert "00000000`00400013" in text
    assert text.endswith("program at 0x40001d: end\n")


def test_leaving_at_a_trigger_ends_the_session() -> None:
    made, said = session()
    user, _ = console("!syscall 55", "g", "q", "r rax")
    made.questions = Questions(next_commands=user.next_commands)
    user.interact(made)
    assert made.guest_alive
    assert "rax=" not in said.text


def test_mistakes_do_not_end_the_console() -> None:
    made, said = session()
    user, _ = console("bogus", "r zzz", "? print(", "print 1")
    user.interact(made)
    assert said.text.splitlines()[-1] == "1"
    assert said.text.startswith("E200 couldn't resolve command at 'bogus'\nE240 ")


def test_ctrl_c_stops_a_running_guest_and_not_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    made, said = session()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(made.execution, "run", interrupted)
    user, _ = console("g", "print 1")
    user.interact(made)
    assert said.text == "interrupted\n1\n"


def test_input_is_read_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: f"{prompt}typed")
    assert hds.cli.console.line_reader()("> ") == "> typed"


Answer = Callable[[str], str]


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A user at a terminal who types these lines and then leaves."""

    def types(*texts: str) -> None:
        answers = iter(texts)

        def answer(prompt: str) -> str:
            text = next(answers, None)
            if text is None:
                raise EOFError
            return text

        for module in (hds.cli.console, hds.cli.subcommands.run):
            monkeypatch.setattr(module, "on_terminal", lambda: True)
        monkeypatch.setattr(hds.cli.console, "line_reader", lambda session: answer)

    return types


def test_hds_console_waits_at_the_entry_of_the_program(user: Callable[..., None], tmp_path: Path) -> None:
    user("t", "g")
    text = command_line_together("console", listing_file(tmp_path))
    assert text.splitlines() == [
        "00000000`00400000    48 C7 C7 01 00 00 00                mov rdi, 0x01",
        "00000000`00400007    48 C7 C0 55 00 00 00                mov rax, 0x55",
        "guest.asm at 0x40001d: end",
    ]


def test_hds_console_works_without_a_program(user: Callable[..., None]) -> None:
    user("print 1 + 1", "r rip", "exit")
    ran = hds_run("console")
    assert ran == (0, "2\nrip=0000000000000000\n", "")


def test_a_halt_of_hds_run_on_a_terminal_opens_the_console(user: Callable[..., None], tmp_path: Path) -> None:
    user("r rip", "events sc on", "g")
    code, output, errors = hds_run("run", "-e", "!syscall 55", listing_file(tmp_path))
    assert output == "rip=000000000040000e\nthe event's short-circuiting state changed to 'on'\n"
    assert "event 0x0 triggered (pre)\n" in errors
    assert errors.endswith("guest.asm at 0x40001d: end\n")
    assert code == 0


def test_a_step_at_that_halt_keeps_the_console_open(user: Callable[..., None], tmp_path: Path) -> None:
    user("t", "r rip", "bp 400018", "g", "r rax", "q")
    _, output, errors = hds_run("run", "-e", "!syscall 55", listing_file(tmp_path))
    assert output.endswith("rip=0000000000400010\nrax=0000000000000066\n")
    assert "breakpoint 0x1 hit" in errors


def test_on_break_continue_asks_nobody(user: Callable[..., None], tmp_path: Path) -> None:
    user("r rip")
    _, output, _ = hds_run("run", "--on-break", "continue", "-e", "!syscall 55", listing_file(tmp_path, TWO_CALLS))
    assert output == ""


def hds_run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    ran = command_line(*arguments)
    return ran.code, ran.output, ran.errors
