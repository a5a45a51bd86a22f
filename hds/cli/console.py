"""The `HyperDbg> ` prompt: at a halt of `hds run` on a terminal, and for the whole session in `hds console`.

On a terminal prompt_toolkit edits what is typed (`hds.cli.prompt`), else input() reads lines. An empty line repeats
the last command if it is one of those that HyperDbg repeats; a line with an open brace or quote goes on with the next
one; `q` ends the session.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from hds.report import on_terminal, output
from hds.session import PROMPT, Arrived, Session, why_stopped
from lang import Code, SourceFile
from lang.commands import read_commands
from machine import StopCause
from machine.schedule import Terminated
from vm.facts.commands import COMMAND_BY_NAME

if TYPE_CHECKING:
    from hds.cli.progress import Progress
    from hds.session import Timeline

CONTINUATION = "> "
QUIT = ("q", "quit")
NAME = "<console>"

_UNFINISHED = (Code.BLOCK_NOT_CLOSED, Code.STRING_NOT_CLOSED)

ReadLine = Callable[[str], str]


def line_reader(session: Session | None = None) -> ReadLine:
    """What reads one text with a prompt; raises EOFError at the end of the input. A session has names to complete."""
    if on_terminal() and os.environ.get("TERM", "dumb") != "dumb":
        from hds.cli.prompt import line_editor

        edit = line_editor(session, _is_unfinished, CONTINUATION)
        return lambda prompt: _started(lambda: edit(prompt))
    _read_utf8()
    return lambda prompt: _started(lambda: input(prompt))


def _started(read: Callable[[], str]) -> str:
    """What is read at the beginning of a line."""
    if sys.stdin is None:
        raise EOFError
    stream = output()
    if stream.isatty():
        stream.start_line()
    stream.flush()
    text = read()
    stream.check()  # input() ignores what goes wrong
    return text


def _read_unbuffered(prompt: str) -> str:
    """A line of standard input, and not a byte behind it: what comes is for whoever goes on."""

    def read() -> str:
        stream = output()
        stream.write(prompt)
        stream.flush()
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(0, 1)
            if not byte and not line:
                raise EOFError
            if not byte:
                break
            line += byte
        return line.decode("utf-8", "backslashreplace").rstrip("\r\n")

    return _started(read)


def _read_utf8() -> None:
    """Commands are UTF-8, whatever the locale says; in other bytes the escape sequence is read that stands for them."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="backslashreplace")


class Console:
    """Reads commands for one session. `next_commands` serves `Questions.next_commands`."""

    def __init__(self, read_line: ReadLine | None = None) -> None:
        self._read_line = read_line
        self._last = ""
        self.session: Session | None = None  # once there is one
        self.timeline: Timeline | None = None
        self.progress: Progress | None = None
        self.left = False  # `q`, or the end of the input
        self.ended_by: KeyboardInterrupt | None = None  # a signal that came at the prompt and is to end the process

    def record(self, session: Session) -> None:
        """Let this console go back in a session from now on; not in parallel with another one."""
        from hds.session import Timeline

        self.timeline = Timeline(session, self.ask, self._take_over)
        if self._read_line is None and not on_terminal():
            self._read_line = _read_unbuffered

    def _take_over(self, typed: str) -> None:
        """This process is the front now: what another one has read since is not known here."""
        self._last = typed
        if self._read_line is not _read_unbuffered:
            self._read_line = None

    def next_commands(self) -> str | None:
        """What is to be carried out next: that of a replay, or of the user; None when they leave."""
        return self.ask() if self.timeline is None else self.timeline.next_commands()

    def ask(self) -> str | None:
        """The next command of the user, complete and not empty; None when they leave."""
        if self.progress is not None:
            self.progress.pause()
        text = self._ask()
        if self.progress is not None:
            self.progress.resume()
        return text

    def _ask(self) -> str | None:
        while not self.left:
            text = self._read_command()
            if text is None or text.strip().lower() in QUIT:
                self.left = True
                return None
            if text.strip():
                self._last = text if _is_repeated(text) else ""
                return text
            if self._last:
                return self._last
        return None

    def _read_command(self) -> str | None:
        """One line, and those that follow while a brace or quote is open. Ctrl-C drops what was typed."""
        read_line = self._read_line or line_reader(self.session)
        self._read_line = read_line
        text = ""
        while True:
            try:
                text += read_line(CONTINUATION if text else PROMPT)
            except EOFError:
                return text or None
            except Terminated as error:  # not raised here, perhaps in the middle of a trigger
                self.ended_by = error
                return None
            except KeyboardInterrupt:
                print(file=sys.stderr)
                text = ""
                continue
            if not _is_unfinished(text):
                return text
            text += "\n"

    def interact(self, session: Session) -> None:
        """Carry out what the user types until the session ends. Ctrl-C stops a running guest and nothing else.

        Raises Terminated, as `check`.
        """
        self.session = session
        while not session.ended:
            text = self.next_commands()
            self.check()
            if text is None:
                return
            before = session.totals.last
            try:
                session.interpret(SourceFile(NAME, text))
                last = session.totals.last
                if last is not before and last is not None and last.cause is not StopCause.BREAK:
                    session.notice(why_stopped(session))
            except Terminated:
                raise
            except KeyboardInterrupt:
                session.notice("interrupted")
                if self.timeline is not None:
                    self.timeline.interrupted()
            except Arrived:
                assert self.timeline is not None
                self.timeline.arrive()

    def check(self) -> None:
        """Raises machine.schedule.Terminated where a prompt was left for that."""
        if self.ended_by is not None:
            raise self.ended_by


def _is_unfinished(text: str) -> bool:
    _, errors = read_commands(SourceFile(NAME, text))
    return any(error.code in _UNFINISHED for error in errors)


def _is_repeated(text: str) -> bool:
    words = text.split(maxsplit=1)
    row = COMMAND_BY_NAME.get(words[0].lower())
    return row is not None and row.repeats
