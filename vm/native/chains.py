"""Chains of comparisons of one value with constants (`if (x == 1) ... elsif (x == 2) ...`): a look-up, not a walk.

The first comparison is made as it stands; where it fails, a switch finds the one that holds. It charges the fuel and
leaves the registers as the comparisons in between would. Where the fuel could run out in between, a table of them says
at which one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from vm.facts.pseudo_registers import PSEUDO_INDEX
from vm.isa import decode
from vm.native.body import Body
from vm.native.emitter import I64, Block, Value, number
from vm.native.faults import site
from vm.program import Function, Program

LEAST = 4  # comparisons; shorter chains are walked
_MASK = (1 << 64) - 1
_CHANGING = {PSEUDO_INDEX[name] for name in ("date", "time")}  # refreshed at each use
_CONSTANTS = ("LDI", "LDH", "LDK")
_VALUES = ("LDM", "LDP", "LDG")  # what reads the compared value anew for each comparison, with the same result

Source = tuple[str, int]  # where the compared value comes from: one of _VALUES and its operand, or ("register", number)


class Comparison(msgspec.Struct, frozen=True):
    """The end of a basic block: `if value == constant`, or `!=`. Places are of the program's code, in words."""

    block: int
    compares: int  # where EQ stands
    value: int  # the register that has the value there
    source: Source
    constant: int  # 64 bits
    equal: int  # where it goes on
    unequal: int
    writes: Mapping[int, int | None]  # what it leaves in registers when unequal; None: the value
    result: int  # the register that is 1 when equal
    alone: bool  # there is nothing else in the block


class Chain(msgspec.Struct, frozen=True):
    """Comparisons of one value, each where the one before goes on when it is unequal."""

    links: tuple[Comparison, ...]

    @property
    def first(self) -> Comparison:
        """The one that is made as it stands."""
        return self.links[0]


def chains_of(program: Program, function: Function, fuel: Mapping[int, int]) -> dict[int, Chain]:
    """The longest chains of a verified function, by the block of the first comparison. `fuel` has its basic blocks."""
    ends = ends_of(fuel, function).items()
    found = {start: made for start, end in ends if (made := _comparison(program, start, end))}
    inner: set[int] = set()
    chains = {}
    for start in found:
        if start not in inner:
            links = tuple(_links(found, start))
            inner.update(link.block for link in links[1:])
            if len(links) >= LEAST:
                chains[start] = Chain(links)
    return chains


def _links(found: Mapping[int, Comparison], start: int) -> Iterator[Comparison]:
    """The chain that begins with the comparison of a block. It only goes forward: loops stay what they are."""
    link = found[start]
    sources, written = {link.source, ("register", link.value)}, {link.result}
    yield link
    while (behind := found.get(link.unequal)) and behind.alone and behind.block > link.block:
        written.update(behind.writes)
        if behind.source not in sources or (behind.source[0] == "register" and behind.value in written):
            return
        sources, link = {behind.source}, behind
        yield link


def _comparison(program: Program, start: int, end: int) -> Comparison | None:
    """What the basic block ends with, if it is a comparison with a constant."""
    lines = [decode(program.code[pc]) for pc in range(start, end)]
    if len(lines) < 3 or lines[-1][0].mnemonic not in ("JZ", "JNZ") or lines[-2][0].mnemonic != "EQ":
        return None
    (jump, (tested, distance)), (_, (result, *compared)) = lines[-1], lines[-2]
    if tested != result or compared[0] == compared[1]:
        return None
    constants: dict[int, int] = {}
    sources: dict[int, Source] = {}
    at = len(lines) - 2
    while at and lines[at - 1][0].mnemonic in (*_CONSTANTS, *_VALUES):
        at -= 1
    for row, (register, operand) in lines[at:-2]:
        sources.pop(register, None)
        known = constants.pop(register, None)
        match row.mnemonic:
            case "LDI":
                constants[register] = operand & _MASK
            case "LDK":
                constants[register] = program.constants[operand]
            case "LDH" if known is not None:
                constants[register] = (known << 16 | operand) & _MASK
            case name if name in _VALUES and not (name == "LDP" and operand in _CHANGING):
                sources[register] = name, operand
            case _:
                return None
    for constant, value in (compared, compared[::-1]):
        if constant in constants and value not in constants:
            writes = {**constants, **dict.fromkeys(sources), result: 0}
            taken, passed = end + distance, end
            equal, unequal = (taken, passed) if jump.mnemonic == "JNZ" else (passed, taken)
            source = sources.get(value, ("register", value))
            return Comparison(
                start, end - 2, value, source, constants[constant], equal, unequal, writes, result,
                alone=at == 0 and all(each == source for each in sources.values()),
            )  # fmt: skip
    return None


