"""`hds examples [FOLDER]`: the examples that come with hds, each with what it shows, or a copy to work on."""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

import msgspec

from hds.exit_codes import ExitCode

_TITLE = re.compile(r"//\s*(.+?)(?:[:;.](?:\s|$)|$)", re.MULTILINE)  # up to the end of its first clause
SUFFIX = ".hds"


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="a new folder, which gets a copy of all examples")


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    folder: Path | None

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return cls(Path(found.folder) if found.folder is not None else None)


def run(options: Options) -> ExitCode:
    """List the examples, or copy them with their guests and what they include."""
    from hds.report import refuse

    source = examples_folder()
    if options.folder is None:
        scripts = sorted(source.rglob(f"*{SUFFIX}"), key=lambda path: (len(path.parts), path))
        names = [path.relative_to(source).as_posix() for path in scripts]
        width = max(map(len, names))
        for name, path in zip(names, scripts, strict=True):
            print(f"{name:{width}}  {title(path.read_text(encoding='utf-8'))}")
        print("\n`hds examples FOLDER` copies them; the head of each shows how it is run.")
        return ExitCode.OK
    try:
        shutil.copytree(source, options.folder)
    except FileExistsError:
        refuse(f"{options.folder} exists already", ExitCode.NO_INPUT, "name a folder that is not there")
    except OSError as error:  # shutil.Error is one; what was copied stays
        refuse(f"cannot copy the examples to {options.folder}: {error.strerror or error}", ExitCode.NO_INPUT)
    print(f"examples are in {options.folder}; to begin with:")
    print(f"  hds run {options.folder / 'syscall_log.hds'} {options.folder / 'guests' / 'greet.asm'}")
    return ExitCode.OK


def examples_folder() -> Path:
    """Where the examples are: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[2]
    installed = package / "examples"
    return installed if installed.is_dir() else package.parent / "examples"


def title(text: str) -> str:
    """What the head of an example says it is, up to the end of its first clause."""
    found = _TITLE.match(text)
    return found[1] if found else ""
