"""The prompt on a terminal, by prompt_toolkit: completion, history, blocks of several lines, colours.

Enter hands a text on when nothing in it is open, and else begins another line of it; the whole block is edited, and
recalled, as one. What may stand at the cursor is found by `hds.editor`, as for editors; colours are those of the lexer
for Pygments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer

from hds.cli import history
from hds.editor import Analyser, suggest
from hds.highlighting import HdsLexer
from hds.session import Session
from lang import PartKind

_LONGEST_DETAIL = 60
NAME = "<console>"


def line_editor(
    session: Session | None, is_unfinished: Callable[[str], bool], continuation: str
) -> Callable[[str], str]:
    """What reads one text with a prompt. Raises EOFError at Ctrl-D, KeyboardInterrupt at Ctrl-C."""
    bindings = KeyBindings()

    @bindings.add("enter")
    def enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if is_unfinished(buffer.text):
            indent = buffer.document.current_line_before_cursor
            buffer.insert_text("\n" + indent[: len(indent) - len(indent.lstrip())])
        else:
            buffer.validate_and_handle()

    prompts: PromptSession[str] = PromptSession(
        history=_Kept(),
        lexer=PygmentsLexer(HdsLexer),
        completer=None if session is None else LineCompleter(session),
        complete_while_typing=False,
        multiline=True,
        prompt_continuation=continuation,
        key_bindings=bindings,
        include_default_pygments_style=True,
    )
    return prompts.prompt


class _Kept(History):
    """The history of the user's file."""

    def load_history_strings(self) -> Iterable[str]:
        """Newest first."""
        return reversed(history.read())

    def store_string(self, string: str) -> None:
        """Keep one."""
        history.add(string)


class LineCompleter(Completer):
    """What the editor's room suggests, with the symbols, folders and globals that a session knows."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """The words that go on as the one at the cursor begins."""
        found = suggest(Analyser(self._session.scripts.compiler).analyse(NAME, document.text), document.cursor_position)
        if found is None:
            return
        begun = document.text[found.start : found.end]
        known = {item.word for item in found.items}
        if begun.startswith("."):
            for name in self._session.globals:
                if name.startswith(begun) and name not in known:
                    yield Completion(name, found.start - found.end, display_meta="global")
        for item in found.items:
            if (
                item.word.startswith(begun)
                if item.kind is PartKind.PATH
                else item.word.lower().startswith(begun.lower())
            ):
                yield Completion(item.word, found.start - found.end, display_meta=item.detail[:_LONGEST_DETAIL])
