"""Hostile bytecode: compiled programs with bits, operands and tables changed, and programs that no compiler made."""

from __future__ import annotations

import zlib

from msgspec.structs import replace

from hds.fuzzing.choices import Choices
from hds.fuzzing.expressions import INTERESTING, PAGE
from hds.fuzzing.programs import program as program_text
from lang import Compiler, SourceFile
from vm import (
    INSTRUCTIONS,
    INTEGER_KINDS,
    WIDE,
    Bundle,
    Function,
    GlobalSymbol,
    Instruction,
    Operand,
    Program,
    encode as encode_word,
    encode_program,
    write_bundle,
)
from vm.facts.builtins import BUILTIN_INDEX, BUILTINS, Effect
from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import REGISTERS

CONSTANTS = (*INTERESTING, PAGE, PAGE + 0x80, 0x1000_0000_0000_0000, 0x2000_0000_0000_0000, 0x3000_0000_0000_0000)
SLOTS, GLOBALS, FORMATS = 4, 2, (b"%d %x\n", b"%s\n", b"%f %ws", b"plain\n", b"%5c%p\n")
STRINGS = (b"abc\0", b"a\0b\0\0\0", b"")
CALLABLE = tuple(row for row in BUILTINS if row.effect is not Effect.INSTRUCTION)


def hostile_file(choices: Choices) -> bytes:
    """The bytes of a `.hdc` file: mutated code, a program of random instructions, or damaged bytes."""
    way = choices.below(10)
    if way < 5:
        return encode_program(_mutated(choices, _compiled(choices)))
    if way < 9:
        return encode_program(random_program(choices))
    made = _compiled(choices)
    if choices.chance(30):
        return damaged_bytes(choices, write_bundle(Bundle("case.hds", "? print(1);", ((2, made), (5, made)))))
    return damaged_bytes(choices, encode_program(made))


