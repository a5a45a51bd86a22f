"""The emulator's checks whether its run is to end: calls that cost a third of what a guest does, and are spared.

Unicorn translates them behind hooks of blocks and instructions, and behind all loads and stores, for hooks of memory
that may have ended the run. Here are no such hooks, so code without checks does the same, but where an instruction has
a hook: such blocks keep them (`block_hook`).

Unicorn has a switch for them, which it uses for ARM, and no call that shows it; what stands behind the hook of a block
does not heed it. So the place is read from the function that looks at it, and believed when a scratch engine does what
it should; elsewhere the checks are translated.
"""

from __future__ import annotations

import ctypes
import itertools
import re
from functools import cache

import msgspec
from unicorn import unicorn_const as uc, x86_const as x86

from machine.processor.binding import CODE_HOOK, Engine, address_of, function_address
from machine.processor.kept_places import kept_or_found

_TRANSLATES = "check_exit_request_x86_64"
# mov rsi, [rdi + context]; cmp byte [rsi + switch], 0
_SWITCH = re.compile(rb"\x48\x8b\xb7[\x00-\xff]{4}\x80\xbe([\x00-\xff]{4})\x00")
_CODE_BYTES = 32
_SCRATCH_BYTES = 8 << 20  # of translations
_CODE, _DATA, _SIZE = 0x1000, 0x2000, 0x2000
_PROGRAM = b"\x90\x48\x89\x04\x25\x00\x20\x00\x00\x90"  # nop; mov [2000], rax; nop
_MARK = 0x5A69_7887_96A5


class ExitChecks(msgspec.Struct, frozen=True):
    """Where the switch stands in an engine's structure, in bytes: a byte, with 1 no check is translated."""

    switch: int

    def switch_of(self, engine: Engine) -> int:
        """The host address of an engine's switch."""
        return address_of(engine.handle) + self.switch


@cache
def exit_checks() -> ExitChecks | None:
    """Where it is; None where this Unicorn keeps it otherwise."""
    return kept_or_found("exit_checks", ExitChecks, _find)


def _find() -> ExitChecks | None:
    try:
        code = ctypes.string_at(function_address(_TRANSLATES), _CODE_BYTES)
    except AttributeError:
        return None
    switch = _SWITCH.match(code)
    if switch is None:
        return None
    found = ExitChecks(int.from_bytes(switch[1], "little"))
    ways = itertools.product((uc.UC_HOOK_CODE, uc.UC_HOOK_BLOCK), (False, True))
    return found if all(_answers(found, hook, spares) for hook, spares in ways) else None


def _answers(found: ExitChecks, hook: int, spares: bool) -> bool:
    """Whether a run that a hook has ended goes on to a store where it should.

    That is, behind the hook of an instruction, if the checks are spared; behind that of a block never.
    """
    engine = Engine(x86.UC_CPU_X86_SANDYBRIDGE, _SCRATCH_BYTES)
    engine.uc.mem_map(_CODE, _SIZE)
    engine.uc.mem_write(_CODE, _PROGRAM)
    engine.set_register(x86.UC_X86_REG_RAX, _MARK)
    switch = ctypes.c_uint8.from_address(found.switch_of(engine))
    if switch.value:
        return False
    switch.value = spares
    engine.add_hook(hook, CODE_HOOK(lambda *_: engine.stop()), address=_CODE)
    engine.start(_CODE, _CODE + len(_PROGRAM) - 1)
    stored = int.from_bytes(engine.uc.mem_read(_DATA, 8), "little")
    engine.close()
    return stored == (_MARK if spares and hook == uc.UC_HOOK_CODE else 0)
