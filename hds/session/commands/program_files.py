"""`.pe header|section`: a PE file of the host, which is not loaded (events-and-commands E.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.session.commands.handler import Handler, incorrect_use
from hds.session.refused import CommandFailed
from machine.debugger import a88
from machine.loaders import LoadError, PeHeaders, PeSection, read_headers
from vm import FileRefused, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command
    from machine.loaders import PeField

_MOST_SHOWN = 0x10_0000  # bytes of one section
_MOST_SHOWN_IN_ALL = 0x40_0000
_ROW = 16


def show(session: Session, command: Command, prepared: Prepared) -> None:
    """`.pe header FILE` and `.pe section NAME FILE`."""
    words = [token.text for token in command.tokens]
    match [word.lower() for word in words]:
        case ["header", _]:
            session.show("".join(f"{line}\n" for line in _headers(_read(session, words[1]))))
        case ["section", _, _]:
            session.show("".join(f"{line}\n" for line in _contents(_read(session, words[2]), words[1])))
        case _:
            raise incorrect_use(command)


def _read(session: Session, name: str) -> PeHeaders:
    path = session.locate(name)
    try:
        return read_headers(read_file(path, session.limits, "max_guest_memory"))
    except FileRefused as error:
        raise CommandFailed(f"err, {error}", error.hint) from None
    except LoadError as error:
        raise CommandFailed(f"err, {path} is {error}") from None


def _headers(found: PeHeaders) -> Iterator[str]:
    yield from _table("DOS header", found.dos)
    if found.rich:
        yield from ("", "Rich header:")
        yield from (f"  product {row.product:04x}  build {row.build:04x}  count {row.count:x}" for row in found.rich)
    yield ""
    yield from _table("COFF header", found.coff)
    yield ""
    yield from _table("optional header", found.optional)
    yield from ("", "data directories:")
    yield from (f"  {row.name:<16} address {row.address:08x}  size {row.size:08x}" for row in found.directories)
    for section in found.sections:
        yield ""
        yield from _table(f"section {section.name}", section.fields)


def _table(title: str, fields: Sequence[PeField]) -> Iterator[str]:
    yield f"{title}:"
    yield from (f"  {field.name:<28} {field.value:0{2 * field.size}x}" for field in fields)


def _contents(found: PeHeaders, name: str) -> Iterator[str]:
    """The bytes of all sections of that name, in the layout of `db`, by their addresses in the image."""
    chosen = [section for section in found.sections if section.name == name]
    if not chosen:
        names = ", ".join(section.name for section in found.sections)
        raise CommandFailed(f"err, there is no section '{name}'", f"there are {names}" if names else None)
    base = next((field.value for field in found.optional if field.name == "ImageBase"), 0)
    left = _MOST_SHOWN_IN_ALL
    for section in chosen:
        yield from _table(f"section {section.name}", section.fields)
        size = min(len(section.data), _MOST_SHOWN, left)
        left -= size
        yield from _rows(section, base, size)
        if size < len(section.data):
            yield f"({len(section.data) - size:x} more bytes are not shown)"


def _rows(section: PeSection, base: int, size: int) -> Iterator[str]:
    start = base + next(field.value for field in section.fields if field.name == "VirtualAddress")
    for at in range(0, size, _ROW):
        row = section.data[at : min(at + _ROW, size)]
        shown = "".join(f"{byte:02X} " for byte in row).ljust(3 * _ROW)
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        yield f"{a88(start + at & 0xFFFF_FFFF_FFFF_FFFF)}  {shown} {text}"


HANDLERS: dict[str, Handler] = {".pe": show}