def damaged_bytes(choices: Choices, data: bytes) -> bytes:
    """A few bytes of a file changed, left out or put in; the checksum is wrong then, or repaired."""
    header, body = data[:12], bytearray(data[12:])
    for _ in range(choices.between(1, 5)):
        at = choices.below(max(1, len(body)))
        match choices.below(4):
            case 0:
                body[at : at + 1] = bytes((choices.below(256),))
            case 1:
                del body[at : at + 1 + choices.below(8)]
            case 2:
                body[at:at] = bytes((choices.pick((0, 0xFF, 1, 0x7F, 0x80)),)) * choices.between(1, 4)
            case _:
                body[at : at + 4] = choices.pick((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x80", b"\1\0\0\0"))
    damaged = header + bytes(body)
    return damaged[choices.below(14) :] if choices.chance(10) else with_checksum(damaged)


def with_checksum(data: bytes) -> bytes:
    """The same file with the checksum that its bytes have."""
    return data[:8] + zlib.crc32(data[12:]).to_bytes(4, "little") + data[12:]


def _compiled(choices: Choices) -> Program:
    text = program_text(choices, 5)
    made = Compiler(portability=False).compile(SourceFile("base", text)).program
    return made if made is not None else Program((encode_word("RETV"),), (Function("main", 0, 0, 0, 1),))


def _mutated(choices: Choices, program: Program) -> Program:
    """Changes that the file form can express; the checksum is right afterwards."""
    for _ in range(choices.between(1, 4)):
        program = _changed(choices, program)
    return program


def _changed(choices: Choices, program: Program) -> Program:
    code = list(program.code)
    at = choices.below(len(code))
    match choices.below(10):
        case 0 | 1:
            code[at] ^= 1 << choices.below(32)
        case 2 | 3 | 4:
            code[at] = code[at] & ~(0xFF << 8) | choices.below(256) << 8
        case 5:
            code[at] = code[at] & 0xFFFF | choices.below(0x20) << 16
        case 6:
            code[at] = random_word(choices, program, at, len(code))
        case 7:
            other = choices.below(len(code))
            code[at], code[other] = code[other], code[at]
        case 8:
            return _changed_function(choices, program)
        case _:
            if program.constants:
                constants = list(program.constants)
                constants[choices.below(len(constants))] = choices.pick(CONSTANTS)
                return replace(program, constants=tuple(constants))
    return replace(program, code=tuple(code))


def _changed_function(choices: Choices, program: Program) -> Program:
    index = choices.below(len(program.functions))
    row = program.functions[index]
    value = choices.pick((0, 1, 8, 0x10, 0x1000, 0x10_0000, 0xFFFF_FFF8, len(program.code)))
    functions = list(program.functions)
    functions[index] = choices.pick(
        (replace(row, frame=value), replace(row, parameters=value), replace(row, start=value), replace(row, end=value))
    )
    return replace(program, functions=tuple(functions))


# --- programs of random instructions ----------------------------------------------------------------------------------


def random_program(choices: Choices) -> Program:
    """Instructions with operands that designate something, so that most of the programs pass the verifier."""
    tables = Program(
        (), (), tuple(choices.pick(CONSTANTS) for _ in range(6)), STRINGS, FORMATS,
        tuple(GlobalSymbol(f"g{number}", "unsigned long", 8) for number in range(GLOBALS)),
    )  # fmt: skip
    functions: list[Function] = []
    for number in range(choices.between(1, 3)):
        start = functions[-1].end if functions else 0
        parameters = choices.below(3) if number else 0
        functions.append(Function(f"f{number}", parameters, 8 * SLOTS, start, start + choices.between(2, 24)))
    shape = replace(tables, functions=tuple(functions))
    code = [word for function in functions for word in _body(choices, shape, function)]
    return replace(shape, code=tuple(code))


def _body(choices: Choices, program: Program, function: Function) -> list[int]:
    """Exactly as many words as the function has; calls come with their arguments."""
    words: list[int] = []
    size = function.end - function.start
    while len(words) < size - 1:
        room = size - 1 - len(words)
        consumer = _consumer(choices, program) if choices.chance(25) else None
        if consumer is not None and len(consumer) <= room:
            words += consumer
        else:
            words.append(random_word(choices, program, len(words), size, function))
    value = choices.below(8)
    return [*words, encode_word("RET", value) if function.start and choices.chance(50) else encode_word("RETV")]


def _consumer(choices: Choices, program: Program) -> list[int]:
    """A call, request or printf behind its arguments."""
    way = choices.below(3)
    if way == 0:
        index = choices.below(len(program.functions))
        return _with_arguments(
            choices, program.functions[index].parameters, encode_word("CALL", choices.below(8), index)
        )
    if way == 1:
        row = choices.pick(CALLABLE)
        index = BUILTIN_INDEX[row.name]
        return _with_arguments(choices, len(row.parameters), encode_word("SYS", choices.below(8), index))
    index = choices.below(len(FORMATS))
    count = FORMATS[index].count(b"%")
    return _with_arguments(choices, count, encode_word("PRINTF", index))


def _with_arguments(choices: Choices, count: int, consumer: int) -> list[int]:
    return [*(encode_word("ARG", choices.below(8), number) for number in range(count)), consumer]


def random_word(choices: Choices, program: Program, at: int, size: int, function: Function | None = None) -> int:
    """An instruction that may stand at word `at` of a function of `size` words."""
    row = choices.pick(INSTRUCTIONS)
    if row.mnemonic in ("ARG", "CALL", "SYS", "PRINTF", "RET", "RETV") or (
        row.mnemonic == "PAR" and (function is None or not function.parameters)
    ):
        return encode_word("LDK", choices.below(8), choices.below(max(1, len(program.constants))))
    operands = [_operand(choices, kind, row, at, size, program) for kind in row.operands]
    if row.mnemonic == "PAR" and function is not None:
        operands[1] = choices.below(function.parameters)
    return encode_word(row.mnemonic, *operands)


def _operand(choices: Choices, kind: Operand, row: Instruction, at: int, size: int, program: Program) -> int:
    if kind in (Operand.DST, Operand.SRC):
        return choices.below(8)
    if kind is Operand.INT16:
        return choices.between(-0x80, 0x7F)
    if row.is_jump and kind is row.operands[-1]:
        return choices.between(0, size - 1) - at - 1
    tables = {
        Operand.KIND: len(INTEGER_KINDS), Operand.CONSTANT: len(program.constants),
        Operand.STRING: len(program.strings),
        Operand.SLOT: SLOTS, Operand.GLOBAL: len(program.globals), Operand.REGISTER: len(REGISTERS),
        Operand.PSEUDO: len(PSEUDO_REGISTERS), Operand.FORMAT: len(program.formats),
    }  # fmt: skip
    return choices.below(max(1, tables.get(kind, 0x100 if kind in WIDE else 8)))


__all__ = ["hostile_file", "random_program"]
