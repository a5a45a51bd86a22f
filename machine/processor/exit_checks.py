"""The emulator's checks whether its run is to end: calls that cost a third of what a guest does, and are spared.

Unicorn translates them behind hooks of blocks and instructions, and behind all loads and stores, for hooks of memory
that may have ended the run. Here are no such hooks, so code without checks does the same, but where an instruction has
a hook: such blocks keep them, and a hook of blocks looks itself (`block_hook`).

Unicorn has a switch for them, which it uses for ARM, and no call that shows it. So the place is read from the functions
that look at it, and believed when a scratch engine does what it should; elsewhere the checks are translated.
"""

from __future__ import annotations

import ctypes
import re
from functools import cache

import msgspec
from unicorn import unicorn_const as uc, x86_const as x86

from machine.processor.binding import CODE_HOOK, Engine, address_of, function_address
from machine.processor.kept_places import kept_or_found

CHECK = "helper_check_exit_request_x86_64"  # void (engine, i32 0): leaves the translated code where a run is to end
_TRANSLATES = "check_exit_request_x86_64"
_DISTANCE = rb"([\x00-\xff]{4})"
# mov rsi, [rdi + context]; cmp byte [rsi + switch], 0
_SWITCH = re.compile(rb"\x48\x8b\xb7" + _DISTANCE + rb"\x80\xbe" + _DISTANCE + rb"\x00")
# mov r8, [rdi + cpu]; mov eax, [r8 + countdown]; test eax, eax; jns
_COUNTDOWN = re.compile(rb"\x4c\x8b\x87" + _DISTANCE + rb"\x41\x8b\x80" + _DISTANCE + rb"\x85\xc0\x79")
_CODE_BYTES = 32
_SCRATCH_BYTES = 8 << 20  # of translations
_CODE, _DATA, _SIZE = 0x1000, 0x2000, 0x2000
_PROGRAM = b"\x90\x48\x89\x04\x25\x00\x20\x00\x00\x90"  # nop; mov [2000], rax; nop
_MARK = 0x5A69_7887_96A5


class ExitChecks(msgspec.Struct, frozen=True):
    """Distances in bytes, the same for every engine.

    In its structure, of the switch (a byte; 1: none is translated), and of the pointer to its CPU. From there, of a
    countdown of 32 bits that is less than 0 where a run is to end.
    """

    switch: int
    cpu: int
    countdown: int

    def switch_of(self, engine: Engine) -> int:
        """The host address of an engine's switch."""
        return address_of(engine.handle) + self.switch


@cache
def exit_checks() -> ExitChecks | None:
    """Where they are; None where this Unicorn keeps them otherwise."""
    return kept_or_found("exit_checks", ExitChecks, _find)


def _find() -> ExitChecks | None:
    try:
        codes = [ctypes.string_at(function_address(name), _CODE_BYTES) for name in (_TRANSLATES, CHECK)]
    except AttributeError:
        return None
    switch, countdown = _SWITCH.match(codes[0]), _COUNTDOWN.match(codes[1])
    if switch is None or countdown is None:
        return None
    places = [int.from_bytes(found, "little") for found in (switch[2], countdown[1], countdown[2])]
    found = ExitChecks(*places)
    return found if all(_answers(found, spares) for spares in (False, True)) else None


def _answers(found: ExitChecks, spares: bool) -> bool:
    """Whether a run that a hook has ended goes on to a store if it is to be spared the checks, and not otherwise."""
    engine = Engine(x86.UC_CPU_X86_SANDYBRIDGE, _SCRATCH_BYTES)
    engine.uc.mem_map(_CODE, _SIZE)
    engine.uc.mem_write(_CODE, _PROGRAM)
    engine.set_register(x86.UC_X86_REG_RAX, _MARK)
    seen: list[bool] = []

    def on_code(_engine: int, _address: int, _size: int, _data: int) -> None:
        cpu = ctypes.c_uint64.from_address(address_of(engine.handle) + found.cpu).value
        countdown = ctypes.c_int32.from_address(cpu + found.countdown)
        seen.append(countdown.value < 0)
        engine.stop()
        seen.append(countdown.value < 0)

    switch = ctypes.c_uint8.from_address(found.switch_of(engine))
    if switch.value:
        return False
    switch.value = spares
    engine.add_hook(uc.UC_HOOK_CODE, CODE_HOOK(on_code), address=_CODE)
    engine.start(_CODE, _CODE + len(_PROGRAM) - 1)
    stored = int.from_bytes(engine.uc.mem_read(_DATA, 8), "little")
    engine.close()
    return seen == [False, True] and stored == (_MARK if spares else 0)
