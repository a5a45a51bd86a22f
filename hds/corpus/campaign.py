"""What is run on every program: a script, compiled once, and options; and the key under which a run is kept."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from hds.corpus.refusals import CommandRefused, ScriptRefused
from hds.version import VERSION
from lang import Code, Compiler, Severity, SourceFile, SymbolTable
from vm import Bundle, Program, write_bundle
from vm.facts.limits import DEFAULT_LIMITS, Limits

DEFAULT_TIMEOUT = 60.0
DEFAULT_MEMORY = 2 << 30
_OF_PROGRAMS = (Code.UNKNOWN_SYMBOL,)  # what a script may lack while there is no program


class Identity(msgspec.Struct, frozen=True):
    """What the results of one folder have in common: whatever of it changes, a program's run is another one."""

    script: str  # its name
    digest: str  # of its texts: SHA-256
    options: dict[str, Any]
    version: str  # of hds

    def difference(self, other: Identity) -> str:
        """Why the results of the other do not belong here, as the end of a sentence."""
        if self.version != other.version:
            return f"made by hds {self.version}, and this is {other.version}"
        if self.digest != other.digest or self.script != other.script:
            return f"the script is another one ({self.script})"
        mine, its = self.options, other.options
        names = sorted(name for name in mine | its if mine.get(name) != its.get(name))
        return f"other options ({', '.join(names)})"


class Budget(msgspec.Struct, frozen=True):
    """What a program may cost. It says nothing of what the program does, and is in no key.

    `timeout` is in seconds of real time, `memory` in bytes beyond those that hds needs itself.
    """

    timeout: float = DEFAULT_TIMEOUT
    memory: int = DEFAULT_MEMORY


class Settings(msgspec.Struct, frozen=True):
    """The options of each run, as those of `hds run`."""

    kind: str | None = None
    kernel: str | None = None
    name: str | None = None  # of the guest; None: `program`, or `program.exe`
    arguments: tuple[str, ...] = ()  # of the guest
    environment: tuple[str, ...] = ()
    root: str | None = None
    seed: int = 0
    engine: str | None = None
    record: tuple[str, ...] = ("triggers",)
    limits: Limits = DEFAULT_LIMITS
    folders: tuple[str, ...] = ()  # of includes
    symbols: dict[str, int] = {}


class Campaign(msgspec.Struct, frozen=True, dict=True):
    """A campaign as workers get it. `bundle` has the compiled scripts (`.hdc`).

    Where a script names symbols of programs, it has the text only, and the scripts are compiled for each of them.
    """

    identity: Identity
    settings: Settings
    bundle: bytes
    is_compiled: bool
    budget: Budget

    def key(self, sha256: str, kind: str | None) -> str:
        """The key of a program's run; `kind` is what the name of its file says it is."""
        found = self._of_all_keys.copy()
        found.update(msgspec.json.encode((sha256, kind))[1:])
        return found.hexdigest()

    @cached_property
    def _of_all_keys(self) -> hashlib._Hash:
        """The digest of what all keys begin with: they are those of [identity, sha256, kind], as JSON."""
        return hashlib.sha256(msgspec.json.encode([msgspec.to_builtins(self.identity)], order="sorted")[:-1] + b",")


def new_campaign(source: SourceFile, compiled: Bundle | None, settings: Settings, budget: Budget) -> Campaign:
    """Compile a script for many programs. Raises ScriptRefused."""
    from hds.session import read_command_file, refused_commands

    refused = list(refused_commands(read_command_file(source, settings.limits)))
    if refused:
        raise CommandRefused("a command of the script is refused for all programs", refused)
    name = Path(source.name).name
    texts = [source.text]
    is_compiled = True
    if compiled is None:
        compiled, texts = _compiled(source, settings)
        is_compiled = compiled is not None
    bundle = write_bundle(Bundle(name, source.text, compiled.programs if compiled else ()))
    identity = Identity(
        name, _digest((texts, bundle.hex())), msgspec.json.decode(msgspec.json.encode(settings)), VERSION
    )
    return Campaign(identity, settings, bundle, is_compiled, budget)


def _compiled(source: SourceFile, settings: Settings) -> tuple[Bundle | None, list[str]]:
    """The compiled scripts, or None where they need symbols of programs; and all texts. Raises ScriptRefused."""
    from hds.session import announce_symbols, read_command_file

    limits = settings.limits
    folders = tuple(map(Path, settings.folders))
    table = SymbolTable(settings.symbols)  # without those of a kernel, which depend on the program
    compiler = Compiler(limits, folders, symbols=table, portability=False)
    file = read_command_file(source, limits)
    announce_symbols(file.commands, compiler)
    findings = list(file.findings)
    programs = []
    for script in file.scripts:
        made = script.compile(compiler)
        findings += made.diagnostics
        if made.program is not None:
            programs.append((script.key, _without_folder(made.program, Path(source.name).parent)))
    errors = [item for item in findings if item.severity is Severity.ERROR]
    wrong = [item for item in errors if item.code not in _OF_PROGRAMS]
    if wrong:
        raise ScriptRefused("the script does not compile", wrong)
    texts = list(dict.fromkeys([source.text, *(script.text.text for script in file.scripts)]))
    if not errors:
        return Bundle(source.name, source.text, tuple(sorted(programs))), texts
    if any("#include" in text for text in texts) or len(texts) > 1:
        raise ScriptRefused(
            "a script that names symbols of programs is compiled for each of them, and cannot include files",
            errors,
            "put all of it into one file, or give addresses with --symbol",
        )
    return None, texts


def _without_folder(program: Program, folder: Path) -> Program:
    """A program whose files have the names that they have from a folder on: where that is does not matter."""
    names = {row.name: Path(row.name) for row in program.sources}
    shown = {name: str(path.relative_to(folder)) for name, path in names.items() if path.is_relative_to(folder)}
    sources = tuple(replace(row, name=shown.get(row.name, row.name)) for row in program.sources)
    return replace(program, sources=sources)


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
