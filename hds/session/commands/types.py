"""Types: `dt` and `!dt` show structures in memory, `struct` declares them (events-and-commands E.7)."""

from __future__ import annotations

import struct as bytes_of
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import msgspec

from hds.session.commands.handler import Arguments, Handler, address, incorrect_use
from hds.session.commands.memory import LONGEST_DISPLAY, space_of, unreadable
from hds.session.refused import CommandFailed, unresolved
from lang import nearest_name, types
from machine.debugger import a88
from vm import FileRefused, write_file

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command, Token

_WITHOUT_EFFECT = frozenset(("bitfield", "bitfields", "native", "decl", "def", "func", "pragma"))
_YES_OR_NO = _WITHOUT_EFFECT | {"padding", "offset", "offsets"}
_INLINE = ("none", "unnamed", "unamed", "all")
_WITH_TEXT = frozenset(("prefix", "suffix", "output", "pid", "inline"))
_LINKS = "_LIST_ENTRY"
_PADDING = "Padding"
_T = TypeVar("_T")


class _Options(msgspec.Struct):
    """What follows the type, and the address."""

    place: Token | None = None
    flags: dict[str, bool] = msgspec.field(default_factory=dict)
    texts: dict[str, Token] = msgspec.field(default_factory=dict)

    def text(self, name: str) -> str:
        """The value of an option; empty when it was not given."""
        return self.texts[name].text if name in self.texts else ""

    @property
    def expands(self) -> bool:
        """Whether structures within are shown with their members."""
        return self.text("inline").lower() == "all"


def _options(command: Command) -> _Options:
    found, tokens = _Options(), iter(command.tokens[1:])
    for token in tokens:
        name = token.lower
        if name not in _YES_OR_NO and name not in _WITH_TEXT:
            if found.place is not None or command.canonical_name == "struct":
                raise CommandFailed(f"err, unknown argument at '{token.text}'")
            found.place = token
            continue
        value = next(tokens, None)
        if value is None:
            raise CommandFailed(f"err, incomplete argument at '{token.text}'")
        if name in _WITH_TEXT:
            found.texts[name] = value
        elif value.lower in ("yes", "no"):
            found.flags[name.removesuffix("s")] = value.lower == "yes"
        else:
            raise CommandFailed(f"err, please specify yes or no for '{token.text}', not '{value.text}'")
    if "inline" in found.texts and found.text("inline").lower() not in _INLINE:
        raise CommandFailed(f"err, 'inline' is none, unnamed or all, not '{found.text('inline')}'")
    return found


def _types(session: Session, command: Command) -> list[types.Struct]:
    """The structures that the first parameter names, with * and ? all that fit. Raises CommandFailed."""
    mask = command.tokens[0].text.rpartition("!")[2] if command.tokens else ""
    if "*" not in mask and "?" not in mask:
        return [_type(session, command)]
    library = session.symbols.types
    found = (library.find(name) for name in sorted(library.names) if fnmatchcase(name, mask))
    chosen = [kind for kind in found if isinstance(kind, types.Struct) and kind.members is not None]
    if not chosen:
        raise unresolved(command.tokens[0].text, "no structure has such a name")
    return chosen


def _type(session: Session, command: Command) -> types.Struct:
    """The structure that the first parameter names. Raises CommandFailed."""
    if not command.tokens:
        raise incorrect_use(command)
    written = command.tokens[0].text
    library = session.symbols.types
    found = library.find(written)
    if isinstance(found, types.Struct) and found.members is not None:
        return found
    if found is not None:
        raise CommandFailed(f"err, '{written}' is no structure with members: `{found}`")
    near = nearest_name(written.rpartition("!")[2], library.names)
    hint = f"did you mean `{near}`?" if near else "`.sym add` adds types"
    raise unresolved(written, "there is no such type", hint)


# --- what a structure has


class _Shown(msgspec.Struct, frozen=True):
    """A member, or a stretch of bytes that belongs to none: `type` is None. `level` counts the structures around it."""

    level: int
    offset: int
    name: str
    type: types.Type | None
    size: int


def _members(kind: types.Struct, padding: bool, level: int = 0, base: int = 0) -> Iterator[_Shown]:
    """What a structure that begins at `base` has, in order; with `padding`, what lies between its members as well."""
    end = 0
    for member in sorted(kind.members or (), key=lambda each: each.offset):
        if padding and member.offset > end:
            yield _Shown(level, base + end, f"{_PADDING}_{end:x}", None, member.offset - end)
        yield _Shown(level, base + member.offset, member.name, member.type, member.type.size)
        end = max(end, member.offset + member.type.size)
    if padding and kind.size > end:
        yield _Shown(level, base + end, f"{_PADDING}_{end:x}", None, kind.size - end)


