"""The verifier: both engines run verified programs only.

Proved here: every operand designates something that exists (registers always do), jumps stay inside their function and
no function runs past its end, calls get exactly their arguments, frames and tables are within bounds, and every cycle
passes a jump, which costs fuel. Not proved: that addresses are valid, that values have a type, or that a run ends; the
engines check addresses as they go and charge fuel.
"""

from __future__ import annotations

from collections.abc import Callable

from vm import formatting
from vm.facts.builtins import BUILTINS, Effect
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import REGISTERS
from vm.isa import INTEGER_KINDS, Instruction, Operand, decode
from vm.program import Function, Program
from vm.script_memory import SLOT

CONSUMERS = ("CALL", "SYS", "PRINTF")


class VerificationError(ValueError):
    """The program is not well-formed; the message says where and why."""


def verify(program: Program, limits: Limits = DEFAULT_LIMITS) -> None:
    """Raises VerificationError unless the program holds to everything the module's docstring promises."""
    check_functions(program)
    check_tables(program, limits)
    for function in program.functions:
        rows = [decode_at(program, pc) for pc in range(function.start, function.end)]
        check_operands(program, function, rows)
        check_end(function, rows)
        check_arguments(program, function, rows)


def fail(where: str, why: str) -> VerificationError:
    return VerificationError(f"{where}: {why}")


def decode_at(program: Program, pc: int) -> tuple[Instruction, tuple[int, ...]]:
    """The instruction at pc. Raises VerificationError for an unknown opcode."""
    try:
        return decode(program.code[pc])
    except ValueError as error:
        raise fail(f"instruction {pc}", str(error)) from None


def check_functions(program: Program) -> None:
    """The functions tile the code, in order; the main program comes first and takes nothing."""
    if not program.functions:
        raise fail("program", "it has no main function")
    at = 0
    for function in program.functions:
        if function.start != at or function.end <= at:
            raise fail(f"function {function.name}", "its code does not follow that of the function before")
        at = function.end
    if at != len(program.code):
        raise fail("program", f"{len(program.code) - at} instructions belong to no function")
    if program.functions[0].parameters:
        raise fail("program", "the main function has parameters")
    # Each one that is used is fetched by an instruction; an engine makes room for all of them before anything runs.
    parameters = sum(function.parameters for function in program.functions)
    if parameters > len(program.code):
        raise fail("program", f"its functions have {parameters} parameters, more than there are instructions")


def check_tables(program: Program, limits: Limits) -> None:
    """Constants are 64 bits wide; globals and frames have sizes that can exist; positions are in order."""
    for value in program.constants:
        if not 0 <= value < 1 << 64:
            raise fail("constant pool", f"{value} is not a 64-bit pattern")
    if len(program.globals) > limits.max_globals:
        raise fail("globals", f"{len(program.globals)} globals (limit max_globals is {limits.max_globals})")
    names = set()
    for symbol in program.globals:
        if not 1 <= symbol.size <= limits.max_global_bytes or symbol.name in names:
            raise fail(f"global .{symbol.name}", "its size is out of range, or it stands there twice")
        names.add(symbol.name)
    for function in program.functions:
        if function.frame % SLOT or function.frame < 0:
            raise fail(f"function {function.name}", f"a frame of {function.frame} bytes is not a number of slots")
    starts = [position.pc for position in program.positions]
    if starts != sorted(set(starts)):
        raise fail("positions", "they are not in order")
    for position in program.positions:
        if position.source >= len(program.sources) or position.start > position.end:
            raise fail("positions", f"the position of instruction {position.pc} is outside the sources")


_INDEX_TABLES: dict[Operand, Callable[[Program, Function], int]] = {
    Operand.KIND: lambda program, function: len(INTEGER_KINDS),
    Operand.CONSTANT: lambda program, function: len(program.constants),
    Operand.STRING: lambda program, function: len(program.strings),
    Operand.SLOT: lambda program, function: function.frame // SLOT,
    Operand.GLOBAL: lambda program, function: len(program.globals),
    Operand.REGISTER: lambda program, function: len(REGISTERS),
    Operand.PSEUDO: lambda program, function: len(PSEUDO_REGISTERS),
    Operand.FUNCTION: lambda program, function: len(program.functions),
    Operand.BUILTIN: lambda program, function: len(BUILTINS),
    Operand.FORMAT: lambda program, function: len(program.formats),
}


def check_operands(program: Program, function: Function, rows: list[tuple[Instruction, tuple[int, ...]]]) -> None:
    """Every index is inside its table, every jump inside its function."""
    sizes = {kind: size(program, function) for kind, size in _INDEX_TABLES.items()}
    for pc, (row, operands) in enumerate(rows, function.start):
        for kind, value in zip(row.operands, operands, strict=True):
            if kind in sizes and value >= sizes[kind]:
                raise fail(f"instruction {pc} {row.mnemonic}", f"{value} is no {kind.value}")
        if row.is_jump and not function.start <= pc + 1 + operands[-1] < function.end:
            raise fail(f"instruction {pc} {row.mnemonic}", "the jump leaves its function")
        if row.mnemonic == "PAR" and operands[1] >= function.parameters:
            raise fail(f"instruction {pc} PAR", f"the function has {function.parameters} parameters")
        if row.mnemonic in ("LDG", "STG") and program.globals[operands[1]].size < SLOT:
            raise fail(f"instruction {pc} {row.mnemonic}", "the global is smaller than a slot")
        if row.mnemonic == "SYS" and BUILTINS[operands[1]].effect is Effect.INSTRUCTION:
            raise fail(f"instruction {pc} SYS", f"{BUILTINS[operands[1]].name} is an instruction of its own")


def check_end(function: Function, rows: list[tuple[Instruction, tuple[int, ...]]]) -> None:
    """The last instruction of a function does not fall through; the main program returns no value."""
    if rows[-1][0].mnemonic not in ("JMP", "RET", "RETV"):
        raise fail(f"function {function.name}", "execution can run past its end")
    if function.start == 0 and any(row.mnemonic == "RET" for row, _ in rows):
        raise fail(f"function {function.name}", "the main program returns a value")


def arity(program: Program, row: Instruction, operands: tuple[int, ...]) -> int:
    """How many arguments one of the CONSUMERS takes."""
    if row.mnemonic == "CALL":
        return program.functions[operands[1]].parameters
    if row.mnemonic == "SYS":
        return len(BUILTINS[operands[1]].parameters)
    return len(formatting.parse(program.formats[operands[0]]).conversions)


def check_arguments(program: Program, function: Function, rows: list[tuple[Instruction, tuple[int, ...]]]) -> None:
    """Arguments are given in order and all of them before the call; no jump enters or leaves in between."""
    targets = {pc + 1 + operands[-1] for pc, (row, operands) in enumerate(rows, function.start) if row.is_jump}
    given = 0
    for pc, (row, operands) in enumerate(rows, function.start):
        where = f"instruction {pc} {row.mnemonic}"
        if given and (pc in targets or row.ends_block):
            raise fail(where, "a jump enters or leaves between arguments and their call")
        if row.mnemonic == "ARG":
            if operands[1] != given:
                raise fail(where, f"argument {operands[1]} follows {given} others")
            given += 1
        elif row.mnemonic in CONSUMERS:
            takes = arity(program, row, operands)
            if given != takes:
                raise fail(where, f"it gets {given} arguments and takes {takes}")
            given = 0
