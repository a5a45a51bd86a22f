"""Holds lines of JSON mode against docs/records.schema.json, and more strictly: a property must be known, too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[3] / "docs" / "records.schema.json"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "boolean": bool, "null": type(None), "array": list, "object": dict,
}  # fmt: skip
_KEYWORDS = {
    "type", "const", "enum", "anyOf", "items", "properties", "required", "additionalProperties", "description",
}  # fmt: skip


@cache
def document() -> dict[str, Any]:
    """The schema as users have it."""
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return loaded


def check_lines(text: str) -> None:
    """Every line is a record that the schema describes."""
    for line in text.splitlines():
        record = json.loads(line)
        schema = document()["$defs"].get(record.get("type"))
        assert schema is not None, f"there is no type {record.get('type')!r}: {line}"
        assert list(mistakes(record, schema, "record")) == [], line


def mistakes(value: Any, schema: dict[str, Any], place: str) -> Iterator[str]:
    """What is wrong with a value."""
    assert schema.keys() <= _KEYWORDS, schema
    if "anyOf" in schema and all(any(mistakes(value, member, place)) for member in schema["anyOf"]):
        yield f"{place} is {value!r}, none of what it may be"
    if "const" in schema and value != schema["const"]:
        yield f"{place} is {value!r}, not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place} is {value!r}, not among {schema['enum']}"
    if "type" in schema and not _has_type(value, schema["type"]):
        yield f"{place} is {value!r}, no {schema['type']}"
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from mistakes(item, schema.get("items", {}), f"{place}[{number}]")
    if isinstance(value, dict) and "anyOf" not in schema:
        yield from (f"{place} lacks {name}" for name in schema.get("required", ()) if name not in value)
        for name, item in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if inner is None:
                yield f"{place} has {name}, which the schema does not know"
            else:
                yield from mistakes(item, inner, f"{place}.{name}")


def _has_type(value: Any, names: str | list[str]) -> bool:
    known = [names] if isinstance(names, str) else names
    return any(isinstance(value, _TYPES[name]) and (name == "boolean") == isinstance(value, bool) for name in known)
