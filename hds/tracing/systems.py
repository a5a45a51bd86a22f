"""What the two systems differ in: how their calls are declared, and what a result says."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from typing import Protocol

from hds.tracing.views import Decoder, Parameter, Prototype, View

WORDS = 6  # of a call without a prototype
_LOWEST_ERROR = -4095
_STATUS, _SEVERITY, _ERROR = 0xFFFF_FFFF, 30, 3  # the lowest bit of the severity, and one of its values


class System(Protocol):
    """A system, as far as a trace needs it. `same_call` has the other names by which its calls may be chosen."""

    prototypes: Mapping[str, str]
    classes: Mapping[str, frozenset[str]]
    types: Mapping[str, Decoder]
    same_call: Mapping[str, str]

    def prototype(self, name: str | None) -> Prototype:
        """How a call is declared; six words for one that is unknown."""
        ...

    def is_filled(self, parameter: Parameter, view: View) -> bool:
        """Whether this call fills in that argument, which is looked at when the call is over then."""
        ...

    def failed(self, result: int) -> str | None:
        """The name of the error that a result is; None for a success."""
        ...

    def result(self, view: View, kind: str) -> str:
        """A result, of the type that the prototype says."""
        ...


class _Declared:
    """What both have: prototypes are read when a call is first seen."""

    def __init__(
        self, prototypes: Mapping[str, str], classes: Mapping[str, frozenset[str]], types: Mapping[str, Decoder]
    ) -> None:
        self.prototypes, self.classes, self.types = prototypes, classes, types
        self._read: dict[str | None, Prototype] = {}

    def prototype(self, name: str | None) -> Prototype:
        """As `System`."""
        found = self._read.get(name)
        if found is None:
            text = self.prototypes.get(name or "")
            found = self._read[name] = Prototype.of(" ".join(["hex"] * WORDS) if text is None else text)
        return found

    def is_filled(self, parameter: Parameter, view: View) -> bool:
        """As `System`."""
        return parameter.is_filled


class Linux(_Declared):
    """Linux: errors are negative results. `is_short`: the calls of INT 0x80."""

    def __init__(self, *, is_short: bool = False) -> None:
        from hds.tracing.linux import FILLED_BY, TYPES
        from machine.kernel.linux import CLASSES, PROTOTYPES, PROTOTYPES_386, SAME_CALL, linux_calls

        super().__init__(PROTOTYPES_386 if is_short else PROTOTYPES, CLASSES, TYPES)
        self.names = frozenset(call.name for call in linux_calls()) | SAME_CALL.keys()
        self.same_call: Mapping[str, str] = SAME_CALL if is_short else {}
        self._filled_by = FILLED_BY

    def is_filled(self, parameter: Parameter, view: View) -> bool:
        """As `System`."""
        if not parameter.is_filled:
            return False
        rule = self._filled_by.get(parameter.type)
        return rule is None or rule(view)

    def failed(self, result: int) -> str | None:
        """As `System`."""
        return errno.errorcode.get(-result, str(-result)) if _LOWEST_ERROR <= result < 0 else None

    def result(self, view: View, kind: str) -> str:
        """As `System`."""
        value = view.result
        if value is None or kind == "none":
            return "?"
        error = self.failed(value)
        if error is not None:
            return f"-1 {error} ({os.strerror(-value)})"
        if not kind:
            return str(value)
        return self.types[kind](view, value & (1 << 64) - 1, "") or "?"


class Nt(_Declared):
    """Windows: results are NTSTATUS values, whose two highest bits say whether they are errors."""

    def __init__(self) -> None:
        from hds.tracing.nt_types import TYPES
        from machine.kernel.nt import CLASSES, LAST_COMMON, PROTOTYPES, numbers_of, status_name

        super().__init__(PROTOTYPES, CLASSES, TYPES)
        self.same_call: Mapping[str, str] = {}
        self.names = frozenset(PROTOTYPES) | numbers_of(LAST_COMMON).keys()
        self._name_of = status_name

    def failed(self, result: int) -> str | None:
        """As `System`."""
        return self._name_of(result & _STATUS) if (result & _STATUS) >> _SEVERITY == _ERROR else None

    def result(self, view: View, kind: str) -> str:
        """As `System`."""
        return "?" if view.result is None else self._name_of(view.result & _STATUS)


def system_of(kernel: str) -> System:
    """The system whose calls the programs of a kernel stand-in make."""
    return Nt() if kernel == "nt" else Linux()


def unknown_call(number: int) -> str:
    """What a call is called that has no name."""
    return f"syscall_0x{number:x}"


def arguments(system: System, prototype: Prototype, view: View, rows: Iterable[int]) -> list[str | None]:
    """These arguments of a call, by their places, as texts; None for what is not shown."""
    found: list[str | None] = []
    types, parameters, words = system.types, prototype.parameters, view.words
    for at in rows:
        parameter = parameters[at]
        kind = "ptr" if parameter.is_output and view.failed else parameter.type
        found.append(types[kind](view, words[at], parameter.table))
    return found
