"""A verified program as an LLVM module: one function per function of the program, and `run`, which starts them.

`run(context) -> 0 | 1` resets the run's part of the context, enters the main function and writes the outcome down.
"""

from __future__ import annotations

import re
from typing import Any

from llvmlite import ir

from vm.blocks import block_fuel
from vm.isa import decode
from vm.native.body import Body, function_type
from vm.native.emitter import I1, I8, I32, I64, POINTER, VOID, Emitter
from vm.native.lowering import LOWERING
from vm.program import Function, Program

RUN = "run"


def program_module(program: Program, deferred: tuple[bool, ...]) -> Any:
    """The module of a program. `deferred` says for each printf format whether its messages can be rendered later."""
    module = ir.Module("hds.program")
    functions = [_declare(module, index, function) for index, function in enumerate(program.functions)]
    for index in range(len(functions)):
        _lower(Body(program, index, functions, deferred))
    _define_run(module, functions[0])
    return module


def _declare(module: Any, index: int, function: Function) -> Any:
    readable = re.sub(r"\W", "_", function.name, flags=re.ASCII)[:40]
    declared = ir.Function(module, function_type(function), f"{index}.{readable}")
    declared.linkage = "internal"
    for attribute in ("nounwind", "noinline"):
        declared.attributes.add(attribute)
    return declared


def _define_run(module: Any, main: Any) -> None:
    e = Emitter(ir.Function(module, ir.FunctionType(I32, [POINTER]), RUN))
    for name in ("top", "call_pc"):
        e.set_field(name, e.number(0))
    e.set_field("bulk_left", e.setting("max_bulk_bytes"))
    result = e.ir.call(main, [e.context, e.number(0), e.number(0)])
    stopped = e.ir.extract_value(result, 2)
    with e.ir.if_then(e.ir.not_(stopped)):
        e.set_field("steps", e.ir.extract_value(result, 1))
    e.ir.ret(e.ir.zext(stopped, I32))


def _lower(f: Body) -> None:
    """The whole function: what happens on entry, then each basic block."""
    fuel = block_fuel(f.program, f.bytecode)
    for pc in fuel:
        f.blocks[pc] = f.function.append_basic_block(f"pc{pc}")
    _enter(f)
    f.ir.branch(f.blocks[f.bytecode.start])
    for pc in range(f.bytecode.start, f.bytecode.end):
        f.pc = pc
        row, operands = decode(f.program.code[pc])
        if pc in fuel:
            _begin_block(f, fuel[pc])
        f.ir.comment(" ".join([f"{pc}:", row.mnemonic, *map(str, operands)]))
        if row.is_jump:
            operands = (*operands[:-1], pc + 1 + operands[-1])
        LOWERING[row.mnemonic](f, *operands)


def _enter(f: Body) -> None:
    """Make the frame, all zero. What keeps the function from being entered is an error of the call."""
    pc = f.field("call_pc")
    too_deep = f.ir.icmp_unsigned(">", f.depth, f.setting("max_call_depth"))
    f.stop_if(too_deep, "call_depth", pc=pc)
    size = f.bytecode.frame
    if not size:
        return
    f.frame_base = f.field("top")
    top = f.ir.add(f.frame_base, f.number(size))
    f.stop_if(f.ir.icmp_unsigned(">", top, f.setting("max_stack_bytes")), "stack_bytes", pc=pc)
    left = f.field("bulk_left")
    f.stop_if(f.ir.icmp_unsigned(">", f.number(size), left), "bulk_limit", pc=pc)
    f.set_field("bulk_left", f.ir.sub(left, f.number(size)))
    f.set_field("top", top)
    kind = ir.FunctionType(VOID, [POINTER, I8, I64, I1])
    fill = f.module.declare_intrinsic("llvm.memset", (POINTER, I64), kind)
    f.ir.call(fill, [f.at(f.setting("stack"), f.frame_base), f.number(0, I8), f.number(size), f.no()])


def _begin_block(f: Body, fuel: int) -> None:
    """Enter a basic block: charge its whole fuel."""
    block = f.blocks[f.pc]
    if not f.ir.block.is_terminated:
        f.end_block()
        f.ir.branch(block)
    f.begin_block(block)
    f.steps = f.ir.add(f.steps, f.number(fuel))
    if fuel:
        f.stop_if(f.ir.icmp_unsigned(">", f.steps, f.setting("max_steps")), "step_limit")
