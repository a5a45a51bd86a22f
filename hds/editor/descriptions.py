"""What is said of a name, a number or a command, as Markdown: from the tables, and from what the checker found out."""

from __future__ import annotations

import msgspec

from hds.editor.document import Document
from lang import Definition, DefinitionKind, Part, PartKind, Place
from lang.commands import row_of
from vm.facts import numbers
from vm.facts.builtins import ALIASES, BUILTIN_BY_NAME, Builtin
from vm.facts.commands import COMMAND_BY_NAME, CommandRow, Support
from vm.facts.events import EVENT_BY_NAME, EVENT_OPTIONS
from vm.facts.pseudo_registers import PSEUDO_INDEX, PSEUDO_REGISTERS
from vm.facts.registers import REGISTER_INDEX, REGISTERS, STORAGES

_SIGN = 1 << 63


class Description(msgspec.Struct, frozen=True):
    """Markdown about the characters [start, end) of a text."""

    markdown: str
    start: int
    end: int


def describe(document: Document, offset: int) -> Description | None:
    """What there is to say of what stands at an offset."""
    part = document.part_at(offset)
    if part is None:
        return None
    text = _about(document, part)
    return Description(text, part.start, part.end) if text else None


def _about(document: Document, part: Part) -> str | None:
    word = document.text[part.start : part.end]
    match part.kind:
        case PartKind.COMMAND | PartKind.EVENT:
            return about_command(COMMAND_BY_NAME[word.lower()])
        case PartKind.OPTION | PartKind.CONSTANT:
            line = document.line_at(part.start)
            row = row_of(line) if line else None
            return about_option(word.lower(), row) if row else None
        case PartKind.NUMBER if "." not in word:
            dialect = numbers.SCRIPT if document.script_at(part.start) else numbers.COMMAND
            value = numbers.number_in(word, dialect)
            return None if value is None else about_number(value)
        case PartKind.REGISTER:
            return about_register(word.lstrip("@"))
        case PartKind.PSEUDO_REGISTER:
            return about_pseudo_register(word[1:])
        case PartKind.SYMBOL:
            return _about_symbol(document, word)
    reference = document.reference_at(part.start)
    if reference is not None and reference.definition is not None:
        return about_definition(reference.definition, document)
    if part.kind is PartKind.BUILTIN:
        return about_builtin(BUILTIN_BY_NAME[ALIASES.get(word, word)])
    return _about_symbol(document, word) if part.kind in (PartKind.WORD, PartKind.NAME) else None


def _about_symbol(document: Document, word: str) -> str | None:
    found = document.symbols.search(word)
    return f"symbol `{found}` at `{found.address:x}`" if isinstance(found, Place) else None


def about_command(row: CommandRow) -> str:
    """A command: its forms, what it does, and what hds does with it."""
    text = "```\n" + "\n".join(row.forms) + f"\n```\n{row.doc}"
    event = EVENT_BY_NAME.get(row.name)
    if event is not None:
        kind = event.kind
        stages = "pre, post, all" if kind.stages else "pre"
        text += f"\n\n`$context`: {kind.context}  \nstages: {stages}  \nshort-circuit: {kind.short_circuit.value}"
    if row.aliases:
        text += f"\n\nalso `{'`, `'.join(row.aliases)}`"
    if row.notes:
        text += f"\n\n{row.plain_notes}"
    return text if row.support is Support.RUNS else f"{text}\n\n{row.support.value}"


def about_option(word: str, row: CommandRow) -> str:
    """A keyword of a command, or a word that is a value of one."""
    option = next((each for each in EVENT_OPTIONS if row.is_event and each.keyword == word), None)
    return f"```\n{option.form}\n```\noption of events" if option else f"```\n{chr(10).join(row.forms)}\n```"


def about_builtin(row: Builtin) -> str:
    """A built-in function."""
    text = f"```\n{signature(row)}\n```\n{row.doc}"
    return f"{text}\n\nstops here: {row.missing}" if row.missing else text


def signature(row: Builtin) -> str:
    """How a built-in function is called."""
    return f"{row.name}({', '.join(row.arguments)})" + (" -> number" if row.result else "")


def about_register(name: str) -> str | None:
    """A register: what it is part of."""
    index = REGISTER_INDEX.get(name)
    if index is None:
        return None
    row = REGISTERS[index]
    bits = f"bit {row.shift}" if row.bits == 1 else f"bits {row.shift}-{row.shift + row.bits - 1}"
    storage = STORAGES[row.storage]
    part = "64 bits" if row.bits == 64 else f"{bits} of `@{storage}`"
    return f"```\n@{name}\n```\nregister, {part}"


def about_pseudo_register(name: str) -> str | None:
    """A pseudo-register."""
    index = PSEUDO_INDEX.get(name)
    return None if index is None else f"```\n${name}\n```\n{PSEUDO_REGISTERS[index].doc}"


def about_number(value: int) -> str:
    """A number, in the bases that scripts write, as a signed one, and as a character."""
    rows = [f"hexadecimal `0x{value:x}`", f"decimal `0n{value}`"]
    if value & _SIGN:
        rows.append(f"signed `-0n{(1 << 64) - value}`")
    if value < 1 << 16:
        rows.append(f"binary `0y{value:b}`")
    if 0x20 <= value < 0x7F:
        rows.append(f"character `{chr(value)}`")
    return "  \n".join(rows)


def about_definition(definition: Definition, document: Document) -> str:
    """Something that a script defines."""
    text = f"```\n{declaration(definition)}\n```\n{definition.kind.value}"
    if definition.span.file.name != document.source.name:
        text += f", defined in {definition.span}"
    return text


def declaration(definition: Definition) -> str:
    """How it could be declared: the header of a function, a type and a name."""
    dot = "." if definition.kind is DefinitionKind.GLOBAL else ""
    if definition.header is not None:
        return " ".join(definition.header.text.split())
    if definition.kind is DefinitionKind.STRUCT:
        return f"struct {definition.name}"
    if definition.kind is DefinitionKind.TYPEDEF:
        return f"typedef {definition.type} {definition.name}"
    return f"{definition.type} {dot}{definition.name}" if definition.type is not None else f"{dot}{definition.name}"
