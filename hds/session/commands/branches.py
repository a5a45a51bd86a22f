"""`!lbr` and `!lbrdump`: the last branches of the emulated processor (events-and-commands E.8, F.3)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hds.session.commands.disassembly import symbol_at
from hds.session.commands.handler import Handler, incorrect_use, number, split
from hds.session.refused import CommandFailed
from machine.processor import Select
from machine.schedule import branch_lines
from vm.facts.errors import ErrorNumber
from vm.facts.numbers import number_32

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command

_FILTERS = {
    "kernel": Select.KERNEL,
    "user": Select.USER,
    "jcc": Select.CONDITIONAL,
    "rel_call": Select.RELATIVE_CALL,
    "ind_call": Select.INDIRECT_CALL,
    "ret": Select.RETURN,
    "ind_jmp": Select.INDIRECT_JUMP,
    "rel_jmp": Select.RELATIVE_JUMP,
    "far": Select.FAR,
    "call_stack": Select.CALL_STACK,
}
_CALL_STACK = Select(0x3C4)  # with that alone: no jumps besides


def control(session: Session, command: Command, prepared: Prepared) -> None:
    """`!lbr enable|disable|flush` and `!lbr filter [KIND ...|MASK]`."""
    recording = session.machine.branches
    match [token.lower for token in command.tokens]:
        case ["enable"]:
            if recording.is_on:
                raise CommandFailed(ErrorNumber.LBR_ON.err())
            recording.turn_on()
        case ["disable" | "flush" as word]:
            if not recording.is_on:
                raise CommandFailed(ErrorNumber.LBR_OFF.err())
            recording.flush() if word == "flush" else recording.turn_off()
        case ["filter", *words]:
            recording.leave_out(_select(words))
        case _:
            raise incorrect_use(command)


def _select(words: list[str]) -> Select:
    """What a filter names, by its bits or by words. Raises CommandFailed."""
    mask = number_32(words[0]) if len(words) == 1 and words[0] not in _FILTERS else None
    if mask is not None:
        if mask > sum(Select):
            raise CommandFailed(f"err, the filter has the bits {sum(Select):x} only")
        return Select(mask)
    unknown = next((word for word in words if word not in _FILTERS), None)
    if unknown is not None:
        raise CommandFailed(f"err, unknown filter at '{unknown}'", f"there are {', '.join(_FILTERS)}")
    if words == ["call_stack"]:
        return _CALL_STACK
    return Select(sum(_FILTERS[word] for word in set(words)))


def dump(session: Session, command: Command, prepared: Prepared) -> None:
    """`!lbrdump [core N]`: the last branches, the last one first."""
    arguments = split(command, ("core",))
    if arguments.plain:
        raise incorrect_use(command)
    if not session.machine.branches.is_on:
        raise CommandFailed(ErrorNumber.LBR_OFF.err())
    cores = session.machine.cores
    if "core" in arguments.keyed:
        wanted = number(arguments.keyed["core"], 0, "core")
        if wanted >= len(cores):
            raise CommandFailed(ErrorNumber.INVALID_CORE_ID.err())
        cores = cores[wanted : wanted + 1]
    for core in cores:
        session.show(f"last branch records of core 0x{core.index:x}:\n")
        process = core.process
        if process is not None:
            name_of = partial(symbol_at, session, process)
            session.show(branch_lines(session.machine.branches.of(process), name_of))


HANDLERS: dict[str, Handler] = {"!lbr": control, "!lbrdump": dump}
