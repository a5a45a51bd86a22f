"""A verified program as an LLVM module: one function per function of the program, and `run`, which starts them.

`run(context) -> 0 | 1` resets the run's part of the context, enters the main function and writes the outcome down.
"""

from __future__ import annotations

import re

from vm.blocks import block_fuel
from vm.isa import decode
from vm.native import faults
from vm.native.body import Body, signature
from vm.native.emitter import I1, I32, POINTER, Module, Signature, Value, number
from vm.native.linkage import Linked
from vm.native.lowering import LOWERING
from vm.program import Function, Program

RUN = "run"


def program_module(program: Program, deferred: tuple[bool, ...]) -> Module:
    """The module of a program. `deferred` says for each printf format whether its messages can be rendered later."""
    module = Module()
    symbols = [_symbol(index, function) for index, function in enumerate(program.functions)]
    for index in range(len(symbols)):
        _lower(Body(module, program, index, symbols, deferred))
    _define_run(module, symbols[0], signature(program.functions[0]))
    return module


def _symbol(index: int, function: Function) -> str:
    """A name that a reader knows again; the function's own name may be anything."""
    readable = re.sub(r"\W", "_", function.name, flags=re.ASCII)[:40]
    return f"f{index}.{readable}"


def _define_run(module: Module, main: str, kind: Signature) -> None:
    e = Linked(module, RUN, Signature(I32, (POINTER,)))
    for name in ("top", "call_site"):
        e.set_state(name, number(0))
    e.set_state("bulk_left", e.setting("max_bulk_bytes"))
    result = e.call(main, kind, [e.context, number(0), number(0)])
    with e.when(e.opposite(e.part(result, 2, I1))):
        e.set_state("steps", e.part(result, 1))
        e.give(Value(I32, "0"))
    e.give(Value(I32, "1"))


def _lower(f: Body) -> None:
    """The whole function: what happens on entry, then each basic block."""
    fuel = block_fuel(f.program, f.bytecode)
    for pc in fuel:
        f.code_blocks[pc] = f.new_block(f"pc{pc}")
    _enter(f)
    for pc in range(f.bytecode.start, f.bytecode.end):
        f.pc = pc
        row, operands = decode(f.program.code[pc])
        if pc in fuel:
            _begin_block(f, fuel[pc])
        f.comment(" ".join([f"{pc}:", row.mnemonic, *map(str, operands)]))
        if row.is_jump:
            operands = (*operands[:-1], pc + 1 + operands[-1])
        LOWERING[row.mnemonic](f, *operands)
    f.close()


def _enter(f: Body) -> None:
    """Make the frame, all zero. What keeps the function from being entered is an error of the call."""
    call = f.state("call_site")

    def refuse_if(bad: Value, fault: str) -> None:
        f.stop_if(bad, fault, entering=f.op("or", call, number(faults.site(0, fault))))

    refuse_if(f.compare("ugt", f.depth, f.setting("max_call_depth")), "call_depth")
    size = number(f.bytecode.frame)
    if not f.bytecode.frame:
        return
    f.frame_base = f.state("top")
    top = f.op("add", f.frame_base, size)
    refuse_if(f.compare("ugt", top, f.setting("max_stack_bytes")), "stack_bytes")
    left = f.state("bulk_left")
    refuse_if(f.compare("ugt", size, left), "bulk_limit")
    f.set_state("bulk_left", f.op("sub", left, size))
    f.set_state("top", top)
    f.fill_zero(f.at(f.setting("stack"), f.frame_base), size)


def _begin_block(f: Body, fuel: int) -> None:
    """Enter a basic block: charge its whole fuel."""
    block = f.code_blocks[f.pc]
    if not f.block.closed:
        f.end_block()
        f.jump(block)
    f.begin_block(block)
    f.steps = f.op("add", f.steps, number(fuel))
    if fuel:
        f.stop_if(f.compare("ugt", f.steps, f.setting("max_steps")), "step_limit")
