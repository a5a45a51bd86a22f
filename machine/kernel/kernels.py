"""The kernel stand-ins that the processes of one machine have."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from machine.kernel.stand_ins import create

if TYPE_CHECKING:
    from machine.kernel.base import Kernel, Services
    from machine.kernel.objects import KernelObjects


class Kernels:
    """Those of one machine, each made when somebody wants it. With `only` all processes have that one."""

    def __init__(self, services: Services, objects: KernelObjects, only: str | None) -> None:
        self._services, self._objects, self._only = services, objects, only
        self._made: dict[str, Kernel] = {}

    def get(self, name: str) -> Kernel:
        """The kernel of programs that are made for the one of this name. Raises machine.memory.MapError."""
        name = self._only or name
        if name not in self._made:
            kernel = create(name, self._services)
            self._objects.add_text(kernel.entry.text)
            self._made[name] = kernel
        return self._made[name]

    def call_name(self, number: int) -> str:
        """The name of a system call: the first kernel's that knows it, else the number in hexadecimal."""
        names = (getattr(kernel, "call_name", lambda number: None)(number) for kernel in self._made.values())
        return next((str(name) for name in names if name), f"{number:x}")

    def unknown_calls(self) -> dict[int, int]:
        """How often each call was made that they do not carry out."""
        totals: Counter[int] = Counter()
        for kernel in self._made.values():
            totals.update(kernel.unknown_calls)
        return dict(totals)

    def reached_limits(self) -> list[str]:
        """The names of the limits on files that refused something to a guest, in order."""
        return sorted({name for kernel in self._made.values() for name in getattr(kernel, "reached_limits", ())})
