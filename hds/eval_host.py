"""The host of `hds eval`: memory and registers in Python objects, and messages that do not pile up."""

from __future__ import annotations

from dataclasses import dataclass

from hds.streams import output
from vm.host import MemoryHost


@dataclass
class EvalHost(MemoryHost):
    """With `shows`, messages go to standard output at once; else the first `most` are kept. So are requests."""

    shows: bool = True
    most: int = 0
    unkept_messages: int = 0
    unkept_requests: int = 0

    def message(self, text: bytes) -> None:
        """What the script prints."""
        if self.shows:
            output().write_bytes(text)
        elif len(self.messages) < self.most:
            self.messages.append(text)
        else:
            self.unkept_messages += 1

    def request(self, name: str, arguments: tuple[int, ...]) -> int:
        """What the script asks of a debugger, which is not there."""
        result = super().request(name, arguments)
        if len(self.requests) > self.most:
            self.requests.pop()
            self.unkept_requests += 1
        return result
