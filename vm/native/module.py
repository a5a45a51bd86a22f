"""A verified program as an LLVM module: one function per function of the program, and `run`, which starts them.

`run(context) -> 0 | 1` resets what the program uses of the run's part of the context, enters the main function and
writes the outcome down.
"""

from __future__ import annotations

import re

from vm.blocks import block_fuel
from vm.isa import decode
from vm.native import faults
from vm.native.body import Body, signature
from vm.native.chains import blocks_entered, chains_of, ends_of, look_up
from vm.native.emitter import I1, I32, POINTER, Module, Signature, Value, number
from vm.native.layout import CELL
from vm.native.linkage import Linked
from vm.native.lowering import LOWERING
from vm.native.records import Waiting
from vm.program import Function, Program

RUN = "run"
_CHARGING = ("COPY", "ZERO", "SYS", "PRINTF")  # what may charge max_bulk_bytes, besides the making of frames


def program_module(program: Program, formats: tuple[Waiting | None, ...], counts_entries: bool = False) -> Module:
    """The module of a program. `formats` says for each of printf how its messages wait, if they can.

    Where it `counts_entries`, every basic block is entered for itself: no look-up stands for several.
    """
    module = Module()
    symbols = [_symbol(index, function) for index, function in enumerate(program.functions)]
    for index in range(len(symbols)):
        _lower(Body(module, program, index, symbols, formats), counts_entries)
    _define_run(module, program, symbols[0])
    return module


def _symbol(index: int, function: Function) -> str:
    """A name that a reader knows again; the function's own name may be anything."""
    readable = re.sub(r"\W", "_", function.name, flags=re.ASCII)[:40]
    return f"f{index}.{readable}"


def _define_run(module: Module, program: Program, main: str) -> None:
    kind = signature(program.functions[0])
    e = Linked(module, RUN, Signature(I32, (POINTER,)))
    _reset(e, program)
    result = e.call(main, kind, [e.context, number(0), number(0)], "alwaysinline")
    with e.when(e.opposite(e.part(result, 2, I1))):
        e.set_state("steps", e.part(result, 1))
        e.give(Value(I32, "0"))
    e.give(Value(I32, "1"))


def _reset(e: Linked, program: Program) -> None:
    """Set the state that the program changes: the start of a run is most of a short script's time."""
    has_frames = any(function.frame for function in program.functions)
    if has_frames:
        for name in ("top", "call_site"):
            e.set_state(name, number(0))
    if has_frames or any(decode(word)[0].mnemonic in _CHARGING for word in program.code):
        e.set_state("bulk_left", e.setting("max_bulk_bytes"))


def _lower(f: Body, counts_entries: bool) -> None:
    """The whole function: what happens on entry, then each basic block that control can enter."""
    blocks = block_fuel(f.program, f.bytecode)
    heads = _heads(f)
    chains = {} if counts_entries else chains_of(f.program, f.bytecode, blocks)
    for pc in blocks_entered(f.program, f.bytecode, blocks, chains):
        f.code_blocks[pc] = f.new_block(f"pc{pc}")
    _enter(f)
    for pc, end in ends_of(blocks, f.bytecode).items():
        if pc in f.code_blocks:
            f.pc = pc
            _begin_block(f, blocks[pc], counts_entries)
            if pc in heads:
                _look_at_brake(f)
            chain = chains.get(pc)
            _lower_instructions(f, pc, end if chain is None else chain.first.compares)
            if chain is not None:
                look_up(f, chain, blocks)
    f.close()


def _lower_instructions(f: Body, start: int, end: int) -> None:
    for f.pc in range(start, end):
        row, operands = decode(f.program.code[f.pc])
        f.comment(" ".join([f"{f.pc}:", row.mnemonic, *map(str, operands)]))
        if row.is_jump:
            operands = (*operands[:-1], f.pc + 1 + operands[-1])
        LOWERING[row.mnemonic](f, *operands)


def _heads(f: Body) -> set[int]:
    """The blocks that every loop and every call enters one of."""
    heads = {f.bytecode.start}
    for pc in range(f.bytecode.start, f.bytecode.end):
        row, operands = decode(f.program.code[pc])
        if row.is_jump and operands[-1] < 0:
            heads.add(pc + 1 + operands[-1])
    return heads


def _look_at_brake(f: Body) -> None:
    pulled = f.load_anew(f.setting("brake"))
    f.stop_if(f.compare("ne", pulled, number(0)), "interrupted")


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


def _begin_block(f: Body, fuel: int, counts_entries: bool) -> None:
    """Enter a basic block: count it where that is wanted, and charge its whole fuel."""
    block = f.code_blocks[f.pc]
    if not f.block.closed:
        f.end_block()
        f.jump(block)
    f.begin_block(block)
    if counts_entries:  # in an atomic operation, for cores may run the program at the same time
        f.atomic("add", f.at(f.setting("entries"), number(CELL * f.pc)), number(1))
    f.steps = f.op("add", f.steps, number(fuel))
    if fuel:
        f.stop_if(f.compare("ugt", f.steps, f.setting("max_steps")), "step_limit")
