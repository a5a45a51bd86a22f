"""What a process of the nt kernel finds in its memory: TEB behind GS, PEB, process parameters, a way to end.

There is no ntdll: the return address of the entry point leads to two instructions that call NtTerminateProcess with the
program's result.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

from machine.kernel import builds
from machine.kernel.base import Start, map_stack, set_stack_pointer
from machine.kernel.nt.names import numbers_of
from machine.kernel.nt.state import STANDARD_HANDLES
from machine.loaders import STACK_SIZE, STACK_TOP
from machine.memory import PAGE, Area, Protection
from machine.processor import msr
from machine.schedule import Process
from vm.facts.registers import STORAGE_INDEX

USER_BLOCKS = 0x7FF5_0000_0000  # PEB, parameters, TEB, exit code
_PARAMETERS, _TEB, _EXIT, _SIZE = PAGE, 3 * PAGE, 5 * PAGE, 6 * PAGE
_TEXTS = 0x400  # from the parameters
_LONGEST_TEXT = 0x600

# mov edx, eax; mov r10, -1; mov eax, number; syscall
_END = bytes.fromhex("89c2 49c7c2ffffffff b8") + struct.pack("<I", numbers_of()["NtTerminateProcess"]) + b"\x0f\x05"


def prepare(process: Process, start: Start, build: int, processors: int = 1) -> None:
    """Map stack and user blocks, and set rsp, rcx (the PEB) and the base of gs."""
    cpu, peb = process.cpu, USER_BLOCKS
    parameters, teb, end = peb + _PARAMETERS, peb + _TEB, peb + _EXIT
    cpu.memory.map(Area(peb, peb + _EXIT, Protection.READ | Protection.WRITE, "PEB and TEB"))
    cpu.memory.map(Area(end, end + _SIZE - _EXIT, Protection.READ | Protection.EXECUTE, "thread end"))
    cpu.memory.write(end, _END)
    process.peb, process.thread.teb = peb, teb

    def put(address: int, value: int, size: int = 8) -> None:
        cpu.memory.write(address, value.to_bytes(size, "little"))

    put(teb + builds.TEB_STACK_BASE, STACK_TOP)
    put(teb + builds.TEB_STACK_LIMIT, STACK_TOP - STACK_SIZE)
    put(teb + builds.TEB_SELF, teb)
    put(teb + builds.TEB_CLIENT_ID, process.pid)
    put(teb + builds.TEB_CLIENT_ID + 8, process.tid)
    put(teb + builds.TEB_PEB, peb)
    put(peb + builds.PEB_IMAGE_BASE, start.image.base)
    put(peb + builds.PEB_PARAMETERS, parameters)
    put(peb + builds.PEB_PROCESSORS, processors, 4)
    put(peb + builds.PEB_OS_MAJOR, 10, 4)
    put(peb + builds.PEB_OS_BUILD, build, 2)
    standard = (
        builds.PARAMETERS_STANDARD_INPUT, builds.PARAMETERS_STANDARD_OUTPUT, builds.PARAMETERS_STANDARD_ERROR,
    )  # fmt: skip
    for offset, handle in zip(standard, STANDARD_HANDLES, strict=True):
        put(parameters + offset, handle)
    texts = parameters + _TEXTS
    _put_text(process, parameters + builds.PARAMETERS_IMAGE_PATH, texts, start.arguments[0])
    _put_text(
        process, parameters + builds.PARAMETERS_COMMAND_LINE, texts + _LONGEST_TEXT, command_line(start.arguments)
    )
    pointer = map_stack(process) - 8
    put(pointer, end)
    set_stack_pointer(process, pointer)
    cpu.registers.write(STORAGE_INDEX["rcx"], peb)
    cpu.write_msr(msr.GS_BASE, teb)


def command_line(arguments: Sequence[str]) -> str:
    """The line that programs take apart into these arguments (Microsoft's "Parsing C command-line arguments")."""
    return " ".join(map(_quoted, arguments))


def _quoted(word: str) -> str:
    """Backslashes are doubled in front of a quotation mark only, the one at the end included."""
    written = re.sub(r'(\\*)"', r'\1\1\\"', word)
    if word and not any(blank in word for blank in " \t\n\v"):
        return written
    end = written[len(written.rstrip("\\")) :]
    return f'"{written}{end}"'


def _put_text(process: Process, place: int, address: int, text: str) -> None:
    """Write a UNICODE_STRING and its characters."""
    data = text.encode("utf-16-le", "replace")[: _LONGEST_TEXT - 2]
    process.cpu.memory.write(address, data + b"\0\0")
    process.cpu.memory.write(place, struct.pack("<HHIQ", len(data), len(data) + 2, 0, address))