def _all_members(kind: types.Struct, options: _Options, level: int = 0, base: int = 0) -> Iterator[_Shown]:
    """The same with what is in structures within, if it is wanted; without padding unless that is."""
    for shown in _members(kind, options.flags.get("padding", False), level, base):
        yield shown
        if options.expands and isinstance(shown.type, types.Struct):
            yield from _all_members(shown.type, options, level + 1, shown.offset)


def _declaration(kind: types.Struct, options: _Options, indent: str = "  ", base: int = 0) -> Iterator[str]:
    """The lines between the braces of a structure."""
    for shown in _members(kind, options.flags.get("padding", True), 0, base):
        comment = f"/* 0x{shown.offset:04x} */ " if options.flags.get("offset", True) else ""
        if options.expands and isinstance(shown.type, types.Struct):
            yield f"{indent}{comment}struct {shown.type.tag}"
            yield f"{indent}{{"
            yield from _declaration(shown.type, options, f"{indent}  ", shown.offset)
            yield f"{indent}}} {shown.name};"
        else:
            yield f"{indent}{comment}{_declared(shown)};"


def _declared(shown: _Shown) -> str:
    """A member as the script language declares it: its numbers are hexadecimal."""
    kind, sizes = shown.type, ""
    if kind is None:
        return f"unsigned char {shown.name}[0x{shown.size:x}]"
    while isinstance(kind, types.Array):
        sizes += f"[0x{kind.count:x}]"
        kind = kind.element
    return f"{kind}{'' if isinstance(kind, types.Pointer) else ' '}{shown.name}{sizes}"


# --- values


def _value(kind: types.Type | None, data: bytes) -> str:
    """What the bytes of a member mean; empty for those that have no short form."""
    match kind:
        case types.Array(element=types.Integer(size=1)):
            text = data.partition(b"\0")[0]
            return f'"{text.decode("ascii")}"' if text.isascii() and text.decode().isprintable() else ""
        case types.Array() | None | types.Void():
            return ""
        case types.Struct() if kind.tag == _LINKS and len(data) == kind.size:
            forward, backward = bytes_of.unpack("<QQ", data)
            return f"{_LINKS} [ {a88(forward)} - {a88(backward)} ]"
        case types.Struct():
            return kind.tag
    if len(data) < kind.size:
        return "??"
    number = int.from_bytes(data, "little")
    match kind:
        case types.Pointer():
            return a88(number) if number else "(null)"
        case types.Float():
            return f"{bytes_of.unpack('<f' if kind.size == 4 else '<d', data)[0]:f}"
    return f"0x{number:x}"


# --- commands


def show(session: Session, command: Command, prepared: Prepared) -> None:
    """`dt TYPE [ADDRESS]`: the members with their offsets, and what is there."""
    kind, options = _type(session, command), _options(command)
    data: bytes | None = None
    if options.place is not None:
        start = address(session, options.place)
        if not start:
            raise CommandFailed("err, please enter a valid address")
        pid = {"pid": options.texts["pid"]} if "pid" in options.texts else {}
        data = space_of(session, command, Arguments(keyed=pid)).read_up_to(start, min(kind.size, LONGEST_DISPLAY))
        if not data:
            raise unreadable(command)
    lines = [f" {kind.tag}"]
    for shown in _first(session, _all_members(kind, options)):
        line = f"  {'  ' * shown.level}+0x{shown.offset:04x} {_declared(shown)}"
        value = "" if data is None else _value(shown.type, data[shown.offset : shown.offset + shown.size])
        lines.append(f"{line} : {value}" if value else line)
    _give(session, options, lines)


def declare(session: Session, command: Command, prepared: Prepared) -> None:
    """`struct TYPE`: its declaration, which the script language reads."""
    kinds, options = _types(session, command), _options(command)
    _give(session, options, _first(session, (line for kind in kinds for line in _structure(kind, options))))


def _structure(kind: types.Struct, options: _Options) -> Iterator[str]:
    yield f"struct {options.text('prefix')}{kind.tag}{options.text('suffix')}"
    yield "{"
    yield from _declaration(kind, options)
    yield f"}}; /* size: 0x{kind.size:04x} */"


def _first(session: Session, members: Iterator[_T]) -> list[_T]:
    """As many members as are shown at once. Raises CommandFailed where there are more."""
    most = session.limits.max_shown_members
    found = list(islice(members, most + 1))
    if len(found) > most:
        raise CommandFailed(f"err, more than {most} members are not shown at once (limit max_shown_members)")
    return found


def _give(session: Session, options: _Options, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if "output" not in options.texts:
        session.show(text)
        return
    path = session.locate(options.text("output"))
    try:
        write_file(path, text.encode(), guarded=session.guest_folder)
    except FileRefused as error:
        raise CommandFailed(f"err, {error}", error.hint) from None
    session.show(f"the types are saved at: {path}\n")


HANDLERS: dict[str, Handler] = {"dt": show, "!dt": show, "struct": declare}
