"""`hds run [OPTION...] SCRIPT [PROGRAM [ARG...]]`: what is said when the words stand in another order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from hds.exit_codes import ExitCode
from hds.inputs import refuse
from machine.loaders.reading import KIND_OF_SUFFIX, describe, looks_at
from vm.files import FileRefused

_OF_EVERY_PROGRAM = ("--help", "--version")  # flags that are as likely meant for the guest


def refuse_wrong_order(script: str, words: Sequence[str]) -> None:
    """Exit if SCRIPT is a program, or an option stands behind it; `words` are PROGRAM and its arguments."""
    if words and words[0].startswith("-") and not Path(words[0]).exists():
        refuse(
            f"{words[0]} stands behind SCRIPT: options come before SCRIPT",
            ExitCode.USAGE,
            f"hds run {words[0]} ... {script} PROGRAM",
        )
    what = _program(script, words[0] if words else None)
    if what is not None:
        program = f"{words[0]} {script}" if words else f"SCRIPT {script}"
        refuse(f"{script} is {what}: SCRIPT comes first", ExitCode.USAGE, f"hds run {program}")


def _program(script: str, other: str | None) -> str | None:
    """What the file is, if it is no script but a program of any kind; `other` may be the script then."""
    path, what = Path(script), _content(script)
    if what is None:
        return None
    kind = KIND_OF_SUFFIX.get(path.suffix.lower())
    if kind is not None and kind.is_text and what == "text":
        return kind.what
    if what.endswith(" program"):
        return what
    if what == "text" or ((kind is None or kind.is_text) and (other is None or _content(other) != "text")):
        return None
    return what if kind is None else kind.what


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
