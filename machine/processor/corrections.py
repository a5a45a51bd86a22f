"""Instructions that the emulator gets wrong, executed by the machine instead: some of BMI, and functions of x87.

The instructions of a kind are looked for in a process once a page with one of them is executed; other processes pay
nothing. Not seen: what a guest writes into a page after its first instruction was executed, in a process that has had
none of the kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

import msgspec

from machine.memory import PAGE
from machine.processor import bmi, x87
from machine.processor.address_hooks import AddressHooks
from machine.processor.binding import Hook
from machine.processor.core import Core
from machine.processor.instruction_finder import InstructionPattern, Served, Site, SiteHook
from machine.processor.translated_code import TranslatedCode


class Kind(msgspec.Struct, frozen=True, eq=False):
    """Instructions: how a page with one looks, and what carries one out in a hook of it, where that is right."""

    code: re.Pattern[bytes]
    patterns: tuple[InstructionPattern, ...]
    body: Callable[[Core, Site], Callable[[], object]]


_KINDS = (Kind(bmi.CODE, bmi.PATTERNS, bmi.body), Kind(x87.CODE, x87.PATTERNS, x87.body))


class _Removable(msgspec.Struct, frozen=True):
    hooks: AddressHooks
    hook: Hook

    def remove(self) -> None:
        """Execute it as the emulator does."""
        self.hooks.remove(self.hook)


class Corrections:
    """Those of one CPU."""

    def __init__(self, core: Core, code: TranslatedCode, hooks: AddressHooks) -> None:
        self._core, self._code, self._hooks = core, code, hooks
        self._idle: tuple[Kind, ...] = _KINDS

    @property
    def active(self) -> tuple[Kind, ...]:
        """The kinds whose instructions are looked for."""
        return tuple(kind for kind in _KINDS if kind not in self._idle)

    def look_at(self, page: int) -> None:
        """A page is about to be executed for the first time."""
        if self._idle:
            code = self._core.memory.read(page, PAGE) or b""
            self.activate([kind for kind in self._idle if kind.code.search(code)])

    def activate(self, kinds: Iterable[Kind]) -> None:
        """Correct instructions of these kinds from the next block on."""
        new = [kind for kind in kinds if kind in self._idle]
        if new:
            self._idle = tuple(kind for kind in self._idle if kind not in new)
            self._code.look_always({pattern: partial(self._serve, kind) for kind in new for pattern in kind.patterns})

    def _serve(self, kind: Kind, site: Site) -> Served:
        body = kind.body(self._core, site)
        return SiteHook(lambda: _Removable(self._hooks, self._hooks.add(site.address, body)))
