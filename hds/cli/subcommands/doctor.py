"""`hds doctor --root DIR [PROGRAM]`: what a folder laid out like C: lacks, and what becomes of its ntdll's calls.

Nothing is executed. Files of a program's closure are the DLLs that it imports, directly or not; it may be a DLL itself.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NoReturn

import msgspec

from hds.cli.options import Reading, add_drives, add_limits, options_of
from hds.exit_codes import ExitCode
from hds.inputs import refuse

if TYPE_CHECKING:
    from pathlib import Path

    from machine.kernel import ListedCall
    from machine.loaders import Broken, LoadError

MISSING, BROKEN = "missing", "broken"
_NTDLL = "ntdll.dll"


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.add_argument(
        "--root", required=True, metavar="DIR", help="a folder laid out like C:, as in `hds run --root`"
    )
    parser.add_argument(
        "program", nargs="?", metavar="PROGRAM", help="a Windows program or DLL: is in the folder what it imports?"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one object a line")
    add_drives(parser)
    add_limits(parser)


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    root: str
    program: str | None
    format: str
    reading: Reading

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return options_of(cls, found, reading=Reading.of(found))


def run(options: Options) -> ExitCode:
    """Say what the folder is good for; FAILED where files, or exports, are missing, or files are broken."""
    from machine.kernel import DEFAULT_BUILD
    from machine.kernel.nt import nt_calls
    from machine.loaders import LoadError, ntdll_of, system_files

    root, limits = options.reading.folder(options.root), options.reading.limits
    try:
        system = system_files(root, limits)
        ntdll = ntdll_of(root, limits) if isinstance(system[_NTDLL], str) else None
        calls = () if ntdll is None else tuple(nt_calls(DEFAULT_BUILD.number, ntdll))
        files = {(row.name, row.export): row for row in _files(options, root, system)}
    except LoadError as error:
        _refuse(error)
    rows = list(files.values())
    lines = _json(calls, rows) if options.format == "json" else _text(calls, rows)
    print("\n".join(lines))
    return ExitCode.FAILED if any(row.here in (MISSING, BROKEN) for row in rows) else ExitCode.OK


def _refuse(error: LoadError) -> NoReturn:
    from machine.loaders import UnreadableFile

    code = ExitCode.NO_INPUT if isinstance(error, UnreadableFile) else ExitCode.GUEST
    refuse(str(error), code, error.hint or None)


class _File(msgspec.Struct, frozen=True):
    """A file, the guest's path of it or that it is missing, and then the modules of the program that import it.

    `export` is one that such a module wants, and the file does not have. `why` the file at `path` is broken.
    """

    name: str
    here: str
    importers: tuple[str, ...] = ()
    export: str = ""
    path: str = ""
    why: str = ""

    @classmethod
    def broken(cls, name: str, found: Broken) -> _File:
        """One that cannot be loaded."""
        return cls(name, BROKEN, tuple(found.importers), path=found.path, why=found.why)


def _files(options: Options, root: Path, system: Mapping[str, str | Broken | None]) -> Iterator[_File]:
    """What every program needs, and what this one imports."""
    from pathlib import Path

    from machine.loaders import plan_of

    for name, found in system.items():
        yield _File(name, found or MISSING) if found is None or isinstance(found, str) else _File.broken(name, found)
    if options.program is None or system[_NTDLL] is None:
        return
    plan = plan_of(Path(options.reading.locate(options.program)), root, options.reading.limits)
    yield from (_File.broken(name, found) for name, found in plan.broken.items())
    yield from (_File(module.name, module.path) for module in plan.modules.values())
    yield from (_File(name, MISSING, tuple(importers)) for name, importers in plan.missing.items())
    importers: dict[tuple[str, str], list[str]] = {}
    for each in plan.unmet:
        if each.dll not in plan.missing:
            importers.setdefault((each.dll, each.export), []).append(each.importer)
    yield from (_File(name, MISSING, tuple(by), export) for (name, export), by in importers.items())


def _json(calls: tuple[ListedCall, ...], files: list[_File]) -> Iterator[str]:
    for row in calls:
        yield json.dumps({"type": "call", "number": row.number, "call": row.name, "here": row.answer})
    for file in files:
        kind = {"type": "export", "export": file.export} if file.export else {"type": "file"}
        why = {"path": file.path, "why": file.why} if file.why else {}
        yield json.dumps({**kind, "file": file.name, "here": file.here, "importers": file.importers, **why})


def _text(calls: tuple[ListedCall, ...], files: list[_File]) -> Iterator[str]:
    counts = Counter(row.state for row in calls)
    is_broken = any(file.name == _NTDLL and file.here == BROKEN for file in files)
    none = "it is broken" if is_broken else "there is no ntdll"
    yield f"calls of ntdll: {', '.join(f'{count} {state}' for state, count in counts.items()) or none}"
    for state in counts:
        yield f"{state}:"
        yield from (f"  {row.number:<14} {row.name}" for row in calls if row.state == state)
    missing = [bool(file.export) for file in files if file.here == MISSING]
    broken = sum(file.here == BROKEN for file in files)
    exports = f"; {sum(missing)} {MISSING} in them" if any(missing) else ""
    others = f", {broken} {BROKEN}" if broken else ""
    yield f"files: {len(files) - len(missing) - broken} found, {missing.count(False)} {MISSING}{others}{exports}"
    for file in files:
        importers = f" (imported by {', '.join(file.importers)})" if file.importers else ""
        what = f"{file.path or file.name}{f'!{file.export}' if file.export else ''}{importers}"
        yield f"  {file.here:<44} {what}{f': {file.why}' if file.why else ''}"
