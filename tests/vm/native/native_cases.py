"""Runs a program on the reference engine and on the native one, each in a world of its own, and asserts equality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import only_with_machine_code  # noqa: F401

from lang.compiler import Compiler
from lang.source import SourceFile
from vm.engine import Engine, RunResult
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.host import MemoryHost
from vm.interpreter import Interpreter
from vm.isa import encode
from vm.native.engine import NativeEngine
from vm.program import Function, Program
from vm.script_memory import GlobalStore

BASE = 0x10000
PAGE = 0x1000


@dataclass
class World:
    """What a run starts from. Memory: two pages at BASE with `memory` at their start, and nothing else."""

    registers: Mapping[str, int] = field(default_factory=dict)
    memory: bytes = b""
    pseudo: Mapping[str, int] = field(default_factory=dict)

    def host(self) -> MemoryHost:
        return MemoryHost.with_memory(self.registers, [(BASE, 2 * PAGE, self.memory)], **self.pseudo)


@dataclass
class Outcome:
    """Everything that a run leaves behind."""

    result: RunResult
    host: MemoryHost
    globals: bytes


@cache
def engines(limits: Limits) -> tuple[Engine, Engine, Engine]:
    """Both engines with these limits, the native one as it begins and as it compiles what runs often."""
    return Interpreter(limits), NativeEngine(limits), NativeEngine(limits, steps_that_pay=0)


def run_on(engine: Engine, program: Program, world: World, limits: Limits = DEFAULT_LIMITS) -> Outcome:
    """One run in a fresh session."""
    store, host = GlobalStore(limits), world.host()
    result = engine.run(engine.load(program, store), host)
    return Outcome(result, host, store.memory[: store.used])


def same(program: Program, world: World | None = None, limits: Limits = DEFAULT_LIMITS) -> Outcome:
    """The outcome of a program, which is the same on both engines."""
    reference, *native = (run_on(engine, program, world or World(), limits) for engine in engines(limits))
    assert native == [reference, reference]
    return native[0]


def script(text: str) -> Program:
    """The program of a script."""
    compilation = Compiler().compile(SourceFile("test.hds", text))
    assert compilation.program is not None, compilation.diagnostics
    return compilation.program


def same_script(text: str, world: World | None = None, limits: Limits = DEFAULT_LIMITS) -> Outcome:
    """The outcome of a script, which is the same on both engines."""
    return same(script(text), world, limits)


def main_program(lines: Sequence[tuple[str | int, ...]], frame: int = 0, **tables: tuple[object, ...]) -> Program:
    """A program of one function: (mnemonic, operands...) each."""
    code = tuple(encode(*line) for line in lines)  # type: ignore[arg-type]  # mnemonic first, then numbers
    return Program(code, (Function("main", 0, frame, 0, len(code)),), **tables)  # type: ignore[arg-type]  # as the fields
