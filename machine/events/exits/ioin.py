"""IN and INS: `!ioin` (events-and-commands C.2; Intel SDM volume 2A, IN, INS; volume 1, section 19.5)."""

from __future__ import annotations

from machine.events.exit import BY_PROCESSOR, Exit, Operand, PrivilegeLevel, Register
from machine.processor import InstructionPattern, OperandKind, Vector
from vm.facts.events import IOIN, EventKind

_IOPL = Register("rflags") >> 12 & 3


def forms(
    kind: EventKind, by_byte: bytes, by_register: bytes, strings: bytes, raises: Vector | None = None
) -> tuple[Exit, ...]:
    """The exits of a direction; of each opcode there is one for bytes and one for larger data."""

    def form(opcode: int, takes_byte: bool, once: bool = False) -> Exit:
        return Exit(
            kind,
            InstructionPattern(bytes((opcode,)), operand=OperandKind.IMMEDIATE if takes_byte else None),
            context=Operand() if takes_byte else Register("rdx") & 0xFFFF,
            parameter="port",
            refused=PrivilegeLevel().is_above(_IOPL),
            raises=raises,
            effect=BY_PROCESSOR,
            once=once,
        )

    return (
        *(form(opcode, takes_byte=True) for opcode in by_byte),
        *(form(opcode, takes_byte=False) for opcode in by_register),
        *(form(opcode, takes_byte=False, once=True) for opcode in strings),
    )


FORMS = forms(IOIN, b"\xe4\xe5", b"\xec\xed", strings=b"\x6c\x6d")
