"""The JSON schema of the records (docs/records.schema.json), derived from the types of `RecordObject`.

It knows the types that records are made of: TypedDict, texts, numbers, None, Literal, unions, list, dict of texts; and
Annotated with a text (what it means) or a tuple (the values that there are).
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from hds.report.records import SCHEMA_VERSION, RecordObject, Wide

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DESCRIPTION = (
    "A line of `hds run --format json`; `hds check --format json` has those of the types finding and failure. "
    "The summary has the version of the schema: its first number grows when a type or a property goes or changes, "
    "its second one when there are more."
)
_PLAIN: dict[object, str] = {str: "string", int: "integer", bool: "boolean", NoneType: "null"}


def records_schema() -> Schema:
    """The schema of one line."""
    records = {record_type(kind): _object(kind) for kind in get_args(RecordObject)}
    return {
        "$schema": DIALECT,
        "$comment": "Made by `python -m hds.cli.documentation --write docs`; do not edit.",
        "title": "hds records",
        "version": SCHEMA_VERSION,
        "description": _DESCRIPTION,
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in records],
        "$defs": records,
    }


def record_types() -> tuple[str, ...]:
    """The types that records have, as `message` and `trigger`."""
    return tuple(record_type(kind) for kind in get_args(RecordObject))


def record_type(kind: type) -> str:
    """The `type` of the records of a class."""
    (name,) = get_args(get_type_hints(kind)["type"])
    return str(name)


def schema_of(kind: Any) -> Schema:
    """The schema of the values of a type. Raises TypeError for a type that it does not know."""
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if is_typeddict(kind):
        return _object(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return schema_of(arguments[0]) | _noted(arguments[1])
    if origin is Literal:
        return {"const": arguments[0]} if len(arguments) == 1 else {"enum": list(arguments)}
    if origin in (Union, UnionType):
        return _any_of([schema_of(member) for member in arguments])
    if origin is list:
        return {"type": "array", "items": schema_of(arguments[0])}
    if origin is dict and arguments[0] is str:
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    raise TypeError(f"records have no values of type {kind}")


def _noted(note: object) -> Schema:
    if isinstance(note, Wide):
        return {"description": note.meaning}
    return {"enum": list(note)} if isinstance(note, tuple) else {"description": note}


def _is_wide(hint: Any) -> bool:
    """Whether it is a number of 64 bits, or None in its place."""
    notes = getattr(hint, "__metadata__", ())
    return any(isinstance(note, Wide) for note in notes) or any(map(_is_wide, get_args(hint)))


def _any_of(members: list[Schema]) -> Schema:
    if all(member.keys() == {"type"} for member in members):
        return {"type": [member["type"] for member in members]}
    return {"anyOf": members}


def _object(kind: type) -> Schema:
    hints = get_type_hints(kind, include_extras=True)
    optional = {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
    properties: Schema = {}
    for name, hint in hints.items():
        given = get_args(hint)[0] if name in optional else hint
        properties[name] = schema_of(given)
        if _is_wide(given):
            properties[f"{name}_hex"] = {"description": "there from 2^53 on", "type": "string"}
    return {
        "description": " ".join((kind.__doc__ or "").split()),
        "type": "object",
        "properties": properties,
        "required": [name for name in hints if name not in optional],
    }
