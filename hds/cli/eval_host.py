"""The host of `hds eval`: memory and registers in Python objects, and messages that do not pile up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hds.report import output
from machine.schedule import DEFAULT_START, TICKS_PER_MICROSECOND, fields_of, text_of
from vm import PAGE, MemoryHost
from vm.facts.pseudo_registers import PSEUDO_REGISTERS

_PROCESS_ID, _THREAD_ID = 0x1000, 0x1004  # those of the first process of a machine
_OWN_MEMORY = 0xFFFF_B000_0000_0000
_NAME_AT = _OWN_MEMORY
_TEXTS = {"date": _OWN_MEMORY + 0x30, "time": _OWN_MEMORY + 0x60}
_LATEST = (datetime.max - DEFAULT_START) // timedelta(microseconds=1)


@dataclass
class EvalHost(MemoryHost):
    """With `shows`, messages go to standard output at once; else the first `most` are kept. So are requests."""

    shows: bool = True
    most: int = 0
    unkept_messages: int = 0
    unkept_requests: int = 0

    def __post_init__(self) -> None:
        self.map(_OWN_MEMORY, PAGE)
        self.write_memory(_NAME_AT, b"hds\0")
        self.pseudo |= {"pid": _PROCESS_ID, "tid": _THREAD_ID, "pname": _NAME_AT}

    def pseudo_register(self, index: int) -> int:
        """The process is hds itself, as HyperDbg's is where it has no debuggee; dates and times are refreshed."""
        place = _TEXTS.get(PSEUDO_REGISTERS[index].name)
        if place is None:
            return super().pseudo_register(index)
        now = DEFAULT_START + timedelta(microseconds=min(self.clock // TICKS_PER_MICROSECOND, _LATEST))
        fields = fields_of(now)
        self.write_memory(place - len(fields), fields + text_of(PSEUDO_REGISTERS[index].name, now))
        return place

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
