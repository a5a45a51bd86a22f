"""The kernel stand-ins that the processes of one machine have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from machine.kernel.stand_ins import create

if TYPE_CHECKING:
    from machine.kernel.base import Kernel, Services
    from machine.kernel.objects import KernelObjects
    from machine.schedule import Thread


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

    def guest_file(self, path: str) -> bytes:
        """A file that Linux guests see. Raises LoadError."""
        return self.get("linux").guest_file(path.encode("utf-8", "surrogateescape"))

    def call_name(self, number: int) -> str:
        """The name of a system call: the first kernel's that knows it, else the number in hexadecimal."""
        return self.known_call_name(number) or f"{number:x}"

    def known_call_name(self, number: int) -> str | None:
        """The same; None where no kernel knows it."""
        for kernel in self._made.values():
            named: Callable[[int], str | None] | None = getattr(kernel, "call_name", None)
            name = named and named(number)
            if name:
                return name
        return None

    def thread_name(self, thread: Thread) -> str:
        """What a thread is called: what its kernel says, else as its process."""
        named: Callable[[Thread], str | None] = getattr(
            self.get(thread.process.image.kernel), "thread_name", lambda thread: None
        )
        return named(thread) or thread.process.name

    def thread_id(self, thread: Thread) -> int:
        """The id by which its programs know a thread, as far as their kernel has ids of its own."""
        known: Callable[[Thread], int | None] = getattr(
            self.get(thread.process.image.kernel), "thread_id", lambda thread: None
        )
        return known(thread) or thread.tid

    def file_at(self, thread: Thread, number: int) -> bytes | None:
        """Where a descriptor of a thread leads, as its system shows it; None where that is not known."""
        known: Callable[[Thread, int], bytes | None] = getattr(
            self.get(thread.process.image.kernel), "file_at", lambda thread, number: None
        )
        return known(thread, number)

    def auxiliary_vector(self, thread: Thread) -> bytes:
        """What /proc/self/auxv has of a thread's program; nothing where its system has no such thing."""
        known: Callable[[Thread], bytes] = getattr(
            self.get(thread.process.image.kernel), "auxiliary_vector", lambda thread: b""
        )
        return known(thread)

    def unknown_calls(self) -> dict[int, int]:
        """How often each call was made that they do not carry out."""
        totals: Counter[int] = Counter()
        for kernel in self._made.values():
            totals.update(kernel.unknown_calls)
        return dict(totals)

    def put_back(self) -> None:
        """A run has ended: the host's files get what is held back."""
        for kernel in self._made.values():
            kernel.put_back()

    def missing_files(self) -> list[str]:
        """The names of files that guests have looked for, a real system has and these have not, in order."""
        return sorted({name for kernel in self._made.values() for name in getattr(kernel, "missing_files", ())})

    def reached_limits(self) -> list[str]:
        """The names of the limits on files that refused something to a guest, in order."""
        return sorted({name for kernel in self._made.values() for name in getattr(kernel, "reached_limits", ())})
