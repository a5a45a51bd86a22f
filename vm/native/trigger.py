"""The seam for the native trigger carrier: an LLVM hook that runs scripts without Python in between.

Per core the carrier makes one `Workspace`, per event on that core one `Activation` (`prepare`), whose host has direct
access. The hook fetches the registers in `registers_used` into the host's DirectAccess, calls the event's entry point
with the address of its context, and writes back the registers in `dirty`. On 1, and before the guest goes on after
anything that raised, Python calls `activation.outcome(status)`. Everything the hook needs is data: events come and go
without compiling. `activation.drain()` delivers messages: after each run with `imm yes`, else when it suits.
"""

from __future__ import annotations

from collections.abc import Container

import msgspec

from vm.engine import Loaded
from vm.facts.builtins import BUILTINS, Effect
from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import REGISTERS
from vm.host import Host
from vm.isa import decode
from vm.native.activation import Activation, Prepared, Workspace
from vm.native.engine import NativeEngine
from vm.program import Program


class RegistersUsed(msgspec.Struct, frozen=True):
    """Bit n of each mask is storage n of `vm.facts.registers.STORAGES`; what is written in part is read too."""

    read: int
    written: int


def entry_point(loaded: Loaded) -> int:
    """The address of the C function `int32 run(context*)`: 0 at the end of the script, 1 when it was stopped.

    Valid as long as `loaded` lives; 0 for a program that only the reference engine can run.
    """
    return loaded.native.code.address if isinstance(loaded.native, Prepared) else 0


def has_run(loaded: Loaded, steps: int) -> bool:
    """The hook's runs of a script have used so much more fuel. False as long as `entry_point` may become a better one.

    Not to be called in a run; the old entry point stays valid.
    """
    return not isinstance(loaded.native, Prepared) or loaded.native.has_run(steps)


def prepare(engine: NativeEngine, loaded: Loaded, host: Host, workspace: Workspace) -> Activation:
    """The activation of an event's script; `address` is that of its context. The caller keeps it alive.

    Raises ValueError for a program without entry point.
    """
    if not isinstance(loaded.native, Prepared):
        raise ValueError("this program runs on the reference engine only")
    return engine.activation(loaded, loaded.native, workspace, host)


def registers_used(program: Program) -> RegistersUsed:
    """The registers that any run of the program can touch."""
    read = written = 0
    for word in program.code:
        row, operands = decode(word)
        if row.mnemonic in ("LDM", "STM"):
            register = REGISTERS[operands[1]]
            bit = 1 << register.storage
            written |= bit if row.mnemonic == "STM" else 0
            read |= bit if row.mnemonic == "LDM" or register.bits < 64 else 0
    return RegistersUsed(read, written)


def keeps_to_itself(program: Program, registers: int, pseudo_registers: Container[str]) -> bool:
    """Whether no run of the program prints, or deals with more than memory and these registers (a mask; names)."""
    for word in program.code:
        row, operands = decode(word)
        match row.mnemonic:
            case "PRINT" | "PRINTF":
                return False
            case "LDM" | "STM" if not registers >> REGISTERS[operands[1]].storage & 1:
                return False
            case "LDP" if PSEUDO_REGISTERS[operands[1]].name not in pseudo_registers:
                return False
            case "SYS" if BUILTINS[operands[1]].effect is Effect.HOST:
                return False
    return True


def sends_messages(program: Program) -> bool:
    """Whether any run of the program can print."""
    return any(decode(word)[0].mnemonic in ("PRINT", "PRINTF") for word in program.code)
