"""`hds run [OPTION...] SCRIPT [PROGRAM [ARG...]]`: what is said when the words stand in another order."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from hds.exit_codes import ExitCode
from hds.inputs import refuse
from machine.loaders import KIND_OF_SUFFIX, PROGRAMS, SCRIPTS, TEXT, describe, looks_at
from vm import FileRefused

_SCRIPT_SUFFIXES = (".hds", ".ds")
_OF_EVERY_PROGRAM = ("--help", "--version")  # flags that are as likely meant for the guest


def refuse_wrong_order(script: str, words: Sequence[str]) -> None:
    """Exit if SCRIPT is a program, or an option stands behind it; `words` are PROGRAM and its arguments."""
    if words and words[0].startswith("-") and not Path(words[0]).exists():
        refuse(
            f"{words[0]} stands behind SCRIPT: options come before SCRIPT",
            ExitCode.USAGE,
            f"hds run {words[0]} ... {script} PROGRAM",
        )
    what, swapped = _program(script), bool(words) and _may_be_script(words[0])
    if what is None and swapped and _content(script) not in (None, *SCRIPTS):
        what = _content(script)
    if what is not None:
        order = [words[0], script, *words[1:]] if swapped else ["SCRIPT", script, *words]
        refuse(f"{script} is {what}: SCRIPT comes first", ExitCode.USAGE, shlex.join(["hds", "run", *order]))


def begins_with_program(words: Sequence[str]) -> bool:
    """Whether the first word is a program, and the second no script that was to come before it."""
    return bool(words) and _program(words[0]) is not None and not (len(words) > 1 and _may_be_script(words[1]))


def refuse_script_as_program(name: str, command: str, why: str = "PROGRAM was expected") -> None:
    """Exit if what stands where PROGRAM belongs is a script by its name and content; `command` is what is right."""
    if Path(name).suffix.lower() in _SCRIPT_SUFFIXES and _content(name) == TEXT:
        refuse(f"{name} is a script: {why}", ExitCode.USAGE, command)


def _program(name: str) -> str | None:
    """What the file is, if it is a program of any kind by its content or its name."""
    what, kind = _content(name), KIND_OF_SUFFIX.get(Path(name).suffix.lower())
    if what in PROGRAMS:
        return what
    return kind.what if kind is not None and what is not None and kind.is_text == (what == TEXT) else None


def _may_be_script(name: str) -> bool:
    """Whether the file is text and no listing, or is not there and has the name of a script."""
    content = _content(name)
    if content is None:
        return Path(name).suffix.lower() in _SCRIPT_SUFFIXES and not Path(name).exists()
    return content == TEXT and _program(name) is None


def _content(name: str) -> str | None:
    """What a file is; None for what is no file."""
    try:
        return describe(looks_at(Path(name)))
    except FileRefused:
        return None


def note_known_flags(words: Sequence[str], flags: Collection[str], notice: Callable[[str], None]) -> None:
    """A note for arguments of the guest that are flags of hds, too; they are passed to the guest."""
    found = [word for word in words[1:] if word.partition("=")[0] in flags]
    for word in dict.fromkeys(word.partition("=")[0] for word in found):
        if word.startswith("--") and word not in _OF_EVERY_PROGRAM:
            notice(f"note: {word} behind PROGRAM goes to the guest; options of hds come before PROGRAM")
