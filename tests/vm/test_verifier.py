"""The verifier refuses every kind of program that an engine could not run safely, and says why."""

from __future__ import annotations

import pytest

from vm.isa import BY_MNEMONIC, INSTRUCTIONS, decode, encode
from vm.program import Function, GlobalSymbol, Position, Program, Source
from vm.verifier import VerificationError, verify

END = encode("RETV")


def program(*code: int, **more: object) -> Program:
    given = {"functions": (Function("main", 0, 8, 0, len(code)),), **more}
    return Program(code=code, **given)  # type: ignore[arg-type]  # the tests give what the fields take


def two(first: int, second: int, parameters: int = 0) -> tuple[Function, ...]:
    return (Function("main", 0, 0, 0, first), Function("fn", parameters, 0, first, first + second))


GLOBALS = {"globals": (GlobalSymbol("g", "int", 4), GlobalSymbol("h", "unsigned long", 8))}


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (Program(code=(END,), functions=()), "no main function"),
        (program(END, functions=(Function("main", 0, 0, 1, 2),)), "does not follow"),
        (program(END, functions=(Function("main", 0, 0, 0, 0),)), "does not follow"),
        (program(END, END, functions=(Function("main", 0, 0, 0, 1),)), "belong to no function"),
        (program(END, functions=(Function("main", 1, 0, 0, 1),)), "has parameters"),
        (program(END, functions=(Function("main", 0, 7, 0, 1),)), "number of slots"),
        (program(0xFF, END), "unknown opcode"),
        (program(encode("LDI", 0, 1)), "run past its end"),
        (program(encode("RET", 0)), "returns a value"),
        (program(encode("JMP", 5), END), "leaves its function"),
        (program(encode("JZ", 0, -5), END), "leaves its function"),
        (program(encode("LDK", 0, 0), END), "index into the constant pool"),
        (program(encode("STR", 0, 0), END), "string literals"),
        (program(encode("LDF", 0, 1), END), "slot of the frame"),
        (program(encode("LDG", 0, 2), END, **GLOBALS), "globals"),
        (program(encode("STG", 0, 0), END, **GLOBALS), "smaller than a slot"),
        (program(encode("LDM", 0, 60000), END), "REGISTERS"),
        (program(encode("LDP", 0, 60000), END), "PSEUDO_REGISTERS"),
        (program(encode("CALL", 0, 9), END), "functions"),
        (program(encode("SYS", 0, 60000), END), "BUILTINS"),
        (program(encode("PRINTF", 0), END), "printf formats"),
        (program(encode("D2I", 0, 0, 8), END), "integer type"),
        (program(encode("PAR", 0, 0), END), "0 parameters"),
        (program(encode("CALL", 0, 1), END, END, functions=two(2, 1, parameters=1)), "argument"),
        (program(encode("ARG", 0, 0), END), "argument"),
        (program(encode("ARG", 0, 1), encode("CALL", 0, 1), END, END, functions=two(3, 1, 1)), "argument"),
        (program(encode("PRINTF", 0), END, formats=(b"%d\0",)), "argument"),
        (program(END, constants=(1 << 64,)), "64-bit pattern"),
        (program(END, globals=(GlobalSymbol("g", "int", 0),)), "size is out of range"),
        (program(END, globals=(GlobalSymbol("g", "int", 8), GlobalSymbol("g", "int", 8))), "twice"),
        (program(END, positions=(Position(0, 0, 0, 0),)), "outside the sources"),
        (program(END, positions=(Position(1, 0, 0, 0), Position(0, 0, 0, 0)), sources=(Source("x", ""),)), "order"),
    ],
)
def test_a_malformed_program_is_refused(bad: Program, why: str) -> None:
    with pytest.raises(VerificationError, match=why):
        verify(bad)


def test_the_smallest_program_is_accepted() -> None:
    verify(program(END))


def test_every_instruction_is_encoded_and_decoded() -> None:
    for row in INSTRUCTIONS:
        operands = tuple(number + 1 for number in range(len(row.operands)))
        assert decode(encode(row.mnemonic, *operands)) == (row, operands)
        assert BY_MNEMONIC[row.mnemonic] is row


@pytest.mark.parametrize(
    ("mnemonic", "operands"),
    [("LDI", (256, 0)), ("LDI", (0, 0x8000)), ("LDI", (0,)), ("JMP", (1 << 23,)), ("ADD", (0, 0, -1))],
)
def test_an_operand_that_does_not_fit_is_no_instruction(mnemonic: str, operands: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=mnemonic):
        encode(mnemonic, *operands)