def ends_of(fuel: Mapping[int, int], function: Function) -> dict[int, int]:
    """The basic blocks of a function, with where each ends."""
    blocks = list(fuel)
    return dict(zip(blocks, [*blocks[1:], function.end], strict=True))


def blocks_entered(
    program: Program, function: Function, fuel: Mapping[int, int], chains: Mapping[int, Chain]
) -> list[int]:
    """The basic blocks that control can enter, in their order. Those that a look-up stands for are often none."""
    ends = ends_of(fuel, function)
    waiting, entered = [function.start], set[int]()
    while waiting:
        block = waiting.pop()
        if block in entered:
            continue
        entered.add(block)
        if block in chains:
            links = chains[block].links
            waiting += [*(link.equal for link in links), links[-1].unequal]
            continue
        end = ends[block]
        row, operands = decode(program.code[end - 1])
        if row.is_jump:
            waiting.append(end + operands[-1])
        if row.mnemonic not in ("JMP", "RET", "RETV"):
            waiting.append(end)
    return sorted(entered)


def look_up(f: Body, chain: Chain, fuel: Mapping[int, int]) -> None:
    """The end of a chain's first block: the comparison with its jump, and the look-up of the others."""
    first, *others = chain.links
    value, steps, spent = f.get(first.value), f.steps, 0
    others_follow, walk, switch = map(f.new_block, ("chain", "walk", "switch"))
    equal = f.compare("eq", value, number(first.constant))
    f.set(first.result, f.widened(equal))
    f.end_block()
    f.branch(equal, f.code_blocks[first.equal], others_follow)
    left: dict[int, int | None] = {}
    rows: list[tuple[int, int, int]] = []
    cases: dict[int, Block] = {}

    def arrival(target: int, result: int) -> Block:
        """Where the comparison `link` sends control."""
        block = f.new_block("arrival")
        f.begin_block(block)
        f.steps = f.op("add", steps, number(spent))
        for register, number_left in left.items():
            f.set(register, value if number_left is None else number(number_left))
        f.set(link.result, number(result))
        f.end_block()
        f.jump(f.code_blocks[target])
        return block

    for link in others:
        spent += fuel[link.block]
        rows.append((spent, site(link.block, "step_limit"), link.constant))
        left |= link.writes
        if link.constant not in cases:  # the first of equal ones holds
            cases[link.constant] = arrival(link.equal, 1)
    otherwise = arrival(others[-1].unequal, 0)
    f.block = others_follow
    enough = f.compare("ule", f.op("add", steps, number(spent)), f.setting("max_steps"))
    f.branch(enough, switch, walk)
    _walk(f, rows, steps, value, walk, switch)
    f.block = switch
    f.switch(value, cases, otherwise)


def _walk(f: Body, rows: list[tuple[int, int, int]], steps: Value, value: Value, start: Block, found: Block) -> None:
    """Stop the run where the fuel ends before the comparison that holds. A row: fuel up to here, place, constant."""
    table = f.module.table([each for row in rows for each in row])
    f.begin_block(start)
    head = f.new_block("row")
    f.jump(head)
    f.block = head
    at = f.phi(I64)
    at.add(number(0), start)
    row = f.at(table, at.value)
    f.steps = f.op("add", steps, f.load(row))
    f.stop_if(f.compare("ugt", f.steps, f.setting("max_steps")), "step_limit", entering=f.load(f.at(row, 8)))
    further = f.new_block("further")
    f.branch(f.compare("eq", value, f.load(f.at(row, 16))), found, further)
    f.block = further
    following = f.op("add", at.value, number(24))
    at.add(following, further)
    f.branch(f.compare("eq", following, number(24 * len(rows))), found, head)
