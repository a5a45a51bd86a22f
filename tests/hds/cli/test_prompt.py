"""What keys do at the prompt: completion, blocks of several lines, history. No terminal is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hds_guests import session
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from hds.cli.console import CONTINUATION, _is_unfinished
from hds.cli.prompt import LineCompleter, line_editor
from hds.session import Session

ENTER, UP = "\r", "\x1b[A"


@pytest.fixture(autouse=True)
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "history"
    monkeypatch.setenv("HDS_HISTORY", str(path))
    return path


@pytest.fixture(scope="module")
def guest() -> Iterator[Session]:
    made, _ = session()
    with made:
        yield made


def typed(made: Session | None, keys: str, count: int = 1) -> str:
    """The last of so many texts that these keys make."""
    with create_pipe_input() as keyboard, create_app_session(keyboard, DummyOutput()):
        keyboard.send_text(keys)
        edit = line_editor(made, _is_unfinished, CONTINUATION)
        return [edit("HyperDbg> ") for _ in range(count)][-1]


def completed(made: Session, text: str) -> list[str]:
    """What a text may become by Tab, all of it, in order."""
    found = LineCompleter(made).get_completions(Document(text), CompleteEvent(completion_requested=True))
    return [text[: len(text) + item.start_position] + item.text for item in found]


@pytest.mark.parametrize(
    ("begun", "first"),
    [
        ("!hid", "!hide"),
        (".stat", ".status"),
        ("r r1", "r r10"),
        ("db @rfl", "db @rflags"),
        ("? print(@rfla", "? print(@rflags"),
        ("? print($pnam", "? print($pname"),
        ("? interlocked_exchange_a", "? interlocked_exchange_add"),
        ("!syscall sta", "!syscall stage"),
        ("!syscall stage po", "!syscall stage post"),
        ("u n", "u nt!"),
        (".help !epth", ".help !epthook2"),
        ("settings syn", "settings syntax"),
    ],
)
def test_what_was_begun_is_completed(guest: Session, begun: str, first: str) -> None:
    assert completed(guest, begun)[0] == first


def test_files_and_globals_are_completed(guest: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "first.hds").touch()
    monkeypatch.chdir(tmp_path)
    guest.execute("? .counter = 1;")
    assert completed(guest, ".script tra") == [".script traces/"]
    assert completed(guest, ".script traces/f") == [".script traces/first.hds"]
    assert completed(guest, "!syscall script { file:traces/") == ["!syscall script { file:traces/first.hds"]
    assert completed(guest, "? .cou") == ["? .counter"]
    assert completed(guest, '? printf("r') == []


def test_enter_in_an_open_block_begins_a_line(guest: Session) -> None:
    assert typed(guest, "? {\r  print(1);\r}\r") == "? {\n  print(1);\n  }"


def test_a_block_is_recalled_and_edited_as_one_in_the_next_session() -> None:
    assert typed(None, "? {\rprint(1);\r}\r") == "? {\nprint(1);\n}"
    assert typed(None, f"{UP} {ENTER}") == "? {\nprint(1);\n} "


def test_ctrl_d_is_the_end_and_ctrl_c_an_interruption(guest: Session) -> None:
    with pytest.raises(EOFError):
        typed(guest, "\x04")
    with pytest.raises(KeyboardInterrupt):
        typed(guest, "r rax\x03")
