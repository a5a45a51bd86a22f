"""What there is to say of a text that nobody runs: findings, and what its names mean, for `hds check` and editors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from lang import Compiler, Diagnostic, Reference, SourceFile


class Checked(msgspec.Struct, frozen=True):
    """The findings about one text, one for a code and place, and its references, if the compiler was asked for them.

    `unchecked_blocks` of assembly text could not be looked at: the assembler is not installed.
    """

    diagnostics: tuple[Diagnostic, ...]
    references: tuple[Reference, ...] = ()
    unchecked_blocks: int = 0


def check_text(source: SourceFile, compiler: Compiler, *, script: bool) -> Checked:
    """Compile a bare script, or all scripts of a command file, which share their globals, in order. Runs nothing.

    The compiler is that of this text alone. Never raises for what is in the text.
    """
    if script:
        made = compiler.compile(source)
        return Checked(made.diagnostics, made.references)
    # Bare scripts, as editors check them at every key, do without the command level.
    from hds.session.availability import refused_commands
    from hds.session.scripts import Scripts
    from vm import GlobalStore, Interpreter

    limits = compiler.limits
    prepared = Scripts(compiler, Interpreter(limits), GlobalStore(limits)).prepare(source)
    found = [*prepared.diagnostics, *refused_commands(prepared.file)]
    # A file that several events name is compiled for each, because of the globals, and reported once.
    places = {(item.code, item.span.file.name, item.span.start, item.span.end): item for item in found}
    mentions = {(item.span.file.name, item.span.start): item for item in prepared.references}
    return Checked(tuple(places.values()), tuple(mentions.values()), prepared.file.unchecked_blocks)
