"""Parts that several records have in JSON."""

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec

Stage = Literal["pre", "post"]
_STAGES: tuple[Stage, Stage] = ("pre", "post")


class Wide(msgspec.Struct, frozen=True):
    """What is said of a number of 64 bits: from 2^53 on, `NAME_hex` stands beside it in JSON."""

    meaning: str


Address = Annotated[int, Wide("an address, a 64-bit number")]
Word = Annotated[int, Wide("a 64-bit number")]
Symbol = Annotated[str | None, "module!name+0x.. of pc; null where none is near"]
Tick = Annotated[int, "of the virtual clock: guest instructions that were completed, and in a trigger the one at hand"]


class Text(TypedDict):
    """Bytes as text: U+FFFD for what is none, and then the bytes themselves in hexadecimal."""

    text: str
    bytes: NotRequired[Annotated[str, "hexadecimal; where the text does not say them all"]]


def text_of(data: bytes) -> Text:
    """These bytes."""
    try:
        return {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"text": data.decode("utf-8", "replace"), "bytes": data.hex()}


def stage_of(stage: int | None) -> Stage | None:
    """0 is before the operation, 1 behind it."""
    return None if stage is None else _STAGES[stage]


def values(kinds: type[Enum]) -> tuple[str, ...]:
    """The values of an enum of texts."""
    return tuple(str(kind.value) for kind in kinds)


EXACT = 1 << 53  # integers below are exact in every reader of JSON


def with_hexadecimal(made: Mapping[str, object]) -> dict[str, object]:
    """An object with a text in hexadecimal, `NAME_hex`, beside each number that some readers of JSON cannot hold."""
    result: dict[str, object] = {}
    for name, value in made.items():
        result[name] = value
        if type(value) is str:
            continue
        if type(value) is int:
            if value >= EXACT:
                result[f"{name}_hex"] = f"0x{value:x}"
        elif isinstance(value, dict) and value:
            if {*map(type, value.values())} != {int}:
                result[name] = with_hexadecimal(value)
            elif max(value.values()) >= EXACT:
                result[f"{name}_hex"] = {key: f"0x{inner:x}" for key, inner in value.items() if inner >= EXACT}
        elif isinstance(value, list) and value and all(isinstance(inner, dict) for inner in value):
            result[name] = [with_hexadecimal(inner) for inner in value]
        elif isinstance(value, list) and any(type(inner) is int and inner >= EXACT for inner in value):
            result[f"{name}_hex"] = [f"0x{inner:x}" for inner in value]
    return result


def without_twins(values: Mapping[str, int | str]) -> dict[str, int | str]:
    """The values without what `with_hexadecimal` has put beside them."""
    return {name: value for name, value in values.items() if not _is_twin(name, value, values)}


def _is_twin(name: str, value: int | str, values: Mapping[str, int | str]) -> bool:
    number = values.get(name.removesuffix("_hex"))
    return name.endswith("_hex") and type(number) is int and number >= EXACT and value == f"0x{number:x}"
